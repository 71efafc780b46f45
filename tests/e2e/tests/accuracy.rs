//! Diagnosis on simulated fleets, judged against what the generator wrote down before any diagnosis ran.
//!
//! Environment, to look further than a plain run does: `UNSTUCK_SEEDS=1,2` (to develop with, or many), `UNSTUCK_DEVICES`
//! and `UNSTUCK_SETTINGS=all` (with and without Intune's certificate rows and `pki.cert.issue`). `tests/matrix` sets
//! them and prints one confusion matrix over all fleets.

use std::collections::BTreeMap;

use connectors::NoProgress;
use simulator::{FleetOptions, Truth};
use unstuck::domain::{Confidence, Finding};

use crate::support::{Wish, World};

/// Seeds of the fleets; `UNSTUCK_FULL` runs them all, a plain run the first.
const SEEDS: [u64; 3] = [71_401, 71_402, 71_403];
const DEVICES: usize = 2_000;
/// Not faults: what is managed by id, and what nobody uses any more.
const QUIET: [&str; 3] = ["healthy", "okta_search_stale_read", "okta_record_stale"];

/// What the vendors show.
#[derive(Debug, Clone, Copy)]
struct Shown {
    certificate_rows: bool,
    issue_events: bool,
}

impl Shown {
    const USUAL: Self = Self {
        certificate_rows: true,
        issue_events: true,
    };

    fn all() -> [Self; 4] {
        [(true, true), (true, false), (false, true), (false, false)].map(
            |(certificate_rows, issue_events)| Self {
                certificate_rows,
                issue_events,
            },
        )
    }
}

/// How often one truth was answered by one word.
type Confusion = BTreeMap<(String, String), usize>;

#[derive(Debug, Default)]
struct Score {
    decidable: usize,
    right: usize,
    wrong: usize,
    wrong_and_sure: usize,
    insufficient: usize,
    undecidable: usize,
    undecidable_wrong: usize,
    undecidable_wrong_and_sure: usize,
    unbuilt_and_sure: usize,
    healthy_with_finding: usize,
    /// Decidable and right, per cause.
    causes: BTreeMap<&'static str, (usize, usize)>,
    confusion: Confusion,
}

impl Score {
    fn add(&mut self, truth: &Truth, finding: Option<&Finding>) {
        let said = finding.map_or("no finding", |finding| finding.cause.name());
        let silent = ["no finding", "insufficient_evidence"].contains(&said);
        let sure = !silent && finding.is_some_and(|one| one.confidence == Confidence::High);
        let right = said == truth.cause || truth.also.contains(&said);
        if QUIET.contains(&truth.cause) {
            self.healthy_with_finding +=
                usize::from(finding.is_some() && truth.cause != "okta_record_stale");
            return;
        }
        let mut confuse = |kind: &str| {
            let truth = format!("{kind}{}", truth.cause);
            *self.confusion.entry((truth, said.to_owned())).or_default() += 1;
        };
        if !truth.built {
            if sure {
                self.unbuilt_and_sure += 1;
                confuse("unbuilt ");
            }
            return;
        }
        if !truth.decidable {
            self.undecidable += 1;
            if !right && !silent {
                self.undecidable_wrong += 1;
                self.undecidable_wrong_and_sure += usize::from(sure);
                confuse("undecidable ");
            }
            return;
        }
        confuse("");
        self.decidable += 1;
        let of_cause = self.causes.entry(truth.cause).or_default();
        of_cause.0 += 1;
        of_cause.1 += usize::from(right);
        match (right, silent) {
            (true, _) => self.right += 1,
            (false, true) => self.insufficient += 1,
            (false, false) => {
                self.wrong += 1;
                self.wrong_and_sure += usize::from(sure);
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.decidable += other.decidable;
        self.right += other.right;
        self.wrong += other.wrong;
        self.wrong_and_sure += other.wrong_and_sure;
        self.insufficient += other.insufficient;
        self.undecidable += other.undecidable;
        self.undecidable_wrong += other.undecidable_wrong;
        self.undecidable_wrong_and_sure += other.undecidable_wrong_and_sure;
        self.unbuilt_and_sure += other.unbuilt_and_sure;
        self.healthy_with_finding += other.healthy_with_finding;
        for (cause, (decidable, right)) in other.causes {
            let kept = self.causes.entry(cause).or_default();
            *kept = (kept.0 + decidable, kept.1 + right);
        }
        for (pair, count) in other.confusion {
            *self.confusion.entry(pair).or_default() += count;
        }
    }

    fn share(&self, count: usize) -> f64 {
        100.0 * count as f64 / self.decidable.max(1) as f64
    }

    /// Mean over the causes of the share that is right.
    fn macro_average(&self) -> f64 {
        let shares = self
            .causes
            .values()
            .map(|(decidable, right)| 100.0 * *right as f64 / *decidable as f64);
        shares.sum::<f64>() / self.causes.len().max(1) as f64
    }

    fn line(&self) -> String {
        format!(
            "{} decidable: right {:.2} %, macro {:.2} %, wrong {:.2} % (sure {:.2} %), insufficient {:.2} %; \
             {} undecidable: wrong {}, of these sure {}; sure of an unbuilt cause {}; healthy with a finding {}",
            self.decidable,
            self.share(self.right),
            self.macro_average(),
            self.share(self.wrong),
            self.share(self.wrong_and_sure),
            self.share(self.insufficient),
            self.undecidable,
            self.undecidable_wrong,
            self.undecidable_wrong_and_sure,
            self.unbuilt_and_sure,
            self.healthy_with_finding,
        )
    }

    /// One line per cause: how many, how many right, and what else was said.
    fn matrix(&self) -> String {
        let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((truth, said), count) in &self.confusion {
            let others = lines.entry(truth).or_default();
            if truth != said {
                others.push(format!("{said} {count}"));
            }
        }
        let told = lines.into_iter().map(|(truth, others)| {
            let (decidable, right) = self.causes.get(truth).copied().unwrap_or_default();
            format!(
                "    {truth:<40} {right:>5} of {decidable:<5} {}",
                others.join(", ")
            )
        });
        told.collect::<Vec<_>>().join("\n")
    }
}

async fn score(seed: u64, devices: usize, shown: Shown) -> Score {
    let fleet = FleetOptions {
        built_causes_only: false,
        near_neighbours: true,
        intune_certificate_rows: shown.certificate_rows,
        pki_issue_events: shown.issue_events,
        ..FleetOptions::noisy()
    };
    let world = World::start(Wish {
        devices,
        seed,
        fleet,
        // A few of the Macs are in Intune.
        intune_platforms: r#"["WINDOWS", "MACOS"]"#,
        settings: MINIMUM_VERSIONS.to_owned(),
        ..Wish::default()
    })
    .await;
    let sweeper = &world.server.sweeper;
    let document = sweeper.dry_run(&NoProgress).await.expect("a sweep");
    assert!(document.sweep.complete, "{:?}", document.sweep.incomplete);
    let all = [&document.findings, &document.unlinked, &document.upcoming];
    let findings: BTreeMap<(String, String), &Finding> = all
        .into_iter()
        .flatten()
        .map(|finding| (key(finding), finding))
        .collect();
    let mut score = Score::default();
    for truth in world.sim.truth() {
        // A record that only an MDM has is found by its serial number; it has no Okta user.
        let key = match &truth.device_id {
            Some(device) => (device.clone(), truth.user_id.clone().unwrap_or_default()),
            None => (truth.serial.clone(), String::new()),
        };
        let finding = findings.get(&key).copied();
        score.add(truth, finding);
        let said = finding.map_or("no finding", |finding| finding.cause.name());
        let missed = truth.built && truth.decidable && !QUIET.contains(&truth.cause);
        if missed
            && said != truth.cause
            && !truth.also.contains(&said)
            && std::env::var_os("UNSTUCK_TELL").is_some()
        {
            tell(truth, said, finding);
        }
    }
    score
}

/// What a look at one miss needs.
fn tell(truth: &Truth, said: &str, finding: Option<&Finding>) {
    let detail = finding.map(|finding| {
        (
            finding.confidence,
            &finding.why_not_detail,
            &finding.mdm,
            finding.confirmed,
            finding.match_strength,
            &finding.evidence,
        )
    });
    eprintln!(
        "    {} said {said}: {} | {detail:?}",
        truth.cause, truth.why
    );
}

fn key(finding: &Finding) -> (String, String) {
    let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
    let device = text(finding.device_id.as_ref().map(AsRef::as_ref));
    let device = match device.is_empty() {
        true => finding.serial_number.clone().unwrap_or_default(),
        false => device,
    };
    (device, text(finding.user_id.as_ref().map(AsRef::as_ref)))
}

/// The oldest versions that this company allows.
const MINIMUM_VERSIONS: &str = "[detect]\nokta_verify_minimum = { WINDOWS = \"5.0.0.0\", MACOS = \"9.20.0\" }\nos_minimum = { WINDOWS = \"10.0.19045\", MACOS = \"14.0\" }\n";

fn number(name: &str) -> Option<usize> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn diagnosis_is_right_on_fleets_it_has_not_seen() {
    let named = std::env::var_os("UNSTUCK_SEEDS");
    let seeds: Vec<u64> = match &named {
        Some(text) => text
            .to_string_lossy()
            .split(',')
            .map(|seed| seed.parse().expect("a seed"))
            .collect(),
        None if std::env::var_os("UNSTUCK_FULL").is_some() => SEEDS.to_vec(),
        None => SEEDS[..1].to_vec(),
    };
    let devices = number("UNSTUCK_DEVICES").unwrap_or(DEVICES);
    let settings = match std::env::var_os("UNSTUCK_SETTINGS") {
        Some(_) => Shown::all().to_vec(),
        None => vec![Shown::USUAL],
    };
    for shown in settings {
        let mut total = Score::default();
        for seed in &seeds {
            let score = score(*seed, devices, shown).await;
            eprintln!("seed {seed}: {}", score.line());
            total.merge(score);
        }
        eprintln!(
            "{shown:?}, {} fleets of {devices}: {}",
            seeds.len(),
            total.line()
        );
        eprintln!("{}", total.matrix());
        assert!(total.decidable >= 50, "too few to judge");
        assert!(total.share(total.right) >= 97.0, "{}", total.line());
        assert!(total.share(total.wrong) <= 1.0, "{}", total.line());
        assert_eq!(total.unbuilt_and_sure, 0, "{}", total.line());
        assert_eq!(total.undecidable_wrong_and_sure, 0, "{}", total.line());
        assert_eq!(total.healthy_with_finding, 0, "{}", total.line());
    }
}
