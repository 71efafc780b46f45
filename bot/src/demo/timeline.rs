//! What is known of one device-user across Okta, its MDM, Slack and the bot, in the order of time.

use chrono::{DateTime, Utc};
use serde::Serialize;
use simulator::Simulator;

use super::{
    cast::first_name,
    funnel::standing,
    judge,
    picture::{Picture, progress},
    story::headline,
};
use crate::{
    domain::{Finding, verify::HopState},
    store::{Store, Verdict},
    sweep::subject_key as key,
    wording,
};

/// One row.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    at: DateTime<Utc>,
    /// Okta, Jamf, Intune, Slack, unstuck.
    source: String,
    words: String,
}

/// A device-user and its rows.
#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    who: String,
    serial_number: Option<String>,
    device_id: Option<String>,
    mdm: Option<String>,
    cause: &'static str,
    sure: &'static str,
    sentence: String,
    now: String,
    ruled_out: Vec<String>,
    rows: Vec<Row>,
}

/// Puts the rows together; `None`: no such finding.
pub(super) async fn timeline(
    store: &Store,
    simulator: &Simulator,
    picture: &Picture,
    wanted: &str,
) -> anyhow::Result<Option<Timeline>> {
    let finding = match picture
        .findings()
        .iter()
        .find(|finding| key(finding) == wanted)
    {
        Some(finding) => finding.clone(),
        None => match store.finding(wanted).await? {
            Some(record) => record.finding,
            None => return Ok(None),
        },
    };
    let mut rows = Rows::default();
    rows.evidence(&finding);
    for entry in store.finding_history(wanted).await? {
        rows.add(
            entry.at,
            "unstuck",
            format!("finding {}: {}", entry.change, entry.cause.title()),
        );
    }
    if let (Some(device), Some(user)) = (&finding.device_id, &finding.user_id) {
        let log = store.load_log_facts().await?;
        if let Some(seen) = log.fastpass.get(&(device.clone(), user.clone())) {
            rows.maybe(
                seen.last_managed,
                "okta",
                "FastPass sign-in, the computer attested that it is managed",
            );
            rows.maybe(
                seen.last_unmanaged,
                "okta",
                "FastPass sign-in without attestation",
            );
        }
        rows.maybe(
            log.binds.get(device).map(|seen| seen.last),
            "okta",
            "certificate bound to the device (pki.cert.bind)",
        );
    }
    rows.of_proposals(simulator, picture, &finding);
    rows.of_repairs(store, picture, &finding).await?;
    rows.of_vendors(simulator, &finding);
    rows.of_slack(simulator, picture, &finding);
    rows.0
        .sort_by(|a, b| (a.at, &a.source).cmp(&(b.at, &b.source)));
    Ok(Some(Timeline {
        who: wording::who(&finding),
        serial_number: finding.serial_number.clone(),
        device_id: finding.device_id.as_ref().map(ToString::to_string),
        mdm: finding.mdm.as_ref().map(ToString::to_string),
        cause: finding.cause.title(),
        sure: wording::sure(finding.confidence),
        sentence: wording::sentence(&finding),
        now: standing(picture, &finding),
        ruled_out: finding
            .rivals
            .iter()
            .map(|rival| format!("{}: {}", rival.cause.title(), rival.excluded_by))
            .collect(),
        rows: rows.0,
    }))
}

#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    fn add(&mut self, at: DateTime<Utc>, source: impl Into<String>, words: impl Into<String>) {
        self.0.push(Row {
            at,
            source: source.into(),
            words: words.into(),
        });
    }

    fn maybe(&mut self, at: Option<DateTime<Utc>>, source: &str, words: &str) {
        if let Some(at) = at {
            self.add(at, source, words);
        }
    }

    /// Facts stand at the time they speak of.
    fn evidence(&mut self, finding: &Finding) {
        for fact in &finding.evidence {
            let at = fact.about.unwrap_or(fact.observed_at);
            self.add(
                at,
                fact.source.clone(),
                format!("{} = {}", fact.fact, fact.value),
            );
        }
    }

    fn of_proposals(&mut self, simulator: &Simulator, picture: &Picture, finding: &Finding) {
        for proposal in &picture.proposals {
            let mut subjects = proposal
                .plan
                .repairs
                .iter()
                .flat_map(|repair| &repair.subjects);
            if !subjects.any(|subject| Some(&subject.device_id) == finding.device_id.as_ref()) {
                continue;
            }
            self.add(
                proposal.created_at,
                "unstuck",
                format!("proposed in {}: {}", proposal.id, headline(proposal)),
            );
            for decision in picture.decisions.get(&proposal.id).into_iter().flatten() {
                let verb = match decision.verdict {
                    Verdict::Approve => "approved",
                    Verdict::Deny => "denied",
                };
                let name = first_name(simulator.slack(), &decision.person);
                let reason = decision
                    .reason
                    .as_deref()
                    .map(|reason| format!(" ({reason})"))
                    .unwrap_or_default();
                self.add(
                    decision.at,
                    "slack",
                    format!("{name} {verb} {}{reason}", proposal.id),
                );
            }
        }
    }

    /// The journal, step by step.
    async fn of_repairs(
        &mut self,
        store: &Store,
        picture: &Picture,
        finding: &Finding,
    ) -> anyhow::Result<()> {
        for planned in picture.all_planned() {
            let record = planned.record;
            if !record
                .subjects
                .iter()
                .any(|subject| Some(&subject.device_id) == finding.device_id.as_ref())
            {
                continue;
            }
            for step in store.steps(&record.id).await? {
                let words = planned
                    .plan
                    .steps
                    .iter()
                    .find(|known| known.id == step.step)
                    .map(|known| wording::step(&known.kind));
                let words = words.unwrap_or(step.action);
                self.add(
                    step.started_at,
                    "unstuck",
                    format!("step {}: {words}", step.step),
                );
                if let Some(at) = step.finished_at {
                    self.add(
                        at,
                        "unstuck",
                        format!("step {} {}", step.step, step.state.word()),
                    );
                }
            }
            for hop in progress(record).hops {
                if let HopState::Proved { at } = hop.state {
                    self.add(at, "proof", wording::hop(hop.hop));
                }
            }
            self.maybe(
                record.finished_at,
                "unstuck",
                &format!("repair ended: {}", wording::repair_state(&record.state)),
            );
        }
        Ok(())
    }

    /// What arrived at the vendors' servers for this computer and this person.
    fn of_vendors(&mut self, simulator: &Simulator, finding: &Finding) {
        let serial = finding.serial_number.as_deref().unwrap_or_default();
        let mut ids = simulator.world().mdm_ids(serial);
        ids.extend(finding.mdm_device_id.as_ref().map(ToString::to_string));
        ids.extend(finding.user_id.as_ref().map(ToString::to_string));
        for effect in simulator.ledger().effects() {
            if judge::parts(&effect.target).any(|part| ids.iter().any(|id| id == part)) {
                let vendor = effect.kind.split('.').next().unwrap_or("vendor").to_owned();
                self.add(
                    effect.at,
                    vendor,
                    format!(
                        "received {}: {} → {}",
                        effect.kind, effect.before, effect.after
                    ),
                );
            }
        }
    }

    /// Direct messages that name the computer.
    fn of_slack(&mut self, simulator: &Simulator, picture: &Picture, finding: &Finding) {
        let slack = simulator.slack();
        let Some(user) = finding
            .login
            .as_deref()
            .and_then(|login| slack.user_by_email(login))
        else {
            return;
        };
        let name = finding.device_name.as_deref().unwrap_or_default();
        let began = picture.sweep.as_ref().map(|sweep| sweep.sweep.started_at);
        for message in slack.ims(&user.id) {
            let about = name.is_empty() || message.text.contains(name) || message.user == user.id;
            let seconds = message
                .ts
                .split('.')
                .next()
                .and_then(|seconds| seconds.parse().ok());
            let at = seconds
                .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
                .or(began);
            if let Some(at) = at.filter(|_| about) {
                let by = if message.user == user.id {
                    &user.real_name
                } else {
                    "unstuck"
                };
                self.add(at, "slack", format!("{by}: {}", message.text));
            }
        }
    }
}
