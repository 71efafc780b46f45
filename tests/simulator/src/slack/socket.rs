//! Socket Mode: single-use tickets, up to ten connections, hello, envelopes, acknowledgements,
//! refreshes and sudden ends ("Using Socket Mode").

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::model::SlackChange;
use super::{SlackWorkspace, lock};
use crate::http::Authenticated;

/// Connections one app may have at a time.
const MOST_CONNECTIONS: usize = 10;

/// Every connection and every envelope under way.
pub(super) struct Sockets {
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    tickets: HashSet<String>,
    live: BTreeMap<u64, Connection>,
    pending: HashMap<String, Pending>,
    last_connection: u64,
    last_used: u64,
}

struct Connection {
    commands: mpsc::UnboundedSender<Command>,
    /// Told to go away: gets nothing new, may still acknowledge.
    retiring: bool,
    carried: u32,
}

struct Pending {
    connection: u64,
    acknowledged: oneshot::Sender<Option<Value>>,
}

enum Command {
    Send(String),
    /// Ends the connection without a goodbye.
    Drop,
}

impl Sockets {
    pub(super) fn new() -> Self {
        Self {
            shared: Mutex::default(),
        }
    }

    pub(super) fn add_ticket(&self, ticket: String) {
        self.lock().tickets.insert(ticket);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }

    fn count(&self) -> usize {
        self.lock()
            .live
            .values()
            .filter(|connection| !connection.retiring)
            .count()
    }
}

impl Shared {
    /// Takes the connections in turn.
    fn pick(&mut self, not: Option<u64>) -> Option<u64> {
        let usable = |id: &u64| !self.live[id].retiring;
        let after: Vec<u64> = self
            .live
            .range(self.last_used + 1..)
            .map(|(id, _)| *id)
            .collect();
        let before = self.live.range(..=self.last_used).map(|(id, _)| *id);
        let turn: Vec<u64> = after.into_iter().chain(before).filter(usable).collect();
        let other = turn
            .iter()
            .find(|id| Some(**id) != not)
            .or(turn.first())
            .copied()?;
        self.last_used = other;
        Some(other)
    }

    fn send(&mut self, id: u64, text: String) -> bool {
        self.live
            .get(&id)
            .is_some_and(|connection| connection.commands.send(Command::Send(text)).is_ok())
    }
}

/// The query of a socket URL.
#[derive(Deserialize)]
pub(super) struct Link {
    ticket: Option<String>,
}

/// Serves `GET /link/?ticket=…`.
///
/// The upgrade is done by hand: axum's own web sockets bring another version of tungstenite than
/// the rest of the workspace uses.
pub(super) async fn upgrade(
    State(workspace): State<SlackWorkspace>,
    Query(link): Query<Link>,
    headers: HeaderMap,
    mut request: Request,
) -> Response {
    let Some(key) = websocket_key(&headers) else {
        return refused(StatusCode::UPGRADE_REQUIRED, "websocket_expected");
    };
    let known = link
        .ticket
        .is_some_and(|ticket| workspace.inner.sockets.lock().tickets.remove(&ticket));
    if !known {
        return refused(StatusCode::FORBIDDEN, "invalid_ticket");
    }
    let upgrade = hyper::upgrade::on(&mut request);
    let serving = workspace.clone();
    workspace.inner.tasks.spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let socket =
                WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            serving.serve(socket).await;
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .expect("base64 is a header value");
    response.extensions_mut().insert(Authenticated);
    response.headers_mut().extend([
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ]);
    response
}

fn websocket_key(headers: &HeaderMap) -> Option<String> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let is_upgrade = text(header::UPGRADE)?.eq_ignore_ascii_case("websocket")
        && text(header::SEC_WEBSOCKET_VERSION)? == "13";
    is_upgrade.then(|| text(header::SEC_WEBSOCKET_KEY).map(str::to_owned))?
}

fn refused(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"ok": false, "error": error}))).into_response()
}

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

impl SlackWorkspace {
    /// How many connections can be given envelopes.
    pub fn connections(&self) -> usize {
        self.inner.sockets.count()
    }

    /// Cuts every connection without a goodbye.
    pub fn drop_connections(&self) {
        for connection in self.inner.sockets.lock().live.values() {
            // A connection that is ending by itself is as good as dropped.
            let _ = connection.commands.send(Command::Drop);
        }
    }

    /// Tells every connection to go away: `refresh_requested` or `link_disabled` take effect at
    /// once, `warning` only announces it.
    pub fn disconnect(&self, reason: &str) {
        let message = disconnect_message(reason);
        let mut sockets = self.inner.sockets.lock();
        for connection in sockets.live.values_mut() {
            // A connection that is ending by itself needs no notice.
            let _ = connection.commands.send(Command::Send(message.clone()));
            connection.retiring |= reason != "warning";
        }
    }

    /// Switches Socket Mode off (connections end, new ones are refused) or on again.
    pub fn set_socket_mode(&self, on: bool) {
        self.state().faults.socket_mode_off = !on;
        if !on {
            self.disconnect("link_disabled");
            self.drop_connections();
        }
    }

    async fn serve(&self, mut socket: Socket) {
        let Some((id, mut commands)) = self.register() else {
            let notice = disconnect_message("too_many_websockets");
            // The client may be gone already; there is nobody else to tell.
            let _ = socket.send(Frame::text(notice)).await;
            let _ = socket.close(None).await;
            return;
        };
        let mut ping = tokio::time::interval(self.config().timing.ping_every);
        ping.tick().await;
        loop {
            let sent = tokio::select! {
                () = self.inner.stopping.cancelled() => socket.close(None).await,
                _ = ping.tick() => socket.send(Frame::Ping("Ping from applink".into())).await,
                command = commands.recv() => match command {
                    Some(Command::Send(text)) => socket.send(Frame::text(text)).await,
                    Some(Command::Drop) | None => break,
                },
                frame = socket.next() => match frame {
                    Some(Ok(Frame::Text(text))) => {
                        self.receive_ack(text.as_str());
                        Ok(())
                    }
                    // Pings are answered by the protocol layer while we read.
                    Some(Ok(Frame::Close(_)) | Err(_)) | None => break,
                    Some(Ok(_)) => socket.flush().await,
                },
            };
            if sent.is_err() || self.inner.stopping.is_cancelled() {
                break;
            }
        }
        self.unregister(id);
    }

    /// Enters a connection and queues its hello; `None` if there are too many.
    fn register(&self) -> Option<(u64, mpsc::UnboundedReceiver<Command>)> {
        let mut sockets = self.inner.sockets.lock();
        let count = sockets
            .live
            .values()
            .filter(|connection| !connection.retiring)
            .count();
        if count >= MOST_CONNECTIONS {
            return None;
        }
        sockets.last_connection += 1;
        let id = sockets.last_connection;
        let (commands, received) = mpsc::unbounded_channel();
        sockets.live.insert(
            id,
            Connection {
                commands,
                retiring: false,
                carried: 0,
            },
        );
        let hello = json!({
            "type": "hello", "num_connections": count + 1,
            "connection_info": {"app_id": self.config().app_id},
            "debug_info": {"host": "applink-simulated", "build_number": 1, "approximate_connection_time": 18_060},
        });
        sockets.send(id, hello.to_string());
        drop(sockets);
        self.announce(SlackChange::Connections { count: count + 1 });
        Some((id, received))
    }

    fn unregister(&self, id: u64) {
        let mut sockets = self.inner.sockets.lock();
        sockets.live.remove(&id);
        // Dropping the senders tells the deliveries that this connection will not answer any more.
        sockets
            .pending
            .retain(|_, pending| pending.connection != id);
        drop(sockets);
        let count = self.connections();
        self.announce(SlackChange::Connections { count });
    }

    fn receive_ack(&self, text: &str) {
        let Ok(mut message) = serde_json::from_str::<Value>(text) else {
            tracing::warn!("a Socket Mode client sent something that is not JSON");
            return;
        };
        let Some(envelope_id) = message["envelope_id"].as_str().map(str::to_owned) else {
            return;
        };
        let delay = {
            let mut state = self.state();
            if state.faults.lost_acks > 0 {
                state.faults.lost_acks -= 1;
                return;
            }
            state.faults.ack_delay
        };
        let payload = Some(message["payload"].take()).filter(|payload| !payload.is_null());
        match delay {
            None => self.acknowledge(&envelope_id, payload),
            Some(delay) => {
                let workspace = self.clone();
                self.inner.tasks.spawn(async move {
                    tokio::select! {
                        () = workspace.inner.stopping.cancelled() => {}
                        () = tokio::time::sleep(delay) => workspace.acknowledge(&envelope_id, payload),
                    }
                });
            }
        }
    }

    fn acknowledge(&self, envelope_id: &str, payload: Option<Value>) {
        let pending = self.inner.sockets.lock().pending.remove(envelope_id);
        match pending {
            // The delivery may have given up in this moment; then the envelope comes again.
            Some(pending) => drop(pending.acknowledged.send(payload)),
            None => tracing::debug!(
                envelope_id,
                "acknowledgement for an envelope that is not awaited"
            ),
        }
    }

    /// Hands one envelope to any connection but preferably not `not`. Gives which one it was and
    /// what will tell about its acknowledgement.
    pub(super) fn send_envelope(
        &self,
        kind: &str,
        payload: &Value,
        retry: Option<u32>,
        not: Option<u64>,
    ) -> Option<(u64, String, oneshot::Receiver<Option<Value>>)> {
        let refresh_every = self.state().faults.refresh_every;
        let envelope_id = uuid_like(&self.state().next_token());
        let mut envelope = json!({
            "type": kind, "envelope_id": envelope_id, "payload": payload,
            "accepts_response_payload": kind != "events_api",
        });
        if let Some(attempt) = retry {
            envelope["retry_attempt"] = json!(attempt);
            envelope["retry_reason"] = json!("timeout");
        }
        let mut sockets = self.inner.sockets.lock();
        let id = sockets.pick(not)?;
        if !sockets.send(id, envelope.to_string()) {
            return None;
        }
        let (acknowledged, acknowledgement) = oneshot::channel();
        sockets.pending.insert(
            envelope_id.clone(),
            Pending {
                connection: id,
                acknowledged,
            },
        );
        let connection = sockets.live.get_mut(&id)?;
        connection.carried += 1;
        if refresh_every.is_some_and(|every| connection.carried >= every) {
            connection.retiring = true;
            sockets.send(id, disconnect_message("refresh_requested"));
        }
        Some((id, envelope_id, acknowledgement))
    }

    /// Stops waiting for an envelope: an acknowledgement from now on is too late.
    pub(super) fn forget_envelope(&self, envelope_id: &str) {
        self.inner.sockets.lock().pending.remove(envelope_id);
    }

    /// Waits until some connection can take an envelope.
    pub(super) async fn connection_available(&self, within: Duration) -> bool {
        self.wait_for_connections(1, within).await
    }
}

fn disconnect_message(reason: &str) -> String {
    json!({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-simulated"}})
        .to_string()
}

/// Writes a token in the usual grouping of envelope ids.
fn uuid_like(token: &str) -> String {
    format!(
        "{}-{}-{}-{}",
        &token[..8],
        &token[8..12],
        &token[12..16],
        &token[16..]
    )
}
