//! Who may decide what, and every refusal.

use chrono::TimeDelta;

use super::*;
use crate::planning::samples::{now, plan_of, sample_plan};

fn proposal() -> Proposal {
    Proposal::new("P-7F3K2Q".into(), sample_plan(), now())
}

fn two_needed() -> Proposal {
    let mut plan = sample_plan();
    plan.approval.required = 2;
    Proposal::new("P-7F3K2Q".into(), plan, now())
}

fn by(person: Person, verdict: Verdict, proposal: &Proposal) -> Decision {
    Decision {
        verdict,
        by: person,
        identity: Identity::None,
        groups: ["oncall".to_owned()].into(),
        revision: proposal.revision,
        digest: proposal.digest.clone(),
        reason: None,
        at: now() + TimeDelta::minutes(10),
    }
}

fn slack(name: &str) -> Person {
    Person::Slack(name.to_owned())
}

fn cli(name: &str) -> Person {
    Person::Cli(name.to_owned())
}

fn approve(proposal: &Proposal, person: Person) -> Decision {
    by(person, Verdict::Approve, proposal)
}

fn refusal(proposal: Proposal, decision: Decision) -> Refusal {
    proposal.decide(&decision).expect_err("it is refused")
}

#[test]
fn one_approver_is_enough_where_one_is_needed() {
    let proposal = proposal();
    let decision = approve(&proposal, slack("U1"));
    let approved = proposal.decide(&decision).unwrap();
    assert_eq!(approved.state(), ProposalState::Approved);
    let Status::Approved { valid_until, .. } = approved.status else {
        panic!()
    };
    assert_eq!(valid_until, decision.at + TimeDelta::days(7));
}

#[test]
fn two_different_people_are_needed_where_two_are() {
    let proposal = two_needed();
    let first = approve(&proposal, slack("U1"));
    let partly = proposal.decide(&first).unwrap();
    assert_eq!(partly.state(), ProposalState::PartlyApproved);
    assert_eq!(
        refusal(partly.clone(), first),
        Refusal::SamePersonAgain { by: slack("U1") }
    );
    let second = approve(&partly, slack("U2"));
    assert_eq!(
        partly.decide(&second).unwrap().state(),
        ProposalState::Approved
    );
}

#[test]
fn the_command_line_needs_a_reason_and_never_meets_a_quorum_alone() {
    let proposal = two_needed();
    assert_eq!(
        refusal(proposal.clone(), approve(&proposal, cli("ann"))),
        Refusal::ReasonMissing
    );
    let told = |proposal: &Proposal, name| Decision {
        reason: Some("card lost".to_owned()),
        ..approve(proposal, cli(name))
    };
    let partly = proposal.clone().decide(&told(&proposal, "ann")).unwrap();
    assert_eq!(
        refusal(partly.clone(), told(&partly, "bob")),
        Refusal::CliQuorum
    );
    let in_slack = approve(&partly, slack("U1"));
    assert_eq!(
        partly.decide(&in_slack).unwrap().state(),
        ProposalState::Approved
    );
}

#[test]
fn only_the_group_may_approve_and_operators_may_deny() {
    let proposal = proposal();
    let stranger = Decision {
        groups: BTreeSet::new(),
        ..approve(&proposal, slack("U9"))
    };
    assert!(matches!(
        refusal(proposal.clone(), stranger.clone()),
        Refusal::NotAnApprover { .. }
    ));
    let operator = |verdict| Decision {
        groups: [OPERATORS.to_owned()].into(),
        verdict,
        ..stranger.clone()
    };
    assert!(matches!(
        refusal(proposal.clone(), operator(Verdict::Approve)),
        Refusal::NotAnApprover { .. }
    ));
    assert_eq!(
        proposal
            .clone()
            .decide(&operator(Verdict::Deny))
            .unwrap()
            .state(),
        ProposalState::Denied
    );
    let stranger = Decision {
        verdict: Verdict::Deny,
        ..stranger
    };
    assert!(matches!(
        refusal(proposal, stranger),
        Refusal::NotAnApprover { .. }
    ));
}

#[test]
fn whoever_is_affected_may_deny_and_not_approve() {
    let proposal = proposal();
    let own = |verdict| Decision {
        identity: Identity::User("00uAnn".into()),
        ..by(slack("U1"), verdict, &proposal)
    };
    assert_eq!(
        refusal(proposal.clone(), own(Verdict::Approve)),
        Refusal::OwnDevice {
            device: "guoMac".into()
        }
    );
    assert_eq!(
        proposal
            .clone()
            .decide(&own(Verdict::Deny))
            .unwrap()
            .state(),
        ProposalState::Denied
    );

    let mut allowed = sample_plan();
    allowed.approval.self_approval = true;
    let allowed = Proposal::new("P-7F3K2Q".into(), allowed, now());
    let decision = Decision {
        digest: allowed.digest.clone(),
        ..own(Verdict::Approve)
    };
    assert_eq!(
        allowed.decide(&decision).unwrap().state(),
        ProposalState::Approved
    );
}

#[test]
fn a_failed_look_up_refuses_and_nobody_in_okta_does_not() {
    let proposal = proposal();
    let failed = Decision {
        identity: Identity::LookUpFailed("okta: 503".to_owned()),
        ..approve(&proposal, slack("U1"))
    };
    assert_eq!(
        refusal(proposal.clone(), failed),
        Refusal::IdentityUnknown {
            why: "okta: 503".to_owned()
        }
    );
    let other = Decision {
        identity: Identity::User("00uSomebodyElse".into()),
        ..approve(&proposal, slack("U1"))
    };
    assert!(proposal.decide(&other).is_ok());
}

#[test]
fn what_was_decided_stays_decided() {
    let proposal = proposal();
    let deny = by(slack("U1"), Verdict::Deny, &proposal);
    let late = approve(&proposal, slack("U2"));
    let denied = proposal.decide(&deny).unwrap();
    assert_eq!(
        refusal(denied, late),
        Refusal::AlreadyDecided {
            word: "denied",
            by: "U1".to_owned(),
            at: deny.at
        }
    );
}

#[test]
fn a_stale_revision_says_what_changed() {
    let proposal = Proposal::new("P-7F3K2Q".into(), plan_of(2), now());
    let stale = approve(&proposal, slack("U1"));
    let mut plan = plan_of(3);
    plan.repairs.remove(0);
    let revised = proposal.revise(plan, now()).unwrap();
    let Refusal::StaleRevision {
        seen,
        current,
        changed,
    } = refusal(revised, stale)
    else {
        panic!()
    };
    assert_eq!((seen, current), (1, 2));
    assert_eq!(changed, ["added guo0002", "left guo0000"]);
}

#[test]
fn a_new_revision_asks_everybody_again() {
    let proposal = two_needed();
    let decision = approve(&proposal, slack("U1"));
    let partly = proposal.decide(&decision).unwrap();
    let revised = partly.revise(plan_of(2), now()).unwrap();
    assert_eq!(revised.state(), ProposalState::AwaitingApproval);
    assert!(revised.approvals().is_empty());
}

#[test]
fn another_plan_than_the_one_shown_is_refused() {
    let proposal = proposal();
    let forged = Decision {
        digest: PlanDigest::new("00"),
        ..approve(&proposal, slack("U1"))
    };
    assert_eq!(refusal(proposal, forged), Refusal::DigestDiffers);
}

#[test]
fn too_late_is_too_late() {
    let proposal = proposal();
    let expires = proposal.expires_at;
    assert_eq!(expires, now() + TimeDelta::days(1));
    let late = Decision {
        at: expires,
        ..approve(&proposal, slack("U1"))
    };
    assert_eq!(
        refusal(proposal.clone(), late.clone()),
        Refusal::Expired { at: expires }
    );
    let expired = proposal.at(expires + TimeDelta::hours(1));
    assert_eq!(expired.state(), ProposalState::Expired);
    assert_eq!(refusal(expired, late), Refusal::Expired { at: expires });
}

#[test]
fn a_snooze_ends_by_itself_and_keeps_approvals() {
    let proposal = two_needed();
    let decision = approve(&proposal, slack("U1"));
    let partly = proposal.decide(&decision).unwrap();
    let until = now() + TimeDelta::hours(3);
    let snooze = by(slack("U2"), Verdict::Snooze { until }, &partly);
    let snoozed = partly.clone().decide(&snooze).unwrap();
    assert_eq!(snoozed.state(), ProposalState::Snoozed);
    assert_eq!(
        snoozed.clone().at(until - TimeDelta::seconds(1)).state(),
        ProposalState::Snoozed
    );
    assert_eq!(snoozed.at(until).state(), ProposalState::PartlyApproved);
    for until in [now(), partly.expires_at] {
        let decision = by(slack("U2"), Verdict::Snooze { until }, &partly);
        assert!(matches!(
            refusal(partly.clone(), decision),
            Refusal::SnoozeTooLong { .. }
        ));
    }
}

#[test]
fn an_end_takes_no_decision_and_no_other_end() {
    let at = now() + TimeDelta::minutes(1);
    let stopped = proposal().stopped("ann".to_owned(), at).unwrap();
    let decision = approve(&stopped, slack("U1"));
    assert_eq!(
        refusal(stopped.clone(), decision),
        Refusal::Stopped {
            by: "ann".to_owned()
        }
    );
    for ended in [
        stopped,
        proposal().cured(at).unwrap(),
        proposal().superseded(at).unwrap(),
    ] {
        assert!(!ended.state().is_undecided());
        assert!(ended.clone().cured(at).is_err());
        assert!(ended.clone().superseded(at).is_err());
        assert!(ended.clone().stopped("bob".to_owned(), at).is_err());
        assert!(ended.revise(plan_of(1), at).is_err());
    }
}
