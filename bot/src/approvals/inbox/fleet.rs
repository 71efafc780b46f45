//! "Mark as fixed" on the card of a fleet-wide finding.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::InboxPass;
use crate::{
    chat::{messages, mrkdwn, render},
    domain::{FleetFindingId, fleet_gate::Phase},
    store::{FleetRecord, NewAuditEntry, Together},
};

impl InboxPass {
    /// Who may is read now; what the card showed must still be so.
    pub(super) async fn marked_fixed(
        &self,
        user: &str,
        value: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<(&'static str, Option<String>)> {
        let Some(id) = value
            .split_once('|')
            .map(|(id, _)| FleetFindingId::from(id))
        else {
            return Ok((
                "unreadable",
                Some("This button is not readable any more.".into()),
            ));
        };
        if let Err(no_say) = self.people.member(user).await {
            return self.no_say(user, &no_say, id.as_str(), now).await;
        }
        let groups = self.people.groups(user, false).await;
        if groups.names.is_empty() {
            self.note_refusal(user, id.as_str(), "neither approver nor operator", now)
                .await?;
            let text = self.not_allowed(&groups, "mark this as fixed", true);
            return Ok(("refused", Some(text)));
        }
        let Some(record) = self.deps.store.fleet_finding(&id).await? else {
            return Ok((
                "not found",
                Some("There is no such finding any more.".into()),
            ));
        };
        if record.phase != Phase::Open || render::fleet_value(&record) != value {
            self.deps
                .store
                .put_messages(&[messages::fleet_card(&id, now)])
                .await?;
            return Ok(("refused", Some(outdated(&record))));
        }
        let by = format!("user:{user}");
        let line = format!(
            "{} marked it as fixed; the next sweep proposes one computer",
            mrkdwn::person(&by)
        );
        let key = format!("fixed:{}", now.timestamp_millis());
        let letters = [
            messages::fleet_card(&id, now),
            messages::fleet_thread(&id, &key, &line, now),
        ];
        let audit = [NewAuditEntry {
            kind: "fleet_finding.marked_fixed".into(),
            about: id.to_string(),
            at: now,
            payload: json!({ "by": by, "groups": groups.names, "held": record.held }),
        }];
        let together = Together {
            messages: &letters,
            audit: &audit,
        };
        let store = &self.deps.store;
        match store
            .mark_fleet_finding_fixed(&id, &by, now, together)
            .await?
        {
            true => Ok(("counted", None)),
            false => Ok((
                "refused",
                Some("Somebody was faster; look at the card again.".into()),
            )),
        }
    }
}

fn outdated(record: &FleetRecord) -> String {
    match (record.phase, &record.marked) {
        (Phase::Open, _) => {
            "Nothing was changed: it opened again since this card was shown. Please look at the card again.".into()
        }
        (Phase::Closed, _) => "Nothing was changed: nobody is affected any more.".into(),
        (_, Some((by, at))) => format!(
            "Nothing was changed: {} marked it as fixed already, {}.",
            mrkdwn::person(by),
            mrkdwn::date_time(*at)
        ),
        (_, None) => "Nothing was changed: it is marked as fixed already.".into(),
    }
}
