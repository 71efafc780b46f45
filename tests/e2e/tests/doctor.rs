//! `unstuck doctor` on a tenant that is set up as the vendors' guides say, and on 41 that are not.

use std::{process::ExitCode, sync::Arc};

use simulator::{SimClock, Simulator, SimulatorConfig, TenantFault};
use tempfile::TempDir;
use unstuck::{
    app::{self, Vendors},
    chat,
    doctor::{Check, DoctorPass, Reader, Report, Status, examine},
    pass::Pass,
    settings::{self, Environment},
    store::{OpenMode, Store},
};

use super::support::{SharedSimClock, Wish, monday, write_settings};

/// A tenant and the settings of a bot for it.
struct Tenant {
    sim: Simulator,
    folder: TempDir,
}

impl Tenant {
    async fn start(clock: SimClock, wish: &Wish) -> Self {
        connectors::http::install_crypto_provider();
        let sim = Simulator::start_tenant(SimulatorConfig::tenant(clock))
            .await
            .expect("a tenant");
        sim.faults().lift_rate_limits();
        sim.require_dpop(wish.oauth);
        let folder = tempfile::tempdir().expect("a folder");
        let file = write_settings(&folder, &sim, wish);
        let text = std::fs::read_to_string(&file).expect("settings");
        // Clocks are compared here, and a filter names its category by name.
        let category = &sim.connection().intune.hold_category;
        let text = text.replace(category, "okta-scep-reissue");
        std::fs::write(&file, text.replace("speed = 30", "speed = 1")).expect("settings");
        Self { sim, folder }
    }

    async fn healthy() -> Self {
        Self::start(SimClock::manual(monday()), &Wish::default()).await
    }

    async fn reader(&self, store: Option<Store>) -> Reader {
        let file = self.folder.path().join("unstuck.toml");
        let environment = Environment::default();
        let settings =
            settings::load(&file, &environment).unwrap_or_else(|problems| panic!("{problems}"));
        let settings = Arc::new(settings);
        Reader {
            vendors: Vendors::build(&settings, &environment).expect("clients"),
            slack: chat::client(&settings, &environment),
            playbooks: Arc::new(app::load_playbooks(&settings).expect("playbooks")),
            clock: Arc::new(SharedSimClock(self.sim.clock().clone())),
            store,
            settings,
        }
    }

    async fn examine(&self) -> Report {
        let tenant = self.reader(None).await.read().await.expect("a look");
        let report = examine(&tenant);
        let effects = self.sim.ledger().effects();
        assert!(effects.is_empty(), "doctor changed something: {effects:?}");
        report
    }
}

/// What a report says is wrong.
fn wrong(report: &Report) -> Vec<(&str, Status)> {
    let bad = |check: &&Check| matches!(check.status, Status::Warning | Status::Failure);
    let checks = report.checks.iter().filter(bad);
    checks
        .map(|check| (check.id.as_str(), check.status))
        .collect()
}

/// The check that tells of a fault, and how loudly.
fn expected(fault: TenantFault) -> (&'static str, Status) {
    use Status::{Failure, Warning};
    use TenantFault as F;
    match fault {
        F::OktaWithoutSystemLog | F::OktaWithoutPolicies => ("okta.rights", Failure),
        F::OktaClockAhead => ("okta.clock", Failure),
        F::JamfWithoutProfiles => ("jamf.rights", Failure),
        F::JamfWithoutGroupUpdate => ("jamf.repair_rights", Warning),
        F::JamfPushCertificateExpires => ("jamf.push_certificate", Warning),
        F::GraphWithoutConfiguration => ("intune.rights", Failure),
        F::GraphWithoutSync => ("intune.repair_rights", Warning),
        F::GraphSecretExpires => ("intune.secret_expiry", Warning),
        F::ScepConfigurationDeleted | F::ProfileOfOtherOrg => ("jamf.scep_url", Failure),
        F::AuthorityExpires => ("ca.expiry", Warning),
        F::ConfigurationOnRetiringAuthority => ("ca.rotation", Warning),
        F::TrustOfRetiredAuthority => ("intune.ca_certificate", Failure),
        // Jamf Pro does not show when a profile was last edited.
        F::SecretResetAfterEdit => ("jamf.scep_secret", Warning),
        F::ChallengeSecretExpires => ("intune.challenge_secret", Warning),
        F::ProfileOfDeviceAccess => ("intune.scep_url", Failure),
        F::JamfProfileUnmatched => ("jamf.profile", Failure),
        F::IntuneProfileUnmatched => ("intune.profile", Failure),
        F::KeyMayNotSign => ("jamf.key_usage", Failure),
        F::KeyTooShort => ("jamf.key_size", Failure),
        F::AllAppsAccessOff => ("jamf.key_access", Failure),
        F::RedistributionOff => ("jamf.renewal", Warning),
        F::ClientAuthenticationMissing => ("intune.extended_key_usage", Failure),
        F::MachineStore => ("intune.store", Warning),
        F::TrustOutOfScope => ("intune.trust_profile", Failure),
        F::ProfileWithOtherPayloads => ("jamf.payloads", Warning),
        F::OktaVerifyInactive | F::FastPassInactive => ("fastpass.enabled", Failure),
        F::NoRuleAsksForManaged => ("policy.managed_rule", Failure),
        F::SignInAppAsksOnce => ("okta.sign_in_app", Failure),
        F::SsoExtensionMissing => ("jamf.sso_extension", Warning),
        F::SsoExtensionWrongTeam => ("jamf.sso_payload", Failure),
        F::SsoExtensionWithoutHost => ("jamf.sso_hosts", Failure),
        F::HoldGroupIsSmart | F::HoldGroupNotExcluded => ("jamf.hold_group", Failure),
        F::FastPassGroupHasRule | F::FastPassGroupHasApp => ("okta.fastpass_group", Failure),
        F::SlackWithoutEmail => ("slack.rights", Failure),
        F::SlackChannelArchived => ("slack.channel", Failure),
        F::SlackBotNotInChannel => ("slack.channel", Warning),
        F::SlackNoApprovers => ("slack.approvers", Failure),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_set_up_right_has_no_failure_and_no_warning() {
    for oauth in [false, true] {
        let wish = Wish {
            oauth,
            ..Wish::default()
        };
        let tenant = Tenant::start(SimClock::manual(monday()), &wish).await;
        let report = tenant.examine().await;
        assert_eq!(wrong(&report), [], "{report:#?}");
        assert!(report.ok);
        for id in [
            "okta.org",
            "ca.expiry",
            "jamf.scep_url",
            "intune.ca_certificate",
            "okta.sign_in_app",
        ] {
            // The service app of the tests asks for no right to read apps.
            if oauth && id == "okta.sign_in_app" {
                continue;
            }
            let found = report.checks.iter().find(|check| check.id == id);
            assert_eq!(
                found.map(|check| check.status),
                Some(Status::Ok),
                "{id}: {found:?}"
            );
        }
        tenant.sim.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_tenant_is_told_by_its_own_check_and_by_no_other() {
    let mut missed = Vec::new();
    eprintln!("{:36} {:26} {:8} saw", "fault", "check", "status");
    for fault in TenantFault::ALL {
        let tenant = Tenant::healthy().await;
        tenant.sim.break_tenant(*fault);
        // A query up to now does not tell of this very moment.
        tenant.sim.advance(chrono::Duration::minutes(2)).await;
        let before = tenant.sim.ledger().effects().len();
        let report = examine(&tenant.reader(None).await.read().await.expect("a look"));
        assert_eq!(
            tenant.sim.ledger().effects().len(),
            before,
            "doctor changed something"
        );
        for check in report
            .checks
            .iter()
            .filter(|check| matches!(check.status, Status::Warning | Status::Failure))
        {
            let status = format!("{:?}", check.status);
            eprintln!(
                "{:36} {:26} {:8} {}",
                fault.name(),
                check.id,
                status,
                check.saw
            );
        }
        if wrong(&report) != [expected(*fault)] {
            missed.push(format!(
                "{}: {:?} instead of {:?}",
                fault.name(),
                wrong(&report),
                expected(*fault)
            ));
        }
        tenant.sim.stop().await;
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scep_server_is_asked_once_an_hour_and_never_for_a_challenge() {
    let tenant = Tenant::healthy().await;
    let url = format!(
        "sqlite://{}",
        tenant.folder.path().join("unstuck.db").display()
    );
    let store = Store::open(&url, OpenMode::ReadWrite)
        .await
        .expect("a store");
    store.migrate().await.expect("a schema");
    let reader = tenant.reader(Some(store.clone())).await;
    let asked = || {
        let requests = tenant.sim.ledger().requests();
        requests
            .iter()
            .filter(|request| request.path.contains("/scep/"))
            .count()
    };
    reader.read().await.expect("a look");
    let first = asked();
    assert!(first > 0);
    reader.read().await.expect("a look");
    assert_eq!(asked(), first);
    tenant.sim.advance(chrono::Duration::minutes(61)).await;
    reader.read().await.expect("a look");
    assert_eq!(asked(), 2 * first);
    let effects = tenant.sim.ledger().effects();
    assert!(
        effects.iter().all(|effect| !effect.kind.contains("scep")),
        "{effects:?}"
    );
    store.close().await;
    tenant.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_with_one_okta_token_learns_what_okta_can_tell() {
    let tenant = Tenant::healthy().await;
    let okta = &tenant.sim.connection().okta;
    let text = format!(
        "[okta]\norg_url = \"{}\"\napi_token = \"file:okta.token\"\n",
        okta.org_url
    );
    std::fs::write(tenant.folder.path().join("unstuck.toml"), text).expect("settings");
    let report = tenant.examine().await;
    assert_eq!(wrong(&report), [], "{report:#?}");
    let status = |id: &str| {
        report
            .checks
            .iter()
            .find(|check| check.id == id)
            .map(|check| check.status)
    };
    assert_eq!(status("policy.managed_rule"), Some(Status::Ok));
    assert_eq!(status("ca.expiry"), Some(Status::Ok));
    for skipped in ["mdm.profile", "slack.rights", "okta.sign_in_app"] {
        assert_eq!(status(skipped), Some(Status::Skipped), "{skipped}");
    }
    tenant.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_turns_from_ok_to_failing_is_told_in_the_channel_once() {
    let tenant = Tenant::healthy().await;
    let url = format!(
        "sqlite://{}",
        tenant.folder.path().join("unstuck.db").display()
    );
    let store = Store::open(&url, OpenMode::ReadWrite)
        .await
        .expect("a store");
    store.migrate().await.expect("a schema");
    let now = tenant.sim.clock().now();
    let pass = DoctorPass::new(tenant.reader(Some(store.clone())).await, now);
    let told = async || {
        let due = store
            .due_messages(tenant.sim.clock().now(), 50)
            .await
            .expect("messages");
        due.iter()
            .map(|one| one.payload.to_string())
            .collect::<Vec<_>>()
    };
    let day = async |hours: i64| {
        tenant.sim.advance(chrono::Duration::hours(hours)).await;
        pass.run(tenant.sim.clock().now()).await.expect("a pass")
    };
    assert!(
        pass.run(now).await.expect("a pass") > Some(now),
        "not at the start"
    );
    day(2).await;
    assert_eq!(told().await, Vec::<String>::new());
    tenant.sim.break_tenant(TenantFault::FastPassInactive);
    day(25).await;
    let messages = told().await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("fastpass.enabled"), "{messages:?}");
    day(25).await;
    assert_eq!(told().await, messages, "told once");
    store.close().await;
    tenant.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_a_line_of_the_document_with_its_five_keys() {
    let tenant = Tenant::healthy().await;
    let document = serde_json::to_value(tenant.examine().await).expect("JSON");
    assert_eq!(document["ok"], true);
    for check in document["checks"].as_array().expect("checks") {
        let keys: Vec<&String> = check.as_object().expect("a check").keys().collect();
        assert_eq!(keys, ["do", "id", "saw", "section", "status"]);
        assert!(
            check["status"] == "ok" || check["status"] == "skipped",
            "{check}"
        );
    }
    tenant.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_ends_with_1_where_a_check_failed_and_with_0_else() {
    // The command has no clock but the machine's.
    let tenant = Tenant::start(SimClock::real(), &Wish::default()).await;
    let doctor = async || {
        let file = tenant.folder.path().join("unstuck.toml");
        let arguments = [
            "unstuck",
            "doctor",
            "--config",
            file.to_str().expect("a path"),
        ];
        let cli =
            <unstuck::cli::Cli as clap::Parser>::try_parse_from(arguments).expect("arguments");
        // An exit code shows itself in no other way.
        format!("{:?}", unstuck::cli::run(cli).await)
    };
    assert_eq!(Box::pin(doctor()).await, format!("{:?}", ExitCode::SUCCESS));
    tenant
        .sim
        .break_tenant(TenantFault::TrustOfRetiredAuthority);
    assert_eq!(Box::pin(doctor()).await, format!("{:?}", ExitCode::from(1)));
    tenant.sim.stop().await;
}
