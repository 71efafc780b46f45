//! Each problem code comes from a file, with its place; a good file has none.

use std::collections::BTreeSet;

use super::values::{parse_duration, spell_duration};
use super::*;

const GOOD: &str = "\
name: sample
title: A sample
summary: Does something.
risk: low
match:
  causes: [cert_expired]
steps:
  - { id: sync, action: mdm.sync }
  - { id: settle, wait_until: subject.confirmed, within: 30m }
  - { id: ask_user, action: user.request_fastpass_sign_in }
";

fn problems(text: &str) -> Vec<Problem> {
    load("sample", text).err().unwrap_or_default()
}

/// The codes of a good file in which `from` is replaced by `to`.
fn codes(from: &str, to: &str) -> Vec<&'static str> {
    assert!(GOOD.contains(from), "{from}");
    problems(&GOOD.replacen(from, to, 1))
        .iter()
        .map(|problem| problem.code.as_str())
        .collect()
}

#[test]
fn a_short_file_gets_the_documented_defaults() {
    let playbook = load("playbooks/sample/playbook.yaml", GOOD).unwrap();
    assert_eq!(
        playbook.limits,
        Limits {
            max_devices: 50,
            max_percent: 2,
            cooldown_seconds: 24 * 3600,
            max_attempts: 2
        }
    );
    assert_eq!(
        playbook.rollout.waves,
        [
            WaveSize::Count(1),
            WaveSize::Count(5),
            WaveSize::Percent(20),
            WaveSize::Percent(100)
        ]
    );
    assert_eq!(playbook.rollout.gate, Hop::CertPresent);
    assert_eq!(playbook.approval.groups, ["oncall"]);
    assert_eq!(
        (
            playbook.approval.required,
            playbook.approval.expires_seconds
        ),
        (1, 24 * 3600)
    );
    assert_eq!(
        playbook.verify.hops,
        [
            Hop::ProfileDelivered,
            Hop::CertPresent,
            Hop::CertBound,
            Hop::Managed
        ]
    );
    assert_eq!(playbook.auto, Auto::Never);
    assert_eq!(playbook.version.len(), 64);
}

#[test]
fn each_code_is_reached_by_one_slip() {
    let list = format!("subject.stage in [{}]", vec!["'a'"; 65].join(", "));
    let long = format!("subject.stage == '{}'", "x".repeat(1100));
    let when = |condition: &str| {
        format!(
            "causes: [cert_expired]\n  when: {}",
            serde_json::to_string(condition).unwrap()
        )
    };
    let slips: Vec<(&str, String, &str)> = vec![
        ("name: sample", "name: [".into(), "yaml-syntax"),
        (
            "title: A sample",
            "title: A\ntitle: B".into(),
            "duplicate-key",
        ),
        ("title:", "titel: x\ntitle:".into(), "unknown-key"),
        ("risk: low\n", String::new(), "missing-key"),
        ("title: A sample", "title: [a]".into(), "wrong-type"),
        ("title: A sample", "title: \"\"".into(), "empty-text"),
        ("name: sample", "name: Sample One".into(), "bad-name"),
        ("risk: low", "risk: none".into(), "unknown-word"),
        ("cert_expired", "cert_expird".into(), "unknown-cause"),
        (
            "causes: [cert_expired]",
            "causes: [cert_expired]\n  once: [cert_missing]".into(),
            "once-not-in-causes",
        ),
        (
            "[cert_expired]",
            "[cert_expired, cert_expired]".into(),
            "duplicate-entry",
        ),
        ("within: 30m", "within: half an hour".into(), "bad-duration"),
        ("within: 30m", "within: 31d".into(), "out-of-range"),
        (
            "steps:",
            "rollout: { waves: [5, 1] }\nsteps:".into(),
            "bad-waves",
        ),
        ("id: settle", "id: sync".into(), "duplicate-step"),
        (
            "action: mdm.sync",
            "if: subject.confirmed".into(),
            "step-needs-one-kind",
        ),
        (
            "action: mdm.sync",
            "action: mdm.sync, within: 5m".into(),
            "key-not-for-this-step",
        ),
        ("mdm.sync", "mdm.sink".into(), "unknown-action"),
        (
            "action: mdm.sync",
            "action: mdm.sync, with: { force: 1m }".into(),
            "unknown-input",
        ),
        (
            "steps:",
            "verify: { hops: [cert_bound] }\nsteps:".into(),
            "verify-needs-managed",
        ),
        (
            "action: user.request_fastpass_sign_in",
            "action: user.announce_repair".into(),
            "no-sign-in-step",
        ),
        (
            "risk: low",
            "risk: high\napproval: { auto: always }".into(),
            "auto-too-risky",
        ),
        (
            "causes: [cert_expired]",
            when("subject.stage =="),
            "condition-syntax",
        ),
        ("causes: [cert_expired]", when(&long), "condition-too-long"),
        (
            "causes: [cert_expired]",
            when("['a'].exists(x, ['b'].exists(y, x == y))"),
            "condition-too-deep",
        ),
        (
            "causes: [cert_expired]",
            when(&list),
            "condition-list-too-long",
        ),
        (
            "causes: [cert_expired]",
            when("subject.colour == 'red'"),
            "condition-unknown-field",
        ),
        (
            "causes: [cert_expired]",
            when("reboot(subject.stage)"),
            "condition-unknown-function",
        ),
        (
            "causes: [cert_expired]",
            when("subject.stage"),
            "condition-not-boolean",
        ),
    ];
    for (from, to, code) in &slips {
        assert_eq!(codes(from, to), [*code], "{to}");
    }
    let mut reached: BTreeSet<&str> = slips.iter().map(|(.., code)| *code).collect();
    // These need more than one replacement; no action of today is limited to one MDM.
    let empty = GOOD.split("steps:").next().unwrap().to_owned() + "steps: []\n";
    assert_eq!(problems(&empty)[0].code, Code::NoSteps);
    assert_eq!(
        load("x/other/playbook.yaml", GOOD).unwrap_err()[0].code,
        Code::NameDiffersFromFolder
    );
    reached.extend([
        "no-steps",
        "name-differs-from-folder",
        "action-not-supported",
    ]);
    let unreached: Vec<&Code> = Code::ALL
        .iter()
        .filter(|code| !reached.contains(code.as_str()))
        .collect();
    assert!(unreached.is_empty(), "{unreached:?}");
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    let text = GOOD
        .replace("risk: low", "risk: none")
        .replace("cert_expired", "cert_expird")
        .replace("action: mdm.sync", "action: mdm.sink, speed: fast")
        .replace("within: 30m", "within: soon");
    let found: Vec<(usize, &str)> = problems(&text)
        .iter()
        .map(|problem| (problem.place.line, problem.code.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (4, "unknown-word"),
            (6, "unknown-cause"),
            (8, "unknown-action"),
            (8, "unknown-key"),
            (9, "bad-duration")
        ]
    );
}

#[test]
fn a_problem_shows_file_place_excerpt_code_and_hint() {
    let problems = problems(&GOOD.replace("cert_expired", "cert_expird"));
    insta::assert_snapshot!(problems[0], @r"
    error[unknown-cause]: no cause cert_expird
      --> sample:6:12
      |
    6 |   causes: [cert_expird]
      |            ^
      = help: did you mean cert_expired?
    ");
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (one, two) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        text += &format!(
            "{two}: &{two} [{}]\n",
            vec![format!("*{one}"); 10].join(", ")
        );
    }
    assert!(!problems(&text).is_empty());
}

#[test]
fn durations_are_read_and_spelled() {
    for (text, seconds) in [("30m", 1800), ("24h", 86400), ("7d", 604_800), ("0s", 0)] {
        assert_eq!(parse_duration(text), Some(seconds));
    }
    for text in [
        "",
        "h",
        "5",
        "1.5h",
        "-1h",
        "5 h",
        "99999999999999999999d",
        "5w",
        "5é",
    ] {
        assert_eq!(parse_duration(text), None, "{text}");
    }
    assert_eq!(spell_duration(90), "90s");
    assert_eq!(spell_duration(7200), "2h");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(name|steps|match|: |- |\\[|\\{|\\}|\\]|\n|  |[a-z*&!'\"]){0,60}") {
        let _ = load("any", &text);
    }
}
