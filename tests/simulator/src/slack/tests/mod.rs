//! The workspace over real connections: an app that speaks HTTP and web sockets, and one person.

mod http_mode;
mod messages;
mod people;
mod sockets;
mod views;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use chrono::DateTime;
use futures_util::{SinkExt, StreamExt};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::{SlackConfig, SlackWorkspace};
use crate::clock::SimClock;

/// A served workspace with a channel, two people in it and the bot.
struct Served {
    slack: SlackWorkspace,
    ann: String,
    ben: String,
    channel: String,
}

async fn served() -> Served {
    served_with(|_| {}).await
}

async fn served_with(change: impl FnOnce(&mut SlackConfig)) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let clock = SimClock::manual(DateTime::from_timestamp(1_795_420_000, 0).unwrap());
    let mut config = SlackConfig::new(base, clock);
    change(&mut config);
    let slack = SlackWorkspace::new(config);
    let router = slack.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let person = |name: &str| slack.add_person(&format!("{name}@acme.test"), name);
    let (ann, ben) = (person("ann"), person("ben"));
    let bot = slack.config().bot_user_id.clone();
    let channel = slack.add_channel("fleet-repairs", false, [&*ann, &*ben, &*bot]);
    Served {
        slack,
        ann,
        ben,
        channel,
    }
}

/// An answer: status, `Retry-After` and body.
struct Answer {
    status: StatusCode,
    retry_after: Option<String>,
    body: Value,
}

async fn send(request: Request<Body>) -> Result<Answer, String> {
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
    let response = client
        .request(request)
        .await
        .map_err(|error| error.to_string())?;
    let status = response.status();
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .map(|value| value.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(Body::new(response.into_body()), 1 << 22)
        .await
        .map_err(|error| error.to_string())?;
    let body = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    Ok(Answer {
        status,
        retry_after,
        body,
    })
}

impl Served {
    async fn try_call(&self, method: &str, body: Value) -> Result<Answer, String> {
        let config = self.slack.config();
        let token = if method == "apps.connections.open" {
            &config.app_token
        } else {
            &config.bot_token
        };
        let request = Request::post(format!("{}/api/{method}", config.base_url))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .body(Body::from(body.to_string()));
        send(request.unwrap()).await
    }

    /// Calls a method and gives the body.
    async fn call(&self, method: &str, body: Value) -> Value {
        self.try_call(method, body).await.unwrap().body
    }

    /// Calls a method that must succeed.
    async fn ok(&self, method: &str, body: Value) -> Value {
        let body = self.call(method, body).await;
        assert_eq!(body["ok"], true, "{method}: {body}");
        body
    }

    /// Calls a method that must fail, and gives the error's code.
    async fn error(&self, method: &str, body: Value) -> String {
        let body = self.call(method, body).await;
        assert_eq!(body["ok"], false, "{method}: {body}");
        body["error"].as_str().unwrap().to_owned()
    }

    /// Posts to a response URL.
    async fn respond(&self, url: &str, body: Value) -> Answer {
        let request = Request::post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()));
        send(request.unwrap()).await.unwrap()
    }

    /// Posts the card and gives its timestamp.
    async fn post_card(&self) -> String {
        let posted = self.ok(
            "chat.postMessage",
            json!({"channel": self.channel, "text": "Approval needed", "blocks": card(),
            "metadata": {"event_type": "proposal", "event_payload": {"proposal": "P-1"}}}),
        );
        posted.await["ts"].as_str().unwrap().to_owned()
    }

    async fn connect(&self) -> App {
        let opened = self.ok("apps.connections.open", json!({})).await;
        let mut app = App {
            socket: open(opened["url"].as_str().unwrap()).await.unwrap(),
        };
        assert_eq!(app.next().await["type"], "hello");
        app
    }
}

/// A card with a button, a menu and a text without ids.
fn card() -> Value {
    json!([
        {"type": "section", "text": {"type": "mrkdwn", "text": "*Re-push to 27 Macs*"}},
        {"type": "actions", "block_id": "P-1:1:a", "elements": [
            {"type": "button", "action_id": "p.approve", "text": {"type": "plain_text", "text": "Approve"}, "value": "P-1|1|abc"},
            {"type": "overflow", "action_id": "p.more", "options": [
                {"text": {"type": "plain_text", "text": "Canary only"}, "value": "canary|P-1"},
                {"text": {"type": "plain_text", "text": "Snooze"}, "value": "snooze|P-1"},
            ]},
        ]},
    ])
}

async fn open(url: &str) -> Result<WebSocketStream<TcpStream>, String> {
    let host = url
        .strip_prefix("ws://")
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let stream = TcpStream::connect(host).await.unwrap();
    let (socket, _) = tokio_tungstenite::client_async(url, stream)
        .await
        .map_err(|error| error.to_string())?;
    Ok(socket)
}

/// The app's end of one Socket Mode connection.
struct App {
    socket: WebSocketStream<TcpStream>,
}

impl App {
    /// The next message that is not a ping.
    async fn next(&mut self) -> Value {
        self.try_next().await.expect("the connection is open")
    }

    async fn try_next(&mut self) -> Option<Value> {
        let wait = Duration::from_secs(10);
        loop {
            match tokio::time::timeout(wait, self.socket.next())
                .await
                .expect("a message arrives in time")?
            {
                Ok(Frame::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Frame::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn ack(&mut self, envelope: &Value, payload: Option<Value>) {
        let mut ack = json!({"envelope_id": envelope["envelope_id"]});
        if let Some(payload) = payload {
            ack["payload"] = payload;
        }
        self.socket
            .send(Frame::text(ack.to_string()))
            .await
            .unwrap();
    }

    /// Acknowledges the next envelope and gives its payload.
    async fn answer(&mut self, payload: Option<Value>) -> Value {
        let envelope = self.next().await;
        self.ack(&envelope, payload).await;
        envelope["payload"].clone()
    }
}
