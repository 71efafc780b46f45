//! Membership in the MDMs' groups: it changes at once, readers and targeting learn of it later.

use std::collections::BTreeSet;

use chrono::Duration;

use super::mdm_intune::IntuneEffect;
use super::mdm_jamf::JamfEffect;
use super::{Effect, Mdm, PastMembership, State};

impl State {
    /// Puts a member into a group or takes it out, and lets the MDM react. Says whether it changed.
    pub(crate) fn set_mdm_member(&mut self, group: &str, member: &str, present: bool) -> bool {
        let now = self.now;
        let Some(record) = self.mdm_groups.get_mut(group) else {
            return false;
        };
        let mdm = record.mdm;
        let changed = match present {
            true => record.members.insert(member.to_owned()),
            false => record.members.remove(member),
        };
        let vendor = match mdm {
            Mdm::Jamf => "jamf",
            Mdm::Intune => "entra",
        };
        let (act, before, after) = match (present, changed) {
            (true, true) => ("add", "absent", "member"),
            (true, false) => ("add", "member", "member"),
            (false, true) => ("remove", "member", "absent"),
            (false, false) => ("remove", "absent", "absent"),
        };
        let target = format!("{group}/{member}");
        self.effect(
            &format!("{vendor}.group.member.{act}"),
            target,
            before,
            after,
        );
        if changed {
            let key = (group.to_owned(), member.to_owned());
            self.mdm.past.entry(key).or_default().push(PastMembership {
                changed: now,
                was_member: !present,
            });
            self.react_to_membership(mdm, member);
        }
        changed
    }

    fn react_to_membership(&mut self, mdm: Mdm, member: &str) {
        match mdm {
            // Scopes are worked out anew within seconds to minutes. UNVERIFIED
            Mdm::Jamf => {
                if let Ok(computer) = member.parse() {
                    let at = self.now + self.delay(5, 60);
                    self.schedule(at, Effect::Jamf(JamfEffect::Recalculate(computer)));
                }
            }
            // Intune notifies devices whose targeting changed, at once to some hours later.
            Mdm::Intune => {
                for device in self.devices_named_by(member) {
                    let lag = self.mdm.intune.targeting_lag;
                    let at = self.now + lag + self.delay(60, 2 * 60 * 60);
                    self.schedule(at, Effect::Intune(IntuneEffect::CheckIn { device }));
                }
            }
        }
    }

    /// The Intune devices that an Entra object stands for: one device, or all of a user.
    fn devices_named_by(&self, member: &str) -> Vec<String> {
        self.intune
            .values()
            .filter(|device| {
                let user = device.user.as_ref().and_then(|user| self.people.get(user));
                device.entra_object_id == member
                    || user.is_some_and(|person| person.entra_id == member)
            })
            .map(|device| device.id.clone())
            .collect()
    }

    /// Whether a reader who is `lag` behind sees this member in this group.
    pub(crate) fn member_seen(&self, group: &str, member: &str, lag: Duration) -> bool {
        let horizon = self.now - lag;
        // Most worlds never change a membership, and large fleets ask this very often.
        let older = match self.mdm.past.is_empty() {
            true => None,
            false => self
                .mdm
                .past
                .get(&(group.to_owned(), member.to_owned()))
                .and_then(|past| past.iter().find(|change| change.changed > horizon)),
        };
        match older {
            Some(change) => change.was_member,
            None => self
                .mdm_groups
                .get(group)
                .is_some_and(|record| record.members.contains(member)),
        }
    }

    /// The members of a group as a reader who is `lag` behind sees them.
    pub(crate) fn members_seen(&self, group: &str, lag: Duration) -> BTreeSet<String> {
        let Some(record) = self.mdm_groups.get(group) else {
            return BTreeSet::new();
        };
        let mut members = record.members.clone();
        let first = (group.to_owned(), String::new());
        let changed = self.mdm.past.range(first..);
        for ((_, member), _) in changed.take_while(|((name, _), _)| name == group) {
            match self.member_seen(group, member, lag) {
                true => members.insert(member.clone()),
                false => members.remove(member),
            };
        }
        members
    }

    /// A delay of so many seconds, from the world's own source of chance.
    pub(crate) fn delay(&mut self, at_least: i64, at_most: i64) -> Duration {
        Duration::seconds(rand::RngExt::random_range(
            &mut self.ids.rng,
            at_least..=at_most,
        ))
    }
}
