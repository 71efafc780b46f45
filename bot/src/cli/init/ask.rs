//! The questions, one section at a time; each credential is tried before the next section.

use std::io::IsTerminal;

use dialoguer::{Confirm, Input, Password, Select};

use super::{
    super::{Usage, output::line},
    draft::{Credential, Draft, Mdm, Slack},
    files,
    trial::Trial,
};

/// Asks for everything.
pub(super) async fn draft(trial: &mut Trial<'_>) -> anyhow::Result<Draft> {
    if !std::io::stdin().is_terminal() {
        return Err(Usage(
            "init asks questions and there is no terminal; use --non-interactive".into(),
        )
        .into());
    }
    let mut draft = Draft::default();
    let mut failed = false;
    loop {
        draft.okta.org_url = text("Okta org URL (https://acme.okta.com)", None)?;
        draft.okta.credential = credential(trial)?;
        let ok = trial.okta(&mut draft).await?;
        if ok || !again("Okta")? {
            failed |= !ok;
            break;
        }
    }
    while let Some(kind) = which_mdm()? {
        draft.mdms.push(mdm(trial, kind, &draft)?);
        let index = draft.mdms.len() - 1;
        let ok = trial.mdm(&mut draft, index).await?;
        if !ok && again(kind)? {
            draft.mdms.pop();
        } else {
            failed |= !ok;
        }
    }
    if yes("Connect Slack now?")? {
        line(
            "Approvers decide about repairs: usergroup:S0…, user:U0… or cli:name, with commas between.",
        );
        let approvers = text("Approvers", None)?;
        draft.approvers = approvers
            .split(',')
            .map(|one| one.trim().to_owned())
            .filter(|one| !one.is_empty())
            .collect();
        loop {
            let slack = Slack {
                api_url: None,
                bot_token: secret(trial, "Slack bot token (xoxb-…)", "SLACK_BOT_TOKEN")?,
                app_token: secret(trial, "Slack app-level token (xapp-…)", "SLACK_APP_TOKEN")?,
                channel: text("Channel id of the cards (C0…)", None)?,
            };
            let ok = trial.slack(&slack, &draft.approvers).await?;
            draft.slack = Some(slack);
            if ok || !again("Slack")? {
                failed |= !ok;
                break;
            }
        }
    }
    draft.timezone = text("Time zone of the daily sweep", Some("UTC"))?;
    trial.failed = failed;
    Ok(draft)
}

fn credential(trial: &Trial<'_>) -> anyhow::Result<Credential> {
    let kinds = [
        "an API token of a read-only administrator",
        "an API service app with a private key",
    ];
    Ok(
        match blocking(|| {
            Select::new()
                .with_prompt("Okta credential")
                .items(kinds)
                .default(0)
                .interact()
        })? {
            0 => Credential::ApiToken(secret(trial, "Okta API token", "OKTA_API_TOKEN")?),
            _ => Credential::ServiceApp {
                client_id: text("Client id (0oa…)", None)?,
                private_key: format!(
                    "file:{}",
                    text("File with the private key, PEM or JWK", Some("okta.pem"))?
                ),
                key_id: None,
            },
        },
    )
}

fn which_mdm() -> anyhow::Result<Option<&'static str>> {
    let kinds = ["jamf", "intune", "no more"];
    let chosen = blocking(|| {
        Select::new()
            .with_prompt("Connect an MDM")
            .items(kinds)
            .default(0)
            .interact()
    })?;
    Ok(kinds.get(chosen).copied().filter(|kind| *kind != "no more"))
}

fn mdm(trial: &Trial<'_>, kind: &'static str, draft: &Draft) -> anyhow::Result<Mdm> {
    let taken = |name: &str| draft.mdms.iter().any(|mdm| mdm.name == name);
    let mut name = kind.to_owned();
    for number in 2.. {
        if !taken(&name) {
            break;
        }
        name = format!("{kind}_{number}");
    }
    let mut keys = match kind {
        "jamf" => vec![(
            "url",
            text("Jamf Pro URL (https://acme.jamfcloud.com)", None)?,
        )],
        _ => vec![("tenant_id", text("Entra tenant id", None)?)],
    };
    keys.push(("client_id", text("Client id", None)?));
    let variable = format!("{}_CLIENT_SECRET", name.to_uppercase());
    keys.push(("client_secret", secret(trial, "Client secret", &variable)?));
    Ok(Mdm {
        kind: kind.into(),
        name,
        keys,
        candidates: Vec::new(),
    })
}

/// A variable that is set already is used; else the secret goes into a file that only its owner can read.
fn secret(trial: &Trial<'_>, what: &str, variable: &str) -> anyhow::Result<String> {
    if trial.environment.get(variable).is_some() {
        line(&format!("{what}: taken from ${variable}"));
        return Ok(format!("env:{variable}"));
    }
    let value = blocking(|| {
        Password::new()
            .with_prompt(format!("{what} (empty: it will be in ${variable})"))
            .allow_empty_password(true)
            .interact()
    })?;
    if value.trim().is_empty() {
        return Ok(format!("env:{variable}"));
    }
    let file = format!("{}.secret", variable.to_lowercase());
    let path = trial.output.with_file_name(&file);
    if path.exists() {
        let replace = yes(&format!("{} exists; replace it?", path.display()))?;
        anyhow::ensure!(replace, "{} is left as it is", path.display());
        std::fs::remove_file(&path)?;
    }
    files::create(&path, value.trim(), 0o600)?;
    line(&format!(
        "{what}: written to {}, readable by you alone; the settings name the file",
        path.display()
    ));
    Ok(format!("file:{file}"))
}

fn text(prompt: &str, default: Option<&str>) -> anyhow::Result<String> {
    let answer: String = blocking(|| {
        let input = Input::new().with_prompt(prompt);
        match default {
            Some(default) => input.default(default.to_owned()).interact_text(),
            None => input.interact_text(),
        }
    })?;
    Ok(answer.trim().to_owned())
}

fn yes(prompt: &str) -> anyhow::Result<bool> {
    blocking(|| Confirm::new().with_prompt(prompt).default(true).interact())
}

fn again(what: &str) -> anyhow::Result<bool> {
    yes(&format!("{what} is not in order yet. Answer again?"))
}

/// A terminal is read in a blocking way.
fn blocking<T>(ask: impl FnOnce() -> dialoguer::Result<T>) -> anyhow::Result<T> {
    Ok(tokio::task::block_in_place(ask)?)
}
