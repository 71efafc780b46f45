//! Ends proposals that nobody decided in time, and wakes those that were put off.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::{
    chat::{Wake, messages},
    domain::ProposalState,
    pass::Pass,
    store::{NewAuditEntry, Store, Together},
    wording,
};

/// Runs when the next undecided proposal is due.
pub struct ExpiryPass {
    /// The record.
    pub store: Store,
    /// Called when a card has changed.
    pub wake: Wake,
}

#[async_trait]
impl Pass for ExpiryPass {
    fn name(&self) -> &'static str {
        "expiry"
    }

    async fn run(&self, now: DateTime<Utc>) -> anyhow::Result<Option<DateTime<Utc>>> {
        let due = self.store.proposals_due(now).await?;
        let any = !due.is_empty();
        for record in due {
            if record.expires_at <= now {
                let waited = wording::span(record.expires_at - record.created_at);
                let line = format!(
                    "nobody decided within {waited}; what is still wrong is asked again with the next sweep"
                );
                let letters = [
                    messages::card(&record.id, now),
                    messages::thread(&record.id, "expired", &line, now),
                ];
                let audit = [NewAuditEntry {
                    kind: "proposal.expired".into(),
                    about: record.id.to_string(),
                    at: now,
                    payload: json!({ "revision": record.revision }),
                }];
                let together = Together {
                    messages: &letters,
                    audit: &audit,
                };
                self.store
                    .close_proposal(
                        &record.id,
                        record.revision,
                        ProposalState::Expired,
                        "nobody decided in time",
                        now,
                        together,
                    )
                    .await?;
            } else {
                let letters = [messages::card(&record.id, now)];
                self.store
                    .wake_proposal(
                        &record.id,
                        Together {
                            messages: &letters,
                            audit: &[],
                        },
                    )
                    .await?;
            }
        }
        if any {
            (self.wake)();
        }
        Ok(self.store.next_proposal_due().await?)
    }
}
