//! The key pair of the simulated service app, made afresh at every start. It protects nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

use super::jwt::PublicKey;

/// An EC P-256 key pair.
#[derive(Clone, Debug)]
pub(crate) struct ClientKey {
    /// PKCS#8.
    pub(crate) pem: String,
    pub(super) public: PublicKey,
}

impl ClientKey {
    pub(crate) fn generate() -> std::io::Result<Self> {
        let random = SystemRandom::new();
        let failed = || std::io::Error::other("cannot make a key pair");
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_unspecified| failed())?;
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
                .map_err(|_rejected| failed())?;
        Ok(Self {
            pem: pem(document.as_ref()),
            public: PublicKey::P256(pair.public_key().as_ref().to_vec()),
        })
    }
}

fn pem(der: &[u8]) -> String {
    let body = BASE64.encode(der);
    let mut text = String::from("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    text
}
