//! Stop and resume, for Slack and the command line alike. A stop holds from its commit on.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::{
    chat::{messages, mrkdwn},
    domain::{PlaybookName, ProposalId, ProposalState},
    store::{NewAuditEntry, NewStop, StopScope, Store, StoreError, Together},
};

/// Why nothing was stopped or resumed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A reason is part of the record.
    #[error("say why: a reason is part of the record")]
    ReasonMissing,
    /// It is stopped already.
    #[error("already stopped by {by} at {at}: {reason}")]
    StoppedAlready {
        /// Who.
        by: String,
        /// When.
        at: DateTime<Utc>,
        /// Why.
        reason: String,
    },
    /// Nothing to resume.
    #[error("{0} is not stopped")]
    NotStopped(String),
    /// Resuming everything needs another person.
    #[error("{by} stopped everything; another approver has to resume it")]
    SamePerson {
        /// Who stopped.
        by: String,
    },
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// `all`, a proposal's id or a playbook's name.
pub fn scope(word: &str) -> StopScope {
    let upper = word.to_ascii_uppercase();
    if word.eq_ignore_ascii_case("all") {
        StopScope::All
    } else if upper.starts_with("P-") && upper.len() == 8 {
        StopScope::Proposal(ProposalId::from(upper))
    } else {
        StopScope::Playbook(PlaybookName::from(word.to_ascii_lowercase()))
    }
}

/// How a scope is called.
pub fn name(scope: &StopScope) -> String {
    match scope {
        StopScope::All => "everything".into(),
        StopScope::Playbook(name) => format!("playbook {name}"),
        StopScope::Proposal(id) => id.to_string(),
    }
}

/// Stops: no new computer, no forward step. `freeze` also leaves what was begun as it is. Returns the stop's number.
pub async fn stop(
    store: &Store,
    scope: StopScope,
    by: &str,
    reason: &str,
    freeze: bool,
    at: DateTime<Utc>,
) -> Result<i64, Refusal> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Refusal::ReasonMissing);
    }
    let held = store.active_stops().await?;
    if let Some(same) = held
        .iter()
        .find(|held| held.stop.scope == scope && held.stop.freeze >= freeze)
    {
        let NewStop { by, at, reason, .. } = same.stop.clone();
        return Err(Refusal::StoppedAlready { by, at, reason });
    }
    let what = name(&scope);
    let begun = if freeze {
        "What was begun stays as it is until it is resumed."
    } else {
        "Steps already sent finish, and what was taken away from a computer is given back."
    };
    let line = format!(
        ":octagonal_sign: *{} is stopped* by {}: {}\nNothing new starts. {begun}",
        mrkdwn::escape(&capital(&what)),
        mrkdwn::person(by),
        mrkdwn::escape(reason),
    );
    let mut letters = vec![messages::notice_marked(
        &format!("stop:{what}:{}", at.timestamp_millis()),
        &line,
        at,
    )];
    let proposals = cards_of(store, &scope).await?;
    letters.extend(proposals.iter().map(|id| messages::card(id, at)));
    let audit = [NewAuditEntry {
        kind: "stop.set".into(),
        about: what,
        at,
        payload: json!({ "by": by, "reason": reason, "freeze": freeze }),
    }];
    let new = NewStop {
        scope: scope.clone(),
        freeze,
        reason: reason.to_owned(),
        by: by.to_owned(),
        at,
    };
    let id = store
        .stop(
            &new,
            Together {
                messages: &letters,
                audit: &audit,
            },
        )
        .await?;
    if let StopScope::Proposal(id) = &scope {
        close_undecided(store, id, by, at).await?;
    }
    Ok(id)
}

/// Ends every stop of a scope. Resuming everything needs another person than the one who stopped.
pub async fn resume(
    store: &Store,
    scope: &StopScope,
    by: &str,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<usize, Refusal> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Refusal::ReasonMissing);
    }
    let what = name(scope);
    let held: Vec<_> = store
        .active_stops()
        .await?
        .into_iter()
        .filter(|held| held.stop.scope == *scope)
        .collect();
    if held.is_empty() {
        return Err(Refusal::NotStopped(what));
    }
    if *scope == StopScope::All
        && let Some(own) = held.iter().find(|held| held.stop.by == by)
    {
        return Err(Refusal::SamePerson {
            by: own.stop.by.clone(),
        });
    }
    let line = format!(
        ":arrow_forward: *{} goes on*, resumed by {}: {}",
        mrkdwn::escape(&capital(&what)),
        mrkdwn::person(by),
        mrkdwn::escape(reason),
    );
    let mut letters = vec![messages::notice_marked(
        &format!("resume:{what}:{}", at.timestamp_millis()),
        &line,
        at,
    )];
    letters.extend(
        cards_of(store, scope)
            .await?
            .iter()
            .map(|id| messages::card(id, at)),
    );
    let audit = [NewAuditEntry {
        kind: "stop.ended".into(),
        about: what,
        at,
        payload: json!({ "by": by, "reason": reason }),
    }];
    let mut resumed = 0;
    for stop in &held {
        // What is said is said once, with the first stop that ends.
        let together = if resumed == 0 {
            Together {
                messages: &letters,
                audit: &audit,
            }
        } else {
            Together::default()
        };
        resumed += usize::from(store.resume(stop.id, by, at, together).await?);
    }
    if resumed == 0 {
        return Err(Refusal::NotStopped(name(scope)));
    }
    Ok(resumed)
}

/// A proposal that nobody has decided is over once it is stopped.
async fn close_undecided(
    store: &Store,
    id: &ProposalId,
    by: &str,
    at: DateTime<Utc>,
) -> Result<(), Refusal> {
    let Some(record) = store.proposal(id).await? else {
        return Ok(());
    };
    if record.state.is_undecided() {
        let letters = [messages::card(id, at)];
        let together = Together {
            messages: &letters,
            audit: &[],
        };
        store
            .close_proposal(
                id,
                record.revision,
                ProposalState::Stopped,
                by,
                at,
                together,
            )
            .await?;
    }
    Ok(())
}

/// Proposals whose cards tell of the stop.
pub(super) async fn cards_of(
    store: &Store,
    scope: &StopScope,
) -> Result<Vec<ProposalId>, StoreError> {
    let mut shown = store.undecided_proposals().await?;
    shown.extend(store.open_proposals().await?);
    let concerns = |record: &crate::store::ProposalRecord| match scope {
        StopScope::All => true,
        StopScope::Playbook(name) => record.playbook == *name,
        StopScope::Proposal(id) => record.id == *id,
    };
    Ok(shown
        .into_iter()
        .filter(concerns)
        .map(|record| record.id)
        .collect())
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
