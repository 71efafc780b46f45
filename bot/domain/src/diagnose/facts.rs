//! What the entries of the catalogue look at: one subject, read once.

use std::cell::OnceCell;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Assumption, AttestationProfile, Confidence, EventClass, Evidence, FastPassSeen, MatchStrength,
    MdmDevice, MdmKind, MdmObservation, Observations, OktaDevice, OktaDeviceUser, ProfileDelivery,
    ProfileState, RevocationSeen, ScepSettings, Subject, UserDetail, Visibility, Want,
    certificate::{self, CertificateState, CertificateView, IssuerMatch},
    detect::DetectSettings,
};

use super::{
    fleet::Fleet,
    policy::{self, Asked},
    trouble::{self, Trouble},
    verdict::Gap,
};

/// The System Log is kept this long; asking for more is refused.
const LOG_RETENTION: TimeDelta = TimeDelta::days(90);

/// A sign-in this soon after the issue may have run before the certificate was in its store.
pub(super) const CERTIFICATE_SETTLES: TimeDelta = TimeDelta::minutes(10);

/// One device-user as the entries see it.
pub(super) struct Facts<'s, 'a> {
    pub(super) subject: &'s Subject<'a>,
    pub(super) settings: &'s DetectSettings,
    pub(super) fleet: &'s Fleet<'a>,
    pub(super) device: &'a OktaDevice,
    pub(super) link: &'a OktaDeviceUser,
    pub(super) certificate: CertificateView<'a>,
    /// The delivery that went furthest, if several profiles attest.
    pub(super) profile: Option<&'a ProfileDelivery>,
    pub(super) fastpass: Option<&'a FastPassSeen>,
    pub(super) detail: Option<&'a UserDetail>,
    asked: OnceCell<Asked<'a>>,
    trouble: OnceCell<Option<Trouble<'a>>>,
}

impl<'s, 'a> Facts<'s, 'a> {
    /// `None` if the subject is no device-user.
    pub(super) fn new(
        subject: &'s Subject<'a>,
        settings: &'s DetectSettings,
        fleet: &'s Fleet<'a>,
    ) -> Option<Self> {
        let (device, link) = (subject.device?, subject.link?);
        let observations = subject.observations;
        let profiles = subject.record.and_then(|record| record.profiles.as_deref());
        Some(Self {
            subject,
            settings,
            fleet,
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
            asked: OnceCell::new(),
            trouble: OnceCell::new(),
        })
    }

    /// Whether a sign-in would make Okta look at this device-user's management.
    pub(super) fn asked(&self) -> &Asked<'a> {
        self.asked.get_or_init(|| policy::asks_for_managed(self))
    }

    /// Why no certificate comes, by the MDM's words; `None` where one is there or nothing says that it fails.
    pub(super) fn trouble(&self) -> Option<&Trouble<'a>> {
        self.trouble.get_or_init(|| trouble::of(self)).as_ref()
    }

    /// The attestation profile that the delivery is of; without a delivery the platform's only one.
    pub(super) fn attestation_profile(&self) -> Option<&'a AttestationProfile> {
        let (mdm, record) = self.mdm()?;
        if let Some(delivery) = self.profile {
            return mdm
                .profiles
                .iter()
                .find(|profile| profile.id == delivery.profile_id);
        }
        let mut of_platform = mdm
            .profiles
            .iter()
            .filter(|profile| profile.platform == record.platform);
        of_platform.next().filter(|_| of_platform.next().is_none())
    }

    /// What the SCEP payload asks for, as far as the MDM shows it.
    pub(super) fn scep(&self) -> Option<&'a ScepSettings> {
        self.attestation_profile().map(|profile| &profile.scep)
    }

    /// When a sign-in can first have used the certificate.
    pub(super) fn ready(&self) -> Option<DateTime<Utc>> {
        Some(self.certificate.issued_at? + CERTIFICATE_SETTLES)
    }

    /// The last FastPass sign-in since the certificate that still said "not managed", and none since that said
    /// otherwise.
    pub(super) fn refused(&self) -> Option<DateTime<Utc>> {
        let ready = self.ready()?;
        let seen = self.fastpass?;
        let refused = seen.last_unmanaged.filter(|at| *at > ready)?;
        seen.last_managed
            .is_none_or(|managed| managed <= refused)
            .then_some(refused)
    }

    /// The refusal as evidence.
    pub(super) fn refusal(&self, at: DateTime<Utc>) -> Evidence {
        self.okta_says("fastpass.device_managed", "false", Some(at))
            .assuming(Assumption::FastpassDevice)
    }

    /// Whether the log shows that Okta's CA issued nothing to anybody since; `None`: not covered.
    pub(super) fn nothing_issued_since(&self, at: DateTime<Utc>) -> Option<bool> {
        let issues = self
            .observations()
            .log
            .coverage(EventClass::CertificateIssued);
        match issues.last_seen {
            Some(last) if last > at => Some(false),
            _ if issues.proves_absence_since(at) => Some(true),
            _ => None,
        }
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

    /// What a person set.
    pub(super) fn operator_says(&self, fact: &str, value: impl ToString) -> Evidence {
        let mut evidence = self.okta_says(fact, value, None);
        "operator".clone_into(&mut evidence.source);
        evidence
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
            evidence.push(self.listed(self.mdm_says("certificate", name, inventory)));
        }
        let source = |fact: &str, at: DateTime<Utc>, belief| match view.certificate {
            Some(_) => self.mdm_says(fact, time(at), Some(at)),
            None => self.okta_says(fact, time(at), Some(at)).assuming(belief),
        };
        if let Some(at) = view.issued_at {
            evidence.push(source("certificate.issued_at", at, Assumption::IssueEvents));
        }
        if let Some(at) = view.expires_at {
            evidence.push(source("certificate.expires_at", at, Assumption::Validity));
        }
        evidence
    }

    /// A listing that may lack what was issued since rests on the belief that it does not.
    fn listed(&self, evidence: Evidence) -> Evidence {
        let presence_only = self
            .subject
            .mdm
            .is_some_and(|mdm| mdm.shows.certificates == Visibility::PresenceOnly);
        match presence_only {
            true => evidence.assuming(Assumption::IntuneRows),
            false => evidence,
        }
    }

    /// A revocation of the log, as evidence.
    pub(super) fn revocation_evidence(&self, revocation: &RevocationSeen) -> Evidence {
        self.okta_says(&revocation.event_type, "seen", Some(revocation.at))
            .assuming(Assumption::RevocationEvents)
    }

    /// The store that the certificate is in, as evidence.
    pub(super) fn store_evidence(&self, store: &str) -> Evidence {
        let evidence = self.mdm_says("certificate.store", store, None);
        match self.subject.mdm.map(|mdm| mdm.kind) {
            Some(MdmKind::Jamf) => evidence.assuming(Assumption::JamfUsername),
            _ => evidence,
        }
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
