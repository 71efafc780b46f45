//! Response URLs: a few answers to one interaction, for half an hour ("Handling user interaction").

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::SlackWorkspace;
use super::api::draft_from;
use super::faults::ApiFault;
use super::model::SlackChange;
use super::state::{Draft, ResponseUrl};
use crate::http::Authenticated;

/// How often a response URL can be used.
const MOST_USES: u32 = 5;

/// Serves `POST /actions/{team}/{token}` and `POST /commands/{team}/{token}`.
pub(super) async fn receive(
    State(workspace): State<SlackWorkspace>,
    Path((_team, token)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Response {
    let fault = workspace.state().faults.take("response_url");
    match fault {
        Some(ApiFault::RateLimited { retry_after }) => {
            let headers = [(header::RETRY_AFTER, retry_after.to_string())];
            return (
                StatusCode::TOO_MANY_REQUESTS,
                headers,
                Json(json!({"ok": false, "error": "ratelimited"})),
            )
                .into_response();
        }
        Some(ApiFault::Error(code)) => {
            return refused(StatusCode::NOT_FOUND, json!({"ok": false, "error": code}));
        }
        Some(_) => {
            return refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                json!({"ok": false, "error": "internal_error"}),
            );
        }
        None => {}
    }
    match workspace.respond(&token, &body) {
        Ok(()) => {
            let mut response = Json(json!({"ok": true})).into_response();
            response.extensions_mut().insert(Authenticated);
            response
        }
        Err((status, error)) => refused(status, error),
    }
}

fn refused(status: StatusCode, body: Value) -> Response {
    (status, Json(body)).into_response()
}

impl SlackWorkspace {
    fn respond(&self, token: &str, body: &Value) -> Result<(), (StatusCode, Value)> {
        let gone = |code: &str| (StatusCode::NOT_FOUND, json!({"ok": false, "error": code}));
        let valid_for = self.config().timing.response_url_valid_for;
        let target = {
            let mut state = self.state();
            let url = state
                .response_urls
                .get_mut(token)
                .ok_or_else(|| gone("invalid_url"))?;
            if url.expired || url.issued.elapsed() >= valid_for {
                return Err(gone("expired_url"));
            }
            if url.uses >= MOST_USES {
                return Err(gone("used_url"));
            }
            url.uses += 1;
            url.clone()
        };
        if body["delete_original"] == true {
            return self
                .delete_original(&target)
                .ok_or_else(|| gone("message_not_found"));
        }
        let draft =
            draft_from(body).map_err(|error| (StatusCode::BAD_REQUEST, Value::from(error)))?;
        if body["replace_original"] == true && target.message_ts.is_some() {
            return self
                .replace_original(&target, draft)
                .ok_or_else(|| gone("message_not_found"));
        }
        self.reply(&target, body["response_type"] == "in_channel", draft);
        Ok(())
    }

    /// Shows an answer to the person alone, or to everybody in the channel.
    pub(super) fn reply(
        &self,
        target: &ResponseUrl,
        in_channel: bool,
        mut draft: Draft,
    ) -> super::Message {
        let mut state = self.state();
        if draft.thread_ts.is_none() {
            draft.thread_ts.clone_from(&target.thread_ts);
        }
        if in_channel {
            let message = state.post(
                self.config(),
                &target.channel,
                &self.config().bot_user_id,
                draft,
            );
            drop(state);
            self.announce(SlackChange::Posted {
                channel: message.channel.clone(),
                ts: message.ts.clone(),
            });
            message
        } else {
            let message = state.post_ephemeral(self.config(), &target.channel, &target.user, draft);
            drop(state);
            self.announce(SlackChange::Ephemeral {
                user: target.user.clone(),
            });
            message
        }
    }

    fn delete_original(&self, target: &ResponseUrl) -> Option<()> {
        let ts = target.message_ts.as_deref()?;
        let mut state = self.state();
        let before = state.ephemerals.len();
        state
            .ephemerals
            .retain(|message| !(message.ts == ts && message.channel == target.channel));
        if state.ephemerals.len() < before {
            drop(state);
            self.announce(SlackChange::Ephemeral {
                user: target.user.clone(),
            });
            return Some(());
        }
        state.message(&target.channel, ts)?;
        state.delete(&target.channel, ts);
        drop(state);
        self.announce(SlackChange::Deleted {
            channel: target.channel.clone(),
            ts: ts.to_owned(),
        });
        Some(())
    }

    fn replace_original(&self, target: &ResponseUrl, mut draft: Draft) -> Option<()> {
        let ts = target.message_ts.as_deref()?;
        let mut state = self.state();
        state.fill_ids(&mut draft.blocks);
        let key = (target.channel.clone(), ts.to_owned());
        let ephemeral = !state.messages.contains_key(&key);
        let state = &mut *state;
        let message = if ephemeral {
            let mut ephemerals = state.ephemerals.iter_mut();
            ephemerals.find(|message| message.ts == ts && message.channel == target.channel)?
        } else {
            state.messages.get_mut(&key)?
        };
        message.text = draft.text;
        message.blocks = draft.blocks;
        message.attachments = draft.attachments;
        message.metadata = draft.metadata.or(message.metadata.take());
        message.updates += 1;
        self.announce(if ephemeral {
            SlackChange::Ephemeral {
                user: target.user.clone(),
            }
        } else {
            SlackChange::Updated {
                channel: key.0,
                ts: key.1,
            }
        });
        Some(())
    }
}
