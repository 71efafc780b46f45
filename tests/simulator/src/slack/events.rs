//! What people do that the app hears of as an event: mention the bot, open the Home tab.

use serde_json::{Value, json};

use super::SlackWorkspace;
use super::deliver::Kind;
use super::interact::InteractionError;
use super::interaction::{active, visible};
use super::model::{Message, SlackChange};
use super::state::Draft;

impl SlackWorkspace {
    /// Writes a message as a person, into a thread if one is given. The app does not hear of it.
    pub fn say(
        &self,
        user: &str,
        channel: &str,
        text: &str,
        thread_ts: Option<&str>,
    ) -> Result<Message, InteractionError> {
        let mut state = self.state();
        visible(&state, user, channel)?;
        let draft = Draft {
            text: text.to_owned(),
            thread_ts: thread_ts.map(str::to_owned),
            ..Draft::default()
        };
        let message = state.post(self.config(), channel, user, draft);
        drop(state);
        self.announce(SlackChange::Posted {
            channel: channel.to_owned(),
            ts: message.ts.clone(),
        });
        Ok(message)
    }

    /// Mentions the bot in a channel it is in (`text` without the mention), or in a thread there.
    pub async fn mention(
        &self,
        user: &str,
        channel: &str,
        text: &str,
        thread_ts: Option<&str>,
    ) -> Result<Message, InteractionError> {
        let bot = &self.config().bot_user_id;
        if !self
            .state()
            .channels
            .get(channel)
            .is_some_and(|channel| channel.members.contains(bot))
        {
            return Err(InteractionError::NoSuchChannel);
        }
        let message = self.say(user, channel, &format!("<@{bot}> {text}"), thread_ts)?;
        let mut event = json!({
            "type": "app_mention", "user": user, "text": message.text, "ts": message.ts, "channel": channel,
            "event_ts": message.ts, "team": self.config().team_id,
        });
        if let Some(thread_ts) = &message.thread_ts {
            event["thread_ts"] = json!(thread_ts);
        }
        self.deliver_event(event).await?;
        Ok(message)
    }

    /// Opens the app's Home tab.
    pub async fn open_home(&self, user: &str) -> Result<(), InteractionError> {
        let (channel, ts, home) = {
            let mut state = self.state();
            active(&state, user)?;
            let channel = state.open_im(self.config(), user).0;
            let ts = state.next_ts(self.config(), "event");
            (channel, ts, state.homes.get(user).cloned())
        };
        let mut event = json!({"type": "app_home_opened", "user": user, "channel": channel, "tab": "home", "event_ts": ts});
        if let Some(home) = home {
            event["view"] = self.view_wire(&home);
        }
        self.deliver_event(event).await
    }

    /// Delivers an event that the app subscribed to.
    pub async fn deliver_event(&self, event: Value) -> Result<(), InteractionError> {
        let config = self.config();
        let event_id = self.state().next_id("Ev");
        let payload = json!({
            "token": "deprecated", "type": "event_callback", "team_id": config.team_id, "api_app_id": config.app_id,
            "event": event, "event_id": event_id, "event_time": config.clock.now().timestamp(),
            "is_ext_shared_channel": false,
            "authorizations": [{
                "enterprise_id": null, "team_id": config.team_id, "user_id": config.bot_user_id,
                "is_bot": true, "is_enterprise_install": false,
            }],
        });
        self.deliver(Kind::EventsApi, &payload).await?;
        Ok(())
    }
}
