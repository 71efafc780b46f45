//! Fleet findings: one row each with the numbers of the last sweep, everybody who was ever affected, and what is usual.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::Serialize;
use unstuck_domain::fleet_gate::{Attribute, Member, Phase, UsualKey};
use unstuck_domain::{
    Cause, Confidence, DeviceId, Evidence, FleetFindingId, OrgChangeSeen, UserId,
};

use super::bulk::{BATCH, rows, stamp};
use super::rows::{all, count, from_word, json, parse, word};
use super::{LeaseProof, Store, StoreError, Together};

/// A fleet finding as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetRecord {
    /// `F-` and six base32 characters.
    pub id: FleetFindingId,
    /// What is wrong.
    pub cause: Cause,
    /// How sure.
    pub confidence: Confidence,
    /// What its members share.
    pub attribute: Attribute,
    /// The shared value.
    pub value: String,
    /// Where it is on its way.
    pub phase: Phase,
    /// Onset, in the vendor's time.
    pub since: Option<DateTime<Utc>>,
    /// The change that began it, probably.
    pub change: Option<OrgChangeSeen>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// Device-users affected at the last sweep.
    pub affected: u32,
    /// Computers of those.
    pub computers: u32,
    /// Device-users whose repair waits for it.
    pub held: u32,
    /// Device-users that were let go.
    pub released: u32,
    /// Those of them that are managed again.
    pub managed: u32,
    /// When it was first found.
    pub opened_at: DateTime<Utc>,
    /// The sweep that the numbers are of.
    pub seen_at: DateTime<Utc>,
    /// When it fired again after somebody had said "fixed".
    pub reopened_at: Option<DateTime<Utc>>,
    /// Who last said that it is fixed, and when.
    pub marked: Option<(String, DateTime<Utc>)>,
    /// When nobody was affected any more.
    pub closed_at: Option<DateTime<Utc>>,
}

/// What one sweep says about a fleet finding.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetChange {
    /// The row; its phase is written only if it still is `before`.
    pub record: FleetRecord,
    /// The phase that the sweep knew; `None`: it is new.
    pub before: Option<Phase>,
    /// Everybody affected now.
    pub members: BTreeSet<Member>,
    /// Everybody who is let go.
    pub released: BTreeSet<Member>,
}

#[derive(sqlx::FromRow)]
struct FleetRow {
    id: String,
    cause: String,
    confidence: String,
    attribute: String,
    value: String,
    phase: String,
    since_at: Option<DateTime<Utc>>,
    change_at: Option<DateTime<Utc>>,
    change_event: Option<String>,
    change_actor: Option<String>,
    change_target: Option<String>,
    evidence: String,
    affected: i64,
    computers: i64,
    held: i64,
    released: i64,
    managed: i64,
    opened_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
    reopened_at: Option<DateTime<Utc>>,
    marked_by: Option<String>,
    marked_at: Option<DateTime<Utc>>,
    closed_at: Option<DateTime<Utc>>,
}

impl TryFrom<FleetRow> for FleetRecord {
    type Error = StoreError;

    fn try_from(row: FleetRow) -> Result<Self, StoreError> {
        let change = row
            .change_at
            .zip(row.change_event)
            .map(|(at, event_type)| OrgChangeSeen {
                at,
                event_type,
                actor: row.change_actor,
                target: row.change_target,
            });
        Ok(Self {
            id: FleetFindingId::from(row.id),
            cause: from_word(row.cause, "fleet_findings.cause")?,
            confidence: from_word(row.confidence, "fleet_findings.confidence")?,
            attribute: from_word(row.attribute, "fleet_findings.attribute")?,
            value: row.value,
            phase: from_word(row.phase, "fleet_findings.phase")?,
            since: row.since_at,
            change,
            evidence: parse(&row.evidence, "fleet_findings.evidence")?,
            affected: count(row.affected),
            computers: count(row.computers),
            held: count(row.held),
            released: count(row.released),
            managed: count(row.managed),
            opened_at: row.opened_at,
            seen_at: row.seen_at,
            reopened_at: row.reopened_at,
            marked: row.marked_by.zip(row.marked_at),
            closed_at: row.closed_at,
        })
    }
}

#[derive(Serialize)]
struct NewMemberRow<'a> {
    fleet_id: &'a str,
    device_id: &'a str,
    user_id: &'a str,
    released: bool,
}

#[derive(Serialize)]
struct NewUsualRow<'a> {
    day_at: String,
    cause: String,
    attribute: &'a str,
    value: &'a str,
    faults: usize,
}

impl Store {
    /// Writes what a sweep says about one fleet finding, its members included. A phase that a person has changed
    /// meanwhile stays. `false`: it did, so that nobody was let go or held anew.
    pub async fn save_fleet_finding(
        &self,
        proof: &LeaseProof,
        change: &FleetChange,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let record = &change.record;
        let (event, of) = (record.change.as_ref(), |text: &Option<String>| text.clone());
        let mut tx = self.begin().await?;
        tx.prove(proof).await?;
        execute!(
            tx,
            "INSERT INTO fleet_findings (id, cause, confidence, attribute, value, phase, since_at, change_at, \
             change_event, change_actor, change_target, evidence, affected, computers, held, released, managed, \
             opened_at, seen_at) VALUES ($1, $2, $3, $4, $5, 'open', $6, $7, $8, $9, $10, $11, 0, 0, 0, 0, 0, $12, $12) \
             ON CONFLICT (id) DO NOTHING",
            record.id.as_str(),
            word(&record.cause),
            word(&record.confidence),
            word(&record.attribute),
            &record.value,
            record.since,
            event.map(|event| event.at),
            event.map(|event| event.event_type.clone()),
            event.and_then(|event| of(&event.actor)),
            event.and_then(|event| of(&event.target)),
            json(&record.evidence),
            record.opened_at,
        )?;
        let before = change.before.unwrap_or(Phase::Open);
        let current = execute!(
            tx,
            "UPDATE fleet_findings SET phase = $1, reopened_at = $2, closed_at = $3, released = $4, managed = $5 \
             WHERE id = $6 AND phase = $7",
            word(&record.phase),
            record.reopened_at,
            record.closed_at,
            i64::from(record.released),
            i64::from(record.managed),
            record.id.as_str(),
            word(&before),
        )? > 0;
        execute!(
            tx,
            "UPDATE fleet_findings SET affected = $1, computers = $2, held = $3, seen_at = $4 WHERE id = $5",
            i64::from(record.affected),
            i64::from(record.computers),
            i64::from(record.held),
            record.seen_at,
            record.id.as_str(),
        )?;
        if current && change.released.is_empty() {
            execute!(
                tx,
                "UPDATE fleet_members SET released = FALSE WHERE fleet_id = $1",
                record.id.as_str()
            )?;
        }
        let members: Vec<&Member> = change.members.union(&change.released).collect();
        for batch in members.chunks(BATCH) {
            let new = batch.iter().map(|member| NewMemberRow {
                fleet_id: record.id.as_str(),
                device_id: member.0.as_str(),
                user_id: member.1.as_str(),
                released: current && change.released.contains(*member),
            });
            if let Some(rows) = rows(new) {
                bulk!(
                    tx,
                    rows,
                    "fleet_members",
                    [fleet_id TEXT, device_id TEXT, user_id TEXT, released BOOLEAN],
                    "ON CONFLICT (fleet_id, device_id, user_id) DO UPDATE SET released = excluded.released"
                )?;
            }
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(current)
    }

    /// A person says that the cause is gone. `false`: it is not open, or not there.
    pub async fn mark_fleet_finding_fixed(
        &self,
        id: &FleetFindingId,
        by: &str,
        at: DateTime<Utc>,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed = execute!(
            tx,
            "UPDATE fleet_findings SET phase = 'marked_fixed', marked_by = $1, marked_at = $2 \
             WHERE id = $3 AND phase = 'open'",
            by,
            at,
            id.as_str(),
        )?;
        if changed == 0 {
            return Ok(false);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// One fleet finding, whatever its phase.
    pub async fn fleet_finding(
        &self,
        id: &FleetFindingId,
    ) -> Result<Option<FleetRecord>, StoreError> {
        let row: Option<FleetRow> = fetch_optional!(
            self,
            "SELECT id, cause, confidence, attribute, value, phase, since_at, change_at, change_event, change_actor, \
             change_target, evidence, affected, computers, held, released, managed, opened_at, seen_at, reopened_at, \
             marked_by, marked_at, closed_at FROM fleet_findings WHERE id = $1",
            id.as_str(),
        )?;
        row.map(FleetRecord::try_from).transpose()
    }

    /// Fleet findings that are not over, and those that ended since then, oldest first.
    pub async fn fleet_findings_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Vec<FleetRecord>, StoreError> {
        let rows: Vec<FleetRow> = fetch_all!(
            self,
            "SELECT id, cause, confidence, attribute, value, phase, since_at, change_at, change_event, change_actor, \
             change_target, evidence, affected, computers, held, released, managed, opened_at, seen_at, reopened_at, \
             marked_by, marked_at, closed_at FROM fleet_findings WHERE closed_at IS NULL OR closed_at >= $1 \
             ORDER BY opened_at, id",
            since,
        )?;
        all(rows)
    }

    /// Everybody who was ever affected, with whether they were let go.
    pub async fn fleet_members(
        &self,
        id: &FleetFindingId,
    ) -> Result<BTreeMap<Member, bool>, StoreError> {
        let rows: Vec<(String, String, bool)> = fetch_all!(
            self,
            "SELECT device_id, user_id, released FROM fleet_members WHERE fleet_id = $1",
            id.as_str(),
        )?;
        let member = |(device, user, released): (String, String, bool)| {
            ((DeviceId::from(device), UserId::from(user)), released)
        };
        Ok(rows.into_iter().map(member).collect())
    }

    /// The fleet finding that holds a device-user now.
    pub async fn held_by_fleet_finding(
        &self,
        device: &DeviceId,
        user: &UserId,
    ) -> Result<Option<FleetFindingId>, StoreError> {
        let row: Option<(String,)> = fetch_optional!(
            self,
            "SELECT fleet_findings.id FROM fleet_findings JOIN fleet_members ON fleet_id = fleet_findings.id \
             WHERE device_id = $1 AND user_id = $2 AND NOT fleet_members.released \
             AND phase IN ('open', 'marked_fixed', 'canary') ORDER BY opened_at LIMIT 1",
            device.as_str(),
            user.as_str(),
        )?;
        Ok(row.map(|(id,)| FleetFindingId::from(id)))
    }

    /// Begin of the first sweep that was complete.
    pub async fn first_complete_sweep_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let row: Option<(DateTime<Utc>,)> = fetch_optional!(
            self,
            "SELECT started_at FROM sweeps WHERE complete AND state = 'finished' ORDER BY started_at LIMIT 1"
        )?;
        Ok(row.map(|(at,)| at))
    }

    /// Notes new faults by the day on which they began; a later sweep of that day may only know more.
    pub async fn save_usual_faults(
        &self,
        proof: &LeaseProof,
        faults: &BTreeMap<(NaiveDate, UsualKey), usize>,
    ) -> Result<(), StoreError> {
        let faults: Vec<_> = faults.iter().collect();
        for batch in faults.chunks(BATCH) {
            let mut tx = self.begin().await?;
            tx.prove(proof).await?;
            let new = batch.iter().map(|((day, key), faults)| NewUsualRow {
                day_at: stamp(midnight(*day)),
                cause: word(&key.0),
                attribute: key.1.word(),
                value: &key.2,
                faults: **faults,
            });
            if let Some(rows) = rows(new) {
                bulk!(
                    tx,
                    rows,
                    "fleet_usual",
                    [day_at TIMESTAMPTZ, cause TEXT, attribute TEXT, value TEXT, faults BIGINT],
                    "ON CONFLICT (day_at, cause, attribute, value) DO UPDATE SET faults = CASE \
                     WHEN excluded.faults > fleet_usual.faults THEN excluded.faults ELSE fleet_usual.faults END"
                )?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// New faults that began in `from .. until`, by what they share.
    pub async fn usual_faults(
        &self,
        from: NaiveDate,
        until: NaiveDate,
    ) -> Result<HashMap<UsualKey, usize>, StoreError> {
        let rows: Vec<(String, String, String, i64)> = fetch_all!(
            self,
            "SELECT cause, attribute, value, CAST(SUM(faults) AS BIGINT) FROM fleet_usual \
             WHERE day_at >= $1 AND day_at < $2 GROUP BY cause, attribute, value",
            midnight(from),
            midnight(until),
        )?;
        rows.into_iter()
            .map(|(cause, attribute, value, faults)| {
                let key = (
                    from_word(cause, "fleet_usual.cause")?,
                    from_word(attribute, "fleet_usual.attribute")?,
                    value,
                );
                Ok((key, usize::try_from(faults).unwrap_or_default()))
            })
            .collect()
    }
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}
