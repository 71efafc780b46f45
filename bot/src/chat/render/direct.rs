//! Direct messages to owners. They name the computer and the bot's channel, have one link, to the company's own Okta
//! page, and never sound like phishing.

use serde_json::json;

use super::{Rendered, button, context, section};
use crate::{
    chat::mrkdwn::{code, escape},
    words::count,
};

/// What the message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// The first message.
    First,
    /// A reminder.
    Reminder,
    /// Another computer joined.
    Also,
    /// A sign-in came from another device.
    OtherDevice,
    /// All done.
    Thanks,
    /// They said that it is not theirs.
    NotMine,
    /// They asked for quiet.
    Later,
}

/// What a message about a sign-in shows.
#[derive(Debug, Clone)]
pub struct SignInValues<'a> {
    /// What it asks for.
    pub ask: Ask,
    /// Names of the computers.
    pub devices: &'a [String],
    /// Okta id of the person; the buttons carry it.
    pub user: &'a str,
    /// The company's own sign-in page.
    pub link: &'a str,
    /// Channel where it can be checked.
    pub channel: &'a str,
}

/// Words for the request to sign in once.
pub fn sign_in(values: &SignInValues<'_>) -> Rendered {
    let names: Vec<String> = values.devices.iter().map(|name| code(name)).collect();
    let (names, them) = match names.as_slice() {
        [] => ("your computer".to_owned(), "it"),
        [one] => (one.clone(), "it"),
        many => (many.join(", "), "each of them"),
    };
    let check = format!(
        "Sent by the device-repair bot. Unsure? Ask in <#{}>.",
        escape(values.channel)
    );
    let text = match values.ask {
        Ask::First => format!(
            "Please sign in once with Okta FastPass on {names}. Its management certificate was renewed, and one sign-in on {them} proves it to Okta; until then company apps may stay closed."
        ),
        Ask::Reminder => {
            format!("A reminder: one sign-in with Okta FastPass on {names} is still missing.")
        }
        Ask::Also => {
            format!("{names} needs the same: one sign-in with Okta FastPass on it, please.")
        }
        Ask::OtherDevice => {
            format!("Thank you – but that was another device. It has to be {names} itself.")
        }
        Ask::Thanks => format!(
            "Thank you! {} managed again.",
            if values.devices.len() > 1 {
                format!("{} are", count(values.devices.len(), "computer"))
            } else {
                format!("{names} is")
            }
        ),
        Ask::NotMine => {
            "Thank you for telling. The IT team knows now, and you will not be reminded.".into()
        }
        Ask::Later => "No problem, you will be reminded tomorrow.".into(),
    };
    if !matches!(values.ask, Ask::First | Ask::Reminder | Ask::Also) {
        return Rendered {
            text,
            blocks: Vec::new(),
        };
    }
    let mut open = button("s.open", "Open the sign-in page", values.user);
    open["url"] = json!(values.link);
    open["style"] = json!("primary");
    let blocks = vec![
        section("s:t", &text),
        json!({ "type": "actions", "block_id": "s:a", "elements": [
            open,
            button("s.later", "Later", values.user),
            button("s.not_mine", "Not my device", values.user),
        ]}),
        context("s:c", &check),
    ];
    Rendered { text, blocks }
}

/// Tells an owner that the repair of their computer begins.
pub fn announce(device: &str, channel: &str) -> Rendered {
    let name = code(device);
    let text = format!(
        "A repair of {name} begins: Okta does not recognise it as managed. You need not do anything now; if one sign-in is needed at the end, you will be asked here."
    );
    let check = format!(
        "Sent by the device-repair bot. Unsure? Ask in <#{}>.",
        escape(channel)
    );
    Rendered {
        blocks: vec![section("n:t", &text), context("n:c", &check)],
        text,
    }
}

/// A text that is markup already.
pub fn plain(text: &str) -> Rendered {
    Rendered {
        text: crate::chat::mrkdwn::shorten_marked(text, 3_900),
        blocks: Vec::new(),
    }
}
