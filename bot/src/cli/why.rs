//! `unstuck why QUERY`: why one computer is not managed, from what the store knows; no vendor is asked.

use clap::Args;
use serde_json::{Value, json as value};

use super::{
    Outcome,
    database::for_reading,
    output::{Context, json, line, width, wrap},
    render::{View, why as render},
};
use crate::{
    app::Parts,
    domain::Rival,
    why::{self, Answer},
};

/// Arguments.
#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// Serial number, Okta device id, login or name of the computer
    query: String,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// Runs the command. Exit 1 if nothing is found.
pub(super) async fn run(context: &Context, args: WhyArgs) -> anyhow::Result<Outcome> {
    let settings = context.settings()?;
    let store = for_reading(&settings).await?;
    let now = Parts::of(&settings).clock.now();
    let found = why::ask(&store, &args.query, now).await;
    store.close().await;
    let found = found?;
    let answers = &found.answers;
    if args.json {
        json(&value!({ "subjects": answers.iter().map(document).collect::<Vec<_>>() }))?;
    } else if answers.is_empty() {
        line(&wrap(&render::not_found(&args.query, &found.near), width()));
    } else {
        let view = View::here(now);
        let texts: Vec<String> = answers
            .iter()
            .map(|answer| render::why(answer, &view))
            .collect();
        line(&texts.join("\n\n"));
        if found.more {
            line(&format!(
                "\nOnly the first {} are shown; ask for one of them.",
                answers.len()
            ));
        }
    }
    Ok(if answers.is_empty() {
        Outcome::Incomplete
    } else {
        Outcome::Done
    })
}

/// The finding's own keys, with rivals, history and what happens next beside them.
fn document(answer: &Answer) -> Value {
    let rivals: &[Rival] = answer
        .finding
        .as_ref()
        .map_or(&[], |finding| &finding.rivals);
    let mut document = match (&answer.finding, &answer.subject) {
        (Some(finding), _) => value!(finding),
        (None, Some(subject)) => value!({
            "device_id": subject.device_id, "user_id": subject.user_id, "login": subject.document["login"],
            "serial_number": subject.document["serial_number"], "platform": subject.document["platform"],
            "device_name": subject.document["device_name"], "mdm": subject.mdm,
            "mdm_device_id": subject.mdm_device_id, "cause": null,
        }),
        (None, None) => value!({}),
    };
    document["managed"] = value!(answer.is_managed());
    document["proved"] = value!(answer.proof);
    document["rivals"] = value!(rivals);
    document["history"] = value!(answer.history);
    document["next"] = value!(answer.next);
    document
}
