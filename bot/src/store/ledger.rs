//! The System Log's ledger: cursors, coverage, and the first and last of each kind.
//!
//! A page and the cursor behind it are written in one transaction, and a page that is read twice changes nothing:
//! firsts only move back, lasts only move forward.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use unstuck_domain::{
    Coverage, DeviceChange, DeviceId, EnrolmentsSeen, EventClass, FastPassSeen, LifecycleSeen,
    LogFact, LogFactKind, LogFacts, OrgChangeSeen, RevocationSeen, Seen, UserId,
};

use super::rows::{count, from_word};
use super::{LeaseProof, Store, StoreError};

pub(super) const SERIAL_NUMBER: &str = "serial_number";
pub(super) const SUBJECT: &str = "subject";
/// So many org-wide changes are loaded, the latest ones; the table keeps all.
const ORG_CHANGES_LOADED: i64 = 2_000;

/// How far one scope of the log was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCursor {
    /// Which reading: the poll, or one of the back-fills.
    pub scope: String,
    /// Where the next page begins, as the vendor says it.
    pub cursor: String,
    /// The log's time up to which it was read.
    pub reached_at: DateTime<Utc>,
}

/// Facts of a page that are kept one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogEvents {
    /// Org-wide changes.
    pub org_changes: Vec<OrgChange>,
    /// Enrolments of Okta Verify: the computer's normalised serial number, and when.
    pub enrolments: Vec<(String, DateTime<Utc>)>,
}

impl LogEvents {
    /// Picks them out of a page.
    pub fn of(facts: &[LogFact]) -> Self {
        let mut events = Self::default();
        for fact in facts {
            match &fact.kind {
                LogFactKind::OrgChange {
                    event_type,
                    actor,
                    target,
                } => events.org_changes.push(OrgChange {
                    uuid: fact.uuid.clone(),
                    at: fact.at,
                    event_type: event_type.clone(),
                    actor: actor.clone(),
                    target: target.clone(),
                }),
                LogFactKind::DeviceLifecycle {
                    change: DeviceChange::Enrolled,
                    serial_number: Some(serial),
                    ..
                } => {
                    let serial = unstuck_domain::correlate::normalise(serial);
                    events
                        .enrolments
                        .extend(serial.map(|serial| (serial, fact.at)));
                }
                _ => {}
            }
        }
        events
    }
}

/// An org-wide change that can explain many faults at once.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OrgChange {
    /// `uuid` of the event.
    pub uuid: String,
    /// When.
    #[sqlx(rename = "changed_at")]
    pub at: DateTime<Utc>,
    /// Event type.
    pub event_type: String,
    /// Who did it.
    pub actor: Option<String>,
    /// What it was done to.
    pub target: Option<String>,
}

#[derive(sqlx::FromRow)]
struct FastPassRow {
    device_id: String,
    user_id: String,
    first_success_at: Option<DateTime<Utc>>,
    last_success_at: Option<DateTime<Utc>>,
    last_managed_at: Option<DateTime<Utc>>,
    last_unmanaged_at: Option<DateTime<Utc>>,
    last_failure_at: Option<DateTime<Utc>>,
    last_resistant_at: Option<DateTime<Utc>>,
    last_not_resistant_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct CoverageRow {
    class: String,
    covered_from_at: Option<DateTime<Utc>>,
    last_seen_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct LifecycleRow {
    key: String,
    change: String,
    device_id: String,
    changed_at: DateTime<Utc>,
    actor: Option<String>,
}

impl Store {
    /// Where the next page of a scope begins.
    pub async fn log_cursor(&self, scope: &str) -> Result<Option<LogCursor>, StoreError> {
        let row: Option<(String, String, DateTime<Utc>)> = fetch_optional!(
            self,
            "SELECT scope, cursor, reached_at FROM log_cursors WHERE scope = $1",
            scope,
        )?;
        Ok(row.map(|(scope, cursor, reached_at)| LogCursor {
            scope,
            cursor,
            reached_at,
        }))
    }

    /// Adds one page of the log, already folded, and moves its cursor. A `covered_from` that the page names replaces the
    /// known one, and one that it does not name keeps it: only a reading's first page names it. `last_seen` only moves
    /// forward.
    pub async fn record_log_facts(
        &self,
        proof: &LeaseProof,
        page: &LogFacts,
        events: &LogEvents,
        next: &LogCursor,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(proof).await?;
        tx.add_people(page).await?;
        tx.add_certificates(page).await?;
        tx.add_lifecycle(page).await?;
        tx.add_enrolments(&events.enrolments).await?;
        tx.add_org_changes(&events.org_changes).await?;
        tx.set_coverage(page).await?;
        execute!(
            tx,
            "INSERT INTO log_cursors (scope, cursor, reached_at) VALUES ($1, $2, $3) ON CONFLICT (scope) \
             DO UPDATE SET cursor = excluded.cursor, reached_at = excluded.reached_at",
            &next.scope,
            &next.cursor,
            next.reached_at,
        )?;
        tx.commit().await
    }

    /// The ledger, but for what matters of few users only: see [`Store::load_log_details`]. Its tables are read side by
    /// side; only the holder of the observer's lease writes them.
    pub async fn load_log_facts(&self) -> Result<LogFacts, StoreError> {
        let (coverage, fastpass, sign_ins, binds, bound_to, issued) = tokio::try_join!(
            self.log_coverage(),
            self.log_fastpass(),
            self.log_sign_ins(),
            self.log_binds(),
            self.log_bound_to(),
            self.log_issued(),
        )?;
        let (revoked, revoked_subjects, lifecycle, deletions) = tokio::try_join!(
            self.log_revocations(SERIAL_NUMBER),
            self.log_revocations(SUBJECT),
            self.log_lifecycle(),
            self.log_deletions(),
        )?;
        let (enrolments, org_changes) =
            tokio::try_join!(self.log_enrolments(), self.latest_org_changes())?;
        Ok(LogFacts {
            coverage,
            fastpass,
            sign_ins,
            binds,
            bound_to,
            issued,
            revoked,
            revoked_subjects,
            lifecycle,
            deletions,
            enrolments,
            org_changes,
            other_sign_ins: HashMap::new(),
            apps_opened: HashMap::new(),
            browsers: HashMap::new(),
        })
    }

    /// Org-wide changes at or after `since`, oldest first.
    pub async fn org_changes_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Vec<OrgChange>, StoreError> {
        fetch_all!(
            self,
            "SELECT uuid, changed_at, event_type, actor, target FROM log_org_changes \
             WHERE changed_at >= $1 ORDER BY changed_at, uuid",
            since,
        )
    }

    async fn latest_org_changes(&self) -> Result<Vec<OrgChangeSeen>, StoreError> {
        let rows: Vec<OrgChange> = fetch_all!(
            self,
            "SELECT uuid, changed_at, event_type, actor, target FROM log_org_changes \
             ORDER BY changed_at DESC, uuid DESC LIMIT $1",
            ORG_CHANGES_LOADED,
        )?;
        let seen = rows.into_iter().rev().map(|row| OrgChangeSeen {
            at: row.at,
            event_type: row.event_type,
            actor: row.actor,
            target: row.target,
        });
        Ok(seen.collect())
    }

    async fn log_enrolments(&self) -> Result<HashMap<String, EnrolmentsSeen>, StoreError> {
        let rows: Vec<(String, DateTime<Utc>, DateTime<Utc>, i64)> = fetch_all!(
            self,
            "SELECT serial_number, MIN(enrolled_at), MAX(enrolled_at), COUNT(*) FROM log_enrolments \
             GROUP BY serial_number"
        )?;
        let entry = |(serial, first, last, number)| {
            let seen = EnrolmentsSeen {
                seen: Seen { first, last },
                count: count(number),
            };
            (serial, seen)
        };
        Ok(rows.into_iter().map(entry).collect())
    }

    /// Since when each class of events is covered, and when it was last seen.
    pub async fn log_coverage(&self) -> Result<BTreeMap<EventClass, Coverage>, StoreError> {
        let rows: Vec<CoverageRow> = fetch_all!(
            self,
            "SELECT class, covered_from_at, last_seen_at FROM log_coverage"
        )?;
        rows.into_iter()
            .map(|row| {
                let coverage = Coverage {
                    covered_from: row.covered_from_at,
                    last_seen: row.last_seen_at,
                };
                Ok((from_word(row.class, "log_coverage.class")?, coverage))
            })
            .collect()
    }

    async fn log_fastpass(&self) -> Result<HashMap<(DeviceId, UserId), FastPassSeen>, StoreError> {
        let rows: Vec<FastPassRow> = fetch_all!(
            self,
            "SELECT device_id, user_id, first_success_at, last_success_at, last_managed_at, \
             last_unmanaged_at, last_failure_at, last_resistant_at, last_not_resistant_at FROM log_fastpass"
        )?;
        Ok(rows.into_iter().map(FastPassRow::into_entry).collect())
    }

    async fn log_sign_ins(&self) -> Result<HashMap<UserId, DateTime<Utc>>, StoreError> {
        let rows: Vec<(String, DateTime<Utc>)> =
            fetch_all!(self, "SELECT user_id, last_at FROM log_sign_ins")?;
        Ok(rows
            .into_iter()
            .map(|(user, at)| (UserId::from(user), at))
            .collect())
    }

    async fn log_binds(&self) -> Result<HashMap<DeviceId, Seen>, StoreError> {
        let rows: Vec<(String, DateTime<Utc>, DateTime<Utc>)> =
            fetch_all!(self, "SELECT device_id, first_at, last_at FROM log_binds")?;
        Ok(rows
            .into_iter()
            .map(|(device, first, last)| (DeviceId::from(device), Seen { first, last }))
            .collect())
    }

    async fn log_bound_to(&self) -> Result<HashMap<String, DeviceId>, StoreError> {
        let rows: Vec<(String, String)> =
            fetch_all!(self, "SELECT certificate, device_id FROM log_bound_to")?;
        Ok(rows
            .into_iter()
            .map(|(certificate, device)| (certificate, DeviceId::from(device)))
            .collect())
    }

    async fn log_issued(&self) -> Result<HashMap<String, Seen>, StoreError> {
        let rows: Vec<(String, DateTime<Utc>, DateTime<Utc>)> =
            fetch_all!(self, "SELECT subject, first_at, last_at FROM log_issued")?;
        Ok(rows
            .into_iter()
            .map(|(subject, first, last)| (subject, Seen { first, last }))
            .collect())
    }

    async fn log_revocations(
        &self,
        key_kind: &str,
    ) -> Result<HashMap<String, RevocationSeen>, StoreError> {
        let rows: Vec<(String, DateTime<Utc>, String)> = fetch_all!(
            self,
            "SELECT certificate, revoked_at, event_type FROM log_revoked WHERE key_kind = $1",
            key_kind,
        )?;
        Ok(rows
            .into_iter()
            .map(|(key, at, event_type)| (key, RevocationSeen { at, event_type }))
            .collect())
    }

    async fn log_lifecycle(&self) -> Result<HashMap<DeviceId, LifecycleSeen>, StoreError> {
        let rows: Vec<LifecycleRow> = fetch_all!(
            self,
            "SELECT device_id AS key, change, device_id, changed_at, actor FROM log_lifecycle"
        )?;
        rows.into_iter()
            .map(|row| {
                let (device, seen) = row.into_entry("log_lifecycle.change")?;
                Ok((DeviceId::from(device), seen))
            })
            .collect()
    }

    async fn log_deletions(&self) -> Result<HashMap<String, LifecycleSeen>, StoreError> {
        let rows: Vec<LifecycleRow> = fetch_all!(
            self,
            "SELECT serial_number AS key, change, device_id, changed_at, actor FROM log_deletions"
        )?;
        rows.into_iter()
            .map(|row| row.into_entry("log_deletions.change"))
            .collect()
    }
}

impl FastPassRow {
    fn into_entry(self) -> ((DeviceId, UserId), FastPassSeen) {
        let success = self
            .first_success_at
            .zip(self.last_success_at)
            .map(|(first, last)| Seen { first, last });
        (
            (DeviceId::from(self.device_id), UserId::from(self.user_id)),
            FastPassSeen {
                last_resistant: self.last_resistant_at,
                last_not_resistant: self.last_not_resistant_at,
                success,
                last_managed: self.last_managed_at,
                last_unmanaged: self.last_unmanaged_at,
                last_failure: self.last_failure_at,
            },
        )
    }
}

impl LifecycleRow {
    fn into_entry(self, what: &'static str) -> Result<(String, LifecycleSeen), StoreError> {
        let seen = LifecycleSeen {
            change: from_word(self.change, what)?,
            device: DeviceId::from(self.device_id),
            at: self.changed_at,
            actor: self.actor,
        };
        Ok((self.key, seen))
    }
}
