//! Looking at the workspace: what stands where, what changed, and waiting for it.

use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::SlackWorkspace;
use super::model::{Channel, ChannelKind, Message, SlackChange, View};

impl SlackWorkspace {
    /// Every message of a conversation, oldest first, replies included.
    pub fn messages(&self, channel: &str) -> Vec<Message> {
        self.state().in_channel(channel).cloned().collect()
    }

    /// One message.
    pub fn message(&self, channel: &str, ts: &str) -> Option<Message> {
        self.state().message(channel, ts).cloned()
    }

    /// The replies to a message, oldest first, without the message itself.
    pub fn thread(&self, channel: &str, ts: &str) -> Vec<Message> {
        let state = self.state();
        let thread = state
            .in_channel(channel)
            .filter(|message| message.is_reply());
        thread
            .filter(|message| message.thread_ts.as_deref() == Some(ts))
            .cloned()
            .collect()
    }

    /// What only this person was shown and still sees, oldest first.
    pub fn ephemerals(&self, user: &str) -> Vec<Message> {
        let state = self.state();
        let mine = state
            .ephemerals
            .iter()
            .filter(|message| message.ephemeral_to.as_deref() == Some(user));
        mine.cloned().collect()
    }

    /// The direct messages between the bot and a person, oldest first.
    pub fn ims(&self, user: &str) -> Vec<Message> {
        match self.im_channel(user) {
            Some(channel) => self.messages(&channel.id),
            None => Vec::new(),
        }
    }

    /// The direct conversation between the bot and a person, if one was opened.
    pub fn im_channel(&self, user: &str) -> Option<Channel> {
        let kind = ChannelKind::Im {
            user: user.to_owned(),
        };
        self.state()
            .channels
            .values()
            .find(|channel| channel.kind == kind)
            .cloned()
    }

    /// The open modals of a person, the visible one last.
    pub fn views(&self, user: &str) -> Vec<View> {
        self.state().modals.get(user).cloned().unwrap_or_default()
    }

    /// The published Home tab of a person.
    pub fn home(&self, user: &str) -> Option<View> {
        self.state().homes.get(user).cloned()
    }

    /// Changes from now on, for a page that follows along.
    pub fn subscribe(&self) -> broadcast::Receiver<SlackChange> {
        self.inner.changes.subscribe()
    }

    /// The bot's oldest message that was not yet taken by this call, waiting for it up to `within`.
    pub async fn next_message(&self, within: Duration) -> Option<Message> {
        self.wait_for(within, |workspace| {
            let mut state = workspace.state();
            let (channel, ts) = state.unread.pop_front()?;
            state.message(&channel, &ts).cloned()
        })
        .await
    }

    /// The bot's messages that [`SlackWorkspace::next_message`] has not given out.
    pub fn unread_messages(&self) -> Vec<Message> {
        let state = self.state();
        state
            .unread
            .iter()
            .filter_map(|(channel, ts)| state.message(channel, ts).cloned())
            .collect()
    }

    /// Marks every message as read.
    pub fn mark_read(&self) {
        self.state().unread.clear();
    }

    /// Looks with `look` now and after every change until it gives something or `within` is over.
    pub async fn wait_for<T>(
        &self,
        within: Duration,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> Option<T> {
        let mut changes = self.subscribe();
        let found = tokio::time::timeout(within, async {
            loop {
                if let Some(found) = look(self) {
                    return Some(found);
                }
                if let Err(RecvError::Closed) = changes.recv().await {
                    return None;
                }
            }
        });
        found.await.ok().flatten()
    }

    /// Waits until `count` Socket Mode connections are up; `false` if they are not `within` that time.
    pub async fn wait_for_connections(&self, count: usize, within: Duration) -> bool {
        let reached = self.wait_for(within, |workspace| {
            (workspace.connections() >= count).then_some(())
        });
        reached.await.is_some()
    }
}
