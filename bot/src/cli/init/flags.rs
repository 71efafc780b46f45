//! The answers as options, for machines. Secrets are named, never given.

use clap::Args;

use super::{
    super::Usage,
    draft::{Credential, Draft, Mdm, Okta, Slack},
};
use crate::settings::SecretRef;

/// Options of `init --non-interactive`.
#[derive(Debug, Default, Args)]
pub(super) struct Flags {
    /// The org's own URL
    #[arg(long, value_name = "URL")]
    okta_url: Option<String>,
    /// Where the API token is: `env:NAME` or `file:PATH`
    #[arg(long, value_name = "REF")]
    okta_api_token: Option<String>,
    /// Client id of an API service app, instead of a token
    #[arg(
        long,
        value_name = "ID",
        conflicts_with = "okta_api_token",
        requires = "okta_private_key"
    )]
    okta_client_id: Option<String>,
    /// Where its private key is: `env:NAME` or `file:PATH`
    #[arg(long, value_name = "REF")]
    okta_private_key: Option<String>,
    /// Its key id, where it has several
    #[arg(long, value_name = "KID")]
    okta_key_id: Option<String>,
    /// An MDM: `kind=jamf,url=…,client_id=…,client_secret=env:NAME` or
    /// `kind=intune,tenant_id=…,client_id=…,client_secret=env:NAME`; may be repeated
    #[arg(long, value_name = "KEY=VALUE,…")]
    mdm: Vec<String>,
    /// Channel of the cards
    #[arg(long, value_name = "ID")]
    slack_channel: Option<String>,
    /// Where the bot token is
    #[arg(long, value_name = "REF", default_value = "env:SLACK_BOT_TOKEN")]
    slack_bot_token: String,
    /// Where the app-level token is
    #[arg(long, value_name = "REF", default_value = "env:SLACK_APP_TOKEN")]
    slack_app_token: String,
    /// Only for a simulator
    #[arg(long, value_name = "URL")]
    slack_api_url: Option<String>,
    /// Who decides: usergroup:S0…, user:U0… or cli:name; may be repeated
    #[arg(long, value_name = "WHO")]
    approver: Vec<String>,
    /// IANA zone of the schedule
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,
}

/// Keys of `--mdm` beside kind and name.
const MDM_KEYS: [&str; 6] = [
    "url",
    "tenant_id",
    "client_id",
    "client_secret",
    "graph_url",
    "login_url",
];

impl Flags {
    /// The draft that the options make.
    pub(super) fn draft(self) -> Result<Draft, Usage> {
        let org_url = self
            .okta_url
            .ok_or_else(|| Usage("--non-interactive needs --okta-url".into()))?;
        let credential = match (self.okta_client_id, self.okta_private_key) {
            (Some(client_id), Some(private_key)) => Credential::ServiceApp {
                client_id,
                private_key: reference("--okta-private-key", private_key)?,
                key_id: self.okta_key_id,
            },
            _ => {
                let token = self
                    .okta_api_token
                    .unwrap_or_else(|| "env:OKTA_API_TOKEN".into());
                Credential::ApiToken(reference("--okta-api-token", token)?)
            }
        };
        let slack = match self.slack_channel {
            None => None,
            Some(channel) => Some(Slack {
                api_url: self.slack_api_url,
                bot_token: reference("--slack-bot-token", self.slack_bot_token)?,
                app_token: reference("--slack-app-token", self.slack_app_token)?,
                channel,
            }),
        };
        Ok(Draft {
            okta: Okta {
                org_url,
                org_id: None,
                credential,
            },
            mdms: self
                .mdm
                .iter()
                .map(|text| mdm(text))
                .collect::<Result<_, _>>()?,
            slack,
            approvers: self.approver,
            timezone: self.timezone,
        })
    }
}

/// A secret itself among the arguments would be in the process list and the shell's history.
fn reference(option: &str, text: String) -> Result<String, Usage> {
    match SecretRef::parse(&text) {
        Some(_) => Ok(text),
        None => Err(Usage(format!(
            "{option} must be env:NAME or file:PATH, not the secret itself"
        ))),
    }
}

fn mdm(text: &str) -> Result<Mdm, Usage> {
    let mut mdm = Mdm::default();
    for part in text.split(',') {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| Usage("--mdm is a list of key=value, with commas between".into()))?;
        let value = value.trim().to_owned();
        match name.trim() {
            "kind" => mdm.kind = value,
            "name" => mdm.name = value,
            "client_secret" => mdm
                .keys
                .push(("client_secret", reference("client_secret of --mdm", value)?)),
            other => match MDM_KEYS.iter().find(|known| **known == other) {
                Some(known) => mdm.keys.push((known, value)),
                None => {
                    let known = MDM_KEYS.join(", ");
                    return Err(Usage(format!(
                        "--mdm has no key {other}; there are kind, name, {known}"
                    )));
                }
            },
        }
    }
    if mdm.kind.is_empty() {
        return Err(Usage("--mdm needs kind=jamf or kind=intune".into()));
    }
    if mdm.name.is_empty() {
        mdm.name.clone_from(&mdm.kind);
    }
    if !mdm.keys.iter().any(|(name, _)| *name == "client_secret") {
        mdm.keys.push((
            "client_secret",
            format!("env:{}_CLIENT_SECRET", mdm.name.to_uppercase()),
        ));
    }
    Ok(mdm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mdm_is_read_from_one_option() {
        let jamf = mdm("kind=jamf,url=http://127.0.0.1:9,client_id=abc").unwrap();
        assert_eq!(jamf.name, "jamf");
        assert_eq!(jamf.keys.last().unwrap().1, "env:JAMF_CLIENT_SECRET");
        assert!(
            mdm("kind=jamf,colour=red")
                .unwrap_err()
                .to_string()
                .contains("no key colour")
        );
    }

    #[test]
    fn a_secret_among_the_arguments_is_refused_and_not_repeated() {
        let error = mdm("kind=jamf,client_secret=hunter2")
            .unwrap_err()
            .to_string();
        assert!(error.contains("env:NAME"));
        assert!(!error.contains("hunter2"));
    }
}
