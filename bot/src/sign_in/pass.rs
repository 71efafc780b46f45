//! Sends what is due to people, and ends requests whose computers are done.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{FIRST_MESSAGES_A_DAY, REMINDERS, first_key, progress::reply};
use crate::{
    chat::{
        Deps,
        messages::{self, kind},
        render::Ask,
    },
    domain::{DeviceId, LogFacts, ProposalId, RepairId, RepairState, UserId},
    hours::Hours,
    pass::Pass,
    store::{NewMessage, RepairRecord, SignInRequest, SignInRequestState, Store, Together},
};

/// Requests in one pass.
const REQUESTS_PER_PASS: u32 = 5_000;
/// Open requests are due within this time, whatever they wait for.
const EVER: TimeDelta = TimeDelta::days(3_650);
/// How often it is looked whether open requests are done.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(60);

/// Sends first messages and reminders.
pub struct SignInPass {
    deps: Deps,
    hours: Hours,
}

impl SignInPass {
    /// Fails if `[approvals] hours` does not parse.
    pub fn new(deps: Deps) -> anyhow::Result<Self> {
        let approvals = &deps.settings.approvals;
        let hours =
            Hours::parse(&approvals.hours, &approvals.timezone).map_err(anyhow::Error::msg)?;
        Ok(Self { deps, hours })
    }
}

#[async_trait]
impl Pass for SignInPass {
    fn name(&self) -> &'static str {
        "sign-in"
    }

    async fn run(&self, now: DateTime<Utc>) -> anyhow::Result<Option<DateTime<Utc>>> {
        let store = &self.deps.store;
        let open = store
            .due_sign_in_requests(now + EVER, REQUESTS_PER_PASS)
            .await?;
        if open.is_empty() {
            return Ok(None);
        }
        let waiting = Waiting::read(store).await?;
        let log = store.load_log_facts().await?;
        for request in open {
            let user = request.user.clone();
            if let Err(error) = self.look_at(request, &waiting, &log, now).await {
                tracing::error!(user.id = %user, error = %format!("{error:#}"), "cannot look at a sign-in request");
            }
        }
        (self.deps.wake)();
        let due = store.next_sign_in_request_due().await?;
        Ok(due.map(|due| {
            due.clamp(now, now + LOOK_AGAIN)
                .max(now + TimeDelta::seconds(1))
        }))
    }
}

impl SignInPass {
    async fn look_at(
        &self,
        mut request: SignInRequest,
        waiting: &Waiting,
        log: &LogFacts,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let store = &self.deps.store;
        let devices = waiting.of(&request.user);
        if devices.is_empty() {
            let letters = self.thanks(&request, now).await?;
            request.state = SignInRequestState::Done;
            request.next_due_at = None;
            store
                .save_sign_in_request(
                    &request,
                    Together {
                        messages: &letters,
                        audit: &[],
                    },
                )
                .await?;
            return Ok(());
        }
        if let Some(sent_at) = request.first_sent_at {
            let letters = other_device(&request, &devices, log, sent_at, now);
            store.put_messages(&letters).await?;
        }
        if request.next_due_at.is_none_or(|due| due > now) {
            return Ok(());
        }
        let is_first = request.first_sent_at.is_none();
        if !is_first && !self.hours.is_open(now) {
            request.next_due_at = Some(self.hours.next_open(now));
            store
                .save_sign_in_request(&request, Together::default())
                .await?;
            return Ok(());
        }
        let day = now.format("%Y-%m-%d").to_string();
        if is_first
            && !store
                .take("first_sign_in_messages", &day, 1, FIRST_MESSAGES_A_DAY, now)
                .await?
        {
            let midnight = now
                .date_naive()
                .and_hms_opt(0, 0, 0)
                .map_or(now, |midnight| midnight.and_utc());
            request.next_due_at = Some(midnight + TimeDelta::days(1));
            store
                .save_sign_in_request(&request, Together::default())
                .await?;
            return Ok(());
        }
        let letter = ask(&request, &devices, now);
        if is_first {
            request.first_sent_at = Some(now);
        } else {
            request.reminders += 1;
        }
        request.state = SignInRequestState::Open;
        let sent_at = request.first_sent_at.unwrap_or(now);
        // After the last reminder it only waits for its end.
        let next = REMINDERS
            .get(request.reminders as usize)
            .map(|after| sent_at + *after);
        request.next_due_at = Some(next.unwrap_or(now + TimeDelta::days(365)));
        let saved = store
            .save_sign_in_request(
                &request,
                Together {
                    messages: &[letter],
                    audit: &[],
                },
            )
            .await?;
        if !saved && is_first {
            store.give_back("first_sign_in_messages", &day, 1).await?;
        }
        Ok(())
    }

    /// The last line of the thread, if a computer of the request became managed.
    async fn thanks(
        &self,
        request: &SignInRequest,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Vec<NewMessage>> {
        if request.first_sent_at.is_none() {
            return Ok(Vec::new());
        }
        let store = &self.deps.store;
        let mut names = Vec::new();
        // A run is older than its request; approvals hold for days.
        for run in store
            .runs_since(request.opened_at - TimeDelta::days(30))
            .await?
        {
            for repair in store.repairs(&run.id).await? {
                let concerns = repair.subjects.iter().any(|subject| {
                    subject.user_id == request.user && request.devices.contains(&subject.device_id)
                });
                if concerns && repair.state == RepairState::Managed {
                    names.push(name_of(store, &run.proposal, &repair).await?);
                }
            }
        }
        if names.is_empty() {
            return Ok(Vec::new());
        }
        names.sort();
        names.dedup();
        let mut letter = reply(request, Ask::Thanks, "thanks", now);
        letter.payload["devices"] = json!(names);
        Ok(vec![letter])
    }
}

/// One device of a person that waits for their sign-in, or will.
#[derive(Debug, Clone)]
pub(super) struct WaitingDevice {
    pub(super) device: DeviceId,
    pub(super) name: String,
    pub(super) proposal: ProposalId,
    pub(super) repair: RepairId,
}

/// Devices of open repairs by person.
struct Waiting(HashMap<UserId, Vec<WaitingDevice>>);

impl Waiting {
    async fn read(store: &Store) -> anyhow::Result<Self> {
        let mut plans = BTreeMap::new();
        let mut found: HashMap<UserId, Vec<WaitingDevice>> = HashMap::new();
        for repair in store.open_repairs().await? {
            if !plans.contains_key(&repair.run) {
                let Some(run) = store.run(&repair.run).await? else {
                    continue;
                };
                let Some(proposal) = store.proposal(&run.proposal).await? else {
                    continue;
                };
                plans.insert(repair.run.clone(), proposal);
            }
            let proposal = &plans[&repair.run];
            let planned = proposal.plan.repairs.get(repair.position);
            let name = planned.map_or("your computer", |planned| planned.device_name.as_str());
            for subject in &repair.subjects {
                found
                    .entry(subject.user_id.clone())
                    .or_default()
                    .push(WaitingDevice {
                        device: subject.device_id.clone(),
                        name: name.to_owned(),
                        proposal: proposal.id.clone(),
                        repair: repair.id.clone(),
                    });
            }
        }
        Ok(Self(found))
    }

    fn of(&self, user: &UserId) -> Vec<WaitingDevice> {
        self.0.get(user).cloned().unwrap_or_default()
    }
}

/// Devices that wait for a person's sign-in, or will.
pub(super) async fn waiting_for(
    store: &Store,
    user: &UserId,
) -> anyhow::Result<Vec<WaitingDevice>> {
    Ok(Waiting::read(store).await?.of(user))
}

async fn name_of(
    store: &Store,
    proposal: &ProposalId,
    repair: &RepairRecord,
) -> anyhow::Result<String> {
    let record = store.proposal(proposal).await?;
    let planned = record
        .as_ref()
        .and_then(|record| record.plan.repairs.get(repair.position));
    Ok(planned.map_or_else(
        || "your computer".into(),
        |planned| planned.device_name.clone(),
    ))
}

/// The first message, or a reminder in its thread.
fn ask(request: &SignInRequest, devices: &[WaitingDevice], now: DateTime<Utc>) -> NewMessage {
    let asked = |device: &&WaitingDevice| request.devices.contains(&device.device);
    let mut names: Vec<&str> = devices
        .iter()
        .filter(asked)
        .map(|device| device.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    let proposal = devices
        .iter()
        .find(asked)
        .or(devices.first())
        .map(|device| &device.proposal);
    let first = first_key(request);
    let (key, ask, thread) = if request.first_sent_at.is_none() {
        (first, Ask::First, None)
    } else {
        (
            format!("{first}:reminder:{}", request.reminders + 1),
            Ask::Reminder,
            Some(first),
        )
    };
    let payload = json!({ "ask": ask, "devices": names, "proposal": proposal });
    messages::to_person(kind::SIGN_IN, key, &request.user, thread, payload, now)
}

/// "That was another device": once per device that the person signed in with since they were asked.
fn other_device(
    request: &SignInRequest,
    waiting: &[WaitingDevice],
    log: &LogFacts,
    sent_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<NewMessage> {
    let signed_in = |device: &DeviceId| {
        log.fastpass
            .get(&(device.clone(), request.user.clone()))
            .and_then(|seen| seen.success)
            .is_some_and(|success| success.last > sent_at)
    };
    if request.devices.iter().any(signed_in) {
        return Vec::new();
    }
    let names: Vec<&str> = waiting
        .iter()
        .filter(|device| request.devices.contains(&device.device))
        .map(|device| device.name.as_str())
        .collect();
    let mut others: Vec<&DeviceId> = log
        .fastpass
        .keys()
        .filter(|(device, user)| {
            *user == request.user && !request.devices.contains(device) && signed_in(device)
        })
        .map(|(device, _)| device)
        .collect();
    others.sort();
    let hint = |device: &&DeviceId| {
        let mut letter = reply(request, Ask::OtherDevice, &format!("other:{device}"), now);
        letter.payload["devices"] = json!(names);
        letter
    };
    others.iter().map(hint).collect()
}
