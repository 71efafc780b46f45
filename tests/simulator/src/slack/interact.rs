//! What people do: click, fill in, close, type a command. Each call ends when the app has
//! acknowledged, and applies what came with the acknowledgement.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use serde_json::{Value, json};

use super::SlackWorkspace;
use super::api::{check_view, draft_from};
use super::deliver::{Acknowledged, DeliveryError, Kind};
use super::interaction::{Interaction, active, shown_name, visible};
use super::model::{ChannelKind, Message, SlackChange, View, ViewKind};
use super::pick::Pick;
use super::state::{ResponseUrl, State};

/// An acknowledged click.
#[derive(Clone, Debug, PartialEq)]
pub struct ClickOutcome {
    /// What was delivered; deliver it again to replay it.
    pub interaction: Interaction,
    /// How many deliveries it took.
    pub attempts: u32,
}

/// What became of a submitted modal.
#[derive(Clone, Debug, PartialEq)]
pub enum SubmitOutcome {
    /// The modal is closed; the one below it, if any, is shown again.
    Closed,
    /// The modal stays, with these messages by block id.
    Errors(BTreeMap<String, String>),
    /// The modal shows something else.
    Updated(View),
    /// Another modal is on top.
    Pushed(View),
    /// Every modal is closed.
    Cleared,
}

/// An acknowledged slash command.
#[derive(Clone, Debug, PartialEq)]
pub struct SlashOutcome {
    /// What was shown at once; later answers stand among the person's ephemeral messages.
    pub reply: Option<Message>,
    /// What was delivered.
    pub payload: Value,
    /// How many deliveries it took.
    pub attempts: u32,
}

/// Why a person could not do something, or saw it fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InteractionError {
    /// No such account.
    NoSuchUser,
    /// The account is deactivated and can do nothing.
    Deactivated,
    /// No such conversation, or this person cannot see it.
    NoSuchChannel,
    /// No such message there.
    NoSuchMessage,
    /// No such element, or it does not offer that.
    NoSuchElement(String),
    /// The view is not open, or not on top.
    NoSuchView,
    /// A required input is empty or does not take that value.
    InvalidInput(String),
    /// The app has no connection.
    NotConnected,
    /// The app did not acknowledge in time; the person sees a warning.
    NotAcknowledged {
        /// How many deliveries were tried.
        attempts: u32,
    },
    /// The app's URL failed; the person sees a warning.
    Failed(String),
    /// The app answered something Slack does not take.
    InvalidAnswer(String),
}

impl fmt::Display for InteractionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchUser => write!(f, "no such account"),
            Self::Deactivated => write!(f, "the account is deactivated"),
            Self::NoSuchChannel => write!(f, "no such conversation, or not visible to this person"),
            Self::NoSuchMessage => write!(f, "no such message"),
            Self::NoSuchElement(id) => write!(f, "no such element: {id}"),
            Self::NoSuchView => write!(f, "the view is not open on top"),
            Self::InvalidInput(block_id) => {
                write!(f, "input {block_id} is empty or does not take that value")
            }
            Self::NotConnected => write!(f, "the app has no connection"),
            Self::NotAcknowledged { attempts } => {
                write!(f, "not acknowledged after {attempts} deliveries")
            }
            Self::Failed(reason) => write!(f, "the app's URL failed: {reason}"),
            Self::InvalidAnswer(reason) => write!(f, "the app's answer is not valid: {reason}"),
        }
    }
}

impl std::error::Error for InteractionError {}

impl From<DeliveryError> for InteractionError {
    fn from(error: DeliveryError) -> Self {
        match error {
            DeliveryError::NoConnection => Self::NotConnected,
            DeliveryError::NotAcknowledged { attempts } => Self::NotAcknowledged { attempts },
            DeliveryError::Status(status) => Self::Failed(format!("HTTP {status}")),
            DeliveryError::Unreachable(reason) => Self::Failed(reason),
        }
    }
}

impl SlackWorkspace {
    /// Clicks a button or picks an option on a message; a confirm dialog is confirmed.
    pub async fn click(
        &self,
        user: &str,
        channel: &str,
        ts: &str,
        pick: impl Into<Pick>,
    ) -> Result<ClickOutcome, InteractionError> {
        let interaction = self.prepare_click(user, channel, ts, pick)?;
        self.deliver_interaction(&interaction).await
    }

    /// Clicks a button or picks an option inside an open modal or the Home tab.
    pub async fn click_in_view(
        &self,
        user: &str,
        view_id: &str,
        pick: impl Into<Pick>,
    ) -> Result<ClickOutcome, InteractionError> {
        let interaction = self.prepare_view_click(user, view_id, pick)?;
        self.deliver_interaction(&interaction).await
    }

    /// Delivers a click as it is: for the second time, altered, or after the world has moved on.
    pub async fn deliver_interaction(
        &self,
        interaction: &Interaction,
    ) -> Result<ClickOutcome, InteractionError> {
        let acknowledged = self
            .deliver(Kind::Interactive, &self.as_delivered(&interaction.payload))
            .await?;
        Ok(ClickOutcome {
            interaction: interaction.clone(),
            attempts: acknowledged.attempts,
        })
    }

    /// Fills in and submits a modal; see [`SlackWorkspace::prepare_submission`] for the inputs.
    pub async fn submit_view<'a>(
        &self,
        user: &str,
        view_id: &str,
        inputs: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Result<SubmitOutcome, InteractionError> {
        let interaction = self.prepare_submission(user, view_id, inputs)?;
        self.deliver_submission(&interaction).await
    }

    /// Delivers a submission as it is and does with the modal what the app answers.
    pub async fn deliver_submission(
        &self,
        interaction: &Interaction,
    ) -> Result<SubmitOutcome, InteractionError> {
        let user = interaction.payload["user"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let view_id = interaction.payload["view"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let acknowledged = self
            .deliver(Kind::Interactive, &self.as_delivered(&interaction.payload))
            .await?;
        let outcome =
            self.apply_answer(&user, &view_id, acknowledged.answer.unwrap_or_default())?;
        self.announce(SlackChange::Views { user });
        Ok(outcome)
    }

    fn apply_answer(
        &self,
        user: &str,
        view_id: &str,
        answer: Value,
    ) -> Result<SubmitOutcome, InteractionError> {
        let invalid = |reason: &str| InteractionError::InvalidAnswer(reason.to_owned());
        let mut state = self.state();
        let state = &mut *state;
        if matches!(answer["response_action"].as_str(), Some("update" | "push")) {
            check_view(&answer["view"], ViewKind::Modal)
                .map_err(|error| invalid(&Value::from(error).to_string()))?;
        }
        match answer["response_action"].as_str() {
            None => {
                close(state, user, view_id);
                Ok(SubmitOutcome::Closed)
            }
            Some("clear") => {
                state.modals.remove(user);
                Ok(SubmitOutcome::Cleared)
            }
            Some("update") => {
                let view = state.replace_view(view_id, answer["view"].clone());
                Ok(SubmitOutcome::Updated(
                    view.ok_or(InteractionError::NoSuchView)?,
                ))
            }
            Some("push") => {
                let view = state.make_view(user, ViewKind::Modal, answer["view"].clone());
                Ok(SubmitOutcome::Pushed(
                    state.stack_modal(view).map_err(invalid)?,
                ))
            }
            Some("errors") => {
                let view = state
                    .view_mut(view_id)
                    .ok_or(InteractionError::NoSuchView)?;
                let errors: BTreeMap<String, String> =
                    serde_json::from_value(answer["errors"].clone())
                        .map_err(|error| invalid(&error.to_string()))?;
                let is_input = |id: &String| {
                    view.blocks()
                        .iter()
                        .any(|block| block["type"] == "input" && block["block_id"] == *id)
                };
                if errors.is_empty() || !errors.keys().all(is_input) {
                    return Err(invalid("errors must name input blocks of the view"));
                }
                view.errors.clone_from(&errors);
                Ok(SubmitOutcome::Errors(errors))
            }
            Some(other) => Err(invalid(other)),
        }
    }

    /// Closes a modal by hand; the app hears of it if it asked to.
    pub async fn close_view(&self, user: &str, view_id: &str) -> Result<(), InteractionError> {
        let (view, mut payload) = {
            let mut state = self.state();
            active(&state, user)?;
            let view = close(&mut state, user, view_id).ok_or(InteractionError::NoSuchView)?;
            (view, self.head(&mut state, user, "view_closed", false))
        };
        self.announce(SlackChange::Views {
            user: user.to_owned(),
        });
        if view.content["notify_on_close"] == true {
            payload["view"] = self.view_wire(&view);
            payload["is_cleared"] = json!(false);
            self.deliver(Kind::Interactive, &payload).await?;
        }
        Ok(())
    }

    /// Types a slash command with its text, such as `/unstuck status`, outside any thread.
    pub async fn slash(
        &self,
        user: &str,
        channel: &str,
        line: &str,
    ) -> Result<SlashOutcome, InteractionError> {
        let (payload, target) = self.prepare_command(user, channel, line)?;
        let Acknowledged { attempts, answer } = self.deliver(Kind::SlashCommands, &payload).await?;
        let reply = match answer {
            Some(answer) if answer.as_object().is_some_and(|fields| !fields.is_empty()) => {
                let draft = draft_from(&answer).map_err(|error| {
                    InteractionError::InvalidAnswer(Value::from(error).to_string())
                })?;
                let in_channel = answer["response_type"] == "in_channel";
                if in_channel {
                    // Everybody sees what was typed as well.
                    self.say(user, channel, line, None)?;
                }
                Some(self.reply(&target, in_channel, draft))
            }
            _ => None,
        };
        Ok(SlashOutcome {
            reply,
            payload,
            attempts,
        })
    }

    fn prepare_command(
        &self,
        user: &str,
        channel: &str,
        line: &str,
    ) -> Result<(Value, ResponseUrl), InteractionError> {
        let (command, text) = line.split_once(' ').unwrap_or((line, ""));
        let config = self.config();
        let mut state = self.state();
        let channel_name = shown_name(visible(&state, user, channel)?);
        let target = ResponseUrl {
            user: user.to_owned(),
            channel: channel.to_owned(),
            message_ts: None,
            thread_ts: None,
            issued: Instant::now(),
            expired: false,
            uses: 0,
        };
        let payload = json!({
            "token": "deprecated", "team_id": config.team_id, "team_domain": config.team_domain,
            "channel_id": channel, "channel_name": channel_name,
            "user_id": user, "user_name": state.users[user].name,
            "command": command, "text": escape(&state, text.trim()),
            "api_app_id": config.app_id, "is_enterprise_install": "false",
            "response_url": state.issue_response_url(config, "commands", target.clone()),
            "trigger_id": state.issue_trigger(config, user, false),
        });
        Ok((payload, target))
    }

    /// The payload with the fault that is armed for it.
    fn as_delivered(&self, payload: &Value) -> Value {
        let mut payload = payload.clone();
        if std::mem::take(&mut self.state().faults.team_null_once) {
            payload["team"] = Value::Null;
            payload["enterprise"] = json!({"id": "E0ACME00001", "name": "Acme"});
            payload["is_enterprise_install"] = json!(true);
        }
        payload
    }
}

/// Takes a modal off a person's stack.
fn close(state: &mut State, user: &str, view_id: &str) -> Option<View> {
    let stack = state.modals.get_mut(user)?;
    let index = stack.iter().position(|view| view.id == view_id)?;
    Some(stack.remove(index))
}

/// What Slack does with names in a command's text when the manifest says `should_escape`.
fn escape(state: &State, text: &str) -> String {
    let word = |word: &str| -> String {
        if let Some(name) = word.strip_prefix('@') {
            if let Some(user) = state.users.values().find(|user| user.name == name) {
                return format!("<@{}|{name}>", user.id);
            }
            if let Some(group) = state.groups.values().find(|group| group.handle == name) {
                return format!("<!subteam^{}|@{name}>", group.id);
            }
        }
        if let Some(name) = word.strip_prefix('#') {
            let mut open = state
                .channels
                .values()
                .filter(|channel| channel.kind == ChannelKind::Public);
            if let Some(channel) = open.find(|channel| channel.name == name) {
                return format!("<#{}|{name}>", channel.id);
            }
        }
        word.to_owned()
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
