//! Records without a twin on the other side: never acted upon, only reported.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use crate::{
    Assumption, Cause, Confidence, Diagnosis, Evidence, Finding, OktaDeviceStatus, Stage, Subject,
    Symptom, WhyNot,
    correlate::{self, Correlated, normalise},
    detect::DetectSettings,
};

use super::{Case, order, shell};

pub(super) fn cases<'a>(correlated: &Correlated<'a>, settings: &DetectSettings) -> Vec<Case<'a>> {
    let okta = correlated.okta_only.iter().filter(|subject| {
        !subject
            .device
            .is_some_and(|device| settings.exclusions.cover_device(device))
    });
    let mut cases: Vec<Case<'a>> = okta
        .map(|subject| case(subject, without_user(subject), settings))
        .chain(
            correlated
                .mdm_only
                .iter()
                .map(|subject| case(subject, without_okta_record(subject), settings)),
        )
        .collect();
    cases.sort_by(order);
    cases
}

fn case<'a>(subject: &Subject<'a>, found: Found, settings: &DetectSettings) -> Case<'a> {
    let diagnosis = Diagnosis {
        cause: found.cause,
        stage: match found.cause {
            Cause::InsufficientEvidence => Stage::Unknown,
            _ => Stage::OvRegistered,
        },
        confidence: settings.less_contradicted(found.confidence, &found.evidence),
        evidence: found.evidence,
        rivals: Vec::new(),
        wants: Vec::new(),
        symptom: Some(Symptom {
            text: Cow::Borrowed(found.cause.name()),
            since: found.since,
        }),
    };
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

/// What a record without a twin shows.
struct Found {
    cause: Cause,
    confidence: Confidence,
    evidence: Vec<Evidence>,
    since: Option<DateTime<Utc>>,
}

/// C56 or C63: an Okta record that nobody is linked to.
fn without_user(subject: &Subject<'_>) -> Found {
    let device = subject.device;
    let changed = device.and_then(|device| device.last_updated);
    let okta = |fact: &str, value: &str| Evidence {
        source: "okta".to_owned(),
        fact: fact.to_owned(),
        value: value.to_owned(),
        observed_at: subject.observations.okta.now,
        about: changed,
        assumes: None,
    };
    let deactivated = device.is_some_and(|device| device.status == OktaDeviceStatus::Deactivated);
    let registered = device.is_some_and(|device| device.registered);
    let nobody = okta("link", "no user");
    let (cause, confidence, evidence) = match (deactivated, registered) {
        (true, _) => (
            Cause::OktaDeviceDeactivated,
            Confidence::High,
            vec![okta("device.status", "DEACTIVATED"), nobody],
        ),
        (false, false) => (
            Cause::RecordImportedNotRegistered,
            Confidence::Medium,
            vec![okta("device.registered", "false"), nobody],
        ),
        (false, true) => (
            Cause::RecordImportedNotRegistered,
            Confidence::Low,
            vec![nobody],
        ),
    };
    Found {
        cause,
        confidence,
        evidence,
        since: changed,
    }
}

/// C45, C41 or C42: an MDM record that Okta has none for.
fn without_okta_record(subject: &Subject<'_>) -> Found {
    let observations = subject.observations;
    let (Some(mdm), Some(record)) = (subject.mdm, subject.record) else {
        return Found {
            cause: Cause::InsufficientEvidence,
            confidence: Confidence::Low,
            evidence: Vec::new(),
            since: None,
        };
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
            assumes: Some(Assumption::DeletionSerial),
        };
        return Found {
            cause: Cause::OvEnrolmentOrphaned,
            confidence: Confidence::Medium,
            evidence: vec![evidence],
            since: Some(deletion.at),
        };
    }
    let installed = record
        .okta_verify_installed
        .filter(|_| mdm.shows.applications);
    let (cause, confidence, value) = match installed {
        Some(false) => (Cause::OvNotInstalled, Confidence::High, "not installed"),
        Some(true) => (Cause::OvNotEnrolled, Confidence::High, "installed"),
        None => (Cause::OvNotEnrolled, Confidence::Low, "not shown"),
    };
    let evidence = Evidence {
        source: mdm.name.to_string(),
        fact: "application.okta_verify".to_owned(),
        value: value.to_owned(),
        observed_at: mdm.now,
        about: record.inventory_at,
        assumes: None,
    };
    Found {
        cause,
        confidence,
        evidence: vec![evidence],
        since: record.enrolled_at,
    }
}
