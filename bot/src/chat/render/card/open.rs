//! A card that waits for its decision: everything that a person needs for it, and the buttons.

use serde_json::{Value, json};

use super::{
    MOST_NAMED, approvals, block_id, capital, how_many, risk_word, small_print, value, wave_sizes,
    what,
};
use crate::{
    chat::{
        mrkdwn::{code, date_time, escape, members, person, shorten, shorten_marked},
        render::{CardValues, FIELD, Rendered, button, context, section},
    },
    domain::{Hop, MicroStepKind, Plan, ProposalState, Risk, VendorCall, WaveSize},
    wording,
    words::count,
};

pub(super) fn undecided(values: &CardValues) -> Rendered {
    let record = &values.proposal;
    let plan = &record.plan;
    let risk = risk_word(plan.risk);
    let sign = match plan.risk {
        Risk::Low => ":large_yellow_circle:",
        Risk::Medium => ":large_orange_circle:",
        Risk::High => ":red_circle:",
    };
    let head = format!(
        "{sign} *{}* · {risk} · `{}`\n{}",
        what(values),
        record.id,
        escape(&format!("{}.", capital(plan.cause.title())))
    );
    let mut blocks = vec![section(&block_id(values, "t"), &head), fields(values)];
    blocks.push(section(&block_id(values, "d"), &details(values)));
    let stopped = values.stop.is_some();
    let snoozed = record.state == ProposalState::Snoozed;
    if let Some(stop) = &values.stop {
        let line = format!(
            ":octagonal_sign: Stopped by {}: {}. Nothing can be approved until it is resumed.",
            person(&stop.stop.by),
            escape(&stop.stop.reason)
        );
        blocks.push(section(&block_id(values, "s"), &line));
    }
    if snoozed && let Some(until) = record.snoozed_until {
        let by = record.snoozed_by.as_deref().map(person).unwrap_or_default();
        blocks.push(section(
            &block_id(values, "z"),
            &format!(":zzz: Put off until {} by {by}.", date_time(until)),
        ));
    }
    blocks.push(buttons(values, !stopped && somebody_may_approve(values)));
    blocks.push(context(&block_id(values, "c"), &small_print(values)));
    let needs = if record.state == ProposalState::PartlyApproved {
        "One more approval"
    } else {
        "Approval"
    };
    Rendered {
        text: format!(
            "{needs} needed: {}, {risk}. Expires {}.",
            what(values),
            record.expires_at.format("%-d %b %H:%M UTC")
        ),
        blocks,
    }
}

fn fields(values: &CardValues) -> Value {
    let record = &values.proposal;
    let plan = &record.plan;
    let titled = [
        ("Needs", needs(values)),
        ("Pace", pace(plan)),
        ("Proof", proof(values)),
        ("Expires", date_time(record.expires_at)),
        ("Undo", undo(plan).to_owned()),
        ("Afterwards", afterwards(plan).to_owned()),
    ];
    let field = |(title, text): (&str, String)| json!({ "type": "mrkdwn", "text": shorten_marked(&format!("*{title}*\n{text}"), FIELD) });
    json!({
        "type": "section", "block_id": block_id(values, "f"),
        "fields": titled.into_iter().map(field).collect::<Vec<_>>(),
    })
}

fn needs(values: &CardValues) -> String {
    let required = values.proposal.plan.approval.required.max(1);
    let groups: Vec<String> = values
        .approvers
        .iter()
        .map(|(name, list)| format!("{} ({})", escape(name), members(list)))
        .collect();
    let groups = if groups.is_empty() {
        "nobody".to_owned()
    } else {
        groups.join(" or ")
    };
    if !somebody_may_approve(values) {
        return format!(
            ":warning: {required} of {groups}: nobody can decide this here; see [approvals] in the settings"
        );
    }
    let given: Vec<String> = approvals(values)
        .map(|decision| person(&decision.person))
        .collect();
    if given.is_empty() {
        format!("{required} of {groups}")
    } else {
        format!(
            "{} of {required}: {}; another person of {groups} is needed",
            given.len(),
            given.join(", ")
        )
    }
}

fn somebody_may_approve(values: &CardValues) -> bool {
    let in_slack =
        |member: &String| member.starts_with("user:") || member.starts_with("usergroup:");
    values
        .approvers
        .iter()
        .any(|(_, members)| members.iter().any(in_slack))
}

fn pace(plan: &Plan) -> String {
    let total = plan.repairs.len();
    let stop = match plan.rollout.stop_when_failed {
        WaveSize::Count(0) => "the first failure".to_owned(),
        WaveSize::Count(number) => format!("more than {}", count(number as usize, "failure")),
        WaveSize::Percent(percent) => format!("more than {percent} % failed"),
    };
    let waves = match wave_sizes(plan).as_slice() {
        [] | [_] => "all at once".to_owned(),
        [first, between @ .., _] => {
            let between: String = between
                .iter()
                .map(|size| format!(", then {size}"))
                .collect();
            format!("{first} first{between}, then all {total}")
        }
    };
    format!("{waves}; stops at {stop}")
}

fn proof(values: &CardValues) -> String {
    let total = values.proposal.plan.repairs.len();
    let evidence = &values.evidence;
    let confirmed = evidence
        .confirmed
        .map_or(total, |confirmed| confirmed as usize);
    let checked = evidence.checked_at.unwrap_or(values.proposal.revised_at);
    format!(
        "{confirmed} of {total} confirmed, checked {}",
        wording::ago(checked, values.now)
    )
}

fn undo(plan: &Plan) -> &'static str {
    let calls = || {
        plan.repairs
            .iter()
            .flat_map(|repair| &repair.steps)
            .filter_map(|step| match &step.kind {
                MicroStepKind::Call(call) => Some(call),
                MicroStepKind::Wait(_) => None,
            })
    };
    if calls().any(|call| matches!(call, VendorCall::RunCleanupScript { .. })) {
        "no: the dead certificate is removed for good; a new one takes its place"
    } else if calls().any(VendorCall::begins_hold) {
        "what is taken away for the repair is given back by itself"
    } else if calls().any(|call| {
        matches!(
            call,
            VendorCall::SetUserGroup { .. } | VendorCall::SetDeviceGroup { .. }
        )
    }) {
        "the group membership is taken back"
    } else {
        "nothing to undo: nothing is removed"
    }
}

fn afterwards(plan: &Plan) -> &'static str {
    let signs_in = plan
        .verify
        .hops
        .iter()
        .any(|hop| matches!(hop, Hop::CertBound | Hop::Managed));
    if signs_in {
        "the owner signs in once with FastPass; the bot asks them"
    } else {
        "the owner does nothing"
    }
}

/// Computers, the way that was chosen, and whom else it touches.
fn details(values: &CardValues) -> String {
    let plan = &values.proposal.plan;
    let mut lines = vec![computers(plan)];
    lines.extend(also_changed(plan));
    if let Some(rung) = plan.repairs.iter().find_map(|repair| repair.rung.as_ref()) {
        let others = plan
            .repairs
            .iter()
            .filter_map(|repair| repair.rung.as_ref())
            .filter(|other| other.name != rung.name)
            .count();
        let more = if others > 0 {
            format!(" ({} another way)", count(others, "computer"))
        } else {
            String::new()
        };
        lines.push(format!(
            "*How* {}: {}{more}",
            escape(&rung.name),
            escape(&shorten(&rung.because, 400))
        ));
    }
    if let Some(repair) = plan.repairs.first() {
        let steps: Vec<String> = repair
            .steps
            .iter()
            .map(|step| escape(&wording::step(&step.kind)))
            .collect();
        lines.push(format!(
            "*Steps* {}",
            shorten_marked(&steps.join(" → "), 1_200)
        ));
    }
    lines.join("\n")
}

fn computers(plan: &Plan) -> String {
    let named: Vec<String> = plan
        .repairs
        .iter()
        .take(MOST_NAMED)
        .map(|repair| code(&repair.device_name))
        .collect();
    let more = plan.repairs.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        format!("{} and {more} more", named.join(" "))
    } else {
        named.join(" ")
    }
}

/// Whom the plan changes besides those it is for.
fn also_changed(plan: &Plan) -> Option<String> {
    let others: std::collections::BTreeSet<(&str, &str, bool)> = plan
        .repairs
        .iter()
        .flat_map(|repair| {
            repair.affected.iter().filter(|one| {
                !repair.subjects.iter().any(|subject| {
                    subject.device_id == one.device_id && subject.user_id == one.user_id
                })
            })
        })
        .map(|one| (one.login.as_str(), one.device_id.as_str(), one.managed))
        .collect();
    if others.is_empty() {
        return None;
    }
    let managed = others.iter().filter(|(_, _, managed)| *managed).count();
    let mut names: Vec<String> = others
        .iter()
        .take(MOST_NAMED)
        .map(|(login, ..)| escape(&shorten(login, 80)))
        .collect();
    names.dedup();
    let more = if others.len() > MOST_NAMED {
        ", …"
    } else {
        ""
    };
    Some(format!(
        ":busts_in_silhouette: *Also changes {}*, {managed} of them managed today: {}{more}",
        count(others.len(), "other user"),
        names.join(", ")
    ))
}

fn buttons(values: &CardValues, may_approve: bool) -> Value {
    let total = values.proposal.plan.repairs.len();
    let value = value(values);
    let mut elements = Vec::new();
    if may_approve {
        let label = if total == 1 {
            "Approve".to_owned()
        } else {
            format!("Approve all {total}")
        };
        let mut approve = button("p.approve", &label, &value);
        approve["style"] = json!("primary");
        let plan = &values.proposal.plan;
        approve["accessibility_label"] = json!(shorten(
            &format!("Approve: {} on {}", plan.title, how_many(values)),
            75
        ));
        if plan.risk == Risk::High {
            let text = format!("{}. {}", what(values), capital(undo(plan)));
            approve["confirm"] = json!({
                "title": { "type": "plain_text", "text": "High risk" },
                "text": { "type": "mrkdwn", "text": shorten_marked(&text, 300) },
                "confirm": { "type": "plain_text", "text": "Approve" },
                "deny": { "type": "plain_text", "text": "Back" },
            });
        }
        elements.push(approve);
    }
    let mut deny = button("p.deny", "Deny…", &value);
    deny["style"] = json!("danger");
    elements.push(deny);
    if values.proposal.state != ProposalState::Snoozed {
        elements.push(button("p.snooze", "Later (4 h)", &value));
    }
    json!({ "type": "actions", "block_id": block_id(values, "a"), "elements": elements })
}
