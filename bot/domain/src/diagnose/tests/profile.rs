//! Section 2: the SCEP profile.

use super::*;

fn state(state: ProfileState) -> impl FnOnce(&mut Org, At) {
    |org, at| {
        org.remove_certificate(at);
        org.profile(at).state = state;
    }
}

#[test]
fn the_mdms_word_tells_the_cause() {
    use ProfileState as P;
    let failed = P::Failed {
        error: "The SCEP server returned an invalid response".to_owned(),
    };
    for (word, cause, stage) in [
        (
            P::NotAssigned,
            Cause::ProfileNotInScope,
            Stage::ProfileAssigned,
        ),
        (
            P::NotApplicable,
            Cause::ProfileNotApplicable,
            Stage::ProfileAssigned,
        ),
        (P::Pending, Cause::ProfilePending, Stage::ProfileDelivered),
        (P::Conflict, Cause::ProfileConflict, Stage::ProfileDelivered),
        (failed, Cause::ProfileFailed, Stage::ProfileDelivered),
    ] {
        mac((cause, Confidence::High, stage), state(word));
    }
}

#[test]
fn the_text_of_the_error_is_in_the_evidence() {
    let (mut org, at) = Org::with_mac();
    let error = "challenge rejected".to_owned();
    state(ProfileState::Failed {
        error: error.clone(),
    })(&mut org, at);
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert!(
        diagnosis
            .evidence
            .iter()
            .any(|e| e.source == "jamf" && e.value == error)
    );
}

#[test]
fn a_valid_certificate_ends_the_question() {
    mac(PENDING, |org, at| {
        org.profile(at).state = ProfileState::Failed {
            error: "later push".to_owned(),
        };
    });
}

#[test]
fn an_expired_certificate_without_assignment_is_a_matter_of_scope() {
    let expected = (
        Cause::ProfileNotInScope,
        Confidence::High,
        Stage::ProfileAssigned,
    );
    mac(expected, |org, at| {
        expire(org, at);
        org.profile(at).state = ProfileState::NotAssigned;
    });
}

#[test]
fn no_row_is_not_assigned_only_where_assignment_is_shown() {
    let expected = (
        Cause::ProfileNotInScope,
        Confidence::High,
        Stage::ProfileAssigned,
    );
    mac(expected, |org, at| {
        org.remove_certificate(at);
        org.record(at).profiles = Some(Vec::new());
    });
    undecided(
        Stage::ProfileAssigned,
        "does not show whether",
        |org, at| {
            org.remove_certificate(at);
            org.record(at).profiles = Some(Vec::new());
            org.seen.mdms[JAMF].shows.assignment = false;
        },
    );
}

#[test]
fn an_mdm_without_attestation_profile_says_nothing_about_scope() {
    undecided(Stage::ProfileAssigned, "scep_profiles", |org, at| {
        org.remove_certificate(at);
        org.record(at).profiles = Some(Vec::new());
        org.seen.mdms[JAMF].profiles.clear();
    });
}

#[test]
fn of_two_profiles_the_one_that_got_furthest_counts() {
    mac(EXPIRED, |org, at| {
        expire(org, at);
        let mut other = org.profile(at).clone();
        other.state = ProfileState::NotAssigned;
        org.record(at).profiles.as_mut().unwrap().push(other);
    });
}

fn fail(org: &mut Org, at: At, error: &str) {
    org.remove_certificate(at);
    org.profile(at).state = ProfileState::Failed {
        error: error.to_owned(),
    };
}

const DEPENDENCY: Answer = (
    Cause::ProfileDependencyGroupMismatch,
    Confidence::High,
    Stage::ProfileAssigned,
);

#[test]
fn a_failure_without_the_trusted_certificate_profile_is_a_dependency() {
    pc(DEPENDENCY, |org, at| {
        fail(org, at, "error");
        org.record(at).trust_profile = Some(ProfileState::NotAssigned);
    });
    let failed = (
        Cause::ProfileFailed,
        Confidence::High,
        Stage::ProfileDelivered,
    );
    pc(failed, |org, at| {
        fail(org, at, "error");
        org.record(at).trust_profile = Some(ProfileState::Installed);
    });
    pc(failed, |org, at| fail(org, at, "error"));
}

#[test]
fn two_profiles_for_different_groups_are_medium() {
    let medium = (DEPENDENCY.0, Confidence::Medium, DEPENDENCY.2);
    let groups = |trust: &'static str| {
        move |org: &mut Org, at: At| {
            fail(org, at, "error");
            let profile = &mut org.seen.mdms[INTUNE].profiles[0];
            profile.scope.user_groups = vec!["staff".into()];
            profile.trust = Some(TrustProfile {
                id: "trust".into(),
                name: "Okta CA".to_owned(),
                scope: ProfileScope {
                    user_groups: vec![trust.into()],
                    ..ProfileScope::default()
                },
                thumbprint: None,
                sha256: None,
                key_id: None,
            });
        }
    };
    pc(medium, groups("other"));
    let failed = (
        Cause::ProfileFailed,
        Confidence::High,
        Stage::ProfileDelivered,
    );
    pc(failed, groups("staff"));
}

#[test]
fn a_profile_for_users_does_not_reach_a_computer_without_one() {
    let lost = (
        Cause::MdmUserAffinityLost,
        Confidence::Medium,
        Stage::ProfileAssigned,
    );
    let without_user = |org: &mut Org, at: At| {
        org.remove_certificate(at);
        org.profile(at).state = ProfileState::NotAssigned;
        org.record(at).user = None;
        org.seen.mdms[INTUNE].profiles[0].scope.user_groups = vec!["staff".into()];
    };
    pc(lost, without_user);
    let out_of_scope = (
        Cause::ProfileNotInScope,
        Confidence::High,
        Stage::ProfileAssigned,
    );
    pc(out_of_scope, |org, at| {
        without_user(org, at);
        org.record(at).user = Some("bob@example.com".to_owned());
    });
    pc(out_of_scope, |org, at| {
        without_user(org, at);
        org.seen.mdms[INTUNE].profiles[0].scope.device_groups = vec!["all".into()];
    });
}

#[test]
fn the_symptom_of_a_failure_is_the_error_and_the_time_it_came() {
    let (mut org, at) = Org::with_mac();
    fail(&mut org, at, "challenge rejected");
    let symptom = org.diagnosis(at.okta, "ann").symptom.unwrap();
    assert_eq!(symptom.text, "challenge rejected");
    assert_eq!(symptom.since, Some(days_ago(10)));
}
