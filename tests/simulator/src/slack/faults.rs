//! Things that go wrong on purpose, and the calls by which a test asks for them.

use std::time::Duration;

use super::SlackWorkspace;

/// What happens to a Web API call instead of, or after, its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiFault {
    /// HTTP 429 with this `Retry-After`; nothing happened.
    RateLimited {
        /// Seconds.
        retry_after: u32,
    },
    /// This HTTP status; nothing happened.
    Status(u16),
    /// `ok: false` with this code; nothing happened.
    Error(String),
    /// The work is done, and yet the answer is `ok: false` with this code, as with `fatal_error`.
    ErrorAfter(String),
    /// No answer until the caller gives up; nothing happened.
    HangBefore,
    /// The work is done, and there is no answer until the caller gives up.
    HangAfter,
    /// The connection breaks in the middle of the answer; nothing happened.
    DropBefore,
    /// The work is done, and the connection breaks in the middle of the answer.
    DropAfter,
}

/// What is armed.
#[derive(Default)]
pub(super) struct Faults {
    api: Vec<(String, u32, ApiFault)>,
    pub(super) team_null_once: bool,
    pub(super) empty_list_once: bool,
    pub(super) duplicate_once: bool,
    pub(super) lost_acks: u32,
    pub(super) ack_delay: Option<Duration>,
    pub(super) refresh_every: Option<u32>,
    pub(super) socket_mode_off: bool,
}

impl Faults {
    /// The fault that this call runs into, if one is armed.
    pub(super) fn take(&mut self, method: &str) -> Option<ApiFault> {
        let index = self
            .api
            .iter()
            .position(|(of, left, _)| *left > 0 && (of == method || of == "*"))?;
        let (_, left, fault) = &mut self.api[index];
        *left -= 1;
        let fault = fault.clone();
        self.api.retain(|(_, left, _)| *left > 0);
        Some(fault)
    }
}

impl SlackWorkspace {
    /// The next `times` calls of `method` (`"*"` for any; `response_url` for those URLs) meet `fault`.
    pub fn fail_next(&self, method: &str, times: u32, fault: ApiFault) {
        self.state()
            .faults
            .api
            .push((method.to_owned(), times, fault));
    }

    /// Disarms every fault of the Web API.
    pub fn heal_api(&self) {
        self.state().faults.api.clear();
    }

    /// The next interaction says `team: null`, as in an organisation-wide installation.
    pub fn set_org_wide_team_null_once(&self) {
        self.state().faults.team_null_once = true;
    }

    /// The next answer or submission that carries a view has `state.values` as `[]`.
    pub fn set_state_values_empty_list_once(&self) {
        self.state().faults.empty_list_once = true;
    }

    /// The next delivery to the app arrives twice, over two connections if there are two.
    pub fn duplicate_next_delivery(&self) {
        self.state().faults.duplicate_once = true;
    }

    /// The next `count` acknowledgements are lost on the way, so that their envelopes come again.
    pub fn lose_acks(&self, count: u32) {
        self.state().faults.lost_acks = count;
    }

    /// From now on every acknowledgement takes this long to arrive; `None` ends it.
    pub fn delay_acks(&self, delay: Option<Duration>) {
        self.state().faults.ack_delay = delay;
    }

    /// Asks a connection to refresh itself after it carried this many envelopes; `None` ends it.
    pub fn refresh_every(&self, envelopes: Option<u32>) {
        self.state().faults.refresh_every = envelopes;
    }

    /// Takes a scope away from the bot token; gives whether it had it.
    pub fn revoke_scope(&self, scope: &str) -> bool {
        self.state().scopes.remove(scope)
    }

    /// Gives the bot token a scope.
    pub fn grant_scope(&self, scope: &str) {
        self.state().scopes.insert(scope.to_owned());
    }

    /// From now on the bot token is answered with this error (`token_revoked`, `account_inactive`).
    pub fn refuse_bot_token(&self, error: &'static str) {
        self.state().bot_token = Err(error);
    }

    /// The bot token works (again).
    pub fn accept_bot_token(&self) {
        self.state().bot_token = Ok(self.config().bot_token.clone());
    }

    /// Every `trigger_id` handed out so far is too old now.
    pub fn expire_triggers(&self) {
        self.state()
            .triggers
            .values_mut()
            .for_each(|trigger| trigger.expired = true);
    }

    /// Every `response_url` handed out so far is too old now.
    pub fn expire_response_urls(&self) {
        self.state()
            .response_urls
            .values_mut()
            .for_each(|url| url.expired = true);
    }
}
