//! What a workspace is made of before anybody talks to it: names, tokens, time-outs, limits.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::SimClock;

/// Settings of a simulated workspace with one installed app.
#[derive(Clone)]
pub struct SlackConfig {
    /// Where this server can be reached, without a trailing slash: `http://127.0.0.1:4000`.
    pub base_url: String,
    /// Message timestamps follow this clock.
    pub clock: SimClock,
    /// Ids are derived from it.
    pub seed: u64,
    /// Workspace id, `T…`.
    pub team_id: String,
    /// Workspace name.
    pub team_name: String,
    /// Sub-domain in permalinks.
    pub team_domain: String,
    /// App id, `A…`.
    pub app_id: String,
    /// User id of the app's bot, `U…`.
    pub bot_user_id: String,
    /// Bot id, `B…`.
    pub bot_id: String,
    /// User name of the bot.
    pub bot_name: String,
    /// Token of the Web API.
    pub bot_token: String,
    /// Token of `apps.connections.open`.
    pub app_token: String,
    /// Secret that signs requests in HTTP mode.
    pub signing_secret: String,
    /// Scopes granted to the bot token.
    pub scopes: BTreeSet<String>,
    /// Whether the App Home tab is switched on.
    pub home_tab_enabled: bool,
    /// Deadlines in real time.
    pub timing: Timing,
    /// How strictly the tiers of the Web API are enforced.
    pub limits: RateLimits,
}

/// Deadlines of the platform. They are real time, however fast the world's clock runs.
#[derive(Clone, Debug)]
pub struct Timing {
    /// How long a `trigger_id` opens a modal.
    pub trigger_valid_for: Duration,
    /// How long the app has to acknowledge a delivery.
    pub ack_within: Duration,
    /// How long a `response_url` works.
    pub response_url_valid_for: Duration,
    /// How long a call that is made to hang stays unanswered.
    pub hang_for: Duration,
    /// Pause between the server's own pings.
    pub ping_every: Duration,
    /// How often an unacknowledged envelope is sent again. Slack documents retries for events;
    /// that clicks and commands are sent again over Socket Mode is UNVERIFIED, and simulated
    /// because an app must survive it.
    pub redeliveries: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            trigger_valid_for: Duration::from_secs(3),
            ack_within: Duration::from_secs(3),
            response_url_valid_for: Duration::from_secs(30 * 60),
            hang_for: Duration::from_secs(120),
            ping_every: Duration::from_secs(10),
            redeliveries: 3,
        }
    }
}

/// Enforcement of the Web API's tiers.
#[derive(Clone, Copy, Debug)]
pub struct RateLimits {
    /// Off: no call is ever refused for its rate.
    pub enforced: bool,
    /// Published rates are minimums with bursts tolerated: both are multiplied by this.
    pub generosity: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            enforced: true,
            generosity: 3,
        }
    }
}

/// Bot scopes that the product's manifest asks for.
const DEFAULT_SCOPES: [&str; 13] = [
    "app_mentions:read",
    "channels:history",
    "channels:read",
    "chat:write",
    "chat:write.public",
    "commands",
    "groups:history",
    "groups:read",
    "im:history",
    "im:write",
    "usergroups:read",
    "users:read",
    "users:read.email",
];

impl SlackConfig {
    /// A workspace with an app whose scopes are those of the product's manifest.
    pub fn new(base_url: impl Into<String>, clock: SimClock) -> Self {
        Self {
            base_url: base_url.into().trim_end_matches('/').to_owned(),
            clock,
            seed: 1,
            team_id: "T0ACME00001".into(),
            team_name: "Acme".into(),
            team_domain: "acme".into(),
            app_id: "A0UNSTUCK01".into(),
            bot_user_id: "U0UNSTUCK01".into(),
            bot_id: "B0UNSTUCK01".into(),
            bot_name: "unstuck".into(),
            bot_token: "xoxb-simulated-bot-token".into(),
            app_token: "xapp-simulated-app-token".into(),
            signing_secret: "simulated-signing-secret".into(),
            scopes: DEFAULT_SCOPES.iter().map(|&scope| scope.into()).collect(),
            home_tab_enabled: true,
            timing: Timing::default(),
            limits: RateLimits::default(),
        }
    }
}
