//! Reads one planned repair's computer again, by id: what preflight, waits and the proof judge.

use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, Utc};
use connectors::{MdmReader, OktaReader};

use crate::domain::{
    LogFacts, MdmDevice, MdmName, MdmObservation, Observations, OktaObservation, PlannedRepair,
    PlannedSubject, RepairTargets, Subject, correlate,
    preconditions::{FreshMdm, FreshRead, FreshSubject},
};

/// Readers, as far as a single computer needs them.
#[derive(Clone)]
pub struct FreshReader {
    /// The org.
    pub okta: Arc<dyn OktaReader>,
    /// The MDMs with their prepared repair targets.
    pub mdms: Vec<(Arc<dyn MdmReader>, RepairTargets)>,
}

/// One computer as it is now.
pub struct Fresh {
    /// A small observation that holds this computer only.
    pub observations: Observations,
    /// One entry per subject of the repair.
    pub subjects: Vec<FreshSubject>,
    /// The record as read by id.
    record: Option<MdmDevice>,
}

impl FreshReader {
    /// The reader of an MDM.
    pub fn mdm(&self, name: &MdmName) -> Option<&Arc<dyn MdmReader>> {
        self.mdms
            .iter()
            .map(|(reader, _)| reader)
            .find(|reader| reader.mdm() == name)
    }

    /// Reads Okta's records and users and the MDM's record of one repair.
    pub async fn read(
        &self,
        repair: &PlannedRepair,
        log: LogFacts,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Fresh> {
        let mut okta = OktaObservation::default();
        let mut subjects = Vec::new();
        for planned in &repair.subjects {
            let id = &planned.device_id;
            if !okta.devices.iter().any(|device| device.id == *id)
                && let Some(mut device) = self
                    .okta
                    .device(id)
                    .await
                    .with_context(|| format!("cannot read Okta device {id}"))?
            {
                let confirmation = self
                    .okta
                    .device_users(id)
                    .await
                    .with_context(|| format!("cannot read the users of Okta device {id}"))?;
                device.users = confirmation
                    .users
                    .as_ref()
                    .map(|users| users.iter().map(|user| user.link.clone()).collect());
                okta.confirmed.insert(id.clone(), confirmation);
                okta.devices.push(device);
            }
            let device = okta.devices.iter().find(|device| device.id == *id);
            let user = okta
                .confirmed
                .get(id)
                .and_then(|confirmation| confirmation.users.as_ref())
                .and_then(|users| {
                    users
                        .iter()
                        .find(|user| user.link.user_id == planned.user_id)
                });
            subjects.push(FreshSubject {
                device_id: id.clone(),
                user_id: planned.user_id.clone(),
                device_status: device.map(|device| device.status.clone()),
                management_status: user.and_then(|user| user.link.management_status),
                user_status: user.map(|user| user.status.clone()),
            });
        }
        okta.now = self.okta.now().unwrap_or(now);
        let (mdms, record) = match (&repair.mdm, &repair.mdm_device_id) {
            (Some(name), Some(id)) => {
                let (reader, targets) = self
                    .mdms
                    .iter()
                    .find(|(reader, _)| reader.mdm() == name)
                    .with_context(|| {
                    format!("the settings have no [[mdm]] named {name} any more")
                })?;
                let record = reader
                    .device(id)
                    .await
                    .with_context(|| format!("cannot read {name} record {id}"))?;
                let profiles = reader
                    .profiles()
                    .await
                    .with_context(|| format!("cannot read the profiles of {name}"))?;
                let mdm = MdmObservation {
                    sso_extensions: None,
                    push_certificate_expires_at: None,
                    name: name.clone(),
                    kind: reader.kind(),
                    platforms: reader.platforms().to_vec(),
                    complete: true,
                    now: reader.now().unwrap_or(now),
                    shows: reader.shows(),
                    devices: record.iter().cloned().collect(),
                    profiles,
                    targets: targets.clone(),
                };
                (vec![mdm], record)
            }
            _ => (Vec::new(), None),
        };
        Ok(Fresh {
            observations: Observations {
                taken_at: now,
                okta,
                mdms,
                log,
            },
            subjects,
            record,
        })
    }
}

impl Fresh {
    /// What preconditions are compared with.
    pub fn for_preflight(
        &self,
        excluded: Option<String>,
        quarantined: bool,
        held: Option<String>,
    ) -> FreshRead<'_> {
        FreshRead {
            subjects: self.subjects.clone(),
            mdm: self.mdm().map(|mdm| FreshMdm {
                mdm,
                record: self.record.as_ref(),
            }),
            excluded,
            quarantined,
            held,
        }
    }

    /// The MDM, if the repair has one.
    pub fn mdm(&self) -> Option<&MdmObservation> {
        self.observations.mdms.first()
    }

    /// The MDM's record, if it is still there.
    pub fn record(&self) -> Option<&MdmDevice> {
        self.record.as_ref()
    }

    /// The first of the repair's subjects that is still linked, as diagnosis would see it.
    pub fn subject(&self, planned: &[PlannedSubject]) -> Option<Subject<'_>> {
        let correlated = correlate::correlate(&self.observations, &[]);
        planned
            .iter()
            .find_map(|planned| correlated.subject(&planned.device_id, &planned.user_id))
    }
}
