//! The things a workspace holds, as tests and the demo page see them, and their wire form.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::config::SlackConfig;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// `U…`
    pub id: String,
    /// Handle, as in `@ann`.
    pub name: String,
    /// Name shown beside messages.
    pub real_name: String,
    /// The join key to an identity provider.
    pub email: Option<String>,
    /// Deactivated.
    pub deleted: bool,
    /// A bot's account.
    pub is_bot: bool,
    /// A guest.
    pub is_restricted: bool,
}

impl User {
    pub(super) fn wire(&self, config: &SlackConfig, with_email: bool) -> Value {
        let mut profile = json!({
            "real_name": self.real_name,
            "real_name_normalized": self.real_name,
            "display_name": self.name,
            "display_name_normalized": self.name,
            "team": config.team_id,
        });
        if with_email && let Some(email) = &self.email {
            profile["email"] = json!(email);
        }
        json!({
            "id": self.id, "team_id": config.team_id, "name": self.name, "real_name": self.real_name,
            "deleted": self.deleted, "is_bot": self.is_bot, "is_app_user": false,
            "is_admin": false, "is_owner": false, "is_primary_owner": false,
            "is_restricted": self.is_restricted, "is_ultra_restricted": false,
            "tz": "Etc/UTC", "tz_label": "Coordinated Universal Time", "tz_offset": 0,
            "profile": profile, "updated": 1_700_000_000,
        })
    }
}

/// An account to be created.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// Chosen id; derived from the e-mail address or the name if absent.
    pub id: Option<String>,
    /// Handle.
    pub name: String,
    /// Name shown beside messages.
    pub real_name: String,
    /// E-mail address, unique in the workspace.
    pub email: Option<String>,
    /// A bot's account.
    pub is_bot: bool,
    /// A guest.
    pub is_restricted: bool,
}

/// A user group, `@handle`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserGroup {
    /// `S…`
    pub id: String,
    /// Name.
    pub name: String,
    /// Handle without the `@`.
    pub handle: String,
    /// Ids of the members.
    pub users: BTreeSet<String>,
    /// Switched off; listed only on request.
    pub disabled: bool,
}

impl UserGroup {
    pub(super) fn wire(&self, config: &SlackConfig, with_users: bool) -> Value {
        let mut group = json!({
            "id": self.id, "team_id": config.team_id, "is_usergroup": true, "is_subteam": true,
            "name": self.name, "description": "", "handle": self.handle, "is_external": false,
            "date_create": 1_700_000_000, "date_update": 1_700_000_000,
            "date_delete": if self.disabled { 1_700_000_000 } else { 0 },
            "auto_type": null, "created_by": config.bot_user_id, "updated_by": config.bot_user_id,
            "prefs": {"channels": [], "groups": []}, "user_count": self.users.len(),
        });
        if with_users {
            group["users"] = json!(self.users);
        }
        group
    }
}

/// What kind of conversation a channel is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// Open to every full member.
    Public,
    /// By invitation.
    Private,
    /// Direct messages between the bot and this user.
    Im {
        /// The other side.
        user: String,
    },
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Channel {
    /// `C…`, or `D…` for direct messages.
    pub id: String,
    /// Name without the `#`; empty for direct messages.
    pub name: String,
    /// Public, private or direct.
    pub kind: ChannelKind,
    /// Ids of the members.
    pub members: BTreeSet<String>,
    /// Read-only.
    pub archived: bool,
    /// Creation time in seconds.
    pub created: i64,
}

impl Channel {
    pub(super) fn wire(&self, config: &SlackConfig) -> Value {
        let mut channel = json!({
            "id": self.id, "created": self.created, "is_archived": self.archived,
            "is_im": false, "is_mpim": false, "is_channel": false, "is_group": false,
            "is_private": self.kind != ChannelKind::Public,
            "is_shared": false, "is_org_shared": false, "is_general": false,
            "is_member": self.members.contains(&config.bot_user_id),
        });
        match &self.kind {
            ChannelKind::Im { user } => {
                channel["is_im"] = json!(true);
                channel["user"] = json!(user);
            }
            kind => {
                channel["is_channel"] = json!(true);
                channel["is_group"] = json!(*kind == ChannelKind::Private);
                channel["name"] = json!(self.name);
                channel["name_normalized"] = json!(self.name);
                channel["creator"] = json!(config.bot_user_id);
                channel["num_members"] = json!(self.members.len());
                channel["topic"] = json!({"value": "", "creator": "", "last_set": 0});
                channel["purpose"] = json!({"value": "", "creator": "", "last_set": 0});
            }
        }
        channel
    }

    /// The scope family that guards this kind of conversation: `channels`, `groups` or `im`.
    pub(super) fn scope_family(&self) -> &'static str {
        match self.kind {
            ChannelKind::Public => "channels",
            ChannelKind::Private => "groups",
            ChannelKind::Im { .. } => "im",
        }
    }
}

/// A message, ephemeral ones included.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// Conversation it stands in.
    pub channel: String,
    /// Its identity inside the conversation.
    pub ts: String,
    /// The parent, if this is a reply; the message itself once it has replies.
    pub thread_ts: Option<String>,
    /// Author.
    pub user: String,
    /// Notification text.
    pub text: String,
    /// Blocks as sent, with the ids that Slack fills in.
    pub blocks: Vec<Value>,
    /// Attachments as sent.
    pub attachments: Vec<Value>,
    /// Metadata as sent.
    pub metadata: Option<Value>,
    /// A reply that is also shown in the channel.
    pub broadcast: bool,
    /// Only this person sees it, and it cannot be updated.
    pub ephemeral_to: Option<String>,
    /// Time of the last edit that shows as "edited".
    pub edited_ts: Option<String>,
    /// How often its content was replaced.
    pub updates: u32,
    /// `tombstone` for a deleted parent, otherwise usually absent.
    pub subtype: Option<String>,
}

impl Message {
    pub(super) fn is_reply(&self) -> bool {
        self.thread_ts.as_ref().is_some_and(|root| *root != self.ts)
    }

    /// The message as history, clicks and answers carry it.
    pub(super) fn wire(
        &self,
        config: &SlackConfig,
        replies: &Replies,
        all_metadata: bool,
    ) -> Value {
        let mut message = json!({
            "type": "message", "user": self.user, "ts": self.ts, "text": self.text,
            "team": config.team_id,
        });
        if self.user == config.bot_user_id {
            message["bot_id"] = json!(config.bot_id);
            message["app_id"] = json!(config.app_id);
            message["bot_profile"] = json!({
                "id": config.bot_id, "app_id": config.app_id, "user_id": config.bot_user_id,
                "name": config.bot_name, "team_id": config.team_id, "deleted": false,
                "updated": 1_700_000_000,
            });
        }
        if !self.blocks.is_empty() {
            message["blocks"] = json!(self.blocks);
        }
        if !self.attachments.is_empty() {
            message["attachments"] = json!(self.attachments);
        }
        if let Some(thread_ts) = &self.thread_ts {
            message["thread_ts"] = json!(thread_ts);
        }
        if let Some(ts) = &self.edited_ts {
            message["edited"] = json!({"user": self.user, "ts": ts});
        }
        if let Some(subtype) = &self.subtype {
            message["subtype"] = json!(subtype);
        } else if self.broadcast {
            message["subtype"] = json!("thread_broadcast");
        }
        if let Some(metadata) = &self.metadata {
            message["metadata"] = if all_metadata {
                metadata.clone()
            } else {
                json!({"event_type": metadata["event_type"]})
            };
        }
        if replies.count > 0 {
            message["reply_count"] = json!(replies.count);
            message["reply_users"] = json!(replies.users);
            message["reply_users_count"] = json!(replies.users.len());
            message["latest_reply"] = json!(replies.latest);
            message["subscribed"] = json!(true);
        }
        message
    }
}

/// What a parent message tells about its thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Replies {
    pub(super) count: usize,
    pub(super) users: BTreeSet<String>,
    pub(super) latest: Option<String>,
}

/// Where a view is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewKind {
    /// A dialog on top of the conversation.
    Modal,
    /// The app's Home tab.
    Home,
}

/// An open modal or a published Home tab of one person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// `V…`
    pub id: String,
    /// Who sees it.
    pub user: String,
    /// Modal or Home tab.
    pub kind: ViewKind,
    /// The view as sent by the app, with the ids that Slack fills in.
    pub content: Value,
    /// Changes with every update; guards against races.
    pub hash: String,
    /// Bottom of the stack.
    pub root_view_id: String,
    /// The modal below this one.
    pub previous_view_id: Option<String>,
    /// Messages the app showed under its inputs, by block id.
    pub errors: BTreeMap<String, String>,
    /// What is filled in: block id, action id, value as in `state.values`.
    pub values: Map<String, Value>,
}

impl View {
    /// Blocks of the view.
    pub fn blocks(&self) -> &[Value] {
        self.content["blocks"].as_array().map_or(&[], Vec::as_slice)
    }

    pub(super) fn wire(&self, config: &SlackConfig) -> Value {
        let text = |key: &str| self.content[key].as_str().unwrap_or_default().to_owned();
        json!({
            "id": self.id, "team_id": config.team_id, "app_id": config.app_id,
            "app_installed_team_id": config.team_id, "bot_id": config.bot_id,
            "type": self.kind, "hash": self.hash, "root_view_id": self.root_view_id,
            "previous_view_id": self.previous_view_id,
            "title": self.content["title"], "submit": self.content["submit"], "close": self.content["close"],
            "blocks": self.blocks(), "private_metadata": text("private_metadata"),
            "callback_id": text("callback_id"), "external_id": text("external_id"),
            "clear_on_close": self.content["clear_on_close"].as_bool().unwrap_or(false),
            "notify_on_close": self.content["notify_on_close"].as_bool().unwrap_or(false),
            "state": {"values": self.values},
        })
    }
}

/// Something changed; what exactly is read from the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum SlackChange {
    /// A message was posted.
    Posted {
        /// Conversation.
        channel: String,
        /// Message.
        ts: String,
    },
    /// A message's content was replaced.
    Updated {
        /// Conversation.
        channel: String,
        /// Message.
        ts: String,
    },
    /// A message is gone.
    Deleted {
        /// Conversation.
        channel: String,
        /// Message.
        ts: String,
    },
    /// Somebody was shown, or no longer shown, something only they can see.
    Ephemeral {
        /// Who sees it.
        user: String,
    },
    /// Modals or the Home tab of somebody changed.
    Views {
        /// Whose.
        user: String,
    },
    /// An account, a group or a channel changed.
    Directory,
    /// The number of Socket Mode connections changed.
    Connections {
        /// How many there are now.
        count: usize,
    },
}
