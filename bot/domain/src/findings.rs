//! One sweep's answer: counts, findings, what is unlinked, what is about to expire, and what to read next.

#[cfg(test)]
mod tests;
mod unlinked;
mod upcoming;

use std::collections::BTreeSet;

use crate::{
    Cause, DeviceId, Diagnosis, Finding, MatchStrength, Observations, Platform, Subject, Want,
    WhyNot,
    correlate::{self, FleetIndex, ManualLink},
    detect::{self, Candidate, DetectSettings, Scope, Urgency},
    diagnose::{self, Fleet},
};

pub use crate::detect::Counts;

/// One entry of a sweep, with what matching and planning need beside it.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// The entry as it is shown.
    pub finding: Finding,
    /// What it is about.
    pub subject: Subject<'a>,
    /// The whole diagnosis.
    pub diagnosis: Diagnosis,
}

/// Everything that detection and diagnosis say about one sweep.
#[derive(Debug)]
pub struct Findings<'a> {
    /// What they were made of.
    pub observations: &'a Observations,
    /// Numbers.
    pub counts: Counts,
    /// One per not-managed device-user in scope, settling ones included, by device and user.
    pub findings: Vec<Case<'a>>,
    /// Records without a twin on the other side, or without a user.
    pub unlinked: Vec<Case<'a>>,
    /// Managed device-users whose certificate expired or soon does.
    pub upcoming: Vec<Case<'a>>,
    /// Devices to read by id, the most useful first.
    pub confirm: Vec<DeviceId>,
    /// Other evidence that would sharpen a diagnosis.
    pub wants: Vec<Want>,
    /// Who else is on a computer, and what else a person has.
    pub fleet: FleetIndex<'a>,
}

/// Correlates, detects and diagnoses.
pub fn findings<'a>(
    observations: &'a Observations,
    links: &[ManualLink],
    settings: &DetectSettings,
) -> Findings<'a> {
    let correlated = correlate::correlate(observations, links);
    let upcoming = upcoming::cases(&correlated, settings);
    let unlinked = unlinked::cases(&correlated, settings);
    let mut counts = Counts {
        okta_devices: observations.okta.devices.len(),
        device_users: correlated.managed.len() + correlated.subjects.len(),
        managed: correlated.managed.len(),
        not_managed: correlated.subjects.len(),
        stale_list: correlated
            .managed
            .iter()
            .filter(|user| user.stale_list)
            .count(),
        ..Counts::default()
    };
    let mut cases = Vec::with_capacity(correlated.subjects.len());
    // A managed device-user costs a read only if something would be done about it.
    let mut candidates: BTreeSet<Candidate> = upcoming
        .iter()
        .filter(|case| settings.playbook_causes.contains(&case.diagnosis.cause))
        .filter_map(|case| candidate(&case.subject, &case.diagnosis, Urgency::Upcoming, settings))
        .collect();
    let mut wants: BTreeSet<Want> = BTreeSet::new();
    let index = Fleet::new(observations);
    for subject in correlated.subjects {
        let scope = detect::scope(&subject, settings);
        if matches!(scope, Scope::OutOfScope(_) | Scope::StaleList) {
            counts.out_of_scope += 1;
            continue;
        }
        let (diagnosis, blocked) = diagnose::examine(&subject, settings, &index);
        match (&scope, diagnosis.cause) {
            (Scope::Settling { .. }, _) => counts.settling += 1,
            (_, Cause::FastpassNoSigninSinceCert) => counts.proof_pending += 1,
            _ => counts.stuck += 1,
        }
        let urgency = match scope {
            Scope::Settling { .. } => Urgency::Settling,
            _ => Urgency::Stuck,
        };
        candidates.extend(candidate(&subject, &diagnosis, urgency, settings));
        wants.extend(diagnosis.wants.iter().cloned());
        let finding = finding(&subject, &diagnosis, &scope, blocked);
        cases.push(Case {
            finding,
            subject,
            diagnosis,
        });
    }
    cases.sort_by(order);
    Findings {
        observations,
        counts,
        findings: cases,
        unlinked,
        upcoming,
        confirm: in_order(candidates),
        wants: wants.into_iter().collect(),
        fleet: correlated.fleet,
    }
}

fn order(a: &Case<'_>, b: &Case<'_>) -> std::cmp::Ordering {
    let (a, b) = (&a.finding, &b.finding);
    (&a.device_id, &a.user_id, &a.mdm, &a.mdm_device_id).cmp(&(
        &b.device_id,
        &b.user_id,
        &b.mdm,
        &b.mdm_device_id,
    ))
}

fn candidate(
    subject: &Subject<'_>,
    diagnosis: &Diagnosis,
    urgency: Urgency,
    settings: &DetectSettings,
) -> Option<Candidate> {
    let device = subject.device.filter(|_| subject.user.is_none())?;
    let observations = subject.observations;
    // A read that holds and lacks the user has already dropped the link.
    let last_read = observations
        .okta
        .confirmed
        .get(&device.id)
        .map(|read| read.read_at);
    Some(Candidate {
        urgency,
        without_playbook: !settings.playbook_causes.contains(&diagnosis.cause),
        last_read,
        device: device.id.clone(),
    })
}

/// Each device once, at its best place.
fn in_order(candidates: BTreeSet<Candidate>) -> Vec<DeviceId> {
    let mut seen = BTreeSet::new();
    candidates
        .into_iter()
        .map(|candidate| candidate.device)
        .filter(|device| seen.insert(device.clone()))
        .collect()
}

/// The entry of a device-user, with the first reason against a repair that is known here.
fn finding(subject: &Subject<'_>, diagnosis: &Diagnosis, scope: &Scope, blocked: bool) -> Finding {
    let confirmed = subject.user.is_some();
    let strength = subject.strength;
    let (why_not, detail, retry_at) = match scope {
        Scope::Settling { until, after } => {
            let detail = format!("less than the grace has passed since {after}");
            (Some(WhyNot::Settling), Some(detail), Some(*until))
        }
        _ if diagnosis.cause == Cause::InsufficientEvidence => {
            let because = diagnose::undecided_because(diagnosis).map(str::to_owned);
            (Some(WhyNot::InsufficientEvidence), because, None)
        }
        _ if strength == MatchStrength::None => (Some(WhyNot::NoMatch), None, None),
        _ if strength == MatchStrength::Weak => (Some(WhyNot::WeakMatch), None, None),
        _ if !confirmed => (Some(WhyNot::Unconfirmed), None, None),
        _ => (None, None, None),
    };
    Finding {
        blocked,
        confirmed,
        why_not,
        why_not_detail: detail,
        retry_at,
        ..shell(subject, diagnosis)
    }
}

/// The fields that every kind of entry has.
fn shell(subject: &Subject<'_>, diagnosis: &Diagnosis) -> Finding {
    let (device, link, record) = (subject.device, subject.link, subject.record);
    let platform = device
        .map(|device| device.platform)
        .or(record.map(|record| record.platform));
    Finding {
        device_id: device.map(|device| device.id.clone()),
        user_id: link.map(|link| link.user_id.clone()),
        serial_number: match device {
            Some(device) => device.serial_number.clone(),
            None => record.and_then(|record| record.serial_number.clone()),
        },
        platform: platform.unwrap_or(Platform::Other),
        mdm: subject.mdm.map(|mdm| mdm.name.clone()),
        mdm_device_id: record.map(|record| record.id.clone()),
        match_strength: subject.strength,
        stage: diagnosis.stage,
        cause: diagnosis.cause,
        confidence: diagnosis.confidence,
        confirmed: false,
        blocked: false,
        evidence: diagnosis.evidence.clone(),
        playbook: None,
        why_not: None,
        why_not_detail: None,
        retry_at: None,
        device_name: match device {
            Some(device) => Some(device.display_name.clone()),
            None => record.map(|record| record.name.clone()),
        },
        login: link.map(|link| link.login.clone()),
        rivals: diagnosis.rivals.clone(),
    }
}
