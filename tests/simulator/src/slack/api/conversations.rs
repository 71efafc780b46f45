//! `conversations.*`: finding conversations and reading them page by page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::arguments::Arguments;
use super::chat::next_page;
use super::{Answer, ApiError};
use crate::slack::SlackWorkspace;
use crate::slack::model::{ChannelKind, Message};
use crate::slack::state::State;

/// Page sizes of "conversations.history": what is given unasked, and the most there is.
const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 999;

impl SlackWorkspace {
    pub(super) fn open_conversation(&self, arguments: &Arguments) -> Answer {
        let mut users = arguments.list("users");
        let mut state = self.state();
        if let Some(id) = arguments.text("channel") {
            match state.channels.get(id).map(|channel| &channel.kind) {
                Some(ChannelKind::Im { user }) => users = vec![user.clone()],
                _ => return Err("channel_not_found".into()),
            }
        }
        let [user] = users.as_slice() else {
            return Err(if users.is_empty() {
                "users_list_not_supplied"
            } else {
                "not_enough_users"
            }
            .into());
        };
        match state.users.get(user) {
            None => return Err("user_not_found".into()),
            Some(account) if account.deleted => return Err("user_disabled".into()),
            Some(account) if account.id == self.config().bot_user_id => {
                return Err("cannot_dm_bot".into());
            }
            Some(_) => {}
        }
        let (id, already_open) = state.open_im(self.config(), user);
        let channel = if arguments.flag("return_im") {
            state.channels[&id].wire(self.config())
        } else {
            json!({"id": id})
        };
        Ok(json!({"channel": channel, "no_op": already_open, "already_open": already_open}))
    }

    pub(super) fn conversation_info(&self, arguments: &Arguments) -> Answer {
        let (id, family) = self.family(arguments)?;
        self.need_scope(&format!("{family}:read"))?;
        Ok(json!({"channel": self.state().channels[&id].wire(self.config())}))
    }

    pub(super) fn list_conversations(&self, arguments: &Arguments) -> Answer {
        let mut kinds = arguments.list("types");
        if kinds.is_empty() {
            kinds.push("public_channel".into());
        }
        for kind in &kinds {
            self.need_scope(match kind.as_str() {
                "public_channel" => "channels:read",
                "private_channel" => "groups:read",
                "im" => "im:read",
                "mpim" => "mpim:read",
                _ => return Err("invalid_types".into()),
            })?;
        }
        let bot = &self.config().bot_user_id;
        let state = self.state();
        let channels = state.channels.values().filter(|channel| {
            let (kind, visible) = match channel.kind {
                ChannelKind::Public => ("public_channel", true),
                ChannelKind::Private => ("private_channel", channel.members.contains(bot)),
                ChannelKind::Im { .. } => ("im", true),
            };
            visible
                && kinds.iter().any(|wanted| wanted == kind)
                && !(channel.archived && arguments.flag("exclude_archived"))
        });
        let channels = channels
            .map(|channel| channel.wire(self.config()))
            .collect();
        let (page, cursor) = page(channels, arguments)?;
        Ok(json!({"channels": page, "response_metadata": next_page(cursor)}))
    }

    pub(super) fn conversation_members(&self, arguments: &Arguments) -> Answer {
        let (id, family) = self.family(arguments)?;
        self.need_scope(&format!("{family}:read"))?;
        let members = self.state().channels[&id]
            .members
            .iter()
            .map(|member| json!(member))
            .collect();
        let (page, cursor) = page(members, arguments)?;
        Ok(json!({"members": page, "response_metadata": next_page(cursor)}))
    }

    /// Newest first; replies are left out unless they were shown in the channel as well.
    pub(super) fn history(&self, arguments: &Arguments) -> Answer {
        let (id, family) = self.family(arguments)?;
        self.need_scope(&format!("{family}:history"))?;
        let state = self.state();
        self.member(&state, &id)?;
        let window = Window::read(arguments)?;
        let messages = state
            .in_channel(&id)
            .rev()
            .filter(|message| !message.is_reply() || message.broadcast);
        let messages = messages.filter(|message| window.holds(message));
        let messages: Vec<_> = messages
            .map(|message| state.wire(self.config(), message, window.all_metadata))
            .collect();
        let (page, cursor) = page(messages, arguments)?;
        Ok(json!({
            "messages": page, "has_more": cursor.is_some(), "pin_count": 0, "response_metadata": next_page(cursor),
        }))
    }

    /// The parent, then its replies, oldest first.
    pub(super) fn thread_replies(&self, arguments: &Arguments) -> Answer {
        let (id, family) = self.family(arguments)?;
        self.need_scope(&format!("{family}:history"))?;
        let state = self.state();
        self.member(&state, &id)?;
        let ts = arguments.required("ts", "thread_not_found")?;
        let asked = state.message(&id, ts).ok_or("thread_not_found")?;
        let root = asked.thread_ts.clone().unwrap_or_else(|| ts.to_owned());
        let window = Window::read(arguments)?;
        let messages = state.in_channel(&id).filter(|message| {
            message.ts == root
                || (message.thread_ts.as_deref() == Some(&root) && window.holds(message))
        });
        let messages: Vec<_> = messages
            .map(|message| state.wire(self.config(), message, window.all_metadata))
            .collect();
        let (page, cursor) = page(messages, arguments)?;
        Ok(
            json!({"messages": page, "has_more": cursor.is_some(), "response_metadata": next_page(cursor)}),
        )
    }

    /// The asked-for conversation and the scope family that guards it.
    fn family(&self, arguments: &Arguments) -> Result<(String, &'static str), ApiError> {
        let id = arguments.required("channel", "channel_not_found")?;
        let state = self.state();
        let channel = self.readable(&state, id)?;
        Ok((channel.id.clone(), channel.scope_family()))
    }

    fn member(&self, state: &State, id: &str) -> Result<(), ApiError> {
        if state.channels[id]
            .members
            .contains(&self.config().bot_user_id)
        {
            Ok(())
        } else {
            Err("not_in_channel".into())
        }
    }
}

/// The times a reader asked for.
struct Window<'a> {
    oldest: Option<&'a str>,
    latest: Option<&'a str>,
    inclusive: bool,
    all_metadata: bool,
}

impl<'a> Window<'a> {
    fn read(arguments: &'a Arguments) -> Result<Self, &'static str> {
        let bound = |key, wrong: &'static str| match arguments.text(key) {
            None | Some("" | "0" | "now") => Ok(None),
            Some(ts) if ts.parse::<f64>().is_ok() => Ok(Some(ts)),
            Some(_) => Err(wrong),
        };
        Ok(Self {
            oldest: bound("oldest", "invalid_ts_oldest")?,
            latest: bound("latest", "invalid_ts_latest")?,
            inclusive: arguments.flag("inclusive"),
            all_metadata: arguments.flag("include_all_metadata"),
        })
    }

    fn holds(&self, message: &Message) -> bool {
        let ts = micros(&message.ts);
        let after = self
            .oldest
            .map(micros)
            .is_none_or(|oldest| ts > oldest || (self.inclusive && ts == oldest));
        let before = self
            .latest
            .map(micros)
            .is_none_or(|latest| ts < latest || (self.inclusive && ts == latest));
        after && before
    }
}

/// A timestamp in microseconds; bounds may be sent with fewer digits than messages have.
fn micros(ts: &str) -> i64 {
    let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, ""));
    let fraction = format!("{fraction:0<6}");
    seconds.parse::<i64>().unwrap_or(0) * 1_000_000 + fraction[..6].parse::<i64>().unwrap_or(0)
}

/// One page of a list and the cursor of the next.
pub(super) fn page(
    all: Vec<Value>,
    arguments: &Arguments,
) -> Result<(Vec<Value>, Option<String>), ApiError> {
    let limit = match arguments.number("limit") {
        None | Some(0) => DEFAULT_PAGE,
        Some(limit) => limit.min(LARGEST_PAGE),
    };
    let start = match arguments.text("cursor") {
        None | Some("") => 0,
        Some(cursor) => position(cursor)
            .filter(|start| *start <= all.len())
            .ok_or("invalid_cursor")?,
    };
    let end = (start + limit).min(all.len());
    let cursor = (end < all.len()).then(|| STANDARD.encode(format!("next:{end}")));
    Ok((all[start..end].to_vec(), cursor))
}

fn position(cursor: &str) -> Option<usize> {
    let decoded = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
    decoded.strip_prefix("next:")?.parse().ok()
}
