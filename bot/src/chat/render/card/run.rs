//! A card of an approved plan: how its run goes, and how it ended.

use super::{MOST_NAMED, approvals, block_id, wave_sizes, what};
use crate::{
    chat::{
        mrkdwn::{code, date_time, escape, person},
        render::{CardValues, Rendered, context, section},
    },
    domain::{ProposalState, RepairState},
    store::StopScope,
    wording,
    words::count,
};

/// Approved: how the run goes, and how it ended.
pub(super) fn decided(values: &CardValues) -> Rendered {
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
