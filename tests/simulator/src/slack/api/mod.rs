//! The Web API: one door for every method, which checks token, scopes, rate and armed faults.

mod arguments;
mod chat;
mod conversations;
mod people;
mod views;

use std::borrow::Cow;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use arguments::Arguments;

use super::faults::ApiFault;
use super::state::Draft;
use super::{SlackWorkspace, block_limits};
use crate::http::Authenticated;

pub(super) use views::check as check_view;

/// An `ok: false` answer.
pub(super) struct ApiError {
    code: Cow<'static, str>,
    more: Map<String, Value>,
}

impl ApiError {
    fn with_messages(code: &'static str, messages: Vec<String>) -> Self {
        let Value::Object(more) =
            json!({"errors": messages, "response_metadata": {"messages": messages}})
        else {
            unreachable!("the literal is an object");
        };
        Self {
            code: code.into(),
            more,
        }
    }
}

impl From<&'static str> for ApiError {
    fn from(code: &'static str) -> Self {
        Self {
            code: code.into(),
            more: Map::new(),
        }
    }
}

impl From<ApiError> for Value {
    fn from(error: ApiError) -> Self {
        let mut body = error.more;
        body.insert("ok".into(), json!(false));
        body.insert("error".into(), json!(error.code));
        Value::Object(body)
    }
}

type Answer = Result<Value, ApiError>;

/// Serves `GET` and `POST /api/{method}`.
pub(super) async fn call(
    State(workspace): State<SlackWorkspace>,
    Path(method): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = workspace.state().faults.take(&method);
    match &fault {
        Some(ApiFault::RateLimited { retry_after }) => return rate_limited(*retry_after),
        Some(ApiFault::Status(status)) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return (
                status,
                Json(json!({"ok": false, "error": "internal_error"})),
            )
                .into_response();
        }
        Some(ApiFault::Error(code)) => return failed(code),
        Some(ApiFault::HangBefore) => return hang(&workspace).await,
        Some(ApiFault::DropBefore) => return broken(),
        Some(ApiFault::ErrorAfter(_) | ApiFault::HangAfter | ApiFault::DropAfter) | None => {}
    }
    let arguments = match Arguments::read(query.as_deref(), &headers, &body) {
        Ok(arguments) => arguments,
        Err(code) => return failed(code),
    };
    if let Err(retry_after) =
        workspace.count_call(&method, arguments.text("channel").unwrap_or_default())
    {
        return rate_limited(retry_after);
    }
    let authorized = workspace.authorize(&method, &headers, &arguments);
    let token_accepted = authorized.is_ok();
    let answer = authorized.and_then(|()| workspace.dispatch(&method, &arguments));
    match fault {
        Some(ApiFault::ErrorAfter(code)) => return failed(&code),
        Some(ApiFault::HangAfter) => return hang(&workspace).await,
        Some(ApiFault::DropAfter) => return broken(),
        _ => {}
    }
    let mut response = Json(match answer {
        Ok(mut body) => {
            body["ok"] = json!(true);
            body
        }
        Err(error) => error.into(),
    })
    .into_response();
    if token_accepted {
        response.extensions_mut().insert(Authenticated);
        if let Ok(scopes) = HeaderValue::from_str(&workspace.granted_scopes()) {
            response.headers_mut().insert("x-oauth-scopes", scopes);
        }
    }
    response
}

fn failed(code: &str) -> Response {
    Json(json!({"ok": false, "error": code})).into_response()
}

fn rate_limited(retry_after: u32) -> Response {
    let body = Json(json!({"ok": false, "error": "ratelimited"}));
    let headers = [(header::RETRY_AFTER, retry_after.to_string())];
    (StatusCode::TOO_MANY_REQUESTS, headers, body).into_response()
}

async fn hang(workspace: &SlackWorkspace) -> Response {
    tokio::select! {
        () = workspace.inner.stopping.cancelled() => {}
        () = tokio::time::sleep(workspace.config().timing.hang_for) => {}
    }
    (
        StatusCode::GATEWAY_TIMEOUT,
        Json(json!({"ok": false, "error": "request_timeout"})),
    )
        .into_response()
}

/// Promises a body and breaks the connection instead.
fn broken() -> Response {
    let cut = futures_util::stream::once(async {
        Err::<Bytes, _>(std::io::Error::other("simulated connection loss"))
    });
    (
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CONTENT_LENGTH, "64"),
        ],
        Body::from_stream(cut),
    )
        .into_response()
}

impl SlackWorkspace {
    fn count_call(&self, method: &str, channel: &str) -> Result<(), u32> {
        self.state()
            .buckets
            .take(self.config().limits, method, channel)
    }

    /// Checks the bearer token, and the scope where a method needs a fixed one.
    fn authorize(
        &self,
        method: &str,
        headers: &HeaderMap,
        arguments: &Arguments,
    ) -> Result<(), ApiError> {
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let token = bearer
            .or_else(|| arguments.text("token"))
            .ok_or("not_authed")?;
        if method == "apps.connections.open" {
            return match token {
                token if token == self.config().app_token => Ok(()),
                token if token.starts_with("xapp-") => Err("invalid_auth".into()),
                _ => Err("not_allowed_token_type".into()),
            };
        }
        if token.starts_with("xapp-") {
            return Err("not_allowed_token_type".into());
        }
        let known = self.state().bot_token.clone()?;
        if token != known {
            return Err("invalid_auth".into());
        }
        match needed_scope(method) {
            Some(scope) => self.need_scope(scope),
            None => Ok(()),
        }
    }

    /// The scopes of the bot token, as headers and refusals list them.
    fn granted_scopes(&self) -> String {
        let state = self.state();
        let scopes: Vec<&str> = state.scopes.iter().map(String::as_str).collect();
        scopes.join(",")
    }

    fn need_scope(&self, scope: &str) -> Result<(), ApiError> {
        if self.state().scopes.contains(scope) {
            return Ok(());
        }
        let provided = self.granted_scopes();
        let mut error = ApiError::from("missing_scope");
        error.more.insert("needed".into(), json!(scope));
        error.more.insert("provided".into(), json!(provided));
        Err(error)
    }

    fn dispatch(&self, method: &str, arguments: &Arguments) -> Answer {
        match method {
            "api.test" => Ok(json!({})),
            "auth.test" => Ok(self.auth_test()),
            "apps.connections.open" => self.open_connection(),
            "blocks.validate" => self.validate(arguments),
            "chat.postMessage" => self.post_message(arguments),
            "chat.postEphemeral" => self.post_ephemeral(arguments),
            "chat.update" => self.update_message(arguments),
            "chat.delete" => self.delete_message(arguments),
            "chat.getPermalink" => self.permalink(arguments),
            "conversations.open" => self.open_conversation(arguments),
            "conversations.info" => self.conversation_info(arguments),
            "conversations.list" => self.list_conversations(arguments),
            "conversations.members" => self.conversation_members(arguments),
            "conversations.history" => self.history(arguments),
            "conversations.replies" => self.thread_replies(arguments),
            "team.info" => Ok(self.team_info()),
            "users.info" => self.user_info(arguments),
            "users.list" => self.list_users(arguments),
            "users.lookupByEmail" => self.lookup_by_email(arguments),
            "usergroups.list" => Ok(self.list_usergroups(arguments)),
            "usergroups.users.list" => self.list_usergroup_users(arguments),
            "views.open" => self.open_view(arguments),
            "views.push" => self.push_view(arguments),
            "views.update" => self.update_view(arguments),
            "views.publish" => self.publish_view(arguments),
            _ => Err("unknown_method".into()),
        }
    }

    fn auth_test(&self) -> Value {
        let config = self.config();
        json!({
            "url": format!("https://{}.slack.com/", config.team_domain), "team": config.team_name,
            "user": config.bot_name, "team_id": config.team_id, "user_id": config.bot_user_id,
            "bot_id": config.bot_id, "is_enterprise_install": false,
        })
    }

    fn team_info(&self) -> Value {
        let config = self.config();
        json!({"team": {"id": config.team_id, "name": config.team_name, "domain": config.team_domain, "email_domain": ""}})
    }

    fn open_connection(&self) -> Answer {
        if self.state().faults.socket_mode_off {
            return Err("link_disabled".into());
        }
        let ticket = self.state().next_token();
        let socket_base = self.config().base_url.replacen("http", "ws", 1);
        let url = format!(
            "{socket_base}/link/?ticket={ticket}&app_id={}",
            self.config().app_id
        );
        self.inner.sockets.add_ticket(ticket);
        Ok(json!({"url": url}))
    }

    fn validate(&self, arguments: &Arguments) -> Answer {
        let given = ["blocks", "message", "view"].map(|key| arguments.json(key));
        let (code, problems) = match given {
            [Some(list), None, None] => ("invalid_blocks", list_problems(list)),
            [None, Some(message), None] => ("invalid_message", list_problems(&message["blocks"])),
            [None, None, Some(view)] => ("invalid_view", views::problems(view)),
            _ => return Err("invalid_arguments".into()),
        };
        if problems.is_empty() {
            return Ok(json!({}));
        }
        let mut error = ApiError::from(code);
        let listed: Vec<_> = problems
            .iter()
            .map(|problem| json!({"message": problem}))
            .collect();
        error.more.insert("errors".into(), json!(listed));
        Err(error)
    }
}

fn list_problems(list: &Value) -> Vec<String> {
    match list.as_array() {
        Some(list) => block_limits::problems(list, block_limits::Surface::Message),
        None => vec!["[ERROR] must provide an array [json-pointer:/blocks]".into()],
    }
}

/// The scope a method needs whatever its arguments are.
fn needed_scope(method: &str) -> Option<&'static str> {
    match method {
        "chat.postMessage" | "chat.postEphemeral" | "chat.update" | "chat.delete" => {
            Some("chat:write")
        }
        "conversations.open" => Some("im:write"),
        "team.info" => Some("team:read"),
        "users.info" | "users.list" => Some("users:read"),
        "users.lookupByEmail" => Some("users:read.email"),
        "usergroups.list" | "usergroups.users.list" => Some("usergroups:read"),
        _ => None,
    }
}

/// What the caller wants to say, checked against the limits of "chat.postMessage".
fn draft(arguments: &Arguments) -> Result<Draft, ApiError> {
    let list = |key: &str, code: &'static str| match arguments.json(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(_) => Err(ApiError::from(code)),
    };
    let blocks = list("blocks", "invalid_blocks_format")?;
    let problems = block_limits::problems(&blocks, block_limits::Surface::Message);
    if !problems.is_empty() {
        return Err(ApiError::with_messages("invalid_blocks", problems));
    }
    let attachments = list("attachments", "invalid_attachments")?;
    if attachments.len() > 100 {
        return Err("too_many_attachments".into());
    }
    let text: String = arguments
        .text("text")
        .unwrap_or_default()
        .chars()
        .take(40_000)
        .collect();
    if text.is_empty() && blocks.is_empty() && attachments.is_empty() {
        return Err("no_text".into());
    }
    let metadata = match arguments.json("metadata") {
        None | Some(Value::Null) => None,
        Some(metadata)
            if metadata["event_type"].is_string() && metadata["event_payload"].is_object() =>
        {
            Some(metadata.clone())
        }
        Some(_) => return Err("invalid_metadata_format".into()),
    };
    Ok(Draft {
        text,
        blocks,
        attachments,
        metadata,
        thread_ts: arguments
            .text("thread_ts")
            .filter(|ts| !ts.is_empty())
            .map(str::to_owned),
        broadcast: arguments.flag("reply_broadcast"),
    })
}

/// The same for what comes as plain JSON: response URLs and acknowledgements.
pub(super) fn draft_from(body: &Value) -> Result<Draft, ApiError> {
    let fields = body.as_object().cloned().ok_or("invalid_payload")?;
    draft(&Arguments::from_fields(fields)?)
}
