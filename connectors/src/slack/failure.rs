//! What can go wrong in a call to Slack, by what the sender does about it. Bodies are never kept: they quote messages.

use std::time::Duration;

use slack_morphism::errors::SlackClientError;

/// Slack names no wait in an answer 429 without the header.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("slack: {method}: {kind}")]
pub struct ChatError {
    /// The method.
    pub method: &'static str,
    /// What went wrong.
    pub kind: ChatErrorKind,
}

/// Kinds of failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatErrorKind {
    /// This request will never work.
    #[error("refused ({code})")]
    Permanent {
        /// Slack's word.
        code: String,
    },
    /// Token, scopes or channel have to be put right by a person; then the same request works.
    #[error("not allowed ({code})")]
    Denied {
        /// Slack's word.
        code: String,
    },
    /// Nothing was done; a later try may work.
    #[error("no answer ({detail})")]
    Transient {
        /// What happened.
        detail: String,
    },
    /// Nothing was done; Slack asks to wait.
    #[error("rate limited, wait {} s", .retry_after.as_secs())]
    RateLimited {
        /// How long.
        retry_after: Duration,
    },
    /// The call may have taken effect.
    #[error("unclear whether it worked ({detail})")]
    Unclear {
        /// What happened.
        detail: String,
    },
}

impl ChatError {
    /// A refusal for ever.
    pub fn permanent(method: &'static str, code: impl Into<String>) -> Self {
        Self {
            method,
            kind: ChatErrorKind::Permanent { code: code.into() },
        }
    }

    /// Slack's own word, if it said one.
    pub fn code(&self) -> Option<&str> {
        match &self.kind {
            ChatErrorKind::Permanent { code } | ChatErrorKind::Denied { code } => Some(code),
            _ => None,
        }
    }

    pub(super) fn is_worth_a_second_try(&self) -> bool {
        matches!(
            self.kind,
            ChatErrorKind::Transient { .. } | ChatErrorKind::Unclear { .. }
        )
    }
}

/// The time was over before an answer came.
pub(super) fn timed_out(method: &'static str) -> ChatError {
    let detail = "no answer in time".to_owned();
    ChatError {
        method,
        kind: ChatErrorKind::Unclear { detail },
    }
}

/// What a failure means.
pub(super) fn judge(method: &'static str, error: &SlackClientError) -> ChatError {
    let kind = match error {
        SlackClientError::ApiError(error) => of_code(&error.code),
        SlackClientError::RateLimitError(error) => ChatErrorKind::RateLimited {
            retry_after: error.retry_after.unwrap_or(DEFAULT_WAIT),
        },
        SlackClientError::HttpError(error) if error.status_code.is_server_error() => {
            unclear(format!("HTTP {}", error.status_code.as_u16()))
        }
        SlackClientError::HttpError(error) => ChatErrorKind::Permanent {
            code: format!("http_{}", error.status_code.as_u16()),
        },
        SlackClientError::HttpProtocolError(error) => {
            let connecting = error.cause.as_ref().is_some_and(|cause| {
                cause
                    .downcast_ref::<hyper_util::client::legacy::Error>()
                    .is_some_and(hyper_util::client::legacy::Error::is_connect)
            });
            if connecting {
                ChatErrorKind::Transient {
                    detail: "cannot connect".into(),
                }
            } else {
                unclear("the connection broke")
            }
        }
        // The answer came and did not parse: whatever was asked for may have been done.
        SlackClientError::ProtocolError(_) => unclear("unreadable answer"),
        SlackClientError::EndOfStream(_)
        | SlackClientError::SystemError(_)
        | SlackClientError::SocketModeProtocolError(_) => unclear("the connection broke"),
    };
    ChatError { method, kind }
}

fn unclear(detail: impl Into<String>) -> ChatErrorKind {
    ChatErrorKind::Unclear {
        detail: detail.into(),
    }
}

/// Words of "chat.postMessage" and its kin. What is not listed is taken for a refusal of this very request.
fn of_code(code: &str) -> ChatErrorKind {
    match code {
        "ratelimited" | "rate_limited" => ChatErrorKind::RateLimited {
            retry_after: DEFAULT_WAIT,
        },
        "service_unavailable" | "request_timeout" | "team_added_to_org" => {
            ChatErrorKind::Transient {
                detail: code.to_owned(),
            }
        }
        // Slack's own words: part of the work may have been done.
        "internal_error" | "fatal_error" => unclear(code),
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive"
        | "missing_scope" | "not_in_channel" | "channel_not_found" | "is_archived"
        | "access_denied" | "no_permission" | "org_login_required" | "ekm_access_denied"
        | "restricted_action" | "link_disabled" => ChatErrorKind::Denied {
            code: code.to_owned(),
        },
        _ => ChatErrorKind::Permanent {
            code: code.to_owned(),
        },
    }
}
