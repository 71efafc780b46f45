//! Section 5 of the article: computers with several users, or one user several times.

use chrono::TimeDelta;

use crate::{
    Cause, CertificateStore, Confidence, ManagementStatus, OktaDevice, OktaDeviceUser, Stage,
    correlate::{effective_links, normalise},
};

use super::{
    entry::{Entry, On, Prove, Section},
    facts::{CERTIFICATE_SETTLES, Facts, time},
    verdict::{Found, Verdict, not_enough},
};

/// C64: the first user's certificate is in that user's own store; this user has signed in with FastPass, and Okta
/// Verify found none.
pub(super) static USER_STORE_ONLY: Entry = Entry {
    cause: Cause::SharedUserStoreOnly,
    section: Section::Shared,
    stage: Some(Stage::CertPresent),
    on: On::Desktops,
    mdms: "those that show the store, or the profile's level",
    confidence: Confidence::High,
    evidence: "another user of the computer is managed, the certificate is in a user's store, and this user's FastPass sign-in since was refused",
    person: "MDM admin: a device-level profile for shared computers",
    neighbours: &[
        Cause::FastpassNoSigninSinceCert,
        Cause::PolicyUserOutOfScope,
        Cause::CertKeyInaccessibleWindows,
    ],
    prove: Prove::OfUser(user_store_only),
};

fn user_store_only(facts: &Facts<'_, '_>) -> Verdict {
    let Some((device, other)) = managed_neighbour(facts) else {
        return Verdict::NoFault("no other user of this computer is managed");
    };
    let view = match facts.usable_certificate() {
        Ok(Some(view)) => view,
        Ok(None) => return Verdict::NoFault("the computer has no usable certificate"),
        Err(gap) => return gap.into(),
    };
    let store = view
        .store
        .or(facts.profile.and_then(|delivery| delivery.store));
    match store {
        Some(CertificateStore::User) => {}
        Some(CertificateStore::Machine) => {
            return Verdict::NoFault("the certificate is in the machine store");
        }
        None => return not_enough("the MDM does not show which store the certificate is in"),
    }
    let Some(issued) = view.issued_at else {
        return not_enough("it is not known when the certificate was issued");
    };
    let refused = facts
        .fastpass
        .and_then(|seen| seen.last_unmanaged)
        .filter(|at| *at > issued + CERTIFICATE_SETTLES);
    let Some(refused) = refused else {
        return Verdict::NoFault("this user has not signed in with FastPass since the certificate");
    };
    let mut evidence = facts.certificate_evidence();
    evidence.push(facts.store_evidence("user"));
    evidence.push(facts.okta_says(
        "managed_user_of_same_computer",
        &other.login,
        device.last_updated,
    ));
    evidence.push(facts.refusal(refused));
    // The profile's level only says where the certificate was meant to go.
    let confidence = match view.store {
        Some(_) => view.confidence,
        None => Confidence::Medium,
    };
    Found::new(Cause::SharedUserStoreOnly, confidence, evidence)
        .since(Some(issued))
        .into()
}

/// Another user of the same computer, on this record or another one, who is managed.
fn managed_neighbour<'a>(facts: &Facts<'_, 'a>) -> Option<(&'a OktaDevice, &'a OktaDeviceUser)> {
    std::iter::once(facts.device)
        .chain(facts.subject.twins.iter().copied())
        .flat_map(|device| {
            effective_links(facts.observations(), device).map(move |link| (device, link))
        })
        .find(|(_, link)| {
            link.user_id != facts.link.user_id
                && link.management_status == Some(ManagementStatus::Managed)
        })
}

/// C65: one Okta account in several OS profiles of a computer; only the enrolment made last works.
pub(super) static SAME_ACCOUNT: Entry = Entry {
    cause: Cause::SharedSameAccountManyProfiles,
    section: Section::Shared,
    stage: Some(Stage::OvRegistered),
    on: On::Windows,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "one user only on the computer, and Okta Verify was enrolled on it three times or more over days, the last time within two weeks",
    person: "The user keeps one OS profile",
    neighbours: &[
        Cause::OktaDuplicateRecords,
        Cause::FastpassNoSigninSinceCert,
    ],
    prove: Prove::OfUser(same_account),
};

/// So many enrolments of one person on one computer are no set-up and one repair.
const ENROLMENTS: u32 = 3;
const LATELY: TimeDelta = TimeDelta::days(14);

fn same_account(facts: &Facts<'_, '_>) -> Verdict {
    const NONE: &str = "Okta Verify was not enrolled over and over on this computer";
    let enrolments = &facts.observations().log.enrolments;
    if enrolments.is_empty() {
        return Verdict::NoFault(NONE);
    }
    let serial = facts.device.serial_number.as_deref().and_then(normalise);
    let Some(enrolments) = serial.and_then(|serial| enrolments.get(&serial)) else {
        return Verdict::NoFault(NONE);
    };
    let seen = enrolments.seen;
    let over_days = seen.last - seen.first >= TimeDelta::days(1);
    let lately = seen.last + LATELY >= facts.okta_now();
    if enrolments.count < ENROLMENTS || !over_days || !lately {
        return Verdict::NoFault(NONE);
    }
    let records = std::iter::once(facts.device).chain(facts.subject.twins.iter().copied());
    let mut people = records.flat_map(|device| effective_links(facts.observations(), device));
    if people.any(|link| link.user_id != facts.link.user_id) {
        return Verdict::NoFault("several people enrolled on this computer");
    }
    let evidence = vec![
        facts.okta_says(
            "device.enrollment.create",
            enrolments.count,
            Some(seen.last),
        ),
        facts.okta_says(
            "device.enrollment.create.first",
            time(seen.first),
            Some(seen.first),
        ),
    ];
    Found::new(
        Cause::SharedSameAccountManyProfiles,
        Confidence::Medium,
        evidence,
    )
    .since(Some(seen.last))
    .into()
}
