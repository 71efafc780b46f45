//! HTTP mode: deliveries as signed requests to the app's own URLs ("Verifying requests from Slack").

use axum::body::Body;
use axum::http::{Request, header};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use ring::hmac;
use serde_json::Value;
use url::form_urlencoded;

use super::deliver::{DeliveryError, Kind};
use super::{SlackWorkspace, lock};

/// The app's request URLs; plain `http://` only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpEndpoints {
    /// Clicks and modal submissions.
    pub interactions: String,
    /// Slash commands.
    pub commands: String,
    /// Events.
    pub events: String,
}

/// Most bytes of an answer that are read.
const LARGEST_ANSWER: usize = 1 << 20;

/// The `X-Slack-Signature` of a raw body at a time in seconds.
pub fn sign(secret: &str, timestamp: i64, body: &[u8]) -> String {
    let mut context =
        hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
    context.update(format!("v0:{timestamp}:").as_bytes());
    context.update(body);
    format!("v0={}", hex::encode(context.sign()))
}

/// The body a delivery has over HTTP, and its content type.
pub(super) fn encode(kind: Kind, payload: &Value) -> (String, &'static str) {
    const FORM: &str = "application/x-www-form-urlencoded";
    match kind {
        Kind::EventsApi => (payload.to_string(), "application/json"),
        Kind::Interactive => {
            let body = form_urlencoded::Serializer::new(String::new())
                .append_pair("payload", &payload.to_string())
                .finish();
            (body, FORM)
        }
        Kind::SlashCommands => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for (key, value) in payload.as_object().into_iter().flatten() {
                form.append_pair(key, value.as_str().unwrap_or_default());
            }
            (form.finish(), FORM)
        }
    }
}

impl SlackWorkspace {
    /// Delivers to the app's own URLs instead of sockets; `None` goes back to Socket Mode.
    pub fn use_http(&self, endpoints: Option<HttpEndpoints>) {
        *lock(&self.inner.http) = endpoints;
    }

    pub(super) fn http_endpoints(&self) -> Option<HttpEndpoints> {
        lock(&self.inner.http).clone()
    }

    /// Sends one signed request and gives the answer's body if it is a success.
    pub(super) async fn post_signed(
        &self,
        url: &str,
        kind: Kind,
        payload: &Value,
        retry: Option<u32>,
    ) -> Result<String, DeliveryError> {
        let (body, content_type) = encode(kind, payload);
        let timestamp = self.config().clock.now().timestamp();
        let signature = sign(&self.config().signing_secret, timestamp, body.as_bytes());
        let mut request = Request::post(url)
            .header(header::CONTENT_TYPE, content_type)
            .header(
                header::USER_AGENT,
                "Slackbot 1.0 (+https://api.slack.com/robots)",
            )
            .header("X-Slack-Request-Timestamp", timestamp.to_string())
            .header("X-Slack-Signature", signature);
        if let Some(attempt) = retry {
            request = request
                .header("X-Slack-Retry-Num", attempt.to_string())
                .header("X-Slack-Retry-Reason", "http_timeout");
        }
        let request = request
            .body(Body::from(body))
            .map_err(|error| DeliveryError::Unreachable(error.to_string()))?;
        let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
        let exchange = async {
            let response = client
                .request(request)
                .await
                .map_err(|error| DeliveryError::Unreachable(error.to_string()))?;
            let status = response.status();
            if !status.is_success() {
                return Err(DeliveryError::Status(status.as_u16()));
            }
            let body = axum::body::to_bytes(Body::new(response.into_body()), LARGEST_ANSWER).await;
            let body = body.map_err(|error| DeliveryError::Unreachable(error.to_string()))?;
            Ok(String::from_utf8_lossy(&body).into_owned())
        };
        match tokio::time::timeout(self.config().timing.ack_within, exchange).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(DeliveryError::NotAcknowledged { attempts: 1 }),
        }
    }
}
