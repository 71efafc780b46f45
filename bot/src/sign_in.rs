//! Asks people to sign in once with FastPass, the last step of most repairs.
//!
//! One request per person for all of their computers. The first message goes out at once; reminders follow after 1, 3
//! and 7 days in working hours, all in one thread. A new request comes at most every 14 days.

mod pass;
mod progress;
#[cfg(test)]
mod tests;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

pub use pass::SignInPass;
pub use progress::{later, not_mine};

use crate::{
    chat::messages::{self, kind},
    domain::{DeviceId, RepairId, UserId},
    store::{SignInRequest, SignInRequestState, Store, Together},
    wording,
};

/// Least time between two requests to one person.
const REQUEST_INTERVAL: TimeDelta = TimeDelta::days(14);
/// Reminders, counted from the first message.
const REMINDERS: [TimeDelta; 3] = [TimeDelta::days(1), TimeDelta::days(3), TimeDelta::days(7)];
/// First messages a day, over all people.
const FIRST_MESSAGES_A_DAY: u32 = 200;
/// Writers that collide this often have a fault.
const MOST_TRIES: usize = 8;

/// Opens the request to a person, or adds the computer to the open one. Asking twice changes nothing the second time.
pub async fn request(
    store: &Store,
    user: &UserId,
    device: &DeviceId,
    repair: &RepairId,
    device_name: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    for _ in 0..MOST_TRIES {
        let before = store.sign_in_request(user).await?;
        let (next, mut letters) = match before {
            None => (opened(user, device, now, 0), Vec::new()),
            Some(open) if is_open(&open) => {
                if open.devices.contains(device) {
                    return Ok(());
                }
                let letters = added(&open, device, device_name, now);
                let mut next = open;
                next.devices.push(device.clone());
                (next, letters)
            }
            // The state that this very repair brought about is not undone by asking again after a crash.
            Some(ended)
                if ended.devices.contains(device)
                    && ended.opened_at >= now - TimeDelta::minutes(10) =>
            {
                return Ok(());
            }
            Some(ended) => {
                let earliest = ended.opened_at + REQUEST_INTERVAL;
                let at = now.max(earliest);
                (opened(user, device, at, ended.version), Vec::new())
            }
        };
        if next.first_sent_at.is_none() && next.next_due_at.is_some_and(|due| due > now) {
            letters.extend(waits(store, repair, device_name, next.opened_at, now).await?);
        }
        if store
            .save_sign_in_request(
                &next,
                Together {
                    messages: &letters,
                    audit: &[],
                },
            )
            .await?
        {
            return Ok(());
        }
    }
    anyhow::bail!("the sign-in request of user {user} kept changing")
}

fn is_open(request: &SignInRequest) -> bool {
    matches!(
        request.state,
        SignInRequestState::Open | SignInRequestState::Snoozed
    )
}

fn opened(user: &UserId, device: &DeviceId, at: DateTime<Utc>, version: i64) -> SignInRequest {
    SignInRequest {
        user: user.clone(),
        state: SignInRequestState::Open,
        devices: vec![device.clone()],
        opened_at: at,
        first_sent_at: None,
        reminders: 0,
        next_due_at: Some(at),
        channel: None,
        thread: None,
        version,
    }
}

/// A line in the thread, if the person was asked about another computer before.
fn added(
    open: &SignInRequest,
    device: &DeviceId,
    device_name: &str,
    now: DateTime<Utc>,
) -> Vec<crate::store::NewMessage> {
    if open.first_sent_at.is_none() {
        return Vec::new();
    }
    let key = format!("{}:device:{device}", first_key(open));
    let payload = json!({ "ask": "also", "devices": [device_name] });
    vec![messages::to_person(
        kind::SIGN_IN,
        key,
        &open.user,
        Some(first_key(open)),
        payload,
        now,
    )]
}

/// Key of the message that opens the thread of a request.
fn first_key(request: &SignInRequest) -> String {
    format!(
        "sign_in:{}:{}",
        request.user,
        request.opened_at.timestamp_millis()
    )
}

/// Tells the card's thread that the person is asked later.
async fn waits(
    store: &Store,
    repair: &RepairId,
    device_name: &str,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<crate::store::NewMessage>> {
    let Some(record) = store.repair(repair).await? else {
        return Ok(None);
    };
    let run = store
        .run(&record.run)
        .await?
        .context("a repair belongs to a run")?;
    let line = format!(
        "{device_name}: its owner was asked to sign in less than 14 days ago and is asked again {}",
        wording::ago(until, now)
    );
    Ok(Some(messages::thread(
        &run.proposal,
        &format!("asked-later:{repair}"),
        &line,
        now,
    )))
}
