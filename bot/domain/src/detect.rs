//! Which not-managed device-users are faults at all: settings, scope, settling, and the counts of a sweep.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Assumption, Cause, Confidence, DeviceId, Evidence, GroupId, HardwareKey, ManagementStatus,
    OktaDevice, OktaDeviceUser, Platform, ScepProbe, Subject, UserStatus, certificate::Issuers,
    correlate::normalise,
};

/// What detection and diagnosis are told beside the observations.
#[derive(Debug, Clone)]
pub struct DetectSettings {
    /// `[detect] grace`: time after a registration, an MDM enrolment or a repair in which nothing is a fault yet.
    pub grace: TimeDelta,
    /// `[exclusions]`
    pub exclusions: Exclusions,
    /// `[attestation] issuers`: judges a certificate whose issuer the MDM shows.
    pub issuers: Issuers,
    /// Without a check-in for this long, an MDM does not reach the device (the number is UNVERIFIED).
    pub check_in_stale_after: TimeDelta,
    /// An Okta record that did not move for this long is out of use …
    pub record_stale_after: TimeDelta,
    /// … if its MDM has not heard of it for this long either.
    pub mdm_stale_after: TimeDelta,
    /// A certificate that ends within this time is announced.
    pub expiring_within: TimeDelta,
    /// When the last repair of a computer ended, on our own clock.
    pub last_repairs: HashMap<HardwareKey, DateTime<Utc>>,
    /// Causes that a playbook matches; their candidates are confirmed first.
    pub playbook_causes: BTreeSet<Cause>,
    /// `[detect] okta_verify_minimum`: the oldest version that is good enough; a platform without one is not judged.
    pub okta_verify_minimum: BTreeMap<Platform, String>,
    /// `[detect] os_minimum`, likewise.
    pub os_minimum: BTreeMap<Platform, String>,
    /// Hosts of the org, custom domains too, in lower case: what SCEP and SSO extension profiles must name.
    pub org_hosts: Vec<String>,
    /// `[attestation] scep_url`
    pub scep_url: Option<String>,
    /// What SCEP servers last answered; empty: nobody asked.
    pub scep_probes: Vec<ScepProbe>,
    /// Beliefs about vendors that this org has contradicted.
    pub contradicted: BTreeSet<Assumption>,
}

impl DetectSettings {
    /// One step less where the evidence rests on a belief that this org has contradicted.
    pub(crate) fn less_contradicted(
        &self,
        confidence: Confidence,
        evidence: &[Evidence],
    ) -> Confidence {
        let rests_on = |one: &Evidence| {
            one.assumes
                .is_some_and(|belief| self.contradicted.contains(&belief))
        };
        match !self.contradicted.is_empty() && evidence.iter().any(rests_on) {
            true => confidence.lowered(),
            false => confidence,
        }
    }
}

impl Default for DetectSettings {
    fn default() -> Self {
        Self {
            grace: TimeDelta::hours(24),
            exclusions: Exclusions::default(),
            issuers: Issuers::default(),
            check_in_stale_after: TimeDelta::days(7),
            record_stale_after: TimeDelta::days(90),
            mdm_stale_after: TimeDelta::days(30),
            expiring_within: TimeDelta::days(30),
            last_repairs: HashMap::new(),
            playbook_causes: BTreeSet::new(),
            okta_verify_minimum: BTreeMap::new(),
            os_minimum: BTreeMap::new(),
            org_hosts: Vec::new(),
            scep_url: None,
            scep_probes: Vec::new(),
            contradicted: BTreeSet::new(),
        }
    }
}

/// `[exclusions]`: who and what is none of the bot's business.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclusions {
    users: HashSet<String>,
    groups: HashSet<GroupId>,
    devices: HashSet<String>,
}

impl Exclusions {
    /// Users by id or login, groups by Okta id, devices by Okta id or serial number.
    pub fn new<T: AsRef<str>>(users: &[T], groups: &[T], devices: &[T]) -> Self {
        let devices = devices.iter().flat_map(|device| {
            let device = device.as_ref();
            [Some(device.to_owned()), normalise(device)]
                .into_iter()
                .flatten()
        });
        Self {
            users: users
                .iter()
                .map(|user| user.as_ref().to_lowercase())
                .collect(),
            groups: groups
                .iter()
                .map(|group| GroupId::from(group.as_ref()))
                .collect(),
            devices: devices.collect(),
        }
    }

    /// Whether groups are named, so that a candidate's groups must be known.
    pub fn name_groups(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Whether the record is excluded.
    pub fn cover_device(&self, device: &OktaDevice) -> bool {
        !self.devices.is_empty()
            && (self.devices.contains(device.id.as_str())
                || device
                    .serial_number
                    .as_deref()
                    .and_then(normalise)
                    .is_some_and(|serial| self.devices.contains(&serial)))
    }

    /// Whether the person is excluded by name.
    pub fn cover_user(&self, link: &OktaDeviceUser) -> bool {
        !self.users.is_empty()
            && (self.users.contains(&link.user_id.as_str().to_lowercase())
                || self.users.contains(&link.login.to_lowercase()))
    }

    /// Whether one of the person's groups is excluded.
    pub fn cover_groups(&self, groups: &[GroupId]) -> bool {
        groups.iter().any(|group| self.groups.contains(group))
    }
}

/// Whether a not-managed device-user is a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// It is diagnosed and may be repaired.
    InScope,
    /// Too early to tell; looked at again then (our own clock).
    Settling {
        /// End of the grace.
        until: DateTime<Utc>,
        /// What began it.
        after: &'static str,
    },
    /// None of the bot's business, and why.
    OutOfScope(OutOfScope),
    /// By id it is managed: no finding.
    StaleList,
}

/// Why a subject is out of scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutOfScope {
    /// `[exclusions]`
    Excluded,
    /// The account is not ACTIVE.
    UserNotActive,
    /// Nobody has heard of it for months (C58).
    RecordStale,
}

/// Numbers of a sweep; the shape of `counts` in `sweep --json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All records listed, every platform and status.
    pub okta_devices: usize,
    /// Links on desktop records: managed and not.
    pub device_users: usize,
    /// Managed, by id where that was read.
    pub managed: usize,
    /// Not managed: stuck, proof pending, settling and out of scope.
    pub not_managed: usize,
    /// Faults.
    pub stuck: usize,
    /// Only the user's FastPass sign-in is missing.
    pub proof_pending: usize,
    /// Within the grace.
    pub settling: usize,
    /// Excluded, or nobody uses it.
    pub out_of_scope: usize,
    /// Listed as not managed, managed by id.
    pub stale_list: usize,
}

/// Where one subject stands before it is diagnosed.
pub fn scope(subject: &Subject<'_>, settings: &DetectSettings) -> Scope {
    if is_managed_by_id(subject) {
        return Scope::StaleList;
    }
    if let Some(reason) = out_of_scope(subject, settings) {
        return Scope::OutOfScope(reason);
    }
    match settling(subject, settings) {
        Some((until, after)) => Scope::Settling { until, after },
        None => Scope::InScope,
    }
}

/// Whether the by-id read says that the link is managed.
pub fn is_managed_by_id(subject: &Subject<'_>) -> bool {
    subject
        .user
        .is_some_and(|user| user.link.management_status == Some(ManagementStatus::Managed))
}

fn out_of_scope(subject: &Subject<'_>, settings: &DetectSettings) -> Option<OutOfScope> {
    let exclusions = &settings.exclusions;
    let excluded = subject
        .device
        .is_some_and(|device| exclusions.cover_device(device))
        || subject.link.is_some_and(|link| {
            let detail = subject.observations.okta.users.get(&link.user_id);
            let groups = detail.and_then(|detail| detail.groups.as_deref());
            exclusions.cover_user(link) || exclusions.cover_groups(groups.unwrap_or_default())
        });
    if excluded {
        return Some(OutOfScope::Excluded);
    }
    if subject
        .user
        .is_some_and(|user| user.status != UserStatus::Active)
    {
        return Some(OutOfScope::UserNotActive);
    }
    stale_since(subject, settings).map(|_| OutOfScope::RecordStale)
}

/// Whether somebody may be excluded by a group, for all that is known: their groups were not read.
pub fn may_be_excluded(subject: &Subject<'_>, settings: &DetectSettings) -> bool {
    let users = &subject.observations.okta.users;
    let groups_known = subject
        .link
        .and_then(|link| users.get(&link.user_id))
        .is_some_and(|detail| detail.groups.is_some());
    settings.exclusions.name_groups() && !groups_known
}

/// Okta's and the MDM's last sign of life, if both are so old that the record is out of use (C58).
pub fn stale_since(
    subject: &Subject<'_>,
    settings: &DetectSettings,
) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (device, mdm, record) = (subject.device?, subject.mdm?, subject.record?);
    let (used, heard) = (device.last_updated?, record.last_check_in?);
    let stale = used + settings.record_stale_after < subject.observations.okta.now
        && heard + settings.mdm_stale_after < mdm.now;
    stale.then_some((used, heard))
}

/// The latest end of a grace that still runs. Each beginning is compared in its own source's time.
fn settling(
    subject: &Subject<'_>,
    settings: &DetectSettings,
) -> Option<(DateTime<Utc>, &'static str)> {
    let observations = subject.observations;
    let registered = subject
        .link
        .and_then(|link| link.created)
        .or_else(|| subject.device.and_then(|device| device.created))
        .map(|at| (observations.okta.now - at, "registration"));
    let enrolled = subject
        .mdm
        .zip(subject.record.and_then(|record| record.enrolled_at))
        .map(|(mdm, at)| (mdm.now - at, "MDM enrolment"));
    let repaired = settings
        .last_repairs
        .get(&subject.hardware)
        .map(|at| (observations.taken_at - *at, "the last repair"));
    [registered, enrolled, repaired]
        .into_iter()
        .flatten()
        .filter(|(age, _)| *age < settings.grace)
        .min_by_key(|(age, _)| *age)
        .map(|(age, after)| (observations.taken_at + (settings.grace - age), after))
}

/// Candidates for a by-id read, in the order in which a limited number of reads is spent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    pub(crate) urgency: Urgency,
    pub(crate) without_playbook: bool,
    /// The last by-id read, which no longer holds; never read comes first.
    pub(crate) last_read: Option<DateTime<Utc>>,
    pub(crate) device: DeviceId,
}

/// What a by-id read is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// A fault.
    Stuck,
    /// A managed device-user whose certificate ends soon.
    Upcoming,
    /// Nothing can be done before the grace has passed.
    Settling,
}
