//! Profiles that an admin set up wrongly or for something else, each with its own small group. Machines
//! with a fault of that kind are in the group; everybody else never meets them. A company has only those
//! that some machine needs.

use std::collections::BTreeSet;

use super::org::Admin;
use super::org_mdm::scep;
use crate::world::{Issuer, Level, Mdm, Platform, ProfileKey, ProfileKind, Scope, SsoExtension};

/// What is odd about a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Oddity {
    /// It asks for a key that may not sign.
    KeyUsage,
    /// Its subject has variables that the MDM does not know.
    Subject,
    /// It lets no app use the key.
    NoAppsAccess,
    /// It is the profile of Device Access, and means to be.
    DeviceAccess,
    /// It has the address of Device Access by mistake.
    DeviceAccessUrl,
    /// It has the address of another org.
    OtherOrg,
    /// It goes to the machine's store, where an ordinary account cannot read the key.
    MachineStore,
    /// As before, with the key in the TPM only.
    TpmOnly,
    /// It leans on a trusted-certificate profile with another authority's certificate.
    StaleTrust,
    /// Its group is not among those of its trusted-certificate profile.
    Dependency,
    /// Another profile sets other values for the same group.
    Conflict,
    /// The company's own authority issues.
    OwnAuthority,
    /// Right, and for the Macs in Intune.
    IntuneMac,
    /// Nothing sends it again before its certificates end.
    Cohort,
    /// Right, and no longer for the group of these machines.
    DroppedGroup,
}

impl Oddity {
    fn name(self) -> &'static str {
        match self {
            Self::KeyUsage => "Okta Attestation SCEP (lab)",
            Self::Subject => "Okta Attestation SCEP (2024 draft)",
            Self::NoAppsAccess => "Okta Attestation SCEP (design studio)",
            Self::DeviceAccess => "Okta Device Access SCEP",
            Self::DeviceAccessUrl => "Okta Attestation SCEP (field)",
            Self::OtherOrg => "Okta Attestation SCEP (preview pilot)",
            Self::MachineStore => "Okta Attestation SCEP (device type)",
            Self::TpmOnly => "Okta Attestation SCEP (TPM)",
            Self::StaleTrust => "Okta Attestation SCEP (branch)",
            Self::Dependency => "Okta Attestation SCEP (subsidiary)",
            Self::Conflict => "Okta Attestation SCEP (takeover)",
            Self::OwnAuthority => "Okta Attestation SCEP (own CA)",
            Self::IntuneMac => "Okta Attestation SCEP (Macs)",
            Self::Cohort => "Okta Attestation SCEP (first wave)",
            Self::DroppedGroup => "Okta Attestation SCEP (sales)",
        }
    }

    pub(super) fn is_user_level(self, mdm: Mdm) -> bool {
        match self {
            Self::MachineStore | Self::TpmOnly | Self::DeviceAccess | Self::IntuneMac => false,
            _ => mdm == Mdm::Intune,
        }
    }

    /// Where certificates of its profile come from.
    pub(super) fn issuer(self) -> Issuer {
        match self {
            Self::DeviceAccess | Self::DeviceAccessUrl => Issuer::DeviceAccess,
            Self::OtherOrg => Issuer::OtherOrg,
            Self::OwnAuthority => Issuer::OwnAuthority,
            _ => Issuer::Org,
        }
    }
}

/// A SCEP profile with what a machine needs to get it.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub scep: ProfileKey,
    /// None: the trusted-certificate profile does not go to the same machines.
    pub trust: Option<ProfileKey>,
    /// Every group that the machine is in.
    pub groups: Vec<String>,
}

impl Admin<'_> {
    /// Sets one up. `usual_trust` is the trusted-certificate profile of the MDM.
    pub(super) fn oddity(
        &mut self,
        mdm: Mdm,
        oddity: Oddity,
        usual_trust: ProfileKey,
    ) -> Assignment {
        let name = oddity.name();
        let group = self.group(mdm, &format!("{name} members"), false);
        let trust = self.trust_for(mdm, oddity, usual_trust, &group);
        let level = match oddity.is_user_level(mdm) {
            true => Level::User,
            false => Level::Machine,
        };
        let scope = self.own_scope(mdm, &group);
        let kind = oddity_kind(mdm, oddity, trust.unwrap_or(usual_trust));
        let scep = self.profile(mdm, name, kind, level, scope.clone());
        if oddity == Oddity::IntuneMac {
            self.state.profiles[scep.0].platform = Platform::MacOs;
        }
        if oddity == Oddity::DroppedGroup {
            self.state.profiles[scep.0].scope.groups.clear();
        }
        if oddity == Oddity::Conflict {
            let kind = oddity_kind(mdm, oddity, usual_trust);
            let rival = "Okta Attestation SCEP (takeover, old)";
            let rival = self.profile(mdm, rival, kind, level, scope);
            self.state.profiles[rival.0].conflicts_with = Some(scep);
            self.state.profiles[scep.0].conflicts_with = Some(rival);
        }
        Assignment {
            scep,
            trust,
            groups: vec![group],
        }
    }

    /// The trusted-certificate profile that reaches the group, if one does.
    fn trust_for(
        &mut self,
        mdm: Mdm,
        oddity: Oddity,
        usual: ProfileKey,
        group: &str,
    ) -> Option<ProfileKey> {
        match oddity {
            Oddity::Dependency => return None,
            Oddity::StaleTrust | Oddity::IntuneMac => {}
            _ => {
                let scope = &mut self.state.profiles[usual.0].scope;
                scope.groups.insert(group.to_owned());
                return Some(usual);
            }
        }
        let stale = oddity == Oddity::StaleTrust;
        let kind = match stale {
            // The right words on the console's page, and the other authority's certificate.
            true => ProfileKind::TrustedCertificate {
                ski: self.state.org.pki.device_access().aki.clone(),
            },
            false => self.trust(),
        };
        let name = match stale {
            true => "Okta Attestation trust (branch)",
            false => "Okta Attestation trust (Macs)",
        };
        let scope = self.own_scope(mdm, group);
        let trust = self.profile(mdm, name, kind, Level::Machine, scope);
        if !stale {
            self.state.profiles[trust.0].platform = Platform::MacOs;
        }
        Some(trust)
    }

    /// This group without the held ones.
    fn own_scope(&self, mdm: Mdm, group: &str) -> Scope {
        let targets = &self.state.targets;
        let (hold, category) = match mdm {
            Mdm::Jamf => (&targets.jamf_hold_group, None),
            Mdm::Intune => (
                &targets.intune_hold_group,
                Some(targets.intune_hold_category.clone()),
            ),
        };
        Scope {
            groups: BTreeSet::from([group.to_owned()]),
            excluded_groups: BTreeSet::from([hold.clone()]),
            excluded_category: category,
            ..Scope::default()
        }
    }

    /// SSO extension profiles that serve nobody, by name of what is wrong, and the group of Macs that the
    /// right one leaves out.
    pub(super) fn odd_sso_extensions(&mut self, right: ProfileKey) -> OddSso {
        let mdm = Mdm::Jamf;
        let left_out = self.group(mdm, "Okta SSO extension exceptions", false);
        let scope = &mut self.state.profiles[right.0].scope;
        scope.excluded_groups.insert(left_out.clone());
        let mut add = |name: &str, extension: SsoExtension| {
            let group = self.group(mdm, &format!("{name} members"), false);
            let scope = Scope {
                groups: BTreeSet::from([group.clone()]),
                ..Scope::default()
            };
            let kind = ProfileKind::SsoExtension(extension);
            (self.profile(mdm, name, kind, Level::Machine, scope), group)
        };
        let wrong_hosts = SsoExtension {
            names_org: false,
            hosts: vec!["https://login.acme.example"],
            ..SsoExtension::right()
        };
        let wrong_payload = SsoExtension {
            kind: "Redirect",
            ..SsoExtension::right()
        };
        OddSso {
            wrong_hosts: add("Okta SSO extension (old domain)", wrong_hosts),
            wrong_payload: add("Okta SSO extension (password sync)", wrong_payload),
            second: add("Okta SSO extension (pilot)", SsoExtension::right()),
            left_out,
        }
    }
}

/// Odd SSO extension profiles, each with its group.
#[derive(Clone, Debug)]
pub(super) struct OddSso {
    pub left_out: String,
    pub wrong_hosts: (ProfileKey, String),
    pub wrong_payload: (ProfileKey, String),
    pub second: (ProfileKey, String),
}

fn oddity_kind(mdm: Mdm, oddity: Oddity, trust: ProfileKey) -> ProfileKind {
    let (trusted, redistribute) = match mdm {
        Mdm::Jamf => (None, Some(30)),
        Mdm::Intune => (Some(trust), None),
    };
    let mut kind = scep(trusted, redistribute);
    if let ProfileKind::Scep {
        all_apps_access,
        may_sign,
        issuer,
        readable,
        redistribute_days,
        key_storage,
        subject,
        ..
    } = &mut kind
    {
        *issuer = oddity.issuer();
        if oddity == Oddity::Cohort {
            *redistribute_days = None;
        }
        match oddity {
            Oddity::KeyUsage => *may_sign = false,
            Oddity::NoAppsAccess => *all_apps_access = false,
            Oddity::TpmOnly => (*key_storage, *readable) = ("useTpmKspOtherwiseFail", false),
            Oddity::MachineStore => (*key_storage, *readable) = ("useSoftwareKsp", false),
            Oddity::Subject => *subject = Some(broken_subject(mdm)),
            // What Device Access certificates are called is free text as well.
            Oddity::DeviceAccess => *subject = Some(device_access_subject(mdm)),
            _ => {}
        }
    }
    kind
}

/// A subject with a variable that the MDM does not know and so leaves as it stands.
pub(super) fn broken_subject(mdm: Mdm) -> &'static str {
    match mdm {
        Mdm::Jamf => "$COMPUTERNME managementAttestation $UDDI",
        Mdm::Intune => "{{UserPrincipleName}} managementAttestation",
    }
}

fn device_access_subject(mdm: Mdm) -> &'static str {
    match mdm {
        Mdm::Jamf => "$SERIALNUMBER Desktop MFA",
        Mdm::Intune => "{{SerialNumber}} Desktop MFA",
    }
}
