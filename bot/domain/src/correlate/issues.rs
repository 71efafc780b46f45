//! Which computer a certificate was issued for, told from its subject alone: the ledger names nothing else for sure.

use std::collections::HashMap;

use crate::{IssuedTo, LogFacts, OktaDevice, OktaDeviceUser, Seen, Subject};

use super::{FleetIndex, normal::normalise_subject};

/// Subjects that want a word.
#[derive(Default)]
struct Wanted {
    by_device: Vec<usize>,
    by_user: Vec<usize>,
}

/// Words of the pattern itself, which identify nobody.
const PATTERN_WORDS: [&str; 1] = ["MANAGEMENTATTESTATION"];

/// Fills [`Subject::issued`]: one pass over the subjects, one over the ledger.
pub(super) fn attribute<'a>(
    log: &'a LogFacts,
    fleet: &FleetIndex<'a>,
    subjects: &mut [Subject<'a>],
) {
    if log.issued.is_empty() || subjects.is_empty() {
        return;
    }
    let mut wanted: HashMap<String, Wanted> = HashMap::new();
    for (at, subject) in subjects.iter().enumerate() {
        for_device_words(subject, |word| {
            wanted.entry(word).or_default().by_device.push(at);
        });
        for_user_words(subject, |word| {
            wanted.entry(word).or_default().by_user.push(at);
        });
    }
    for (key, seen) in &log.issued {
        let mut only_people = true;
        for word in key.split(' ') {
            match wanted.get(word) {
                Some(who) => {
                    for &at in &who.by_device {
                        offer(&mut subjects[at], key, *seen);
                    }
                    only_people &= who.by_device.is_empty();
                }
                None => only_people &= PATTERN_WORDS.contains(&word),
            }
        }
        if !only_people {
            continue;
        }
        // A subject that names a person alone tells the computer only if the person has one.
        for who in key.split(' ').filter_map(|word| wanted.get(word)) {
            for &at in &who.by_user {
                if has_one_desktop(fleet, &subjects[at]) {
                    offer(&mut subjects[at], key, *seen);
                }
            }
        }
    }
}

fn offer<'a>(subject: &mut Subject<'a>, key: &'a str, seen: Seen) {
    let newer = |known: &IssuedTo<'_>| (known.seen.last, known.subject) < (seen.last, key);
    if subject.issued.as_ref().is_none_or(newer) {
        subject.issued = Some(IssuedTo { subject: key, seen });
    }
}

fn has_one_desktop(fleet: &FleetIndex<'_>, subject: &Subject<'_>) -> bool {
    let (Some(device), Some(link)) = (subject.device, subject.link) else {
        return false;
    };
    fleet
        .devices_of(&link.user_id)
        .filter(|other| other.platform.is_desktop())
        .all(|other: &OktaDevice| other.id == device.id)
}

fn for_device_words(subject: &Subject<'_>, mut each: impl FnMut(String)) {
    let record = subject.record;
    let words = [
        record.and_then(|record| record.management_id.as_deref()),
        record.map(|record| record.id.as_str()),
        record.and_then(|record| record.serial_number.as_deref()),
        record.and_then(|record| record.udid.as_deref()),
        subject
            .device
            .and_then(|device| device.serial_number.as_deref()),
        subject.device.and_then(|device| device.udid.as_deref()),
    ];
    let mut given: [Option<String>; 6] = Default::default();
    for (at, word) in words.into_iter().enumerate() {
        // Short ids (Jamf counts from 1) turn up in any name.
        let word = word
            .and_then(super::normalise)
            .filter(|word| word.len() >= 6 && !given[..at].iter().flatten().any(|w| w == word));
        if let Some(word) = word {
            given[at] = Some(word.clone());
            each(word);
        }
    }
}

fn for_user_words(subject: &Subject<'_>, mut each: impl FnMut(String)) {
    let link: Option<&OktaDeviceUser> = subject.link;
    let login = link.map(|link| normalise_subject(&link.login));
    let email = link
        .and_then(|link| link.email.as_deref())
        .map(normalise_subject)
        .filter(|email| Some(email) != login.as_ref());
    for word in [login, email].into_iter().flatten() {
        if !word.is_empty() {
            each(word);
        }
    }
}
