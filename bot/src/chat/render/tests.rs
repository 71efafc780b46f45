//! Every card in every state, against the limits of Slack's documents and against a snapshot.

use serde_json::{Value, json};

use super::*;
use crate::{
    chat::fake::{morning, plan},
    domain::{
        Affected, Hop, Plan, ProposalState, RepairState, Risk, RunId, SourceTimes, WaitingOn,
        digest,
    },
    store::{DecisionRecord, NewStop, StopScope, Verdict},
};

fn values(plan: Plan, state: ProposalState) -> CardValues {
    let proposal = ProposalRecord {
        id: "P-7F3K2Q".into(),
        state,
        revision: 1,
        digest: digest::digest(&plan),
        playbook: plan.playbook.clone(),
        cause: plan.cause,
        plan_text: digest::canonical(&plan),
        plan,
        evidence: json!({}),
        batch_number: 1,
        batch_count: 1,
        created_at: morning(),
        revised_at: morning(),
        expires_at: morning() + chrono::TimeDelta::hours(7),
        snoozed_until: None,
        snoozed_by: None,
        decided_at: None,
        reason: None,
    };
    CardValues {
        proposal,
        evidence: CardEvidence {
            confirmed: Some(6),
            checked_at: Some(morning() - chrono::TimeDelta::minutes(6)),
            fact: Some("certificate expired".into()),
            noun: Some("Mac".into()),
            fix_rate: Some("worked for 41 of 44, median 38 min".into()),
            ..CardEvidence::default()
        },
        decisions: Vec::new(),
        run: None,
        repairs: Vec::new(),
        open_holds: 0,
        stop: None,
        approvers: vec![(
            "oncall".into(),
            vec!["usergroup:S1".into(), "cli:ann".into()],
        )],
        now: morning(),
    }
}

fn running(state: ProposalState, repairs: &[RepairState]) -> CardValues {
    let mut values = values(plan(repairs.len()), state);
    values.decisions = vec![DecisionRecord {
        revision: 1,
        person: "user:UANN".into(),
        verdict: Verdict::Approve,
        reason: None,
        at: morning(),
    }];
    values.run = Some(crate::store::RunRecord {
        id: RunId::from("run-1"),
        proposal: "P-7F3K2Q".into(),
        playbook: values.proposal.playbook.clone(),
        cause: values.proposal.cause,
        state,
        owner: None,
        wave: 2,
        wave_opened_at: None,
        wave_passed_at: None,
        source_times: SourceTimes {
            began: Default::default(),
        },
        started_at: morning(),
        valid_until: morning(),
        finished_at: None,
    });
    let record = |(position, state): (usize, &RepairState)| RepairRecord {
        id: format!("r{position}").into(),
        run: RunId::from("run-1"),
        position,
        hardware: values.proposal.plan.repairs[position].hardware.clone(),
        mdm: None,
        subjects: Vec::new(),
        state: state.clone(),
        hops: json!([]),
        version: 1,
        next_look_at: None,
        started_at: None,
        finished_at: None,
    };
    values.repairs = repairs.iter().enumerate().map(record).collect();
    values
}

fn sign_in_wait() -> RepairState {
    RepairState::Waiting {
        on: WaitingOn::Hop { hop: Hop::Managed },
        deadline: morning(),
    }
}

fn stop() -> Stop {
    Stop {
        id: 1,
        stop: NewStop {
            scope: StopScope::All,
            freeze: false,
            reason: "the profile is wrong".into(),
            by: "user:UZOE".into(),
            at: morning(),
        },
        resumed: None,
    }
}

/// Limits of a list of blocks, as Slack's reference of block elements has them.
fn problems(rendered: &Rendered) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |ok: bool, what: String| {
        if !ok {
            found.push(what);
        }
    };
    check(
        rendered.text.chars().count() <= 4_000 && !rendered.text.is_empty(),
        "text".into(),
    );
    check(rendered.blocks.len() <= 50, "blocks".into());
    let mut ids = std::collections::BTreeSet::new();
    for block in &rendered.blocks {
        let id = block["block_id"].as_str().unwrap_or_default().to_owned();
        check(
            !id.is_empty() && id.len() <= 255 && ids.insert(id.clone()),
            format!("block id {id}"),
        );
        let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
        match block["type"].as_str().unwrap_or_default() {
            "section" => {
                let fields = block["fields"].as_array().cloned().unwrap_or_default();
                let text = length(&block["text"]["text"]);
                check(
                    text > 0 || !fields.is_empty(),
                    format!("{id}: empty section"),
                );
                check(text <= 3_000, format!("{id}: section text"));
                check(fields.len() <= 10, format!("{id}: fields"));
                for field in fields {
                    check(
                        (1..=2_000).contains(&length(&field["text"])),
                        format!("{id}: field"),
                    );
                }
            }
            "context" => {
                let elements = block["elements"].as_array().unwrap();
                check((1..=10).contains(&elements.len()), format!("{id}: context"));
                check(
                    elements
                        .iter()
                        .all(|one| (1..=3_000).contains(&length(&one["text"]))),
                    format!("{id}: context text"),
                );
            }
            "actions" => {
                let elements = block["elements"].as_array().unwrap();
                check((1..=25).contains(&elements.len()), format!("{id}: actions"));
                for element in elements {
                    check(
                        (1..=75).contains(&length(&element["text"]["text"])),
                        format!("{id}: button text"),
                    );
                    check(length(&element["value"]) <= 2_000, format!("{id}: value"));
                    check(length(&element["url"]) <= 3_000, format!("{id}: url"));
                    check(
                        length(&element["accessibility_label"]) <= 75,
                        format!("{id}: label"),
                    );
                    check(
                        (1..=255).contains(&length(&element["action_id"])),
                        format!("{id}: action id"),
                    );
                    if let Some(confirm) = element.get("confirm") {
                        check(
                            length(&confirm["title"]["text"]) <= 100,
                            format!("{id}: confirm title"),
                        );
                        check(
                            length(&confirm["text"]["text"]) <= 300,
                            format!("{id}: confirm text"),
                        );
                        check(
                            length(&confirm["confirm"]["text"]) <= 30,
                            format!("{id}: confirm button"),
                        );
                    }
                }
            }
            other => check(false, format!("{id}: block type {other}")),
        }
    }
    found
}

/// Every text that Slack reads as markup; plain text is shown as it is.
fn markup(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.get("type") == Some(&json!("mrkdwn")) => {
            format!("{}\n", fields["text"])
        }
        Value::Object(fields) => fields.values().map(markup).collect(),
        Value::Array(items) => items.iter().map(markup).collect(),
        _ => String::new(),
    }
}

fn checked(rendered: Rendered) -> Rendered {
    assert_eq!(problems(&rendered), Vec::<String>::new());
    rendered
}

#[test]
fn an_open_card_says_everything_that_a_decision_needs() {
    let card = checked(card(&values(plan(6), ProposalState::AwaitingApproval)));
    insta::assert_json_snapshot!("open", json!({ "text": card.text, "blocks": card.blocks }));
}

#[test]
fn a_card_under_way_counts_its_computers() {
    let states = [
        RepairState::Managed,
        sign_in_wait(),
        RepairState::Acting { step: 1 },
        RepairState::Queued,
    ];
    let card = checked(card(&running(ProposalState::Running, &states)));
    insta::assert_json_snapshot!(
        "running",
        json!({ "text": card.text, "blocks": card.blocks })
    );
}

#[test]
fn a_done_card_names_those_that_were_not_fixed() {
    let states = [
        RepairState::Managed,
        RepairState::NotFixed {
            hop: Hop::CertPresent,
        },
        RepairState::Dropped {
            reason: "the serial <number> differs".into(),
        },
    ];
    let card = checked(card(&running(ProposalState::DoneWithFailures, &states)));
    insta::assert_json_snapshot!(
        "done_with_failures",
        json!({ "text": card.text, "blocks": card.blocks })
    );
}

#[test]
fn every_state_fits_and_only_an_undecided_card_can_be_approved() {
    use ProposalState::*;
    let all = [
        AwaitingApproval,
        PartlyApproved,
        Snoozed,
        Approved,
        Running,
        WaitingForSignIn,
        Done,
        DoneWithFailures,
        Denied,
        Expired,
        Superseded,
        Stopped,
        Cured,
        Undone,
        NeedsHuman,
    ];
    for state in all {
        for has_run in [false, true] {
            let mut values = if has_run {
                running(state, &[sign_in_wait(), RepairState::Stopped])
            } else {
                values(plan(2), state)
            };
            values.proposal.snoozed_until = Some(morning());
            let rendered = checked(card(&values));
            let can_approve = Value::from(rendered.blocks)
                .to_string()
                .contains("p.approve");
            assert_eq!(can_approve, state.is_undecided(), "{state:?}");
        }
    }
}

#[test]
fn a_hostile_fleet_of_a_thousand_still_fits() {
    let mut plan = plan(1_000);
    plan.title = "<!channel> ".repeat(40);
    plan.risk = Risk::High;
    for repair in &mut plan.repairs {
        repair.device_name = "`<!here>` & ".repeat(60);
        repair.affected.extend((0..3).map(|index| Affected {
            device_id: repair.subjects[0].device_id.clone(),
            user_id: format!("00ux{index}").into(),
            login: format!("<@U{index}>").repeat(50),
            managed: true,
        }));
        let because = &mut repair.rung.as_mut().unwrap().because;
        *because = "& <reason> ".repeat(500);
    }
    let mut values = values(plan, ProposalState::AwaitingApproval);
    values.approvers = vec![("o".repeat(3_000), vec!["usergroup:S1".into()])];
    let rendered = checked(card(&values));
    let text = markup(&Value::from(rendered.blocks)) + &rendered.text;
    assert!(!text.contains("<!channel>") && !text.contains("<!here>") && !text.contains("<@U1>"));
    assert!(text.contains("and 992 more") && text.contains("Also changes 3,000 other users"));
}

#[test]
fn under_a_stop_nothing_can_be_approved_and_what_is_held_is_named() {
    let mut open = values(plan(2), ProposalState::AwaitingApproval);
    open.stop = Some(stop());
    let text = Value::from(checked(card(&open)).blocks).to_string();
    assert!(!text.contains("p.approve") && text.contains("p.deny") && text.contains("<@UZOE>"));
    let mut moving = running(
        ProposalState::Running,
        &[RepairState::Acting { step: 0 }, RepairState::Queued],
    );
    moving.stop = Some(stop());
    moving.open_holds = 1;
    let text = Value::from(checked(card(&moving)).blocks).to_string();
    assert!(text.contains("1 computer is being given back"), "{text}");
}

#[test]
fn a_card_that_nobody_can_decide_says_so() {
    let mut orphan = values(plan(2), ProposalState::AwaitingApproval);
    orphan.approvers = vec![("security".into(), Vec::new())];
    let text = Value::from(checked(card(&orphan)).blocks).to_string();
    assert!(text.contains("nobody can decide this here") && !text.contains("p.approve"));
}

#[test]
fn the_form_of_a_denial_fits_slacks_limits() {
    let values = values(plan(2), ProposalState::AwaitingApproval);
    let view = deny(&values.proposal, "P-7F3K2Q|1|a91c04de|C1");
    for part in ["title", "submit", "close"] {
        assert!(
            view[part]["text"].as_str().unwrap().chars().count() <= 24,
            "{part}"
        );
    }
    insta::assert_json_snapshot!("deny", view);
}

#[test]
fn messages_to_owners_fit_and_have_one_link() {
    let devices = ["MBP-0114".to_owned(), "<!channel>".to_owned()];
    for ask in [
        Ask::First,
        Ask::Reminder,
        Ask::Also,
        Ask::OtherDevice,
        Ask::Thanks,
        Ask::NotMine,
        Ask::Later,
    ] {
        for devices in [&devices[..0], &devices[..1], &devices[..]] {
            let rendered = checked(sign_in(&SignInValues {
                ask,
                devices,
                user: "00uolga",
                link: "https://acme.okta.com/app/UserHome",
                channel: "C1",
            }));
            assert!(!rendered.text.contains("<!channel>"));
            let links = Value::from(rendered.blocks)
                .to_string()
                .matches("https://")
                .count();
            assert!(links <= 1, "{ask:?}");
        }
    }
    checked(announce("`<!here>`", "C1"));
}
