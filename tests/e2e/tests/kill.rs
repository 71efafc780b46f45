//! The real process, killed before it sends, after it sent and before it recorded the answer, for each kind of call.
//! Judged from the simulator's ledger: no effect lost or doubled, hold groups empty at the end, nothing unapproved.

use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use connectors::NoProgress;
use e2e::CRASH_AT;
use simulator::{
    Fault, FleetOptions, Mdm, Ports, ScriptedDevice, Server as Vendor, SimClock, Simulator,
    SimulatorConfig,
};
use tempfile::TempDir;
use unstuck::{
    app::Parts,
    domain::{ProposalId, RepairState, WaitingOn},
    serve::Server,
    settings::{self, Environment},
    store::{OpenMode, Store},
};

use crate::support::{Wish, write_settings};

/// How many times faster than real time vendors and bot live.
const SPEED: f64 = 60.0;
/// How long one case may take, in real time.
const PATIENCE: Duration = Duration::from_secs(100);

/// Where the process is killed.
#[derive(Debug, Clone, Copy)]
enum When {
    /// The intent is durable; nothing was sent.
    BeforeSend,
    /// The effect happened; the answer never came.
    SentButUnanswered(Vendor, &'static str, &'static str),
    /// The call left, but never had an effect; for calls that the process under test has no crash point at.
    SentInVain(Vendor, &'static str, &'static str),
    /// The answer came; nothing was recorded.
    AfterAnswer,
}

impl When {
    /// The fault that makes the moment, and the call that meets it.
    fn fault(self) -> Option<(Fault, Vendor, &'static str, &'static str)> {
        match self {
            Self::SentButUnanswered(vendor, method, path) => {
                Some((Fault::TimeoutAfter, vendor, method, path))
            }
            Self::SentInVain(vendor, method, path) => {
                Some((Fault::TimeoutBefore, vendor, method, path))
            }
            Self::BeforeSend | Self::AfterAnswer => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Case {
    cause: &'static str,
    mdm: Mdm,
    playbook: &'static str,
    /// The call, as [`e2e::call_word`] names it, and which of them.
    call: &'static str,
    nth: usize,
    when: When,
}

impl Case {
    /// Push that was off comes back at once; what it was off for takes days, and the calls are what is judged.
    fn has_waited_enough(&self, state: &RepairState) -> bool {
        let waits = matches!(
            state,
            RepairState::Waiting {
                on: WaitingOn::Step { .. },
                ..
            }
        );
        self.call == "enable_push" && waits
    }
}

/// A settings folder with the simulators behind it.
struct Place {
    sim: Simulator,
    folder: TempDir,
    proposal: ProposalId,
}

async fn place(case: &Case) -> Place {
    connectors::http::install_crypto_provider();
    #[expect(
        clippy::disallowed_methods,
        reason = "the process under test reads the system's clock, and so do its vendors"
    )]
    let start = chrono::Utc::now();
    let devices = vec![
        ScriptedDevice::new(case.cause, case.mdm)
            .serial("C02KILLED01")
            .owner("kim@acme.example"),
        ScriptedDevice::new("healthy", Mdm::Jamf),
        ScriptedDevice::new("healthy", Mdm::Intune),
    ];
    let fleet = FleetOptions::scripted(devices);
    let clock = SimClock::scaled(start, SPEED);
    let sim = Simulator::start(SimulatorConfig {
        devices: 0,
        seed: 1,
        ports: Ports::Ephemeral,
        clock,
        fleet,
    })
    .await
    .expect("the simulators");
    sim.faults().lift_rate_limits();
    sim.require_dpop(false);
    let folder = tempfile::tempdir().expect("a folder");
    let file = write_settings(&folder, &sim, &Wish::default());
    let text = std::fs::read_to_string(&file)
        .expect("settings")
        .replace("speed = 30", &format!("speed = {SPEED}"));
    std::fs::write(&file, text).expect("settings");
    if case.call == "enable_push" {
        sim.world().set_push_enabled("C02KILLED01", false);
    }
    let proposal = propose(&file, case.playbook).await;
    Place {
        sim,
        folder,
        proposal,
    }
}

/// One sweep in this process, as `unstuck sweep` beside a `serve` would do.
async fn propose(file: &std::path::Path, playbook: &str) -> ProposalId {
    let environment = Environment::default();
    let settings = Arc::new(
        settings::load(file, &environment).unwrap_or_else(|problems| panic!("{problems}")),
    );
    let parts = Parts::of(&settings);
    let server = Server::build(settings, &environment, parts)
        .await
        .expect("a server");
    let document = server.sweep(&NoProgress).await.expect("a sweep");
    server.store.close().await;
    let proposal = document
        .proposals
        .iter()
        .find(|one| one.playbook.as_str() == playbook);
    let held: Vec<_> = document
        .findings
        .iter()
        .map(|one| (one.cause, one.why_not_detail.clone()))
        .collect();
    proposal
        .unwrap_or_else(|| panic!("no proposal for {playbook}: {held:?}"))
        .id
        .clone()
        .expect("an id")
}

/// A running `serve`; killed when dropped.
struct Running(Child);

impl Running {
    fn start(place: &Place, crash_at: Option<String>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unstuck-under-test"));
        command
            .arg(place.folder.path().join("unstuck.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command.env_remove(CRASH_AT);
        if let Some(crash_at) = crash_at {
            command.env(CRASH_AT, crash_at);
        }
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(place.folder.path().join("log"));
        command.stderr(log.expect("a log file"));
        Self(command.spawn().expect("the process under test"))
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("a status").is_some()
    }

    /// As kill -9 does.
    fn kill(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn wait_for<T>(place: &Place, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = std::fs::read_to_string(place.folder.path().join("log")).unwrap_or_default();
    let stand = stand(place).await;
    panic!("waited in vain for {what}; {stand}; the log says:\n{log}");
}

/// How far the repair came, for whoever reads a failure.
async fn stand(place: &Place) -> String {
    let Ok(store) = Store::open(&database(place), OpenMode::ReadOnly).await else {
        return "there is no database".into();
    };
    let run = store.run_of_proposal(&place.proposal).await;
    let Ok(Some(run)) = run else {
        return "there is no run".into();
    };
    let mut told = Vec::new();
    for repair in store.repairs(&run.id).await.unwrap_or_default() {
        told.push(format!("{:?}", repair.state));
        let steps = store.steps(&repair.id).await.unwrap_or_default();
        told.extend(steps.iter().map(|step| format!("{step:?}")));
    }
    told.join("\n")
}

/// Kills at one point, starts again and judges the end.
async fn survives(case: Case) {
    let place = place(&case).await;
    if let Some((fault, vendor, method, path)) = case.when.fault() {
        place
            .sim
            .faults()
            .inject_after(vendor, method, path, case.nth - 1, 1, fault);
    }
    let crash_at = match case.when {
        When::BeforeSend => Some(format!("before_send:{}:{}", case.call, case.nth)),
        When::AfterAnswer => Some(format!("after_answer:{}:{}", case.call, case.nth)),
        When::SentButUnanswered(..) | When::SentInVain(..) => None,
    };
    let mut first = Running::start(&place, crash_at);
    approve(&place).await;
    match case.when.fault() {
        Some((_, vendor, method, path)) => {
            let sent = || {
                let requests = place.sim.ledger().requests_to(vendor, method, path);
                requests
                    .iter()
                    .filter(|request| request.fault.is_some())
                    .count()
            };
            wait_for(&place, "the call that is not answered", async || {
                (sent() > 0).then_some(())
            })
            .await;
            tokio::time::sleep(Duration::from_millis(150)).await;
            first.kill();
        }
        None => {
            wait_for(&place, "the crash", async || {
                first.has_ended().then_some(())
            })
            .await
        }
    }
    let second = Running::start(&place, None);
    let store = Store::open(&database(&place), OpenMode::ReadOnly)
        .await
        .expect("the database");
    let state = wait_for(&place, "the end of the repair", async || {
        let run = store.run_of_proposal(&place.proposal).await.ok()??;
        let repair = store.repairs(&run.id).await.ok()?.pop()?;
        let is_over = repair.state.is_end() || case.has_waited_enough(&repair.state);
        is_over.then_some(repair.state)
    })
    .await;
    wait_for(&place, "every hold to be closed", async || {
        store.open_holds().await.ok()?.is_empty().then_some(())
    })
    .await;
    judge(&place, &case, &state);
    store.close().await;
    drop(second);
    // A company that goes on living would slow down the next cases.
    place.sim.stop().await;
}

fn database(place: &Place) -> String {
    format!(
        "sqlite://{}",
        place.folder.path().join("unstuck.db").display()
    )
}

async fn approve(place: &Place) {
    let slack = place.sim.slack();
    let approver = slack.usergroups()[0]
        .users
        .first()
        .expect("an approver")
        .clone();
    let channel = place.sim.connection().slack.channel.clone();
    let store = Store::open(&database(place), OpenMode::ReadOnly)
        .await
        .expect("the database");
    let key = format!("card:{}", place.proposal);
    let card = wait_for(place, "the card", async || {
        store.posted_message(&key).await.ok()?
    })
    .await;
    assert!(
        slack.wait_for_connections(1, PATIENCE).await,
        "Slack's socket did not open"
    );
    slack
        .click(&approver, &channel, &card.ts, "p.approve")
        .await
        .expect("a click");
    store.close().await;
}

fn judge(place: &Place, case: &Case, state: &RepairState) {
    // What may be sent once only cannot be known to be unsent: a person is asked, and nothing is sent again.
    let unknowable = case.call == "run_cleanup_script" && matches!(case.when, When::BeforeSend);
    let end = match case.call {
        _ if unknowable => "needs_human",
        "enable_push" => "waiting",
        _ => "managed",
    };
    assert_eq!(state.word(), end, "{case:?}: {state:?}");
    let ledger = place.sim.ledger();
    assert_eq!(ledger.effects_of("forbidden"), vec![], "{case:?}");
    // A second call counts even if it changes nothing: the read-back should have made it needless.
    let mut changes: BTreeMap<(String, String), usize> = BTreeMap::new();
    for effect in ledger
        .effects()
        .into_iter()
        .filter(|effect| effect.request.is_some())
    {
        *changes.entry((effect.kind, effect.target)).or_default() += 1;
    }
    // What converges may be asked for again; only what was sent once must have happened once.
    let once = [
        "group.member.add",
        "group.member.remove",
        "script.run",
        "commands.flush",
        "push.enable",
    ];
    for ((kind, target), count) in &changes {
        if once.iter().any(|word| kind.contains(word)) {
            assert_eq!(
                *count, 1,
                "{kind} on {target} happened {count} times ({case:?})"
            );
        }
    }
    judge_slack(place, case, state);
    let hold = &place.sim.connection().jamf.hold_group;
    assert!(
        !place.sim.world().is_mdm_group_member(hold, "C02KILLED01"),
        "it is still held ({case:?})"
    );
    let hold = &place.sim.connection().intune.hold_group;
    assert!(
        !place.sim.world().is_mdm_group_member(hold, "C02KILLED01"),
        "it is still held ({case:?})"
    );
    eprintln!(
        "survived: {} {} {} {:?}; {} kinds of effects",
        case.playbook,
        case.call,
        case.nth,
        case.when,
        changes.len()
    );
}

/// Every message was posted once, and nobody was asked to sign in who had no reason to.
fn judge_slack(place: &Place, case: &Case, state: &RepairState) {
    let slack = place.sim.slack();
    let mut said = slack.messages(&place.sim.connection().slack.channel);
    let users = slack.users();
    said.extend(users.iter().flat_map(|user| slack.ims(&user.id)));
    let mut posts: BTreeMap<String, usize> = BTreeMap::new();
    for message in &said {
        let key = message
            .metadata
            .as_ref()
            .and_then(|metadata| metadata["event_payload"]["key"].as_str())
            .unwrap_or_else(|| panic!("a post without its key: {message:?}"));
        *posts.entry(key.to_owned()).or_default() += 1;
    }
    assert!(
        posts.values().all(|count| *count == 1),
        "something was said twice ({case:?}): {posts:?}"
    );
    // The first message of a request has no part after the time it was opened at.
    let asked = |key: &&String| key.starts_with("sign_in:") && key.matches(':').count() == 2;
    // A sign-in may come before the request does.
    assert!(
        posts.keys().filter(asked).count() <= usize::from(*state == RepairState::Managed),
        "requests to sign in ({case:?}): {posts:?}"
    );
}

const JAMF_GROUP: When =
    When::SentButUnanswered(Vendor::Jamf, "PUT", "/JSSResource/computergroups/id/");
const JAMF_PUSH: When = When::SentButUnanswered(Vendor::Jamf, "POST", "/api/v2/mdm/blank-push");
const JAMF_FLUSH: When =
    When::SentButUnanswered(Vendor::Jamf, "DELETE", "/JSSResource/commandflush/");
const JAMF_PUSH_ON: When = When::SentButUnanswered(
    Vendor::Jamf,
    "POST",
    "/api/v1/apns-client-push-status/enable-client",
);
const JAMF_COMMAND: When = When::SentButUnanswered(Vendor::Jamf, "POST", "/api/v2/mdm/commands");
const SLACK_POST: When = When::SentButUnanswered(Vendor::Slack, "POST", "/api/chat.postMessage");
const SLACK_LOST: When = When::SentInVain(Vendor::Slack, "POST", "/api/chat.postMessage");
const OKTA_GROUP: When = When::SentButUnanswered(Vendor::Okta, "PUT", "/api/v1/groups/");
const GRAPH: When = When::SentButUnanswered(
    Vendor::Graph,
    "POST",
    "/beta/deviceManagement/managedDevices/",
);

fn cases(of: &[(&'static str, Mdm, &'static str, &'static str, usize, When)]) -> Vec<Case> {
    of.iter()
        .flat_map(|&(cause, mdm, playbook, call, nth, unanswered)| {
            [When::BeforeSend, unanswered, When::AfterAnswer].map(|when| Case {
                cause,
                mdm,
                playbook,
                call,
                nth,
                when,
            })
        })
        .collect()
}

/// The posts after the card, which is the first: announcement, thread and the request to the owner in some order. The
/// sender has no crash point: an answer that came and was not recorded is, for the next process, one that never came.
fn posts(of: std::ops::RangeInclusive<usize>) -> Vec<Case> {
    of.flat_map(|nth| {
        [SLACK_LOST, SLACK_POST].map(|when| Case {
            cause: "fastpass_no_signin_since_cert",
            mdm: Mdm::Jamf,
            playbook: "request-fastpass-sign-in",
            call: "chat.postMessage",
            nth,
            when,
        })
    })
    .collect()
}

/// Runs cases side by side: each waits far more than it works.
async fn all_survive(cases: Vec<Case>) {
    futures_util::future::join_all(cases.into_iter().map(survives)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_killed_around_the_hold_group() {
    let redeliver = "redeliver-scep-profile";
    all_survive(cases(&[
        (
            "cert_expired",
            Mdm::Jamf,
            redeliver,
            "set_device_group",
            1,
            JAMF_GROUP,
        ),
        (
            "cert_expired",
            Mdm::Jamf,
            redeliver,
            "set_device_group",
            2,
            JAMF_GROUP,
        ),
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_killed_around_each_other_call() {
    if std::env::var_os("UNSTUCK_FULL").is_none() {
        eprintln!("skipped: the other kinds of calls run with UNSTUCK_FULL (tests/run --full)");
        return;
    }
    all_survive(cases(&[
        (
            "cert_expired",
            Mdm::Intune,
            "redeliver-scep-profile",
            "run_cleanup_script",
            1,
            GRAPH,
        ),
        (
            "cert_expired",
            Mdm::Intune,
            "redeliver-scep-profile",
            "sync",
            1,
            GRAPH,
        ),
    ]))
    .await;
    all_survive(cases(&[
        (
            "profile_failed",
            Mdm::Jamf,
            "resend-failed-profile",
            "flush_failed_commands",
            1,
            JAMF_FLUSH,
        ),
        (
            "profile_failed",
            Mdm::Jamf,
            "resend-failed-profile",
            "sync",
            1,
            JAMF_PUSH,
        ),
    ]))
    .await;
    all_survive(cases(&[
        (
            "policy_user_out_of_scope",
            Mdm::Jamf,
            "assign-fastpass-policy",
            "set_user_group",
            1,
            OKTA_GROUP,
        ),
        (
            "profile_not_in_scope",
            Mdm::Jamf,
            "assign-scep-profile",
            "set_device_group",
            1,
            JAMF_GROUP,
        ),
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_killed_around_commands_and_messages() {
    if std::env::var_os("UNSTUCK_FULL").is_none() {
        eprintln!("skipped: commands and messages run with UNSTUCK_FULL (tests/run --full)");
        return;
    }
    all_survive(cases(&[
        (
            "cert_expired",
            Mdm::Jamf,
            "redeliver-scep-profile",
            "refresh_inventory",
            1,
            JAMF_COMMAND,
        ),
        (
            "cert_expired",
            Mdm::Jamf,
            "redeliver-scep-profile",
            "enable_push",
            1,
            JAMF_PUSH_ON,
        ),
    ]))
    .await;
    all_survive(posts(2..=4)).await;
}
