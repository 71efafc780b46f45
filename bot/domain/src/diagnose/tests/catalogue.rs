//! The catalogue as a whole: complete, documented, and safe to act on.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{
    Assumption,
    diagnose::{document, entry, order},
    playbook::{load, shipped},
};

#[test]
fn every_cause_has_exactly_one_entry() {
    let mut entries: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in order::entries() {
        *entries.entry(entry.cause.name()).or_default() += 1;
    }
    for cause in Cause::ALL {
        let expected = usize::from(*cause != Cause::InsufficientEvidence);
        let found = entries.get(cause.name()).copied().unwrap_or_default();
        assert_eq!(found, expected, "{cause}");
    }
}

#[test]
fn every_cause_finds_its_own_entry() {
    for cause in Cause::ALL {
        let found = entry::of(*cause).map(|entry| entry.cause);
        let expected = Some(*cause).filter(|cause| *cause != Cause::InsufficientEvidence);
        assert_eq!(found, expected);
    }
}

#[test]
fn no_entry_is_its_own_neighbour() {
    for entry in order::entries() {
        assert!(!entry.neighbours.contains(&entry.cause), "{}", entry.cause);
    }
}

#[test]
fn the_document_is_what_the_code_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/CATALOGUE.md");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let said = document();
    if written != said {
        let fresh = std::env::temp_dir().join("CATALOGUE.md");
        std::fs::write(&fresh, said).unwrap();
        panic!(
            "bot/domain/CATALOGUE.md is out of date; copy {} over it",
            fresh.display()
        );
    }
}

/// Causes that people change in Okta or at the CA (R7), or that concern access.
const OF_PEOPLE: [Cause; 16] = [
    Cause::CaStaticSecretRotated,
    Cause::CaScepUrlWrong,
    Cause::CaDynamicChallengeFailing,
    Cause::CaIntuneCredentialsInvalid,
    Cause::CaChallengeUnprintable,
    Cause::CaTrustedCertMismatch,
    Cause::CaRenewedNotDistributed,
    Cause::CaByoIssuerNotUploaded,
    Cause::CaByoCrlProblem,
    Cause::CaWrongScepPurpose,
    Cause::CaTemplateKeyUsageWrong,
    Cause::CaSubjectTemplateWrong,
    Cause::PolicyNoManagedRule,
    Cause::PolicyRuleShadowed,
    Cause::PolicyRegisteredNotManagedRule,
    Cause::FastpassDisabled,
];

/// What an action does, as far as the rules for actions (R1 to R8) speak of it.
fn redelivers(action: &str) -> bool {
    [
        "mdm.redeliver_profile",
        "mdm.resend_failed_profile",
        "mdm.move_to_machine_store",
    ]
    .contains(&action)
}

#[test]
fn no_finding_leads_to_a_repair_that_the_rules_forbid() {
    for (name, text) in shipped() {
        let playbook = load(name, text).unwrap();
        let actions: Vec<&str> = playbook.actions().map(|action| action.name()).collect();
        for cause in Cause::ALL {
            if !playbook.applies.causes.contains(cause) {
                continue;
            }
            let told = format!("{name} for {cause}: {actions:?}");
            let deletes = actions.iter().any(|action| {
                ["delete", "deactivate", "unenrol"]
                    .iter()
                    .any(|word| action.contains(word))
            });
            // R1, R2: the only deletion is that of a dead record.
            assert!(
                !deletes || *cause == Cause::OktaDuplicateRecords,
                "R1 {told}"
            );
            // R7: policies, CAs and secrets are changed by people.
            assert!(!OF_PEOPLE.contains(cause), "R7 {told}");
            // No playbook acts on what is not known or none of its business.
            assert!(*cause != Cause::InsufficientEvidence, "{told}");
            assert!(*cause != Cause::OktaRecordStale, "{told}");
            // R8: whatever brings a certificate ends with the user's sign-in.
            if actions.iter().any(|action| redelivers(action)) {
                assert_eq!(
                    actions.last().copied(),
                    Some("user.request_fastpass_sign_in"),
                    "R8 {told}"
                );
                // R4: at most twice a day on one computer.
                let a_day = 86_400 / playbook.limits.cooldown_seconds.max(1);
                let attempts = playbook.max_attempts(*cause);
                assert!(attempts <= 2 || a_day <= 2, "R4 {told}");
            }
        }
    }
}

#[test]
fn a_contradicted_belief_counts_one_step_less_and_only_where_it_is_leaned_on() {
    let (mut org, at) = Org::with_mac();
    org.refuse(at.okta, "ann");
    org.link(at.okta, "eve", ManagementStatus::Managed);
    let before = org.diagnosis(at.okta, "ann");
    assert_eq!(before.confidence, Confidence::High);
    org.settings.contradicted = BTreeSet::from([Assumption::Validity]);
    assert_eq!(org.diagnosis(at.okta, "ann").confidence, Confidence::High);
    org.settings.contradicted = BTreeSet::from([Assumption::FastpassDevice]);
    let after = org.diagnosis(at.okta, "ann");
    assert_eq!(
        (after.cause, after.confidence),
        (before.cause, Confidence::Medium)
    );
}

#[test]
fn names_of_beliefs_are_read_back() {
    for belief in Assumption::ALL {
        assert_eq!(Assumption::from_name(belief.name()), Some(*belief));
        assert!(belief.claim().len() > 20);
    }
}
