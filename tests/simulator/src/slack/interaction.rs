//! The payload Slack makes of what a person did. A payload is a value of its own, so
//! that a test can keep it, alter it and deliver it late or twice.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::SlackWorkspace;
use super::blocks;
use super::interact::InteractionError;
use super::model::{Channel, ChannelKind, Message, View, ViewKind};
use super::pick::{self, Pick};
use super::state::{ResponseUrl, State};

/// A payload that is ready to be delivered to the app.
#[derive(Clone, Debug, PartialEq)]
pub struct Interaction {
    /// As the app will get it.
    pub payload: Value,
}

impl Interaction {
    /// The same from another workspace.
    pub fn from_team(mut self, team_id: &str) -> Self {
        self.payload["team"]["id"] = json!(team_id);
        self.payload["user"]["team_id"] = json!(team_id);
        self
    }

    /// The same by somebody else.
    pub fn by_user(mut self, user_id: &str) -> Self {
        self.payload["user"]["id"] = json!(user_id);
        self
    }

    /// The same with another value of the button or the chosen option.
    pub fn with_value(mut self, value: &str) -> Self {
        let action = &mut self.payload["actions"][0];
        if action["selected_option"].is_object() {
            action["selected_option"]["value"] = json!(value);
        } else {
            action["value"] = json!(value);
        }
        self
    }

    /// The same after any other change.
    pub fn edited(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        edit(&mut self.payload);
        self
    }

    /// The one-time right to open a modal that comes with it.
    pub fn trigger_id(&self) -> &str {
        self.payload["trigger_id"].as_str().unwrap_or_default()
    }

    /// Where answers can be posted; empty for what happens inside views.
    pub fn response_url(&self) -> &str {
        self.payload["response_url"].as_str().unwrap_or_default()
    }
}

impl SlackWorkspace {
    /// Makes the payload of a click on a message, or on something only `user` sees, without
    /// delivering it.
    pub fn prepare_click(
        &self,
        user: &str,
        channel: &str,
        ts: &str,
        pick: impl Into<Pick>,
    ) -> Result<Interaction, InteractionError> {
        let pick = pick.into();
        let mut state = self.state();
        let conversation = visible(&state, user, channel)?.clone();
        let ephemerals = || {
            state
                .ephemerals
                .iter()
                .find(|message| message.ts == ts && message.ephemeral_to.as_deref() == Some(user))
        };
        let message = state
            .message(channel, ts)
            .or_else(ephemerals)
            .ok_or(InteractionError::NoSuchMessage)?
            .clone();
        let (block_id, element) = pick::find(&message.blocks, &pick)?;
        let selections = state
            .selections
            .entry((user.into(), channel.into(), ts.into()));
        let values = selections.or_insert_with(|| blocks::initial_values(&message.blocks));
        let mut action = pick::action(&block_id, &element, &pick)?;
        remember(values, &block_id, &element, &action);
        let values = values.clone();
        action["action_ts"] = json!(state.next_ts(self.config(), "action"));
        let mut payload = self.head(&mut state, user, "block_actions", false);
        payload["container"] = container(&message);
        payload["channel"] = json!({"id": channel, "name": shown_name(&conversation)});
        if message.ephemeral_to.is_none() {
            payload["message"] = state.wire(self.config(), &message, true);
        }
        payload["state"] = json!({"values": values});
        payload["response_url"] = json!(state.issue_response_url(
            self.config(),
            "actions",
            ResponseUrl {
                user: user.to_owned(),
                channel: channel.to_owned(),
                message_ts: Some(ts.to_owned()),
                thread_ts: message.thread_ts.clone().filter(|_| message.is_reply()),
                issued: Instant::now(),
                expired: false,
                uses: 0,
            },
        ));
        payload["actions"] = json!([action]);
        Ok(Interaction { payload })
    }

    /// Makes the payload of a click inside an open modal or the Home tab.
    pub fn prepare_view_click(
        &self,
        user: &str,
        view_id: &str,
        pick: impl Into<Pick>,
    ) -> Result<Interaction, InteractionError> {
        let pick = pick.into();
        let mut state = self.state();
        active(&state, user)?;
        let view = state
            .view(view_id)
            .filter(|view| view.user == user)
            .ok_or(InteractionError::NoSuchView)?;
        let (block_id, element) = pick::find(view.blocks(), &pick)?;
        let mut action = pick::action(&block_id, &element, &pick)?;
        action["action_ts"] = json!(state.next_ts(self.config(), "action"));
        let view = state
            .view_mut(view_id)
            .ok_or(InteractionError::NoSuchView)?;
        remember(&mut view.values, &block_id, &element, &action);
        let view = view.clone();
        let mut payload = self.head(
            &mut state,
            user,
            "block_actions",
            view.kind == ViewKind::Modal,
        );
        drop(state);
        payload["container"] = json!({"type": "view", "view_id": view_id});
        payload["view"] = self.view_wire(&view);
        payload["state"] = json!({"values": view.values});
        payload["actions"] = json!([action]);
        Ok(Interaction { payload })
    }

    /// Fills in a modal and makes the payload of its submission. Inputs are given by block id, as a
    /// string or a list of strings; what is left out keeps its value.
    pub fn prepare_submission<'a>(
        &self,
        user: &str,
        view_id: &str,
        inputs: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Result<Interaction, InteractionError> {
        let mut state = self.state();
        active(&state, user)?;
        let top = state.modals.get(user).and_then(|stack| stack.last());
        let mut view = top
            .filter(|view| view.id == view_id)
            .ok_or(InteractionError::NoSuchView)?
            .clone();
        for (block_id, input) in inputs {
            let known = blocks::elements(view.blocks()).find(|(of, _)| *of == block_id);
            let (_, element) =
                known.ok_or_else(|| InteractionError::NoSuchElement(block_id.to_owned()))?;
            let value = blocks::chosen_value(element, &input);
            let value = value.ok_or_else(|| InteractionError::InvalidInput(block_id.to_owned()))?;
            let action_id = element["action_id"].as_str().unwrap_or_default().to_owned();
            view.values.entry(block_id).or_insert_with(|| json!({}))[action_id] = value;
        }
        if let Some(block_id) = unanswered(&view) {
            return Err(InteractionError::InvalidInput(block_id));
        }
        if let Some(open) = state.view_mut(view_id) {
            open.values.clone_from(&view.values);
        }
        let mut payload = self.head(&mut state, user, "view_submission", true);
        drop(state);
        payload["view"] = self.view_wire(&view);
        payload["response_urls"] = json!([]);
        Ok(Interaction { payload })
    }

    /// What every interaction begins with.
    pub(super) fn head(
        &self,
        state: &mut State,
        user: &str,
        kind: &str,
        from_modal: bool,
    ) -> Value {
        let config = self.config();
        let name = state
            .users
            .get(user)
            .map_or("unknown", |user| &user.name)
            .to_owned();
        json!({
            "type": kind, "api_app_id": config.app_id, "token": "deprecated", "enterprise": null,
            "team": {"id": config.team_id, "domain": config.team_domain},
            "user": {"id": user, "username": name, "name": name, "team_id": config.team_id},
            "trigger_id": state.issue_trigger(config, user, from_modal), "is_enterprise_install": false,
        })
    }
}

/// The account, if it can still use Slack.
pub(super) fn active(state: &State, user: &str) -> Result<(), InteractionError> {
    match state.users.get(user) {
        None => Err(InteractionError::NoSuchUser),
        Some(user) if user.deleted => Err(InteractionError::Deactivated),
        Some(_) => Ok(()),
    }
}

/// The conversation, if this person can see it.
pub(super) fn visible<'a>(
    state: &'a State,
    user: &str,
    channel: &str,
) -> Result<&'a Channel, InteractionError> {
    active(state, user)?;
    let channel = state
        .channels
        .get(channel)
        .ok_or(InteractionError::NoSuchChannel)?;
    let open = channel.kind == ChannelKind::Public && !state.users[user].is_restricted;
    if open || channel.members.contains(user) {
        Ok(channel)
    } else {
        Err(InteractionError::NoSuchChannel)
    }
}

/// The name that payloads give a conversation.
pub(super) fn shown_name(channel: &Channel) -> String {
    match channel.kind {
        ChannelKind::Public => channel.name.clone(),
        ChannelKind::Private => "privategroup".into(),
        ChannelKind::Im { .. } => "directmessage".into(),
    }
}

fn container(message: &Message) -> Value {
    let mut container = json!({
        "type": "message", "message_ts": message.ts, "channel_id": message.channel,
        "is_ephemeral": message.ephemeral_to.is_some(),
    });
    if message.is_reply() {
        container["thread_ts"] = json!(message.thread_ts);
    }
    container
}

/// Keeps the new value of an input; buttons and menus have none.
fn remember(values: &mut Map<String, Value>, block_id: &str, element: &Value, action: &Value) {
    let action_id = element["action_id"].as_str().unwrap_or_default();
    let Some(slot) = values
        .get_mut(block_id)
        .and_then(|block| block.get_mut(action_id))
    else {
        return;
    };
    let Some(fields) = action.as_object() else {
        return;
    };
    let value = fields
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "action_id" | "block_id"));
    *slot = value
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
}

/// The first required input that is empty; the client does not let such a form go.
fn unanswered(view: &View) -> Option<String> {
    let required = view
        .blocks()
        .iter()
        .filter(|block| block["type"] == "input" && block["optional"] != true);
    required
        .filter_map(|block| {
            block["block_id"]
                .as_str()
                .zip(block["element"]["action_id"].as_str())
        })
        .find(|(block_id, action_id)| {
            view.values
                .get(*block_id)
                .is_none_or(|block| blocks::is_empty_value(&block[*action_id]))
        })
        .map(|(block_id, _)| block_id.to_owned())
}
