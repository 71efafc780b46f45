//! What `doctor` asks beyond the credentials: whether somebody who may approve is there at all.

use super::{Chat, SlackClient, Standing, check::failed};
use crate::CredentialCheck;

impl SlackClient {
    /// Whether an account of the approvers exists and is a full member.
    pub async fn check_person(&self, id: &str) -> CredentialCheck {
        let what = format!("find the account {id}");
        let hint = "correct the id in [approvals]: nobody else can approve for them";
        let absent = |saw: &str| CredentialCheck {
            what: what.clone(),
            ok: false,
            saw: saw.to_owned(),
            hint: hint.to_owned(),
            optional: false,
        };
        match self.user(id).await {
            Ok(Some(account)) => match account.standing {
                Standing::Member => CredentialCheck {
                    what: what.clone(),
                    ok: true,
                    saw: account.email.unwrap_or(account.id),
                    hint: String::new(),
                    optional: false,
                },
                Standing::Deactivated => absent("the account is deactivated"),
                Standing::Guest => absent("the account is a guest's"),
                Standing::Bot => absent("the account is a bot's"),
                Standing::Stranger => absent("the account is of another workspace"),
            },
            Ok(None) => absent("there is no such account"),
            Err(error) => failed(
                &what,
                &error,
                "add the bot scope users:read and install the app again",
            ),
        }
    }
}
