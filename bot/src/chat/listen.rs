//! Takes events from Slack: writes them down, then lets them be acknowledged. Nothing is decided here.
//!
//! Two things cannot wait for the inbox: a modal has to be opened within 3 s of its click, and a modal that shows an
//! outdated plan is told so in the acknowledgement. What only asks is answered in the acknowledgement, too.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use connectors::slack::{Answer, Click, Command, EventSink, Incoming, Submission};
use serde_json::json;
use tokio_util::task::TaskTracker;

use super::{
    Deps, render,
    slash::{self, Slash},
};
use crate::{
    approvals::ReplyPaths,
    domain::ProposalId,
    store::{NewInboxMessage, ProposalRecord},
    wording,
};

/// Slack shows an error to the person after 3 s.
const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);

/// The listener of one process.
pub struct Listener {
    deps: Deps,
    replies: Arc<ReplyPaths>,
    tasks: TaskTracker,
}

/// `proposal|revision|digest8`, from a button or a modal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) proposal: ProposalId,
    pub(crate) revision: u32,
    pub(crate) digest: String,
    /// Channel of the card, in a modal only.
    pub(crate) channel: Option<String>,
}

impl Reference {
    /// Reads a value; whatever does not look like one is none.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split('|');
        let (proposal, revision, digest) = (parts.next()?, parts.next()?, parts.next()?);
        if !proposal.starts_with("P-") || proposal.len() > 16 || digest.is_empty() {
            return None;
        }
        Some(Self {
            proposal: ProposalId::from(proposal),
            revision: revision.parse().ok()?,
            digest: digest.to_owned(),
            channel: parts
                .next()
                .filter(|channel| !channel.is_empty())
                .map(str::to_owned),
        })
    }
}

impl Listener {
    /// A listener that shares the ways to answer with the inbox pass.
    pub fn new(deps: Deps, replies: Arc<ReplyPaths>) -> Self {
        Self {
            deps,
            replies,
            tasks: TaskTracker::new(),
        }
    }

    /// Waits for modals that are being opened.
    pub async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Commits one event. `false`: it could not be written down.
    async fn commit(&self, message: NewInboxMessage) -> bool {
        match self.deps.store.receive(&message).await {
            Ok(_first_time) => {
                (self.deps.wake)();
                true
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot write an event from Slack down"
                );
                false
            }
        }
    }

    async fn click(&self, click: Click) -> Answer {
        self.replies
            .remember(&click.dedupe_key, click.response_url.clone());
        let message = NewInboxMessage {
            dedupe_key: click.dedupe_key.clone(),
            kind: "click".into(),
            payload: json!({
                "user": click.user, "team": click.team, "channel": click.channel, "action": click.action,
                "value": click.value,
            }),
            received_at: self.deps.clock.now(),
        };
        if !self.commit(message).await {
            return Answer::NotTaken;
        }
        if click.action == "p.deny" {
            let deps = self.deps.clone();
            self.tasks
                .spawn(async move { open_modal(&deps, &click).await });
        }
        Answer::Taken
    }

    async fn submission(&self, submission: Submission) -> Answer {
        let wrong = |text: String| Answer::Errors(BTreeMap::from([("why".to_owned(), text)]));
        let Some(reference) = Reference::parse(&submission.private_metadata) else {
            return wrong(
                "This form is not readable any more. Please close it and press the button again."
                    .into(),
            );
        };
        match self.deps.store.proposal(&reference.proposal).await {
            Ok(Some(record)) => {
                if let Some(text) = outdated(&record, &reference) {
                    return wrong(text);
                }
            }
            Ok(None) => return wrong("There is no such proposal any more.".into()),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot judge a form"
                );
                return wrong("The database did not answer. Please try again in a moment.".into());
            }
        }
        let message = NewInboxMessage {
            dedupe_key: submission.dedupe_key,
            kind: "form".into(),
            payload: json!({
                "user": submission.user, "team": submission.team, "callback": submission.callback,
                "metadata": submission.private_metadata, "inputs": submission.inputs,
            }),
            received_at: self.deps.clock.now(),
        };
        if self.commit(message).await {
            Answer::Taken
        } else {
            Answer::NotTaken
        }
    }

    async fn command(&self, command: Command) -> Answer {
        let slash = Slash::parse(&command.text);
        if !slash.changes_something() {
            let now = self.deps.clock.now();
            let answer = slash::answer(&self.deps.store, &self.deps.settings, &slash, now);
            return match tokio::time::timeout(ANSWER_WITHIN, answer).await {
                Ok(Ok(text)) => Answer::Reply(text),
                Ok(Err(error)) => {
                    tracing::error!(error = %format!("{error:#}"), "cannot answer a command");
                    Answer::Reply(
                        "That did not work: the database did not answer. Please try again.".into(),
                    )
                }
                Err(_) => Answer::Reply(
                    "That takes longer than Slack waits. Please try again in a moment.".into(),
                ),
            };
        }
        self.replies
            .remember(&command.dedupe_key, command.response_url.clone());
        let message = NewInboxMessage {
            dedupe_key: command.dedupe_key,
            kind: "command".into(),
            payload: json!({
                "user": command.user, "team": command.team, "channel": command.channel, "text": command.text,
            }),
            received_at: self.deps.clock.now(),
        };
        if self.commit(message).await {
            Answer::Reply("Noted; the answer follows here.".into())
        } else {
            Answer::NotTaken
        }
    }
}

#[async_trait]
impl EventSink for Listener {
    async fn take(&self, event: Incoming) -> Answer {
        match event {
            Incoming::Click(click) => self.click(click).await,
            Incoming::Submission(submission) => self.submission(submission).await,
            Incoming::Command(command) => self.command(command).await,
            Incoming::Other => Answer::Taken,
        }
    }
}

/// Why a form about this plan decides nothing any more; `None`: it is the plan as it is.
fn outdated(record: &ProposalRecord, reference: &Reference) -> Option<String> {
    if !record.state.is_undecided() {
        return Some(format!(
            "Too late: {} is {} by now.",
            record.id,
            wording::proposal_state(record.state)
        ));
    }
    if record.revision != reference.revision
        || !record.digest.as_str().starts_with(&reference.digest)
    {
        return Some(format!(
            "The plan changed while this form was open: it is revision {} now. Please close the form and look at the card again.",
            record.revision
        ));
    }
    None
}

/// Opens the dialogue for a reason. What cannot be opened any more is told to whoever clicked; an outdated card is
/// told by the inbox, which judges the click as well.
async fn open_modal(deps: &Deps, click: &Click) {
    let Some(reference) = Reference::parse(&click.value) else {
        return;
    };
    let record = match deps.store.proposal(&reference.proposal).await {
        Ok(Some(record)) => record,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot read a proposal for its dialogue"
            );
            return;
        }
    };
    if outdated(&record, &reference).is_some() {
        return;
    }
    let channel = click.channel.as_deref().unwrap_or_default();
    let metadata = format!("{}|{channel}", click.value);
    if let Err(error) = deps
        .chat
        .open_view(&click.trigger_id, &render::deny(&record, &metadata))
        .await
    {
        tracing::warn!(%error, "cannot open a dialogue");
        if let Some(url) = &click.response_url {
            let text = "The form could not be opened in time; nothing was changed. Please press the button again.";
            if let Err(error) = deps.chat.respond(url, text).await {
                tracing::warn!(%error, "cannot answer a click");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_value_is_no_reference() {
        let read = Reference::parse("P-7F3K2Q|3|a91c04de|C1").unwrap();
        assert_eq!((read.revision, read.channel.as_deref()), (3, Some("C1")));
        for forged in [
            "",
            "P-7F3K2Q",
            "P-7F3K2Q|three|a91c04de",
            "x|3|a91c04de",
            "P-7F3K2Q|3|",
        ] {
            assert_eq!(Reference::parse(forged), None, "{forged}");
        }
    }
}
