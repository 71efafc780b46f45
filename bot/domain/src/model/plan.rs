//! An approved plan leaves no choice: exact devices, exact values, exact vendor calls. Its digest is what people approve.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Cause, CertificateStore, DeviceId, GroupId, HardwareKey, ManagementStatus, MdmDeviceId,
    MdmKind, MdmName, OktaDeviceStatus, PlaybookName, ProfileId, StepId, UserId,
};

/// A playbook bound to exact devices. Nothing in it says when it was seen, proposed or decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Playbook.
    pub playbook: PlaybookName,
    /// Lowercase hex SHA-256 of the playbook's file, so that a run keeps the version it was approved with.
    pub playbook_version: String,
    /// What it does, for people.
    pub title: String,
    /// Risk as authored.
    pub risk: Risk,
    /// The cause that it repairs.
    pub cause: Cause,
    /// One entry per computer, in the order of execution.
    pub repairs: Vec<PlannedRepair>,
    /// Waves and their gate.
    pub rollout: Rollout,
    /// Who must decide, and for how long the decision holds.
    pub approval: ApprovalRule,
    /// What proves success, in order, and until when.
    pub verify: VerifyRule,
}

/// Risk of a playbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Converges, can be undone.
    Low,
    /// A person may notice.
    Medium,
    /// Removes something or widens access.
    High,
}

/// Canary waves: cumulative shares of the approved computers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Cumulative sizes, ascending.
    pub waves: Vec<WaveSize>,
    /// What a computer must have reached before the next wave opens.
    pub gate: Hop,
    /// How long a wave may take to pass.
    pub gate_within_seconds: u64,
    /// Pause after a passed gate.
    pub pause_seconds: u64,
    /// Failures (of computers begun so far) that stop the run.
    pub stop_when_failed: WaveSize,
}

/// A number of computers, or a share of the approved ones, rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaveSize {
    /// That many.
    Count(u32),
    /// That share.
    Percent(u8),
}

impl WaveSize {
    /// The number of computers out of `total`, rounded up, never more than `total`.
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Count(count) => (count as usize).min(total),
            Self::Percent(percent) => (total * usize::from(percent)).div_ceil(100).min(total),
        }
    }
}

/// Who must decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRule {
    /// How many different people.
    pub required: u8,
    /// Names of `[approvals.groups]`.
    pub groups: Vec<String>,
    /// Time to decide.
    pub expires_seconds: u64,
    /// Time to execute after the decision.
    pub valid_for_seconds: u64,
    /// Whether a person whose device is affected may approve.
    pub self_approval: bool,
}

/// What proves success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyRule {
    /// Hops in order; the last is always [`Hop::Managed`] for repairs that end in a sign-in.
    pub hops: Vec<Hop>,
    /// Time until the repair ends in a named state.
    pub within_seconds: u64,
}

/// Steps of the proof, from the MDM's word to Okta's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hop {
    /// The MDM says the profile is installed since the run began.
    ProfileDelivered,
    /// The MDM lists a valid certificate issued since the run began.
    CertPresent,
    /// Okta bound a certificate, or a FastPass success showed `managed`.
    CertBound,
    /// Okta says MANAGED by id, proved as in the design, section 2.3.
    Managed,
    /// The MDM was contacted since the run began.
    CheckedIn,
}

/// What happens to one computer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedRepair {
    /// What limits and one-in-flight count.
    pub hardware: HardwareKey,
    /// Name of the computer.
    pub device_name: String,
    /// Serial number as Okta spells it.
    pub serial_number: Option<String>,
    /// MDM.
    pub mdm: Option<MdmName>,
    /// Kind of that MDM.
    pub mdm_kind: Option<MdmKind>,
    /// Its record.
    pub mdm_device_id: Option<MdmDeviceId>,
    /// The second key that commands or groups use.
    pub management_id: Option<String>,
    /// The device-users that are repaired.
    pub subjects: Vec<PlannedSubject>,
    /// What must still be true just before the first step.
    pub preconditions: Preconditions,
    /// The rung of the re-push ladder that was chosen, and why; null where there is no ladder.
    pub rung: Option<Rung>,
    /// The vendor micro-steps, in order.
    pub steps: Vec<MicroStep>,
    /// Every device-user that the steps can change, managed ones too.
    pub affected: Vec<Affected>,
}

/// A device-user that a repair is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedSubject {
    /// Okta device.
    pub device_id: DeviceId,
    /// Okta user.
    pub user_id: UserId,
    /// Login, for people and Slack look-ups.
    pub login: String,
    /// E-mail, for Slack look-ups.
    pub email: Option<String>,
    /// Name, for people.
    pub name: Option<String>,
}

/// Values that are read again by id before the first step; any difference drops the repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preconditions {
    /// `managementStatus` per subject, in the order of `subjects`.
    pub management_status: Vec<ManagementStatus>,
    /// Lifecycle status per subject's device record.
    pub device_status: Vec<OktaDeviceStatus>,
    /// Serial number in the MDM record, normalised.
    pub mdm_serial: Option<String>,
    /// The attestation profile, and whether it was assigned.
    pub profile: Option<ProfileId>,
    /// Delivery state of that profile, as its word.
    pub profile_state: Option<String>,
    /// Serial number or thumbprint of the newest matching certificate listed, if any.
    pub certificate: Option<String>,
    /// Its store.
    pub certificate_store: Option<CertificateStore>,
}

/// A rung of the re-push ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Kebab-case name, for example `jamf-hold-group`.
    pub name: String,
    /// Why this one fits, in one sentence.
    pub because: String,
    /// Whether it removes the profile for a while.
    pub removes: bool,
}

/// A device-user that a plan can change, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// Okta device.
    pub device_id: DeviceId,
    /// Okta user.
    pub user_id: UserId,
    /// Login, for people.
    pub login: String,
    /// Whether it is managed today.
    pub managed: bool,
}

/// One vendor call or one wait. Digest and journal are over these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MicroStep {
    /// Unique within the repair: `push.2`.
    pub id: StepId,
    /// The playbook's step: `push`.
    pub step: String,
    /// The playbook's action: `mdm.redeliver_profile`; `wait_until` for a wait.
    pub action: String,
    /// CEL condition; unknown ends the repair as `dropped(condition_unknown)`, false skips every micro-step of `step`.
    /// Only the first micro-step of a playbook's step carries it: what was begun is not asked again.
    pub condition: Option<String>,
    /// What to do.
    pub kind: MicroStepKind,
    /// What a failure means for the repair.
    pub on_error: OnError,
}

/// What a failed step means for the repair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The repair ends; what was begun is restored.
    #[default]
    Fail,
    /// The next step follows.
    Continue,
}

/// A call or a wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "with", rename_all = "snake_case")]
pub enum MicroStepKind {
    /// A write to a vendor.
    Call(VendorCall),
    /// A wait with a deadline.
    Wait(Wait),
}

/// A write to a vendor. Every variant is an absolute target or is sent at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum VendorCall {
    /// Ask the device to contact its MDM now: Jamf blank push, Intune `syncDevice`.
    Sync {
        /// MDM.
        mdm: MdmName,
        /// Record.
        device: MdmDeviceId,
        /// Second key.
        management_id: Option<String>,
    },
    /// Clear the failed commands of one computer (Jamf), so that what is in scope and missing is pushed again.
    FlushFailedCommands {
        /// MDM.
        mdm: MdmName,
        /// Record.
        device: MdmDeviceId,
    },
    /// Turn push on again for one client (Jamf).
    EnablePush {
        /// MDM.
        mdm: MdmName,
        /// Record.
        device: MdmDeviceId,
        /// Second key.
        management_id: String,
    },
    /// Ask for a new inventory (Jamf `CERTIFICATE_LIST` and `PROFILE_LIST`; Intune `syncDevice`).
    RefreshInventory {
        /// MDM.
        mdm: MdmName,
        /// Record.
        device: MdmDeviceId,
        /// Second key.
        management_id: Option<String>,
    },
    /// Put one computer into, or take it out of, a prepared static group of the MDM.
    SetDeviceGroup {
        /// MDM.
        mdm: MdmName,
        /// Group.
        group: GroupId,
        /// Record.
        device: MdmDeviceId,
        /// Second key (Entra's `deviceId`).
        management_id: Option<String>,
        /// In or out.
        present: bool,
        /// Whether being in takes something away that must be given back.
        hold: bool,
    },
    /// Set the device category that an exclude filter names, or set the old one back (Intune).
    SetDeviceCategory {
        /// MDM.
        mdm: MdmName,
        /// Record.
        device: MdmDeviceId,
        /// The category to set, by name; null: none.
        category: Option<String>,
        /// Whether this begins a hold.
        hold: bool,
    },
    /// Run the prepared script that removes dead certificates (Intune, Windows). Once.
    RunCleanupScript {
        /// MDM.
        mdm: MdmName,
        /// Record.
        device: MdmDeviceId,
        /// Script.
        script: String,
    },
    /// Put one user into, or take them out of, a prepared Okta group.
    SetUserGroup {
        /// Group.
        group: GroupId,
        /// User.
        user: UserId,
        /// In or out.
        present: bool,
    },
    /// Send one direct message in Slack. Once.
    DirectMessage {
        /// To whom.
        user: UserId,
        /// Which device it is about.
        device: DeviceId,
        /// What it says.
        purpose: MessagePurpose,
    },
}

/// What a direct message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessagePurpose {
    /// A repair of the person's computer begins.
    AnnounceRepair,
    /// The person is asked to sign in once with FastPass; reminders are covered by it.
    RequestFastpassSignIn,
}

/// Whether a call may be sent again after an unclear answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// An absolute target: read back, then send again if it is not reached.
    Converges,
    /// Sent at most once: unclear is read back by its marker, else a person is asked.
    Once,
}

impl VendorCall {
    /// Whether it may be sent again after a read-back.
    pub fn repeat(&self) -> Repeat {
        match self {
            Self::RunCleanupScript { .. } | Self::DirectMessage { .. } => Repeat::Once,
            _ => Repeat::Converges,
        }
    }

    /// Whether it takes something away that must be given back.
    pub fn begins_hold(&self) -> bool {
        matches!(
            self,
            Self::SetDeviceGroup {
                hold: true,
                present: true,
                ..
            } | Self::SetDeviceCategory { hold: true, .. }
        )
    }
}

/// A wait with a deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// For what.
    pub until: WaitUntil,
    /// Deadline after the wait began.
    pub within_seconds: u64,
    /// What happens at the deadline.
    pub on_timeout: OnTimeout,
}

/// What a wait is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "until", rename_all = "snake_case")]
pub enum WaitUntil {
    /// A CEL expression over the subject, read again.
    Expression {
        /// The expression.
        cel: String,
    },
    /// The MDM acknowledged the removal of the profile after the hold began.
    ProfileRemoved {
        /// MDM.
        mdm: MdmName,
        /// Record.
        device: MdmDeviceId,
        /// Profile.
        profile: ProfileId,
    },
    /// The MDM acknowledged the delivery of the profile after the hold ended.
    ProfileInstalled {
        /// MDM.
        mdm: MdmName,
        /// Record.
        device: MdmDeviceId,
        /// Profile.
        profile: ProfileId,
    },
    /// The prepared script reported its result after it was sent.
    ScriptFinished {
        /// MDM.
        mdm: MdmName,
        /// Record.
        device: MdmDeviceId,
        /// Script.
        script: String,
    },
    /// Nothing but the time itself: the deadline is the pause. Entra's group changes reach Intune after minutes.
    Elapsed,
    /// The device contacted its MDM after the step before.
    CheckedIn {
        /// MDM.
        mdm: MdmName,
        /// Record.
        device: MdmDeviceId,
    },
}

/// What happens when a wait ends without what it waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// Go on with the next step.
    Continue,
    /// Restore what was begun and end as not fixed.
    Restore,
    /// End as not fixed.
    Fail,
}

/// When a device-user was last managed, and when a run began in a source's own time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTimes {
    /// Source name → its time when the run began.
    pub began: std::collections::BTreeMap<String, DateTime<Utc>>,
}
