//! Whom a query means: by serial number, id or login; else by name; else who comes near.

use std::collections::BTreeSet;

use crate::{
    domain::{Finding, correlate::normalise},
    store::{Store, StoreError, SubjectRecord},
    sweep::subject_key,
    words::nearest,
};

/// Most subjects of one answer.
const MOST: usize = 20;
/// Most near misses.
const MOST_NEAR: usize = 5;
/// Subjects read at once.
const PAGE: u32 = 5_000;

/// Who was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Keys of the subjects.
    pub(super) keys: Vec<String>,
    /// Whether there were more.
    pub(super) more: bool,
    /// If none was found: what comes near.
    pub(super) near: Vec<String>,
}

/// Finds subjects.
pub(super) async fn find(store: &Store, query: &str) -> Result<Found, StoreError> {
    let query = query.trim();
    let serial = normalise(query).unwrap_or_default();
    let login = query.to_lowercase();
    let mut keys: BTreeSet<String> = store
        .find_subjects(&serial, query, &login)
        .await?
        .into_iter()
        .map(|subject| subject.key)
        .collect();
    // A finding may be about a record without user, or about one that only an MDM has.
    for (key, record) in store.open_findings().await? {
        if matches(&record.finding, query, &serial, &login) {
            keys.insert(key);
        }
    }
    let mut near = BTreeSet::new();
    if keys.is_empty() {
        scan(store, &login, &mut keys, &mut near).await?;
    }
    let more = keys.len() > MOST;
    Ok(Found {
        more,
        near: near.into_iter().take(MOST_NEAR).collect(),
        keys: keys.into_iter().take(MOST).collect(),
    })
}

fn matches(finding: &Finding, query: &str, serial: &str, login: &str) -> bool {
    let is = |value: Option<&str>| value.is_some_and(|value| value.eq_ignore_ascii_case(query));
    let of_serial = finding.serial_number.as_deref().and_then(normalise);
    subject_key(finding) == query
        || is(finding.device_id.as_ref().map(AsRef::as_ref))
        || is(finding.user_id.as_ref().map(AsRef::as_ref))
        || is(finding.mdm_device_id.as_ref().map(AsRef::as_ref))
        || is(finding.device_name.as_deref())
        || finding
            .login
            .as_deref()
            .is_some_and(|value| value.to_lowercase() == login)
        || (!serial.is_empty() && of_serial.as_deref() == Some(serial))
}

/// Looks at every subject: by name or the part of a login before the @; gathers near misses beside.
async fn scan(
    store: &Store,
    query: &str,
    keys: &mut BTreeSet<String>,
    near: &mut BTreeSet<String>,
) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let page = store.subjects_after(&after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after.clone_from(&last.key);
        for subject in page {
            let names = names(&subject);
            if names.iter().any(|name| name == query) {
                keys.insert(subject.key);
            } else if keys.is_empty() && near.len() < 4 * MOST_NEAR {
                near.extend(nearest(query, names.iter().map(String::as_str)).map(str::to_owned));
            }
        }
    }
}

fn names(subject: &SubjectRecord) -> Vec<String> {
    let name = subject.document["device_name"]
        .as_str()
        .map(str::to_lowercase);
    let short = subject
        .login
        .as_deref()
        .and_then(|login| login.split_once('@'))
        .map(|(short, _)| short.to_owned());
    let serial = subject.serial_number.as_deref().map(str::to_lowercase);
    let user = subject
        .user_id
        .as_ref()
        .map(|id| id.as_str().to_lowercase());
    [name, subject.login.clone(), short, serial, user]
        .into_iter()
        .flatten()
        .collect()
}
