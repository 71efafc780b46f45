//! What a visitor does: in Slack as one of its people, to the time, to the vendors, to the bot.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use simulator::{
    SignInOutcome,
    slack::{InteractionError, Pick, SubmitOutcome},
};

use super::{
    super::{
        judge,
        story::{Kind, Line},
    },
    Page, refuse,
};
use crate::words::count;

/// How long the bot stays dead when it was killed.
const DEAD_FOR: Duration = Duration::from_secs(3);

#[derive(Deserialize)]
pub(super) struct Click {
    #[serde(rename = "as")]
    person: String,
    /// A message; with a view, the view's id and no ts.
    channel: String,
    #[serde(default)]
    ts: String,
    #[serde(default)]
    view: String,
    action: String,
    block: Option<String>,
    /// Of a menu.
    option: Option<String>,
}

/// Clicks a button or picks an option.
pub(super) async fn click(State(page): State<Page>, Json(click): Json<Click>) -> Response {
    let slack = page.demo.simulator.slack();
    let mut pick = match &click.option {
        Some(option) => Pick::option(click.action, option),
        None => Pick::button(click.action),
    };
    if let Some(block) = &click.block {
        pick = pick.in_block(block);
    }
    let clicked = if click.view.is_empty() {
        slack
            .click(&click.person, &click.channel, &click.ts, pick)
            .await
    } else {
        slack.click_in_view(&click.person, &click.view, pick).await
    };
    answer(clicked.map(|_| json!({})))
}

#[derive(Deserialize)]
pub(super) struct Submit {
    #[serde(rename = "as")]
    person: String,
    view: String,
    /// By block id: text, or the value of an option.
    values: BTreeMap<String, Value>,
}

/// Submits a dialog.
pub(super) async fn submit(State(page): State<Page>, Json(submit): Json<Submit>) -> Response {
    let slack = page.demo.simulator.slack();
    let values = submit
        .values
        .iter()
        .map(|(block, value)| (block.as_str(), value.clone()));
    let submitted = slack
        .submit_view(&submit.person, &submit.view, values)
        .await;
    answer(submitted.map(|outcome| match outcome {
        SubmitOutcome::Errors(errors) => json!({ "errors": errors }),
        _ => json!({}),
    }))
}

#[derive(Deserialize)]
pub(super) struct Close {
    #[serde(rename = "as")]
    person: String,
    view: String,
}

/// Closes a dialog.
pub(super) async fn close(State(page): State<Page>, Json(close): Json<Close>) -> Response {
    answer(
        page.demo
            .simulator
            .slack()
            .close_view(&close.person, &close.view)
            .await
            .map(|()| json!({})),
    )
}

#[derive(Deserialize)]
pub(super) struct Say {
    #[serde(rename = "as")]
    person: String,
    channel: String,
    text: String,
}

/// Types into the message box: a slash command, or words.
pub(super) async fn say(State(page): State<Page>, Json(say): Json<Say>) -> Response {
    let slack = page.demo.simulator.slack();
    let text = say.text.trim();
    if text.is_empty() {
        return refuse(StatusCode::BAD_REQUEST, "nothing was typed");
    }
    if text.starts_with('/') {
        answer(
            slack
                .slash(&say.person, &say.channel, text)
                .await
                .map(|_| json!({})),
        )
    } else {
        answer(
            slack
                .say(&say.person, &say.channel, text, None)
                .map(|_| json!({})),
        )
    }
}

/// As Slack says it: a warning to the person, nothing more.
fn answer(outcome: Result<Value, InteractionError>) -> Response {
    match outcome {
        Ok(value) => Json(value).into_response(),
        Err(InteractionError::NotConnected | InteractionError::NotAcknowledged { .. }) => refuse(
            StatusCode::BAD_GATEWAY,
            "unstuck did not answer. Slack would say: this app is not responding.",
        ),
        Err(error) => refuse(StatusCode::CONFLICT, &error.to_string()),
    }
}

#[derive(Deserialize)]
pub(super) struct SignIn {
    #[serde(rename = "as")]
    person: String,
}

/// What the button of a direct message leads to: the person signs in with FastPass on each computer that waits for it.
pub(super) async fn sign_in(State(page): State<Page>, Json(act): Json<SignIn>) -> Response {
    let demo = &page.demo;
    let email = demo
        .simulator
        .slack()
        .user(&act.person)
        .and_then(|user| user.email);
    let Some(email) = email else {
        return refuse(StatusCode::NOT_FOUND, "no such person");
    };
    let picture = demo.picture.borrow().clone();
    let mut said = Vec::new();
    for planned in picture
        .all_planned()
        .filter(|planned| planned.record.state.waits_for_hop())
    {
        let mine = |subject: &&crate::domain::PlannedSubject| {
            [Some(&subject.login), subject.email.as_ref()]
                .into_iter()
                .flatten()
                .any(|name| name.eq_ignore_ascii_case(&email))
        };
        for subject in planned.record.subjects.iter().filter(mine) {
            let outcome = demo
                .simulator
                .world()
                .sign_in_with_fastpass(&email, subject.device_id.as_str());
            let words = match outcome {
                SignInOutcome::Managed => "the computer attested that it is managed",
                SignInOutcome::NotManaged => "the computer could not attest that it is managed",
                SignInOutcome::Refused => "Okta refused it",
                SignInOutcome::NotEnrolled => "there is no FastPass on it",
                SignInOutcome::ProbeBlocked => "the browser could not reach Okta Verify",
            };
            said.push(format!(
                "Signed in with FastPass on {}: {words}.",
                planned.plan.device_name
            ));
        }
    }
    if said.is_empty() {
        said.push("No computer of this person waits for a sign-in.".to_owned());
    }
    Json(json!({ "said": said.join(" ") })).into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Turn {
    Pause,
    Resume,
    Faster,
}

#[derive(Deserialize)]
pub(super) struct TimeAct {
    turn: Turn,
}

/// Stops the time, lets it run, makes it run faster.
pub(super) async fn time(State(page): State<Page>, Json(act): Json<TimeAct>) -> Response {
    let time = &page.demo.time;
    match act.turn {
        Turn::Pause => time.pause(),
        Turn::Resume => time.resume(),
        Turn::Faster => time.faster(),
    }
    Json(time.shown()).into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Trouble {
    OktaSlow,
    JamfDown,
    KillBot,
}

#[derive(Deserialize)]
pub(super) struct BreakAct {
    trouble: Trouble,
}

/// Breaks one thing, or mends it if it is broken.
pub(super) async fn break_something(
    State(page): State<Page>,
    Json(act): Json<BreakAct>,
) -> Response {
    match act.trouble {
        Trouble::OktaSlow => {
            let broken = page
                .demo
                .troubles
                .change(|broken| broken.okta_slow = !broken.okta_slow);
            tell(
                &page,
                if broken.okta_slow {
                    "Okta answers 3 s late"
                } else {
                    "Okta is fast again"
                },
            );
        }
        Trouble::JamfDown => {
            let broken = page
                .demo
                .troubles
                .change(|broken| broken.jamf_down = !broken.jamf_down);
            let words = if broken.jamf_down {
                "Jamf answers 503 to everything"
            } else {
                "Jamf is up again; what was begun goes on where it stood"
            };
            tell(&page, words);
        }
        Trouble::KillBot => {
            if !page.demo.host.kill().await {
                return refuse(StatusCode::CONFLICT, "the bot is down already");
            }
            tell(
                &page,
                "the bot was killed in the middle of its work; the company goes on without it",
            );
            tokio::spawn(rise_again(page));
            return Json(json!({})).into_response();
        }
    }
    Json(json!({})).into_response()
}

/// A new process on the same database, and what became of the work.
async fn rise_again(page: Page) {
    tokio::select! {
        () = tokio::time::sleep(DEAD_FOR) => {}
        () = page.stop.cancelled() => return,
    }
    let demo = &page.demo;
    if let Err(error) = demo.host.start().await {
        tell(&page, &format!("the bot could not start again: {error:#}"));
        return;
    }
    let picture = demo.picture.borrow().clone();
    let effects = judge::effects(&demo.simulator, &picture);
    let open = picture.count(|state| !state.is_end());
    tell(
        &page,
        &format!(
            "a new process took over the database: {} go on, nothing approved is lost, {} doubled so far",
            count(open, "open repair"),
            count(effects.doubled, "effect"),
        ),
    );
}

fn tell(page: &Page, words: &str) {
    let at = page.demo.time.now();
    page.demo.tell(vec![Line {
        at,
        kind: Kind::Break,
        words: words.to_owned(),
    }]);
}
