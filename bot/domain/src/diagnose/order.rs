//! The order in which the catalogue is asked: cheap and exclusive entries first.
//!
//! Okta's lifecycle, record match, MDM, profile, certificate, policy, FastPass, shared computers, SSO extension. Within
//! a stage a special form comes before the general one: an error text that names its origin before "the profile
//! failed". The policy is asked before the sign-in: a user whom no rule asks could sign in for ever without proof.

use super::{
    ca, certificate,
    entry::Entry,
    facts::Facts,
    fastpass, lifecycle, machine, mdm, okta_verify, people, policy, profile, shared, sso,
    verdict::{self, Verdict},
};

/// What is asked in turn.
pub(super) enum Step {
    /// An entry of the catalogue.
    Entry(&'static Entry),
    /// No cause of its own: it ends the questions if it fails.
    Check(fn(&Facts<'_, '_>) -> Verdict),
}

pub(super) static ORDER: [Step; 71] = [
    // Okta's lifecycle
    Step::Entry(&lifecycle::STALE_READ),
    Step::Check(lifecycle::status_shown),
    Step::Entry(&lifecycle::SUSPENDED),
    Step::Entry(&lifecycle::DEACTIVATED),
    Step::Check(lifecycle::known_status),
    Step::Entry(&lifecycle::OLD_TWIN),
    Step::Entry(&lifecycle::OUT_OF_USE),
    // Signs that only a person can judge
    Step::Entry(&machine::VIRTUAL),
    Step::Entry(&people::KIOSK),
    Step::Entry(&people::SECOND_ACCOUNT),
    // Record match, MDM
    Step::Entry(&mdm::SERIAL_MISMATCH),
    Step::Entry(&mdm::NOT_ENROLLED),
    Step::Entry(&mdm::ENROLMENT_BROKEN),
    Step::Entry(&mdm::PUSH_CHANNEL_DOWN),
    Step::Entry(&mdm::NOT_CHECKING_IN),
    // Profile
    Step::Entry(&profile::USER_LOST),
    Step::Entry(&profile::NOT_IN_SCOPE),
    Step::Entry(&profile::NOT_APPLICABLE),
    Step::Entry(&profile::CONFLICT),
    Step::Entry(&profile::PENDING),
    Step::Entry(&profile::DEPENDENCY_MISMATCH),
    // The CA: why a delivered profile brings no certificate
    Step::Entry(&ca::server::URL_WRONG),
    Step::Entry(&ca::trust::RENEWED),
    Step::Entry(&ca::trust::WRONG_CA_CERTIFICATE),
    Step::Entry(&ca::challenge::UNPRINTABLE),
    Step::Entry(&ca::challenge::SECRET_ROTATED),
    Step::Entry(&ca::challenge::NOT_FETCHED),
    Step::Entry(&ca::challenge::INTUNE_REFUSED),
    Step::Entry(&certificate::key::UNREADABLE_ON_WINDOWS),
    Step::Entry(&ca::trust::CHAIN_MISSING),
    Step::Entry(&ca::server::UNREACHABLE),
    Step::Entry(&ca::payload::WRONG_PURPOSE),
    Step::Entry(&ca::payload::WRONG_KEY_USAGE),
    Step::Entry(&ca::payload::WRONG_SUBJECT),
    Step::Entry(&profile::FAILED),
    // Certificate
    Step::Entry(&ca::own::ISSUER_NOT_UPLOADED),
    Step::Entry(&certificate::which::WRONG_ISSUER),
    Step::Entry(&certificate::which::WRONG_STORE),
    Step::Entry(&certificate::which::DUPLICATES),
    Step::Entry(&certificate::ends::CLOCK_WRONG),
    Step::Entry(&certificate::ends::RENEWAL_MISSED),
    Step::Entry(&certificate::ends::EXPIRED),
    Step::Entry(&certificate::revoked::BY_DELETION),
    Step::Entry(&ca::own::CRL_PROBLEM),
    Step::Entry(&certificate::revoked::UNUSED),
    Step::Entry(&certificate::missing::GONE),
    Step::Entry(&certificate::missing::NEVER_ISSUED),
    Step::Entry(&certificate::which::BOUND_TO_OTHER),
    Step::Entry(&certificate::key::UNREADABLE_ON_MAC),
    // Okta Verify
    Step::Entry(&okta_verify::NOT_INSTALLED),
    Step::Entry(&okta_verify::INCOMPLETE),
    Step::Entry(&machine::OS_TOO_OLD),
    Step::Entry(&okta_verify::OUTDATED),
    // Policy
    Step::Entry(&fastpass::DISABLED),
    Step::Entry(&policy::NO_RULE),
    Step::Entry(&policy::USER_OUT_OF_SCOPE),
    Step::Entry(&policy::APP_NOT_MAPPED),
    Step::Entry(&policy::SHADOWED),
    Step::Entry(&policy::NOT_MANAGED_RULE),
    // FastPass
    Step::Entry(&sso::MISSING),
    Step::Entry(&sso::WRONG_HOSTS),
    Step::Entry(&sso::WRONG_PAYLOAD),
    Step::Entry(&sso::CONFLICT),
    Step::Entry(&sso::NEEDS_CERTIFICATE),
    Step::Entry(&fastpass::PROBE_BLOCKED),
    Step::Entry(&shared::SAME_ACCOUNT),
    Step::Entry(&fastpass::OTHER_FACTOR),
    Step::Entry(&fastpass::NO_SIGN_IN),
    // Shared computers, and what is left
    Step::Entry(&shared::USER_STORE_ONLY),
    Step::Entry(&fastpass::UNEXPLAINED),
    Step::Check(nothing_fits),
];

/// Entries that are told of others than device-users who are not managed.
static ELSEWHERE: [&Entry; 5] = [
    &profile::RENEWAL_NOT_CONFIGURED,
    &certificate::ends::EXPIRING,
    &okta_verify::NOT_ENROLLED,
    &okta_verify::ORPHANED,
    &lifecycle::IMPORTED,
];

fn nothing_fits(_: &Facts<'_, '_>) -> Verdict {
    verdict::not_enough("no entry of the catalogue fits what was seen")
}

/// Every entry, in no particular order.
pub(super) fn entries() -> impl Iterator<Item = &'static Entry> {
    let asked = ORDER.iter().filter_map(|step| match step {
        Step::Entry(entry) => Some(*entry),
        Step::Check(_) => None,
    });
    asked.chain(ELSEWHERE)
}
