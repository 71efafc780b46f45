//! Compares what the bot found with what the generator built, and what arrived at the vendors with what was approved.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;
use simulator::{Platform, RecordedEffect, RequestId, Simulator, World};

use super::picture::Picture;
use crate::{
    domain::{Cause, MicroStepKind, PlannedRepair, VendorCall},
    report::SweepDocument,
};

/// Diagnoses against truths.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Diagnosed {
    /// Device-users that are not managed.
    pub(super) subjects: usize,
    /// Findings of the sweep.
    pub(super) findings: usize,
    /// The cause that was built.
    pub(super) right: usize,
    /// Another one, or none.
    pub(super) wrong: usize,
    /// Not decided, although the wire showed enough.
    pub(super) insufficient: usize,
    /// Managed by id, and yet a finding.
    pub(super) healthy_with_finding: usize,
}

/// Who was managed before anything was done.
pub(super) fn managed_before(world: &World) -> HashMap<(String, String), bool> {
    let desktops = world
        .device_users()
        .into_iter()
        .filter(|view| matches!(view.platform, Platform::Windows | Platform::MacOs));
    desktops
        .map(|view| ((view.device_id, view.user_id), view.managed))
        .collect()
}

/// Judges a sweep.
pub(super) fn diagnosed(
    simulator: &Simulator,
    before: &HashMap<(String, String), bool>,
    document: &SweepDocument,
) -> Diagnosed {
    let found: HashMap<(String, String), Cause> = document
        .findings
        .iter()
        .filter_map(|finding| {
            let key = (
                finding.device_id.as_ref()?.to_string(),
                finding.user_id.as_ref()?.to_string(),
            );
            Some((key, finding.cause))
        })
        .collect();
    let mut judged = Diagnosed {
        subjects: before.values().filter(|managed| !**managed).count(),
        findings: document.findings.len(),
        healthy_with_finding: found
            .keys()
            .filter(|key| before.get(*key) == Some(&true))
            .count(),
        ..Diagnosed::default()
    };
    for truth in simulator.truth().iter().filter(|truth| truth.decidable) {
        let (Some(device), Some(user)) = (&truth.device_id, &truth.user_id) else {
            continue;
        };
        let key = (device.clone(), user.clone());
        if before.get(&key) != Some(&false) {
            continue;
        }
        match found.get(&key) {
            Some(cause) if cause.name() == truth.cause || truth.also.contains(&cause.name()) => {
                judged.right += 1
            }
            Some(Cause::InsufficientEvidence) => judged.insufficient += 1,
            other => {
                tracing::debug!(
                    device.id = %device, built = truth.cause, found = ?other, "the diagnosis is not what was built"
                );
                judged.wrong += 1;
            }
        }
    }
    judged
}

/// Effects against approved plans.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Effects {
    /// Outside every approved plan.
    pub(super) unapproved: usize,
    /// More often than the plan has it.
    pub(super) doubled: usize,
}

/// Judges everything that requests have changed at the vendors so far.
pub(super) fn effects(simulator: &Simulator, picture: &Picture) -> Effects {
    let effects = simulator.ledger().effects();
    let approved: Vec<Approved<'_>> = picture
        .all_planned()
        .map(|planned| Approved::new(simulator.world(), planned.plan))
        .collect();
    judge_effects(&effects, &approved)
}

/// One approved repair and every id that it may touch.
struct Approved<'a> {
    plan: &'a PlannedRepair,
    ids: HashSet<String>,
}

impl<'a> Approved<'a> {
    fn new(world: &World, plan: &'a PlannedRepair) -> Self {
        let mut ids = HashSet::new();
        ids.extend(plan.mdm_device_id.as_ref().map(ToString::to_string));
        ids.extend(plan.management_id.clone());
        if let Some(serial) = &plan.serial_number {
            ids.extend(world.mdm_ids(serial));
        }
        Self { plan, ids }
    }

    /// How often the plan has this effect; `None`: it does not touch this target in this way.
    fn plans(&self, effect: &RecordedEffect) -> Option<usize> {
        let calls = self.plan.steps.iter().filter_map(|step| match &step.kind {
            MicroStepKind::Call(call) => Some(call),
            MicroStepKind::Wait(_) => None,
        });
        let times = calls.filter(|call| self.causes(call, effect)).count();
        (times > 0).then_some(times)
    }

    fn causes(&self, call: &VendorCall, effect: &RecordedEffect) -> bool {
        let kind = effect.kind.as_str();
        let computer = |part: &str| self.ids.contains(part);
        let parts: Vec<&str> = parts(&effect.target).collect();
        match (call, parts.as_slice()) {
            (VendorCall::Sync { .. }, [device]) => {
                computer(device) && matches!(kind, "intune.device.sync" | "jamf.push.blank")
            }
            (VendorCall::RefreshInventory { .. }, [device]) => {
                computer(device) && matches!(kind, "intune.device.sync" | "jamf.command.send")
            }
            (VendorCall::FlushFailedCommands { .. }, [device]) => {
                computer(device) && kind == "jamf.commands.flush"
            }
            (VendorCall::EnablePush { .. }, [device]) => {
                computer(device) && kind == "jamf.push.enable"
            }
            (VendorCall::SetDeviceCategory { .. }, [device]) => {
                computer(device) && kind == "intune.device.category"
            }
            (VendorCall::RunCleanupScript { script, .. }, [device, ran]) => {
                computer(device) && script == ran && kind == "intune.script.run"
            }
            // Either way: what was put in is taken out again, by the plan or by a restore.
            (VendorCall::SetDeviceGroup { group, .. }, [into, member]) => {
                group.as_str() == *into
                    && computer(member)
                    && is_membership(kind, &["jamf", "entra"])
            }
            (VendorCall::SetUserGroup { group, user, .. }, [into, member]) => {
                group.as_str() == *into
                    && user.as_str() == *member
                    && is_membership(kind, &["okta"])
            }
            _ => false,
        }
    }
}

fn is_membership(kind: &str, vendors: &[&str]) -> bool {
    kind.split_once(".group.member.")
        .is_some_and(|(vendor, act)| vendors.contains(&vendor) && matches!(act, "add" | "remove"))
}

fn judge_effects(effects: &[RecordedEffect], approved: &[Approved<'_>]) -> Effects {
    let mut judged = Effects::default();
    let mut seen: BTreeMap<(&str, &str, &str), (BTreeSet<RequestId>, usize)> = BTreeMap::new();
    for effect in effects {
        // What no request caused is the company's own life.
        let Some(request) = effect.request else {
            continue;
        };
        let planned: usize = approved
            .iter()
            .filter_map(|approved| approved.plans(effect))
            .sum();
        if planned == 0 {
            tracing::warn!(kind = %effect.kind, target = %effect.target, "an effect that no approved plan has");
            judged.unapproved += 1;
        }
        // A call that found its target reached has had no effect; one push wakes a computer and its user's channel.
        if effect.changed() {
            let (requests, _) = seen
                .entry((&effect.kind, &effect.target, &effect.after))
                .or_insert((BTreeSet::new(), planned.max(1)));
            requests.insert(request);
        }
    }
    for ((kind, target, after), (requests, planned)) in seen {
        let times = requests.len();
        if times > planned {
            tracing::warn!(
                kind,
                target,
                after,
                times,
                planned,
                "an effect happened more often than it was planned"
            );
            judged.doubled += times - planned;
        }
    }
    judged
}

/// The ids of a target.
pub(super) fn parts(target: &str) -> impl Iterator<Item = &str> {
    target.split('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;

    fn effect(kind: &str, target: &str, before: &str, after: &str) -> RecordedEffect {
        RecordedEffect {
            at: chrono::DateTime::<Utc>::UNIX_EPOCH,
            request: Some(RequestId(1)),
            kind: kind.into(),
            target: target.into(),
            before: before.into(),
            after: after.into(),
        }
    }

    #[test]
    fn an_effect_without_a_plan_is_unapproved() {
        let judged = judge_effects(
            &[effect("okta.group.member.add", "00g1/00u1", "no", "member")],
            &[],
        );
        assert_eq!(
            judged,
            Effects {
                unapproved: 1,
                doubled: 0
            }
        );
    }

    #[test]
    fn the_same_effect_again_is_doubled_and_a_call_without_effect_is_not() {
        let once = effect("jamf.push.blank", "7", "quiet", "pushed");
        let again = RecordedEffect {
            request: Some(RequestId(2)),
            ..once.clone()
        };
        let idle = effect("jamf.group.member.add", "9/7", "member", "member");
        let judged = judge_effects(&[once.clone(), once, again, idle.clone(), idle], &[]);
        assert_eq!(judged.doubled, 1);
    }

    #[test]
    fn what_the_world_does_by_itself_is_not_the_bots() {
        let own = RecordedEffect {
            request: None,
            ..effect("jamf.push.blank", "7", "quiet", "pushed")
        };
        assert_eq!(judge_effects(&[own], &[]), Effects::default());
    }
}
