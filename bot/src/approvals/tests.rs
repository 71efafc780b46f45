//! Clicks against a store, a small workspace and a small org.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use connectors::slack::{
    Answer, ChatErrorKind, Command, EventSink, Incoming, Standing, Submission,
};

use super::{AskAgain, ExpiryPass, Refused, decide_from_cli, denied_until};
use crate::{
    chat::fake::{Office, plan},
    clock::Clock,
    domain::{ProposalState, RepairState, Risk, approval::Refusal, approval::Verdict},
    pass::Pass,
    store::{NewRevision, Together},
};

async fn card(office: &Office) -> String {
    office.propose(plan(6)).await;
    office.chat.value_of("p.approve").unwrap()
}

#[tokio::test]
async fn an_approval_makes_the_run_and_changes_the_card() {
    let office = Office::open().await;
    let value = card(&office).await;
    office.press("UANN", "p.approve", &value).await;
    assert_eq!(office.state().await, ProposalState::Approved);
    let run = office
        .store
        .run_of_proposal(&"P-7F3K2Q".into())
        .await
        .unwrap()
        .unwrap();
    let repairs = office.store.repairs(&run.id).await.unwrap();
    assert_eq!(repairs.len(), 6);
    assert!(
        repairs
            .iter()
            .all(|repair| repair.state == RepairState::Queued)
    );
    let card = office.chat.card();
    assert_eq!(card.edits, 1);
    assert!(card.text.contains("approved, starting"), "{}", card.text);
    assert_eq!(
        office.chat.value_of("p.approve"),
        None,
        "a decided card has no button"
    );
    let thread: Vec<_> = office
        .chat
        .in_channel("C1")
        .into_iter()
        .filter(|said| said.thread.is_some())
        .collect();
    assert!(
        thread[0].text.starts_with("<@UANN> approved revision 1"),
        "{}",
        thread[0].text
    );
    assert_eq!(thread[0].thread, Some(card.ts));
    assert_eq!(office.told("UANN"), None);
    let audit = office.store.audit_about("P-7F3K2Q").await.unwrap();
    assert_eq!(audit.last().unwrap().kind, "proposal.approved");
}

#[tokio::test]
async fn who_is_no_approver_at_the_click_changes_nothing_and_is_told_who_may() {
    let office = Office::open().await;
    let value = card(&office).await;
    office.press("UCARL", "p.approve", &value).await;
    assert_eq!(office.state().await, ProposalState::AwaitingApproval);
    let told = office.told("UCARL").unwrap();
    assert!(
        told.contains("you may not decide this") && told.contains("<!subteam^S1>"),
        "{told}"
    );
    assert_eq!(office.chat.card().edits, 0);
    let audit = office.store.audit_about("P-7F3K2Q").await.unwrap();
    assert_eq!(audit.last().unwrap().kind, "decision.refused");
}

#[tokio::test]
async fn leaving_the_group_after_the_post_counts_at_once_for_high_risk() {
    let office = Office::open().await;
    let mut risky = plan(2);
    risky.risk = Risk::High;
    office.propose(risky).await;
    let value = office.chat.value_of("p.approve").unwrap();
    // Carl's click makes the members known; Ann leaves a moment later.
    office.press("UCARL", "p.approve", &value).await;
    office
        .chat
        .usergroups
        .lock()
        .unwrap()
        .insert("S1".into(), vec!["UBOB".into()]);
    office.press("UANN", "p.approve", &value).await;
    assert_eq!(office.state().await, ProposalState::AwaitingApproval);
    assert!(
        office
            .told("UANN")
            .unwrap()
            .contains("you may not decide this")
    );
}

#[tokio::test]
async fn guests_bots_strangers_and_deactivated_accounts_have_no_say() {
    for standing in [
        Standing::Guest,
        Standing::Bot,
        Standing::Stranger,
        Standing::Deactivated,
    ] {
        let office = Office::open().await;
        let value = card(&office).await;
        office.chat.account("UANN", "ann@acme.com", standing);
        office.press("UANN", "p.approve", &value).await;
        assert_eq!(
            office.state().await,
            ProposalState::AwaitingApproval,
            "{standing:?}"
        );
        assert!(
            office.told("UANN").unwrap().contains("your account is"),
            "{standing:?}"
        );
    }
}

#[tokio::test]
async fn the_owner_of_an_affected_computer_cannot_approve_it() {
    let office = Office::open().await;
    let value = card(&office).await;
    office.press("UOLGA", "p.approve", &value).await;
    assert_eq!(office.state().await, ProposalState::AwaitingApproval);
    assert!(
        office
            .told("UOLGA")
            .unwrap()
            .contains("a computer that you use")
    );
}

#[tokio::test]
async fn a_failed_look_up_refuses_and_an_unknown_user_owns_nothing() {
    let office = Office::open().await;
    let value = card(&office).await;
    *office.okta.is_down.lock().unwrap() = true;
    office.press("UANN", "p.approve", &value).await;
    assert_eq!(office.state().await, ProposalState::AwaitingApproval);
    assert!(
        office
            .told("UANN")
            .unwrap()
            .contains("could not check in Okta")
    );
    *office.okta.is_down.lock().unwrap() = false;
    office.okta.users.lock().unwrap().remove("UANN");
    office.press("UANN", "p.approve", &value).await;
    assert_eq!(office.state().await, ProposalState::Approved);
}

#[tokio::test]
async fn rights_that_cannot_be_read_are_no_rights() {
    let office = Office::open().await;
    let value = card(&office).await;
    let down = ChatErrorKind::Transient {
        detail: "HTTP 503".into(),
    };
    office.chat.fail("usergroups.users.list", down, false);
    office.press("UANN", "p.approve", &value).await;
    assert_eq!(office.state().await, ProposalState::AwaitingApproval);
    assert!(
        office
            .told("UANN")
            .unwrap()
            .contains("could not check your rights")
    );
}

#[tokio::test]
async fn the_same_click_delivered_twice_counts_once_and_says_nothing_twice() {
    let office = Office::open().await;
    let mut pair = plan(2);
    pair.approval.required = 2;
    office.propose(pair).await;
    let click = office.click(
        "UANN",
        "p.approve",
        &office.chat.value_of("p.approve").unwrap(),
    );
    office.deliver(click.clone()).await;
    office.deliver(click).await;
    assert_eq!(office.state().await, ProposalState::PartlyApproved);
    assert_eq!(
        office
            .store
            .decisions(&"P-7F3K2Q".into())
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(office.chat.answers.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn two_different_people_make_a_quorum_of_two() {
    let office = Office::open().await;
    let mut pair = plan(2);
    pair.approval.required = 2;
    office.propose(pair).await;
    let value = office.chat.value_of("p.approve").unwrap();
    office.press("UANN", "p.approve", &value).await;
    assert!(office.told("UANN").unwrap().contains("1 of 2"));
    assert!(
        office
            .chat
            .card()
            .text
            .starts_with("One more approval needed")
    );
    office.press("UANN", "p.approve", &value).await;
    assert_eq!(office.state().await, ProposalState::PartlyApproved);
    assert!(office.told("UANN").unwrap().contains("second person"));
    office.press("UBOB", "p.approve", &value).await;
    assert_eq!(office.state().await, ProposalState::Approved);
}

#[tokio::test]
async fn a_click_on_an_old_revision_says_what_changed_and_the_card_is_drawn_anew() {
    let office = Office::open().await;
    let record = office.propose(plan(6)).await;
    let old = office.chat.value_of("p.approve").unwrap();
    let bigger = plan(8);
    let history = serde_json::json!([{
        "revision": 1, "digest": record.digest,
        "devices": record.plan.repairs.iter().map(|repair| &repair.subjects[0].device_id).collect::<Vec<_>>(),
    }]);
    let revision = NewRevision {
        id: record.id.clone(),
        replaces: 1,
        plan_text: crate::domain::digest::canonical(&bigger),
        digest: crate::domain::digest::digest(&bigger),
        evidence: serde_json::json!({ "history": history }),
        at: office.clock.now(),
        expires_at: office.clock.now() + TimeDelta::hours(24),
    };
    assert!(
        office
            .store
            .revise_proposal(&revision, Together::default())
            .await
            .unwrap()
    );
    office.press("UANN", "p.approve", &old).await;
    assert_eq!(office.state().await, ProposalState::AwaitingApproval);
    let told = office.told("UANN").unwrap();
    assert!(
        told.contains("you saw revision 1") && told.contains("2 more"),
        "{told}"
    );
    assert!(
        office
            .chat
            .value_of("p.approve")
            .unwrap()
            .starts_with("P-7F3K2Q|2|")
    );
}

#[tokio::test]
async fn a_forged_digest_changes_nothing() {
    let office = Office::open().await;
    card(&office).await;
    office
        .press("UANN", "p.approve", "P-7F3K2Q|1|00000000")
        .await;
    assert_eq!(office.state().await, ProposalState::AwaitingApproval);
    assert!(
        office
            .told("UANN")
            .unwrap()
            .contains("not the plan that would be carried out")
    );
}

#[tokio::test]
async fn deny_opens_the_form_and_its_reason_is_kept_and_not_asked_again() {
    let office = Office::open().await;
    let record = office.propose(plan(6)).await;
    let value = office.chat.value_of("p.deny").unwrap();
    office.press("UZOE", "p.deny", &value).await;
    office.listener.finish().await;
    let view = office
        .chat
        .views
        .lock()
        .unwrap()
        .pop()
        .expect("the form is open");
    assert_eq!(office.state().await, ProposalState::AwaitingApproval);
    let inputs = [
        ("why", "risky"),
        ("note", "not before the freeze"),
        ("again", "evidence"),
    ];
    let answer = office
        .listener
        .take(Incoming::Submission(submission("UZOE", &view, &inputs)))
        .await;
    assert_eq!(answer, Answer::Taken);
    office.judge().await;
    assert_eq!(office.state().await, ProposalState::Denied);
    let stored = office.store.proposal(&record.id).await.unwrap().unwrap();
    assert_eq!(
        stored.reason.as_deref(),
        Some("Too risky: not before the freeze")
    );
    let denials = office.store.denials(office.clock.now()).await.unwrap();
    let repair = &record.plan.repairs[0];
    let plan = &record.plan;
    let denied = |repair| {
        denied_until(
            &denials,
            repair,
            &plan.playbook,
            plan.cause,
            office.clock.now(),
        )
    };
    assert!(denied(repair).is_some());
    let mut changed = repair.clone();
    changed.preconditions.profile_state = Some("pending".into());
    assert_eq!(denied(&changed), None, "new evidence may be asked about");
}

fn submission(user: &str, view: &serde_json::Value, inputs: &[(&str, &str)]) -> Submission {
    Submission {
        dedupe_key: format!("slack:form:{user}"),
        user: user.into(),
        team: None,
        callback: view["callback_id"].as_str().unwrap().into(),
        private_metadata: view["private_metadata"].as_str().unwrap().into(),
        inputs: inputs
            .iter()
            .map(|(block, value)| ((*block).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

#[tokio::test]
async fn a_form_about_a_decided_plan_is_told_so_in_the_acknowledgement() {
    let office = Office::open().await;
    let value = card(&office).await;
    let record = office
        .store
        .proposal(&"P-7F3K2Q".into())
        .await
        .unwrap()
        .unwrap();
    let view = crate::chat::render::deny(&record, &format!("{value}|C1"));
    office.press("UANN", "p.approve", &value).await;
    let answer = office
        .listener
        .take(Incoming::Submission(submission(
            "UBOB",
            &view,
            &[("why", "wrong")],
        )))
        .await;
    let Answer::Errors(errors) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(
        errors,
        BTreeMap::from([(
            "why".to_owned(),
            "Too late: P-7F3K2Q is approved by now.".to_owned()
        )])
    );
    assert_eq!(office.state().await, ProposalState::Approved);
}

#[tokio::test]
async fn a_form_that_cannot_be_opened_any_more_is_told() {
    let office = Office::open().await;
    card(&office).await;
    let code = "expired_trigger_id".to_owned();
    office
        .chat
        .fail("views.open", ChatErrorKind::Permanent { code }, false);
    office
        .press("UANN", "p.deny", &office.chat.value_of("p.deny").unwrap())
        .await;
    office.listener.finish().await;
    assert!(
        office
            .told("UANN")
            .unwrap()
            .contains("press the button again")
    );
}

#[tokio::test]
async fn a_refusal_reaches_the_person_even_if_the_click_cannot_be_answered() {
    let office = Office::open().await;
    let value = card(&office).await;
    let gone = || ChatErrorKind::Permanent {
        code: "used_url".into(),
    };
    office.chat.fail("response_url", gone(), false);
    office.chat.fail("chat.postEphemeral", gone(), false);
    office.press("UCARL", "p.approve", &value).await;
    let direct = office.chat.in_channel("D-UCARL");
    assert!(
        direct[0].text.contains("you may not decide this"),
        "{direct:?}"
    );
}

#[tokio::test]
async fn the_command_line_counts_as_one_person_and_never_meets_a_quorum_alone() {
    let office = Office::open().await;
    let mut pair = plan(2);
    pair.approval.required = 2;
    office.propose(pair).await;
    let decider = office.deps.decider();
    let id = "P-7F3K2Q".into();
    let now = office.clock.now();
    let refused = decide_from_cli(&decider, &id, Verdict::Approve, "ann", " ", now)
        .await
        .unwrap_err();
    assert!(matches!(refused, Refused::Because(Refusal::ReasonMissing)));
    let outcome = decide_from_cli(&decider, &id, Verdict::Approve, "ann", "Slack is down", now)
        .await
        .unwrap();
    assert_eq!(outcome.state, ProposalState::PartlyApproved);
    let refused = decide_from_cli(&decider, &id, Verdict::Approve, "bob", "me too", now)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, Refused::Because(Refusal::CliQuorum)),
        "{refused}"
    );
    office.send().await;
    office
        .press(
            "UBOB",
            "p.approve",
            &office.chat.value_of("p.approve").unwrap(),
        )
        .await;
    assert_eq!(office.state().await, ProposalState::Approved);
}

#[tokio::test]
async fn a_stop_holds_approvals_and_resuming_everything_needs_another_person() {
    let office = Office::open().await;
    let value = card(&office).await;
    assert!(
        slash(&office, "UCARL", "stop all because")
            .await
            .contains("you may not stop")
    );
    assert!(
        slash(&office, "UANN", "stop all profile is wrong")
            .await
            .contains("Stopped: everything")
    );
    office.press("UBOB", "p.approve", &value).await;
    assert_eq!(office.state().await, ProposalState::AwaitingApproval);
    assert!(office.told("UBOB").unwrap().contains("Stopped by <@UANN>"));
    assert!(
        office
            .chat
            .in_channel("C1")
            .iter()
            .any(|said| said.text.contains("Everything is stopped"))
    );
    assert!(
        slash(&office, "UANN", "resume all fixed")
            .await
            .contains("another approver")
    );
    assert!(
        slash(&office, "UZOE", "resume all fixed")
            .await
            .contains("you may not resume")
    );
    assert!(
        slash(&office, "UBOB", "resume all fixed")
            .await
            .contains("Goes on")
    );
    let value = office.chat.value_of("p.approve").unwrap();
    office.press("UBOB", "p.approve", &value).await;
    assert_eq!(office.state().await, ProposalState::Approved);
}

/// What somebody is told after a command that changes something.
async fn slash(office: &Office, user: &str, text: &str) -> String {
    let command = Command {
        dedupe_key: format!("slack:command:{user}:{text}"),
        user: user.into(),
        team: Some("T1".into()),
        channel: "C1".into(),
        command: "/unstuck".into(),
        text: text.into(),
        response_url: Some(format!("to:{user}")),
    };
    let answer = office.listener.take(Incoming::Command(command)).await;
    assert!(matches!(answer, Answer::Reply(_)), "{answer:?}");
    office.judge().await;
    office.told(user).unwrap_or_default()
}

#[tokio::test]
async fn questions_are_answered_in_the_acknowledgement() {
    let office = Office::open().await;
    card(&office).await;
    let ask = |text: &'static str| {
        let command = Command {
            dedupe_key: text.into(),
            user: "UCARL".into(),
            team: None,
            channel: "C1".into(),
            command: "/unstuck".into(),
            text: text.into(),
            response_url: None,
        };
        office.listener.take(Incoming::Command(command))
    };
    let Answer::Reply(queue) = ask("queue").await else {
        panic!("no answer")
    };
    assert!(
        queue.contains("`P-7F3K2Q` Re-push the SCEP profile: 6 computers"),
        "{queue}"
    );
    let Answer::Reply(typo) = ask("statsu").await else {
        panic!("no answer")
    };
    assert!(typo.contains("Did you mean `status`?"), "{typo}");
    let Answer::Reply(why) = ask("why <!channel>").await else {
        panic!("no answer")
    };
    assert!(why.contains("&lt;!channel&gt;"), "{why}");
}

#[tokio::test]
async fn what_nobody_decides_expires_and_a_snooze_ends() {
    let office = Office::open().await;
    let value = card(&office).await;
    office.press("UANN", "p.snooze", &value).await;
    assert_eq!(office.state().await, ProposalState::Snoozed);
    let pass = ExpiryPass {
        store: office.store.clone(),
        wake: office.deps.wake.clone(),
    };
    let now = office.pass_time(TimeDelta::hours(5));
    pass.run(now).await.unwrap();
    assert_eq!(office.state().await, ProposalState::AwaitingApproval);
    let now = office.pass_time(TimeDelta::hours(20));
    assert_eq!(pass.run(now).await.unwrap(), None);
    office.send().await;
    assert_eq!(office.state().await, ProposalState::Expired);
    assert!(office.chat.card().text.contains("expired"));
    office.press("UANN", "p.approve", &value).await;
    assert_eq!(office.state().await, ProposalState::Expired);
    assert!(
        office
            .told("UANN")
            .unwrap()
            .contains("the time to decide was over")
    );
}

#[tokio::test]
async fn never_means_never() {
    let office = Office::open().await;
    let record = office.propose(plan(1)).await;
    let mut ballot = super::Ballot {
        proposal: record.id.clone(),
        seen: super::Seen::Current,
        verdict: Verdict::Deny,
        by: crate::domain::approval::Person::Slack("UANN".into()),
        email: None,
        identity: crate::domain::approval::Identity::None,
        groups: ["oncall".to_owned()].into(),
        reason: Some("Handled by hand".into()),
        again: AskAgain::Never,
        at: office.clock.now(),
    };
    office.deps.decider().decide(&ballot).await.unwrap();
    let denials = office
        .store
        .denials(office.clock.now() + TimeDelta::days(3_650))
        .await
        .unwrap();
    let plan = &record.plan;
    let until = denied_until(
        &denials,
        &plan.repairs[0],
        &plan.playbook,
        plan.cause,
        office.clock.now(),
    );
    assert!(until.unwrap() > office.clock.now() + TimeDelta::days(3_650));
    ballot.verdict = Verdict::Approve;
    assert!(matches!(
        office.deps.decider().decide(&ballot).await,
        Err(Refused::Because(Refusal::AlreadyDecided { .. }))
    ));
}
