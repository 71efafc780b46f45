//! A proposal's card in every state. The first line says what, how many and how risky.

use serde_json::{Value, json};

use super::{CardValues, FIELD, Rendered, button, context, section};
use crate::{
    chat::mrkdwn::{code, date_time, escape, members, person, shorten, shorten_marked, time},
    domain::{
        Hop, MdmKind, MicroStepKind, Plan, ProposalState, RepairState, Risk, VendorCall, WaveSize,
    },
    store::{DecisionRecord, StopScope, Verdict},
    wording,
    words::count,
};

/// Most computers that a card names.
const MOST_NAMED: usize = 8;

/// Draws the card.
pub fn card(values: &CardValues) -> Rendered {
    let state = values.proposal.state;
    if state.is_undecided() {
        undecided(values)
    } else if values.run.is_some() {
        decided(values)
    } else {
        closed(values)
    }
}

/// `Re-push the SCEP profile: 6 Macs`
fn what(values: &CardValues) -> String {
    format!(
        "{}: {}",
        escape(&values.proposal.plan.title),
        how_many(values)
    )
}

fn how_many(values: &CardValues) -> String {
    count(values.proposal.plan.repairs.len(), noun(values))
}

fn noun(values: &CardValues) -> &str {
    match &values.evidence.noun {
        Some(noun) => noun,
        None if values
            .proposal
            .plan
            .repairs
            .iter()
            .all(|repair| repair.mdm_kind == Some(MdmKind::Jamf)) =>
        {
            "Mac"
        }
        None => "computer",
    }
}

fn risk_word(risk: Risk) -> &'static str {
    match risk {
        Risk::Low => "low risk",
        Risk::Medium => "medium risk",
        Risk::High => "high risk",
    }
}

fn block_id(values: &CardValues, part: &str) -> String {
    format!("{}:{}:{part}", values.proposal.id, values.proposal.revision)
}

/// `proposal|revision|digest8`, the only thing that is trusted from a click.
fn value(values: &CardValues) -> String {
    let digest: String = values.proposal.digest.as_str().chars().take(8).collect();
    format!(
        "{}|{}|{digest}",
        values.proposal.id, values.proposal.revision
    )
}

fn undecided(values: &CardValues) -> Rendered {
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
        ("Expires", time(record.expires_at)),
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

fn approvals(values: &CardValues) -> impl Iterator<Item = &DecisionRecord> {
    let revision = values.proposal.revision;
    values.decisions.iter().filter(move |decision| {
        decision.revision == revision && decision.verdict == Verdict::Approve
    })
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

/// Cumulative sizes that differ; the last takes in everybody.
fn wave_sizes(plan: &Plan) -> Vec<usize> {
    let total = plan.repairs.len();
    let mut sizes: Vec<usize> = Vec::new();
    let given = plan.rollout.waves.iter().map(|wave| wave.of(total));
    for size in given.chain([total]) {
        if sizes.last().is_none_or(|last| size > *last) {
            sizes.push(size);
        }
    }
    sizes
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

fn small_print(values: &CardValues) -> String {
    let record = &values.proposal;
    let mut parts = Vec::new();
    if record.revision > 1 {
        parts.push(format!("revision {}: {}", record.revision, revised(values)));
    }
    if record.batch_count > 1 {
        parts.push(format!(
            "batch {} of {}",
            record.batch_number, record.batch_count
        ));
    }
    if let Some(rate) = &values.evidence.fix_rate {
        parts.push(escape(rate));
    }
    parts.push(format!("playbook {}", escape(record.playbook.as_str())));
    parts.push(format!("open since {}", date_time(record.created_at)));
    parts.join(" · ")
}

/// What the newest revision changed.
fn revised(values: &CardValues) -> String {
    let Some(before) = values.evidence.history.last() else {
        return "earlier approvals no longer count".into();
    };
    let subjects = values
        .proposal
        .plan
        .repairs
        .iter()
        .flat_map(|repair| &repair.subjects);
    let now: std::collections::BTreeSet<_> = subjects.map(|subject| &subject.device_id).collect();
    let added = now
        .iter()
        .filter(|device| !before.devices.contains(**device))
        .count();
    let left = before
        .devices
        .iter()
        .filter(|device| !now.contains(device))
        .count();
    format!("+{added} −{left} since revision {}", before.revision)
}

/// Approved: how the run goes, and how it ended.
fn decided(values: &CardValues) -> Rendered {
    let record = &values.proposal;
    let (sign, verb) = match record.state {
        ProposalState::Approved => (":white_check_mark:", "approved, starting"),
        ProposalState::Running => (":hourglass_flowing_sand:", "under way"),
        ProposalState::WaitingForSignIn => (":hourglass_flowing_sand:", "waits for sign-ins"),
        ProposalState::Done => (":white_check_mark:", "done"),
        ProposalState::Cured => (":white_check_mark:", "managed before anything was done"),
        ProposalState::DoneWithFailures => (":warning:", "done with failures"),
        ProposalState::Undone => (":leftwards_arrow_with_hook:", "undone"),
        ProposalState::NeedsHuman => (":rotating_light:", "needs a person"),
        ProposalState::Stopped => (":octagonal_sign:", "stopped"),
        other => (":grey_question:", wording::proposal_state(other)),
    };
    let tally = Tally::of(values.repairs.iter().map(|repair| &repair.state));
    let head = format!(
        "{sign} *{}* · {verb} · `{}`\n{}",
        what(values),
        record.id,
        tally.line()
    );
    let mut blocks = vec![section(&block_id(values, "t"), &head)];
    if record.state.is_open()
        && let Some(run) = &values.run
    {
        let waves = wave_sizes(&record.plan).len().max(1);
        let wave = (run.wave as usize).min(waves);
        let gate = wording::hop(record.plan.rollout.gate);
        let line = match wave {
            0 => "the first wave opens".to_owned(),
            last if last == waves => format!("wave {wave} of {waves}, the last"),
            _ => format!("wave {wave} of {waves} · the next opens when enough have: {gate}"),
        };
        blocks.push(context(&block_id(values, "w"), &line));
    }
    if let Some(stop) = &values.stop
        && record.state.is_open()
    {
        let holds = match (values.open_holds, stop.stop.freeze) {
            (0, _) => "Nothing is held.".to_owned(),
            (held, true) => format!(
                "{} stays held until it is resumed.",
                count(held, "computer")
            ),
            (held, false) => format!(
                "{} is being given back what was taken away.",
                count(held, "computer")
            ),
        };
        let scope = match &stop.stop.scope {
            StopScope::All => "everything",
            StopScope::Playbook(_) => "this playbook",
            StopScope::Proposal(_) => "this run",
        };
        let line = format!(
            ":octagonal_sign: {} stopped {scope}: {}. No new computer, no further step. {holds}",
            person(&stop.stop.by),
            escape(&stop.stop.reason)
        );
        blocks.push(section(&block_id(values, "s"), &line));
    }
    if let Some(failures) = failures(values) {
        blocks.push(section(&block_id(values, "x"), &failures));
    }
    let by: Vec<String> = approvals(values)
        .map(|decision| format!("{} {}", person(&decision.person), date_time(decision.at)))
        .collect();
    let by = if by.is_empty() {
        "nobody".into()
    } else {
        by.join(", ")
    };
    blocks.push(context(
        &block_id(values, "c"),
        &format!("approved by {by} · proved in Okta, not by what a command answered · steps in the thread"),
    ));
    Rendered {
        text: format!("{}: {} {verb}. {}.", record.id, what(values), tally.line()),
        blocks,
    }
}

/// How many repairs stand where.
#[derive(Default)]
struct Tally {
    managed: usize,
    sign_in: usize,
    under_way: usize,
    queued: usize,
    failed: usize,
    undone: usize,
    left_out: usize,
    stopped: usize,
}

impl Tally {
    fn of<'r>(states: impl Iterator<Item = &'r RepairState>) -> Self {
        let mut tally = Self::default();
        for state in states {
            let counter = match state {
                RepairState::Managed | RepairState::CuredByItself => &mut tally.managed,
                state if state.waits_for_sign_in() => &mut tally.sign_in,
                RepairState::Preflight
                | RepairState::Acting { .. }
                | RepairState::Waiting { .. } => &mut tally.under_way,
                RepairState::Queued => &mut tally.queued,
                RepairState::NotFixed { .. } | RepairState::NeedsHuman { .. } => &mut tally.failed,
                RepairState::Undone => &mut tally.undone,
                RepairState::Dropped { .. } => &mut tally.left_out,
                RepairState::Stopped => &mut tally.stopped,
            };
            *counter += 1;
        }
        tally
    }

    fn line(&self) -> String {
        let parts = [
            (self.managed, "managed again"),
            (self.sign_in, "wait for a sign-in"),
            (self.under_way, "under way"),
            (self.queued, "not begun"),
            (self.failed, "failed"),
            (self.undone, "undone"),
            (self.left_out, "left out"),
            (self.stopped, "stopped"),
        ];
        let shown: Vec<String> = parts
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| match (number, what) {
                (1, "wait for a sign-in") => "1 waits for a sign-in".into(),
                _ => format!("{number} {what}"),
            })
            .collect();
        shown.join(" · ")
    }
}

/// Computers that did not get there, and why.
fn failures(values: &CardValues) -> Option<String> {
    let told = |repair: &&crate::store::RepairRecord| {
        matches!(
            repair.state,
            RepairState::NotFixed { .. }
                | RepairState::NeedsHuman { .. }
                | RepairState::Dropped { .. }
        )
    };
    let lines: Vec<String> = values
        .repairs
        .iter()
        .filter(told)
        .map(|repair| {
            let planned = values.proposal.plan.repairs.get(repair.position);
            let name =
                planned.map_or_else(|| "a computer".into(), |planned| code(&planned.device_name));
            format!("{name} {}", escape(&wording::repair_state(&repair.state)))
        })
        .collect();
    if lines.is_empty() {
        return None;
    }
    let more = lines.len().saturating_sub(MOST_NAMED);
    let mut shown: Vec<String> = lines.into_iter().take(MOST_NAMED).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    Some(shown.join("\n"))
}

/// Ended without a run: denied, expired, superseded, cured, stopped.
fn closed(values: &CardValues) -> Rendered {
    let record = &values.proposal;
    let reason = record
        .reason
        .as_deref()
        .filter(|reason| !reason.trim().is_empty());
    let denied_by = values
        .decisions
        .iter()
        .rfind(|decision| decision.verdict == Verdict::Deny)
        .map(|decision| {
            format!(
                "denied by {} {}",
                person(&decision.person),
                date_time(decision.at)
            )
        });
    let (sign, line) = match record.state {
        ProposalState::Denied => (
            ":no_entry_sign:",
            denied_by.unwrap_or_else(|| "denied".into()),
        ),
        ProposalState::Expired => (":hourglass:", "expired: nobody decided in time".into()),
        ProposalState::Superseded => (":fast_forward:", "superseded by a newer proposal".into()),
        ProposalState::Cured => (
            ":white_check_mark:",
            "every computer is managed by now; nothing to do".into(),
        ),
        ProposalState::Stopped => (
            ":octagonal_sign:",
            format!(
                "stopped by {}",
                reason.map(person).unwrap_or_else(|| "a person".into())
            ),
        ),
        other => (":grey_question:", wording::proposal_state(other).to_owned()),
    };
    let because = match (record.state, reason) {
        (ProposalState::Denied, Some(reason)) => format!("\n“{}”", escape(reason)),
        _ => String::new(),
    };
    let head = format!(
        "{sign} ~{}~ · `{}`\n{line}{because}",
        what(values),
        record.id
    );
    Rendered {
        text: format!(
            "{}: {} – {}.",
            record.id,
            what(values),
            wording::proposal_state(record.state)
        ),
        blocks: vec![
            section(&block_id(values, "t"), &head),
            context(&block_id(values, "c"), &small_print(values)),
        ],
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
