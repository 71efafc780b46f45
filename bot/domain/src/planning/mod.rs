//! Binds a playbook to exact devices, values, vendor micro-steps and preconditions. A plan leaves no choice.

use chrono::{DateTime, Utc};

use crate::certificate::{Issuers, chosen};
use crate::correlate::{FleetIndex, normalise};
use crate::playbook::action::Action;
use crate::playbook::facts::{profile_word, reachable};
use crate::playbook::{Playbook, Step, StepKind};
use crate::{
    Affected, Cause, DeviceId, GroupId, HardwareKey, ManagementStatus, MatchStrength,
    MdmCertificate, MdmDevice, MdmObservation, MicroStep, MicroStepKind, OktaDevice,
    OktaDeviceUser, Plan, PlannedRepair, PlannedSubject, Preconditions, Rung, StepId, Subject,
    UserStatus, VendorCall, Wait, WaitUntil, WhyNot,
};

pub mod access;
mod affected;
mod ladder;
pub mod profile;
#[cfg(test)]
pub(crate) mod samples;
mod steps;

/// What planning needs besides the subjects.
#[derive(Debug, Clone, Copy)]
pub struct PlanContext<'a, 'o> {
    /// The cause that is repaired.
    pub cause: Cause,
    /// `[okta] fastpass_group`
    pub fastpass_group: Option<&'a GroupId>,
    /// `[okta] sign_in_app`: messages link it where it is set.
    pub sign_in_app: Option<&'a str>,
    /// Who uses what.
    pub fleet: &'a FleetIndex<'o>,
}

/// Why there is no plan for a computer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct NotPlanned {
    /// The word.
    pub why: WhyNot,
    /// The reason, for people.
    pub detail: String,
}

impl NotPlanned {
    fn impossible(detail: impl Into<String>) -> Self {
        Self {
            why: WhyNot::NotPossibleHere,
            detail: detail.into(),
        }
    }

    fn not_configured(detail: impl Into<String>) -> Self {
        Self {
            why: WhyNot::RepairNotConfigured,
            detail: detail.into(),
        }
    }
}

/// What a step of the playbook becomes.
#[derive(Debug, Default)]
struct Expansion {
    kinds: Vec<(&'static str, MicroStepKind)>,
    affected: Vec<Affected>,
    rung: Option<Rung>,
}

/// One computer with its record, as the steps address it.
struct Computer<'a, 's> {
    subjects: &'s [&'s Subject<'a>],
    hardware: &'s HardwareKey,
    context: &'s PlanContext<'s, 'a>,
}

impl<'a> Computer<'a, '_> {
    /// Any subject of it; the record and the MDM are the same for all.
    fn first(&self) -> &Subject<'a> {
        self.subjects[0]
    }

    fn managed(&self) -> Result<(&'a MdmObservation, &'a MdmDevice), NotPlanned> {
        let subject = self.first();
        match (subject.mdm, subject.record, subject.strength) {
            (Some(mdm), Some(record), MatchStrength::Strong) => Ok((mdm, record)),
            (Some(_), Some(_), _) => Err(NotPlanned {
                why: WhyNot::WeakMatch,
                detail: "Okta's and the MDM's record agree in user, model and name only, not in serial number or hardware UUID".to_owned(),
            }),
            _ => Err(NotPlanned {
                why: WhyNot::NoMatch,
                detail: "no record in a connected MDM".to_owned(),
            }),
        }
    }

    fn affected(&self) -> Result<Vec<Affected>, NotPlanned> {
        affected::of_computer(self.context.fleet, self.hardware, self.subjects)
    }
}

/// Plans the repair of one computer. `subjects` are its device-users that have the cause; none is left out silently.
///
/// # Panics
/// If `subjects` is empty or names more than one computer: both are mistakes of the caller.
pub fn plan_repair<'o>(
    playbook: &Playbook,
    subjects: &[Subject<'o>],
    context: &PlanContext<'_, 'o>,
) -> Result<PlannedRepair, NotPlanned> {
    assert!(!subjects.is_empty(), "a repair has subjects");
    let mut ordered: Vec<&Subject<'o>> = subjects.iter().collect();
    ordered.sort_by_key(|subject| {
        (
            subject.device.map(|device| &device.id),
            link_of(subject).map(|link| &link.user_id),
        )
    });
    let hardware = &ordered[0].hardware;
    assert!(
        ordered.iter().all(|subject| subject.hardware == *hardware),
        "a repair is about one computer"
    );

    let planned: Vec<PlannedSubject> = ordered
        .iter()
        .map(|subject| planned_subject(subject))
        .collect::<Option<_>>()
        .ok_or_else(|| NotPlanned::impossible("no user is linked to the record"))?;
    if playbook.talks_to_user()
        && ordered
            .iter()
            .all(|subject| reachable(subject) == Some(false))
    {
        return Err(NotPlanned {
            why: WhyNot::UserUnreachable,
            detail: unreachable_reason(ordered[0]),
        });
    }

    let computer = Computer {
        subjects: &ordered,
        hardware,
        context,
    };
    let mut steps = Vec::new();
    let mut affected = Vec::new();
    let mut rung = None;
    for step in &playbook.steps {
        let expansion = expand(step, &computer)?;
        affected.extend(expansion.affected);
        rung = rung.or(expansion.rung);
        steps.extend(micro_steps(step, expansion.kinds));
    }
    let first = ordered[0];
    Ok(PlannedRepair {
        hardware: hardware.clone(),
        device_name: device_name(first),
        serial_number: first.device.and_then(|device| device.serial_number.clone()),
        mdm: first.mdm.map(|mdm| mdm.name.clone()),
        mdm_kind: first.mdm.map(|mdm| mdm.kind),
        mdm_device_id: first.record.map(|record| record.id.clone()),
        management_id: first.record.and_then(|record| record.management_id.clone()),
        subjects: planned,
        preconditions: preconditions(&ordered),
        rung,
        steps,
        affected: affected::join(affected),
    })
}

/// A planned repair with what orders it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The repair.
    pub repair: PlannedRepair,
    /// Whether a user of it is denied right now.
    pub blocked: bool,
    /// Since when it is stuck; `None`: not known, which counts as least long.
    pub stuck_since: Option<DateTime<Utc>>,
}

impl Candidate {
    /// Orders candidates: user blocked now, longest stuck, device id. Never at random.
    pub fn order(&self, other: &Self) -> std::cmp::Ordering {
        let key = |one: &Self| (!one.blocked, one.stuck_since.is_none(), one.stuck_since);
        key(self)
            .cmp(&key(other))
            .then_with(|| self.device_id().cmp(&other.device_id()))
            .then_with(|| self.repair.hardware.cmp(&other.repair.hardware))
    }

    fn device_id(&self) -> Option<&DeviceId> {
        self.repair
            .subjects
            .first()
            .map(|subject| &subject.device_id)
    }
}

/// Joins repairs of one cause into a plan, in the order of execution.
pub fn assemble(playbook: &Playbook, cause: Cause, mut candidates: Vec<Candidate>) -> Plan {
    candidates.sort_by(Candidate::order);
    Plan {
        playbook: playbook.name.clone(),
        playbook_version: playbook.version.clone(),
        title: playbook.title.clone(),
        risk: playbook.risk,
        cause,
        repairs: candidates
            .into_iter()
            .map(|candidate| candidate.repair)
            .collect(),
        rollout: playbook.rollout.clone(),
        approval: playbook.approval.clone(),
        verify: playbook.verify.clone(),
    }
}

fn expand(step: &Step, computer: &Computer<'_, '_>) -> Result<Expansion, NotPlanned> {
    match &step.kind {
        StepKind::Wait {
            until,
            within_seconds,
            on_timeout,
        } => Ok(Expansion {
            kinds: vec![(
                "wait_until",
                MicroStepKind::Wait(Wait {
                    until: WaitUntil::Expression {
                        cel: until.source().to_owned(),
                    },
                    within_seconds: *within_seconds,
                    on_timeout: *on_timeout,
                }),
            )],
            ..Expansion::default()
        }),
        StepKind::Act { action, with } => match action {
            Action::AnnounceRepair => {
                steps::message(computer, crate::MessagePurpose::AnnounceRepair)
            }
            Action::RequestFastpassSignIn => {
                steps::message(computer, crate::MessagePurpose::RequestFastpassSignIn)
            }
            Action::Sync => steps::sync(computer),
            Action::RefreshInventory => steps::refresh_inventory(computer),
            Action::RedeliverProfile => ladder::redeliver(computer, with),
            Action::ResendFailedProfile => steps::resend_failed(computer, with),
            Action::MoveToMachineStore => steps::move_to_machine_store(computer, with),
            Action::AssignProfile => steps::assign_profile(computer, with),
            Action::AssignFastpassGroup => steps::assign_fastpass_group(computer),
        }
        .map(|mut expansion| {
            for (name, kind) in &mut expansion.kinds {
                if matches!(kind, MicroStepKind::Call(_)) {
                    *name = action.name();
                }
            }
            expansion
        }),
    }
}

/// Numbers the micro-steps of a step. The condition stands at the first one: what was begun is not asked again.
fn micro_steps(
    step: &Step,
    kinds: Vec<(&'static str, MicroStepKind)>,
) -> impl Iterator<Item = MicroStep> {
    kinds
        .into_iter()
        .enumerate()
        .map(|(index, (action, kind))| MicroStep {
            id: StepId::new(format!("{}.{}", step.id, index + 1)),
            step: step.id.clone(),
            action: action.to_owned(),
            condition: step
                .condition
                .as_ref()
                .filter(|_| index == 0)
                .map(|condition| condition.source().to_owned()),
            kind,
            on_error: step.on_error,
        })
}

fn call(call: VendorCall) -> (&'static str, MicroStepKind) {
    ("", MicroStepKind::Call(call))
}

fn wait(
    until: WaitUntil,
    within_seconds: u64,
    on_timeout: crate::OnTimeout,
) -> (&'static str, MicroStepKind) {
    (
        "wait_until",
        MicroStepKind::Wait(Wait {
            until,
            within_seconds,
            on_timeout,
        }),
    )
}

fn link_of<'a>(subject: &Subject<'a>) -> Option<&'a OktaDeviceUser> {
    subject.user.map(|user| &user.link).or(subject.link)
}

fn planned_subject(subject: &Subject<'_>) -> Option<PlannedSubject> {
    let (device, link) = (subject.device?, link_of(subject)?);
    Some(PlannedSubject {
        device_id: device.id.clone(),
        user_id: link.user_id.clone(),
        login: link.login.clone(),
        email: link.email.clone(),
        name: link.name.clone(),
    })
}

fn device_name(subject: &Subject<'_>) -> String {
    subject
        .record
        .map(|record| record.name.clone())
        .filter(|name| !name.is_empty())
        .or_else(|| subject.device.map(|device| device.display_name.clone()))
        .unwrap_or_default()
}

fn unreachable_reason(subject: &Subject<'_>) -> String {
    match subject.user {
        Some(user) if user.status != UserStatus::Active => {
            "the user's account is not ACTIVE".to_owned()
        }
        Some(user) => match user.last_login {
            Some(at) => format!("the user last signed in on {}", at.format("%Y-%m-%d")),
            None => "no address of the user is known".to_owned(),
        },
        None => "the user's account was not read".to_owned(),
    }
}

/// The certificate that Okta Verify would take, as the record lists it.
pub(crate) fn listed_certificate(record: &MdmDevice) -> Option<&MdmCertificate> {
    chosen(record.certificates.as_deref()?, &Issuers::default())
}

/// The name of a certificate in plans: its serial number, else its thumbprint.
pub(crate) fn certificate_id(certificate: &MdmCertificate) -> Option<&str> {
    certificate
        .serial_number
        .as_deref()
        .or(certificate.thumbprint.as_deref())
}

fn preconditions(ordered: &[&Subject<'_>]) -> Preconditions {
    let first = ordered[0];
    let attestation = first
        .mdm
        .zip(first.record)
        .and_then(|(mdm, record)| profile::attestation_profile(mdm, record));
    let certificate = first.record.and_then(listed_certificate);
    let status = |device: &OktaDevice| device.status.clone();
    Preconditions {
        management_status: ordered
            .iter()
            .filter_map(|subject| link_of(subject))
            .map(|link| {
                link.management_status
                    .unwrap_or(ManagementStatus::NotManaged)
            })
            .collect(),
        device_status: ordered
            .iter()
            .filter_map(|subject| subject.device)
            .map(status)
            .collect(),
        mdm_serial: first
            .record
            .and_then(|record| record.serial_number.as_deref())
            .and_then(normalise),
        profile: attestation.map(|chosen| chosen.profile.id.clone()),
        profile_state: attestation
            .and_then(|chosen| profile_word(chosen.state()))
            .map(str::to_owned),
        certificate: certificate.and_then(certificate_id).map(str::to_owned),
        certificate_store: certificate.and_then(|certificate| certificate.store),
    }
}

#[cfg(test)]
mod tests;
