//! What is known of each subject: one current row, written only when its hash changed.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use unstuck_domain::{DeviceId, MdmDeviceId, MdmName, UserId};

use super::bulk::{BATCH, rows, stamp};
use super::rows::{all, json, parse};
use super::{LeaseProof, Store, StoreError};

/// A subject as it was last seen.
#[derive(Debug, Clone, PartialEq)]
pub struct SubjectRecord {
    /// The caller's key; one per device-user or lone record.
    pub key: String,
    /// Okta device.
    pub device_id: Option<DeviceId>,
    /// Okta user.
    pub user_id: Option<UserId>,
    /// Login.
    pub login: Option<String>,
    /// Serial number, normalised.
    pub serial_number: Option<String>,
    /// MDM of the matched record.
    pub mdm: Option<MdmName>,
    /// Its id there.
    pub mdm_device_id: Option<MdmDeviceId>,
    /// Hash over everything that the caller wants to notice a change of.
    pub hash: String,
    /// Whatever else is shown of it.
    pub document: Value,
    /// When the hash last changed.
    pub changed_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct SubjectRow {
    subject_key: String,
    device_id: Option<String>,
    user_id: Option<String>,
    login: Option<String>,
    serial_number: Option<String>,
    mdm: Option<String>,
    mdm_device_id: Option<String>,
    hash: String,
    document: String,
    changed_at: DateTime<Utc>,
}

impl TryFrom<SubjectRow> for SubjectRecord {
    type Error = StoreError;

    fn try_from(row: SubjectRow) -> Result<Self, StoreError> {
        Ok(Self {
            key: row.subject_key,
            device_id: row.device_id.map(DeviceId::from),
            user_id: row.user_id.map(UserId::from),
            login: row.login,
            serial_number: row.serial_number,
            mdm: row.mdm.map(MdmName::from),
            mdm_device_id: row.mdm_device_id.map(MdmDeviceId::from),
            hash: row.hash,
            document: parse(&row.document, "subjects.document")?,
            changed_at: row.changed_at,
        })
    }
}

#[derive(Serialize)]
struct NewSubjectRow<'a> {
    subject_key: &'a str,
    device_id: Option<&'a str>,
    user_id: Option<&'a str>,
    login: Option<&'a str>,
    serial_number: Option<&'a str>,
    mdm: Option<&'a str>,
    mdm_device_id: Option<&'a str>,
    hash: &'a str,
    document: String,
    changed_at: String,
}

impl<'a> From<&'a SubjectRecord> for NewSubjectRow<'a> {
    fn from(subject: &'a SubjectRecord) -> Self {
        Self {
            subject_key: &subject.key,
            device_id: subject.device_id.as_ref().map(DeviceId::as_str),
            user_id: subject.user_id.as_ref().map(UserId::as_str),
            login: subject.login.as_deref(),
            serial_number: subject.serial_number.as_deref(),
            mdm: subject.mdm.as_ref().map(MdmName::as_str),
            mdm_device_id: subject.mdm_device_id.as_ref().map(MdmDeviceId::as_str),
            hash: &subject.hash,
            document: json(&subject.document),
            changed_at: stamp(subject.changed_at),
        }
    }
}

impl Store {
    /// Hash per subject, for the caller to see what changed.
    pub async fn subject_hashes(&self) -> Result<HashMap<String, String>, StoreError> {
        let rows: Vec<(String, String)> =
            fetch_all!(self, "SELECT subject_key, hash FROM subjects")?;
        Ok(rows.into_iter().collect())
    }

    /// Writes subjects whose hash changed; an unchanged one is left alone. Returns how many rows were written.
    pub async fn save_subjects(
        &self,
        proof: &LeaseProof,
        subjects: &[SubjectRecord],
    ) -> Result<u64, StoreError> {
        let mut written = 0;
        for batch in subjects.chunks(BATCH) {
            let Some(rows) = rows(batch.iter().map(NewSubjectRow::from)) else {
                continue;
            };
            let mut tx = self.begin().await?;
            tx.prove(proof).await?;
            written += bulk!(
                tx,
                rows,
                "subjects",
                [subject_key TEXT, device_id TEXT, user_id TEXT, login TEXT, serial_number TEXT, mdm TEXT,
                 mdm_device_id TEXT, hash TEXT, document TEXT, changed_at TIMESTAMPTZ],
                "ON CONFLICT (subject_key) DO UPDATE SET device_id = excluded.device_id, user_id = excluded.user_id, \
                 login = excluded.login, serial_number = excluded.serial_number, mdm = excluded.mdm, \
                 mdm_device_id = excluded.mdm_device_id, hash = excluded.hash, document = excluded.document, \
                 changed_at = excluded.changed_at WHERE subjects.hash <> excluded.hash"
            )?;
            tx.commit().await?;
        }
        Ok(written)
    }

    /// Forgets subjects whose records are proved to be gone.
    pub async fn remove_subjects(
        &self,
        proof: &LeaseProof,
        keys: &[String],
    ) -> Result<u64, StoreError> {
        let mut removed = 0;
        for batch in keys.chunks(BATCH) {
            let mut tx = self.begin().await?;
            tx.prove(proof).await?;
            for key in batch {
                removed += execute!(tx, "DELETE FROM subjects WHERE subject_key = $1", key)?;
            }
            tx.commit().await?;
        }
        Ok(removed)
    }

    /// Subjects that an MDM knew when it was last read whole, with its record: who must wait while it is not.
    pub async fn subjects_known_to(
        &self,
        mdm: &MdmName,
    ) -> Result<HashMap<String, Option<MdmDeviceId>>, StoreError> {
        let rows: Vec<(String, Option<String>)> = fetch_all!(
            self,
            "SELECT subject_key, mdm_device_id FROM subjects WHERE mdm = $1",
            mdm.as_str(),
        )?;
        let known = rows
            .into_iter()
            .map(|(key, record)| (key, record.map(MdmDeviceId::from)));
        Ok(known.collect())
    }

    /// Subjects by normalised serial number, device id, MDM record or login.
    pub async fn find_subjects(
        &self,
        serial_number: &str,
        id: &str,
        login: &str,
    ) -> Result<Vec<SubjectRecord>, StoreError> {
        let rows: Vec<SubjectRow> = fetch_all!(
            self,
            "SELECT subject_key, device_id, user_id, login, serial_number, mdm, mdm_device_id, hash, document, \
             changed_at FROM subjects WHERE serial_number = $1 OR device_id = $2 OR mdm_device_id = $3 OR login = $4 \
             ORDER BY subject_key LIMIT 200",
            serial_number,
            id,
            id,
            login,
        )?;
        all(rows)
    }

    /// Subjects whose key comes after `key`, in the order of their keys.
    pub async fn subjects_after(
        &self,
        key: &str,
        limit: u32,
    ) -> Result<Vec<SubjectRecord>, StoreError> {
        let rows: Vec<SubjectRow> = fetch_all!(
            self,
            "SELECT subject_key, device_id, user_id, login, serial_number, mdm, mdm_device_id, hash, document, \
             changed_at FROM subjects WHERE subject_key > $1 ORDER BY subject_key LIMIT $2",
            key,
            i64::from(limit),
        )?;
        all(rows)
    }
}
