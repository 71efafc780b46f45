//! Answers and errors in the shapes of the two APIs: the Pro API's error object, the Classic API's
//! HTML page.

use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Api;
use super::xml;
use crate::world::State;

/// What a handler answers.
pub(super) type Answer = Result<Response, Refusal>;

/// An error answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The Pro API's shape.
    Pro {
        status: StatusCode,
        code: &'static str,
        field: &'static str,
        description: String,
    },
    /// The Classic API's page.
    Classic { status: StatusCode, text: String },
}

impl Refusal {
    /// A 400 of the Pro API.
    pub(super) fn invalid(field: &'static str, description: impl Into<String>) -> Self {
        Self::Pro {
            status: StatusCode::BAD_REQUEST,
            code: "INVALID_FIELD",
            field,
            description: description.into(),
        }
    }

    /// 404 in the shape of the API that the path belongs to.
    pub(super) fn not_found(path: &str) -> Self {
        match path.starts_with("/JSSResource") {
            true => Self::classic(
                StatusCode::NOT_FOUND,
                "The server has not found anything matching the request URI",
            ),
            false => Self::missing("resource"),
        }
    }

    /// 404 of the Pro API.
    pub(super) fn missing(what: &str) -> Self {
        Self::Pro {
            status: StatusCode::NOT_FOUND,
            code: "INVALID_ID",
            field: "id",
            description: format!("{what} does not exist"),
        }
    }

    /// An error page of the Classic API.
    pub(super) fn classic(status: StatusCode, text: impl Into<String>) -> Self {
        Self::Classic {
            status,
            text: text.into(),
        }
    }

    /// 404 of the Classic API.
    pub(super) fn classic_missing() -> Self {
        Self::not_found("/JSSResource")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Pro {
                status,
                code,
                field,
                description,
            } => {
                let body = json!({
                    "httpStatus": status.as_u16(),
                    "errors": [{"code": code, "field": field, "description": description, "id": "0"}],
                });
                json_answer(status, &body)
            }
            Self::Classic { status, text } => {
                let reason = status.canonical_reason().unwrap_or("Error");
                let page = format!(
                    "<html>\n<head>\n   <title>Status page</title>\n</head>\n<body>\n\
                     <p>{reason}</p>\n<p>{text}</p>\n\
                     <p>You can get technical details <a href=\"http://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html\">here</a>.</p>\n\
                     </body>\n</html>\n"
                );
                with_type(status, "text/html;charset=UTF-8", page)
            }
        }
    }
}

impl Api {
    /// Refuses with 403 if the client's role lacks a privilege.
    pub(super) fn require(state: &State, privilege: &str) -> Result<(), Refusal> {
        match state.mdm.jamf.missing_privileges.contains(privilege) {
            false => Ok(()),
            true => Err(Refusal::Pro {
                status: StatusCode::FORBIDDEN,
                code: "INVALID_PRIVILEGE",
                field: "",
                description: "Forbidden".to_owned(),
            }),
        }
    }

    /// As [`Api::require`], with the Classic API's page.
    pub(super) fn require_classic(state: &State, privilege: &str) -> Result<(), Refusal> {
        match state.mdm.jamf.missing_privileges.contains(privilege) {
            false => Ok(()),
            true => Err(Refusal::classic(
                StatusCode::FORBIDDEN,
                "The server understood the request, but is refusing to fulfill it",
            )),
        }
    }

    /// How far the node that this request reaches lags behind: a session cookie leads to the node
    /// that took the write, no cookie to another one.
    pub(super) fn lag(state: &State, headers: &HeaderMap) -> chrono::Duration {
        let sticky = headers
            .get_all(axum::http::header::COOKIE)
            .iter()
            .filter_map(|cookie| cookie.to_str().ok())
            .any(|cookie| cookie.contains("APBALANCEID=") || cookie.contains("jpro-ingress="));
        match sticky {
            true => chrono::Duration::zero(),
            false => state.mdm.jamf.stale_reads,
        }
    }
}

/// A JSON answer.
pub(super) fn json_answer(status: StatusCode, body: &Value) -> Response {
    with_type(status, "application/json", body.to_string())
}

/// 200 with JSON.
pub(super) fn ok(body: &Value) -> Answer {
    Ok(json_answer(StatusCode::OK, body))
}

/// 204.
pub(super) fn no_content() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The Classic API answers JSON where it is asked for, else XML.
pub(super) fn classic_ok(headers: &HeaderMap, body: &Value) -> Answer {
    let wants_json = headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("json"));
    Ok(match wants_json {
        true => json_answer(StatusCode::OK, body),
        false => with_type(StatusCode::OK, "text/xml;charset=UTF-8", xml::render(body)),
    })
}

/// 201 with the id of the object, as Classic writes answer.
pub(super) fn classic_written(element: &str, id: &str) -> Answer {
    let body = xml::render(&json!({ element: {"id": id} }));
    Ok(with_type(
        StatusCode::CREATED,
        "text/xml;charset=UTF-8",
        body,
    ))
}

fn with_type(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(content_type))];
    (status, headers, body).into_response()
}
