//! `/api/v1/logs`: polling in the order of persistence, where a next link never ends, and bounded
//! queries by time, which end without one.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::IntoResponse;
use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use super::Okta;
use super::error::{Answer, OktaError};
use super::filter::{Filter, Operator};
use super::log_change;
use super::log_json::{ADMIN_ID, CLEANER_ID, event_json};
use super::page::{Query, link};
use crate::world::{Actor, LogEvent, State as WorldState, Target};

/// Okta keeps its log this long.
const RETENTION: Duration = Duration::days(90);

pub(super) async fn list(State(okta): State<Okta>, RawQuery(raw): RawQuery) -> Answer {
    let query = Query::parse(raw.as_deref());
    let limit = query.limit(0, 100, 1_000)?;
    let filter = query
        .get("filter")
        .filter(|text| !text.trim().is_empty())
        .map(parse_filter)
        .transpose()?;
    let words = keywords(query.get("q"))?;
    let now = okta.app.clock.now();
    let plan = Plan::read(&query, now)?;
    let (rows, next) = okta.app.world.with(|state| {
        let wanted = |event: &LogEvent| {
            event.published > now - RETENTION
                && !state
                    .hidden_event_types
                    .iter()
                    .any(|hidden| hidden == event.kind)
                && filter.as_ref().is_none_or(|filter| found(filter, event))
        };
        plan.page(state, limit, &wanted, &words)
    });
    let mut response = Json(rows).into_response();
    let address = okta.url("/api/v1/logs");
    // The cursor knows since when; the other parameters stay.
    link(
        response.headers_mut(),
        &address,
        &query,
        next.as_deref(),
        &["since", "until"],
    );
    Ok(response)
}

/// Which events, from where, in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// From this place in the log on, published since then.
    Poll { from: usize, since: DateTime<Utc> },
    /// Between two times, after so many, newest first or last.
    Bounded {
        since: DateTime<Utc>,
        until: DateTime<Utc>,
        skip: usize,
        descending: bool,
    },
}

impl Plan {
    fn read(query: &Query, now: DateTime<Utc>) -> Result<Self, OktaError> {
        let descending = match query.get("sortOrder") {
            None | Some("ASCENDING") => false,
            Some("DESCENDING") => true,
            Some(_) => {
                return Err(OktaError::invalid(
                    "sortOrder",
                    "The sort order is invalid.",
                ));
            }
        };
        let since = date(query, "since")?;
        let until = date(query, "until")?;
        if let Some(cursor) = query.after()? {
            if since.is_some() {
                let cause = "Parameters after and since may not be used together.";
                return Err(OktaError::invalid("after", cause));
            }
            return Self::from_cursor(&cursor)
                .ok_or_else(|| OktaError::invalid("after", "The cursor is invalid."));
        }
        let begin = since.unwrap_or_else(|| until.unwrap_or(now) - Duration::days(7));
        if begin < now - Duration::days(180) {
            return Err(OktaError::new(
                400,
                "E0000053",
                "The since parameter is too far in the past.",
            ));
        }
        if until.is_none() && !descending {
            return Ok(Self::Poll {
                from: 0,
                since: begin,
            });
        }
        Ok(Self::Bounded {
            since: begin,
            until: until.unwrap_or(now),
            skip: 0,
            descending,
        })
    }

    fn from_cursor(cursor: &str) -> Option<Self> {
        let mut parts = cursor.split(' ');
        let kind = parts.next()?;
        let mut number = || parts.next()?.parse::<i64>().ok();
        match kind {
            "poll" => Some(Self::Poll {
                from: usize::try_from(number()?).ok()?,
                since: DateTime::from_timestamp_millis(number()?)?,
            }),
            "span" => Some(Self::Bounded {
                since: DateTime::from_timestamp_millis(number()?)?,
                until: DateTime::from_timestamp_millis(number()?)?,
                skip: usize::try_from(number()?).ok()?,
                descending: number()? == 1,
            }),
            _ => None,
        }
    }

    fn cursor(self) -> String {
        match self {
            Self::Poll { from, since } => format!("poll {from} {}", since.timestamp_millis()),
            Self::Bounded {
                since,
                until,
                skip,
                descending,
            } => format!(
                "span {} {} {skip} {}",
                since.timestamp_millis(),
                until.timestamp_millis(),
                u8::from(descending)
            ),
        }
    }

    /// One page, and the cursor of the next.
    fn page(
        self,
        state: &WorldState,
        limit: usize,
        wanted: &dyn Fn(&LogEvent) -> bool,
        words: &[String],
    ) -> (Vec<Value>, Option<String>) {
        match self {
            Self::Poll { from, since } => {
                let mut rows = Vec::new();
                let mut at = from.min(state.log.len());
                while at < state.log.len() && rows.len() < limit {
                    let event = &state.log[at];
                    at += 1;
                    if event.published >= since && wanted(event) {
                        rows.extend(worded(state, event, words));
                    }
                }
                (rows, Some(Self::Poll { from: at, since }.cursor()))
            }
            Self::Bounded {
                since,
                until,
                skip,
                descending,
            } => {
                let mut events: Vec<&LogEvent> = state
                    .log
                    .iter()
                    .filter(|event| since <= event.published && event.published < until)
                    .filter(|event| wanted(event))
                    .collect();
                events.sort_by_key(|event| event.published);
                if descending {
                    events.reverse();
                }
                let rows: Vec<Value> = events
                    .iter()
                    .filter_map(|event| worded(state, event, words))
                    .skip(skip)
                    .take(limit)
                    .collect();
                // A full page has a next one, which may be empty and is then the last.
                let next = (limit > 0 && rows.len() == limit).then(|| {
                    let plan = Self::Bounded {
                        since,
                        until,
                        skip: skip + limit,
                        descending,
                    };
                    plan.cursor()
                });
                (rows, next)
            }
        }
    }
}

/// The event in words, if it holds every keyword.
fn worded(state: &WorldState, event: &LogEvent, words: &[String]) -> Option<Value> {
    let json = event_json(state, event);
    if words.is_empty() {
        return Some(json);
    }
    let text = json.to_string().to_lowercase();
    words.iter().all(|word| text.contains(word)).then_some(json)
}

fn date(query: &Query, name: &str) -> Result<Option<DateTime<Utc>>, OktaError> {
    let Some(text) = query.get(name) else {
        return Ok(None);
    };
    DateTime::parse_from_rfc3339(text)
        .map(|at| Some(at.with_timezone(&Utc)))
        .map_err(|_unparsed| OktaError::invalid(name, format!("The date {text} is not ISO 8601.")))
}

fn keywords(text: Option<&str>) -> Result<Vec<String>, OktaError> {
    let words: Vec<String> = text
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_lowercase)
        .collect();
    if words.len() > 10 || words.iter().any(|word| word.len() > 40) {
        return Err(OktaError::invalid(
            "q",
            "The query has too many or too long words.",
        ));
    }
    Ok(words)
}

const FIELDS: [&str; 14] = [
    "uuid",
    "eventType",
    "severity",
    "outcome.result",
    "outcome.reason",
    "actor.id",
    "actor.type",
    "target.id",
    "target.type",
    "client.ipAddress",
    "transaction.id",
    "authenticationContext.externalSessionId",
    "debugContext.debugData.factor",
    "debugContext.debugData.authnRequestId",
];

fn parse_filter(text: &str) -> Result<Filter, OktaError> {
    let invalid = || {
        OktaError::new(
            400,
            "E0000053",
            format!("Invalid filter '{text}': unrecognized field or syntax"),
        )
    };
    let filter = Filter::parse(text).ok_or_else(invalid)?;
    for (field, operator) in filter.comparisons() {
        if !FIELDS.contains(&field) {
            return Err(invalid());
        }
        if operator == Operator::Co && field.starts_with("debugContext.") {
            let summary = format!("Invalid search criteria: co is not allowed for {field}");
            return Err(OktaError::new(400, "E0000031", summary));
        }
    }
    Ok(filter)
}

fn found(filter: &Filter, event: &LogEvent) -> bool {
    filter.matches(&|field| {
        let one = |text: &str| vec![text.to_owned()];
        match field {
            "uuid" => vec![event.uuid.to_string()],
            "eventType" => one(event.kind),
            "severity" => one(if event.outcome == "FAILURE" {
                "WARN"
            } else {
                "INFO"
            }),
            "outcome.result" => one(event.outcome),
            "outcome.reason" => event.reason.map(str::to_owned).into_iter().collect(),
            "actor.id" => match &event.actor {
                Actor::User(id) => one(id),
                Actor::Admin => one(ADMIN_ID),
                Actor::Token(_) => one(CLEANER_ID),
                Actor::System => one("SYSTEM"),
            },
            "actor.type" => match event.actor {
                Actor::System => one("SystemPrincipal"),
                Actor::User(_) | Actor::Admin | Actor::Token(_) => one("User"),
            },
            "target.id" => event.targets.iter().map(target_id).collect(),
            "target.type" => event.targets.iter().map(target_kind).collect(),
            "client.ipAddress" => vec![event.client.network.address()],
            "transaction.id" => vec![format!("trx{}", event.uuid.simple())],
            "authenticationContext.externalSessionId" => event
                .session
                .map(|session| format!("idx{session:08x}session"))
                .into_iter()
                .collect(),
            "debugContext.debugData.factor" => {
                event.factor.map(str::to_owned).into_iter().collect()
            }
            "debugContext.debugData.authnRequestId" => event
                .session
                .map(|session| format!("{session:08x}request"))
                .into_iter()
                .collect(),
            _ => Vec::new(),
        }
    })
}

fn target_id(target: &Target) -> String {
    match target {
        Target::User(id)
        | Target::Device(id)
        | Target::App(id)
        | Target::Rule(id)
        | Target::Group(id)
        | Target::Enrolment { id, .. }
        | Target::Certificate(id) => id.to_string(),
        Target::Change(changed) => log_change::identity(changed).0.to_owned(),
    }
}

fn target_kind(target: &Target) -> String {
    let kind = match target {
        Target::User(_) => "User",
        Target::Device(_) => "UDDevice",
        Target::App(_) => "AppInstance",
        Target::Rule(_) => "Rule",
        Target::Group(_) => "UserGroup",
        Target::Enrolment { .. } => "AuthenticatorEnrollment",
        Target::Certificate(_) => "PublicKeyCertificate",
        Target::Change(changed) => log_change::identity(changed).1,
    };
    kind.to_owned()
}
