//! One sweep's answer: counts, findings, what is unlinked, what is about to expire, and what to read next.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::{
    Cause, Confidence, DeviceId, Diagnosis, Evidence, Finding, MatchStrength, Observations,
    OktaDeviceStatus, Platform, Stage, Subject, Want, WhyNot,
    certificate::{self, CertificateState},
    correlate::{self, Correlated, FleetIndex, ManagedUser, ManualLink, normalise},
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
    let upcoming = upcoming(&correlated, settings);
    let unlinked = unlinked(&correlated, settings);
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

/// Records without a twin on the other side: never acted upon, only reported.
fn unlinked<'a>(correlated: &Correlated<'a>, settings: &DetectSettings) -> Vec<Case<'a>> {
    let okta = correlated.okta_only.iter().filter(|subject| {
        !subject
            .device
            .is_some_and(|device| settings.exclusions.cover_device(device))
    });
    let mut cases: Vec<Case<'a>> = okta
        .map(|subject| unlinked_case(subject, without_user(subject)))
        .chain(
            correlated
                .mdm_only
                .iter()
                .map(|subject| unlinked_case(subject, without_okta_record(subject))),
        )
        .collect();
    cases.sort_by(order);
    cases
}

fn unlinked_case<'a>(subject: &Subject<'a>, diagnosis: Diagnosis) -> Case<'a> {
    let confirmed = subject
        .device
        .is_some_and(|device| correlate::confirmation(subject.observations, device).is_some());
    let finding = Finding {
        confirmed,
        why_not: Some(WhyNot::NoMatch),
        ..shell(subject, &diagnosis)
    };
    Case {
        finding,
        subject: subject.clone(),
        diagnosis,
    }
}

/// C56 or C63: an Okta record that nobody is linked to.
fn without_user(subject: &Subject<'_>) -> Diagnosis {
    let okta = |fact: &str, value: String, about: Option<DateTime<Utc>>| Evidence {
        source: "okta".to_owned(),
        fact: fact.to_owned(),
        value,
        observed_at: subject.observations.okta.now,
        about,
        assumes: None,
    };
    let device = subject.device;
    let deactivated = device.is_some_and(|device| device.status == OktaDeviceStatus::Deactivated);
    let registered = device.is_some_and(|device| device.registered);
    let changed = device.and_then(|device| device.last_updated);
    let users = okta("link", "no user".to_owned(), changed);
    let (cause, confidence, evidence) = match (deactivated, registered) {
        (true, _) => (
            Cause::OktaDeviceDeactivated,
            Confidence::High,
            vec![
                okta("device.status", "DEACTIVATED".to_owned(), changed),
                users,
            ],
        ),
        (false, false) => (
            Cause::RecordImportedNotRegistered,
            Confidence::Medium,
            vec![
                okta("device.registered", "false".to_owned(), changed),
                users,
            ],
        ),
        (false, true) => (
            Cause::RecordImportedNotRegistered,
            Confidence::Low,
            vec![users],
        ),
    };
    bare(cause, confidence, evidence)
}

/// C45, C41 or C42: an MDM record that Okta has none for.
fn without_okta_record(subject: &Subject<'_>) -> Diagnosis {
    let observations = subject.observations;
    let (Some(mdm), Some(record)) = (subject.mdm, subject.record) else {
        return bare(Cause::InsufficientEvidence, Confidence::Low, Vec::new());
    };
    let okta_verify = |value: &str| Evidence {
        source: mdm.name.to_string(),
        fact: "application.okta_verify".to_owned(),
        value: value.to_owned(),
        observed_at: mdm.now,
        about: record.inventory_at,
        assumes: None,
    };
    let deletion = record
        .serial_number
        .as_deref()
        .and_then(normalise)
        .and_then(|serial| observations.log.deletions.get(&serial));
    if let Some(deletion) = deletion {
        let evidence = Evidence {
            source: "okta".to_owned(),
            fact: "device.lifecycle.delete".to_owned(),
            value: deletion.device.to_string(),
            observed_at: observations.okta.now,
            about: Some(deletion.at),
            assumes: None,
        };
        return bare(
            Cause::OvEnrolmentOrphaned,
            Confidence::Medium,
            vec![evidence],
        );
    }
    match record
        .okta_verify_installed
        .filter(|_| mdm.shows.applications)
    {
        Some(false) => bare(
            Cause::OvNotInstalled,
            Confidence::High,
            vec![okta_verify("not installed")],
        ),
        Some(true) => bare(
            Cause::OvNotEnrolled,
            Confidence::High,
            vec![okta_verify("installed")],
        ),
        None => bare(
            Cause::OvNotEnrolled,
            Confidence::Low,
            vec![okta_verify("not shown")],
        ),
    }
}

fn bare(cause: Cause, confidence: Confidence, evidence: Vec<Evidence>) -> Diagnosis {
    Diagnosis {
        cause,
        stage: match cause {
            Cause::InsufficientEvidence => Stage::Unknown,
            _ => Stage::OvRegistered,
        },
        confidence,
        evidence,
        rivals: Vec::new(),
        wants: Vec::new(),
        symptom: None,
    }
}

/// Managed device-users whose certificate expired or will soon (C30, C31): managed only until their next sign-in.
fn upcoming<'a>(correlated: &Correlated<'a>, settings: &DetectSettings) -> Vec<Case<'a>> {
    let mut cases: Vec<Case<'a>> = correlated
        .managed
        .iter()
        .filter(|managed| ends_soon(managed, settings))
        .filter(|managed| {
            let exclusions = &settings.exclusions;
            !exclusions.cover_device(managed.device) && !exclusions.cover_user(managed.link)
        })
        .filter_map(|managed| upcoming_case(correlated.managed_subject(managed), settings))
        .collect();
    cases.sort_by(order);
    cases
}

/// The cheap question that every healthy device-user is asked.
fn ends_soon(managed: &ManagedUser<'_>, settings: &DetectSettings) -> bool {
    let Some((mdm, record)) = managed.record else {
        return false;
    };
    let horizon = mdm.now + settings.expiring_within;
    let rows = record.certificates.as_deref().unwrap_or_default();
    rows.iter()
        .any(|row| row.expires_at.is_some_and(|end| end < horizon))
        && certificate::chosen(rows, &settings.issuers)
            .and_then(|row| row.expires_at)
            .is_some_and(|end| end < horizon)
}

fn upcoming_case<'a>(subject: Subject<'a>, settings: &DetectSettings) -> Option<Case<'a>> {
    let view = certificate::judge_with(&subject, &settings.issuers);
    let mdm = subject.mdm?;
    let end = view.expires_at?;
    let cause = match view.state {
        CertificateState::Expired if view.hidden.is_none() => Cause::CertExpired,
        CertificateState::Valid if end < mdm.now + settings.expiring_within => {
            Cause::CertExpiringSoon
        }
        _ => return None,
    };
    let confirmed = subject.user.is_some();
    let row = view.certificate?;
    let evidence = |fact: &str, value: String, about| Evidence {
        source: mdm.name.to_string(),
        fact: fact.to_owned(),
        value,
        observed_at: mdm.now,
        about,
        assumes: None,
    };
    let inventory = subject.record.and_then(|record| record.inventory_at);
    let name = row.serial_number.as_deref().unwrap_or(&row.subject);
    let diagnosis = Diagnosis {
        cause,
        stage: match cause {
            Cause::CertExpired => Stage::CertPresent,
            _ => Stage::Managed,
        },
        confidence: match confirmed {
            true => Confidence::High,
            false => Confidence::Medium,
        },
        evidence: vec![
            evidence("certificate", name.to_owned(), inventory),
            evidence(
                "certificate.expires_at",
                end.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                Some(end),
            ),
        ],
        rivals: Vec::new(),
        wants: Vec::new(),
        symptom: None,
    };
    let finding = finding(&subject, &diagnosis, &Scope::InScope, false);
    Some(Case {
        finding,
        subject,
        diagnosis,
    })
}
