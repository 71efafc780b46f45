//! What people answer to a request.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{MOST_TRIES, first_key, is_open, pass::proposals_of};
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

/// "Not my device": no more reminders, and the card's thread is told.
pub async fn not_mine(
    store: &Store,
    user: &UserId,
    account: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let proposals = proposals_of(store, user).await?;
    change(store, user, |request| {
        request.state = SignInRequestState::NotMine;
        request.next_due_at = None;
        let mut letters = vec![reply(request, Ask::NotMine, "not_mine", now)];
        letters.extend(proposals.iter().map(|(proposal, device)| {
            let line = format!(
                "{} says that {} is not theirs; please check who uses it",
                mrkdwn::person(&format!("user:{account}")),
                mrkdwn::code(device)
            );
            messages::thread_marked(proposal, &format!("not_mine:{user}"), &line, now)
        }));
        letters
    })
    .await
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
