//! Slack's JSON, only the fields that are used.

use serde::Deserialize;

use super::{ChatChannel, ChatUser, Standing};

/// An answer of which only `ok` matters.
#[derive(Deserialize)]
pub(super) struct Done {}

#[derive(Deserialize)]
pub(super) struct Posted {
    pub(super) channel: String,
    pub(super) ts: String,
}

#[derive(Deserialize)]
pub(super) struct Opened {
    pub(super) channel: ChannelId,
}

#[derive(Deserialize)]
pub(super) struct ChannelId {
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct Members {
    pub(super) users: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct AuthTest {
    pub(super) team_id: String,
    pub(super) team: Option<String>,
    pub(super) user_id: String,
}

#[derive(Deserialize)]
pub(super) struct ChannelAnswer {
    pub(super) channel: Channel,
}

#[derive(Deserialize)]
pub(super) struct Channel {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    is_private: bool,
    #[serde(default)]
    is_archived: bool,
    #[serde(default)]
    is_member: bool,
}

impl From<Channel> for ChatChannel {
    fn from(channel: Channel) -> Self {
        Self {
            id: channel.id,
            name: channel.name,
            is_private: channel.is_private,
            is_archived: channel.is_archived,
            is_member: channel.is_member,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct UserAnswer {
    user: User,
}

#[derive(Deserialize)]
struct User {
    id: String,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    is_bot: bool,
    #[serde(default)]
    is_restricted: bool,
    #[serde(default)]
    is_ultra_restricted: bool,
    #[serde(default)]
    is_stranger: bool,
    #[serde(default)]
    profile: Profile,
}

#[derive(Default, Deserialize)]
struct Profile {
    email: Option<String>,
}

impl From<UserAnswer> for ChatUser {
    fn from(answer: UserAnswer) -> Self {
        let user = answer.user;
        let standing = if user.deleted {
            Standing::Deactivated
        } else if user.is_bot {
            Standing::Bot
        } else if user.is_stranger {
            Standing::Stranger
        } else if user.is_restricted || user.is_ultra_restricted {
            Standing::Guest
        } else {
            Standing::Member
        };
        Self {
            id: user.id,
            standing,
            email: user
                .profile
                .email
                .map(|email| email.trim().to_lowercase())
                .filter(|email| !email.is_empty()),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct History {
    #[serde(default)]
    pub(super) messages: Vec<HistoryMessage>,
    response_metadata: Option<Cursor>,
}

#[derive(Deserialize)]
struct Cursor {
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct HistoryMessage {
    ts: String,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    event_payload: Option<serde_json::Value>,
}

impl History {
    /// Where the next page begins; `None`: this was the last.
    pub(super) fn next(&self) -> Option<String> {
        self.response_metadata
            .as_ref()
            .and_then(|metadata| metadata.next_cursor.clone())
            .filter(|cursor| !cursor.is_empty())
    }
}

impl HistoryMessage {
    /// The `ts`, if the message carries that key.
    pub(super) fn ts_of(&self, key: &str) -> Option<&str> {
        let payload = self.metadata.as_ref()?.event_payload.as_ref()?;
        (payload["key"] == key).then_some(&*self.ts)
    }
}
