//! What people do in Slack, as events. One reader serves Socket Mode and HTTP mode; it takes what is needed and is
//! lenient about the rest, because Slack leaves fields out, sends null, or sends `[]` for an empty object.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that a person did.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// Pressed a button.
    Click(Click),
    /// Sent a modal.
    Submission(Submission),
    /// Typed a slash command.
    Command(Command),
    /// Something that needs an acknowledgement and no more.
    Other,
}

/// A pressed button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Click {
    /// The same for a second delivery of the same click.
    pub dedupe_key: String,
    /// Who.
    pub user: String,
    /// Workspace, where Slack names it.
    pub team: Option<String>,
    /// Channel of the message.
    pub channel: Option<String>,
    /// The message.
    pub message_ts: Option<String>,
    /// Which button.
    pub action: String,
    /// The block that it stands in.
    pub block: Option<String>,
    /// Its value.
    pub value: String,
    /// Opens a modal within 3 s.
    pub trigger_id: String,
    /// Answers the person.
    pub response_url: Option<String>,
}

/// A sent modal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The same for a second delivery of the same submission.
    pub dedupe_key: String,
    /// Who.
    pub user: String,
    /// Workspace, where Slack names it.
    pub team: Option<String>,
    /// Which modal.
    pub callback: String,
    /// What the modal carried.
    pub private_metadata: String,
    /// Values by block id; of a choice the value of the chosen option.
    pub inputs: BTreeMap<String, String>,
}

/// A slash command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The same for a second delivery of the same command.
    pub dedupe_key: String,
    /// Who.
    pub user: String,
    /// Workspace.
    pub team: Option<String>,
    /// Where.
    pub channel: String,
    /// `/unstuck`
    pub command: String,
    /// What was typed after it.
    pub text: String,
    /// Answers the person.
    pub response_url: Option<String>,
}

/// A payload that lacks what is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unreadable {what} from Slack")]
pub struct Unreadable {
    what: &'static str,
}

impl Incoming {
    /// An interaction: the JSON of an envelope, or of the form field `payload`.
    pub fn interaction(payload: Value) -> Result<Self, Unreadable> {
        let unreadable = |_| Unreadable {
            what: "interaction",
        };
        match payload["type"].as_str() {
            Some("block_actions") => {
                let wire: wire::BlockActions =
                    serde_json::from_value(payload).map_err(unreadable)?;
                Ok(wire.into_event())
            }
            Some("view_submission") => {
                let wire: wire::ViewSubmission =
                    serde_json::from_value(payload).map_err(unreadable)?;
                Ok(Self::Submission(wire.into()))
            }
            Some(_) => Ok(Self::Other),
            None => Err(Unreadable {
                what: "interaction",
            }),
        }
    }

    /// A slash command: the JSON of an envelope, or the fields of a form.
    pub fn command(payload: Value) -> Result<Self, Unreadable> {
        let wire: wire::SlashCommand = serde_json::from_value(payload)
            .map_err(|_unreadable| Unreadable { what: "command" })?;
        Ok(Self::Command(wire.into()))
    }
}

/// A key of fixed length that gives nothing away of what it was made from.
fn dedupe_key(parts: &[&str]) -> String {
    use std::fmt::Write;
    let hash = digest(&SHA256, parts.join("\u{1f}").as_bytes());
    let mut key = String::from("slack:");
    for byte in &hash.as_ref()[..16] {
        // Writing to a string cannot fail.
        let _ = write!(key, "{byte:02x}");
    }
    key
}

mod wire {
    use super::*;

    #[derive(Deserialize, Serialize)]
    struct Id {
        id: String,
    }

    #[derive(Deserialize)]
    pub(super) struct BlockActions {
        user: Id,
        team: Option<Id>,
        channel: Option<Id>,
        message: Option<MessageRef>,
        container: Option<Container>,
        trigger_id: String,
        response_url: Option<String>,
        #[serde(default)]
        actions: Vec<Action>,
    }

    #[derive(Deserialize)]
    struct MessageRef {
        ts: String,
    }

    #[derive(Deserialize)]
    struct Container {
        message_ts: Option<String>,
        channel_id: Option<String>,
    }

    #[derive(Deserialize)]
    struct Action {
        action_id: String,
        block_id: Option<String>,
        value: Option<String>,
        selected_option: Option<Choice>,
    }

    #[derive(Deserialize)]
    struct Choice {
        value: String,
    }

    impl BlockActions {
        pub(super) fn into_event(mut self) -> Incoming {
            if self.actions.is_empty() {
                return Incoming::Other;
            }
            let action = self.actions.swap_remove(0);
            let container = self.container.unwrap_or(Container {
                message_ts: None,
                channel_id: None,
            });
            Incoming::Click(Click {
                dedupe_key: dedupe_key(&["click", &self.trigger_id]),
                user: self.user.id,
                team: self.team.map(|team| team.id),
                channel: self
                    .channel
                    .map(|channel| channel.id)
                    .or(container.channel_id),
                message_ts: self
                    .message
                    .map(|message| message.ts)
                    .or(container.message_ts),
                action: action.action_id,
                block: action.block_id,
                value: action
                    .value
                    .or(action.selected_option.map(|choice| choice.value))
                    .unwrap_or_default(),
                trigger_id: self.trigger_id,
                response_url: self.response_url,
            })
        }
    }

    #[derive(Deserialize)]
    pub(super) struct ViewSubmission {
        user: Id,
        team: Option<Id>,
        view: View,
        trigger_id: Option<String>,
    }

    #[derive(Deserialize)]
    struct View {
        id: String,
        #[serde(default)]
        hash: String,
        callback_id: Option<String>,
        private_metadata: Option<String>,
        #[serde(default)]
        state: Value,
    }

    impl From<ViewSubmission> for Submission {
        fn from(wire: ViewSubmission) -> Self {
            let mut inputs = BTreeMap::new();
            // `[]` instead of an object: nothing was filled in.
            for (block, actions) in wire.view.state["values"].as_object().into_iter().flatten() {
                for input in actions.as_object().into_iter().flat_map(|map| map.values()) {
                    let chosen = input["selected_option"]["value"].as_str();
                    if let Some(value) = input["value"].as_str().or(chosen) {
                        inputs.insert(block.clone(), value.to_owned());
                    }
                }
            }
            let key = match &wire.trigger_id {
                Some(trigger) => dedupe_key(&["view", trigger]),
                None => dedupe_key(&["view", &wire.view.id, &wire.view.hash]),
            };
            Self {
                dedupe_key: key,
                user: wire.user.id,
                team: wire.team.map(|team| team.id),
                callback: wire.view.callback_id.unwrap_or_default(),
                private_metadata: wire.view.private_metadata.unwrap_or_default(),
                inputs,
            }
        }
    }

    #[derive(Deserialize)]
    pub(super) struct SlashCommand {
        user_id: String,
        team_id: Option<String>,
        channel_id: String,
        command: String,
        #[serde(default)]
        text: Option<String>,
        response_url: Option<String>,
        trigger_id: String,
    }

    impl From<SlashCommand> for Command {
        fn from(wire: SlashCommand) -> Self {
            Self {
                dedupe_key: dedupe_key(&["command", &wire.trigger_id]),
                user: wire.user_id,
                team: wire.team_id,
                channel: wire.channel_id,
                command: wire.command,
                text: wire.text.unwrap_or_default(),
                response_url: wire.response_url,
            }
        }
    }
}
