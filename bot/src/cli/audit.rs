//! `unstuck audit verify|export`: whether the record is whole, and the record itself for whoever wants to check it
//! without this program. No vendor is contacted.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{
    Outcome, Usage,
    database::for_reading,
    output::{Context, json, line},
};
use crate::{
    audit::{self, AuditKey, KeptHead, Verification},
    settings::Settings,
    store::Store,
    words::thousands,
};

/// Subcommands.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Say whether an entry was changed, removed, reordered or cut off
    Verify(VerifyArgs),
    /// Print every sealed entry and every seal, one JSON object a line
    Export,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// What an earlier `verify --json` printed: the record must still begin with it
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl AuditCommand {
    /// Whether stdout holds one JSON document.
    pub(super) fn json(&self) -> bool {
        matches!(self, Self::Verify(args) if args.json)
    }
}

/// Runs the command. Exit 1 if the record is not whole.
pub(super) async fn run(context: &Context, command: AuditCommand) -> anyhow::Result<Outcome> {
    match command {
        AuditCommand::Verify(args) => verify(context, args).await,
        AuditCommand::Export => export(context).await,
    }
}

async fn verify(context: &Context, args: VerifyArgs) -> anyhow::Result<Outcome> {
    let kept = args.head.as_deref().map(read_head).transpose()?;
    let settings = context.settings()?;
    let store = for_reading(&settings).await?;
    let key = key(context, &settings, &store).await?;
    let found = audit::verify(&store, key.as_ref(), kept.as_ref()).await?;
    let waiting = store.audit_waiting().await?;
    store.close().await;
    if args.json {
        json(&found)?;
    } else {
        line(&told(&found, waiting));
    }
    Ok(if found.ok {
        Outcome::Done
    } else {
        Outcome::Incomplete
    })
}

fn read_head(file: &Path) -> anyhow::Result<KeptHead> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    KeptHead::parse(&text).ok_or_else(|| {
        let file = file.display();
        Usage(format!(
            "{file} holds no head; keep one with `unstuck audit verify --json > {file}`"
        ))
        .into()
    })
}

/// The key, where there is a seal to judge: before the first start there is neither.
async fn key(
    context: &Context,
    settings: &Settings,
    store: &Store,
) -> anyhow::Result<Option<AuditKey>> {
    Ok(match store.last_audit_seal().await? {
        Some(_) => Some(AuditKey::read(settings, &context.environment)?),
        None => None,
    })
}

fn told(found: &Verification, waiting: u64) -> String {
    let mut told = match (found.first_bad, &found.head) {
        (Some(number), _) => format!(
            "The audit is not whole. The first entry that is changed, missing, out of order or signed with another \
             key: {number}."
        ),
        (None, Some(head)) => {
            let entries = counted(found.entries, "entry", "entries");
            format!("The audit is whole: {entries}. The hash of the last is {head}.")
        }
        (None, None) => "The audit is whole: nothing is sealed yet.".to_owned(),
    };
    if waiting > 0 {
        told.push('\n');
        told.push_str(&counted(waiting, "entry is", "entries are"));
        told.push_str(" not sealed yet; `unstuck serve` seals within a second.");
    }
    told
}

fn counted(number: u64, one: &str, more: &str) -> String {
    format!(
        "{} {}",
        thousands(number),
        if number == 1 { one } else { more }
    )
}

async fn export(context: &Context) -> anyhow::Result<Outcome> {
    let settings = context.settings()?;
    let store = for_reading(&settings).await?;
    let key = key(context, &settings, &store).await?;
    audit::export(&store, key.as_ref(), line).await?;
    store.close().await;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn a_record_that_is_whole_and_one_that_is_not_are_told_apart() {
        let mut found = Verification {
            ok: true,
            entries: 0,
            head: None,
            first_bad: None,
        };
        assert_snapshot!(told(&found, 0), @"The audit is whole: nothing is sealed yet.");
        found.entries = 1;
        found.head = Some("9f3c".into());
        assert_snapshot!(told(&found, 2), @r"
        The audit is whole: 1 entry. The hash of the last is 9f3c.
        2 entries are not sealed yet; `unstuck serve` seals within a second.
        ");
        found.ok = false;
        found.first_bad = Some(2);
        assert_snapshot!(told(&found, 1), @r"
        The audit is not whole. The first entry that is changed, missing, out of order or signed with another key: 2.
        1 entry is not sealed yet; `unstuck serve` seals within a second.
        ");
    }
}
