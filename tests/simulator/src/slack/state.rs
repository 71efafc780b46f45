//! Everything the workspace remembers, behind one lock, and the rules that keep it consistent.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::blocks;
use super::config::SlackConfig;
use super::faults::Faults;
use super::limits::Buckets;
use super::model::{Channel, ChannelKind, Message, Replies, User, UserGroup, View};

/// A short-lived right to open a modal.
pub(super) struct Trigger {
    pub(super) user: String,
    pub(super) issued: Instant,
    /// Aged by a test.
    pub(super) expired: bool,
    pub(super) used: bool,
    /// Whether it came from inside a modal, which `views.push` needs.
    pub(super) from_modal: bool,
}

/// What a `response_url` belongs to.
#[derive(Clone, Debug)]
pub(super) struct ResponseUrl {
    pub(super) user: String,
    pub(super) channel: String,
    /// The message whose button was pressed; none for slash commands.
    pub(super) message_ts: Option<String>,
    pub(super) thread_ts: Option<String>,
    pub(super) issued: Instant,
    /// Aged by a test.
    pub(super) expired: bool,
    pub(super) uses: u32,
}

/// What is put into a new message.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) text: String,
    pub(super) blocks: Vec<Value>,
    pub(super) attachments: Vec<Value>,
    pub(super) metadata: Option<Value>,
    pub(super) thread_ts: Option<String>,
    pub(super) broadcast: bool,
}

pub(super) struct State {
    pub(super) users: BTreeMap<String, User>,
    pub(super) groups: BTreeMap<String, UserGroup>,
    pub(super) channels: BTreeMap<String, Channel>,
    /// By channel and timestamp.
    pub(super) messages: BTreeMap<(String, String), Message>,
    pub(super) ephemerals: Vec<Message>,
    /// Open modals by user, the visible one last.
    pub(super) modals: HashMap<String, Vec<View>>,
    pub(super) homes: HashMap<String, View>,
    pub(super) triggers: HashMap<String, Trigger>,
    pub(super) response_urls: HashMap<String, ResponseUrl>,
    /// What people have selected in inputs of messages, by user, channel and timestamp.
    pub(super) selections: HashMap<(String, String, String), Map<String, Value>>,
    pub(super) scopes: BTreeSet<String>,
    pub(super) bot_token: Result<String, &'static str>,
    pub(super) faults: Faults,
    pub(super) buckets: Buckets,
    /// The bot's messages that no test has looked at.
    pub(super) unread: VecDeque<(String, String)>,
    last_micros: HashMap<String, i64>,
    seed: u64,
    counter: u64,
}

impl State {
    pub(super) fn new(config: &SlackConfig) -> Self {
        let bot = User {
            id: config.bot_user_id.clone(),
            name: config.bot_name.clone(),
            real_name: config.bot_name.clone(),
            email: None,
            deleted: false,
            is_bot: true,
            is_restricted: false,
        };
        Self {
            users: BTreeMap::from([(bot.id.clone(), bot)]),
            groups: BTreeMap::new(),
            channels: BTreeMap::new(),
            messages: BTreeMap::new(),
            ephemerals: Vec::new(),
            modals: HashMap::new(),
            homes: HashMap::new(),
            triggers: HashMap::new(),
            response_urls: HashMap::new(),
            selections: HashMap::new(),
            scopes: config.scopes.clone(),
            bot_token: Ok(config.bot_token.clone()),
            faults: Faults::default(),
            buckets: Buckets::default(),
            unread: VecDeque::new(),
            last_micros: HashMap::new(),
            seed: config.seed,
            counter: 0,
        }
    }

    /// An id that depends on the seed and on `name` alone.
    pub(super) fn id_of(&self, prefix: &str, name: &str) -> String {
        format!("{prefix}0{}", self.letters(name, 9))
    }

    /// A new id; the sequence depends on the seed alone.
    pub(super) fn next_id(&mut self, prefix: &str) -> String {
        self.counter += 1;
        self.id_of(prefix, &format!("{prefix}#{}", self.counter))
    }

    /// A new lower-case token that nobody can guess from an id.
    pub(super) fn next_token(&mut self) -> String {
        self.counter += 1;
        self.letters(&format!("token#{}", self.counter), 24)
            .to_lowercase()
    }

    fn letters(&self, name: &str, length: usize) -> String {
        const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let hash = Sha256::digest(format!("{}/{name}", self.seed));
        hash.iter()
            .take(length)
            .map(|byte| char::from(ALPHABET[usize::from(*byte) % 36]))
            .collect()
    }

    /// A timestamp for a new message: the time of day, and later than any other in this channel.
    pub(super) fn next_ts(&mut self, config: &SlackConfig, channel: &str) -> String {
        let now = config.clock.now().timestamp_micros();
        let last = self.last_micros.entry(channel.to_owned()).or_default();
        *last = now.max(*last + 100);
        format!("{}.{:06}", *last / 1_000_000, *last % 1_000_000)
    }

    /// Finds a conversation by id, or a public one by `#name` or name.
    pub(super) fn channel(&self, name: &str) -> Option<&Channel> {
        self.channels.get(name).or_else(|| {
            let name = name.trim_start_matches('#');
            self.channels
                .values()
                .find(|channel| !name.is_empty() && channel.name == name)
        })
    }

    /// The direct messages between the bot and `user`, opened on first use.
    pub(super) fn open_im(&mut self, config: &SlackConfig, user: &str) -> (String, bool) {
        let id = self.id_of("D", user);
        let known = self.channels.contains_key(&id);
        if !known {
            self.channels.insert(
                id.clone(),
                Channel {
                    id: id.clone(),
                    name: String::new(),
                    kind: ChannelKind::Im {
                        user: user.to_owned(),
                    },
                    members: BTreeSet::from([user.to_owned(), config.bot_user_id.clone()]),
                    archived: false,
                    created: config.clock.now().timestamp(),
                },
            );
        }
        (id, known)
    }

    pub(super) fn message(&self, channel: &str, ts: &str) -> Option<&Message> {
        self.messages.get(&(channel.to_owned(), ts.to_owned()))
    }

    /// Every message of a conversation, oldest first, replies included.
    pub(super) fn in_channel(&self, channel: &str) -> impl DoubleEndedIterator<Item = &Message> {
        // Timestamps are digits, which sort before the tilde.
        let first = (channel.to_owned(), String::new());
        let last = (channel.to_owned(), "~".to_owned());
        self.messages
            .range(first..=last)
            .map(|(_, message)| message)
    }

    pub(super) fn replies(&self, channel: &str, root: &str) -> Replies {
        let mut replies = Replies::default();
        for message in self.in_channel(channel) {
            if message.is_reply() && message.thread_ts.as_deref() == Some(root) {
                replies.count += 1;
                replies.users.insert(message.user.clone());
                replies.latest = Some(message.ts.clone());
            }
        }
        replies
    }

    pub(super) fn wire(
        &self,
        config: &SlackConfig,
        message: &Message,
        all_metadata: bool,
    ) -> Value {
        message.wire(
            config,
            &self.replies(&message.channel, &message.ts),
            all_metadata,
        )
    }

    /// Stores a message and returns it. The caller has checked its content.
    pub(super) fn post(
        &mut self,
        config: &SlackConfig,
        channel: &str,
        user: &str,
        draft: Draft,
    ) -> Message {
        let ts = self.next_ts(config, channel);
        let mut message = self.assemble(channel, ts, user, draft);
        // A reply to a reply belongs to the thread of the parent, and a parent knows its thread.
        if let Some(thread_ts) = message.thread_ts.clone() {
            let key = (channel.to_owned(), thread_ts);
            if let Some(parent) = self.messages.get_mut(&key) {
                let root = parent.thread_ts.clone().unwrap_or_else(|| key.1.clone());
                parent.thread_ts = Some(root.clone());
                message.thread_ts = Some(root);
            }
        }
        if user == config.bot_user_id {
            self.unread
                .push_back((channel.to_owned(), message.ts.clone()));
        }
        self.messages
            .insert((channel.to_owned(), message.ts.clone()), message.clone());
        message
    }

    /// Stores a message that only `user` sees and returns it.
    pub(super) fn post_ephemeral(
        &mut self,
        config: &SlackConfig,
        channel: &str,
        user: &str,
        draft: Draft,
    ) -> Message {
        let ts = self.next_ts(config, channel);
        let mut message = self.assemble(channel, ts, &config.bot_user_id, draft);
        message.ephemeral_to = Some(user.to_owned());
        self.ephemerals.push(message.clone());
        message
    }

    fn assemble(&mut self, channel: &str, ts: String, user: &str, mut draft: Draft) -> Message {
        self.fill_ids(&mut draft.blocks);
        Message {
            channel: channel.to_owned(),
            ts,
            thread_ts: draft.thread_ts,
            user: user.to_owned(),
            text: draft.text,
            blocks: draft.blocks,
            attachments: draft.attachments,
            metadata: draft.metadata,
            broadcast: draft.broadcast,
            ephemeral_to: None,
            edited_ts: None,
            updates: 0,
            subtype: None,
        }
    }

    pub(super) fn fill_ids(&mut self, blocks: &mut [Value]) {
        blocks::fill_ids(blocks, || self.next_token()[..5].to_owned());
    }

    /// Removes a message; a parent with replies leaves a tombstone.
    pub(super) fn delete(&mut self, channel: &str, ts: &str) {
        let has_replies = self.replies(channel, ts).count > 0;
        let key = (channel.to_owned(), ts.to_owned());
        if !has_replies {
            self.messages.remove(&key);
        } else if let Some(message) = self.messages.get_mut(&key) {
            message.text = "This message was deleted.".into();
            message.subtype = Some("tombstone".into());
            message.blocks.clear();
            message.attachments.clear();
            message.metadata = None;
        }
        self.unread.retain(|unread| *unread != key);
    }

    /// Issues a `trigger_id` to `user`.
    pub(super) fn issue_trigger(
        &mut self,
        config: &SlackConfig,
        user: &str,
        from_modal: bool,
    ) -> String {
        let token = self.next_token();
        let millis = config.clock.now().timestamp_millis();
        let id = format!("{millis}.{}.{token}", self.counter);
        self.triggers.insert(
            id.clone(),
            Trigger {
                user: user.to_owned(),
                issued: Instant::now(),
                expired: false,
                used: false,
                from_modal,
            },
        );
        id
    }

    /// Uses up a `trigger_id`; gives whose it is and whether it came from a modal.
    pub(super) fn redeem_trigger(
        &mut self,
        id: &str,
        valid_for: Duration,
    ) -> Result<(String, bool), &'static str> {
        let trigger = self.triggers.get_mut(id).ok_or("invalid_trigger")?;
        if trigger.used {
            return Err("trigger_exchanged");
        }
        if trigger.expired || trigger.issued.elapsed() >= valid_for {
            return Err("expired_trigger_id");
        }
        trigger.used = true;
        Ok((trigger.user.clone(), trigger.from_modal))
    }

    /// Hands out a `response_url`; `kind` is `actions` or `commands`.
    pub(super) fn issue_response_url(
        &mut self,
        config: &SlackConfig,
        kind: &str,
        target: ResponseUrl,
    ) -> String {
        let token = self.next_token();
        let url = format!("{}/{kind}/{}/{}", config.base_url, config.team_id, token);
        self.response_urls.insert(token, target);
        url
    }
}
