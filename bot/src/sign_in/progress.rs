//! What people answer to a request.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{MOST_TRIES, first_key, is_open, pass::waiting_for};
use crate::{
    chat::{
        messages::{self, kind},
        mrkdwn,
        render::Ask,
    },
    domain::UserId,
    store::{NewMessage, SignInRequest, SignInRequestState, Store, Together},
};

/// "Later": quiet for a day.
pub async fn later(store: &Store, user: &UserId, now: DateTime<Utc>) -> anyhow::Result<()> {
    change(store, user, |request| {
        request.state = SignInRequestState::Snoozed;
        request.next_due_at = Some(now + TimeDelta::days(1));
        vec![reply(
            request,
            Ask::Later,
            &format!("later:{}", now.timestamp_millis()),
            now,
        )]
    })
    .await
}

/// "Not my device": no more reminders, the card's thread is told, and the repairs that wait for the person end: the
/// executor looks at them at once.
pub async fn not_mine(
    store: &Store,
    user: &UserId,
    account: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let waiting = waiting_for(store, user).await?;
    change(store, user, |request| {
        request.state = SignInRequestState::NotMine;
        request.next_due_at = None;
        let mut letters = vec![reply(request, Ask::NotMine, "not_mine", now)];
        let asked = waiting
            .iter()
            .filter(|one| request.devices.contains(&one.device));
        letters.extend(asked.map(|one| {
            let line = format!(
                "{} says that {} is not theirs; please check who uses it",
                mrkdwn::person(&format!("user:{account}")),
                mrkdwn::code(&one.name)
            );
            let key = format!("not_mine:{user}:{}", one.device);
            messages::thread_marked(&one.proposal, &key, &line, now)
        }));
        letters
    })
    .await?;
    for one in waiting {
        store.look_at_repair(&one.repair, now).await?;
    }
    Ok(())
}

/// A line in the person's thread.
pub(super) fn reply(
    request: &SignInRequest,
    ask: Ask,
    key: &str,
    now: DateTime<Utc>,
) -> NewMessage {
    let payload = json!({ "ask": ask, "devices": [] });
    let parent = first_key(request);
    messages::to_person(
        kind::SIGN_IN,
        format!("{parent}:{key}"),
        &request.user,
        Some(parent),
        payload,
        now,
    )
}

/// Changes an open request; an ended one stays as it is.
async fn change(
    store: &Store,
    user: &UserId,
    change: impl Fn(&mut SignInRequest) -> Vec<NewMessage>,
) -> anyhow::Result<()> {
    for _ in 0..MOST_TRIES {
        let Some(mut request) = store.sign_in_request(user).await? else {
            return Ok(());
        };
        if !is_open(&request) {
            return Ok(());
        }
        let letters = change(&mut request);
        if store
            .save_sign_in_request(
                &request,
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
