//! What a trusted-certificate profile brings: thumbprints and key of a CA certificate. Not a general reader of X.509;
//! bytes that are no certificate simply show nothing.

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use crate::AttestationSettings;

/// The largest certificate that is looked at, in bytes. Real ones take about two thousand.
const LARGEST: usize = 64 * 1024;
/// The extension "subject key identifier" (2.5.29.14) with a key of 20 bytes, as DER writes it.
const KEY_ID_20: [u8; 9] = [0x06, 0x03, 0x55, 0x1d, 0x0e, 0x04, 0x16, 0x04, 0x14];

/// A CA certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaCertificate {
    /// SHA-1 thumbprint, upper-case hex.
    pub(crate) sha1: String,
    /// SHA-256 thumbprint, upper-case hex.
    pub(crate) sha256: String,
    /// Subject key identifier, upper-case hex; `None`: it carries none of the usual length.
    pub(crate) key_id: Option<String>,
    /// Its bytes as text, for the names in it.
    names: String,
}

impl CaCertificate {
    /// Reads base64, with or without line ends, of DER or of a PEM file.
    pub(crate) fn of_base64(text: &str) -> Option<Self> {
        if text.len() > LARGEST * 2 {
            return None;
        }
        let compact: String = text.split_whitespace().collect();
        Self::of_bytes(&BASE64_STANDARD.decode(compact).ok()?)
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        if let Some(pem) = bytes.strip_prefix(b"-----BEGIN CERTIFICATE-----") {
            let pem = std::str::from_utf8(pem).ok()?;
            let body: String = pem.split("-----").next()?.split_whitespace().collect();
            return Self::of_der(&BASE64_STANDARD.decode(body).ok()?);
        }
        Self::of_der(bytes)
    }

    fn of_der(der: &[u8]) -> Option<Self> {
        // Every certificate is a SEQUENCE.
        if der.first() != Some(&0x30) || der.len() > LARGEST {
            return None;
        }
        Some(Self {
            sha1: hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref()),
            sha256: hex(digest(&SHA256, der).as_ref()),
            key_id: key_id(der).map(hex),
            names: String::from_utf8_lossy(der).into_owned(),
        })
    }

    /// Whether the certificate carries the name of one of our issuers, as subject or as issuer.
    pub(crate) fn is_of(&self, attestation: &AttestationSettings) -> bool {
        attestation.names_issuer(&self.names)
    }
}

fn key_id(der: &[u8]) -> Option<&[u8]> {
    let at = der
        .windows(KEY_ID_20.len())
        .position(|window| window == KEY_ID_20)?;
    der.get(at + KEY_ID_20.len()..)?.get(..20)
}

/// Upper-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shape of a certificate, as far as it is looked at.
    fn der(name: &str) -> Vec<u8> {
        let mut der = vec![0x30, 0x82, 0x01, 0x00];
        der.extend(name.as_bytes());
        der.extend(KEY_ID_20);
        der.extend([0xab; 20]);
        der
    }

    fn settings() -> AttestationSettings {
        let issuers = vec!["Organization Intermediate Authority".into()];
        AttestationSettings::new("x", issuers, vec![]).unwrap()
    }

    #[test]
    fn der_and_pem_are_the_same_certificate() {
        let der = der("Organization Intermediate Authority");
        let body = BASE64_STANDARD.encode(&der);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        let of_der = CaCertificate::of_base64(&body).unwrap();
        let wrapped = BASE64_STANDARD.encode(pem);
        let (first, second) = wrapped.split_at(40);
        let of_pem = CaCertificate::of_base64(&format!("\n\t{first}\n\t{second}\n")).unwrap();
        assert_eq!(of_der, of_pem);
        assert_eq!(of_der.key_id.as_deref(), Some("AB".repeat(20).as_str()));
        assert_eq!((of_der.sha1.len(), of_der.sha256.len()), (40, 64));
        assert!(of_der.is_of(&settings()));
        let other = CaCertificate::of_base64(&BASE64_STANDARD.encode(self::der("Corp CA")));
        assert!(!other.unwrap().is_of(&settings()));
    }

    #[test]
    fn what_is_no_certificate_shows_nothing() {
        let mut cut = der("x");
        cut.truncate(cut.len() - 5);
        let cut = CaCertificate::of_base64(&BASE64_STANDARD.encode(cut)).unwrap();
        assert_eq!(cut.key_id, None, "half a key is no key");
        for text in ["", "***", "AAAA", &"A".repeat(LARGEST * 2 + 4)] {
            assert_eq!(CaCertificate::of_base64(text), None);
        }
    }
}
