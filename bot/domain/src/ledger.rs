//! Folds facts of the System Log into the ledger: only first and last of each kind stay.

use std::collections::{BTreeSet, hash_map::Entry};

use chrono::{DateTime, Utc};

use crate::{
    DeviceChange, EnrolmentsSeen, EventClass, LifecycleSeen, LogFact, LogFactKind, LogFacts,
    OrgChangeSeen, OtherSignIn, RevocationSeen, Seen, UserId,
    correlate::{normalise, normalise_subject},
};

/// So many apps are kept per user, the latest ones.
pub const APPS_KEPT: usize = 8;

impl LogFacts {
    /// Takes in one fact. Any order and any number of times gives the same ledger, but for facts of the same instant.
    pub fn record(&mut self, fact: &LogFact) {
        let at = fact.at;
        match &fact.kind {
            LogFactKind::FastPass {
                user,
                device,
                success,
                managed,
                phishing_resistant,
                browser,
            } => {
                self.saw(EventClass::FastPass, at);
                if *success {
                    latest(self.sign_ins.entry(user.clone()).or_insert(at), at);
                }
                if let Some(device) = device {
                    let seen = self
                        .fastpass
                        .entry((device.clone(), user.clone()))
                        .or_default();
                    if *success {
                        add(&mut seen.success, at);
                        match managed {
                            Some(true) => latest_of(&mut seen.last_managed, at),
                            Some(false) => latest_of(&mut seen.last_unmanaged, at),
                            None => {}
                        }
                        match phishing_resistant {
                            Some(true) => latest_of(&mut seen.last_resistant, at),
                            Some(false) => latest_of(&mut seen.last_not_resistant, at),
                            None => {}
                        }
                    } else {
                        latest_of(&mut seen.last_failure, at);
                    }
                    if let Some(browser) = browser
                        && seen.last_attempt() == Some(at)
                    {
                        self.browsers
                            .insert((device.clone(), user.clone()), browser.clone());
                    }
                }
            }
            LogFactKind::SignIn {
                user,
                device,
                platform,
                device_session,
            } => {
                latest(self.sign_ins.entry(user.clone()).or_insert(at), at);
                let seen = OtherSignIn {
                    at,
                    device: device.clone(),
                    platform: *platform,
                    device_session: *device_session,
                };
                self.add_other_sign_in(user.clone(), seen);
            }
            LogFactKind::AppOpened { user, app } => {
                self.add_app(user.clone(), app.clone(), at);
            }
            LogFactKind::CertificateIssued { subject, .. } => {
                self.saw(EventClass::CertificateIssued, at);
                if let Some(subject) = subject {
                    let key = normalise_subject(subject);
                    self.issued
                        .entry(key)
                        .or_insert_with(|| Seen::once(at))
                        .add(at);
                }
            }
            LogFactKind::CertificateBound {
                device,
                serial_number,
                ..
            } => {
                self.saw(EventClass::CertificateBound, at);
                if let Some(device) = device {
                    self.binds
                        .entry(device.clone())
                        .or_insert_with(|| Seen::once(at))
                        .add(at);
                    if let Some(serial) = serial_number.as_deref().and_then(normalise) {
                        self.bound_to.insert(serial, device.clone());
                    }
                }
            }
            LogFactKind::CertificateRevoked {
                event_type,
                serial_number,
                subject,
                ..
            } => {
                self.saw(EventClass::CertificateRevoked, at);
                let seen = RevocationSeen {
                    at,
                    event_type: event_type.clone(),
                };
                match serial_number.as_deref().and_then(normalise) {
                    Some(serial) => {
                        self.revoked.entry(serial).or_insert(seen);
                    }
                    None => {
                        if let Some(subject) = subject {
                            let kept = self
                                .revoked_subjects
                                .entry(normalise_subject(subject))
                                .or_insert(seen.clone());
                            if kept.at < at {
                                *kept = seen;
                            }
                        }
                    }
                }
            }
            LogFactKind::DeviceLifecycle {
                change,
                device,
                serial_number,
                actor,
            } => {
                self.saw(EventClass::DeviceLifecycle, at);
                let seen = LifecycleSeen {
                    change: *change,
                    device: device.clone(),
                    at,
                    actor: actor.clone(),
                };
                if *change == DeviceChange::Enrolled
                    && let Some(serial) = serial_number.as_deref().and_then(normalise)
                {
                    let enrolments = self.enrolments.entry(serial).or_insert(EnrolmentsSeen {
                        seen: Seen::once(at),
                        count: 0,
                    });
                    // Read twice, an enrolment lies within what is known and is not counted again.
                    let known = enrolments.count > 0;
                    if !known || at < enrolments.seen.first || at > enrolments.seen.last {
                        enrolments.count += 1;
                    }
                    enrolments.seen.add(at);
                }
                if *change == DeviceChange::Deleted
                    && let Some(serial) = serial_number.as_deref().and_then(normalise)
                {
                    newest(&mut self.deletions, serial, seen.clone());
                }
                newest(&mut self.lifecycle, device.clone(), seen);
            }
            LogFactKind::OrgChange {
                event_type,
                actor,
                target,
            } => {
                self.saw(EventClass::OrgChange, at);
                let seen = OrgChangeSeen {
                    at,
                    event_type: event_type.clone(),
                    actor: actor.clone(),
                    target: target.clone(),
                };
                let after = self.org_changes.partition_point(|kept| kept.at <= at);
                if !self.org_changes[..after].contains(&seen) {
                    self.org_changes.insert(after, seen);
                }
            }
        }
    }

    /// Drops what is kept in detail of everybody else: of a whole company it takes more memory than it is worth.
    pub fn keep_details_of(&mut self, users: &BTreeSet<UserId>) {
        self.other_sign_ins.retain(|user, _| users.contains(user));
        self.apps_opened.retain(|user, _| users.contains(user));
        self.browsers.retain(|(_, user), _| users.contains(user));
    }

    /// Keeps the later of two sign-ins of a user.
    pub fn add_other_sign_in(&mut self, user: UserId, seen: OtherSignIn) {
        match self.other_sign_ins.entry(user) {
            Entry::Occupied(mut kept) if kept.get().at <= seen.at => {
                kept.insert(seen);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => {
                place.insert(seen);
            }
        }
    }

    /// Keeps the last time of each app, and the latest apps of each user.
    pub fn add_app(&mut self, user: UserId, app: String, at: DateTime<Utc>) {
        let apps = self.apps_opened.entry(user).or_default();
        latest(apps.entry(app).or_insert(at), at);
        if apps.len() > APPS_KEPT {
            let oldest = apps.iter().min_by_key(|(_, at)| **at);
            let oldest = oldest.map(|(app, _)| app.clone());
            oldest.map(|app| apps.remove(&app));
        }
    }

    fn saw(&mut self, class: EventClass, at: DateTime<Utc>) {
        latest_of(&mut self.coverage.entry(class).or_default().last_seen, at);
    }
}

fn add(seen: &mut Option<Seen>, at: DateTime<Utc>) {
    match seen {
        Some(seen) => seen.add(at),
        None => *seen = Some(Seen::once(at)),
    }
}

fn latest(kept: &mut DateTime<Utc>, at: DateTime<Utc>) {
    *kept = (*kept).max(at);
}

fn latest_of(kept: &mut Option<DateTime<Utc>>, at: DateTime<Utc>) {
    *kept = Some(kept.map_or(at, |kept| kept.max(at)));
}

fn newest<K: Eq + std::hash::Hash>(
    map: &mut std::collections::HashMap<K, LifecycleSeen>,
    key: K,
    seen: LifecycleSeen,
) {
    match map.entry(key) {
        Entry::Occupied(mut kept) if kept.get().at <= seen.at => {
            kept.insert(seen);
        }
        Entry::Occupied(_) => {}
        Entry::Vacant(place) => {
            place.insert(seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeviceId, UserId};

    fn fact(at: &str, kind: LogFactKind) -> LogFact {
        LogFact {
            uuid: at.into(),
            at: at.parse().unwrap(),
            kind,
        }
    }

    fn fastpass(at: &str, managed: bool) -> LogFact {
        let kind = LogFactKind::FastPass {
            user: UserId::from("00u1"),
            device: Some(DeviceId::from("guo1")),
            success: true,
            managed: Some(managed),
            phishing_resistant: None,
            browser: None,
        };
        fact(at, kind)
    }

    #[test]
    fn the_order_of_facts_does_not_matter() {
        let facts = [
            fastpass("2026-11-01T00:00:00Z", false),
            fastpass("2026-11-02T00:00:00Z", true),
            fastpass("2026-11-03T00:00:00Z", false),
        ];
        let (mut there, mut back) = (LogFacts::default(), LogFacts::default());
        facts.iter().for_each(|fact| there.record(fact));
        facts
            .iter()
            .rev()
            .chain(facts.iter())
            .for_each(|fact| back.record(fact));
        assert_eq!(there.fastpass, back.fastpass);
        assert_eq!(there.coverage, back.coverage);
        let seen = there.fastpass.values().next().unwrap();
        assert_eq!(
            seen.last_managed,
            Some("2026-11-02T00:00:00Z".parse().unwrap())
        );
    }

    #[test]
    fn the_last_attempt_names_the_browser_in_any_order() {
        let attempt = |at: &str, success, browser: &str| {
            let kind = LogFactKind::FastPass {
                user: UserId::from("00u1"),
                device: Some(DeviceId::from("guo1")),
                success,
                managed: None,
                phishing_resistant: Some(success),
                browser: Some(browser.into()),
            };
            fact(at, kind)
        };
        let facts = [
            attempt("2026-11-01T00:00:00Z", true, "CHROME 129"),
            attempt("2026-11-02T00:00:00Z", false, "CHROME 130"),
        ];
        for order in [[0, 1], [1, 0]] {
            let mut ledger = LogFacts::default();
            order.iter().for_each(|at| ledger.record(&facts[*at]));
            let browsers: Vec<_> = ledger.browsers.values().collect();
            assert_eq!(browsers, ["CHROME 130"]);
            let seen = ledger.fastpass.values().next().unwrap();
            assert_eq!(seen.last_resistant, Some(facts[0].at));
        }
    }

    #[test]
    fn an_enrolment_read_twice_is_one_and_few_apps_are_kept() {
        let mut ledger = LogFacts::default();
        let enrolled = |day: u32| {
            let kind = LogFactKind::DeviceLifecycle {
                change: DeviceChange::Enrolled,
                device: DeviceId::from("guo1"),
                serial_number: Some("c02 xl0".into()),
                actor: None,
            };
            fact(&format!("2026-11-{day:02}T00:00:00Z"), kind)
        };
        for day in [1, 2, 2, 1, 3] {
            ledger.record(&enrolled(day));
        }
        assert_eq!(ledger.enrolments["C02XL0"].count, 3);
        for day in 1..=20 {
            let kind = LogFactKind::AppOpened {
                user: UserId::from("00u1"),
                app: format!("0oa{day:02}"),
            };
            ledger.record(&fact(&format!("2026-11-{day:02}T00:00:00Z"), kind));
        }
        let apps = &ledger.apps_opened[&UserId::from("00u1")];
        assert_eq!(apps.len(), APPS_KEPT);
        assert!(apps.contains_key("0oa20") && !apps.contains_key("0oa12"));
    }

    #[test]
    fn a_deletion_is_found_by_the_serial_number_of_the_computer() {
        let mut facts = LogFacts::default();
        facts.record(&fact(
            "2026-11-01T00:00:00Z",
            LogFactKind::DeviceLifecycle {
                change: DeviceChange::Deleted,
                device: DeviceId::from("guo1"),
                serial_number: Some("c02 xl0".into()),
                actor: Some("clean-up job".into()),
            },
        ));
        assert_eq!(facts.deletions["C02XL0"].device, DeviceId::from("guo1"));
    }
}
