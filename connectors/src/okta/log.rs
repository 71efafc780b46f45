//! The System Log: the polling query that never ends, and bounded queries about one user.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use unstuck_domain::{LogFact, UserId};

use super::endpoints::LOG;
use super::facts::{Event, facts};
use super::{OktaClient, next_page};
use crate::http::{Call, Lenient};
use crate::{LogCursor, LogPage, LogScope, Result};

/// The largest page that the log gives.
const PAGE: &str = "1000";

/// Okta keeps less; an event from before, or from the future, has a broken time.
const OLDEST: TimeDelta = TimeDelta::days(400);
const LATEST: TimeDelta = TimeDelta::hours(24);

/// Event types that tell of certificates, device records, and org-wide changes.
const CHANGES: &[&str] = &[
    "pki.cert.issue",
    "pki.cert.renew",
    "pki.cert.bind",
    "pki.cert.revoke",
    "pki.cert.lifecycle.revoke",
    "pki.cert.lifecycle.suspend",
    "pki.cert.lifecycle.delete",
    "pki.cert.crl_download_failure",
    "pki.ca.add",
    "pki.ca.delete",
    "pki.ca.renew",
    "pki.ca.expiration.warn",
    "pki.ca.scope.mapping.update",
    "device.enrollment.create",
    "device.lifecycle.activate",
    "device.lifecycle.deactivate",
    "device.lifecycle.suspend",
    "device.lifecycle.unsuspend",
    "device.lifecycle.delete",
    "device.platform.add",
    "device.platform.update",
    "device.platform.delete",
    "device.platform.renew",
    "device.platform.secret_key.reset",
    "policy.lifecycle.update",
    "policy.rule.add",
    "policy.rule.update",
    "policy.rule.delete",
    "application.policy.sign_on.update",
    "application.policy.sign_on.rule.create",
    "application.policy.sign_on.rule.delete",
];

/// Event types of a sign-in. Only the first says which factor; any of them may name the device.
const SIGN_INS: &[&str] = &[
    "user.authentication.auth_via_mfa",
    "user.authentication.sso",
    "user.authentication.verify",
    "user.session.start",
    "policy.evaluate_sign_on",
];

impl OktaClient {
    /// One page in polling mode: no `until`, ascending, hence in the order of persistence and complete.
    pub(super) async fn poll(&self, scope: LogScope, cursor: &LogCursor) -> Result<LogPage> {
        let call = match cursor {
            LogCursor::Next(link) => Call::link(&LOG, link.clone()),
            LogCursor::Since(since) => Call::new(&LOG)
                .query("since", timestamp(*since))
                .query("sortOrder", "ASCENDING")
                .query("limit", PAGE)
                .query("filter", any_of(types(scope))),
        };
        let answer = self.http.read(&call).await?;
        let read_at = self.read_at(&answer)?;
        let next = answer.next_link().map(LogCursor::Next);
        let page: Lenient<Event> = answer.json().await?;
        page.warn_of_skipped(LOG.name);
        Ok(LogPage {
            events: page.records.len() + page.skipped,
            facts: plausible(facts(&page.records), read_at),
            // Okta always sends one on a polling query; without it the old place is still right.
            next: next.or_else(|| match cursor {
                LogCursor::Next(_) => Some(cursor.clone()),
                LogCursor::Since(_) => None,
            }),
            read_at,
        })
    }

    /// Sign-ins and binds of one user, in a bounded query to the page without a next link.
    pub(super) async fn log_of_user(
        &self,
        user: &UserId,
        since: DateTime<Utc>,
    ) -> Result<Vec<LogFact>> {
        let until = self.vendor_now().await?;
        let types = SIGN_INS.iter().chain(&["pki.cert.bind"]).copied();
        let filter = format!(
            "actor.id eq {} and ({})",
            quote(user.as_str()),
            any_of(types.collect())
        );
        let mut call = Call::new(&LOG)
            .query("since", timestamp(since))
            .query("until", timestamp(until))
            .query("sortOrder", "ASCENDING")
            .query("limit", PAGE)
            .query("filter", filter);
        let mut events = Vec::new();
        let mut last: Option<String> = None;
        loop {
            let answer = self.http.read(&call).await?;
            let next = next_page(&answer, last.as_deref())?;
            let page: Lenient<Event> = answer.json().await?;
            page.warn_of_skipped(LOG.name);
            events.extend(page.records);
            let Some(next) = next else { break };
            call = Call::link(&LOG, next.clone());
            last = Some(next);
        }
        Ok(plausible(facts(&events), until))
    }
}

/// Without facts of an impossible time: the ledger keeps the last of each kind, and would keep such a one for ever.
fn plausible(mut facts: Vec<LogFact>, now: DateTime<Utc>) -> Vec<LogFact> {
    let all = facts.len();
    facts.retain(|fact| fact.at > now - OLDEST && fact.at < now + LATEST);
    if facts.len() < all {
        tracing::warn!(
            records.skipped = all - facts.len(),
            "left out log events of an impossible time"
        );
    }
    facts
}

fn types(scope: LogScope) -> Vec<&'static str> {
    match scope {
        LogScope::Changes => CHANGES.to_vec(),
        LogScope::SignIns => SIGN_INS.to_vec(),
        LogScope::All => [CHANGES, SIGN_INS].concat(),
    }
}

fn any_of(types: Vec<&str>) -> String {
    let terms: Vec<String> = types
        .into_iter()
        .map(|event_type| format!("eventType eq {}", quote(event_type)))
        .collect();
    terms.join(" or ")
}

/// A SCIM string.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
