//! `/unstuck …`: what was typed, and the answers that change nothing. Words come before flags, ids in any case.

mod why;

use chrono::{DateTime, Utc};

use super::mrkdwn::{code, date_time, escape, person, shorten_marked};
use crate::{
    approvals::stops,
    domain::ProposalState,
    settings::{Mode, Settings},
    store::{ProposalRecord, StopScope, Store},
    wording,
    words::{count, nearest},
};

/// Longest answer; Slack takes 4,000 characters of text.
const LONGEST: usize = 3_500;

/// What was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slash {
    /// Nothing, or `help`.
    Help,
    /// `status`
    Status,
    /// `queue`
    Queue,
    /// `why <computer or person>`
    Why {
        /// Name, serial, id or login.
        query: String,
    },
    /// `stop all|<playbook>|<P-id> <why>`
    Stop {
        /// What.
        scope: StopScope,
        /// Why.
        reason: String,
    },
    /// `resume all|<playbook>|<P-id> <why>`
    Resume {
        /// What.
        scope: StopScope,
        /// Why.
        reason: String,
    },
    /// A known verb that lacks something.
    Incomplete {
        /// How it is written.
        usage: &'static str,
    },
    /// No such verb.
    Unknown {
        /// What was typed.
        verb: String,
        /// What was meant, perhaps.
        meant: Option<&'static str>,
    },
}

const VERBS: [&str; 6] = ["help", "status", "queue", "why", "stop", "resume"];

impl Slash {
    /// Reads what was typed after the command.
    pub fn parse(text: &str) -> Self {
        let (verb, rest) = first_word(text);
        match verb.to_ascii_lowercase().as_str() {
            "" | "help" => Self::Help,
            "status" => Self::Status,
            "queue" => Self::Queue,
            "why" | "explain" if rest.is_empty() => Self::Incomplete {
                usage: "why <computer, serial number or login>",
            },
            "why" | "explain" => Self::Why {
                query: rest.to_owned(),
            },
            "stop" => match first_word(rest) {
                ("", _) | (_, "") => Self::Incomplete {
                    usage: "stop all|<playbook>|<P-id> <why>",
                },
                (what, reason) => Self::Stop {
                    scope: stops::scope(what),
                    reason: reason.to_owned(),
                },
            },
            "resume" => match first_word(rest) {
                ("", _) | (_, "") => Self::Incomplete {
                    usage: "resume all|<playbook>|<P-id> <why>",
                },
                (what, reason) => Self::Resume {
                    scope: stops::scope(what),
                    reason: reason.to_owned(),
                },
            },
            other => Self::Unknown {
                verb: other.to_owned(),
                meant: nearest(other, VERBS),
            },
        }
    }

    /// Whether it changes something, so that it goes through the inbox.
    pub fn changes_something(&self) -> bool {
        matches!(self, Self::Stop { .. } | Self::Resume { .. })
    }
}

fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace)
        .map_or((text, ""), |(word, rest)| (word, rest.trim()))
}

/// The answer to what changes nothing, as Slack's markup.
pub async fn answer(
    store: &Store,
    settings: &Settings,
    slash: &Slash,
    now: DateTime<Utc>,
) -> anyhow::Result<String> {
    let text = match slash {
        Slash::Help => help().to_owned(),
        Slash::Status => status(store, settings, now).await?,
        Slash::Queue => queue(&store.undecided_proposals().await?, now),
        Slash::Why { query } => {
            let query = query.trim().trim_matches('`');
            why::why(query, &crate::why::ask(store, query, now).await?)
        }
        Slash::Incomplete { usage } => format!("That needs a bit more: `/unstuck {usage}`"),
        Slash::Unknown { verb, meant } => {
            let meant = meant
                .map(|verb| format!(" Did you mean `{verb}`?"))
                .unwrap_or_default();
            format!("I don't know {}.{meant}\n{}", code(verb), help())
        }
        Slash::Stop { .. } | Slash::Resume { .. } => {
            anyhow::bail!("what changes something is answered by the inbox")
        }
    };
    Ok(shorten_marked(&text, LONGEST))
}

fn help() -> &'static str {
    "`/unstuck status` – how the bot is doing\n\
     `/unstuck queue` – what waits for a decision\n\
     `/unstuck why <computer, serial number or login>` – what is wrong, and what happens next\n\
     `/unstuck stop all|<playbook>|<P-id> <why>` – nothing new starts (operators and approvers)\n\
     `/unstuck resume all|<playbook>|<P-id> <why>` – go on (approvers; for `all` another person than the one who stopped)"
}

async fn status(store: &Store, settings: &Settings, now: DateTime<Utc>) -> anyhow::Result<String> {
    let mut lines = Vec::new();
    match store.last_sweep().await? {
        None => lines.push("No sweep yet.".to_owned()),
        Some(sweep) => {
            let ago = wording::ago(sweep.finished_at.unwrap_or(sweep.started_at), now);
            let whole = if sweep.finished_at.is_none() {
                "is running"
            } else if sweep.complete {
                "was complete"
            } else {
                "was *not complete*: nothing that depends on what is missing is proposed"
            };
            lines.push(format!("Last sweep {ago}: it {whole}."));
        }
    }
    let waiting = store.undecided_proposals().await?.len();
    let running = store.open_proposals().await?.len();
    lines.push(format!(
        "{} for a decision, {} under way.",
        match waiting {
            1 => "1 proposal waits".to_owned(),
            more => format!("{} wait", count(more, "proposal")),
        },
        count(running, "repair run")
    ));
    let stops = crate::approvals::in_force(store, &settings.stop_file()).await?;
    if stops.is_empty() {
        lines.push("Nothing is stopped.".into());
    }
    for held in stops {
        let stop = held.stop;
        lines.push(format!(
            ":octagonal_sign: {} is stopped by {} since {}: {}",
            escape(&stops::name(&stop.scope)),
            person(&stop.by),
            date_time(stop.at),
            escape(&stop.reason)
        ));
    }
    if settings.safety.mode == Mode::Observe {
        lines.push("Observe mode: the bot looks and tells, and proposes nothing.".into());
    }
    Ok(lines.join("\n"))
}

fn queue(proposals: &[ProposalRecord], now: DateTime<Utc>) -> String {
    if proposals.is_empty() {
        return "Nothing waits for a decision.".into();
    }
    let line = |record: &ProposalRecord| {
        let waits = match record.state {
            ProposalState::Snoozed => record.snoozed_until.map_or_else(
                || "snoozed".into(),
                |until| format!("snoozed, wakes {}", wording::ago(until, now)),
            ),
            state => wording::proposal_state(state).to_owned(),
        };
        format!(
            "`{}` {}: {} – {waits}, expires {}",
            record.id,
            escape(&record.plan.title),
            count(record.plan.repairs.len(), "computer"),
            date_time(record.expires_at)
        )
    };
    proposals.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_come_first_and_ids_in_any_case() {
        assert_eq!(Slash::parse(""), Slash::Help);
        assert_eq!(Slash::parse("  QUEUE "), Slash::Queue);
        assert_eq!(
            Slash::parse("stop p-7f3k2q wrong  profile"),
            Slash::Stop {
                scope: StopScope::Proposal("P-7F3K2Q".into()),
                reason: "wrong  profile".into()
            }
        );
        assert_eq!(
            Slash::parse("resume ALL fixed"),
            Slash::Resume {
                scope: StopScope::All,
                reason: "fixed".into()
            }
        );
        assert_eq!(
            Slash::parse("stop redeliver-scep-profile no"),
            Slash::Stop {
                scope: StopScope::Playbook("redeliver-scep-profile".into()),
                reason: "no".into()
            }
        );
    }

    #[test]
    fn a_stop_without_a_reason_is_incomplete() {
        assert!(matches!(Slash::parse("stop all"), Slash::Incomplete { .. }));
        assert!(matches!(Slash::parse("why"), Slash::Incomplete { .. }));
    }

    #[test]
    fn a_slip_finds_the_verb() {
        assert_eq!(
            Slash::parse("quue"),
            Slash::Unknown {
                verb: "quue".into(),
                meant: Some("queue")
            }
        );
    }
}
