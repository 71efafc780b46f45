//! Managed device-users whose certificate expired or will soon (C26, C30, C31): managed only until their next sign-in.

use std::borrow::Cow;

use chrono::SecondsFormat;

use crate::{
    Assumption, AttestationProfile, Cause, Confidence, Diagnosis, Evidence, Renewal, Stage,
    Subject, Symptom, Visibility,
    certificate::{self, CertificateState},
    correlate::{Correlated, ManagedUser},
    detect::{DetectSettings, Scope},
    diagnose::renewal_word,
};

use super::{Case, finding, order};

pub(super) fn cases<'a>(correlated: &Correlated<'a>, settings: &DetectSettings) -> Vec<Case<'a>> {
    let mut cases: Vec<Case<'a>> = correlated
        .managed
        .iter()
        .filter(|managed| ends_soon(managed, settings))
        .filter(|managed| {
            let exclusions = &settings.exclusions;
            !exclusions.cover_device(managed.device) && !exclusions.cover_user(managed.link)
        })
        .filter_map(|managed| case(correlated.managed_subject(managed), settings))
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

fn case<'a>(subject: Subject<'a>, settings: &DetectSettings) -> Option<Case<'a>> {
    let view = certificate::judge_with(&subject, &settings.issuers);
    let mdm = subject.mdm?;
    let (row, end) = (view.certificate?, view.expires_at?);
    let renewal = profile(&subject).and_then(|profile| profile.scep.renewal);
    let cause = match view.state {
        CertificateState::Expired if view.hidden.is_none() => Cause::CertExpired,
        CertificateState::Valid if end >= mdm.now + settings.expiring_within => return None,
        // Nothing will deliver it anew: the fault is the profile's, and shows on every device of it in turn.
        CertificateState::Valid if renewal == Some(Renewal::Off) => {
            Cause::ProfileRenewalNotConfigured
        }
        CertificateState::Valid => Cause::CertExpiringSoon,
        _ => return None,
    };
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
    let mut listed = evidence("certificate", name.to_owned(), inventory);
    // A newer one may have been issued that such a source does not show.
    if mdm.shows.certificates == Visibility::PresenceOnly {
        listed = listed.assuming(Assumption::IntuneRows);
    }
    let evidence = [
        listed,
        evidence(
            "certificate.expires_at",
            end.to_rfc3339_opts(SecondsFormat::Secs, true),
            Some(end),
        ),
    ]
    .into_iter()
    .chain(renewal.map(|renewal| evidence("profile.renewal", renewal_word(renewal), None)))
    .collect::<Vec<_>>();
    let confirmed = subject.user.is_some();
    let confidence = match (cause, confirmed) {
        (Cause::CertExpired | Cause::CertExpiringSoon, true) => Confidence::High,
        _ => Confidence::Medium,
    };
    let diagnosis = Diagnosis {
        cause,
        stage: match cause {
            Cause::CertExpired => Stage::CertPresent,
            _ => Stage::Managed,
        },
        confidence: settings.less_contradicted(confidence, &evidence),
        evidence,
        rivals: Vec::new(),
        wants: Vec::new(),
        symptom: Some(Symptom {
            text: Cow::Borrowed(cause.name()),
            since: Some(end),
        }),
    };
    let finding = finding(&subject, &diagnosis, &Scope::InScope, false);
    Some(Case {
        finding,
        subject,
        diagnosis,
    })
}

/// The profile of the delivery that is on the device.
fn profile<'a>(subject: &Subject<'a>) -> Option<&'a AttestationProfile> {
    let (mdm, record) = (subject.mdm?, subject.record?);
    let deliveries = record.profiles.as_deref().unwrap_or_default();
    mdm.profiles
        .iter()
        .find(|profile| deliveries.iter().any(|one| one.profile_id == profile.id))
}
