//! What the entries of the catalogue look at: one subject, read once.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Confidence, EventClass, Evidence, FastPassSeen, MatchStrength, MdmDevice, MdmObservation,
    Observations, OktaDevice, OktaDeviceUser, ProfileDelivery, ProfileState, Subject, UserDetail,
    Want,
    certificate::{self, CertificateState, CertificateView, IssuerMatch},
    detect::DetectSettings,
};

use super::verdict::Gap;

/// The System Log is kept this long; asking for more is refused.
const LOG_RETENTION: TimeDelta = TimeDelta::days(90);

/// One device-user as the entries see it.
pub(super) struct Facts<'s, 'a> {
    pub(super) subject: &'s Subject<'a>,
    pub(super) settings: &'s DetectSettings,
    pub(super) device: &'a OktaDevice,
    pub(super) link: &'a OktaDeviceUser,
    pub(super) certificate: CertificateView<'a>,
    /// The delivery that went furthest, if several profiles attest.
    pub(super) profile: Option<&'a ProfileDelivery>,
    pub(super) fastpass: Option<&'a FastPassSeen>,
    pub(super) detail: Option<&'a UserDetail>,
}

impl<'s, 'a> Facts<'s, 'a> {
    /// `None` if the subject is no device-user.
    pub(super) fn new(subject: &'s Subject<'a>, settings: &'s DetectSettings) -> Option<Self> {
        let (device, link) = (subject.device?, subject.link?);
        let observations = subject.observations;
        let profiles = subject.record.and_then(|record| record.profiles.as_deref());
        Some(Self {
            subject,
            settings,
            device,
            link,
            certificate: certificate::judge_with(subject, &settings.issuers),
            profile: profiles
                .unwrap_or_default()
                .iter()
                .max_by_key(|delivery| (progress(&delivery.state), delivery.since)),
            fastpass: observations
                .log
                .fastpass
                .get(&(device.id.clone(), link.user_id.clone())),
            detail: observations.okta.users.get(&link.user_id),
        })
    }

    pub(super) fn observations(&self) -> &'a Observations {
        self.subject.observations
    }

    pub(super) fn okta_now(&self) -> DateTime<Utc> {
        self.observations().okta.now
    }

    pub(super) fn mdm(&self) -> Option<(&'a MdmObservation, &'a MdmDevice)> {
        self.subject.mdm.zip(self.subject.record)
    }

    pub(super) fn is_confirmed(&self) -> bool {
        self.subject.user.is_some()
    }

    /// What the catalogue's confidence comes to here: never high on a list row or a weak match.
    pub(super) fn capped(&self, confidence: Confidence) -> Confidence {
        match self.is_confirmed() && self.subject.strength != MatchStrength::Weak {
            true => confidence,
            false => confidence.min(Confidence::Medium),
        }
    }

    /// A fact of Okta's device record or link.
    pub(super) fn okta_says(
        &self,
        fact: &str,
        value: impl ToString,
        about: Option<DateTime<Utc>>,
    ) -> Evidence {
        Evidence {
            source: "okta".to_owned(),
            fact: fact.to_owned(),
            value: value.to_string(),
            observed_at: self.okta_now(),
            about,
            assumes: None,
        }
    }

    /// A fact of the matched MDM's record; without one, of Okta's.
    pub(super) fn mdm_says(
        &self,
        fact: &str,
        value: impl ToString,
        about: Option<DateTime<Utc>>,
    ) -> Evidence {
        let Some((mdm, _)) = self.mdm() else {
            return self.okta_says(fact, value, about);
        };
        Evidence {
            source: mdm.name.to_string(),
            fact: fact.to_owned(),
            value: value.to_string(),
            observed_at: mdm.now,
            about,
            assumes: None,
        }
    }

    /// The link's status, as it was read: by id, or as listed.
    pub(super) fn management_status(&self) -> Evidence {
        let read = self
            .subject
            .user
            .and_then(|_| crate::correlate::confirmation(self.observations(), self.device));
        let mut evidence = self.okta_says(
            match read {
                Some(_) => "link.management_status",
                None => "link.management_status (listed)",
            },
            match self.link.management_status {
                Some(crate::ManagementStatus::Managed) => "MANAGED",
                Some(crate::ManagementStatus::NotManaged) => "NOT_MANAGED",
                None => "not shown",
            },
            self.device.last_updated,
        );
        if let Some(read) = read {
            evidence.observed_at = read.read_at;
        }
        evidence
    }

    /// The certificate in words: where it is known from, and until when.
    pub(super) fn certificate_evidence(&self) -> Vec<Evidence> {
        let view = &self.certificate;
        let mut evidence = Vec::with_capacity(3);
        if let Some(row) = view.certificate {
            let inventory = self.subject.record.and_then(|record| record.inventory_at);
            let name = row.serial_number.as_deref().unwrap_or(&row.subject);
            evidence.push(self.mdm_says("certificate", name, inventory));
        }
        let source = |fact: &str, at: DateTime<Utc>| match view.certificate {
            Some(_) => self.mdm_says(fact, time(at), Some(at)),
            None => self.okta_says(fact, time(at), Some(at)),
        };
        if let Some(at) = view.issued_at {
            evidence.push(source("certificate.issued_at", at));
        }
        if let Some(at) = view.expires_at {
            evidence.push(source("certificate.expires_at", at));
        }
        evidence
    }

    /// The certificate is in its time, of an accepted issuer, and not bound to another record. Otherwise: what is
    /// missing, or `Ok(None)` where the certificate's own entries have the word.
    pub(super) fn usable_certificate(&self) -> Result<Option<&CertificateView<'a>>, Gap> {
        let view = &self.certificate;
        match view.state {
            CertificateState::Unknown(because) => Err(self.certificate_gap(because)),
            CertificateState::Valid if view.is_bound_elsewhere(self.subject) => Err(Gap::new(
                "the certificate is bound to another Okta record, which cannot be told from a copy here",
            )),
            CertificateState::Valid if view.issuer == IssuerMatch::Wrong => Err(Gap::new(
                "the certificate is from an issuer that Okta does not trust",
            )),
            CertificateState::Valid => Ok(Some(view)),
            _ => Ok(None),
        }
    }

    pub(super) fn certificate_gap(&self, because: certificate::UnknownBecause) -> Gap {
        use certificate::UnknownBecause::{InventoryStale, InventoryUndated};
        let gap = Gap::new(because.reason());
        match (because, self.mdm()) {
            (InventoryStale | InventoryUndated, Some((mdm, record))) => {
                gap.wanting(Want::MdmRecord {
                    mdm: mdm.name.clone(),
                    device: record.id.clone(),
                })
            }
            _ => gap,
        }
    }

    /// Whether a valid certificate is listed: a later proof, which an earlier missing one does not undo.
    pub(super) fn certificate_is_listed_valid(&self) -> bool {
        self.certificate.certificate.is_some() && self.certificate.state == CertificateState::Valid
    }

    /// Last successful FastPass sign-in of this user on this device.
    pub(super) fn last_fastpass(&self) -> Option<DateTime<Utc>> {
        self.fastpass?.success.map(|seen| seen.last)
    }

    /// Whether the log would show a FastPass sign-in since then; otherwise what to ask for.
    pub(super) fn fastpass_covered_since(&self, since: DateTime<Utc>) -> Result<(), Gap> {
        // Before the account was added to the device there was nothing to sign in with.
        let since = self.link.created.map_or(since, |added| since.max(added));
        let class = self.observations().log.coverage(EventClass::FastPass);
        if class.proves_absence_since(since) {
            return Ok(());
        }
        let asked = self.detail.and_then(|detail| detail.log_covered_from);
        if class.last_seen.is_some() && asked.is_some_and(|from| from <= since) {
            return Ok(());
        }
        if class.last_seen.is_none() && class.covered_from.is_some_and(|from| from <= since) {
            return Err(Gap::new(
                "the log never showed a FastPass sign-in of anybody in this org",
            ));
        }
        let gap =
            Gap::new("the log does not cover FastPass sign-ins since the certificate was issued");
        let oldest = self.okta_now() - LOG_RETENTION;
        let since = since.max(oldest);
        // Asking again would bring the same answer.
        if asked.is_some_and(|from| from <= since + TimeDelta::hours(1)) {
            return Err(gap);
        }
        Err(gap.wanting(Want::UserLog {
            user: self.link.user_id.clone(),
            since,
        }))
    }

    /// The MDMs that manage this platform.
    pub(super) fn mdms(&self) -> impl Iterator<Item = &'a MdmObservation> {
        let platform = self.device.platform;
        self.observations()
            .mdms
            .iter()
            .filter(move |mdm| mdm.platforms.is_empty() || mdm.platforms.contains(&platform))
    }
}

/// How far a delivery got.
fn progress(state: &ProfileState) -> u8 {
    match state {
        ProfileState::Installed => 6,
        ProfileState::Failed { .. } => 5,
        ProfileState::Conflict => 4,
        ProfileState::Pending => 3,
        ProfileState::NotApplicable => 2,
        ProfileState::NotAssigned => 1,
        ProfileState::Unknown => 0,
    }
}

/// A time as evidence spells it.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
