//! Everything that went over the wire and everything it changed, so that a test can judge what was
//! lost, doubled or done without approval.

use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use serde::Serialize;

/// One of the simulated servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    /// The Okta org.
    Okta,
    /// Microsoft Graph and the Microsoft login service.
    Graph,
    /// Jamf Pro.
    Jamf,
    /// Slack's Web API and Socket Mode.
    Slack,
}

/// Numbers the requests of one simulator, in the order they arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct RequestId(pub u64);

/// One request as the server saw it and what it answered.
#[derive(Clone, Debug, Serialize)]
pub struct RecordedRequest {
    /// Its number.
    pub id: RequestId,
    /// When it arrived, in simulated time.
    pub at: DateTime<Utc>,
    /// Who was asked.
    pub server: Server,
    /// The HTTP method.
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// The body, as text.
    pub body: String,
    /// The status answered; `None` while it runs or when the answer was withheld.
    pub status: Option<u16>,
    /// Whether the server accepted the caller's credentials.
    pub authenticated: bool,
    /// The fault that was injected into it.
    pub fault: Option<String>,
}

/// One change of the world that a request caused directly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordedEffect {
    /// When it happened, in simulated time.
    pub at: DateTime<Utc>,
    /// The request that caused it; `None` when a test caused it.
    pub request: Option<RequestId>,
    /// What kind of change, such as `okta.group.member.add`.
    pub kind: String,
    /// What was changed.
    pub target: String,
    /// The value before.
    pub before: String,
    /// The value after; equal to `before` when the call changed nothing.
    pub after: String,
}

impl RecordedEffect {
    /// Whether the call changed anything at all.
    pub fn changed(&self) -> bool {
        self.before != self.after
    }
}

/// The record of requests and effects. Clones share one record.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    entries: Arc<Mutex<Entries>>,
}

#[derive(Debug, Default)]
struct Entries {
    requests: Vec<RecordedRequest>,
    effects: Vec<RecordedEffect>,
    keep_reads: Option<usize>,
    issued: u64,
}

impl Ledger {
    /// Every request so far.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.entries().requests.clone()
    }

    /// The requests to one server whose path begins with `path_prefix`; an empty method means any.
    pub fn requests_to(
        &self,
        server: Server,
        method: &str,
        path_prefix: &str,
    ) -> Vec<RecordedRequest> {
        self.entries()
            .requests
            .iter()
            .filter(|request| request.server == server)
            .filter(|request| method.is_empty() || request.method == method)
            .filter(|request| request.path.starts_with(path_prefix))
            .cloned()
            .collect()
    }

    /// Every effect so far, in order.
    pub fn effects(&self) -> Vec<RecordedEffect> {
        self.entries().effects.clone()
    }

    /// The effects whose kind begins with `kind_prefix`.
    pub fn effects_of(&self, kind_prefix: &str) -> Vec<RecordedEffect> {
        self.entries()
            .effects
            .iter()
            .filter(|effect| effect.kind.starts_with(kind_prefix))
            .cloned()
            .collect()
    }

    /// Forgets what was recorded so far.
    pub fn clear(&self) {
        let mut entries = self.entries();
        entries.requests.clear();
        entries.effects.clear();
    }

    /// Keeps only the latest `count` requests: long demos and benchmarks read a lot.
    pub fn keep_latest_requests(&self, count: usize) {
        self.entries().keep_reads = Some(count);
    }

    pub(crate) fn open(
        &self,
        at: DateTime<Utc>,
        server: Server,
        method: &str,
        path: &str,
        body: String,
    ) -> RequestId {
        let mut entries = self.entries();
        if let Some(keep) = entries.keep_reads
            && entries.requests.len() > keep * 2
        {
            let surplus = entries.requests.len() - keep;
            entries.requests.drain(..surplus);
        }
        entries.issued += 1;
        let id = RequestId(entries.issued);
        entries.requests.push(RecordedRequest {
            id,
            at,
            server,
            method: method.to_owned(),
            path: path.to_owned(),
            body,
            status: None,
            authenticated: false,
            fault: None,
        });
        id
    }

    pub(crate) fn close(
        &self,
        id: RequestId,
        status: Option<u16>,
        authenticated: bool,
        fault: Option<String>,
    ) {
        let mut entries = self.entries();
        let found = entries
            .requests
            .binary_search_by_key(&id, |request| request.id);
        if let Ok(index) = found {
            let request = &mut entries.requests[index];
            request.status = status;
            request.authenticated = authenticated;
            request.fault = fault;
        }
    }

    pub(crate) fn effect(&self, effect: RecordedEffect) {
        self.entries().effects.push(effect);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries
            .lock()
            .expect("no code panics while it holds the ledger")
    }
}
