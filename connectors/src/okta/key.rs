//! Private keys and the JWTs they sign: RS256 and ES256, straight on `ring`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

/// A key that cannot be used; says what to do, never what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyError {
    /// Neither PEM nor JWK.
    #[error("the private key is neither PEM nor JWK")]
    Unknown,
    /// SEC1.
    #[error("an \"EC PRIVATE KEY\" must be converted: openssl pkcs8 -topk8 -nocrypt -in key.pem")]
    Sec1,
    /// Protected by a passphrase.
    #[error("the private key is encrypted; give it without a passphrase, from a protected place")]
    Encrypted,
    /// Refused by the cryptography library.
    #[error("the private key is no RSA key of 2048 bits or more and no P-256 key")]
    Unsuitable,
}

/// A private key that signs JWTs.
pub(super) enum SigningKey {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
}

impl SigningKey {
    /// Reads a PEM (PKCS#8, PKCS#1) or a JWK.
    pub(super) fn parse(secret: &SecretString) -> Result<Self, KeyError> {
        let text = secret.expose_secret().trim();
        if text.starts_with('{') {
            return parse_jwk(text);
        }
        let (label, der) = parse_pem(text)?;
        match label {
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der)
                .map(|key| Self::Rsa(Box::new(key)))
                .map_err(|_rejected| KeyError::Unsuitable),
            "PRIVATE KEY" => match RsaKeyPair::from_pkcs8(&der) {
                Ok(key) => Ok(Self::Rsa(Box::new(key))),
                Err(_no_rsa_key) => from_ec_pkcs8(&der),
            },
            "EC PRIVATE KEY" => Err(KeyError::Sec1),
            "ENCRYPTED PRIVATE KEY" => Err(KeyError::Encrypted),
            _ => Err(KeyError::Unknown),
        }
    }

    /// A new P-256 key that lives in memory only.
    pub(super) fn generate() -> Result<Self, KeyError> {
        let der =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_no_randomness| KeyError::Unsuitable)?;
        from_ec_pkcs8(der.as_ref())
    }

    /// The public half as a JWK; `None` for RSA, which only authenticates the client.
    pub(super) fn public_jwk(&self) -> Option<Value> {
        let Self::Ec(key) = self else { return None };
        // Uncompressed point: 0x04, x, y.
        let point = key.public_key().as_ref();
        let (x, y) = point.get(1..)?.split_at_checked(32)?;
        Some(json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)}))
    }

    /// A signed JWT. `header` gets the algorithm.
    pub(super) fn sign(
        &self,
        mut header: Map<String, Value>,
        claims: &Value,
    ) -> Result<String, KeyError> {
        let algorithm = match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        };
        header.insert("alg".to_owned(), algorithm.into());
        let header = Value::Object(header).to_string();
        let message = format!(
            "{}.{}",
            encode(header.as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(
                    &RSA_PKCS1_SHA256,
                    &random,
                    message.as_bytes(),
                    &mut signature,
                )
                .map_err(|_unspecified| KeyError::Unsuitable)?;
                signature
            }
            Self::Ec(key) => key
                .sign(&random, message.as_bytes())
                .map_err(|_unspecified| KeyError::Unsuitable)?
                .as_ref()
                .to_vec(),
        };
        Ok(format!("{message}.{}", encode(&signature)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa(_) => "SigningKey(RSA)",
            Self::Ec(_) => "SigningKey(P-256)",
        })
    }
}

/// Base64url without padding.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn from_ec_pkcs8(der: &[u8]) -> Result<SigningKey, KeyError> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new())
        .map(|key| SigningKey::Ec(Box::new(key)))
        .map_err(|_rejected| KeyError::Unsuitable)
}

fn parse_pem(text: &str) -> Result<(&str, Zeroizing<Vec<u8>>), KeyError> {
    let start = text.find("-----BEGIN ").ok_or(KeyError::Unknown)?;
    let (label, rest) = text[start + "-----BEGIN ".len()..]
        .split_once("-----")
        .ok_or(KeyError::Unknown)?;
    let (body, _) = rest.split_once("-----END ").ok_or(KeyError::Unknown)?;
    // `\n` as two characters is what a key in an environment variable often holds.
    let body = Zeroizing::new(
        body.replace("\\n", "")
            .chars()
            .filter(|c| !c.is_whitespace())
            .collect::<String>(),
    );
    if body.contains(':') {
        return Err(KeyError::Encrypted);
    }
    let der = STANDARD
        .decode(body.as_bytes())
        .map_err(|_not_base64| KeyError::Unknown)?;
    Ok((label, Zeroizing::new(der)))
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    n: Option<Part>,
    e: Option<Part>,
    d: Option<Part>,
    p: Option<Part>,
    q: Option<Part>,
    dp: Option<Part>,
    dq: Option<Part>,
    qi: Option<Part>,
    x: Option<Part>,
    y: Option<Part>,
}

/// A number of a JWK, wiped after use.
#[derive(Deserialize)]
#[serde(try_from = "Zeroizing<String>")]
struct Part(Zeroizing<Vec<u8>>);

impl TryFrom<Zeroizing<String>> for Part {
    type Error = base64::DecodeError;

    fn try_from(text: Zeroizing<String>) -> Result<Self, Self::Error> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('='))?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

fn parse_jwk(text: &str) -> Result<SigningKey, KeyError> {
    let jwk: Jwk = serde_json::from_str(text).map_err(|_may_quote_the_key| KeyError::Unknown)?;
    let part = |part: Option<Part>| part.map(|part| part.0).ok_or(KeyError::Unknown);
    match jwk.kty.as_str() {
        "RSA" => {
            let components = KeyPairComponents {
                public_key: PublicKeyComponents {
                    n: part(jwk.n)?,
                    e: part(jwk.e)?,
                },
                d: part(jwk.d)?,
                p: part(jwk.p)?,
                q: part(jwk.q)?,
                dP: part(jwk.dp)?,
                dQ: part(jwk.dq)?,
                qInv: part(jwk.qi)?,
            };
            from_rsa_components(&components)
        }
        "EC" => {
            let mut point = vec![4];
            point.extend_from_slice(&part(jwk.x)?);
            point.extend_from_slice(&part(jwk.y)?);
            EcdsaKeyPair::from_private_key_and_public_key(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &part(jwk.d)?,
                &point,
                &SystemRandom::new(),
            )
            .map(|key| SigningKey::Ec(Box::new(key)))
            .map_err(|_rejected| KeyError::Unsuitable)
        }
        _ => Err(KeyError::Unsuitable),
    }
}

fn from_rsa_components(
    components: &KeyPairComponents<Zeroizing<Vec<u8>>>,
) -> Result<SigningKey, KeyError> {
    let public_key = PublicKeyComponents {
        n: components.public_key.n.as_slice(),
        e: components.public_key.e.as_slice(),
    };
    RsaKeyPair::from_components(&KeyPairComponents {
        public_key,
        d: components.d.as_slice(),
        p: components.p.as_slice(),
        q: components.q.as_slice(),
        dP: components.dP.as_slice(),
        dQ: components.dQ.as_slice(),
        qInv: components.qInv.as_slice(),
    })
    .map(|key| SigningKey::Rsa(Box::new(key)))
    .map_err(|_rejected| KeyError::Unsuitable)
}
