//! The System Log's ledger: cursors, coverage, and the first and last of each kind.
//!
//! A page and the cursor behind it are written in one transaction, and a page that is read twice changes nothing:
//! firsts only move back, lasts only move forward.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use unstuck_domain::{
    Coverage, DeviceId, EventClass, FastPassSeen, LifecycleSeen, LogFacts, RevocationSeen, Seen,
    UserId,
};

use super::bulk::{rows, stamp};
use super::rows::{from_word, word};
use super::{LeaseProof, Store, StoreError, Tx};

const SERIAL_NUMBER: &str = "serial_number";
const SUBJECT: &str = "subject";

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

#[derive(Serialize)]
struct NewFastPassRow<'a> {
    device_id: &'a str,
    user_id: &'a str,
    first_success_at: Option<String>,
    last_success_at: Option<String>,
    last_managed_at: Option<String>,
    last_unmanaged_at: Option<String>,
    last_failure_at: Option<String>,
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

#[derive(Serialize)]
struct NewSignInRow<'a> {
    user_id: &'a str,
    last_at: String,
}

#[derive(Serialize)]
struct NewBindRow<'a> {
    device_id: &'a str,
    first_at: String,
    last_at: String,
}

#[derive(Serialize)]
struct NewBoundToRow<'a> {
    certificate: &'a str,
    device_id: &'a str,
}

#[derive(Serialize)]
struct NewIssuedRow<'a> {
    subject: &'a str,
    first_at: String,
    last_at: String,
}

#[derive(Serialize)]
struct NewRevokedRow<'a> {
    key_kind: &'static str,
    certificate: &'a str,
    revoked_at: String,
    event_type: &'a str,
}

#[derive(Serialize)]
struct NewLifecycleRow<'a> {
    device_id: &'a str,
    change: String,
    changed_at: String,
    actor: Option<&'a str>,
}

#[derive(Serialize)]
struct NewDeletionRow<'a> {
    serial_number: &'a str,
    change: String,
    device_id: &'a str,
    changed_at: String,
    actor: Option<&'a str>,
}

#[derive(Serialize)]
struct NewOrgChangeRow<'a> {
    uuid: &'a str,
    changed_at: String,
    event_type: &'a str,
    actor: Option<&'a str>,
    target: Option<&'a str>,
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

    /// Adds one page of the log, already folded, and moves its cursor. Of `page.coverage`, the classes named
    /// replace `covered_from`; `last_seen` only moves forward.
    pub async fn record_log_facts(
        &self,
        proof: &LeaseProof,
        page: &LogFacts,
        org_changes: &[OrgChange],
        next: &LogCursor,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.prove(proof).await?;
        tx.add_fastpass(page).await?;
        tx.add_sign_ins(page).await?;
        tx.add_certificates(page).await?;
        tx.add_lifecycle(page).await?;
        tx.add_org_changes(org_changes).await?;
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

    /// The whole ledger.
    pub async fn load_log_facts(&self) -> Result<LogFacts, StoreError> {
        let mut facts = LogFacts::default();
        let coverage: Vec<CoverageRow> = fetch_all!(
            self,
            "SELECT class, covered_from_at, last_seen_at FROM log_coverage"
        )?;
        for row in coverage {
            let class: EventClass = from_word(row.class, "log_coverage.class")?;
            let coverage = Coverage {
                covered_from: row.covered_from_at,
                last_seen: row.last_seen_at,
            };
            facts.coverage.insert(class, coverage);
        }
        let fastpass: Vec<FastPassRow> = fetch_all!(
            self,
            "SELECT device_id, user_id, first_success_at, last_success_at, last_managed_at, last_unmanaged_at, \
             last_failure_at FROM log_fastpass"
        )?;
        facts.fastpass = fastpass.into_iter().map(FastPassRow::into_entry).collect();
        let sign_ins: Vec<(String, DateTime<Utc>)> =
            fetch_all!(self, "SELECT user_id, last_at FROM log_sign_ins")?;
        facts.sign_ins = sign_ins
            .into_iter()
            .map(|(user, at)| (UserId::from(user), at))
            .collect();
        let binds: Vec<(String, DateTime<Utc>, DateTime<Utc>)> =
            fetch_all!(self, "SELECT device_id, first_at, last_at FROM log_binds")?;
        facts.binds = binds
            .into_iter()
            .map(|(device, first, last)| (DeviceId::from(device), Seen { first, last }))
            .collect();
        let bound_to: Vec<(String, String)> =
            fetch_all!(self, "SELECT certificate, device_id FROM log_bound_to")?;
        facts.bound_to = bound_to
            .into_iter()
            .map(|(key, device)| (key, DeviceId::from(device)))
            .collect();
        let issued: Vec<(String, DateTime<Utc>, DateTime<Utc>)> =
            fetch_all!(self, "SELECT subject, first_at, last_at FROM log_issued")?;
        facts.issued = issued
            .into_iter()
            .map(|(subject, first, last)| (subject, Seen { first, last }))
            .collect();
        facts.revoked = self.revocations(SERIAL_NUMBER).await?;
        facts.revoked_subjects = self.revocations(SUBJECT).await?;
        let lifecycle: Vec<LifecycleRow> = fetch_all!(
            self,
            "SELECT device_id AS key, change, device_id, changed_at, actor FROM log_lifecycle"
        )?;
        for row in lifecycle {
            let (device, seen) = row.into_entry("log_lifecycle.change")?;
            facts.lifecycle.insert(DeviceId::from(device), seen);
        }
        let deletions: Vec<LifecycleRow> = fetch_all!(
            self,
            "SELECT serial_number AS key, change, device_id, changed_at, actor FROM log_deletions"
        )?;
        for row in deletions {
            let (serial_number, seen) = row.into_entry("log_deletions.change")?;
            facts.deletions.insert(serial_number, seen);
        }
        Ok(facts)
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

    async fn revocations(
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

impl Tx {
    async fn add_fastpass(&mut self, page: &LogFacts) -> Result<(), StoreError> {
        let new = page
            .fastpass
            .iter()
            .map(|((device, user), seen)| NewFastPassRow {
                device_id: device.as_str(),
                user_id: user.as_str(),
                first_success_at: seen.success.map(|seen| stamp(seen.first)),
                last_success_at: seen.success.map(|seen| stamp(seen.last)),
                last_managed_at: seen.last_managed.map(stamp),
                last_unmanaged_at: seen.last_unmanaged.map(stamp),
                last_failure_at: seen.last_failure.map(stamp),
            });
        let Some(rows) = rows(new) else { return Ok(()) };
        // A comparison with null is not true, so that a missing new value never replaces an old one.
        bulk!(
            self,
            rows,
            "log_fastpass",
            [device_id TEXT, user_id TEXT, first_success_at TIMESTAMPTZ, last_success_at TIMESTAMPTZ,
             last_managed_at TIMESTAMPTZ, last_unmanaged_at TIMESTAMPTZ, last_failure_at TIMESTAMPTZ],
            "ON CONFLICT (device_id, user_id) DO UPDATE SET \
             first_success_at = CASE WHEN log_fastpass.first_success_at IS NULL \
             OR excluded.first_success_at < log_fastpass.first_success_at \
             THEN excluded.first_success_at ELSE log_fastpass.first_success_at END, \
             last_success_at = CASE WHEN log_fastpass.last_success_at IS NULL \
             OR excluded.last_success_at > log_fastpass.last_success_at \
             THEN excluded.last_success_at ELSE log_fastpass.last_success_at END, \
             last_managed_at = CASE WHEN log_fastpass.last_managed_at IS NULL \
             OR excluded.last_managed_at > log_fastpass.last_managed_at \
             THEN excluded.last_managed_at ELSE log_fastpass.last_managed_at END, \
             last_unmanaged_at = CASE WHEN log_fastpass.last_unmanaged_at IS NULL \
             OR excluded.last_unmanaged_at > log_fastpass.last_unmanaged_at \
             THEN excluded.last_unmanaged_at ELSE log_fastpass.last_unmanaged_at END, \
             last_failure_at = CASE WHEN log_fastpass.last_failure_at IS NULL \
             OR excluded.last_failure_at > log_fastpass.last_failure_at \
             THEN excluded.last_failure_at ELSE log_fastpass.last_failure_at END"
        )?;
        Ok(())
    }

    async fn add_sign_ins(&mut self, page: &LogFacts) -> Result<(), StoreError> {
        let new = page.sign_ins.iter().map(|(user, at)| NewSignInRow {
            user_id: user.as_str(),
            last_at: stamp(*at),
        });
        let Some(rows) = rows(new) else { return Ok(()) };
        bulk!(
            self,
            rows,
            "log_sign_ins",
            [user_id TEXT, last_at TIMESTAMPTZ],
            "ON CONFLICT (user_id) DO UPDATE SET last_at = excluded.last_at \
             WHERE log_sign_ins.last_at < excluded.last_at"
        )?;
        Ok(())
    }

    async fn add_certificates(&mut self, page: &LogFacts) -> Result<(), StoreError> {
        let binds = page.binds.iter().map(|(device, seen)| NewBindRow {
            device_id: device.as_str(),
            first_at: stamp(seen.first),
            last_at: stamp(seen.last),
        });
        if let Some(rows) = rows(binds) {
            bulk!(
                self,
                rows,
                "log_binds",
                [device_id TEXT, first_at TIMESTAMPTZ, last_at TIMESTAMPTZ],
                "ON CONFLICT (device_id) DO UPDATE SET \
                 first_at = CASE WHEN excluded.first_at < log_binds.first_at \
                 THEN excluded.first_at ELSE log_binds.first_at END, \
                 last_at = CASE WHEN excluded.last_at > log_binds.last_at \
                 THEN excluded.last_at ELSE log_binds.last_at END"
            )?;
        }
        let bound_to = page
            .bound_to
            .iter()
            .map(|(certificate, device)| NewBoundToRow {
                certificate,
                device_id: device.as_str(),
            });
        if let Some(rows) = rows(bound_to) {
            bulk!(
                self,
                rows,
                "log_bound_to",
                [certificate TEXT, device_id TEXT],
                "ON CONFLICT (certificate) DO UPDATE SET device_id = excluded.device_id"
            )?;
        }
        let issued = page.issued.iter().map(|(subject, seen)| NewIssuedRow {
            subject,
            first_at: stamp(seen.first),
            last_at: stamp(seen.last),
        });
        if let Some(rows) = rows(issued) {
            bulk!(
                self,
                rows,
                "log_issued",
                [subject TEXT, first_at TIMESTAMPTZ, last_at TIMESTAMPTZ],
                "ON CONFLICT (subject) DO UPDATE SET \
                 first_at = CASE WHEN excluded.first_at < log_issued.first_at \
                 THEN excluded.first_at ELSE log_issued.first_at END, \
                 last_at = CASE WHEN excluded.last_at > log_issued.last_at \
                 THEN excluded.last_at ELSE log_issued.last_at END"
            )?;
        }
        let revoked = page
            .revoked
            .iter()
            .map(|(key, seen)| (SERIAL_NUMBER, key, seen));
        let subjects = page
            .revoked_subjects
            .iter()
            .map(|(key, seen)| (SUBJECT, key, seen));
        let revoked = revoked
            .chain(subjects)
            .map(|(key_kind, certificate, seen)| NewRevokedRow {
                key_kind,
                certificate,
                revoked_at: stamp(seen.at),
                event_type: &seen.event_type,
            });
        if let Some(rows) = rows(revoked) {
            bulk!(
                self,
                rows,
                "log_revoked",
                [key_kind TEXT, certificate TEXT, revoked_at TIMESTAMPTZ, event_type TEXT],
                "ON CONFLICT (key_kind, certificate) DO UPDATE SET revoked_at = excluded.revoked_at, \
                 event_type = excluded.event_type WHERE log_revoked.revoked_at < excluded.revoked_at"
            )?;
        }
        Ok(())
    }

    async fn add_lifecycle(&mut self, page: &LogFacts) -> Result<(), StoreError> {
        let lifecycle = page.lifecycle.iter().map(|(device, seen)| NewLifecycleRow {
            device_id: device.as_str(),
            change: word(&seen.change),
            changed_at: stamp(seen.at),
            actor: seen.actor.as_deref(),
        });
        if let Some(rows) = rows(lifecycle) {
            bulk!(
                self,
                rows,
                "log_lifecycle",
                [device_id TEXT, change TEXT, changed_at TIMESTAMPTZ, actor TEXT],
                "ON CONFLICT (device_id) DO UPDATE SET change = excluded.change, \
                 changed_at = excluded.changed_at, actor = excluded.actor \
                 WHERE log_lifecycle.changed_at < excluded.changed_at"
            )?;
        }
        let deletions = page
            .deletions
            .iter()
            .map(|(serial_number, seen)| NewDeletionRow {
                serial_number,
                change: word(&seen.change),
                device_id: seen.device.as_str(),
                changed_at: stamp(seen.at),
                actor: seen.actor.as_deref(),
            });
        if let Some(rows) = rows(deletions) {
            bulk!(
                self,
                rows,
                "log_deletions",
                [serial_number TEXT, change TEXT, device_id TEXT, changed_at TIMESTAMPTZ, actor TEXT],
                "ON CONFLICT (serial_number) DO UPDATE SET change = excluded.change, \
                 device_id = excluded.device_id, changed_at = excluded.changed_at, actor = excluded.actor \
                 WHERE log_deletions.changed_at < excluded.changed_at"
            )?;
        }
        Ok(())
    }

    async fn add_org_changes(&mut self, changes: &[OrgChange]) -> Result<(), StoreError> {
        let new = changes.iter().map(|change| NewOrgChangeRow {
            uuid: &change.uuid,
            changed_at: stamp(change.at),
            event_type: &change.event_type,
            actor: change.actor.as_deref(),
            target: change.target.as_deref(),
        });
        let Some(rows) = rows(new) else { return Ok(()) };
        bulk!(
            self,
            rows,
            "log_org_changes",
            [uuid TEXT, changed_at TIMESTAMPTZ, event_type TEXT, actor TEXT, target TEXT],
            "ON CONFLICT (uuid) DO NOTHING"
        )?;
        Ok(())
    }

    async fn set_coverage(&mut self, page: &LogFacts) -> Result<(), StoreError> {
        for (class, coverage) in &page.coverage {
            execute!(
                self,
                "INSERT INTO log_coverage (class, covered_from_at, last_seen_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (class) DO UPDATE SET covered_from_at = excluded.covered_from_at, \
                 last_seen_at = CASE WHEN log_coverage.last_seen_at IS NULL \
                 OR excluded.last_seen_at > log_coverage.last_seen_at \
                 THEN excluded.last_seen_at ELSE log_coverage.last_seen_at END",
                word(class),
                coverage.covered_from,
                coverage.last_seen,
            )?;
        }
        Ok(())
    }
}
