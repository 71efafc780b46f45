//! The demo's folder: a settings file and secret files as a person would write them, and the database beside them.

use std::{fs, path::Path};

use anyhow::Context;
use simulator::Connection;
use tempfile::TempDir;

use crate::settings::{Environment, Settings, load};

/// A folder that goes with its value.
pub(super) struct Folder {
    folder: TempDir,
}

impl Folder {
    /// Writes the settings of a company and its secrets.
    pub(super) fn write(connection: &Connection, speed: f64) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("unstuck-demo-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let secrets = [
            ("okta.token", &connection.okta.api_token),
            ("intune.secret", &connection.intune.client_secret),
            ("jamf.secret", &connection.jamf.client_secret),
            ("slack.bot", &connection.slack.bot_token),
            ("slack.app", &connection.slack.app_token),
        ];
        for (name, secret) in secrets {
            write(&folder.path().join(name), secret)?;
        }
        write(
            &folder.path().join("unstuck.toml"),
            &settings_text(connection, speed)?,
        )?;
        Ok(Self { folder })
    }

    /// Reads the settings as every command does. Variables of the person's own deployment are left out.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        Ok(load(
            &self.folder.path().join("unstuck.toml"),
            &no_environment(),
        )?)
    }

    /// Removes everything now; what could not be removed is an error, not a leftover.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        fs::remove_dir_all(self.folder.path())
            .with_context(|| format!("cannot remove {}", self.folder.path().display()))
    }
}

/// No variables at all.
pub(super) fn no_environment() -> Environment {
    std::iter::empty::<(String, String)>().collect()
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn settings_text(connection: &Connection, speed: f64) -> anyhow::Result<String> {
    let (okta, intune) = (&connection.okta, &connection.intune);
    let (jamf, slack) = (&connection.jamf, &connection.slack);
    let settings = toml::toml! {
        [database]
        url = "sqlite://unstuck.db"
        [detect]
        confirmations = 1
        [approvals]
        hours = "always"
        timezone = "UTC"
        [safety]
        mode = "approve"
        [web]
        bind = "127.0.0.1:0"
        [log]
        level = "warn"
        [[schedule]]
        name = "weekday-sweep"
        cron = "0 7 * * Mon-Fri"
        timezone = "UTC"
    };
    let mut settings = settings;
    let table = |pairs: &[(&str, &str)]| -> toml::Value {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), toml::Value::from(*value)));
        toml::Value::Table(pairs.collect())
    };
    settings.insert(
        "okta".into(),
        table(&[
            ("org_url", &okta.org_url),
            ("org_id", &okta.org_id),
            ("api_token", "file:okta.token"),
            ("fastpass_group", &okta.fastpass_group),
            ("sign_in_app", &okta.sign_in_app),
        ]),
    );
    let intune = table(&[
        ("name", "intune"),
        ("kind", "intune"),
        ("tenant_id", &intune.tenant_id),
        ("client_id", &intune.client_id),
        ("client_secret", "file:intune.secret"),
        ("graph_url", &intune.graph_url),
        ("login_url", &intune.login_url),
        ("hold_group", &intune.hold_group),
        ("target_group", &intune.target_group),
        ("hold_category", &intune.hold_category),
        ("machine_profile", &intune.machine_profile),
        ("machine_group", &intune.machine_group),
        ("cleanup_script", &intune.cleanup_script),
    ]);
    let jamf = table(&[
        ("name", "jamf"),
        ("kind", "jamf"),
        ("url", &jamf.url),
        ("client_id", &jamf.client_id),
        ("client_secret", "file:jamf.secret"),
        ("hold_group", &jamf.hold_group),
        ("target_group", &jamf.target_group),
        ("machine_profile", &jamf.machine_profile),
        ("machine_group", &jamf.machine_group),
    ]);
    settings.insert("mdm".into(), toml::Value::Array(vec![intune, jamf]));
    settings.insert(
        "slack".into(),
        table(&[
            ("api_url", &slack.api_url),
            ("bot_token", "file:slack.bot"),
            ("app_token", "file:slack.app"),
            ("channel", &slack.channel),
        ]),
    );
    let group = toml::Value::from(format!("usergroup:{}", slack.approvers_usergroup));
    if let Some(toml::Value::Table(approvals)) = settings.get_mut("approvals") {
        approvals.insert("approvers".into(), toml::Value::Array(vec![group.clone()]));
        let security =
            toml::Table::from_iter([("security".to_owned(), toml::Value::Array(vec![group]))]);
        approvals.insert("groups".into(), toml::Value::Table(security));
    }
    settings.insert(
        "clock".into(),
        toml::Value::Table(toml::Table::from_iter([(
            "speed".to_owned(),
            toml::Value::Float(speed),
        )])),
    );
    toml::to_string(&settings).context("cannot write the settings")
}
