//! Builds everything from the settings, for commands, `serve`, the demo and tests alike.

use std::{collections::HashMap, path::Path, sync::Arc};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use connectors::{
    AttestationSettings, MdmActions, MdmReader, OktaActions, OktaReader,
    intune::{IntuneClient, IntuneConfig},
    jamf::{JamfClient, JamfConfig},
    okta::{OktaAuth, OktaClient, OktaConfig},
};
use secrecy::SecretString;

use crate::{
    clock::{SharedClock, SystemClock},
    domain::{GroupId, MdmName, Platform, ProfileId, RepairTargets, playbook::Playbook},
    fresh::FreshReader,
    ids::{RandomIds, SharedIds},
    node::Node,
    observer::Observer,
    settings::{Environment, Mdm, Problem, Problems, SecretRef, Settings, place_of_file},
    store::{OpenMode, Store},
    sweep::Sweeper,
};

/// What tests and the demo put in the place of production parts.
pub struct Parts {
    /// Our own clock.
    pub clock: SharedClock,
    /// New ids.
    pub ids: SharedIds,
    /// Where a test may end the process.
    pub faults: Arc<dyn crate::executor::Faults>,
}

impl Parts {
    /// Production parts.
    pub fn of(settings: &Settings) -> Self {
        Self {
            clock: Arc::new(SystemClock::new(settings.clock.speed)),
            ids: Arc::new(RandomIds),
            faults: Arc::new(crate::executor::NoFaults),
        }
    }
}

/// Clients of the vendors that the settings name, but Slack.
#[derive(Clone)]
pub struct Vendors {
    /// Okta, reading and acting.
    pub okta: Arc<OktaClient>,
    /// The MDMs, in the order of the settings.
    pub mdms: Vec<MdmClient>,
}

/// One MDM's client.
#[derive(Clone)]
pub struct MdmClient {
    /// Name.
    pub name: MdmName,
    /// Reading.
    pub reader: Arc<dyn MdmReader>,
    /// Acting.
    pub actions: Arc<dyn MdmActions>,
    /// Trying the credential.
    pub check: Arc<dyn connectors::CheckCredentials>,
    /// Reading what people set up.
    pub setup: Arc<dyn connectors::ReadSetup>,
    /// Repair targets that a person prepared.
    pub targets: RepairTargets,
}

impl Vendors {
    /// Reads the secrets that the vendors need and builds their clients. All missing secrets come at once.
    pub fn build(settings: &Settings, environment: &Environment) -> anyhow::Result<Self> {
        let mut secrets = SecretReader {
            settings,
            environment,
            problems: Vec::new(),
        };
        let okta_secret = secrets.read(
            "okta",
            settings
                .okta
                .api_token
                .as_ref()
                .or(settings.okta.private_key.as_ref()),
        );
        let mdm_secrets: Vec<Option<SecretString>> = settings
            .mdm
            .iter()
            .map(|mdm| secrets.read(&format!("mdm.{}", mdm.name), mdm.client_secret.as_ref()))
            .collect();
        secrets.finish()?;
        let auth = match (&settings.okta.api_token, okta_secret) {
            (Some(_), Some(token)) => OktaAuth::ApiToken(token),
            (None, Some(private_key)) => OktaAuth::PrivateKeyJwt {
                client_id: settings.okta.client_id.clone().unwrap_or_default(),
                private_key,
                key_id: settings.okta.key_id.clone(),
                dpop: settings.okta.dpop,
            },
            _ => anyhow::bail!("[okta] has no credential"),
        };
        let okta = OktaClient::new(OktaConfig {
            org_url: url(&settings.okta.org_url)?,
            auth,
            requests_per_minute: settings.okta.requests_per_minute,
            speed: settings.clock.speed,
        })?;
        let mdms = settings
            .mdm
            .iter()
            .zip(mdm_secrets)
            .map(|(mdm, secret)| mdm_client(settings, mdm, secret.context("a secret is missing")?))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            okta: Arc::new(okta),
            mdms,
        })
    }
}

fn mdm_client(settings: &Settings, mdm: &Mdm, secret: SecretString) -> anyhow::Result<MdmClient> {
    let name = MdmName::from(mdm.name.as_str());
    let targets = targets(mdm);
    let own = settings.attestation_of(mdm);
    let attestation =
        AttestationSettings::new(&own.subject_pattern, own.issuers, own.scep_profiles)
            .map_err(|error| anyhow::anyhow!("[attestation] of {name}: {error}"))?;
    let client_id = mdm.client_id.clone().unwrap_or_default();
    Ok(match mdm.kind.as_str() {
        "jamf" => {
            let client = Arc::new(JamfClient::new(JamfConfig {
                name: name.clone(),
                url: url(mdm.url.as_deref().unwrap_or_default())?,
                client_id,
                client_secret: secret,
                platforms: platforms(mdm, Platform::Macos),
                attestation,
                targets: targets.clone(),
                speed: settings.clock.speed,
            })?);
            MdmClient {
                name,
                reader: client.clone(),
                actions: client.clone(),
                check: client.clone(),
                setup: client,
                targets,
            }
        }
        _ => {
            let client = Arc::new(IntuneClient::new(IntuneConfig {
                name: name.clone(),
                tenant_id: mdm.tenant_id.clone().unwrap_or_default(),
                client_id,
                client_secret: secret,
                graph_url: url(&mdm.graph_url)?,
                login_url: url(&mdm.login_url)?,
                platforms: platforms(mdm, Platform::Windows),
                attestation,
                targets: targets.clone(),
                speed: settings.clock.speed,
            })?);
            MdmClient {
                name,
                reader: client.clone(),
                actions: client.clone(),
                check: client.clone(),
                setup: client,
                targets,
            }
        }
    })
}

fn url(text: &str) -> anyhow::Result<url::Url> {
    text.parse().with_context(|| format!("`{text}` is no URL"))
}

fn platforms(mdm: &Mdm, default: Platform) -> Vec<Platform> {
    match &mdm.platforms {
        None => vec![default],
        Some(words) => words
            .iter()
            .map(|word| {
                if word == "MACOS" {
                    Platform::Macos
                } else {
                    Platform::Windows
                }
            })
            .collect(),
    }
}

fn targets(mdm: &Mdm) -> RepairTargets {
    let group = |id: &Option<String>| id.as_deref().map(GroupId::from);
    RepairTargets {
        hold_group: group(&mdm.hold_group),
        target_group: group(&mdm.target_group),
        hold_category: mdm.hold_category.clone(),
        machine_profile: mdm.machine_profile.as_deref().map(ProfileId::from),
        machine_group: group(&mdm.machine_group),
        cleanup_script: mdm.cleanup_script.clone(),
    }
}

/// Reads secrets and gathers what is missing.
pub struct SecretReader<'a> {
    /// Settings.
    pub settings: &'a Settings,
    /// Environment.
    pub environment: &'a Environment,
    /// What is missing.
    pub problems: Vec<Problem>,
}

impl SecretReader<'_> {
    /// Reads one secret; a failure is kept as a problem.
    pub fn read(&mut self, table: &str, reference: Option<&SecretRef>) -> Option<SecretString> {
        let folder = self.settings.file.parent().unwrap_or(Path::new("."));
        match reference?.read(self.environment, folder) {
            Ok(secret) => Some(secret),
            Err(error) => {
                self.problems.push(Problem {
                    place: place_of_file(&self.settings.file, table),
                    message: format!("[{table}]: {error}"),
                    hint:
                        "set the variable, or write the secret into the file that the settings name"
                            .into(),
                });
                None
            }
        }
    }

    /// Every problem at once.
    pub fn finish(self) -> Result<(), Problems> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(Problems(self.problems))
        }
    }
}

/// Opens the database. SQLite is migrated here; PostgreSQL by `unstuck migrate` or `--migrate`.
pub async fn open_store(settings: &Settings, migrate: bool) -> anyhow::Result<Store> {
    let url = settings.database_url();
    let store = Store::open(&url, OpenMode::ReadWrite)
        .await
        .with_context(|| "cannot open the database".to_owned())?;
    if migrate || url.starts_with("sqlite:") {
        store
            .migrate()
            .await
            .context("cannot bring the database up to date")?;
    }
    store.check_schema().await?;
    Ok(store)
}

/// Loads the playbooks: the set in the binary, or the user's own folder.
pub fn load_playbooks(settings: &Settings) -> anyhow::Result<Vec<Playbook>> {
    crate::library::load(
        settings
            .playbooks
            .dir
            .as_deref()
            .map(|dir| settings.path(dir))
            .as_deref(),
    )
}

/// Everything that a sweep needs.
pub fn sweeper(
    settings: &Arc<Settings>,
    vendors: &Vendors,
    store: &Store,
    node: &Arc<Node>,
    playbooks: &Arc<Vec<Playbook>>,
    parts: &Parts,
) -> Sweeper {
    Sweeper {
        observer: Observer {
            okta: vendors.okta.clone() as Arc<dyn OktaReader>,
            org_id: settings.okta.org_id.clone(),
            mdms: vendors
                .mdms
                .iter()
                .map(|mdm| Arc::clone(&mdm.reader))
                .collect(),
            store: store.clone(),
        },
        store: store.clone(),
        clock: Arc::clone(&parts.clock),
        node: Arc::clone(node),
        settings: Arc::clone(settings),
        playbooks: Arc::clone(playbooks),
        ids: Arc::clone(&parts.ids),
        every: interval(settings, parts.clock.now()),
    }
}

/// Time to the next scheduled sweep.
fn interval(settings: &Settings, now: DateTime<Utc>) -> Option<TimeDelta> {
    let next = settings.schedule.iter().filter_map(|schedule| {
        let crontab = crate::cron::Crontab::parse(&schedule.cron).ok()?;
        crontab.next_after(now, schedule.timezone.parse().ok()?)
    });
    next.min().map(|next| next - now)
}

/// Everything that reads one computer.
pub fn fresh_reader(vendors: &Vendors) -> FreshReader {
    FreshReader {
        okta: vendors.okta.clone() as Arc<dyn OktaReader>,
        mdms: vendors
            .mdms
            .iter()
            .map(|mdm| (Arc::clone(&mdm.reader), mdm.targets.clone()))
            .collect(),
    }
}

/// Everything that acts.
pub fn executor(
    settings: &Settings,
    vendors: &Vendors,
    store: &Store,
    node: &Arc<Node>,
    parts: &Parts,
) -> crate::executor::Executor {
    crate::executor::Executor {
        store: store.clone(),
        clock: Arc::clone(&parts.clock),
        node: Arc::clone(node),
        reader: fresh_reader(vendors),
        okta: vendors.okta.clone() as Arc<dyn OktaActions>,
        mdms: actions(vendors),
        exclusions: crate::sweep::exclusions(settings),
        stop_file: settings.stop_file(),
        faults: Arc::clone(&parts.faults),
    }
}

/// The pass over holds.
pub fn hold_pass(
    vendors: &Vendors,
    store: &Store,
    node: &Arc<Node>,
    parts: &Parts,
) -> crate::executor::HoldPass {
    crate::executor::HoldPass {
        store: store.clone(),
        clock: Arc::clone(&parts.clock),
        node: Arc::clone(node),
        reader: fresh_reader(vendors),
        mdms: actions(vendors),
        looked_at: tokio::sync::Mutex::new(None),
    }
}

fn actions(vendors: &Vendors) -> HashMap<MdmName, Arc<dyn MdmActions>> {
    vendors
        .mdms
        .iter()
        .map(|mdm| (mdm.name.clone(), Arc::clone(&mdm.actions)))
        .collect()
}

/// A playbook whose decision nobody could make: an approver group that is unknown or empty.
pub fn check_groups(settings: &Settings, playbooks: &[Playbook]) -> Result<(), Problems> {
    if settings.safety.mode == crate::settings::Mode::Observe {
        return Ok(());
    }
    let mut problems = Vec::new();
    for playbook in playbooks {
        for group in &playbook.approval.groups {
            if settings
                .approvals
                .group(group)
                .is_none_or(<[String]>::is_empty)
            {
                problems.push(Problem {
                    place: place_of_file(&settings.file, "approvals"),
                    message: format!("the playbook {} is decided by the group `{group}`, which is unknown or empty", playbook.name),
                    hint: match group.as_str() {
                        "oncall" => r#"[approvals] approvers = ["usergroup:S0…"]"#.into(),
                        other => format!(r#"[approvals.groups] {other} = ["usergroup:S0…"]"#),
                    },
                });
            }
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Problems(problems))
    }
}
