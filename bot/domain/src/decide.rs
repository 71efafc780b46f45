//! From observations to findings and proposals in one call: correlate, detect, diagnose, match, plan, guard.
//!
//! Plain data in, plain data out. Each subject that ends in no proposal has exactly one `why_not`, the first that holds
//! in the order of the design, section 8.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::{
    Cause, DeviceId, Finding, GroupId, HardwareKey, MdmName, Observations, PlannedRepair,
    PlaybookName, Subject, UserId, Want, WhyNot,
    correlate::ManualLink,
    detect::{self, Counts, DetectSettings},
    findings::{self, Case, Findings},
    fleet_gate::{self, FleetFinding, FleetState, Gated},
    guard::{self, Group, GuardInput, GuardOutput, GuardState, ProposalChange, SafetySettings},
    planning::{self, Candidate, NotPlanned, PlanContext},
    playbook::{
        Playbook, facts,
        matching::{Matched, match_playbook},
    },
};

/// Asks until when a repair was denied.
pub type Denied<'a> =
    &'a (dyn Fn(&PlannedRepair, &PlaybookName, Cause) -> Option<DateTime<Utc>> + Sync);

/// Everything that a decision rests on.
pub struct DecideInput<'a> {
    /// Now, on our own clock.
    pub now: DateTime<Utc>,
    /// When the next sweep is due.
    pub next_look: DateTime<Utc>,
    /// Start of the next day in the site's time zone.
    pub tomorrow: DateTime<Utc>,
    /// What was seen.
    pub observations: &'a Observations,
    /// Links that a person made.
    pub links: &'a [ManualLink],
    /// Detection.
    pub detect: &'a DetectSettings,
    /// Playbooks, in their order.
    pub playbooks: &'a [Playbook],
    /// `[okta] fastpass_group`
    pub fastpass_group: Option<&'a GroupId>,
    /// `[okta] sign_in_app`
    pub sign_in_app: Option<&'a str>,
    /// Safety.
    pub safety: &'a SafetySettings,
    /// What the store knows.
    pub state: &'a GuardState,
    /// Sources that were not read whole, with the reason.
    pub incomplete: &'a BTreeMap<String, String>,
    /// Since when each device-user is known to be stuck.
    pub stuck_since: &'a HashMap<(DeviceId, UserId), DateTime<Utc>>,
    /// The causes on which enough sweeps agree, this one included (`[detect] confirmations`); `None`: this one is enough.
    pub agreed: Option<&'a HashMap<(DeviceId, UserId), Cause>>,
    /// Until when a person's "no" keeps a repair out.
    pub denied: Denied<'a>,
    /// What the store knows of causes that hit many computers at once.
    pub fleet: &'a FleetState,
}

/// What was decided.
#[derive(Debug)]
pub struct Decided {
    /// Numbers.
    pub counts: Counts,
    /// One per not-managed device-user in scope.
    pub findings: Vec<Finding>,
    /// Records without a device-user.
    pub unlinked: Vec<Finding>,
    /// Managed device-users whose certificate expired or soon does.
    pub upcoming: Vec<Finding>,
    /// Causes that hit many computers at once, and what is new.
    pub fleet: Gated,
    /// Proposals to open, revise or keep, and who is left out.
    pub guard: GuardOutput,
    /// Computer of each device-user with a finding.
    pub hardware: HashMap<(DeviceId, UserId), HardwareKey>,
    /// Devices to read by id, the most useful first.
    pub confirm: Vec<DeviceId>,
    /// Other evidence that would sharpen a diagnosis.
    pub wants: Vec<Want>,
}

/// Decides about one sweep.
pub fn decide(input: &DecideInput<'_>) -> Decided {
    let mut found = findings::findings(input.observations, input.links, input.detect);
    let mut groups: BTreeMap<(usize, Cause, HardwareKey), Vec<usize>> = BTreeMap::new();
    let gated = fleet_gate::gate(&found, input.fleet, input.incomplete.is_empty());
    carry_fleet_causes(&mut found, &gated);
    for (index, case) in found.findings.iter_mut().enumerate() {
        if let Some(playbook) = consider(input, case, gated.holder(index)) {
            groups
                .entry((
                    playbook,
                    case.diagnosis.cause,
                    case.subject.hardware.clone(),
                ))
                .or_default()
                .push(index);
        }
    }
    let mut candidates: BTreeMap<(usize, Cause), Vec<Candidate>> = BTreeMap::new();
    for ((playbook, cause, _), members) in groups {
        let context = PlanContext {
            cause,
            fastpass_group: input.fastpass_group,
            sign_in_app: input.sign_in_app,
            fleet: &found.fleet,
        };
        let subjects: Vec<Subject<'_>> = members
            .iter()
            .map(|index| found.findings[*index].subject.clone())
            .collect();
        match planning::plan_repair(&input.playbooks[playbook], &subjects, &context) {
            Ok(repair) => {
                let playbook_name = &input.playbooks[playbook].name;
                if let Some(until) = (input.denied)(&repair, playbook_name, cause) {
                    for index in members {
                        let finding = &mut found.findings[index].finding;
                        leave_out(
                            finding,
                            WhyNot::Denied,
                            "a person said no".to_owned(),
                            Some(until),
                        );
                    }
                    continue;
                }
                let blocked = members
                    .iter()
                    .any(|index| found.findings[*index].finding.blocked);
                let stuck_since = members
                    .iter()
                    .filter_map(|index| since(input, &found.findings[*index]))
                    .min();
                candidates
                    .entry((playbook, cause))
                    .or_default()
                    .push(Candidate {
                        repair,
                        blocked,
                        stuck_since,
                    });
            }
            Err(NotPlanned { why, detail }) => {
                for index in members {
                    leave_out(
                        &mut found.findings[index].finding,
                        why,
                        detail.clone(),
                        Some(input.next_look),
                    );
                }
            }
        }
    }
    let groups = candidates
        .into_iter()
        .map(|((playbook, cause), candidates)| Group {
            playbook: &input.playbooks[playbook],
            cause,
            candidates,
        })
        .collect();
    let guarded = guard::guard(GuardInput {
        now: input.now,
        next_look: input.next_look,
        tomorrow: input.tomorrow,
        settings: input.safety,
        state: input.state,
        incomplete: input.incomplete,
        groups,
    });
    let hardware = found
        .findings
        .iter()
        .filter_map(|case| Some((key(&case.finding)?, case.subject.hardware.clone())));
    let hardware = hardware.collect();
    apply(
        input,
        &guarded,
        found.findings.iter_mut().map(|case| &mut case.finding),
    );
    let plain = |cases: Vec<Case<'_>>| cases.into_iter().map(|case| case.finding).collect();
    Decided {
        counts: found.counts,
        findings: plain(found.findings),
        unlinked: plain(found.unlinked),
        upcoming: plain(found.upcoming),
        fleet: gated,
        guard: guarded,
        hardware,
        confirm: found.confirm,
        wants: found.wants,
    }
}

/// Members that are held carry the fleet finding's cause; what they show themselves stays in their evidence.
fn carry_fleet_causes(found: &mut Findings<'_>, gated: &Gated) {
    let counts = &mut found.counts;
    for (index, case) in found.findings.iter_mut().enumerate() {
        let Some(fleet) = gated.holder(index) else {
            continue;
        };
        let settling = case.finding.why_not == Some(WhyNot::Settling);
        if case.finding.cause == Cause::FastpassNoSigninSinceCert && !settling {
            counts.proof_pending -= 1;
            counts.stuck += 1;
        }
        fleet.mark(&mut case.finding);
    }
}

/// Sets the playbook and what can be said before planning; `Some`: plan it with that playbook. Nothing is planned for a
/// member of a fleet finding.
fn consider(
    input: &DecideInput<'_>,
    case: &mut Case<'_>,
    held_by: Option<&FleetFinding>,
) -> Option<usize> {
    let finding = &mut case.finding;
    let judged = facts::facts(&case.subject, &*finding);
    let kind = case.subject.mdm.map(|mdm| mdm.kind);
    let matched = match_playbook(
        input.playbooks,
        finding.cause,
        finding.platform,
        kind,
        &judged,
    );
    let playbook = matched.playbook().filter(|_| held_by.is_none());
    finding.playbook = playbook.map(|playbook| playbook.name.clone());
    if finding.why_not == Some(WhyNot::Settling) {
        return None;
    }
    if waits_for_agreement(input, finding) {
        let detail = "waits for another complete sweep, at least 1 h later, that agrees".to_owned();
        leave_out(finding, WhyNot::Settling, detail, Some(input.next_look));
        return None;
    }
    if let Some((source, reason)) = missing_source(input, finding) {
        leave_out(
            finding,
            WhyNot::SourceIncomplete,
            format!("{source}: {reason}"),
            Some(input.next_look),
        );
        return None;
    }
    if let Some(fleet) = held_by {
        let next_look = Some(input.next_look);
        leave_out(finding, WhyNot::HeldByFleetFinding, fleet.line(), next_look);
        return None;
    }
    if finding.why_not.is_some() {
        return None;
    }
    match matched {
        Matched::Playbook(_) if detect::may_be_excluded(&case.subject, input.detect) => {
            let detail = "[exclusions] names groups, and those of this person were not read";
            leave_out(
                finding,
                WhyNot::ConditionUnknown,
                detail.to_owned(),
                Some(input.next_look),
            );
            None
        }
        Matched::Playbook(playbook) => input
            .playbooks
            .iter()
            .position(|one| one.name == playbook.name),
        Matched::NoPlaybook => {
            leave_out(
                finding,
                WhyNot::NoPlaybook,
                "a person follows the written guide".to_owned(),
                None,
            );
            None
        }
        Matched::ConditionUnknown(_, which) => {
            leave_out(
                finding,
                WhyNot::ConditionUnknown,
                which,
                Some(input.next_look),
            );
            None
        }
        Matched::ConditionFalse(_, which) => {
            leave_out(
                finding,
                WhyNot::ConditionFalse,
                which,
                Some(input.next_look),
            );
            None
        }
    }
}

/// A finding that no earlier sweep knows, or that it knew with another cause, waits too: absence is no agreement.
fn waits_for_agreement(input: &DecideInput<'_>, finding: &Finding) -> bool {
    let (Some(agreed), Some(key)) = (input.agreed, key(finding)) else {
        return false;
    };
    agreed.get(&key) != Some(&finding.cause)
}

/// The incomplete source that a finding depends on: Okta and its log always; an MDM for subjects matched to it, to no
/// MDM, or known to it in the last complete sweep.
fn missing_source<'a>(input: &DecideInput<'a>, finding: &Finding) -> Option<(&'a str, &'a str)> {
    let all = ["okta", "log"].into_iter();
    if let Some((source, reason)) = all
        .filter_map(|source| input.incomplete.get_key_value(source))
        .next()
    {
        return Some((source, reason));
    }
    let last_known = finding
        .device_id
        .as_ref()
        .and_then(|device| input.state.last_known_mdm.get(device));
    if let Some((source, reason)) =
        last_known.and_then(|mdm| input.incomplete.get_key_value(mdm.as_str()))
    {
        return Some((source, reason));
    }
    let (source, reason) = match &finding.mdm {
        Some(mdm) => input.incomplete.get_key_value(mdm.as_str())?,
        None => {
            let manages = |name: &str| {
                let mdm = input
                    .observations
                    .mdms
                    .iter()
                    .find(|mdm| mdm.name == MdmName::from(name));
                mdm.is_none_or(|mdm| mdm.platforms.contains(&finding.platform))
            };
            input.incomplete.iter().find(|(name, _)| manages(name))?
        }
    };
    Some((source, reason))
}

/// Writes the guard's word into the findings.
fn apply<'f>(
    input: &DecideInput<'_>,
    guarded: &GuardOutput,
    findings: impl Iterator<Item = &'f mut Finding>,
) {
    let mut proposed: HashSet<(DeviceId, UserId)> = HashSet::new();
    for change in &guarded.changes {
        let plan = match change {
            ProposalChange::Open { plan } | ProposalChange::Revise { plan, .. } => Some(plan),
            ProposalChange::Keep { id, .. } => input
                .state
                .open
                .iter()
                .find(|open| open.id == *id)
                .map(|open| &open.plan),
        };
        let subjects = plan
            .into_iter()
            .flat_map(|plan| &plan.repairs)
            .flat_map(|repair| &repair.subjects);
        proposed
            .extend(subjects.map(|subject| (subject.device_id.clone(), subject.user_id.clone())));
    }
    let left_out: HashMap<(DeviceId, UserId), usize> = guarded
        .left_out
        .iter()
        .enumerate()
        .flat_map(|(index, left)| {
            left.subjects
                .iter()
                .map(move |subject| (subject.clone(), index))
        })
        .collect();
    for finding in findings {
        let Some(key) = key(finding) else { continue };
        if proposed.contains(&key) {
            finding.why_not = None;
            finding.why_not_detail = None;
            finding.retry_at = None;
        } else if let Some(left) = left_out.get(&key).map(|index| &guarded.left_out[*index]) {
            leave_out(finding, left.why, left.detail.clone(), Some(left.retry_at));
        }
    }
}

fn since(input: &DecideInput<'_>, case: &Case<'_>) -> Option<DateTime<Utc>> {
    input.stuck_since.get(&key(&case.finding)?).copied()
}

fn key(finding: &Finding) -> Option<(DeviceId, UserId)> {
    Some((finding.device_id.clone()?, finding.user_id.clone()?))
}

fn leave_out(finding: &mut Finding, why: WhyNot, detail: String, retry_at: Option<DateTime<Utc>>) {
    finding.why_not = Some(why);
    finding.why_not_detail = Some(detail);
    finding.retry_at = retry_at;
}
