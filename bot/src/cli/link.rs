//! `unstuck link`: a person says which MDM record an Okta record is.

use clap::Args;
use serde_json::json as value;

use super::{
    Outcome, Usage,
    database::for_reading,
    output::{Context, json, line},
    person::person,
};
use crate::{
    app::{self, Parts},
    approvals::links,
    domain::{DeviceId, MdmDeviceId, MdmName},
    settings::Settings,
    store::ManualLink,
    words::nearest,
};

/// Arguments.
#[derive(Debug, Args)]
pub(super) struct LinkArgs {
    /// Id of the Okta record: guo…
    #[arg(requires = "reason")]
    device: Option<String>,
    /// The MDM and the id of its record: jamf:42
    #[arg(value_name = "MDM:ID", required_unless_present_any = ["remove", "list"])]
    record: Option<String>,
    /// Why; it is posted to the channel and kept
    #[arg(long)]
    reason: Option<String>,
    /// Undo the match of the Okta record
    #[arg(long, conflicts_with = "record", requires = "device")]
    remove: bool,
    /// Show the matches that people made
    #[arg(long, conflicts_with_all = ["device", "record", "remove"])]
    list: bool,
    /// Print one JSON document
    #[arg(long, requires = "list")]
    pub(super) json: bool,
}

/// Runs the command. Exit 1 if it is refused.
pub(super) async fn run(context: &Context, args: LinkArgs) -> anyhow::Result<Outcome> {
    let settings = context.settings()?;
    let Some(device) = args.device.as_deref().map(DeviceId::from) else {
        return list(&settings, args.json).await;
    };
    let by = person(&context.environment);
    allowed(&settings, &by)?;
    let reason = args.reason.unwrap_or_default();
    let at = Parts::of(&settings).clock.now();
    let record = args
        .record
        .as_deref()
        .map(|record| target(&settings, record))
        .transpose()?;
    let store = app::open_store(&settings, false).await?;
    let (done, text) = match record {
        None => (
            links::unlink(&store, &device, &by, &reason, at).await,
            format!("{device} is no longer linked; the next sweep matches it by itself"),
        ),
        Some((mdm, mdm_device)) => {
            let text = format!(
                "{device} is {mdm_device} of {mdm}; the next sweep takes it for a strong match"
            );
            let link = ManualLink {
                device,
                mdm,
                mdm_device,
                reason,
                by,
                at,
            };
            (links::link(&store, &link).await, text)
        }
    };
    store.close().await;
    done?;
    line(&text);
    Ok(Outcome::Done)
}

async fn list(settings: &Settings, as_json: bool) -> anyhow::Result<Outcome> {
    let store = for_reading(settings).await?;
    let links = store.links().await;
    store.close().await;
    let links = links?;
    if as_json {
        let links: Vec<_> = links
            .iter()
            .map(|link| {
                value!({
                    "device_id": link.device, "mdm": link.mdm, "mdm_device_id": link.mdm_device,
                    "reason": link.reason, "by": link.by, "at": link.at,
                })
            })
            .collect();
        json(&value!({ "links": links }))?;
    } else if links.is_empty() {
        line("nobody has linked anything by hand");
    } else {
        for link in links {
            line(&format!(
                "{} is {} of {}, says {} since {}: {}",
                link.device,
                link.mdm_device,
                link.mdm,
                link.by,
                link.at.format("%-d %b %Y"),
                link.reason
            ));
        }
    }
    Ok(Outcome::Done)
}

/// `jamf:42`, of an MDM that the settings name.
fn target(settings: &Settings, record: &str) -> anyhow::Result<(MdmName, MdmDeviceId)> {
    let Some((mdm, id)) = record.split_once(':').filter(|(_, id)| !id.is_empty()) else {
        return Err(Usage(format!("`{record}` is not MDM:ID, for example jamf:42")).into());
    };
    let names = || settings.mdm.iter().map(|mdm| mdm.name.as_str());
    if !names().any(|name| name == mdm) {
        let near =
            nearest(mdm, names()).map_or(String::new(), |near| format!("; did you mean {near}?"));
        return Err(Usage(format!("no [[mdm]] in the settings is called {mdm}{near}")).into());
    }
    Ok((MdmName::from(mdm), MdmDeviceId::from(id)))
}

/// A match opens the way to every action, so it takes somebody whom the settings name.
fn allowed(settings: &Settings, by: &str) -> anyhow::Result<()> {
    let approvals = &settings.approvals;
    let mut groups = approvals
        .groups
        .keys()
        .map(String::as_str)
        .chain(["oncall"]);
    let named = groups.any(|group| {
        approvals
            .group(group)
            .is_some_and(|members| members.iter().any(|member| member == by))
    });
    anyhow::ensure!(
        named,
        "{by} is in no group of [approvals]; only an approver or operator may link records"
    );
    Ok(())
}
