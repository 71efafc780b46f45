//! Settings: one TOML file, layered under `UNSTUCK__…` environment variables, read once.
//!
//! Problems come all at once, each with its place and the way out. Secrets stay references (`env:NAME`, `file:PATH`)
//! until a command that uses them asks.

mod duration;
mod load;
mod problem;
mod schema;
mod secret;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Deserialize;

use crate::domain::Platform;

pub use duration::parse_duration;
pub use load::{Environment, load, locate};
pub use problem::{Place, Problem, Problems};
pub use secret::SecretRef;

/// Everything that a deployment can say. Each field's meaning and default stands in `deploy/unstuck.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Where the file was read from; relative paths are relative to its folder.
    #[serde(skip)]
    pub file: PathBuf,
    /// The store.
    #[serde(default)]
    pub database: Database,
    /// The Okta org.
    pub okta: Okta,
    /// The MDMs, in the order of the file.
    #[serde(default)]
    pub mdm: Vec<Mdm>,
    /// How the attestation certificate and its profile are recognised.
    #[serde(default)]
    pub attestation: Attestation,
    /// Detection.
    #[serde(default)]
    pub detect: Detect,
    /// Slack; absent: no cards are posted.
    pub slack: Option<Slack>,
    /// Who decides, and when cards go out.
    #[serde(default)]
    pub approvals: Approvals,
    /// What may happen at all.
    #[serde(default)]
    pub safety: Safety,
    /// Who and what is left alone.
    #[serde(default)]
    pub exclusions: Exclusions,
    /// The HTTP server of `serve`.
    #[serde(default)]
    pub web: Web,
    /// The record of what was done.
    #[serde(default)]
    pub audit: Audit,
    /// Where playbooks come from.
    #[serde(default)]
    pub playbooks: Playbooks,
    /// Logging.
    #[serde(default)]
    pub log: Log,
    /// Our own clock.
    #[serde(default)]
    pub clock: ClockSettings,
    /// When `serve` sweeps.
    #[serde(default)]
    pub schedule: Vec<Schedule>,
}

/// `[database]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Database {
    /// `sqlite://file` or `postgres://…`; a secret reference for the latter.
    pub url: String,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "sqlite://unstuck.db".into(),
        }
    }
}

/// `[okta]`
#[derive(Debug, Clone, Deserialize)]
pub struct Okta {
    /// `https://acme.okta.com`
    pub org_url: String,
    /// Refuse any other org.
    pub org_id: Option<String>,
    /// SSWS token.
    pub api_token: Option<SecretRef>,
    /// OAuth service app.
    pub client_id: Option<String>,
    /// Its key, PEM or JWK.
    pub private_key: Option<SecretRef>,
    /// Its key id, where the app has several.
    pub key_id: Option<String>,
    /// Whether tokens are bound to a proof-of-possession key.
    #[serde(default = "yes")]
    pub dpop: bool,
    /// Budget of the devices bucket.
    #[serde(default = "fifty")]
    pub requests_per_minute: u32,
    /// Most by-id confirmations in one sweep.
    #[serde(default = "five_hundred")]
    pub confirm_per_sweep: usize,
    /// Group that the FastPass rule covers.
    pub fastpass_group: Option<String>,
    /// App whose sign-in link people get.
    pub sign_in_app: Option<String>,
    /// Whether app mappings may be planned.
    #[serde(default)]
    pub allow_app_mapping: bool,
}

fn yes() -> bool {
    true
}

fn fifty() -> u32 {
    50
}

fn five_hundred() -> usize {
    500
}

/// `[[mdm]]`
#[derive(Debug, Clone, Deserialize)]
pub struct Mdm {
    /// Name in JSON and evidence.
    pub name: String,
    /// Vendor.
    pub kind: String,
    /// Which desktops it manages; default: the vendor's.
    pub platforms: Option<Vec<String>>,
    /// Jamf: base URL.
    pub url: Option<String>,
    /// Intune: tenant.
    pub tenant_id: Option<String>,
    /// OAuth client.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<SecretRef>,
    /// Intune: Graph.
    #[serde(default = "graph_url")]
    pub graph_url: String,
    /// Intune: login.
    #[serde(default = "login_url")]
    pub login_url: String,
    /// Repair target, see the design, section 2.6.
    pub hold_group: Option<String>,
    /// Repair target.
    pub target_group: Option<String>,
    /// Repair target (Intune).
    pub hold_category: Option<String>,
    /// Repair target.
    pub machine_profile: Option<String>,
    /// Repair target.
    pub machine_group: Option<String>,
    /// Repair target (Intune).
    pub cleanup_script: Option<String>,
    /// Overrides `[attestation]`.
    pub subject_pattern: Option<String>,
    /// Overrides `[attestation]`.
    pub issuers: Option<Vec<String>>,
    /// Overrides `[attestation]`.
    pub scep_profiles: Option<Vec<String>>,
    /// Overrides `[attestation]`.
    pub scep_url: Option<String>,
}

fn graph_url() -> String {
    "https://graph.microsoft.com".into()
}

fn login_url() -> String {
    "https://login.microsoftonline.com".into()
}

/// `[attestation]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Attestation {
    /// Matches the certificate's subject.
    pub subject_pattern: String,
    /// Judges the issuer where the MDM shows one.
    pub issuers: Vec<String>,
    /// Names or ids of the SCEP profiles, globs.
    pub scep_profiles: Vec<String>,
    /// Lets `doctor` probe the SCEP server.
    pub scep_url: Option<String>,
}

impl Default for Attestation {
    fn default() -> Self {
        Self {
            subject_pattern: "(?i)managementAttestation".into(),
            issuers: vec!["Organization Intermediate Authority".into()],
            scep_profiles: vec!["*Okta*SCEP*".into(), "*Okta Attestation*".into()],
            scep_url: None,
        }
    }
}

/// `[detect]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Detect {
    /// Time after registration, enrolment or repair in which nothing is a fault.
    #[serde(deserialize_with = "duration::deserialize")]
    pub grace: Duration,
    /// How many complete sweeps, at least an hour apart, must agree before a first card.
    pub confirmations: u8,
    /// Okta Verify below this version is too old; without it no version is.
    pub okta_verify_minimum: BTreeMap<Platform, String>,
    /// An operating system below this version is too old; without it none is.
    pub os_minimum: BTreeMap<Platform, String>,
}

impl Default for Detect {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(24 * 3600),
            confirmations: 1,
            okta_verify_minimum: BTreeMap::new(),
            os_minimum: BTreeMap::new(),
        }
    }
}

/// `[slack]`
#[derive(Debug, Clone, Deserialize)]
pub struct Slack {
    /// Web API.
    #[serde(default = "slack_api_url")]
    pub api_url: String,
    /// `xoxb-…`
    pub bot_token: Option<SecretRef>,
    /// `xapp-…`: Socket Mode.
    pub app_token: Option<SecretRef>,
    /// HTTP mode on `[web]`.
    pub signing_secret: Option<SecretRef>,
    /// Channel id of the cards.
    pub channel: String,
}

fn slack_api_url() -> String {
    "https://slack.com/api".into()
}

/// `[approvals]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Approvals {
    /// Short for the group `oncall`.
    pub approvers: Vec<String>,
    /// When cards and reminders go out: `always`, or `Mon-Fri 08:00-18:00`.
    pub hours: String,
    /// IANA zone of `hours`.
    pub timezone: String,
    /// Named groups of `usergroup:S…`, `user:U…`, `cli:name`.
    pub groups: BTreeMap<String, Vec<String>>,
}

impl Default for Approvals {
    fn default() -> Self {
        Self {
            approvers: Vec::new(),
            hours: "always".into(),
            timezone: "UTC".into(),
            groups: BTreeMap::new(),
        }
    }
}

impl Approvals {
    /// Members of a named group; `approvers` is the group `oncall`.
    pub fn group(&self, name: &str) -> Option<&[String]> {
        match self.groups.get(name) {
            Some(members) => Some(members),
            None if name == "oncall" => Some(&self.approvers),
            None => None,
        }
    }
}

/// `[safety]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Safety {
    /// Whether anything is proposed at all.
    pub mode: Mode,
    /// While this file exists, everything is stopped.
    pub stop_file: PathBuf,
    /// Computers a day for a playbook that has no verified batch yet.
    pub first_day_cap: u32,
}

impl Default for Safety {
    fn default() -> Self {
        Self {
            mode: Mode::Observe,
            stop_file: "unstuck.stop".into(),
            first_day_cap: 10,
        }
    }
}

/// `[safety] mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Look and tell.
    Observe,
    /// Post cards and act on their decisions.
    Approve,
}

/// `[exclusions]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Exclusions {
    /// Okta user ids or logins.
    pub users: Vec<String>,
    /// Okta group ids.
    pub groups: Vec<String>,
    /// Okta device ids or serial numbers.
    pub devices: Vec<String>,
}

/// `[web]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Web {
    /// Address and port.
    pub bind: String,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1:8080".into(),
        }
    }
}

/// `[audit]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Audit {
    /// Signs the seals; a file is made at the first start.
    pub key: SecretRef,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            key: SecretRef::File("audit.key".into()),
        }
    }
}

/// `[playbooks]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Playbooks {
    /// Folder of the user's own; default: the set in the binary.
    pub dir: Option<PathBuf>,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Log {
    /// `text` or `json`.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a tracing filter.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info".into(),
        }
    }
}

/// `[log] format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// `[clock]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct ClockSettings {
    /// Refused unless every vendor URL is loopback.
    pub speed: f64,
}

impl Default for ClockSettings {
    fn default() -> Self {
        Self { speed: 1.0 }
    }
}

/// `[[schedule]]`
#[derive(Debug, Clone, Deserialize)]
pub struct Schedule {
    /// Name in the tick table.
    pub name: String,
    /// Five or six fields, crontab's meaning.
    pub cron: String,
    /// IANA zone.
    #[serde(default = "utc")]
    pub timezone: String,
}

fn utc() -> String {
    "UTC".into()
}

impl Settings {
    /// A path of the settings, relative to the settings file's folder.
    pub fn path(&self, path: &std::path::Path) -> PathBuf {
        match self.file.parent() {
            Some(folder) if path.is_relative() => folder.join(path),
            _ => path.to_path_buf(),
        }
    }

    /// The file that stops everything while it exists.
    pub fn stop_file(&self) -> PathBuf {
        self.path(&self.safety.stop_file)
    }

    /// The database URL with a relative SQLite file resolved.
    pub fn database_url(&self) -> String {
        match self.database.url.strip_prefix("sqlite://") {
            Some(file) => format!(
                "sqlite://{}",
                self.path(std::path::Path::new(file)).display()
            ),
            None => self.database.url.clone(),
        }
    }

    /// Attestation settings of one MDM: its own where it has them, else the common ones.
    pub fn attestation_of(&self, mdm: &Mdm) -> Attestation {
        Attestation {
            subject_pattern: mdm
                .subject_pattern
                .clone()
                .unwrap_or_else(|| self.attestation.subject_pattern.clone()),
            issuers: mdm
                .issuers
                .clone()
                .unwrap_or_else(|| self.attestation.issuers.clone()),
            scep_profiles: mdm
                .scep_profiles
                .clone()
                .unwrap_or_else(|| self.attestation.scep_profiles.clone()),
            scep_url: mdm
                .scep_url
                .clone()
                .or_else(|| self.attestation.scep_url.clone()),
        }
    }
}

/// The place of a problem that concerns a table of the settings file.
pub fn place_of_file(file: &std::path::Path, table: &str) -> Place {
    // The line of the table's header, so that the problem can be found.
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let (kind, name) = table.split_once('.').unwrap_or((table, ""));
    let header = |line: &str| {
        line.trim_start().starts_with(&format!("[{kind}]"))
            || line.trim_start().starts_with(&format!("[[{kind}]]"))
    };
    let lines: Vec<&str> = text.lines().collect();
    let headers = lines.iter().enumerate().filter(|(_, line)| header(line));
    let found = headers.map(|(index, _)| index).find(|index| {
        name.is_empty()
            || lines[*index..]
                .iter()
                .take(4)
                .any(|line| line.contains("name") && line.contains(&format!("\"{name}\"")))
    });
    match found {
        Some(index) => Place::Line {
            file: file.into(),
            line: index + 1,
            excerpt: lines[index].into(),
        },
        None => Place::File(file.into()),
    }
}

#[cfg(test)]
mod tests;
