//! Tries each credential at once, names what is missing and lists repair targets that could be used.

use std::{collections::BTreeSet, path::Path};

use anyhow::Context;
use connectors::{
    CheckCredentials, CredentialCheck, OktaReader,
    slack::{SlackClient, SlackConfig},
};
use owo_colors::OwoColorize;

use super::{
    super::output::line,
    draft::{Draft, Slack},
};
use crate::{
    app::{MdmClient, Vendors},
    domain::GroupId,
    settings::{Environment, SecretRef, Settings},
};

/// Trials of one `init`.
pub(super) struct Trial<'a> {
    /// Where the settings will be; `file:` is relative to its folder.
    pub(super) output: &'a Path,
    /// Where `env:` is read from.
    pub(super) environment: &'a Environment,
    /// Whether something is missing that the product cannot do without.
    pub(super) failed: bool,
    unset: BTreeSet<String>,
}

impl<'a> Trial<'a> {
    /// Nothing tried yet.
    pub(super) fn new(output: &'a Path, environment: &'a Environment) -> Self {
        Self {
            output,
            environment,
            failed: false,
            unset: BTreeSet::new(),
        }
    }

    /// Variables that are named and not set here.
    pub(super) fn unset(&self) -> Vec<&str> {
        self.unset.iter().map(String::as_str).collect()
    }

    /// Every part of a draft.
    pub(super) async fn everything(&mut self, draft: &mut Draft) -> anyhow::Result<()> {
        let mut failed = !self.okta(draft).await?;
        for index in 0..draft.mdms.len() {
            failed |= !self.mdm(draft, index).await?;
        }
        if let Some(slack) = draft.slack.clone() {
            failed |= !self.slack(&slack, &draft.approvers).await?;
        }
        self.failed = failed;
        Ok(())
    }

    /// Tries Okta and takes the org's id into the draft. `false`: something needed is missing.
    pub(super) async fn okta(&mut self, draft: &mut Draft) -> anyhow::Result<bool> {
        let alone = Draft {
            okta: draft.okta.clone(),
            ..Draft::default()
        };
        let Some(vendors) = self.vendors(&alone, "okta")? else {
            return Ok(false);
        };
        let ok = told("okta", &vendors.okta.check_credentials().await);
        if let Ok(organization) = vendors.okta.organization().await {
            draft.okta.org_id = Some(organization.id);
        }
        Ok(ok)
    }

    /// Tries one MDM and looks for repair targets.
    pub(super) async fn mdm(&mut self, draft: &mut Draft, index: usize) -> anyhow::Result<bool> {
        let name = draft.mdms[index].name.clone();
        let alone = Draft {
            okta: draft.okta.clone(),
            mdms: vec![draft.mdms[index].clone()],
            ..Draft::default()
        };
        let Some(vendors) = self.vendors(&alone, &name)? else {
            return Ok(false);
        };
        let Some(client) = vendors.mdms.first() else {
            return Ok(false);
        };
        let ok = told(&name, &client.check.check_credentials().await);
        if ok {
            let candidates = candidates(client).await;
            for (key, value, why) in &candidates {
                line(&format!("  {key} could be {value}: {why}"));
            }
            draft.mdms[index].candidates = candidates;
        }
        Ok(ok)
    }

    /// Tries Slack, the channel and the user groups of the approvers.
    pub(super) async fn slack(
        &mut self,
        slack: &Slack,
        approvers: &[String],
    ) -> anyhow::Result<bool> {
        let Some(bot_token) = self.secret("slack", &slack.bot_token) else {
            return Ok(false);
        };
        let api_url = slack.api_url.as_deref().unwrap_or("https://slack.com/api");
        let app_token = self.secret("slack", &slack.app_token);
        let config = SlackConfig {
            api_url: api_url
                .parse()
                .with_context(|| format!("{api_url} is no URL"))?,
            bot_token,
            app_token: app_token.clone(),
        };
        let client = SlackClient::new(&config)?;
        let mut checks = client.check_credentials().await;
        if checks.iter().all(|check| check.ok) {
            checks.push(client.check_channel(&slack.channel).await);
            for group in approvers
                .iter()
                .filter_map(|approver| approver.strip_prefix("usergroup:"))
            {
                checks.push(client.check_usergroup(group).await);
            }
        }
        Ok(told("slack", &checks) && app_token.is_some())
    }

    /// Clients of what a draft names; `None`, told already: a secret cannot be read here.
    fn vendors(&mut self, draft: &Draft, what: &str) -> anyhow::Result<Option<Vendors>> {
        let settings = self.settings(draft)?;
        let okta = settings
            .okta
            .api_token
            .as_ref()
            .or(settings.okta.private_key.as_ref());
        let secrets = okta.into_iter().chain(
            settings
                .mdm
                .iter()
                .filter_map(|mdm| mdm.client_secret.as_ref()),
        );
        let mut readable = true;
        for secret in secrets {
            readable &= self.read(what, secret).is_some();
        }
        if !readable {
            return Ok(None);
        }
        Vendors::build(&settings, self.environment)
            .map(Some)
            .with_context(|| format!("cannot try {what}"))
    }

    /// The settings that a draft makes, as its file would be read.
    fn settings(&self, draft: &Draft) -> anyhow::Result<Settings> {
        let mut settings: Settings =
            toml::from_str(&draft.text()).context("the answers make no settings")?;
        settings.file = self.output.to_owned();
        Ok(settings)
    }

    fn secret(&mut self, what: &str, reference: &str) -> Option<secrecy::SecretString> {
        let reference = SecretRef::parse(reference)?;
        self.read(what, &reference)
    }

    fn read(&mut self, what: &str, reference: &SecretRef) -> Option<secrecy::SecretString> {
        let folder = self.output.parent().unwrap_or(Path::new("."));
        match reference.read(self.environment, folder) {
            Ok(secret) => Some(secret),
            Err(reason) => {
                line(&format!(
                    "  {} {what}: not tried: {reason}",
                    "skipped".yellow()
                ));
                if let SecretRef::Env(name) = reference {
                    self.unset.insert(name.clone());
                }
                None
            }
        }
    }
}

/// Prints each right; returns whether every needed one is there.
fn told(what: &str, checks: &[CredentialCheck]) -> bool {
    for check in checks {
        let word = match (check.ok, check.optional) {
            (true, _) => "ok      ".green().to_string(),
            (false, true) => "warning ".yellow().to_string(),
            (false, false) => "FAILS   ".red().to_string(),
        };
        line(&format!("  {word} {what}: {}: {}", check.what, check.saw));
        if !check.ok && !check.hint.is_empty() {
            line(&format!("           {}", check.hint));
        }
    }
    checks.iter().all(|check| check.ok || check.optional)
}

/// Groups of the attestation profiles' scopes that may be used as they are.
async fn candidates(client: &MdmClient) -> Vec<(&'static str, String, String)> {
    let profiles = match client.reader.profiles().await {
        Ok(profiles) => profiles,
        Err(error) => {
            line(&format!("  no repair targets listed: {error}"));
            return Vec::new();
        }
    };
    let mut candidates = Vec::new();
    for profile in &profiles {
        line(&format!("  profile {} ({})", profile.name, profile.id));
        let groups = |groups: &[GroupId], key: &'static str, why: &str| {
            groups
                .iter()
                .map(|group| (key, group.clone(), format!("{why} {}", profile.name)))
                .collect::<Vec<_>>()
        };
        let all = groups(
            &profile.scope.excluded_groups,
            "hold_group",
            "excluded from",
        )
        .into_iter()
        .chain(groups(
            &profile.scope.device_groups,
            "target_group",
            "in scope of",
        ));
        for (key, group, why) in all {
            if matches!(client.reader.check_group(&group).await, Ok(Ok(()))) {
                candidates.push((key, group.to_string(), why));
            }
        }
        candidates.extend(profile.scope.excluded_categories.iter().map(|category| {
            (
                "hold_category",
                category.clone(),
                format!("named by an exclude filter of {}", profile.name),
            )
        }));
    }
    merged(candidates)
}

/// One line per target, with everything that speaks for it.
fn merged(candidates: Vec<(&'static str, String, String)>) -> Vec<(&'static str, String, String)> {
    let mut merged: Vec<(&'static str, String, String)> = Vec::new();
    for (key, value, why) in candidates {
        match merged
            .iter_mut()
            .find(|known| known.0 == key && known.1 == value)
        {
            Some(known) => known.2 = format!("{}; {why}", known.2),
            None => merged.push((key, value, why)),
        }
    }
    merged
}
