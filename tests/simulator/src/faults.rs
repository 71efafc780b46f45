//! Trouble on the wire, switched on by tests: errors, time-outs before or after the effect, broken
//! answers. Trouble of the fleet itself is made with the methods of [`World`](crate::World).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::ledger::Server;

/// What goes wrong with a matching request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429 with the server's rate-limit headers; the window ends in so many real seconds.
    RateLimited {
        /// Seconds until the server would accept requests again.
        reset_in: u64,
    },
    /// This status with the server's error body, before any effect.
    Status(u16),
    /// This status with the server's error body, although the effect happened.
    StatusAfterEffect(u16),
    /// No answer, and nothing happened.
    TimeoutBefore,
    /// No answer, but it happened.
    TimeoutAfter,
    /// The connection is cut before an answer, and nothing happened.
    Cut,
    /// The connection is cut before an answer, but it happened.
    CutAfter,
    /// The answer is not JSON.
    Malformed,
    /// The answer announces more bytes than it carries.
    Truncated,
    /// The answer comes late.
    Slow(Duration),
}

/// A fault, where it strikes and how often.
#[derive(Clone, Debug)]
struct Rule {
    server: Server,
    method: String,
    path_prefix: String,
    skip: usize,
    left: usize,
    fault: Fault,
}

/// The faults that are switched on. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    switches: Arc<Mutex<Switches>>,
}

#[derive(Debug, Default)]
struct Switches {
    rules: Vec<Rule>,
    token_epoch: u64,
    no_rate_limits: bool,
    old_jamf: bool,
    stuck_slow: Option<Duration>,
    clock_errors: HashMap<Server, chrono::Duration>,
}

impl Faults {
    /// The next `count` requests with this method (empty: any) and path prefix meet `fault`.
    pub fn inject(
        &self,
        server: Server,
        method: &str,
        path_prefix: &str,
        count: usize,
        fault: Fault,
    ) {
        self.inject_after(server, method, path_prefix, 0, count, fault);
    }

    /// As [`Faults::inject`], but the first `skip` matching requests pass.
    pub fn inject_after(
        &self,
        server: Server,
        method: &str,
        path_prefix: &str,
        skip: usize,
        count: usize,
        fault: Fault,
    ) {
        self.switches().rules.push(Rule {
            server,
            method: method.to_owned(),
            path_prefix: path_prefix.to_owned(),
            skip,
            left: count,
            fault,
        });
    }

    /// Switches every fault off.
    pub fn clear(&self) {
        let mut switches = self.switches();
        switches.rules.clear();
        switches.stuck_slow = None;
        switches.old_jamf = false;
        switches.clock_errors.clear();
    }

    /// How many injected faults have not struck yet.
    pub fn pending(&self) -> usize {
        self.switches().rules.iter().map(|rule| rule.left).sum()
    }

    /// Every access token given out so far stops working, on every server.
    pub fn expire_tokens(&self) {
        self.switches().token_epoch += 1;
    }

    /// The servers stop counting requests: for benchmarks of the client.
    pub fn lift_rate_limits(&self) {
        self.switches().no_rate_limits = true;
    }

    /// Jamf Pro behaves like a release that has no v4 inventory yet.
    pub fn jamf_without_v4(&self, old: bool) {
        self.switches().old_jamf = old;
    }

    /// Every answer of every server takes this long.
    pub fn slow_down(&self, by: Duration) {
        self.switches().stuck_slow = Some(by);
    }

    /// The clock of this server is wrong by so much, ahead if positive: its `Date` header shows it, and
    /// Okta judges the times in assertions and proofs by it.
    pub fn skew_clock(&self, server: Server, by: chrono::Duration) {
        self.switches().clock_errors.insert(server, by);
    }

    pub(crate) fn clock_error(&self, server: Server) -> chrono::Duration {
        let errors = &self.switches().clock_errors;
        errors.get(&server).copied().unwrap_or_default()
    }

    /// Tokens carry the epoch they were given out in; an older one has expired.
    pub(crate) fn token_epoch(&self) -> u64 {
        self.switches().token_epoch
    }

    pub(crate) fn rate_limits_lifted(&self) -> bool {
        self.switches().no_rate_limits
    }

    pub(crate) fn jamf_is_old(&self) -> bool {
        self.switches().old_jamf
    }

    /// The fault that strikes this request, counted down.
    pub(crate) fn strike(&self, server: Server, method: &str, path: &str) -> Option<Fault> {
        let mut switches = self.switches();
        let slow = switches.stuck_slow.map(Fault::Slow);
        let rule = switches.rules.iter_mut().find(|rule| {
            rule.left > 0
                && rule.server == server
                && (rule.method.is_empty() || rule.method == method)
                && path.starts_with(&rule.path_prefix)
        });
        match rule {
            Some(rule) if rule.skip > 0 => {
                rule.skip -= 1;
                slow
            }
            Some(rule) => {
                rule.left -= 1;
                Some(rule.fault.clone())
            }
            None => slow,
        }
    }

    fn switches(&self) -> MutexGuard<'_, Switches> {
        self.switches
            .lock()
            .expect("no code panics while it holds the faults")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_as_often_as_it_was_injected() {
        let faults = Faults::default();
        faults.inject_after(
            Server::Okta,
            "GET",
            "/api/v1/devices",
            1,
            1,
            Fault::Status(500),
        );
        let strike = || faults.strike(Server::Okta, "GET", "/api/v1/devices?limit=2");
        assert_eq!(strike(), None);
        assert_eq!(faults.strike(Server::Okta, "GET", "/api/v1/logs"), None);
        assert_eq!(strike(), Some(Fault::Status(500)));
        assert_eq!(strike(), None);
        assert_eq!(faults.pending(), 0);
    }
}
