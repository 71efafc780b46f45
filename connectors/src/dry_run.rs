//! Wraps acting traits: records what would be done, does nothing.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use unstuck_domain::{GroupId, StepId, UserId};

use crate::{MdmActions, MdmDeviceRef, OktaActions, Result, WritePermit};

/// One write that would have gone out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WouldDo {
    /// okta or `[[mdm]].name`.
    pub source: String,
    /// The micro-step whose permit it carried.
    pub step: StepId,
    /// What, in words.
    pub what: String,
}

impl fmt::Display for WouldDo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: would {}", self.source, self.what)
    }
}

/// Records in order. Clones share one record, so that one list tells of every source.
#[derive(Debug, Clone, Default)]
pub struct DryRunRecord(Arc<Mutex<Vec<WouldDo>>>);

impl DryRunRecord {
    /// An empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// What would have been done so far.
    pub fn entries(&self) -> Vec<WouldDo> {
        self.lock().clone()
    }

    fn add(&self, entry: WouldDo) {
        self.lock().push(entry);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<WouldDo>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stands where the actions of one source would stand.
#[derive(Debug, Clone)]
pub struct DryRun {
    source: String,
    record: DryRunRecord,
}

impl DryRun {
    /// Actions of `source` that only write into `record`.
    pub fn new(source: impl Into<String>, record: DryRunRecord) -> Self {
        Self {
            source: source.into(),
            record,
        }
    }

    fn note(&self, permit: &WritePermit, what: String) -> Result<()> {
        self.record.add(WouldDo {
            source: self.source.clone(),
            step: permit.step().clone(),
            what,
        });
        Ok(())
    }
}

fn put(present: bool, whom: &str, group: &GroupId) -> String {
    if present {
        format!("add {whom} to group {group}")
    } else {
        format!("remove {whom} from group {group}")
    }
}

#[async_trait]
impl OktaActions for DryRun {
    async fn set_group_membership(
        &self,
        permit: &WritePermit,
        group: &GroupId,
        user: &UserId,
        present: bool,
    ) -> Result<()> {
        self.note(permit, put(present, &format!("user {user}"), group))
    }
}

#[async_trait]
impl MdmActions for DryRun {
    async fn sync(&self, permit: &WritePermit, device: &MdmDeviceRef) -> Result<()> {
        self.note(permit, format!("ask device {} to check in", device.id))
    }

    async fn refresh_inventory(&self, permit: &WritePermit, device: &MdmDeviceRef) -> Result<()> {
        let what = format!("ask device {} for a new inventory", device.id);
        self.note(permit, what)
    }

    async fn flush_failed_commands(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
    ) -> Result<()> {
        let what = format!("clear the failed commands of device {}", device.id);
        self.note(permit, what)
    }

    async fn enable_push(&self, permit: &WritePermit, device: &MdmDeviceRef) -> Result<()> {
        self.note(
            permit,
            format!("turn push on again for device {}", device.id),
        )
    }

    async fn set_group(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
        group: &GroupId,
        present: bool,
    ) -> Result<()> {
        self.note(
            permit,
            put(present, &format!("device {}", device.id), group),
        )
    }

    async fn set_category(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
        category: Option<&str>,
    ) -> Result<()> {
        let what = match category {
            Some(category) => format!("set the category of device {} to {category}", device.id),
            None => format!("clear the category of device {}", device.id),
        };
        self.note(permit, what)
    }

    async fn run_script(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
        script: &str,
    ) -> Result<()> {
        let what = format!("run script {script} once on device {}", device.id);
        self.note(permit, what)
    }
}

#[cfg(test)]
mod tests {
    use unstuck_domain::PlanDigest;

    use super::*;

    #[tokio::test]
    async fn everything_is_recorded_in_order_and_nothing_is_done() {
        let record = DryRunRecord::new();
        let (okta, jamf) = (
            DryRun::new("okta", record.clone()),
            DryRun::new("jamf", record.clone()),
        );
        let permit = WritePermit::new(
            PlanDigest::from("d"),
            StepId::from("push.1"),
            Arc::new(|| false),
        );
        let device = MdmDeviceRef {
            id: "7".into(),
            management_id: None,
        };
        jamf.set_group(&permit, &device, &"12".into(), true)
            .await
            .expect("recorded");
        okta.set_group_membership(&permit, &"00g1".into(), &"00u1".into(), false)
            .await
            .expect("recorded");
        let lines: Vec<String> = record.entries().iter().map(WouldDo::to_string).collect();
        assert_eq!(
            lines,
            [
                "jamf: would add device 7 to group 12",
                "okta: would remove user 00u1 from group 00g1",
            ]
        );
    }
}
