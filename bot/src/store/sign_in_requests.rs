//! Requests to people to sign in once: one thread per person for all devices.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use unstuck_domain::{DeviceId, UserId};

use super::rows::{all, count, from_word, json, parse, word};
use super::{Store, StoreError, Together};

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInRequestState {
    /// Reminders go out.
    Open,
    /// The person asked for quiet until it is due.
    Snoozed,
    /// The person says that it is not theirs.
    NotMine,
    /// Signed in, or given up.
    Done,
}

/// The request to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRequest {
    /// Who.
    pub user: UserId,
    /// How it stands.
    pub state: SignInRequestState,
    /// On which devices.
    pub devices: Vec<DeviceId>,
    /// When this request was opened.
    pub opened_at: DateTime<Utc>,
    /// When the first message went out.
    pub first_sent_at: Option<DateTime<Utc>>,
    /// Reminders sent.
    pub reminders: u32,
    /// When the next message is due.
    pub next_due_at: Option<DateTime<Utc>>,
    /// Channel of the thread.
    pub channel: Option<String>,
    /// `ts` of the thread.
    pub thread: Option<String>,
    /// Raised with every change; 0 for a request that is not stored.
    pub version: i64,
}

#[derive(sqlx::FromRow)]
struct SignInRequestRow {
    user_id: String,
    state: String,
    devices: String,
    opened_at: DateTime<Utc>,
    first_sent_at: Option<DateTime<Utc>>,
    reminders: i64,
    next_due_at: Option<DateTime<Utc>>,
    channel: Option<String>,
    thread: Option<String>,
    version: i64,
}

impl TryFrom<SignInRequestRow> for SignInRequest {
    type Error = StoreError;

    fn try_from(row: SignInRequestRow) -> Result<Self, StoreError> {
        Ok(Self {
            user: UserId::from(row.user_id),
            state: from_word(row.state, "sign_in_requests.state")?,
            devices: parse(&row.devices, "sign_in_requests.devices")?,
            opened_at: row.opened_at,
            first_sent_at: row.first_sent_at,
            reminders: count(row.reminders),
            next_due_at: row.next_due_at,
            channel: row.channel,
            thread: row.thread,
            version: row.version,
        })
    }
}

macro_rules! select_requests {
    ($rest:literal) => {
        concat!(
            "SELECT user_id, state, devices, opened_at, first_sent_at, reminders, next_due_at, channel, thread, \
             version FROM sign_in_requests ",
            $rest
        )
    };
}

impl Store {
    /// The request to one person.
    pub async fn sign_in_request(
        &self,
        user: &UserId,
    ) -> Result<Option<SignInRequest>, StoreError> {
        let row: Option<SignInRequestRow> =
            fetch_optional!(self, select_requests!("WHERE user_id = $1"), user.as_str())?;
        row.map(SignInRequest::try_from).transpose()
    }

    /// Requests with a message that is due by `now`, longest due first.
    pub async fn due_sign_in_requests(
        &self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<SignInRequest>, StoreError> {
        let rows: Vec<SignInRequestRow> = fetch_all!(
            self,
            select_requests!(
                "WHERE state IN ('open', 'snoozed') AND next_due_at <= $1 ORDER BY next_due_at, user_id LIMIT $2"
            ),
            now,
            i64::from(limit),
        )?;
        all(rows)
    }

    /// When the next message of a request is due.
    pub async fn next_sign_in_request_due(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let row: Option<(Option<DateTime<Utc>>,)> = fetch_optional!(
            self,
            "SELECT MIN(next_due_at) FROM sign_in_requests WHERE state IN ('open', 'snoozed')"
        )?;
        Ok(row.and_then(|(due,)| due))
    }

    /// Stores a request that was read at `request.version` (0: there was none). `false`: it changed meanwhile.
    pub async fn save_sign_in_request(
        &self,
        request: &SignInRequest,
        together: Together<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed = if request.version == 0 {
            execute!(
                tx,
                "INSERT INTO sign_in_requests (user_id, state, devices, opened_at, first_sent_at, reminders, \
                 next_due_at, channel, thread, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1) \
                 ON CONFLICT (user_id) DO NOTHING",
                request.user.as_str(),
                word(&request.state),
                json(&request.devices),
                request.opened_at,
                request.first_sent_at,
                i64::from(request.reminders),
                request.next_due_at,
                request.channel.as_deref(),
                request.thread.as_deref(),
            )?
        } else {
            execute!(
                tx,
                "UPDATE sign_in_requests SET state = $1, devices = $2, opened_at = $3, first_sent_at = $4, \
                 reminders = $5, next_due_at = $6, channel = $7, thread = $8, version = version + 1 \
                 WHERE user_id = $9 AND version = $10",
                word(&request.state),
                json(&request.devices),
                request.opened_at,
                request.first_sent_at,
                i64::from(request.reminders),
                request.next_due_at,
                request.channel.as_deref(),
                request.thread.as_deref(),
                request.user.as_str(),
                request.version,
            )?
        };
        if changed == 0 {
            return Ok(false);
        }
        tx.write_together(together).await?;
        tx.commit().await?;
        Ok(true)
    }
}
