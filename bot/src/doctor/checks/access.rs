//! Credentials and what they may do, the right org, clocks, and secrets that end.

use chrono::{DateTime, TimeDelta, Utc};
use connectors::{AppSecret, CredentialCheck};

use super::NO_MDM;
use crate::doctor::{
    check::{Checklist, Section},
    tenant::{MdmTenant, Read, Tenant},
};

/// Okta refuses proofs of possession that are older than five minutes.
const CLOCK_FAILS: TimeDelta = TimeDelta::minutes(5);
const CLOCK_WARNS: TimeDelta = TimeDelta::minutes(1);
/// A secret that ends within this time is announced.
const SECRET_WARNS: TimeDelta = TimeDelta::days(30);

pub(super) fn examine(tenant: &Tenant, list: &mut Checklist) {
    list.section(Section::Access);
    organization(tenant, list);
    rights(list, "okta", &tenant.okta.rights, tenant.repairs);
    clock(list, "okta", tenant.okta.ahead);
    if tenant.mdms.is_empty() {
        list.skipped("mdm.rights", NO_MDM);
    }
    for mdm in &tenant.mdms {
        rights(list, &mdm.name, &mdm.rights, tenant.repairs);
        clock(list, &mdm.name, mdm.ahead);
        own_secret(list, mdm, tenant.now);
    }
}

fn organization(tenant: &Tenant, list: &mut Checklist) {
    let id = "okta.org";
    let okta = &tenant.okta;
    match (&okta.organization, &okta.expected) {
        (Err(unread), _) => list.failure(
            id,
            unread.why.clone(),
            "check the network, the proxy and [okta] org_url",
        ),
        (Ok(org), _) if !org.identity_engine => list.failure(
            id,
            format!("{} runs Classic Engine, which has no Devices API", org.id),
            "upgrade the org to Identity Engine",
        ),
        (Ok(org), Some(expected)) if *expected != org.id => list.failure(
            id,
            format!("{} is the org {}, not {expected}", okta.host, org.id),
            "correct [okta] org_url or org_id; until then nothing is done in this org",
        ),
        (Ok(org), Some(_)) => list.ok(
            id,
            format!("{}, Identity Engine, as [okta] org_id says", org.id),
        ),
        (Ok(org), None) => list.ok(
            id,
            format!(
                "{}, Identity Engine; [okta] org_id would pin the bot to it",
                org.id
            ),
        ),
    }
}

/// Rights without which it cannot look, and rights that only repairs need.
fn rights(list: &mut Checklist, source: &str, tried: &[CredentialCheck], repairs: bool) {
    let id = format!("{source}.rights");
    let (needed, optional): (Vec<_>, Vec<_>) = tried.iter().partition(|check| !check.optional);
    let missing: Vec<_> = needed.iter().filter(|check| !check.ok).collect();
    if missing.is_empty() {
        list.ok(&id, format!("all {} that reading needs", needed.len()));
    } else {
        let saw = missing
            .iter()
            .map(|check| format!("cannot {}: {}", check.what, check.saw));
        let advice = missing.iter().map(|check| check.hint.as_str());
        list.failure(&id, joined(saw), joined(advice.map(str::to_owned)));
    }
    let id = format!("{source}.repair_rights");
    let missing: Vec<_> = optional.iter().filter(|check| !check.ok).collect();
    if optional.is_empty() {
        return;
    }
    let saw = joined(missing.iter().map(|check| format!("cannot {}", check.what)));
    if missing.is_empty() {
        list.ok(id, format!("all {} that repairs need", optional.len()));
    } else if !repairs {
        list.skipped(
            id,
            format!("[safety] mode = \"observe\" repairs nothing; here it {saw}"),
        );
    } else {
        let hints = missing.iter().map(|check| check.hint.clone());
        list.warning(id, saw, joined(hints));
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for part in parts.filter(|part| !part.is_empty()) {
        if !seen.contains(&part) {
            seen.push(part);
        }
    }
    seen.join("; ")
}

fn clock(list: &mut Checklist, source: &str, ahead: Option<TimeDelta>) {
    let id = format!("{source}.clock");
    let Some(ahead) = ahead else {
        list.skipped(id, "no answer told the time");
        return;
    };
    let seconds = ahead.num_seconds();
    let saw = match seconds {
        -1..=1 => "the same time as here".to_owned(),
        2.. => format!("{seconds} s ahead of this machine"),
        _ => format!("{} s behind this machine", -seconds),
    };
    let advice = "set this machine's clock by NTP; signed requests with a wrong time are refused";
    if ahead.abs() >= CLOCK_FAILS {
        list.failure(id, saw, advice);
    } else if ahead.abs() >= CLOCK_WARNS {
        list.warning(id, saw, advice);
    } else {
        list.ok(id, saw);
    }
}

fn own_secret(list: &mut Checklist, mdm: &MdmTenant, now: DateTime<Utc>) {
    if let Some(read) = &mdm.own_secret {
        let id = format!("{}.secret_expiry", mdm.name);
        let advice = "add a new client secret to the app registration and give it to the bot";
        secret(list, id, read, now, advice);
    }
}

/// When an Entra app's secret ends.
pub(super) fn secret(
    list: &mut Checklist,
    id: String,
    read: &Read<Option<AppSecret>>,
    now: DateTime<Utc>,
    advice: &str,
) {
    let secret = match read {
        Ok(Some(secret)) => secret,
        Ok(None) => return list.skipped(id, "Entra shows no such app registration"),
        Err(unread) => return list.skipped(id, unread.why.clone()),
    };
    let Some(ends) = secret.ends_at else {
        return list.skipped(id, format!("Entra shows no secret of {}", secret.app_name));
    };
    let saw = format!(
        "the last secret of \"{}\" ends on {}",
        secret.app_name,
        ends.format("%-d %b %Y")
    );
    if ends <= now {
        list.failure(id, saw.replace("ends on", "ended on"), advice);
    } else if ends - now < SECRET_WARNS {
        list.warning(
            id,
            format!("{saw}, in {} d", (ends - now).num_days()),
            advice,
        );
    } else {
        list.ok(id, saw);
    }
}
