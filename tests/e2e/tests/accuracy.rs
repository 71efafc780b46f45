//! Diagnosis on simulated fleets, judged against what the generator knows. Seeds were not used while developing.

use std::collections::BTreeMap;

use connectors::NoProgress;
use simulator::FleetOptions;
use unstuck::domain::Confidence;

use crate::support::{Wish, World};

/// Seeds of the fleets; `UNSTUCK_FULL` runs them all, a plain run the first. `UNSTUCK_SEEDS=1,2` names others, to
/// develop with.
const SEEDS: [u64; 3] = [90_001, 90_002, 90_003];
const DEVICES: usize = 2_000;

struct Score {
    decidable: usize,
    right: usize,
    wrong: usize,
    insufficient: usize,
    sure_but_unbuilt: usize,
    sure_but_undecidable: usize,
    healthy_with_finding: usize,
    confusion: BTreeMap<(String, String), usize>,
}

async fn score(seed: u64) -> Score {
    let fleet = FleetOptions {
        built_causes_only: false,
        near_neighbours: true,
        ..FleetOptions::noisy()
    };
    let world = World::start(Wish {
        devices: DEVICES,
        seed,
        fleet,
        ..Wish::default()
    })
    .await;
    let document = world
        .server
        .sweeper
        .dry_run(&NoProgress)
        .await
        .expect("a sweep");
    assert!(document.sweep.complete, "{:?}", document.sweep.incomplete);
    let findings: BTreeMap<_, _> = document
        .findings
        .iter()
        .chain(&document.unlinked)
        .map(|finding| {
            let id = |id: Option<&str>| id.unwrap_or_default().to_owned();
            let device = id(finding.device_id.as_ref().map(AsRef::as_ref));
            let device = if device.is_empty() {
                finding.serial_number.clone().unwrap_or_default()
            } else {
                device
            };
            (
                (device, id(finding.user_id.as_ref().map(AsRef::as_ref))),
                finding,
            )
        })
        .collect();
    let mut score = Score {
        decidable: 0,
        right: 0,
        wrong: 0,
        insufficient: 0,
        sure_but_unbuilt: 0,
        sure_but_undecidable: 0,
        healthy_with_finding: 0,
        confusion: BTreeMap::new(),
    };
    for truth in world.sim.truth() {
        // A record that only an MDM has is found by its serial number; it has no Okta user.
        let key = match &truth.device_id {
            Some(device) => (device.clone(), truth.user_id.clone().unwrap_or_default()),
            None => (truth.serial.clone(), String::new()),
        };
        let finding = findings.get(&key);
        let said = finding.map_or("no finding", |finding| finding.cause.name());
        let sure = finding.is_some_and(|finding| {
            finding.confidence == Confidence::High
                && finding.cause.name() != "insufficient_evidence"
        });
        // Not faults at all: what is managed by id, and what nobody uses any more, has no finding.
        let quiet =
            ["healthy", "okta_search_stale_read", "okta_record_stale"].contains(&truth.cause);
        if quiet {
            score.healthy_with_finding +=
                usize::from(finding.is_some() && truth.cause != "okta_record_stale");
            continue;
        }
        if !truth.built {
            score.sure_but_unbuilt += usize::from(sure);
            if sure {
                *score
                    .confusion
                    .entry((format!("unbuilt {}", truth.cause), said.into()))
                    .or_default() += 1;
            }
            continue;
        }
        if !truth.decidable {
            score.sure_but_undecidable += usize::from(sure && said != truth.cause);
            if sure && said != truth.cause {
                *score
                    .confusion
                    .entry((format!("undecidable {}", truth.cause), said.into()))
                    .or_default() += 1;
            }
            continue;
        }
        score.decidable += 1;
        match said {
            said if said == truth.cause => score.right += 1,
            "insufficient_evidence" | "no finding" => score.insufficient += 1,
            _ => score.wrong += 1,
        }
        if said != truth.cause {
            *score
                .confusion
                .entry((truth.cause.into(), said.into()))
                .or_default() += 1;
            if std::env::var_os("UNSTUCK_SEEDS").is_some() {
                let detail = finding.map(|finding| {
                    (
                        finding.confidence,
                        &finding.why_not_detail,
                        &finding.mdm,
                        finding.confirmed,
                        finding.match_strength,
                    )
                });
                eprintln!(
                    "    {} said {said}: {} | {detail:?}",
                    truth.cause, truth.why
                );
            }
        }
    }
    score
}

#[tokio::test(flavor = "multi_thread")]
async fn diagnosis_is_right_on_fleets_it_has_not_seen() {
    let seeds: Vec<u64> = match std::env::var_os("UNSTUCK_SEEDS") {
        Some(text) => text
            .to_string_lossy()
            .split(',')
            .map(|seed| seed.parse().expect("a seed"))
            .collect(),
        None if std::env::var_os("UNSTUCK_FULL").is_some() => SEEDS.to_vec(),
        None => SEEDS[..1].to_vec(),
    };
    for seed in seeds {
        let score = score(seed).await;
        let share = |count: usize| 100.0 * count as f64 / score.decidable.max(1) as f64;
        eprintln!(
            "seed {seed}: {} decidable, right {:.1} %, wrong {:.1} %, insufficient {:.1} %; sure of an unbuilt cause {}, sure of an undecidable one {}, healthy with a finding {}",
            score.decidable,
            share(score.right),
            share(score.wrong),
            share(score.insufficient),
            score.sure_but_unbuilt,
            score.sure_but_undecidable,
            score.healthy_with_finding
        );
        for ((truth, said), count) in &score.confusion {
            eprintln!("    {truth} → {said}: {count}");
        }
        assert!(score.decidable >= 50, "too few to judge");
        assert!(
            share(score.right) >= 97.0,
            "right {:.1} %",
            share(score.right)
        );
        assert!(
            share(score.wrong) <= 1.0,
            "wrong {:.1} %",
            share(score.wrong)
        );
        assert_eq!(score.sure_but_unbuilt, 0);
        assert_eq!(score.sure_but_undecidable, 0);
        assert_eq!(score.healthy_with_finding, 0);
    }
}
