//! Reading and verifying the JWTs that clients sign: assertions and `DPoP` proofs, RSA and EC P-256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::digest::{SHA256, digest};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Value, json};

/// A JWT taken apart; nothing in it is trusted yet.
#[derive(Debug)]
pub(super) struct Jwt {
    pub header: Value,
    pub claims: Value,
    signed: String,
    signature: Vec<u8>,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed point.
    P256(Vec<u8>),
}

impl Jwt {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        Some(Self {
            header: serde_json::from_slice(&BASE64.decode(header).ok()?).ok()?,
            claims: serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?,
            signed: signed.to_owned(),
            signature: BASE64.decode(signature).ok()?,
        })
    }

    pub(super) fn alg(&self) -> &str {
        self.header["alg"].as_str().unwrap_or_default()
    }

    pub(super) fn text(&self, claim: &str) -> &str {
        self.claims[claim].as_str().unwrap_or_default()
    }

    pub(super) fn seconds(&self, claim: &str) -> Option<i64> {
        let value = &self.claims[claim];
        value
            .as_i64()
            .or_else(|| value.as_f64().map(|at| at as i64))
    }

    pub(super) fn signed_by(&self, key: &PublicKey) -> bool {
        match (key, self.alg()) {
            (PublicKey::Rsa { n, e }, alg) => {
                let parameters = match alg {
                    "RS256" => &RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &RSA_PKCS1_2048_8192_SHA384,
                    "RS512" => &RSA_PKCS1_2048_8192_SHA512,
                    _ => return false,
                };
                RsaPublicKeyComponents { n, e }
                    .verify(parameters, self.signed.as_bytes(), &self.signature)
                    .is_ok()
            }
            (PublicKey::P256(point), "ES256") => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(self.signed.as_bytes(), &self.signature)
                    .is_ok()
            }
            (PublicKey::P256(_), _) => false,
        }
    }
}

impl PublicKey {
    /// From a JWK that holds the public part only.
    pub(super) fn from_jwk(jwk: &Value) -> Option<Self> {
        if jwk.get("d").is_some() {
            return None;
        }
        let part = |name: &str| BASE64.decode(jwk[name].as_str()?).ok();
        match (jwk["kty"].as_str()?, jwk["crv"].as_str()) {
            ("RSA", _) => Some(Self::Rsa {
                n: part("n")?,
                e: part("e")?,
            }),
            ("EC", Some("P-256")) => {
                let mut point = vec![4];
                point.extend(part("x")?);
                point.extend(part("y")?);
                Some(Self::P256(point))
            }
            _ => None,
        }
    }

    /// RFC 7638, base64url.
    pub(super) fn thumbprint(&self) -> String {
        let canonical = match self {
            Self::Rsa { n, e } => {
                json!({"e": BASE64.encode(e), "kty": "RSA", "n": BASE64.encode(n)})
            }
            Self::P256(point) => json!({
                "crv": "P-256", "kty": "EC",
                "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..]),
            }),
        };
        hash(canonical.to_string().as_bytes())
    }
}

/// SHA-256, base64url.
pub(super) fn hash(bytes: &[u8]) -> String {
    BASE64.encode(digest(&SHA256, bytes))
}
