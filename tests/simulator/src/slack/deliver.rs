//! Bringing something to the app, over whichever way it listens, until it is acknowledged.

use serde_json::{Value, json};

use super::SlackWorkspace;

/// What is delivered; it decides the way, the retries and the meaning of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Interactive,
    SlashCommands,
    EventsApi,
}

impl Kind {
    fn envelope_type(self) -> &'static str {
        match self {
            Kind::Interactive => "interactive",
            Kind::SlashCommands => "slash_commands",
            Kind::EventsApi => "events_api",
        }
    }
}

/// Why a delivery failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DeliveryError {
    /// No Socket Mode connection, and none came in time.
    NoConnection,
    /// Sent, and never acknowledged in time.
    NotAcknowledged { attempts: u32 },
    /// The app's URL answered with this status.
    Status(u16),
    /// The app's URL could not be reached.
    Unreachable(String),
}

/// An acknowledged delivery.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    pub(super) attempts: u32,
    /// What came with the acknowledgement.
    pub(super) answer: Option<Value>,
}

impl SlackWorkspace {
    pub(super) async fn deliver(
        &self,
        kind: Kind,
        payload: &Value,
    ) -> Result<Acknowledged, DeliveryError> {
        let twice = std::mem::take(&mut self.state().faults.duplicate_once);
        match self.http_endpoints() {
            Some(endpoints) => {
                let url = match kind {
                    Kind::Interactive => endpoints.interactions,
                    Kind::SlashCommands => endpoints.commands,
                    Kind::EventsApi => endpoints.events,
                };
                if twice {
                    let (first, _second) = tokio::join!(
                        self.deliver_http(&url, kind, payload),
                        self.deliver_http(&url, kind, payload)
                    );
                    return first;
                }
                self.deliver_http(&url, kind, payload).await
            }
            None if twice => {
                let (first, _second) = tokio::join!(
                    self.deliver_socket(kind, payload),
                    self.deliver_socket(kind, payload)
                );
                first
            }
            None => self.deliver_socket(kind, payload).await,
        }
    }

    async fn deliver_socket(
        &self,
        kind: Kind,
        payload: &Value,
    ) -> Result<Acknowledged, DeliveryError> {
        let timing = &self.config().timing;
        let mut last = None;
        for attempt in 0..=timing.redeliveries {
            if !self.connection_available(timing.ack_within).await {
                return Err(match attempt {
                    0 => DeliveryError::NoConnection,
                    attempts => DeliveryError::NotAcknowledged { attempts },
                });
            }
            let retry = (attempt > 0).then_some(attempt);
            // A connection that ends between the check and the sending costs this attempt.
            let Some((connection, envelope_id, acknowledgement)) =
                self.send_envelope(kind.envelope_type(), payload, retry, last)
            else {
                continue;
            };
            last = Some(connection);
            match tokio::time::timeout(timing.ack_within, acknowledgement).await {
                Ok(Ok(answer)) => {
                    return Ok(Acknowledged {
                        attempts: attempt + 1,
                        answer,
                    });
                }
                // The connection ended first.
                Ok(Err(_closed)) => {}
                Err(_elapsed) => self.forget_envelope(&envelope_id),
            }
        }
        Err(DeliveryError::NotAcknowledged {
            attempts: timing.redeliveries + 1,
        })
    }

    /// Events are tried again, clicks and commands are not ("Events API", "Retries").
    async fn deliver_http(
        &self,
        url: &str,
        kind: Kind,
        payload: &Value,
    ) -> Result<Acknowledged, DeliveryError> {
        let retries = if kind == Kind::EventsApi {
            self.config().timing.redeliveries
        } else {
            0
        };
        let mut attempt = 0;
        loop {
            let retry = (attempt > 0).then_some(attempt);
            match self.post_signed(url, kind, payload, retry).await {
                Ok(body) => {
                    return Ok(Acknowledged {
                        attempts: attempt + 1,
                        answer: answer(kind, &body),
                    });
                }
                Err(DeliveryError::NotAcknowledged { .. }) if attempt >= retries => {
                    return Err(DeliveryError::NotAcknowledged {
                        attempts: attempt + 1,
                    });
                }
                Err(error) if attempt >= retries => return Err(error),
                Err(_again) => attempt += 1,
            }
        }
    }
}

/// An empty body says nothing; a slash command's plain text, or JSON without content, is shown as
/// it is, which is how a careless `{}` ends up in front of the person.
fn answer(kind: Kind, body: &str) -> Option<Value> {
    if body.trim().is_empty() {
        return None;
    }
    let parsed = serde_json::from_str::<Value>(body)
        .ok()
        .filter(Value::is_object);
    match (kind, parsed) {
        (Kind::SlashCommands, Some(reply))
            if reply["text"].is_null() && reply["blocks"].is_null() =>
        {
            Some(json!({"text": body}))
        }
        (Kind::SlashCommands, None) => Some(json!({"text": body})),
        (_, parsed) => parsed,
    }
}
