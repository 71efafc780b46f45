//! What people see in Slack and what they do there.
//!
//! Slack is a view; the store is the record. Writers put a message into the outbox together with the change that it
//! tells of; the slack-sender renders it from the store when it is sent, so that a card is always true. Events are
//! committed to the inbox before they are acknowledged, and judged by [`crate::approvals::InboxPass`].

mod connect;
pub mod evidence;
pub mod listen;
pub mod messages;
pub mod mrkdwn;
pub mod render;
pub mod sender;
pub mod slash;
pub mod web;

#[cfg(test)]
pub(crate) mod fake;

use std::sync::Arc;

use connectors::{OktaReader, slack::Chat};

pub use connect::{Chatting, Prepared, client};
pub use evidence::CardEvidence;
pub use listen::Listener;
pub use sender::SenderPass;

use crate::{clock::SharedClock, ids::SharedIds, node::Node, settings::Settings, store::Store};

/// Says "look now" to every pass, never what to find.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What everything that talks to people needs.
#[derive(Clone)]
pub struct Deps {
    /// The record.
    pub store: Store,
    /// Our own clock.
    pub clock: SharedClock,
    /// This node.
    pub node: Arc<Node>,
    /// Slack.
    pub chat: Arc<dyn Chat>,
    /// The org: who a person is, and what they own.
    pub okta: Arc<dyn OktaReader>,
    /// Settings.
    pub settings: Arc<Settings>,
    /// Ids of runs and repairs.
    pub ids: SharedIds,
    /// Called after something was written that a pass should see.
    pub wake: Wake,
}

impl Deps {
    /// What a decision needs.
    pub fn decider(&self) -> crate::approvals::Decider {
        crate::approvals::Decider {
            store: self.store.clone(),
            okta: Arc::clone(&self.okta),
            settings: Arc::clone(&self.settings),
            ids: Arc::clone(&self.ids),
        }
    }

    /// The channel of the cards.
    pub(crate) fn channel(&self) -> &str {
        self.settings
            .slack
            .as_ref()
            .map_or("", |slack| slack.channel.as_str())
    }
}
