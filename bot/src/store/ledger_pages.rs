//! How one page of the System Log is added to the ledger: firsts only move back, lasts only move forward.

use serde::Serialize;
use unstuck_domain::LogFacts;

use super::bulk::{rows, stamp};
use super::ledger::{OrgChange, SERIAL_NUMBER, SUBJECT};
use super::rows::word;
use super::{StoreError, Tx};

#[derive(Serialize)]
struct NewFastPassRow<'a> {
    device_id: &'a str,
    user_id: &'a str,
    first_success_at: Option<String>,
    last_success_at: Option<String>,
    last_managed_at: Option<String>,
    last_unmanaged_at: Option<String>,
    last_failure_at: Option<String>,
    last_resistant_at: Option<String>,
    last_not_resistant_at: Option<String>,
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

impl Tx {
    pub(super) async fn add_fastpass(&mut self, page: &LogFacts) -> Result<(), StoreError> {
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
                last_resistant_at: seen.last_resistant.map(stamp),
                last_not_resistant_at: seen.last_not_resistant.map(stamp),
            });
        let Some(rows) = rows(new) else { return Ok(()) };
        // A comparison with null is not true, so that a missing new value never replaces an old one.
        bulk!(
            self,
            rows,
            "log_fastpass",
            [device_id TEXT, user_id TEXT, first_success_at TIMESTAMPTZ, last_success_at TIMESTAMPTZ,
             last_managed_at TIMESTAMPTZ, last_unmanaged_at TIMESTAMPTZ, last_failure_at TIMESTAMPTZ,
             last_resistant_at TIMESTAMPTZ, last_not_resistant_at TIMESTAMPTZ],
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
             THEN excluded.last_failure_at ELSE log_fastpass.last_failure_at END, \
             last_resistant_at = CASE WHEN log_fastpass.last_resistant_at IS NULL \
             OR excluded.last_resistant_at > log_fastpass.last_resistant_at \
             THEN excluded.last_resistant_at ELSE log_fastpass.last_resistant_at END, \
             last_not_resistant_at = CASE WHEN log_fastpass.last_not_resistant_at IS NULL \
             OR excluded.last_not_resistant_at > log_fastpass.last_not_resistant_at \
             THEN excluded.last_not_resistant_at ELSE log_fastpass.last_not_resistant_at END"
        )?;
        Ok(())
    }

    pub(super) async fn add_sign_ins(&mut self, page: &LogFacts) -> Result<(), StoreError> {
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

    pub(super) async fn add_certificates(&mut self, page: &LogFacts) -> Result<(), StoreError> {
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

    pub(super) async fn add_lifecycle(&mut self, page: &LogFacts) -> Result<(), StoreError> {
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

    pub(super) async fn add_org_changes(
        &mut self,
        changes: &[OrgChange],
    ) -> Result<(), StoreError> {
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

    pub(super) async fn set_coverage(&mut self, page: &LogFacts) -> Result<(), StoreError> {
        for (class, coverage) in &page.coverage {
            execute!(
                self,
                "INSERT INTO log_coverage (class, covered_from_at, last_seen_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (class) DO UPDATE SET \
                 covered_from_at = COALESCE(excluded.covered_from_at, log_coverage.covered_from_at), \
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
