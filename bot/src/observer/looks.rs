//! Answers to what diagnoses asked of one user or computer: kept, so that the next sweep need not ask again.
//!
//! Groups, factors and by-id records hold for a day, a record only while the list shows the same inventory. A look into a
//! user's log holds as long as the ledger has no gap since: what came later is in the ledger.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Observed;
use crate::{
    domain::{
        EventClass, GroupId, LogFact, MdmDevice, MdmDeviceId, MdmName, ProfileState, UserId, Want,
    },
    store::{Look, LookKind},
};

/// How long an answer holds that nothing renews.
pub(super) const ANSWERS_HOLD: TimeDelta = TimeDelta::hours(24);

/// What a read for one [`Want`] brought.
pub(super) enum Answer {
    Groups(UserId, Vec<GroupId>),
    Factors(UserId, bool),
    Log(UserId, DateTime<Utc>, Vec<LogFact>),
    /// `None`: gone.
    Record(MdmName, Option<Box<MdmDevice>>),
}

impl Answer {
    /// Puts it among what was observed, and marks it to be stored.
    pub(super) fn keep(self, observed: &mut Observed) {
        let read_at = observed.observations.taken_at;
        let look = |kind, subject: &str, since, answer| Look {
            kind,
            subject: subject.to_owned(),
            read_at,
            since,
            answer,
        };
        let users = &mut observed.observations.okta.users;
        match self {
            Self::Groups(user, groups) => {
                let (kind, answer) = (LookKind::UserGroups, json(&groups));
                observed
                    .looked
                    .push(look(kind, user.as_str(), None, answer));
                users.entry(user).or_default().groups = Some(groups);
            }
            Self::Factors(user, enrolled) => {
                let (kind, answer) = (LookKind::UserFactors, json(&enrolled));
                observed
                    .looked
                    .push(look(kind, user.as_str(), None, answer));
                users.entry(user).or_default().fastpass_enrolled = Some(enrolled);
            }
            Self::Log(user, since, facts) => {
                let (kind, answer) = (LookKind::UserLog, json(&facts.len()));
                let looked = look(kind, user.as_str(), Some(since), answer);
                observed.looked.push(looked);
                for fact in &facts {
                    observed.observations.log.record(fact);
                    observed.told.record(fact);
                }
                // A person with two computers is asked about twice: the longer look counts.
                let detail = users.entry(user).or_default();
                let covered = detail.log_covered_from;
                detail.log_covered_from = Some(covered.map_or(since, |from| from.min(since)));
            }
            Self::Record(mdm, Some(record)) => {
                let kind = LookKind::MdmRecord;
                let answer = json(&record);
                let subject = record_key(&mdm, &record.id);
                observed.looked.push(look(kind, &subject, None, answer));
                if let Some(kept) = listed(observed, &mdm, &record.id) {
                    *kept = with_what_only_lists_show(*record, kept);
                }
            }
            Self::Record(_, None) => {}
        }
    }
}

/// Takes stored answers that still hold.
pub(super) fn reuse(observed: &mut Observed, looks: Vec<Look>) {
    let taken_at = observed.observations.taken_at;
    let log = observed.observations.log.coverage(EventClass::FastPass);
    let mut records = HashMap::new();
    for look in looks {
        let fresh = look.read_at + ANSWERS_HOLD > taken_at;
        let user = UserId::from(look.subject.as_str());
        let users = &mut observed.observations.okta.users;
        match look.kind {
            LookKind::UserGroups if fresh => {
                let groups: Option<Vec<GroupId>> = read(&look);
                if groups.is_some() {
                    users.entry(user).or_default().groups = groups;
                }
            }
            LookKind::UserFactors if fresh => {
                let enrolled: Option<bool> = read(&look);
                if enrolled.is_some() {
                    users.entry(user).or_default().fastpass_enrolled = enrolled;
                }
            }
            // Without a gap between the look and the ledger.
            LookKind::UserLog if log.covered_from.is_some_and(|from| from <= look.read_at) => {
                users.entry(user).or_default().log_covered_from = look.since;
            }
            LookKind::MdmRecord if fresh => {
                records.insert(look.subject.clone(), look);
            }
            _ => {}
        }
    }
    if records.is_empty() {
        return;
    }
    for mdm in &mut observed.observations.mdms {
        for device in &mut mdm.devices {
            let Some(look) = records.get(&record_key(&mdm.name, &device.id)) else {
                continue;
            };
            let Some(stored) = read::<MdmDevice>(look) else {
                continue;
            };
            if stored.inventory_at == device.inventory_at {
                fill_gaps(device, stored);
                observed.asked.insert(Want::MdmRecord {
                    mdm: mdm.name.clone(),
                    device: device.id.clone(),
                });
            }
        }
    }
}

/// Whether a question was answered in this sweep, or by a stored answer that still holds.
pub(super) fn is_answered(observed: &Observed, want: &Want) -> bool {
    let detail = |user| observed.observations.okta.users.get(user);
    observed.asked.contains(want)
        || match want {
            Want::UserGroups { user } => detail(user).is_some_and(|known| known.groups.is_some()),
            Want::UserFactors { user } => {
                detail(user).is_some_and(|known| known.fastpass_enrolled.is_some())
            }
            Want::UserLog { user, since } => detail(user)
                .and_then(|known| known.log_covered_from)
                .is_some_and(|from| from <= *since),
            Want::MdmRecord { .. } => false,
        }
}

/// The record by id is newer, but some facts only listings show.
fn with_what_only_lists_show(record: MdmDevice, listed: &mut MdmDevice) -> MdmDevice {
    MdmDevice {
        issuance: record.issuance.or_else(|| listed.issuance.take()),
        command_pending_since: record
            .command_pending_since
            .or(listed.command_pending_since),
        sso_extensions: record
            .sso_extensions
            .or_else(|| listed.sso_extensions.take()),
        trust_profile: record.trust_profile.or_else(|| listed.trust_profile.take()),
        ..record
    }
}

/// The list is newer, but some facts only the record by id shows.
fn fill_gaps(listed: &mut MdmDevice, stored: MdmDevice) {
    listed.okta_verify_installed = listed
        .okta_verify_installed
        .or(stored.okta_verify_installed);
    if listed.okta_verify_version.is_none() {
        listed.okta_verify_version = stored.okta_verify_version;
    }
    listed.local_users = listed.local_users.or(stored.local_users);
    if listed.udid.is_none() {
        listed.udid = stored.udid;
    }
    if listed.certificates.is_none() {
        listed.certificates = stored.certificates;
    }
    for delivery in listed.profiles.iter_mut().flatten() {
        let unknown = delivery.state == ProfileState::Unknown;
        let mut known = stored.profiles.iter().flatten();
        if unknown && let Some(known) = known.find(|one| one.profile_id == delivery.profile_id) {
            *delivery = known.clone();
        }
    }
}

fn listed<'a>(
    observed: &'a mut Observed,
    mdm: &MdmName,
    id: &MdmDeviceId,
) -> Option<&'a mut MdmDevice> {
    let mut mdms = observed.observations.mdms.iter_mut();
    let mdm = mdms.find(|observation| observation.name == *mdm)?;
    mdm.devices.iter_mut().find(|device| device.id == *id)
}

fn record_key(mdm: &MdmName, id: &MdmDeviceId) -> String {
    format!("{mdm}/{id}")
}

fn json(answer: &impl serde::Serialize) -> String {
    serde_json::to_string(answer).expect("domain values have string keys")
}

/// An answer that an older release wrote otherwise is asked for again.
fn read<T: serde::de::DeserializeOwned>(look: &Look) -> Option<T> {
    serde_json::from_str(&look.answer).ok()
}
