//! Commands that change something: stop and resume.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{InboxPass, Judged};
use crate::{
    approvals::{people::Groups, stops},
    chat::{
        mrkdwn::{self, members},
        slash::Slash,
    },
    domain::approval::OPERATORS,
};

/// A command that was typed.
#[derive(Deserialize)]
pub(super) struct Typed {
    user: String,
    channel: String,
    text: String,
}

impl InboxPass {
    pub(super) async fn typed(&self, typed: Typed, now: DateTime<Utc>) -> anyhow::Result<Judged> {
        let Typed {
            user,
            channel,
            text,
        } = typed;
        let judged = |outcome, answer: String| Judged {
            outcome,
            user: user.clone(),
            channel: Some(channel.clone()),
            answer: Some(answer),
        };
        if let Err(no_say) = self.people.member(&user).await {
            let (outcome, answer) = self.no_say(&user, &no_say, "stops", now).await?;
            return Ok(judged(outcome, answer.unwrap_or_default()));
        }
        let groups = self.people.groups(&user, false).await;
        let by = format!("user:{user}");
        let result = match Slash::parse(&text) {
            Slash::Stop { scope, reason } => {
                if groups.names.is_empty() {
                    return Ok(judged("refused", self.not_allowed(&groups, "stop", true)));
                }
                let name = stops::name(&scope);
                stops::stop(&self.deps.store, scope, &by, &reason, false, now)
                    .await
                    .map(|_| format!("Stopped: {}. Nothing new starts.", mrkdwn::escape(&name)))
            }
            Slash::Resume { scope, reason } => {
                if !groups.names.iter().any(|name| name != OPERATORS) {
                    return Ok(judged(
                        "refused",
                        self.not_allowed(&groups, "resume", false),
                    ));
                }
                let name = stops::name(&scope);
                stops::resume(&self.deps.store, &scope, &by, &reason, now)
                    .await
                    .map(|_| format!("Goes on: {}.", mrkdwn::escape(&name)))
            }
            other => {
                return Ok(judged(
                    "nothing to do",
                    format!("Nothing was changed by {other:?}."),
                ));
            }
        };
        match result {
            Ok(text) => Ok(judged("counted", text)),
            Err(stops::Refusal::Store(error)) => Err(error.into()),
            Err(refusal) => {
                let text = match &refusal {
                    stops::Refusal::StoppedAlready { by, at, reason } => format!(
                        "Stopped already by {} {}: {}",
                        mrkdwn::person(by),
                        mrkdwn::date_time(*at),
                        mrkdwn::escape(reason)
                    ),
                    stops::Refusal::SamePerson { .. } => {
                        "You stopped everything yourself; another approver has to resume it.".into()
                    }
                    other => mrkdwn::escape(&other.to_string()),
                };
                Ok(judged("refused", text))
            }
        }
    }

    pub(super) fn not_allowed(&self, groups: &Groups, verb: &str, operators_too: bool) -> String {
        if groups.unread {
            return "Nothing was changed: I could not check your rights in Slack. Please try again in a moment.".into();
        }
        let approvals = &self.deps.settings.approvals;
        let mut who = members(approvals.group("oncall").unwrap_or_default());
        if operators_too && let Some(list) = approvals.group(OPERATORS) {
            who = format!("{who} or {}", members(list));
        }
        format!("Nothing was changed: you may not {verb}. {who} may.")
    }
}
