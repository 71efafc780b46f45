//! How commands end: exit codes by outcome and kind of error, against a database of their own.

use clap::Parser;

use super::*;
use crate::store::{OpenMode, Store};

/// A folder with settings whose vendors nobody may reach.
struct Place {
    folder: tempfile::TempDir,
    context: output::Context,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("unstuck.toml");
    let text = "[okta]\norg_url = \"http://127.0.0.1:9\"\napi_token = \"env:OKTA_API_TOKEN\"\n";
    std::fs::write(&config, text).unwrap();
    let context = output::Context {
        config: Some(config),
        environment: Environment::default(),
    };
    Place { folder, context }
}

impl Place {
    async fn migrated(&self) -> Store {
        let url = format!(
            "sqlite://{}",
            self.folder.path().join("unstuck.db").display()
        );
        let store = Store::open(&url, OpenMode::ReadWrite).await.unwrap();
        store.migrate().await.unwrap();
        store
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

fn parse(arguments: &[&str]) -> Result<Cli, clap::error::ErrorKind> {
    let arguments = ["unstuck"].into_iter().chain(arguments.iter().copied());
    Cli::try_parse_from(arguments).map_err(|error| error.kind())
}

#[test]
fn config_is_taken_before_and_after_the_command() {
    for arguments in [
        ["--config", "a.toml", "migrate"],
        ["migrate", "--config", "a.toml"],
    ] {
        assert_eq!(
            parse(&arguments).unwrap().global.config,
            Some("a.toml".into())
        );
    }
}

#[test]
fn explain_is_why() {
    assert!(
        matches!(parse(&["explain", "C02XYZ", "--json"]).unwrap().command, Command::Why(args) if args.json)
    );
}

#[test]
fn a_decision_without_a_reason_is_a_wrong_use() {
    use clap::error::ErrorKind::MissingRequiredArgument;
    assert_eq!(
        parse(&["proposals", "approve", "P-7F3K2Q"]).unwrap_err(),
        MissingRequiredArgument
    );
    assert_eq!(
        parse(&["stop", "all"]).unwrap_err(),
        MissingRequiredArgument
    );
}

#[test]
fn a_dry_run_accepts_no_shrink() {
    let error = parse(&["sweep", "--dry-run", "--accept-shrink", "okta"]).unwrap_err();
    assert_eq!(error, clap::error::ErrorKind::ArgumentConflict);
}

#[tokio::test]
async fn why_without_a_database_says_what_to_do() {
    let place = place();
    let Command::Why(args) = parse(&["why", "C02XYZ"]).unwrap().command else {
        unreachable!()
    };
    let error = why::run(&place.context, args).await.unwrap_err();
    assert!(
        error.to_string().contains("run `unstuck sweep` first"),
        "{error}"
    );
    assert_eq!(place.files(), ["unstuck.toml"]);
}

#[tokio::test]
async fn why_needs_no_secret_and_ends_with_1_if_nobody_is_found() {
    let place = place();
    place.migrated().await.close().await;
    let Command::Why(args) = parse(&["why", "C02XYZ", "--json"]).unwrap().command else {
        unreachable!()
    };
    assert_eq!(
        why::run(&place.context, args).await.unwrap(),
        Outcome::Incomplete
    );
}

#[tokio::test]
async fn lists_of_an_empty_database_are_done_and_an_unknown_id_is_an_error() {
    let place = place();
    place.migrated().await.close().await;
    let Command::Runs(list) = parse(&["runs", "list", "--json"]).unwrap().command else {
        unreachable!()
    };
    assert_eq!(
        runs::run(&place.context, list).await.unwrap(),
        Outcome::Done
    );
    let Command::Proposals(show) = parse(&["proposals", "show", "p-7f3k2q"]).unwrap().command
    else {
        unreachable!()
    };
    let error = proposals::run(&place.context, show).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("there is no proposal P-7F3K2Q"),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_secret_is_a_problem_of_the_settings_and_nothing_is_created() {
    let place = place();
    let Command::Sweep(args) = parse(&["sweep", "--dry-run"]).unwrap().command else {
        unreachable!()
    };
    let error = sweep::run(&place.context, args).await.unwrap_err();
    assert!(error.is::<Problems>(), "{error}");
    assert_eq!(place.files(), ["unstuck.toml"]);
}

#[tokio::test]
async fn an_unknown_source_cannot_be_accepted_as_shrunk() {
    let place = place();
    let Command::Sweep(args) = parse(&["sweep", "--accept-shrink", "jamf"])
        .unwrap()
        .command
    else {
        unreachable!()
    };
    let error = sweep::run(&place.context, args).await.unwrap_err();
    assert!(error.is::<Usage>(), "{error}");
}

#[tokio::test]
async fn the_database_of_a_dry_run_is_gone_afterwards_and_takes_no_writes() {
    let place = place();
    let settings = place.context.settings().unwrap();
    let dry = database::DryRunStore::open(&settings, &crate::ids::RandomIds)
        .await
        .unwrap();
    let now = "2026-11-24T10:00:00Z".parse().unwrap();
    assert!(dry.store.last_sweep().await.unwrap().is_none());
    assert!(
        dry.store
            .accept_shrink("okta", "cli:ann", now)
            .await
            .is_err()
    );
    dry.close().await;
    assert_eq!(place.files(), ["unstuck.toml"]);
}

/// What `audit verify` ends with.
async fn verified(place: &Place, more: &[&str]) -> anyhow::Result<Outcome> {
    let arguments = [&["audit", "verify", "--json"], more].concat();
    let Command::Audit(command) = parse(&arguments).unwrap().command else {
        unreachable!()
    };
    audit::run(&place.context, command).await
}

#[tokio::test]
async fn an_audit_that_is_whole_ends_with_0_and_one_that_is_not_with_1() {
    let place = place();
    let store = place.migrated().await;
    assert_eq!(verified(&place, &[]).await.unwrap(), Outcome::Done);
    let settings = place.context.settings().unwrap();
    let key = crate::audit::AuditKey::read_or_make(&settings, &place.context.environment, &store);
    let key = key.await.unwrap();
    let entry = crate::store::NewAuditEntry {
        kind: "proposal.approved".into(),
        about: "P-7F3K2Q".into(),
        at: "2026-11-24T10:00:00Z".parse().unwrap(),
        payload: serde_json::json!({}),
    };
    let together = crate::store::Together {
        audit: &[entry],
        ..Default::default()
    };
    store.record(together).await.unwrap();
    let lease = store.acquire_lease("audit-sealer", "a").await.unwrap();
    let sealed = store
        .seal_audit(
            &lease.unwrap(),
            "2026-11-24T10:00:00Z".parse().unwrap(),
            |text| key.sign(text),
        )
        .await;
    let head = sealed.unwrap().unwrap().head;
    assert_eq!(verified(&place, &[]).await.unwrap(), Outcome::Done);
    let kept = place.folder.path().join("head.json");
    let kept_path = kept.to_str().unwrap();
    for (head, ends) in [(head.as_str(), Outcome::Done), ("00", Outcome::Incomplete)] {
        let text = format!(r#"{{"ok":true,"entries":1,"head":"{head}","first_bad":null}}"#);
        std::fs::write(&kept, text).unwrap();
        assert_eq!(
            verified(&place, &["--head", kept_path]).await.unwrap(),
            ends
        );
    }
    let Store::Sqlite { writer, .. } = &store else {
        unreachable!()
    };
    sqlx::query("UPDATE audit_entries SET kind = 'proposal.denied'")
        .execute(writer)
        .await
        .unwrap();
    assert_eq!(verified(&place, &[]).await.unwrap(), Outcome::Incomplete);
    store.close().await;
}

#[tokio::test]
async fn a_kept_head_that_is_none_is_a_wrong_use() {
    let place = place();
    place.migrated().await.close().await;
    let kept = place.folder.path().join("head.json");
    std::fs::write(&kept, "9f3c").unwrap();
    let error = verified(&place, &["--head", kept.to_str().unwrap()]).await;
    assert!(is_usage(&error.unwrap_err()));
}

#[tokio::test]
async fn a_command_that_reads_leaves_the_folder_as_it_was() {
    let place = place();
    place.migrated().await.close().await;
    let before = place.files();
    let settings = place.context.settings().unwrap();
    let store = database::for_reading(&settings).await.unwrap();
    assert!(store.last_sweep().await.unwrap().is_none());
    store.close().await;
    assert_eq!(place.files(), before);
}

#[test]
fn a_broken_playbook_ends_with_1_and_the_shipped_ones_with_0() {
    let place = place();
    let Command::Playbooks(shipped) = parse(&["playbooks", "check"]).unwrap().command else {
        unreachable!()
    };
    assert_eq!(
        playbooks::run(&place.context, shipped).unwrap(),
        Outcome::Done
    );
    let own = place.folder.path().join("own/broken");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("playbook.yaml"), "name: broken\ncolour: red\n").unwrap();
    let folder = place.folder.path().join("own");
    let check = ["playbooks", "check", folder.to_str().unwrap()];
    let Command::Playbooks(broken) = parse(&check).unwrap().command else {
        unreachable!()
    };
    assert_eq!(
        playbooks::run(&place.context, broken).unwrap(),
        Outcome::Incomplete
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn init_writes_observe_mode_beside_the_manifest_and_never_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("unstuck.toml");
    let arguments = || {
        let output = output.to_str().unwrap();
        let given = [
            "init",
            "--non-interactive",
            "--output",
            output,
            "--okta-url",
            "http://127.0.0.1:9",
        ];
        let Command::Init(args) = parse(&given).unwrap().command else {
            unreachable!()
        };
        *args
    };
    let context = output::Context {
        config: None,
        environment: Environment::default(),
    };
    // The variable is not set: written all the same, and the exit code says that something is missing.
    assert_eq!(
        init::run(&context, arguments()).await.unwrap(),
        Outcome::Incomplete
    );
    let written = std::fs::read_to_string(&output).unwrap();
    assert!(
        written.contains("api_token = \"env:OKTA_API_TOKEN\"")
            && written.contains("mode = \"observe\"")
    );
    assert!(folder.path().join("slack-manifest.yaml").exists());
    let error = init::run(&context, arguments()).await.unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
    assert_eq!(std::fs::read_to_string(&output).unwrap(), written);
}

/// What a command ends with under these settings and playbooks.
async fn failure(arguments: &[&str], settings: &str, playbooks: &[(&str, &str)]) -> anyhow::Error {
    connectors::http::install_crypto_provider();
    let place = place();
    for (name, text) in playbooks {
        let folder = place.folder.path().join("playbooks").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("playbook.yaml"), text).unwrap();
    }
    let file = place.context.config.as_ref().unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, format!("{text}{settings}")).unwrap();
    let context = output::Context {
        config: place.context.config.clone(),
        environment: [("OKTA_API_TOKEN", "not sent")].into_iter().collect(),
    };
    match parse(arguments).unwrap().command {
        Command::Sweep(args) => sweep::run(&context, args).await.unwrap_err(),
        Command::Serve(args) => serve::run(&context, args).await.unwrap_err(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn broken_playbooks_are_a_wrong_setting_and_told_all_at_once() {
    let broken = [
        ("one", "name: one\n"),
        ("two", "name: two\ntitle: [not, a, title]\n"),
    ];
    for command in ["sweep", "serve"] {
        let error = Box::pin(failure(
            &[command],
            "[playbooks]\ndir = \"playbooks\"\n",
            &broken,
        ))
        .await;
        assert!(is_usage(&error), "{command}: {error:#}");
        let told = format!("{error:#}");
        for (name, _) in broken {
            assert!(
                told.contains(&format!("{name}/playbook.yaml")),
                "{command}: {told}"
            );
        }
    }
}

#[tokio::test]
async fn a_playbook_folder_that_is_not_there_is_a_wrong_setting() {
    let error = Box::pin(failure(&["sweep"], "[playbooks]\ndir = \"nowhere\"\n", &[])).await;
    assert!(is_usage(&error), "{error:#}");
    assert!(format!("{error:#}").contains("nowhere"), "{error:#}");
}

#[tokio::test]
async fn a_playbook_whose_group_is_empty_is_a_wrong_setting_for_a_sweep_too() {
    let error = Box::pin(failure(&["sweep"], "[safety]\nmode = \"approve\"\n", &[])).await;
    assert!(is_usage(&error), "{error:#}");
    assert!(
        format!("{error:#}").contains("unknown or empty"),
        "{error:#}"
    );
}
