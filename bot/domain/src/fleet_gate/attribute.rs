//! What computers can have in common, and the value of it for one of them.

use std::fmt::Write;

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ChallengeKind, Evidence, GroupId, LifecycleSeen, MdmDevice, MdmName, MdmObservation,
    Observations, OktaDevice, ProfileDelivery, ProfileId, ProfileState, Subject,
    correlate::normalise, findings::Case,
};

/// What the members of a fleet finding share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// The attestation profile that went furthest on the computer.
    Profile,
    /// The MDM's own words for the failure.
    ErrorText,
    /// How the SCEP challenge comes.
    ChallengeType,
    /// Version of the operating system.
    OsVersion,
    /// Version of Okta Verify.
    OktaVerifyVersion,
    /// Browser of the last FastPass attempt.
    Browser,
    /// Site or network that the MDM files the computer under.
    Site,
    /// Issuer of the certificate.
    Issuer,
    /// The MDM.
    Mdm,
    /// Model.
    Model,
    /// Week of the MDM enrolment.
    EnrolmentWeek,
    /// Access policy or rule that leaves the user out.
    Policy,
    /// Okta group of the user.
    Group,
    /// Who deleted the Okta record.
    Actor,
    /// Nothing but the org.
    Org,
}

impl Attribute {
    /// The word of JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::ErrorText => "error_text",
            Self::ChallengeType => "challenge_type",
            Self::OsVersion => "os_version",
            Self::OktaVerifyVersion => "okta_verify_version",
            Self::Browser => "browser",
            Self::Site => "site",
            Self::Issuer => "issuer",
            Self::Mdm => "mdm",
            Self::Model => "model",
            Self::EnrolmentWeek => "enrolment_week",
            Self::Policy => "policy",
            Self::Group => "group",
            Self::Actor => "actor",
            Self::Org => "org",
        }
    }

    /// For people: `profile`, `OS version`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::ErrorText => "error",
            Self::ChallengeType => "SCEP challenge",
            Self::OsVersion => "OS version",
            Self::OktaVerifyVersion => "Okta Verify version",
            Self::Browser => "browser",
            Self::Site => "site",
            Self::Issuer => "issuer",
            Self::Mdm => "MDM",
            Self::Model => "model",
            Self::EnrolmentWeek => "enrolment week",
            Self::Policy => "policy",
            Self::Group => "group",
            Self::Actor => "deleted by",
            Self::Org => "org",
        }
    }

    /// Whether it is known of healthy computers too, so that those without a value can be counted.
    pub(super) fn is_known_of_all(self) -> bool {
        !matches!(
            self,
            Self::ErrorText | Self::Browser | Self::Policy | Self::Group | Self::Actor
        )
    }
}

/// One value, borrowed from what was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Profile(&'a MdmName, &'a ProfileId),
    Week(i32, u32),
}

impl Value<'_> {
    /// As people and JSON read it.
    pub(super) fn shown(&self, observations: &Observations) -> String {
        match self {
            Self::Text(text) => (*text).to_owned(),
            Self::Week(year, week) => format!("{year}-W{week:02}"),
            Self::Profile(mdm, id) => {
                let profiles = observations
                    .mdms
                    .iter()
                    .filter(|observed| observed.name == **mdm)
                    .flat_map(|observed| &observed.profiles);
                let name = profiles
                    .filter(|profile| profile.id == **id)
                    .map(|profile| profile.name.as_str())
                    .next();
                let mut shown = name.unwrap_or(id.as_str()).to_owned();
                let _ = write!(shown, " ({mdm})");
                shown
            }
        }
    }
}

/// One computer, faulty or not, as far as its attributes go.
#[derive(Clone, Copy)]
pub(super) struct Sight<'s, 'a> {
    pub(super) observations: &'a Observations,
    pub(super) device: Option<&'a OktaDevice>,
    pub(super) mdm: Option<&'a MdmObservation>,
    pub(super) record: Option<&'a MdmDevice>,
    /// What is known of a faulty one only.
    pub(super) case: Option<&'s Case<'a>>,
}

impl<'s, 'a> Sight<'s, 'a> {
    pub(super) fn of_case(case: &'s Case<'a>) -> Self {
        let Subject {
            observations,
            device,
            mdm,
            record,
            ..
        } = case.subject;
        Self {
            observations,
            device,
            mdm,
            record,
            case: Some(case),
        }
    }

    /// The delivery of the attestation profile that counts: an assigned one before others, then the latest.
    pub(super) fn delivery(&self) -> Option<&'a ProfileDelivery> {
        let deliveries = self.record?.profiles.as_deref()?;
        deliveries.iter().max_by_key(|delivery| {
            let assigned = !matches!(
                delivery.state,
                ProfileState::NotAssigned | ProfileState::NotApplicable
            );
            (assigned, delivery.since)
        })
    }

    pub(super) fn challenge(&self) -> Option<ChallengeKind> {
        let (mdm, delivery) = (self.mdm?, self.delivery()?);
        let profile = mdm
            .profiles
            .iter()
            .find(|profile| profile.id == delivery.profile_id)?;
        profile.scep.challenge
    }

    /// The MDM's words for what went wrong.
    pub(super) fn error(&self) -> Option<&'a str> {
        let of_profile = self.delivery().and_then(|delivery| match &delivery.state {
            ProfileState::Failed { error } => Some(error.as_str()),
            _ => None,
        });
        let of_request = || {
            let issuance = self.record?.issuance.as_ref()?;
            issuance
                .state
                .contains("ailed")
                .then_some(issuance.state.as_str())
        };
        of_profile
            .or_else(of_request)
            .filter(|text| !text.trim().is_empty())
    }

    /// The deletion of an Okta record of this computer.
    pub(super) fn deletion(&self) -> Option<&'a LifecycleSeen> {
        let deletions = &self.observations.log.deletions;
        if deletions.is_empty() {
            return None;
        }
        let serials = [
            self.device
                .and_then(|device| device.serial_number.as_deref()),
            self.record
                .and_then(|record| record.serial_number.as_deref()),
        ];
        serials
            .into_iter()
            .flatten()
            .filter_map(normalise)
            .find_map(|serial| deletions.get(&serial))
    }

    /// Its values; only groups are more than one.
    pub(super) fn values(&self, attribute: Attribute) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let groups = match attribute {
            Attribute::Group => self.groups(),
            _ => &[],
        };
        let groups = groups.iter().map(|group| Value::Text(group.as_str()));
        self.value(attribute).into_iter().chain(groups)
    }

    fn groups(&self) -> &'a [GroupId] {
        let link = self.case.and_then(|case| case.subject.link);
        let detail = link.and_then(|link| self.observations.okta.users.get(&link.user_id));
        detail
            .and_then(|detail| detail.groups.as_deref())
            .unwrap_or_default()
    }

    fn value(&self, attribute: Attribute) -> Option<Value<'a>> {
        let text = match attribute {
            Attribute::Profile => {
                let delivery = self.delivery()?;
                return Some(Value::Profile(&self.mdm?.name, &delivery.profile_id));
            }
            Attribute::EnrolmentWeek => {
                let week = self.record?.enrolled_at?.iso_week();
                return Some(Value::Week(week.year(), week.week()));
            }
            Attribute::ErrorText => self.error()?.trim(),
            Attribute::ChallengeType => match self.challenge()? {
                ChallengeKind::Static => "static",
                ChallengeKind::Dynamic => "dynamic",
                ChallengeKind::Delegated => "delegated",
            },
            Attribute::OsVersion => self
                .device
                .and_then(|device| device.os_version.as_deref())
                .or(self.record.and_then(|record| record.os_version.as_deref()))?,
            Attribute::OktaVerifyVersion => self
                .device
                .and_then(|device| device.okta_verify_version.as_deref())
                .or(self
                    .record
                    .and_then(|record| record.okta_verify_version.as_deref()))?,
            Attribute::Model => self
                .record
                .and_then(|record| record.model.as_deref())
                .or(self.device.and_then(|device| device.model.as_deref()))?,
            Attribute::Site => self.record?.site.as_deref()?,
            Attribute::Mdm => self.mdm?.name.as_str(),
            Attribute::Issuer => {
                let rows = self.record?.certificates.as_deref()?;
                let newest = rows.iter().max_by_key(|row| row.issued_at)?;
                newest.issuer.as_deref()?
            }
            Attribute::Browser => {
                let (device, link) = (self.device?, self.case?.subject.link?);
                let key = (device.id.clone(), link.user_id.clone());
                self.observations.log.browsers.get(&key)?
            }
            Attribute::Policy => self.policy().unwrap_or("access policies"),
            Attribute::Actor => self.deletion()?.actor.as_deref()?,
            Attribute::Org => "whole org",
            Attribute::Group => return None,
        };
        Some(Value::Text(text))
    }

    /// The policy that the diagnosis names.
    fn policy(&self) -> Option<&'a str> {
        let named = |evidence: &&Evidence| {
            evidence.fact.starts_with("rule.") || evidence.fact.starts_with("policy.")
        };
        let name = &self.case?.diagnosis.evidence.iter().find(named)?.value;
        let policies = &self.observations.okta.policies.access_policies;
        policies.iter().find_map(|policy| {
            let rule = policy
                .rules
                .iter()
                .any(|rule| rule.name == *name || rule.id == *name);
            (rule || policy.name == *name || policy.id == *name).then_some(policy.name.as_str())
        })
    }

    /// When the last certificate of this computer was issued, as its MDM lists it.
    pub(super) fn issued(&self) -> Option<DateTime<Utc>> {
        let rows = self.record?.certificates.as_deref()?;
        rows.iter().filter_map(|row| row.issued_at).max()
    }

    /// When the attestation profile last arrived.
    pub(super) fn delivered(&self) -> Option<DateTime<Utc>> {
        let delivery = self.delivery()?;
        let arrived = delivery.state == ProfileState::Installed;
        delivery.since.filter(|_| arrived).max(self.issued())
    }

    /// End of the newest certificate.
    pub(super) fn expires(&self) -> Option<DateTime<Utc>> {
        let rows = self.record?.certificates.as_deref()?;
        rows.iter().filter_map(|row| row.expires_at).max()
    }
}
