//! What was answered so far, and the settings file that it makes. Holds references to secrets, never a secret.

use std::fmt::Write;

/// Answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    /// `[okta]`
    pub(super) okta: Okta,
    /// `[[mdm]]`
    pub(super) mdms: Vec<Mdm>,
    /// `[slack]`
    pub(super) slack: Option<Slack>,
    /// `[approvals] approvers`
    pub(super) approvers: Vec<String>,
    /// IANA zone of the schedule.
    pub(super) timezone: String,
}

/// `[okta]`
#[derive(Debug, Clone, Default)]
pub(super) struct Okta {
    /// `https://acme.okta.com`
    pub(super) org_url: String,
    /// Told by the org itself once it was reached.
    pub(super) org_id: Option<String>,
    /// How to sign in.
    pub(super) credential: Credential,
}

/// How to sign in to Okta. Secrets are `env:NAME` or `file:PATH`.
#[derive(Debug, Clone)]
pub(super) enum Credential {
    /// A token of an administrator.
    ApiToken(String),
    /// A service app.
    ServiceApp {
        /// `0oa…`
        client_id: String,
        /// Reference to its key.
        private_key: String,
        /// Its key id, where it has several.
        key_id: Option<String>,
    },
}

impl Default for Credential {
    fn default() -> Self {
        Self::ApiToken("env:OKTA_API_TOKEN".into())
    }
}

/// `[[mdm]]`
#[derive(Debug, Clone, Default)]
pub(super) struct Mdm {
    /// jamf or intune, and its name at once unless another is given.
    pub(super) kind: String,
    /// Name.
    pub(super) name: String,
    /// Keys and values in the order of the file: url, `tenant_id`, `client_id`, `client_secret`, …
    pub(super) keys: Vec<(&'static str, String)>,
    /// Repair targets that could be used: key, value, why. Written as comments: a person decides.
    pub(super) candidates: Vec<(&'static str, String, String)>,
}

/// `[slack]`
#[derive(Debug, Clone)]
pub(super) struct Slack {
    /// Only for a simulator.
    pub(super) api_url: Option<String>,
    /// Reference.
    pub(super) bot_token: String,
    /// Reference.
    pub(super) app_token: String,
    /// `C0…`
    pub(super) channel: String,
}

impl Draft {
    /// The settings file.
    pub(super) fn text(&self) -> String {
        let mut out = String::from(
            "# Settings of unstuck. Every key with its default: deploy/unstuck.toml.\n\
             # Secrets stay outside: `env:NAME` names a variable, `file:PATH` a file beside this one.\n\n\
             [database]\n\
             url = \"sqlite://unstuck.db\"        # postgres:// for more than one machine\n\n[okta]\n",
        );
        key(&mut out, "org_url", &self.okta.org_url);
        match &self.okta.org_id {
            Some(id) => key(&mut out, "org_id", id),
            None => out.push_str("#org_id = \"00o…\"                    # refuse any other org\n"),
        }
        match &self.okta.credential {
            Credential::ApiToken(token) => key(&mut out, "api_token", token),
            Credential::ServiceApp {
                client_id,
                private_key,
                key_id,
            } => {
                key(&mut out, "client_id", client_id);
                key(&mut out, "private_key", private_key);
                if let Some(key_id) = key_id {
                    key(&mut out, "key_id", key_id);
                }
            }
        }
        out.push_str("#fastpass_group = \"00g…\"            # repair target: the group that the FastPass rule covers\n");
        for mdm in &self.mdms {
            self::mdm(&mut out, mdm);
        }
        if let Some(slack) = &self.slack {
            out.push_str("\n[slack]\n");
            if let Some(url) = &slack.api_url {
                key(&mut out, "api_url", url);
            }
            key(&mut out, "bot_token", &slack.bot_token);
            key(&mut out, "app_token", &slack.app_token);
            key(&mut out, "channel", &slack.channel);
        }
        out.push_str("\n[approvals]\n");
        let approvers: Vec<String> = self
            .approvers
            .iter()
            .map(|approver| quoted(approver))
            .collect();
        let _ = writeln!(
            out,
            "approvers = [{}]    # usergroup:S0…, user:U0…, cli:name",
            approvers.join(", ")
        );
        out.push_str(
            "\n[safety]\n\
             mode = \"observe\"                    # \"approve\" posts cards and acts on their decisions\n\n\
             [[schedule]]\nname = \"weekday-sweep\"\ncron = \"0 7 * * Mon-Fri\"\n",
        );
        key(
            &mut out,
            "timezone",
            if self.timezone.is_empty() {
                "UTC"
            } else {
                &self.timezone
            },
        );
        out
    }
}

fn mdm(out: &mut String, mdm: &Mdm) {
    out.push_str("\n[[mdm]]\n");
    key(out, "name", &mdm.name);
    key(out, "kind", &mdm.kind);
    for (name, value) in &mdm.keys {
        key(out, name, value);
    }
    if !mdm.candidates.is_empty() {
        out.push_str(
            "# Repair targets that fit what was read; use one only if it is meant for that:\n",
        );
    }
    for (name, value, why) in &mdm.candidates {
        let _ = writeln!(
            out,
            "#{name} = {}    # {}",
            quoted(value),
            why.replace('\n', " ")
        );
    }
}

fn key(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "{name} = {}", quoted(value));
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Environment, Mode, load};

    #[test]
    fn what_is_written_loads_in_observe_mode() {
        let draft = Draft {
            okta: Okta {
                org_url: "https://acme.okta.com".into(),
                org_id: Some("00o1".into()),
                ..Okta::default()
            },
            mdms: vec![Mdm {
                kind: "jamf".into(),
                name: "jamf".into(),
                keys: vec![
                    ("url", "https://acme.jamfcloud.com".into()),
                    ("client_id", "an \"odd\" id".into()),
                    ("client_secret", "file:jamf_client_secret.secret".into()),
                ],
                candidates: vec![(
                    "hold_group",
                    "9".into(),
                    "excluded from \"Okta SCEP\"".into(),
                )],
            }],
            slack: Some(Slack {
                api_url: None,
                bot_token: "env:SLACK_BOT_TOKEN".into(),
                app_token: "env:SLACK_APP_TOKEN".into(),
                channel: "C0123456789".into(),
            }),
            approvers: vec!["cli:ann".into()],
            timezone: "Europe/Berlin".into(),
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("unstuck.toml");
        std::fs::write(&file, draft.text()).unwrap();
        let settings = load(&file, &Environment::default()).unwrap();
        assert_eq!(settings.safety.mode, Mode::Observe);
        assert_eq!(settings.mdm[0].client_id.as_deref(), Some("an \"odd\" id"));
        assert_eq!(settings.mdm[0].hold_group, None, "a candidate is a comment");
        assert_eq!(settings.okta.org_id.as_deref(), Some("00o1"));
    }
}
