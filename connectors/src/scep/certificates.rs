//! The answer to `GetCACert`: one certificate, or a PKCS#7 bundle of certificates. What comes in is untrusted: every
//! length is checked by the parser, and whatever is not as expected is an error, never a guess.

use chrono::{DateTime, Utc};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use x509_parser::{
    asn1_rs::{Any, Class, FromDer, Oid, oid},
    extensions::ParsedExtension,
    prelude::X509Certificate,
    x509::X509Name,
};

/// So many certificates may stand in one bundle.
const MOST: usize = 16;

/// One certificate of a SCEP server.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CaCertificate {
    /// Subject, as one line.
    pub subject: String,
    /// Common name of the subject.
    pub common_name: Option<String>,
    /// Organizational units of the issuer or subject: Okta writes the org's id there.
    pub units: Vec<String>,
    /// Issuer, as one line.
    pub issuer: String,
    /// Serial number, upper-case hex.
    pub serial_number: String,
    /// notBefore.
    pub valid_from: DateTime<Utc>,
    /// notAfter.
    pub expires_at: DateTime<Utc>,
    /// Subject key identifier, upper-case hex.
    pub key_id: Option<String>,
    /// Whether it may issue certificates.
    pub is_authority: bool,
    /// SHA-1 of the certificate, upper-case hex.
    pub sha1: String,
    /// SHA-256 of the certificate, upper-case hex.
    pub sha256: String,
}

impl CaCertificate {
    /// Whether a pinned fingerprint is this certificate's. MDMs write SHA-1 or SHA-256, in any case, with or without
    /// colons; the length tells which.
    pub fn has_fingerprint(&self, pinned: &str) -> bool {
        let pinned: String = pinned
            .chars()
            .filter(char::is_ascii_hexdigit)
            .collect::<String>()
            .to_ascii_uppercase();
        pinned == self.sha1 || pinned == self.sha256
    }
}

/// Why an answer holds no certificates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Larger than any answer of a SCEP server.
    #[error("larger than any answer of a SCEP server")]
    TooLarge,
    /// Another content type than the two of RFC 8894.
    #[error("`{0}` instead of a certificate")]
    OtherContent(String),
    /// The bytes are not what the content type says.
    #[error("{0}")]
    Malformed(&'static str),
}

/// Reads the certificates of an answer, as its content type says.
pub fn parse(content_type: &str, body: &[u8]) -> Result<Vec<CaCertificate>, AnswerError> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    match kind.to_ascii_lowercase().as_str() {
        "application/x-x509-ca-cert" => Ok(vec![whole(body)?]),
        "application/x-x509-ca-ra-cert" => bundle(body),
        _ => Err(AnswerError::OtherContent(kind.chars().take(60).collect())),
    }
}

const SIGNED_DATA: Oid<'static> = oid!(1.2.840.113549.1.7.2);
const BAD_BUNDLE: AnswerError = AnswerError::Malformed("not a PKCS#7 bundle of certificates");
const BAD_CERTIFICATE: AnswerError = AnswerError::Malformed("not an X.509 certificate");

/// The certificates of a `SignedData` without content ("certs-only").
fn bundle(body: &[u8]) -> Result<Vec<CaCertificate>, AnswerError> {
    // ContentInfo: the kind of content, and the content under an explicit tag 0.
    let (rest, outer) = Any::from_der(body).map_err(|_error| BAD_BUNDLE)?;
    if !rest.is_empty() || outer.tag().0 != SEQUENCE {
        return Err(BAD_BUNDLE);
    }
    let (rest, kind) = Oid::from_der(outer.data).map_err(|_error| BAD_BUNDLE)?;
    if kind != SIGNED_DATA {
        return Err(BAD_BUNDLE);
    }
    let (_, content) = tagged(rest, 0)?;
    let (_, signed) = Any::from_der(content).map_err(|_error| BAD_BUNDLE)?;
    // SignedData: version, digest algorithms, content, then the certificates under tag 0.
    let mut left = signed.data;
    for _ in 0..3 {
        (left, _) = Any::from_der(left).map_err(|_error| BAD_BUNDLE)?;
    }
    let (_, mut set) = tagged(left, 0)?;
    let mut certificates = Vec::new();
    while !set.is_empty() {
        if certificates.len() == MOST {
            return Err(AnswerError::Malformed("too many certificates"));
        }
        let (rest, certificate) =
            X509Certificate::from_der(set).map_err(|_error| BAD_CERTIFICATE)?;
        let raw = &set[..set.len() - rest.len()];
        certificates.push(read(&certificate, raw)?);
        set = rest;
    }
    if certificates.is_empty() {
        return Err(AnswerError::Malformed("the bundle holds no certificate"));
    }
    Ok(certificates)
}

const SEQUENCE: u32 = 16;

/// The content under a context-specific tag.
fn tagged(bytes: &[u8], tag: u32) -> Result<(&[u8], &[u8]), AnswerError> {
    let (rest, found) = Any::from_der(bytes).map_err(|_error| BAD_BUNDLE)?;
    if found.class() != Class::ContextSpecific || found.tag().0 != tag {
        return Err(BAD_BUNDLE);
    }
    Ok((rest, found.data))
}

/// One certificate and nothing after it.
fn whole(body: &[u8]) -> Result<CaCertificate, AnswerError> {
    let (rest, certificate) = X509Certificate::from_der(body).map_err(|_error| BAD_CERTIFICATE)?;
    if !rest.is_empty() {
        return Err(BAD_CERTIFICATE);
    }
    read(&certificate, body)
}

fn read(certificate: &X509Certificate<'_>, raw: &[u8]) -> Result<CaCertificate, AnswerError> {
    let time = |seconds: i64| {
        DateTime::from_timestamp(seconds, 0).ok_or(AnswerError::Malformed(
            "the certificate's validity is out of range",
        ))
    };
    let validity = certificate.validity();
    let key_id =
        certificate
            .extensions()
            .iter()
            .find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => Some(hex(id.0)),
                _ => None,
            });
    let mut units = texts(certificate.subject().iter_organizational_unit());
    units.extend(texts(certificate.issuer().iter_organizational_unit()));
    units.dedup();
    Ok(CaCertificate {
        subject: one_line(certificate.subject()),
        common_name: texts(certificate.subject().iter_common_name())
            .into_iter()
            .next(),
        units,
        issuer: one_line(certificate.issuer()),
        serial_number: hex(certificate.raw_serial()),
        valid_from: time(validity.not_before.timestamp())?,
        expires_at: time(validity.not_after.timestamp())?,
        key_id,
        is_authority: certificate.is_ca(),
        sha1: hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, raw).as_ref()),
        sha256: hex(digest(&SHA256, raw).as_ref()),
    })
}

fn texts<'a>(
    attributes: impl Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>,
) -> Vec<String> {
    attributes
        .filter_map(|attribute| attribute.as_str().ok())
        .map(str::to_owned)
        .collect()
}

/// A name without control characters, which could disturb a terminal.
fn one_line(name: &X509Name<'_>) -> String {
    name.to_string()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
