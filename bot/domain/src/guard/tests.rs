//! Every reason to leave a computer out, the caps, revisions, and that nothing is random.

use super::*;
use crate::planning::samples::{candidate, hours, now, numbered, shipped};

const REDELIVER: &str = "redeliver-scep-profile";

struct Guarded {
    playbook: Playbook,
    settings: SafetySettings,
    state: GuardState,
    incomplete: BTreeMap<String, String>,
    candidates: Vec<Candidate>,
}

fn guarded(count: usize) -> Guarded {
    let playbook = shipped(REDELIVER);
    Guarded {
        settings: SafetySettings {
            mode: Mode::Approve,
            ..SafetySettings::default()
        },
        state: GuardState {
            in_scope: 10_000,
            verified: [playbook.name.clone()].into(),
            ..GuardState::default()
        },
        playbook,
        incomplete: BTreeMap::new(),
        candidates: (0..count).map(numbered).map(candidate).collect(),
    }
}

impl Guarded {
    fn run(&self) -> GuardOutput {
        guard(GuardInput {
            now: now(),
            next_look: now() + hours(1),
            tomorrow: now() + hours(15),
            settings: &self.settings,
            state: &self.state,
            incomplete: &self.incomplete,
            groups: vec![Group {
                playbook: &self.playbook,
                cause: Cause::CertExpired,
                candidates: self.candidates.clone(),
            }],
        })
    }

    /// The word and the detail of the only one that is left out.
    fn only_reason(&self) -> (WhyNot, String, DateTime<Utc>) {
        let output = self.run();
        assert_eq!(output.left_out.len(), 1, "{output:?}");
        let left = &output.left_out[0];
        (left.why, left.detail.clone(), left.retry_at)
    }

    fn opened(&self) -> usize {
        match self.run().changes.as_slice() {
            [ProposalChange::Open { plan }] => plan.repairs.len(),
            [] => 0,
            other => panic!("{other:?}"),
        }
    }

    fn key(&self, index: usize) -> (HardwareKey, PlaybookName) {
        (numbered(index).hardware, self.playbook.name.clone())
    }

    /// Puts the first `count` candidates into an undecided proposal.
    fn propose(&mut self, count: usize, hours_ago: i64) {
        let plan = assemble(
            &self.playbook,
            Cause::CertExpired,
            self.candidates[..count].to_vec(),
        );
        self.state.open.push(OpenProposal {
            id: "P-AAAAAA".into(),
            revision: 1,
            plan,
            revised_at: now() - hours(hours_ago),
            modal_open: false,
        });
    }
}

#[test]
fn what_nothing_speaks_against_is_proposed_in_the_plans_order() {
    let guarded = guarded(3);
    let output = guarded.run();
    assert!(output.left_out.is_empty());
    let [ProposalChange::Open { plan }] = output.changes.as_slice() else {
        panic!("{output:?}")
    };
    let devices: Vec<&str> = plan
        .repairs
        .iter()
        .map(|repair| repair.subjects[0].device_id.as_str())
        .collect();
    assert_eq!(devices, ["guo0000", "guo0001", "guo0002"]);
}

#[test]
fn each_reason_has_its_word_and_a_time() {
    type Change = fn(&mut Guarded);
    let later = now() + hours(1);
    let changes: Vec<(Change, WhyNot, DateTime<Utc>)> = vec![
        (
            |g| {
                let _ = g.incomplete.insert("log".into(), "503".into());
            },
            WhyNot::SourceIncomplete,
            later,
        ),
        (
            |g| {
                let _ = g.settings.exclusions.devices.insert("guo0000".into());
            },
            WhyNot::Excluded,
            later,
        ),
        (
            |g| {
                let _ = g.state.last_repair.insert(g.key(0), now() - hours(20));
            },
            WhyNot::Cooldown,
            now() + hours(4),
        ),
        (
            |g| {
                let _ = g.state.attempts.insert(g.key(0), 2);
            },
            WhyNot::AttemptCap,
            later,
        ),
        (
            |g| {
                drop(
                    g.state
                        .quarantined
                        .insert(g.key(0).0, "two repairs did not help".into()),
                )
            },
            WhyNot::Quarantine,
            later,
        ),
        (|g| g.state.in_scope = 0, WhyNot::OverCap, later),
        (
            |g| {
                let flight = InFlight {
                    proposal: "P-BBBBBB".into(),
                    playbook: g.playbook.name.clone(),
                    cause: Cause::CertMissing,
                };
                g.state.in_flight.insert(g.key(0).0, flight);
            },
            WhyNot::InFlight,
            later,
        ),
        (
            |g| {
                drop(
                    g.state
                        .users_in_flight
                        .insert("00u0000".into(), numbered(7).hardware),
                )
            },
            WhyNot::InFlight,
            later,
        ),
        (
            |g| {
                let key = DeniedKey {
                    hardware: g.key(0).0,
                    playbook: g.playbook.name.clone(),
                    cause: Cause::CertExpired,
                };
                g.state.denied.insert(key, now() + hours(48));
            },
            WhyNot::Denied,
            now() + hours(48),
        ),
        (
            |g| {
                g.state.stops.all = Some(Stop {
                    by: "ann".into(),
                    at: now(),
                    reason: "drill".into(),
                })
            },
            WhyNot::Stopped,
            later,
        ),
        (
            |g| g.settings.mode = Mode::Observe,
            WhyNot::ObserveOnly,
            later,
        ),
    ];
    for (change, why, retry_at) in changes {
        let mut one = guarded(1);
        change(&mut one);
        let (word, detail, at) = one.only_reason();
        assert_eq!((word, at), (why, retry_at), "{detail}");
        assert!(!detail.is_empty());
    }
}

#[test]
fn of_several_reasons_the_first_in_the_fixed_order_is_told() {
    let mut all = guarded(1);
    all.settings.mode = Mode::Observe;
    all.state.stops.playbooks.insert(
        all.playbook.name.clone(),
        Stop {
            by: "ann".into(),
            at: now(),
            reason: String::new(),
        },
    );
    assert_eq!(all.only_reason().0, WhyNot::Stopped);
    all.state
        .users_in_flight
        .insert("00u0000".into(), numbered(7).hardware);
    assert_eq!(all.only_reason().0, WhyNot::InFlight);
    all.state.quarantined.insert(all.key(0).0, String::new());
    assert_eq!(all.only_reason().0, WhyNot::Quarantine);
    all.state.last_repair.insert(all.key(0), now());
    assert_eq!(all.only_reason().0, WhyNot::Cooldown);
    all.settings.exclusions.users.insert("00u0000".into());
    assert_eq!(all.only_reason().0, WhyNot::Excluded);
    all.incomplete.insert("okta".into(), "429".into());
    assert_eq!(all.only_reason().0, WhyNot::SourceIncomplete);
}

#[test]
fn an_incomplete_mdm_holds_its_own_the_unmatched_and_those_it_knew() {
    let mut one = guarded(1);
    one.incomplete.insert("intune".into(), "timed out".into());
    assert_eq!(one.opened(), 1, "the Mac is Jamf's");
    one.state
        .last_known_mdm
        .insert("guo0000".into(), "intune".into());
    assert_eq!(one.only_reason().0, WhyNot::SourceIncomplete);

    let mut unmatched = guarded(1);
    unmatched.candidates[0].repair.mdm = None;
    assert_eq!(unmatched.opened(), 1);
    unmatched
        .incomplete
        .insert("intune".into(), "timed out".into());
    assert_eq!(unmatched.only_reason().0, WhyNot::SourceIncomplete);

    let mut own = guarded(1);
    own.incomplete.insert("jamf".into(), "timed out".into());
    assert_eq!(own.only_reason().0, WhyNot::SourceIncomplete);
}

#[test]
fn a_cool_down_that_is_over_and_a_denial_that_has_lapsed_hold_nothing() {
    let mut one = guarded(1);
    one.state.last_repair.insert(one.key(0), now() - hours(24));
    let key = DeniedKey {
        hardware: one.key(0).0,
        playbook: one.playbook.name.clone(),
        cause: Cause::CertExpired,
    };
    one.state.denied.insert(key, now());
    assert_eq!(one.opened(), 1);
}

#[test]
fn attempts_used_up_ask_for_quarantine_once() {
    let mut one = guarded(1);
    one.state.attempts.insert(one.key(0), 2);
    assert_eq!(one.run().quarantine, [one.key(0).0]);
    one.state
        .quarantined
        .insert(one.key(0).0, "a person must look".into());
    let output = one.run();
    assert!(output.quarantine.is_empty());
    assert_eq!(output.left_out[0].why, WhyNot::Quarantine);
}

#[test]
fn caps_take_the_smallest_and_the_first_in_order() {
    let mut many = guarded(60);
    assert_eq!(many.opened(), 50, "max_devices");
    many.state.in_scope = 1_001;
    assert_eq!(many.opened(), 21, "2 % of 1001, rounded up");
    many.state.verified.clear();
    assert_eq!(many.opened(), 10, "first day");
    many.state
        .executed_today
        .insert(many.playbook.name.clone(), 7);
    let output = many.run();
    assert_eq!(many.opened(), 3);
    assert_eq!(output.left_out[0].why, WhyNot::OverCap);
    assert_eq!(output.left_out[0].retry_at, now() + hours(15));
    assert_eq!(output.left_out[0].subjects[0].0.as_str(), "guo0003");
}

#[test]
fn running_repairs_take_places_too() {
    let mut many = guarded(60);
    for index in 100..145 {
        let flight = InFlight {
            proposal: "P-BBBBBB".into(),
            playbook: many.playbook.name.clone(),
            cause: Cause::CertExpired,
        };
        many.state
            .in_flight
            .insert(numbered(index).hardware, flight);
    }
    assert_eq!(many.opened(), 5);
}

#[test]
fn the_first_day_cap_counts_all_causes_of_a_playbook() {
    let mut both = guarded(8);
    both.state.verified.clear();
    let other: Vec<Candidate> = (20..28).map(numbered).map(candidate).collect();
    let output = guard(GuardInput {
        now: now(),
        next_look: now() + hours(1),
        tomorrow: now() + hours(15),
        settings: &both.settings,
        state: &both.state,
        incomplete: &both.incomplete,
        groups: vec![
            Group {
                playbook: &both.playbook,
                cause: Cause::CertExpired,
                candidates: both.candidates.clone(),
            },
            Group {
                playbook: &both.playbook,
                cause: Cause::CertMissing,
                candidates: other,
            },
        ],
    });
    let proposed: usize = output
        .changes
        .iter()
        .map(|change| match change {
            ProposalChange::Open { plan } => plan.repairs.len(),
            other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!((proposed, output.left_out.len()), (10, 6));
}

#[test]
fn one_computer_and_one_person_are_in_one_proposal_only() {
    let mut one = guarded(2);
    one.candidates[1].repair.subjects[0].user_id = "00u0000".into();
    let (why, detail, _) = one.only_reason();
    assert_eq!(why, WhyNot::InFlight);
    assert!(detail.contains("another computer"), "{detail}");
    assert_eq!(one.opened(), 1);

    let output = guard(GuardInput {
        now: now(),
        next_look: now() + hours(1),
        tomorrow: now() + hours(15),
        settings: &one.settings,
        state: &one.state,
        incomplete: &one.incomplete,
        groups: vec![
            Group {
                playbook: &one.playbook,
                cause: Cause::CertMissing,
                candidates: one.candidates[..1].to_vec(),
            },
            Group {
                playbook: &one.playbook,
                cause: Cause::CertExpired,
                candidates: one.candidates[..1].to_vec(),
            },
        ],
    });
    assert_eq!(output.changes.len(), 1);
    assert_eq!(output.left_out[0].why, WhyNot::InFlight);
}

#[test]
fn an_identical_proposal_is_kept_and_drop_outs_do_not_change_it() {
    let mut same = guarded(3);
    same.propose(3, 100);
    let keep = |dropped_out| {
        vec![ProposalChange::Keep {
            id: "P-AAAAAA".into(),
            dropped_out,
        }]
    };
    assert_eq!(same.run().changes, keep(Vec::new()));
    assert!(same.run().left_out.is_empty());
    same.candidates.remove(1);
    assert_eq!(same.run().changes, keep(vec![numbered(1).hardware]));
    same.settings.exclusions.devices.insert("guo0000".into());
    let output = same.run();
    assert_eq!(
        output.changes,
        keep(vec![numbered(0).hardware, numbered(1).hardware])
    );
    assert!(
        output.left_out.is_empty(),
        "who is in a proposal has no why_not"
    );
    same.candidates.clear();
    assert_eq!(same.run().changes.len(), 1);
}

#[test]
fn additions_open_a_revision_after_four_hours_and_not_under_a_modal() {
    let mut grown = guarded(5);
    grown.propose(3, 3);
    let output = grown.run();
    assert!(matches!(
        output.changes.as_slice(),
        [ProposalChange::Keep { .. }]
    ));
    let told: Vec<(WhyNot, DateTime<Utc>)> = output
        .left_out
        .iter()
        .map(|left| (left.why, left.retry_at))
        .collect();
    assert_eq!(told, [(WhyNot::OverCap, now() + hours(1)); 2]);

    grown.state.open[0].revised_at = now() - hours(4);
    let output = grown.run();
    let [
        ProposalChange::Revise {
            revision: 2,
            plan,
            added,
            ..
        },
    ] = output.changes.as_slice()
    else {
        panic!("{output:?}")
    };
    assert_eq!(plan.repairs.len(), 5);
    assert_eq!(*added, [numbered(3).hardware, numbered(4).hardware]);

    grown.state.open[0].modal_open = true;
    assert!(matches!(
        grown.run().changes.as_slice(),
        [ProposalChange::Keep { .. }]
    ));
}

#[test]
fn a_proposal_without_candidates_is_still_told() {
    let mut gone = guarded(2);
    gone.propose(2, 1);
    let output = guard(GuardInput {
        now: now(),
        next_look: now(),
        tomorrow: now(),
        settings: &gone.settings,
        state: &gone.state,
        incomplete: &gone.incomplete,
        groups: Vec::new(),
    });
    let [ProposalChange::Keep { dropped_out, .. }] = output.changes.as_slice() else {
        panic!("{output:?}")
    };
    assert_eq!(dropped_out.len(), 2);
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    let mut one = guarded(30);
    one.state.verified.clear();
    let before = one.run();
    one.candidates.reverse();
    assert_eq!(one.run(), before);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(16))]
    #[test]
    fn everybody_is_proposed_or_left_out_exactly_once(count in 0usize..40, in_scope in 0usize..3000, verified: bool) {
        let mut many = guarded(count);
        many.state.in_scope = in_scope;
        if !verified {
            many.state.verified.clear();
        }
        let output = many.run();
        let proposed = many.opened();
        assert_eq!(proposed + output.left_out.len(), count);
        assert!(proposed <= (in_scope * 2).div_ceil(100));
        assert!(verified || proposed <= 10);
    }
}
