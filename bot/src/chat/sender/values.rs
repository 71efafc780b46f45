//! From an outbox row to what it says now, read from the store.

use chrono::{DateTime, Utc};

use crate::{
    chat::{
        CardEvidence, Deps,
        messages::kind,
        render::{self, CardValues, Rendered, SignInValues},
    },
    domain::{FleetFindingId, ProposalId, UserId},
    settings::Settings,
    store::{OutboxMessage, StopScope, Store},
};

/// What is to be said.
pub(super) struct Content {
    pub(super) content: Rendered,
    /// A card that waits for no working hours.
    pub(super) at_any_hour: bool,
}

/// Renders a message. `None`: what it tells of is gone.
pub(super) async fn render(
    deps: &Deps,
    message: &OutboxMessage,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Content>> {
    let payload = &message.payload;
    let plain = |content| {
        Some(Content {
            content,
            at_any_hour: true,
        })
    };
    Ok(match message.kind.as_str() {
        kind::CARD => {
            let id = ProposalId::from(payload["proposal"].as_str().unwrap_or_default());
            card_values(&deps.store, &deps.settings, &id, now)
                .await?
                .map(|values| Content {
                    at_any_hour: values.evidence.blocked,
                    content: render::card(&values),
                })
        }
        kind::FLEET => {
            let id = FleetFindingId::from(payload["fleet_finding"].as_str().unwrap_or_default());
            let record = deps.store.fleet_finding(&id).await?;
            record.and_then(|record| {
                plain(render::fleet_card(&record, &deps.settings.approvals, now))
            })
        }
        kind::ANNOUNCE => plain(render::announce(
            payload["device"].as_str().unwrap_or("your computer"),
            deps.channel(),
        )),
        kind::SIGN_IN => {
            let Ok(ask) = serde_json::from_value(payload["ask"].clone()) else {
                return Ok(None);
            };
            let devices: Vec<String> =
                serde_json::from_value(payload["devices"].clone()).unwrap_or_default();
            let user = message.recipient.strip_prefix("okta:").unwrap_or_default();
            plain(render::sign_in(&SignInValues {
                ask,
                devices: &devices,
                user: UserId::from(user).as_str(),
                link: &sign_in_link(&deps.settings),
                channel: deps.channel(),
            }))
        }
        // The text is markup, made where the message was written.
        _ => payload["text"]
            .as_str()
            .and_then(|text| plain(render::plain(text))),
    })
}

/// Everything that a card shows.
pub(crate) async fn card_values(
    store: &Store,
    settings: &Settings,
    id: &ProposalId,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<CardValues>> {
    let Some(proposal) = store.proposal(id).await? else {
        return Ok(None);
    };
    let decisions = store.decisions(id).await?;
    let run = store.run_of_proposal(id).await?;
    let repairs = match &run {
        Some(run) => store.repairs(&run.id).await?,
        None => Vec::new(),
    };
    let holds = store.open_holds().await?;
    let open_holds = holds
        .iter()
        .filter(|hold| repairs.iter().any(|repair| repair.id == hold.repair))
        .count();
    let concerns = |scope: &StopScope| match scope {
        StopScope::All => true,
        StopScope::Playbook(name) => *name == proposal.playbook,
        StopScope::Proposal(other) => other == id,
    };
    let stop = crate::approvals::in_force(store, &settings.stop_file())
        .await?
        .into_iter()
        .find(|stop| concerns(&stop.stop.scope));
    let groups = proposal.plan.approval.groups.iter();
    let approvers = groups
        .map(|name| {
            (
                name.clone(),
                settings.approvals.group(name).unwrap_or_default().to_vec(),
            )
        })
        .collect();
    Ok(Some(CardValues {
        evidence: CardEvidence::read(&proposal.evidence),
        proposal,
        decisions,
        run,
        repairs,
        open_holds,
        stop,
        approvers,
        now,
    }))
}

/// The company's own Okta page, never anything else. Which page a bare app id has is UNVERIFIED: Okta's documents show
/// this one for `OpenID` Connect apps; a path of the org may be given instead of an id.
pub(super) fn sign_in_link(settings: &Settings) -> String {
    let org = settings.okta.org_url.trim_end_matches('/');
    match settings.okta.sign_in_app.as_deref() {
        Some(path) if path.starts_with('/') => format!("{org}{path}"),
        Some(app) if app.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            format!("{org}/home/oidc_client/{app}/aln5z7uhkbM6y7bMy0g7")
        }
        _ => format!("{org}/app/UserHome"),
    }
}
