//! The org's own certificate authorities and the SCEP configurations below them. The certificates are
//! real; what the CA API, the SCEP endpoint and the MDMs' profiles show of them is read from here.

mod issue;

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::{Id, Ids, Mdm};
use crate::scep::{Key, Name};
use issue::{LIFE, ROOT, derive, serial_of, sign};

/// The words of an authority of Okta.
pub(crate) const INTERMEDIATE: &str = "Organization Intermediate Authority";

/// How the Early Access read of the authorities answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyAccess {
    /// With what it is for.
    On,
    /// 404: there is no such path.
    NotFound,
    /// 401: the feature is not enabled. It speaks of the feature, not of the token.
    NotEnabled,
    /// 403: the role does not allow it.
    Forbidden,
    /// An empty list.
    Empty,
}

impl From<bool> for EarlyAccess {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::NotFound }
    }
}

/// Which purpose an authority serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Management attestation.
    Attestation,
    /// Okta Device Access: Desktop MFA and Password Sync. It never attests management.
    DeviceAccess,
}

impl Family {
    /// `caType` of the CA API.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Attestation => "OKTA_AS_CA",
            Self::DeviceAccess => "DEVICE_ACCESS_OKTA_AS_CA",
        }
    }
}

/// Whether a certificate of an authority is the one to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotation {
    Active,
    /// Replaced, and valid until it expires.
    Retiring,
}

impl Rotation {
    /// `rotationState` of the CA API.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Retiring => "RETIRING",
        }
    }
}

/// One authority with its certificates.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    /// `authorityInstanceId`: 40 upper-case hex digits, the key id of its first certificate for ever.
    pub instance: String,
    pub family: Family,
    pub root: bool,
    /// Oldest first.
    pub certificates: Vec<AuthorityCertificate>,
}

/// One certificate of an authority.
#[derive(Clone, Debug)]
pub(crate) struct AuthorityCertificate {
    /// Key ids, upper-case hex.
    pub ski: String,
    pub aki: String,
    pub subject: Name,
    pub issuer: Name,
    pub key: Key,
    pub created: DateTime<Utc>,
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    pub rotation: Rotation,
    pub der: Arc<[u8]>,
}

impl AuthorityCertificate {
    /// SHA-1 of the certificate, lower-case hex: what MDMs and Windows call its thumbprint.
    pub(crate) fn sha1(&self) -> String {
        hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.der))
    }

    /// The serial number, upper-case hex.
    pub(crate) fn serial(&self) -> String {
        hex::encode_upper(serial_of(&self.ski))
    }
}

/// How a device proves to a configuration that it may enrol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// One secret for all devices.
    Static,
    /// The MDM fetches a secret per device.
    Dynamic,
    /// Intune makes the challenge; Okta asks it back through this Entra app.
    Delegated { app: String },
}

/// One SCEP configuration of endpoint management or Device Access.
#[derive(Clone, Debug)]
pub(crate) struct ScepConfiguration {
    /// `rac…`
    pub id: Id,
    pub family: Family,
    pub challenge: Challenge,
    /// Whose profiles name it, for management attestation.
    pub mdm: Option<Mdm>,
    /// The authority in its URL.
    pub authority: String,
    /// The key id of the certificate that issues for it.
    pub aki: String,
    /// The certificate of its registration authority, sent along in `GetCACert` where there is one.
    pub registration: Option<Arc<[u8]>>,
    pub created: DateTime<Utc>,
    pub deleted: bool,
    /// When its secret or password was last reset.
    pub secret_reset: Option<DateTime<Utc>>,
    /// False: nobody gets a challenge, or every challenge is refused.
    pub challenge_works: bool,
}

/// The org's authorities and configurations.
#[derive(Clone, Debug)]
pub(crate) struct Pki {
    org: String,
    subdomain: &'static str,
    /// Roots first.
    pub authorities: Vec<Authority>,
    pub configurations: Vec<ScepConfiguration>,
}

impl Pki {
    /// Authorities and configurations that were set up at `since`.
    pub(crate) fn new(
        ids: &mut Ids,
        org: &Id,
        subdomain: &'static str,
        since: DateTime<Utc>,
    ) -> Self {
        let first = ids.hex(40);
        let configuration = ids.okta("rac");
        // Everything else is derived, so that older companies keep their ids.
        let derived = |label: &str| hex::encode_upper(&derive(&first, label)[..20]);
        let rac = |label: &str| -> Id { format!("rac{}", &derived(label)[..17]).into() };
        let (root, device_access) = (derived("root"), derived("device access"));
        let mut pki = Self {
            org: org.to_string(),
            subdomain,
            authorities: Vec::new(),
            configurations: Vec::new(),
        };
        pki.add_authority(&root, &root, Key::Root, Family::Attestation, since);
        pki.add_authority(&first, &root, Key::First, Family::Attestation, since);
        let key = Key::DeviceAccess;
        pki.add_authority(&device_access, &root, key, Family::DeviceAccess, since);
        let app = uuid_like(&derive(&first, "challenge app"));
        let endpoints = [
            (configuration, Some(Mdm::Jamf), Challenge::Dynamic, &first),
            (
                rac("intune"),
                Some(Mdm::Intune),
                Challenge::Delegated { app },
                &first,
            ),
            (
                rac("device access"),
                None,
                Challenge::Static,
                &device_access,
            ),
        ];
        for (id, mdm, challenge, authority) in endpoints {
            let family = match mdm {
                Some(_) => Family::Attestation,
                None => Family::DeviceAccess,
            };
            pki.configurations.push(ScepConfiguration {
                id,
                family,
                mdm,
                authority: authority.clone(),
                aki: authority.clone(),
                registration: None,
                created: since,
                deleted: false,
                secret_reset: None,
                challenge_works: true,
                challenge,
            });
        }
        // One answers with a single certificate, one with a bundle: which Okta does is UNVERIFIED.
        let registration = pki.registration_certificate(&first, Key::First, since);
        pki.configurations[1].registration = Some(registration);
        pki
    }

    /// The configuration that this MDM's attestation profiles name.
    pub(crate) fn configuration_of(&self, mdm: Mdm) -> &ScepConfiguration {
        self.configurations
            .iter()
            .find(|configuration| configuration.mdm == Some(mdm))
            .expect("there is a configuration per MDM")
    }

    pub(crate) fn configuration_of_mut(&mut self, mdm: Mdm) -> &mut ScepConfiguration {
        self.configurations
            .iter_mut()
            .find(|configuration| configuration.mdm == Some(mdm))
            .expect("there is a configuration per MDM")
    }

    /// The configuration of Device Access.
    pub(crate) fn device_access(&self) -> &ScepConfiguration {
        self.configurations
            .iter()
            .find(|configuration| configuration.family == Family::DeviceAccess)
            .expect("there is a configuration of Device Access")
    }

    /// The authority of management attestation.
    pub(crate) fn attestation(&self) -> &Authority {
        self.authorities
            .iter()
            .find(|authority| !authority.root && authority.family == Family::Attestation)
            .expect("there is an attestation authority")
    }

    pub(crate) fn attestation_mut(&mut self) -> &mut Authority {
        self.authorities
            .iter_mut()
            .find(|authority| !authority.root && authority.family == Family::Attestation)
            .expect("there is an attestation authority")
    }

    /// A certificate of any authority by its key id.
    pub(crate) fn certificate(&self, ski: &str) -> Option<&AuthorityCertificate> {
        self.authorities
            .iter()
            .flat_map(|authority| &authority.certificates)
            .find(|certificate| certificate.ski == ski)
    }

    /// Okta replaces the attestation authority's certificate by one with another key (a second renewal
    /// keeps that one). Both stay valid; configurations stay where they are until somebody moves them.
    pub(crate) fn renew(&mut self, now: DateTime<Utc>) -> &AuthorityCertificate {
        let ski = hex::encode_upper(
            &derive(&self.attestation().instance, &now.to_rfc3339()).as_slice()[..20],
        );
        let root = self.authorities[0].instance.clone();
        let renewed = self.issue(&ski, &root, Key::Next, INTERMEDIATE, now);
        let certificates = &mut self.attestation_mut().certificates;
        for old in certificates.iter_mut() {
            old.rotation = Rotation::Retiring;
        }
        certificates.push(renewed);
        certificates.last().expect("one was just added")
    }

    /// An admin moves a configuration onto the newest certificate; its id and URL stay.
    pub(crate) fn roll_over(&mut self, mdm: Mdm, now: DateTime<Utc>) {
        let newest = self.attestation().certificates.last();
        let Some((ski, key)) = newest.map(|newest| (newest.ski.clone(), newest.key)) else {
            return;
        };
        let registration = self.registration_certificate(&ski, key, now);
        let configuration = self.configuration_of_mut(mdm);
        configuration.aki = ski;
        if configuration.registration.is_some() {
            configuration.registration = Some(registration);
        }
    }

    /// This MDM's profiles name the newest configuration of their kind from now on.
    pub(crate) fn adopt_newest(&mut self, mdm: Mdm) {
        let named = self.configuration_of(mdm);
        let (kind, created) = (std::mem::discriminant(&named.challenge), named.created);
        let newest = self.configurations.iter().rposition(|found| {
            found.mdm.is_none()
                && !found.deleted
                && found.family == Family::Attestation
                && found.created >= created
                && std::mem::discriminant(&found.challenge) == kind
        });
        if let Some(newest) = newest {
            self.configuration_of_mut(mdm).mdm = None;
            self.configurations[newest].mdm = Some(mdm);
        }
    }

    /// Issues the authority's newest certificate anew with this end, as if it had been so all along.
    pub(crate) fn set_expiry(&mut self, not_after: DateTime<Utc>) {
        let root = self.authorities[0].instance.clone();
        let newest = self.attestation().certificates.last().cloned();
        let Some(mut newest) = newest else { return };
        newest.not_after = not_after.trunc_subsecs(0);
        newest.not_before = newest.not_after - LIFE;
        newest.created = newest.not_before;
        newest.der = sign(&newest, &root, Key::Root);
        let certificates = &mut self.attestation_mut().certificates;
        certificates.pop();
        certificates.push(newest);
    }

    fn add_authority(
        &mut self,
        instance: &str,
        root: &str,
        key: Key,
        family: Family,
        since: DateTime<Utc>,
    ) {
        let is_root = instance == root;
        let name = if is_root { ROOT } else { INTERMEDIATE };
        let certificate = self.issue(instance, root, key, name, since);
        self.authorities.push(Authority {
            instance: instance.to_owned(),
            family,
            root: is_root,
            certificates: vec![certificate],
        });
    }
}

fn uuid_like(random: &[u8]) -> String {
    let mut sixteen = [0; 16];
    sixteen.copy_from_slice(&random[..16]);
    uuid::Builder::from_random_bytes(sixteen)
        .into_uuid()
        .to_string()
}
