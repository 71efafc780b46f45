//! What the ledger of the System Log keeps of one device-user: for the timeline that people read.

use chrono::{DateTime, Utc};
use unstuck_domain::{DeviceId, Seen, UserId};

use super::{Store, StoreError};

/// The ledger's rows of one device-user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubjectLedger {
    /// First and last successful FastPass sign-in on the device.
    pub fastpass: Option<Seen>,
    /// Last FastPass attempt that failed.
    pub fastpass_failed_at: Option<DateTime<Utc>>,
    /// First and last bind of a certificate to the device.
    pub bound: Option<Seen>,
    /// Certificates issued for the computer: subject, first and last issue.
    pub issued: Vec<(String, Seen)>,
    /// Certificates bound to the device that were revoked: serial number, when, by which event.
    pub revoked: Vec<(String, DateTime<Utc>, String)>,
    /// Last lifecycle change of the record: its word, when, by whom.
    pub lifecycle: Option<(String, DateTime<Utc>, Option<String>)>,
    /// Deletion of an earlier record of the same computer: record, when, by whom.
    pub deleted: Option<(DeviceId, DateTime<Utc>, Option<String>)>,
}

type FastPassTimes = (
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
);

impl Store {
    /// What the ledger keeps of a device-user. Serial number and hardware UUID are normalised; without them, what is
    /// kept by the computer itself is not looked for.
    pub async fn ledger_of(
        &self,
        device: &DeviceId,
        user: &UserId,
        serial_number: Option<&str>,
        udid: Option<&str>,
    ) -> Result<SubjectLedger, StoreError> {
        let fastpass: Option<FastPassTimes> = fetch_optional!(
            self,
            "SELECT first_success_at, last_success_at, last_failure_at FROM log_fastpass \
             WHERE device_id = $1 AND user_id = $2",
            device.as_str(),
            user.as_str(),
        )?;
        let (first, last, failed) = fastpass.unwrap_or_default();
        let bound: Option<(DateTime<Utc>, DateTime<Utc>)> = fetch_optional!(
            self,
            "SELECT first_at, last_at FROM log_binds WHERE device_id = $1",
            device.as_str(),
        )?;
        let revoked = fetch_all!(
            self,
            "SELECT r.certificate, r.revoked_at, r.event_type FROM log_revoked r \
             JOIN log_bound_to b ON b.certificate = r.certificate \
             WHERE r.key_kind = 'serial_number' AND b.device_id = $1 ORDER BY r.revoked_at",
            device.as_str(),
        )?;
        let lifecycle = fetch_optional!(
            self,
            "SELECT change, changed_at, actor FROM log_lifecycle WHERE device_id = $1",
            device.as_str(),
        )?;
        let mut ledger = SubjectLedger {
            fastpass: first.zip(last).map(|(first, last)| Seen { first, last }),
            fastpass_failed_at: failed,
            bound: bound.map(|(first, last)| Seen { first, last }),
            revoked,
            lifecycle,
            ..SubjectLedger::default()
        };
        if let Some(serial) = serial_number {
            let deleted: Option<(String, DateTime<Utc>, Option<String>)> = fetch_optional!(
                self,
                "SELECT device_id, changed_at, actor FROM log_deletions WHERE serial_number = $1",
                serial,
            )?;
            ledger.deleted = deleted.map(|(device, at, by)| (DeviceId::from(device), at, by));
        }
        for name in [serial_number, udid].into_iter().flatten() {
            // Subjects are kept normalised, and hold one of the two somewhere.
            let issued: Vec<(String, DateTime<Utc>, DateTime<Utc>)> = fetch_all!(
                self,
                "SELECT subject, first_at, last_at FROM log_issued WHERE subject LIKE '%' || $1 || '%' \
                 ORDER BY first_at",
                name,
            )?;
            for (subject, first, last) in issued {
                if !ledger.issued.iter().any(|(known, _)| *known == subject) {
                    ledger.issued.push((subject, Seen { first, last }));
                }
            }
        }
        Ok(ledger)
    }
}
