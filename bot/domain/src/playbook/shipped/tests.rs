//! The playbooks in the binary load, and every case beside them holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use serde::Deserialize;

use super::*;
use crate::planning::samples::{MAC, PC, World, hours, now, outline};
use crate::playbook::facts::{Judged, facts, table};
use crate::playbook::matching::{Matched, match_playbook};
use crate::playbook::{Playbook, load};
use crate::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../playbooks")
}

fn all() -> Vec<Playbook> {
    let load = |(name, text): &(&str, &str)| {
        load(&format!("{name}/playbook.yaml"), text).unwrap_or_else(|problems| {
            panic!(
                "{}",
                problems
                    .iter()
                    .map(|problem| format!("{problem}\n"))
                    .collect::<String>()
            )
        })
    };
    shipped().iter().map(load).collect()
}

#[test]
fn every_folder_is_shipped_and_has_a_page_for_operators() {
    let mut folders: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let names: Vec<&str> = shipped().iter().map(|(name, _)| *name).collect();
    assert_eq!(folders, names);
    for name in names {
        assert!(folder().join(name).join("README.md").exists(), "{name}");
    }
}

#[test]
fn the_causes_are_those_of_the_design() {
    let causes: BTreeMap<String, Vec<&str>> = all()
        .iter()
        .map(|playbook| {
            (
                playbook.name.to_string(),
                playbook
                    .applies
                    .causes
                    .iter()
                    .map(|cause| cause.code())
                    .collect(),
            )
        })
        .collect();
    let expected = BTreeMap::from(
        [
            ("assign-fastpass-policy", vec!["C54"]),
            ("assign-scep-profile", vec!["C19"]),
            ("move-to-machine-store", vec!["C64"]),
            (
                "redeliver-scep-profile",
                vec!["C25", "C29", "C30", "C34", "C99"],
            ),
            ("request-fastpass-sign-in", vec!["C47"]),
            ("resend-failed-profile", vec!["C22"]),
            ("sync-silent-device", vec!["C16", "C21"]),
        ]
        .map(|(name, codes)| (name.to_owned(), codes)),
    );
    assert_eq!(causes, expected);
}

#[test]
fn unexplained_and_failed_profiles_are_tried_once() {
    let attempts = |name: &str, cause| {
        all()
            .iter()
            .find(|playbook| playbook.name.as_str() == name)
            .unwrap()
            .max_attempts(cause)
    };
    assert_eq!(attempts("redeliver-scep-profile", Cause::Unexplained), 1);
    assert_eq!(attempts("redeliver-scep-profile", Cause::CertExpired), 2);
    assert_eq!(attempts("resend-failed-profile", Cause::ProfileFailed), 1);
}

#[test]
fn the_authors_guide_lists_every_field_and_the_example_loads() {
    let guide = include_str!("../../../../../playbooks/README.md");
    for (path, field) in table() {
        let kind = serde_json::to_value(field.kind).unwrap();
        let line = format!(
            "| `{path}` | {} | {} |",
            kind.as_str().unwrap(),
            field.about
        );
        assert!(
            guide.contains(&line),
            "missing in playbooks/README.md:\n{line}"
        );
    }
    let example = guide
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    load("redeliver-scep-profile/playbook.yaml", example).unwrap();
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    cause: String,
    device: String,
    #[serde(default)]
    world: Setting,
    expect: Expect,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Setting {
    certificate: Option<String>,
    store: Option<String>,
    profile_state: Option<String>,
    profile_error: Option<String>,
    last_check_in_hours: Option<i64>,
    last_login_hours: Option<i64>,
    user_status: Option<String>,
    enrolment: Option<String>,
    unset: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    #[serde(rename = "match")]
    matched: String,
    #[serde(default)]
    rung: Option<String>,
    #[serde(default)]
    steps: Option<Vec<String>>,
    #[serde(default)]
    why_not: Option<WhyNot>,
}

fn world_of(case: &Case) -> (World, &'static str) {
    let mut world = World::new();
    world.cause = Cause::from_name(&case.cause).unwrap();
    let (device, mdm) = match case.device.as_str() {
        "mac" => (MAC, 0),
        "windows" => (PC, 1),
        other => panic!("no device {other}"),
    };
    let setting = &case.world;
    if let Some(hours_ago) = setting.last_login_hours {
        world.user_of(device).last_login = Some(now() - hours(hours_ago));
    }
    match setting.user_status.as_deref() {
        None | Some("ACTIVE") => {}
        Some(other) => world.user_of(device).status = UserStatus::Other(other.to_owned()),
    }
    for target in &setting.unset {
        let targets = &mut world.observations.mdms[mdm].targets;
        match target.as_str() {
            "hold_group" => targets.hold_group = None,
            "target_group" => targets.target_group = None,
            "hold_category" => targets.hold_category = None,
            "machine_profile" => targets.machine_profile = None,
            "machine_group" => targets.machine_group = None,
            "cleanup_script" => targets.cleanup_script = None,
            "fastpass_group" => world.fastpass_group = None,
            other => panic!("no target {other}"),
        }
    }
    set_record(&mut world.observations.mdms[mdm].devices[0], setting);
    (world, device)
}

fn set_record(record: &mut MdmDevice, setting: &Setting) {
    match setting.certificate.as_deref() {
        None | Some("expired") => {}
        Some("valid") => World::renew(record),
        Some("missing") => record.certificates = Some(Vec::new()),
        Some("unknown") => record.certificates = None,
        Some(other) => panic!("no certificate {other}"),
    }
    if let Some(store) = &setting.store {
        let store: CertificateStore = serde_json::from_value(store.as_str().into()).unwrap();
        for certificate in record.certificates.iter_mut().flatten() {
            certificate.store = Some(store);
        }
    }
    if let Some(state) = &setting.profile_state {
        let error = setting.profile_error.clone().unwrap_or_default();
        record.profiles.as_mut().unwrap()[0].state = match state.as_str() {
            "failed" => ProfileState::Failed { error },
            word => serde_json::from_value(word.into()).unwrap(),
        };
    }
    if let Some(hours_ago) = setting.last_check_in_hours {
        record.last_check_in = Some(now() - TimeDelta::hours(hours_ago));
    }
    if setting.enrolment.as_deref() == Some("broken") {
        record.enrolment = Enrolment::Broken {
            fact: "managed".to_owned(),
            value: "false".to_owned(),
        };
    }
}

fn run(name: &str, file: &str, text: &str, playbooks: &[Playbook]) {
    let case: Case = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let told = format!("{file}: {}", case.about);
    let (world, device) = world_of(&case);
    let correlated = world.correlated();
    let subject = correlated
        .subjects
        .iter()
        .find(|subject| subject.device.is_some_and(|one| one.id.as_str() == device))
        .unwrap();
    let judged = Judged {
        cause: world.cause,
        stage: Stage::CertPresent,
        confidence: Confidence::High,
        blocked: Some(false),
    };
    let facts = facts(subject, judged);
    let platform = subject.device.unwrap().platform;
    let matched = match_playbook(
        playbooks,
        world.cause,
        platform,
        subject.mdm.map(|mdm| mdm.kind),
        &facts,
    );
    let word = match &matched {
        Matched::Playbook(_) => "playbook",
        Matched::NoPlaybook => "no_playbook",
        Matched::ConditionUnknown(..) => "condition_unknown",
        Matched::ConditionFalse(..) => "condition_false",
    };
    assert_eq!(word, case.expect.matched, "{told}: {matched:?}");
    let Matched::Playbook(playbook) = matched else {
        return;
    };
    assert_eq!(playbook.name.as_str(), name, "{told}");
    match world.plan(playbook, device) {
        Ok(repair) => {
            assert_eq!(None, case.expect.why_not, "{told}: it was planned");
            assert_eq!(
                repair.rung.as_ref().map(|rung| rung.name.as_str()),
                case.expect.rung.as_deref(),
                "{told}"
            );
            let lines = outline(&repair);
            let lines: Vec<&str> = lines
                .lines()
                .filter(|line| !line.starts_with("rung "))
                .collect();
            let expected = case.expect.steps.unwrap_or_else(|| {
                panic!("{told}: expect.steps is missing, the plan is {lines:#?}")
            });
            let fits = lines.len() == expected.len()
                && lines
                    .iter()
                    .zip(&expected)
                    .all(|(line, beginning)| line.starts_with(beginning.as_str()));
            assert!(fits, "{told}: {lines:#?} instead of {expected:#?}");
        }
        Err(not_planned) => assert_eq!(
            Some(not_planned.why),
            case.expect.why_not,
            "{told}: {not_planned}"
        ),
    }
}

#[test]
fn every_case_holds() {
    let playbooks = all();
    for playbook in &playbooks {
        let cases = folder().join(playbook.name.as_str()).join("cases");
        let mut files: Vec<PathBuf> = std::fs::read_dir(&cases)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(files.len() >= 2, "{} has too few cases", playbook.name);
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            run(
                playbook.name.as_str(),
                &file.display().to_string(),
                &text,
                &playbooks,
            );
        }
    }
}
