//! Okta's own certificate authorities and the SCEP configurations below them. Early Access: where it is off, or the
//! credential may not read it, nothing is known, which proves nothing.

use unstuck_domain::{AuthorityCertificate, CertificateAuthority, ScepConfiguration};

use super::endpoints::{LIST_AUTHORITIES, REGISTRATION_AUTHORITIES};
use super::{OktaClient, wire};
use crate::Result;
use crate::decode::Page;
use crate::error::ErrorKind;
use crate::http::Call;

/// The family that signs certificates for management attestation; the other one is for Device Access.
const ATTESTATION: &str = "OKTA_AS_CA";

impl OktaClient {
    /// The issuing authorities; `None`: not readable here.
    pub(super) async fn read_authorities(&self) -> Result<Option<Vec<CertificateAuthority>>> {
        let call = Call::new(&LIST_AUTHORITIES)
            .query("type", "INTERMEDIATE")
            .query("expand", "certificates");
        let Some(listed) = early_access(self.data::<wire::Authority>(&call).await)? else {
            return Ok(None);
        };
        let mut authorities = Vec::new();
        for authority in listed {
            let call = Call::new(&REGISTRATION_AUTHORITIES)
                .param(authority.authority_instance_id.as_str());
            let configurations = self.data::<wire::RegistrationAuthority>(&call).await;
            let configurations = early_access(configurations)?.unwrap_or_default();
            authorities.extend(read(authority, configurations));
        }
        Ok((!authorities.is_empty()).then_some(authorities))
    }

    async fn data<T>(&self, call: &Call) -> Result<Vec<T>>
    where
        T: serde::de::DeserializeOwned + Send + 'static,
    {
        let page: Page<T> = self.http.read(call).await?.json().await?;
        page.records.warn_of_skipped(LIST_AUTHORITIES.name);
        Ok(page.records.records)
    }
}

/// `None` for every answer by which Okta says that this is not on here. A 401 on such a path is no dead token.
fn early_access<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.kind {
            ErrorKind::Unauthorized { .. }
            | ErrorKind::Forbidden { .. }
            | ErrorKind::NotFound
            | ErrorKind::Rejected { .. }
            | ErrorKind::Unreadable { .. } => {
                tracing::debug!("certificate authorities are not readable here: {error}");
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

/// `None`: the answer does not say what the authority is for, or shows no certificate of it.
pub(super) fn read(
    authority: wire::Authority,
    configurations: Vec<wire::RegistrationAuthority>,
) -> Option<CertificateAuthority> {
    let family = authority.ca_type?;
    let embedded = authority
        .embedded
        .and_then(|embedded| embedded.certificates);
    let certificates = embedded.or(authority.certificates)?;
    let certificates: Vec<AuthorityCertificate> = certificates
        .into_iter()
        .filter_map(|certificate| {
            Some(AuthorityCertificate {
                key_id: certificate.ski?.to_ascii_uppercase(),
                retiring: certificate.rotation_state.as_deref() == Some("RETIRING"),
                expires_at: certificate.expiration_date,
            })
        })
        .collect();
    (!certificates.is_empty()).then(|| CertificateAuthority {
        id: authority.authority_instance_id.to_ascii_uppercase(),
        attests_management: family == ATTESTATION,
        certificates,
        configurations: configurations
            .into_iter()
            .filter_map(|configuration| {
                Some(ScepConfiguration {
                    id: configuration.id?,
                    authority_key_id: configuration.aki.map(|aki| aki.to_ascii_uppercase()),
                })
            })
            .collect(),
    })
}
