//! `chat.*`: posting, changing and deleting messages.

use serde_json::{Value, json};

use super::arguments::Arguments;
use super::{Answer, ApiError, draft};
use crate::slack::SlackWorkspace;
use crate::slack::model::{Channel, ChannelKind, SlackChange};
use crate::slack::state::State;

impl SlackWorkspace {
    pub(super) fn post_message(&self, arguments: &Arguments) -> Answer {
        let target = arguments.required("channel", "channel_not_found")?;
        let draft = draft(arguments)?;
        let mut state = self.state();
        let channel = self.writable(&mut state, target)?;
        if let Some(thread_ts) = &draft.thread_ts
            && state.message(&channel, thread_ts).is_none()
        {
            // UNVERIFIED: the error Slack gives for a reply to a message that does not exist.
            return Err("thread_not_found".into());
        }
        let message = state.post(self.config(), &channel, &self.config().bot_user_id, draft);
        let wire = state.wire(self.config(), &message, true);
        drop(state);
        self.announce(SlackChange::Posted {
            channel: channel.clone(),
            ts: message.ts.clone(),
        });
        self.tell_im_listener(&channel, &message.text);
        Ok(json!({"channel": channel, "ts": message.ts, "message": wire}))
    }

    pub(super) fn post_ephemeral(&self, arguments: &Arguments) -> Answer {
        let target = arguments.required("channel", "channel_not_found")?;
        let user = arguments.required("user", "user_not_in_channel")?;
        let draft = draft(arguments)?;
        let mut state = self.state();
        let channel = self.writable(&mut state, target)?;
        let inside = state.channels[&channel].members.contains(user);
        let active = state.users.get(user).is_some_and(|user| !user.deleted);
        if !inside || !active {
            return Err("user_not_in_channel".into());
        }
        let message = state.post_ephemeral(self.config(), &channel, user, draft);
        drop(state);
        self.announce(SlackChange::Ephemeral {
            user: user.to_owned(),
        });
        Ok(json!({"message_ts": message.ts}))
    }

    pub(super) fn update_message(&self, arguments: &Arguments) -> Answer {
        let channel = arguments
            .required("channel", "channel_not_found")?
            .to_owned();
        let ts = arguments.required("ts", "message_not_found")?.to_owned();
        if arguments
            .text("text")
            .is_some_and(|text| text.chars().count() > 4_000)
        {
            return Err("msg_too_long".into());
        }
        let draft = draft(arguments)?;
        let mut state = self.state();
        self.own_message(&state, &channel, &ts, "cant_update_message")?;
        let mut blocks = draft.blocks;
        state.fill_ids(&mut blocks);
        let edited_ts = arguments
            .text("text")
            .is_some()
            .then(|| state.next_ts(self.config(), &channel));
        let message = state
            .messages
            .get_mut(&(channel.clone(), ts.clone()))
            .ok_or("message_not_found")?;
        // Blocks and attachments that are not sent again are gone; metadata stays.
        message.blocks = blocks;
        message.attachments = draft.attachments;
        if edited_ts.is_some() {
            message.text = draft.text;
            message.edited_ts = edited_ts;
        }
        if draft.metadata.is_some() {
            message.metadata = draft.metadata;
        }
        message.updates += 1;
        let message = message.clone();
        let wire = state.wire(self.config(), &message, true);
        drop(state);
        self.announce(SlackChange::Updated {
            channel: channel.clone(),
            ts: ts.clone(),
        });
        Ok(json!({"channel": channel, "ts": ts, "text": message.text, "message": wire}))
    }

    pub(super) fn delete_message(&self, arguments: &Arguments) -> Answer {
        let channel = arguments
            .required("channel", "channel_not_found")?
            .to_owned();
        let ts = arguments.required("ts", "message_not_found")?.to_owned();
        let mut state = self.state();
        self.own_message(&state, &channel, &ts, "cant_delete_message")?;
        state.delete(&channel, &ts);
        drop(state);
        self.announce(SlackChange::Deleted {
            channel: channel.clone(),
            ts: ts.clone(),
        });
        Ok(json!({"channel": channel, "ts": ts}))
    }

    pub(super) fn permalink(&self, arguments: &Arguments) -> Answer {
        let channel = arguments.required("channel", "channel_not_found")?;
        let ts = arguments.required("message_ts", "message_not_found")?;
        let state = self.state();
        self.readable(&state, channel)?;
        let message = state.message(channel, ts).ok_or("message_not_found")?;
        let domain = &self.config().team_domain;
        let mut permalink = format!(
            "https://{domain}.slack.com/archives/{channel}/p{}",
            ts.replace('.', "")
        );
        if message.is_reply() {
            let root = message.thread_ts.as_deref().unwrap_or_default();
            permalink.push_str(&format!("?thread_ts={root}&cid={channel}"));
        }
        Ok(json!({"channel": channel, "permalink": permalink}))
    }

    /// The id of the conversation that `target` means, if the bot may write there. A person's id
    /// stands for the direct conversation with them.
    fn writable(&self, state: &mut State, target: &str) -> Result<String, ApiError> {
        if let Some(user) = state.users.get(target) {
            if user.deleted {
                // UNVERIFIED: the code for a deactivated account; the reference page names none.
                return Err("channel_not_found".into());
            }
            return Ok(state.open_im(self.config(), target).0);
        }
        let channel = state.channel(target).ok_or("channel_not_found")?;
        if channel.archived {
            return Err("is_archived".into());
        }
        if channel.members.contains(&self.config().bot_user_id) {
            return Ok(channel.id.clone());
        }
        match channel.kind {
            ChannelKind::Public if state.scopes.contains("chat:write.public") => {
                Ok(channel.id.clone())
            }
            ChannelKind::Public => Err("not_in_channel".into()),
            // What the bot cannot see does not exist for it.
            ChannelKind::Private | ChannelKind::Im { .. } => Err("channel_not_found".into()),
        }
    }

    /// The conversation with this id, if the bot may see it.
    pub(super) fn readable<'a>(&self, state: &'a State, id: &str) -> Result<&'a Channel, ApiError> {
        let channel = state.channels.get(id).ok_or("channel_not_found")?;
        let visible = channel.kind == ChannelKind::Public
            || channel.members.contains(&self.config().bot_user_id);
        if visible {
            Ok(channel)
        } else {
            Err("channel_not_found".into())
        }
    }

    fn own_message(
        &self,
        state: &State,
        channel: &str,
        ts: &str,
        not_own: &'static str,
    ) -> Result<(), ApiError> {
        self.readable(state, channel)?;
        let message = state.message(channel, ts).ok_or("message_not_found")?;
        if message.subtype.as_deref() == Some("tombstone") {
            return Err("message_not_found".into());
        }
        if message.user != self.config().bot_user_id {
            return Err(not_own.into());
        }
        Ok(())
    }
}

/// `response_metadata` with the cursor of the next page; empty on the last.
pub(super) fn next_page(cursor: Option<String>) -> Value {
    json!({"next_cursor": cursor.unwrap_or_default()})
}
