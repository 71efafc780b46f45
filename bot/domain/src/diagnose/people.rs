//! People: what only a person's word decides. Without it a second user is C47 or C64, and these are named as rivals.

use crate::{Cause, Confidence, ManagementStatus, correlate::effective_links};

use super::{
    entry::{Entry, On, Prove, Section},
    facts::Facts,
    verdict::{Verdict, open},
};

/// So many people on one account of the computer look like a kiosk.
const CROWD: usize = 4;

/// C66: many people on one OS account.
pub(super) static KIOSK: Entry = Entry {
    cause: Cause::SharedKioskAccount,
    section: Section::Shared,
    stage: None,
    on: On::Desktops,
    mdms: "those that show local accounts",
    confidence: Confidence::Medium,
    evidence: "named as a rival: four people or more are linked to one record of a computer with one local account",
    person: "Admin: not supported by Okta; `[exclusions]`, or another set-up",
    neighbours: &[Cause::SharedUserStoreOnly],
    prove: Prove::OfUser(kiosk_account),
};

fn kiosk_account(facts: &Facts<'_, '_>) -> Verdict {
    let accounts = facts.subject.record.and_then(|record| record.local_users);
    let people = effective_links(facts.observations(), facts.device).take(CROWD);
    match accounts == Some(1) && people.count() == CROWD {
        true => open(
            "several people are linked to a computer with one local account",
            "ask whether they share one account of the OS: then management attestation is not supported, and the computer belongs into [exclusions]",
        ),
        false => Verdict::NoFault("nothing looks like one account for many people"),
    }
}

/// C67: a second account that is meant to be unmanaged.
pub(super) static SECOND_ACCOUNT: Entry = Entry {
    cause: Cause::MixedPersonalAccount,
    section: Section::Shared,
    stage: None,
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "named as a rival: another user of the record is managed",
    person: "Nobody, or the user removes the account in Okta Verify; `[exclusions]`",
    neighbours: &[Cause::FastpassNoSigninSinceCert, Cause::SharedUserStoreOnly],
    prove: Prove::OfUser(second_account),
};

fn second_account(facts: &Facts<'_, '_>) -> Verdict {
    let other_is_managed = effective_links(facts.observations(), facts.device).any(|link| {
        link.user_id != facts.link.user_id
            && link.management_status == Some(ManagementStatus::Managed)
    });
    match other_is_managed {
        true => open(
            "another user of this computer is managed; whether this account is meant to be is not shown",
            "ask whether this is a test, admin or guest account on the computer: then it belongs into [exclusions]",
        ),
        false => Verdict::NoFault("no other user of this record is managed"),
    }
}
