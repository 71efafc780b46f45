//! How the authorities' certificates come about: every field follows from key ids and times.

use std::sync::Arc;

use chrono::{DateTime, Duration, SubsecRound, Utc};
use ring::digest::{SHA256, digest};

use super::{AuthorityCertificate, INTERMEDIATE, Pki, Rotation};
use crate::scep::{Content, Key, Name, certificate};

pub(super) const ROOT: &str = "Organization Root Authority";
const REGISTRATION: &str = "Organization Registration Authority";
/// An authority's certificate lives for five years.
pub(super) const LIFE: Duration = Duration::days(5 * 365);

impl Pki {
    /// A certificate of an authority below this root.
    pub(super) fn issue(
        &self,
        ski: &str,
        root: &str,
        key: Key,
        name: &'static str,
        at: DateTime<Utc>,
    ) -> AuthorityCertificate {
        // Certificates tell time in whole seconds.
        let at = at.trunc_subsecs(0);
        let mut issued = AuthorityCertificate {
            ski: ski.to_owned(),
            aki: root.to_owned(),
            subject: self.name(name),
            issuer: self.name(ROOT),
            key,
            created: at,
            not_before: at,
            not_after: at + LIFE,
            rotation: Rotation::Active,
            der: Arc::from([]),
        };
        issued.der = sign(&issued, root, Key::Root);
        issued
    }

    /// The certificate of a registration authority below the authority with this key id.
    pub(super) fn registration_certificate(
        &self,
        authority: &str,
        signed_by: Key,
        at: DateTime<Utc>,
    ) -> Arc<[u8]> {
        let ski = derive(authority, "registration");
        let content = Content {
            subject: &self.name(REGISTRATION),
            issuer: &self.name(INTERMEDIATE),
            serial: &ski[20..],
            not_before: at,
            not_after: at + LIFE,
            key: Key::Registration,
            signed_by,
            ski: &ski[..20],
            aki: &bytes(authority),
            authority: false,
        };
        certificate(&content).into()
    }

    fn name(&self, common_name: &'static str) -> Name {
        Name {
            common_name,
            org: self.org.clone(),
            subdomain: self.subdomain,
        }
    }
}

/// The certificate in DER, as its fields say.
pub(super) fn sign(of: &AuthorityCertificate, issuer: &str, signed_by: Key) -> Arc<[u8]> {
    let content = Content {
        subject: &of.subject,
        issuer: &of.issuer,
        serial: &serial_of(&of.ski),
        not_before: of.not_before,
        not_after: of.not_after,
        key: of.key,
        signed_by,
        ski: &bytes(&of.ski),
        aki: &bytes(issuer),
        authority: true,
    };
    certificate(&content).into()
}

/// Sixteen bytes that begin with a bit that keeps the number positive and its length fixed.
pub(super) fn serial_of(ski: &str) -> Vec<u8> {
    let mut serial = derive(ski, "serial")[..16].to_vec();
    serial[0] = serial[0] & 0x3f | 0x40;
    serial
}

fn bytes(hex_digits: &str) -> Vec<u8> {
    hex::decode(hex_digits).expect("key ids are hex")
}

/// Thirty-two bytes that follow from a key id and a purpose.
pub(super) fn derive(from: &str, label: &str) -> Vec<u8> {
    digest(&SHA256, format!("{from} {label}").as_bytes())
        .as_ref()
        .to_vec()
}
