//! What a sweep asks about single people and computers, and what it need not ask again.

use chrono::TimeDelta;
use connectors::NoProgress;
use simulator::Server as Vendor;

use crate::support::{Wish, World};

/// Requests since the last look that were about one person or one computer.
fn single_questions(world: &World) -> Vec<String> {
    let about_one = |path: &str| {
        let user = path.contains("/api/v1/users/");
        user && (path.ends_with("/groups") || path.ends_with("/factors"))
            || path.contains("/api/v1/logs?") && path.contains("actor.id")
            || path.starts_with("/api/v1/devices/")
            || path.contains("/computers-inventory/")
            || path.contains("/deviceManagement/managedDevices/")
    };
    let asked = world.sim.ledger().requests().into_iter();
    let asked = asked
        .filter(|request| request.server != Vendor::Slack && about_one(&request.path))
        .map(|request| request.path)
        .collect();
    world.sim.ledger().clear();
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_unchanged_sweep_asks_nothing_about_anybody_again() {
    let world = World::start(Wish {
        devices: 400,
        ..Wish::default()
    })
    .await;
    let first = world.server.sweep(&NoProgress).await.expect("a sweep");
    let asked = single_questions(&world);
    assert!(
        asked.iter().any(|path| path.ends_with("/factors"))
            && asked.iter().any(|path| path.contains("actor.id")),
        "the first sweep has questions: {asked:?}"
    );
    world.sim.advance(TimeDelta::minutes(30)).await;
    let second = world.server.sweep(&NoProgress).await.expect("a sweep");
    assert_eq!(single_questions(&world), [""; 0]);
    let causes = |document: &unstuck::report::SweepDocument| {
        let findings = document.findings.iter();
        findings
            .map(|finding| (finding.device_id.clone(), finding.cause))
            .collect::<Vec<_>>()
    };
    assert_eq!(causes(&first), causes(&second), "and concludes the same");
}
