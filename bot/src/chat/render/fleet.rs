//! The card of a fleet-wide finding in every phase: what, how many, since when, by what change, what a person must do.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{FIELD, Rendered, button, context, section};
use crate::{
    chat::mrkdwn::{date_time, escape, members, person, shorten_marked},
    domain::{
        OrgChangeSeen,
        approval::OPERATORS,
        fleet_gate::{Attribute, BATCHES, Phase},
    },
    settings::Approvals,
    store::FleetRecord,
    wording,
    words::count,
};

/// Draws the card.
pub fn fleet_card(record: &FleetRecord, approvals: &Approvals, now: DateTime<Utc>) -> Rendered {
    let what = format!(
        "{}: {}",
        escape(&capital(record.cause.title())),
        count(record.computers as usize, "computer")
    );
    let id = &record.id;
    if record.phase == Phase::Closed {
        let line = "nobody is affected any more";
        let head = format!(":white_check_mark: ~{what}~ · `{id}`\n{line}");
        return Rendered {
            text: format!("{id}: {} – {line}.", escape(record.cause.title())),
            blocks: vec![
                section(&block(record, "t"), &head),
                small_print(record, now),
            ],
        };
    }
    let head = format!(
        ":rotating_light: *{what}* · `{id}`\n{}{}",
        shared(record),
        status(record)
    );
    let mut blocks = vec![section(&block(record, "t"), &head), fields(record)];
    let guide = format!(
        "*What a person must do*\n{}",
        escape(wording::guide(record.cause))
    );
    blocks.push(section(&block(record, "g"), &guide));
    if record.phase == Phase::Open {
        blocks.push(buttons(record));
        let mut who = members(approvals.group("oncall").unwrap_or_default());
        if let Some(operators) = approvals.group(OPERATORS) {
            who = format!("{who} or {}", members(operators));
        }
        let line = format!("{who} may mark it as fixed");
        blocks.push(context(&block(record, "w"), &line));
    }
    blocks.push(small_print(record, now));
    Rendered {
        text: format!(
            "{id}: {what}, not repaired one by one. {}",
            match record.phase {
                Phase::Open => "A person has to look at it.",
                _ => "Repairs go on in batches.",
            }
        ),
        blocks,
    }
}

/// Identifies the state that a click is about: a card from before it opened again is out of date.
pub fn fleet_value(record: &FleetRecord) -> String {
    let opened = record.reopened_at.unwrap_or(record.opened_at);
    format!("{}|{}", record.id, opened.timestamp_millis())
}

fn block(record: &FleetRecord, part: &str) -> String {
    format!("{}:{part}", record.id)
}

fn shared(record: &FleetRecord) -> String {
    let since = record
        .since
        .map(|since| format!(" · since {}", date_time(since)))
        .unwrap_or_default();
    match record.attribute {
        Attribute::Org => format!("In the whole org{since}"),
        attribute => format!(
            "All of {} *{}*{since}",
            attribute.title(),
            escape(&record.value)
        ),
    }
}

/// What was done about it so far, and what comes next.
fn status(record: &FleetRecord) -> String {
    let by = record
        .marked
        .as_ref()
        .map(|(by, at)| format!("marked as fixed by {} {}", person(by), date_time(*at)));
    let by = by.unwrap_or_default();
    let managed = format!(
        "{} of {} let go are managed again",
        record.managed, record.released
    );
    match record.phase {
        Phase::Open if record.reopened_at.is_some() => {
            format!("\n:repeat: Open again: new faults began after it was {by}.")
        }
        Phase::Open => String::new(),
        Phase::MarkedFixed => {
            format!("\n:hammer_and_wrench: {by}. The next sweep proposes one computer.")
        }
        Phase::Canary => format!("\n:hatching_chick: {by}. {managed}."),
        Phase::Resumed => format!("\n:arrow_forward: {by}. Nobody is held any more; {managed}."),
        Phase::Closed => String::new(),
    }
}

fn fields(record: &FleetRecord) -> Value {
    let titled = [
        ("Probably", change(record.change.as_ref())),
        ("Sure", wording::sure(record.confidence).to_owned()),
        ("Affected", count(record.affected as usize, "device-user")),
        ("Held", held(record)),
        ("After the mark", plan()),
        ("Proof", proof(record)),
    ];
    let field = |(title, text): (&str, String)| json!({ "type": "mrkdwn", "text": shorten_marked(&format!("*{title}*\n{text}"), FIELD) });
    json!({
        "type": "section", "block_id": block(record, "f"),
        "fields": titled.into_iter().map(field).collect::<Vec<_>>(),
    })
}

fn change(change: Option<&OrgChangeSeen>) -> String {
    let Some(change) = change else {
        return "no change in Okta's log explains it".into();
    };
    let to = change
        .target
        .as_deref()
        .map(|target| format!(" ({})", escape(target)))
        .unwrap_or_default();
    let by = match change.actor.as_deref() {
        Some(actor) => format!("by {}", escape(actor)),
        None => "the source does not say by whom".into(),
    };
    format!(
        "{}{to}\n{by}, {}",
        escape(&change.event_type),
        date_time(change.at)
    )
}

fn held(record: &FleetRecord) -> String {
    match record.held {
        0 => "nobody".into(),
        held => format!(
            "{}; no card asks about them",
            count(held as usize, "device-user")
        ),
    }
}

fn plan() -> String {
    let batches: Vec<String> = BATCHES.iter().map(ToString::to_string).collect();
    format!(
        "{}, then the rest: each batch is proposed as usual, when those before are managed",
        batches.join(", then ")
    )
}

fn proof(record: &FleetRecord) -> String {
    let counted = record
        .evidence
        .iter()
        .find(|evidence| evidence.fact.starts_with("fleet.failing_with"));
    counted.map_or_else(
        || "see `unstuck sweep --json`".into(),
        |evidence| format!("{} with it fail", escape(&evidence.value)),
    )
}

fn buttons(record: &FleetRecord) -> Value {
    let mut fixed = button("f.fixed", "Mark as fixed", &fleet_value(record));
    fixed["style"] = "primary".into();
    let text = "One computer is proposed at the next sweep; the others follow when it is managed. New faults open this \
                again.";
    fixed["confirm"] = json!({
        "title": { "type": "plain_text", "text": "Is the cause gone?" },
        "text": { "type": "plain_text", "text": text },
        "confirm": { "type": "plain_text", "text": "Mark as fixed" },
        "deny": { "type": "plain_text", "text": "Back" },
    });
    json!({ "type": "actions", "block_id": block(record, "a"), "elements": [fixed] })
}

fn small_print(record: &FleetRecord, now: DateTime<Utc>) -> Value {
    let line = format!(
        "found {} · numbers of {} · cause {}",
        date_time(record.opened_at),
        wording::ago(record.seen_at, now),
        record.cause.name()
    );
    context(&block(record, "c"), &line)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Cause, Confidence, Evidence};

    fn at(hour: u32) -> DateTime<Utc> {
        format!("2026-11-24T{hour:02}:00:00Z").parse().unwrap()
    }

    fn record(phase: Phase) -> FleetRecord {
        FleetRecord {
            id: "F-7F3K2Q".into(),
            cause: Cause::CaStaticSecretRotated,
            confidence: Confidence::Medium,
            attribute: Attribute::Profile,
            value: "Okta SCEP (jamf)".into(),
            phase,
            since: Some(at(2)),
            change: Some(OrgChangeSeen {
                at: at(2),
                event_type: "device.platform.secret_key.reset".into(),
                actor: Some("Carla <!channel>".into()),
                target: None,
            }),
            evidence: vec![Evidence {
                source: "okta".into(),
                fact: "fleet.failing_with_profile".into(),
                value: "34 of 300 computers".into(),
                observed_at: at(3),
                about: None,
                assumes: None,
            }],
            affected: 35,
            computers: 34,
            held: 34,
            released: 1,
            managed: 1,
            opened_at: at(3),
            seen_at: at(3),
            reopened_at: None,
            marked: (phase != Phase::Open).then(|| ("user:U1".into(), at(4))),
            closed_at: None,
        }
    }

    fn text(record: &FleetRecord) -> String {
        serde_json::to_string(&fleet_card(record, &Approvals::default(), at(5)).blocks).unwrap()
    }

    #[test]
    fn the_first_line_says_what_and_how_many_and_the_rest_since_when_by_whom_and_what_to_do() {
        let card = text(&record(Phase::Open));
        for part in [
            "*The SCEP secret was reset in Okta: 34 computers*",
            "Okta SCEP (jamf)",
            "by Carla &lt;!channel&gt;",
            "Put the new secret into the MDM's SCEP profile",
            "1, then 5, then 50, then the rest",
            "34 device-users; no card asks about them",
            "Mark as fixed",
        ] {
            assert!(card.contains(part), "{part} is missing in {card}");
        }
        assert!(!card.contains("<!channel>"));
    }

    #[test]
    fn only_an_open_finding_can_be_marked() {
        for phase in [
            Phase::MarkedFixed,
            Phase::Canary,
            Phase::Resumed,
            Phase::Closed,
        ] {
            assert!(!text(&record(phase)).contains("f.fixed"), "{phase:?}");
        }
        assert!(text(&record(Phase::Open)).contains("f.fixed"));
    }

    #[test]
    fn a_canary_says_who_marked_it_and_how_far_it_is() {
        let card = text(&record(Phase::Canary));
        assert!(card.contains("marked as fixed by <@U1>"), "{card}");
        assert!(card.contains("1 of 1 let go are managed again"), "{card}");
    }

    #[test]
    fn a_click_on_a_card_from_before_it_opened_again_is_told_apart() {
        let mut again = record(Phase::Open);
        let before = fleet_value(&again);
        again.reopened_at = Some(at(5));
        assert_ne!(fleet_value(&again), before);
    }

    #[test]
    fn every_cause_has_a_guide() {
        for cause in Cause::ALL {
            assert!(wording::guide(*cause).len() > 20, "{cause}");
        }
    }
}
