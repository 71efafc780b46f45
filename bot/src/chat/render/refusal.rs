//! Why a click changed nothing, for the person who clicked. Every text says what to do instead.

use crate::{
    approvals::Refused,
    chat::mrkdwn::{date_time, escape, members, person},
    domain::approval::Refusal,
    settings::Settings,
};

/// The text, as Slack's markup.
pub fn refused(refused: &Refused, settings: &Settings) -> String {
    match refused {
        Refused::Because(refusal) => because(refusal, settings),
        Refused::NotFound(id) => format!("There is no proposal `{id}` any more."),
        Refused::SaidAlready(_) => {
            "You have decided on this revision already; another person is needed.".into()
        }
        Refused::Held { by, reason } => format!(
            "Stopped by {}: {}. Nothing can be approved until it is resumed (`/unstuck resume …`).",
            person(by),
            escape(reason)
        ),
        Refused::Store(_) => {
            "The database did not answer, so nothing was changed. Please try again in a moment."
                .into()
        }
    }
}

fn because(refusal: &Refusal, settings: &Settings) -> String {
    match refusal {
        Refusal::NotAnApprover { groups, .. } => {
            let who: Vec<String> = groups
                .iter()
                .map(|name| {
                    let list = settings.approvals.group(name).unwrap_or_default();
                    format!("{} ({})", escape(name), members(list))
                })
                .collect();
            format!("Nothing was changed: you may not decide this. {} may; please ask one of them.", who.join(" or "))
        }
        Refusal::OwnDevice { device } => format!(
            "Nothing was changed: a computer that you use (`{}`) is part of this plan. Somebody else has to decide.",
            escape(device.as_str())
        ),
        Refusal::IdentityUnknown { .. } => {
            "Nothing was changed: I could not check in Okta whether one of these computers is yours. Please try again in a moment.".into()
        }
        Refusal::AlreadyDecided { word, by, at } => {
            format!("Already {word} by {}, {}. The card shows how it goes on.", names(by), date_time(*at))
        }
        Refusal::StaleRevision { seen, current, changed } => format!(
            "Nothing was changed: you saw revision {seen}, and it is revision {current} now ({}). Please look at the card again.",
            changes(changed)
        ),
        Refusal::DigestDiffers => {
            "Nothing was changed: the plan on that card is not the plan that would be carried out. Please look at the card again.".into()
        }
        Refusal::Expired { at } => {
            format!("Nothing was changed: the time to decide was over {}. What is still wrong is asked again.", date_time(*at))
        }
        Refusal::Stopped { by } => format!("Nothing was changed: {} stopped this proposal.", person(by)),
        Refusal::SamePersonAgain { .. } => {
            "You have approved this already; a second person has to approve it too.".into()
        }
        Refusal::ReasonMissing => "Nothing was changed: a reason is needed.".into(),
        Refusal::CliQuorum => {
            "Nothing was changed: an approval in Slack is needed besides the command line.".into()
        }
        Refusal::SnoozeTooLong { latest } => {
            format!("Nothing was changed: it can be put off until {} at most.", date_time(*latest))
        }
    }
}

/// The domain names people by Slack id or as `cli:name`.
fn names(by: &str) -> String {
    let one = |name: &str| match name.strip_prefix("cli:") {
        Some(_) => person(name),
        None if name.starts_with(['U', 'W'])
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            person(&format!("user:{name}"))
        }
        None => escape(name),
    };
    by.split(", ").map(one).collect::<Vec<_>>().join(", ")
}

fn changes(changed: &[String]) -> String {
    let added = changed
        .iter()
        .filter(|change| change.starts_with("added "))
        .count();
    let left = changed
        .iter()
        .filter(|change| change.starts_with("left "))
        .count();
    match (added, left) {
        (0, 0) => "the plan changed".into(),
        (added, 0) => format!("{added} more"),
        (0, left) => format!("{left} fewer"),
        (added, left) => format!("{added} more, {left} fewer"),
    }
}
