//! The System Log in the order Okta persisted it. Events are kept small and worded when they are
//! read, because a large fleet has hundreds of thousands.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Changed, Client, Id, State};

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct LogEvent {
    pub uuid: Uuid,
    pub published: DateTime<Utc>,
    pub kind: &'static str,
    pub outcome: &'static str,
    pub reason: Option<&'static str>,
    pub actor: Actor,
    /// The device context, with the flags as they were at that attempt.
    pub device: Option<LogDevice>,
    pub targets: Vec<Target>,
    /// The sign-in it belongs to.
    pub session: Option<u32>,
    /// `debugContext.debugData.factor`.
    pub factor: Option<&'static str>,
    /// The browser and the network it came from.
    pub client: Client,
    /// The session of the machine itself that stood for a factor (Device-Bound SSO).
    pub device_session: Option<Id>,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    User(Id),
    /// An admin outside the fleet.
    Admin,
    /// A service that came with an API token, by the token's id.
    Token(&'static str),
    System,
}

/// The device of a sign-in event.
#[derive(Clone, Debug)]
pub(crate) struct LogDevice {
    pub id: Id,
    pub managed: bool,
    pub registered: bool,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    User(Id),
    Device(Id),
    App(Id),
    Rule(Id),
    Group(Id),
    /// An Okta Verify enrolment, and how it was used.
    Enrolment {
        id: Id,
        used: Method,
    },
    /// A certificate by serial.
    Certificate(Id),
    /// A setting of the whole org.
    Change(Changed),
}

/// How an Okta Verify enrolment proved its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// FastPass that reached the machine itself, on the loopback interface or by the SSO extension.
    FastPass,
    /// FastPass by a link to the app: no proof against phishing.
    FastPassByLink,
    Push,
}

impl State {
    /// Adds an event, published now.
    pub(crate) fn log(&mut self, mut event: LogEvent) {
        event.published = self.now;
        self.log.push(event);
    }

    /// An event of this kind that happens now and succeeds.
    pub(crate) fn event(
        &mut self,
        kind: &'static str,
        actor: Actor,
        targets: Vec<Target>,
    ) -> LogEvent {
        LogEvent {
            uuid: self.ids.uuid(),
            published: self.now,
            kind,
            outcome: "SUCCESS",
            reason: None,
            actor,
            device: None,
            targets,
            session: None,
            factor: None,
            client: Client::default(),
            device_session: None,
        }
    }
}
