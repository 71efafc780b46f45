//! Tries every right that the product uses, and says which scope is missing.

use async_trait::async_trait;

use super::{Chat, ChatError, ChatErrorKind, ChatResult, SlackClient};
use crate::{CheckCredentials, CredentialCheck};

#[async_trait]
impl CheckCredentials for SlackClient {
    async fn check_credentials(&self) -> Vec<CredentialCheck> {
        let who = self.auth_test().await;
        let own = who.as_ref().ok().map(|who| who.user.clone());
        let mut checks = vec![check(
            "use the bot token",
            who.map(|who| format!("workspace {} ({})", who.team_name, who.team)),
            "install the app to the workspace and copy the bot token (xoxb-…)",
        )];
        let Some(own) = own else { return checks };
        checks.push(check(
            "read users",
            self.user(&own).await.map(|_| "an answer".to_owned()),
            "add the bot scope users:read and install the app again",
        ));
        // Nobody has this address; what counts is whether Slack lets us ask.
        checks.push(check(
            "find users by e-mail",
            self.user_by_email("nobody@unstuck.invalid")
                .await
                .map(|_| "an answer".to_owned()),
            "add the bot scope users:read.email and install the app again",
        ));
        checks
    }
}

impl SlackClient {
    /// Whether cards can go to this channel.
    pub async fn check_channel(&self, id: &str) -> CredentialCheck {
        let what = format!("post to the channel {id}");
        let hint = "invite the bot to the channel, or give it channels:read, groups:read and chat:write.public";
        match self.channel(id).await {
            Ok(channel) if channel.is_archived => CredentialCheck {
                ok: false,
                saw: format!("#{} is archived", channel.name),
                hint: "choose another channel in [slack] channel".into(),
                ..passed(&what, String::new())
            },
            Ok(channel) if !channel.is_member && channel.is_private => CredentialCheck {
                ok: false,
                saw: format!("the bot is not in #{}", channel.name),
                hint: hint.into(),
                ..passed(&what, String::new())
            },
            Ok(channel) if !channel.is_member => CredentialCheck {
                ok: false,
                optional: true,
                saw: format!(
                    "the bot is not in #{}; it may post there, but not look up a lost post",
                    channel.name
                ),
                hint: format!("invite the bot to #{}", channel.name),
                ..passed(&what, String::new())
            },
            Ok(channel) => passed(&what, format!("#{}", channel.name)),
            Err(error) => failed(&what, &error, hint),
        }
    }

    /// Whether the members of an approvers' user group can be read, and how many there are.
    pub async fn check_usergroup(&self, id: &str) -> CredentialCheck {
        let what = format!("read the user group {id}");
        let hint = "add the bot scope usergroups:read, and check the id in [approvals]";
        match self.usergroup_members(id).await {
            Ok(members) if members.is_empty() => CredentialCheck {
                ok: false,
                saw: "nobody is in it".into(),
                hint: "add people to the user group: nobody could approve".into(),
                ..passed(&what, String::new())
            },
            Ok(members) => passed(&what, format!("{} in it", members.len())),
            Err(error) => failed(&what, &error, hint),
        }
    }
}

fn check(what: &str, result: ChatResult<String>, hint: &str) -> CredentialCheck {
    match result {
        Ok(saw) => passed(what, saw),
        Err(error) => failed(what, &error, hint),
    }
}

fn passed(what: &str, saw: String) -> CredentialCheck {
    CredentialCheck {
        what: what.to_owned(),
        ok: true,
        saw,
        hint: String::new(),
        optional: false,
    }
}

pub(super) fn failed(what: &str, error: &ChatError, hint: &str) -> CredentialCheck {
    let hint = match &error.kind {
        ChatErrorKind::Transient { .. } | ChatErrorKind::Unclear { .. } => {
            "check the network, the proxy and [slack] api_url"
        }
        ChatErrorKind::RateLimited { .. } => "try again in a minute",
        ChatErrorKind::Permanent { .. } | ChatErrorKind::Denied { .. } => hint,
    };
    CredentialCheck {
        what: what.to_owned(),
        ok: false,
        saw: error.kind.to_string(),
        hint: hint.to_owned(),
        optional: false,
    }
}
