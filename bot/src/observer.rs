//! Asks the connectors and builds [`Observations`], marking what was not read to the end.
//!
//! Sources are read side by side, each under its own budget. A source with an error, empty at its first run, or below
//! 90 % of its last complete count is incomplete; nothing that depends on what is missing may be concluded from it.

mod looks;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use connectors::{
    ConnectorError, LogCursor, LogScope, MdmReader, OktaReader, Progress, error::ErrorKind,
};
use futures_util::{StreamExt, future::join_all, stream};

use crate::{
    domain::{
        DeviceConfirmation, DeviceId, EventClass, LogFact, LogFactKind, LogFacts, ManagementStatus,
        MdmObservation, Observations, OktaDevice, OktaObservation, UserId, Want,
    },
    report::Incomplete,
    store::{self, LeaseProof, LogEvents, Look, Store},
};
use looks::Answer;

/// How far back the first run reads changes; Okta keeps 90 days.
const CHANGES_BACK: TimeDelta = TimeDelta::days(90);
/// How far back the first run reads sign-ins.
const SIGN_INS_BACK: TimeDelta = TimeDelta::days(7);
/// How long a by-id confirmation holds while the list shows no change.
const CONFIRMATION_HOLDS: TimeDelta = TimeDelta::hours(24);
/// Overlap when a stored log cursor is refused.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// Requests under way at once while candidates are read by id.
const CONCURRENT_READS: usize = 4;

/// Reads the vendors.
#[derive(Clone)]
pub struct Observer {
    /// The org.
    pub okta: Arc<dyn OktaReader>,
    /// The org that the settings name; any other is refused.
    pub org_id: Option<String>,
    /// The MDMs, in the order of the settings.
    pub mdms: Vec<Arc<dyn MdmReader>>,
    /// The ledger and the last counts.
    pub store: Store,
}

/// What was seen, and what was not.
pub struct Observed {
    /// Everything read.
    pub observations: Observations,
    /// Sources that were not read to the end.
    pub incomplete: Vec<Incomplete>,
    /// Records per source that was read whole.
    pub counts: BTreeMap<String, u64>,
    /// Confirmations read in this sweep, to be stored.
    pub confirmed: Vec<(DeviceId, DeviceConfirmation)>,
    /// Answers to further questions, to be stored.
    pub looked: Vec<Look>,
    /// What users' own logs told beyond the ledger, to be stored.
    pub told: LogFacts,
    /// Questions that are answered, well or badly: none is asked twice.
    asked: HashSet<Want>,
}

impl Observed {
    /// Whether a source was not read to the end.
    pub fn lacks(&self, source: &str) -> bool {
        self.incomplete
            .iter()
            .any(|incomplete| incomplete.source == source)
    }
}

impl Observer {
    /// Lists everything. With a proof, the log's pages are stored as they come; without one nothing is written.
    pub async fn observe(
        &self,
        taken_at: DateTime<Utc>,
        proof: Option<&LeaseProof>,
        progress: &dyn Progress,
    ) -> anyhow::Result<Observed> {
        let mut incomplete = Vec::new();
        let mut log = self
            .store
            .load_log_facts()
            .await
            .context("cannot load the ledger of Okta's log")?;
        if let Err(reason) = self.check_org().await {
            incomplete.push(Incomplete {
                source: "okta".into(),
                reason: reason.clone(),
            });
            incomplete.push(Incomplete {
                source: "log".into(),
                reason,
            });
        }
        let reachable = incomplete.is_empty();
        let listing = async {
            if reachable {
                Some(tokio::join!(
                    self.okta.devices(progress),
                    self.okta.policies(),
                    self.okta.authorities()
                ))
            } else {
                None
            }
        };
        let reading = async {
            if reachable {
                Some(self.read_log(&mut log, proof, progress).await)
            } else {
                None
            }
        };
        let mut inventories = Vec::with_capacity(self.mdms.len());
        for mdm in &self.mdms {
            inventories.push(mdm.observe(progress));
        }
        let inventories = join_all(inventories);
        let (listing, reading, inventories) = tokio::join!(listing, reading, inventories);

        let mut okta = OktaObservation {
            now: self.okta.now().unwrap_or(taken_at),
            ..OktaObservation::default()
        };
        let mut counts = BTreeMap::new();
        if let Some((devices, policies, authorities)) = listing {
            match devices {
                Ok(devices) => {
                    counts.insert("okta".to_owned(), devices.len() as u64);
                    okta.devices = devices;
                }
                Err(error) => incomplete.push(not_read("okta", &error)),
            }
            match policies {
                Ok(policies) => okta.policies = policies,
                Err(error) => incomplete.push(not_read("okta", &error)),
            }
            match authorities {
                Ok(authorities) => okta.authorities = authorities,
                // Nothing needs them, so that their lack holds nothing back.
                Err(error) => {
                    tracing::warn!(error = %error, "cannot read Okta's certificate authorities")
                }
            }
        }
        match reading {
            Some(Err(LogFailure::Store(error))) => return Err(error),
            Some(Err(LogFailure::Vendor(error))) => {
                incomplete.push(not_read("log", &error));
                log.forget_coverage();
            }
            None => log.forget_coverage(),
            Some(Ok(())) => {}
        }
        let mut mdms = Vec::new();
        for (reader, result) in self.mdms.iter().zip(inventories) {
            match result {
                Ok(observation) => {
                    counts.insert(reader.name().to_owned(), observation.devices.len() as u64);
                    mdms.push(observation);
                }
                Err(error) => {
                    incomplete.push(not_read(reader.name(), &error));
                    mdms.push(unread(reader.as_ref(), taken_at));
                }
            }
        }
        self.judge_counts(&mut counts, &mut incomplete).await?;
        for mdm in &mut mdms {
            mdm.complete &= !incomplete.iter().any(|one| one.source == mdm.name.as_str());
        }
        incomplete.sort_by(|a, b| a.source.cmp(&b.source));
        incomplete.dedup_by(|a, b| a.source == b.source);

        let fresh = self
            .store
            .confirmations_since(taken_at - CONFIRMATION_HOLDS)
            .await?;
        okta.confirmed = still_true(fresh, &okta, taken_at);
        let stuck = not_managed(&okta.devices);
        log.keep_details_of(&stuck);
        let stuck: Vec<UserId> = stuck.into_iter().collect();
        self.store.load_log_details(&stuck, &mut log).await?;
        let mut observed = Observed {
            observations: Observations {
                taken_at,
                okta,
                mdms,
                log,
            },
            incomplete,
            counts,
            confirmed: Vec::new(),
            looked: Vec::new(),
            told: LogFacts::default(),
            asked: HashSet::new(),
        };
        let looks = self
            .store
            .looks_since(taken_at - looks::ANSWERS_HOLD)
            .await?;
        looks::reuse(&mut observed, looks);
        Ok(observed)
    }

    /// Reads candidates by id, in the order given, and keeps what was read.
    pub async fn confirm(
        &self,
        observed: &mut Observed,
        candidates: &[DeviceId],
        progress: &dyn Progress,
    ) {
        let listed: HashMap<&DeviceId, Option<DateTime<Utc>>> = observed
            .observations
            .okta
            .devices
            .iter()
            .map(|device| (&device.id, device.last_updated))
            .collect();
        let total = Some(candidates.len() as u64);
        let mut reads = stream::iter(candidates.to_vec())
            .map(|id| {
                let okta = Arc::clone(&self.okta);
                async move {
                    let read = okta.device_users(&id).await;
                    (id, read)
                }
            })
            .buffered(CONCURRENT_READS);
        let mut done = 0;
        let mut read = Vec::new();
        while let Some((id, result)) = reads.next().await {
            done += 1;
            progress.read("okta", "confirmed by id", done, total);
            match result {
                Ok(mut confirmation) => {
                    confirmation.last_updated = listed.get(&id).copied().flatten();
                    read.push((id, confirmation));
                }
                // An unconfirmed candidate stays one; the next sweep tries again.
                Err(error) => {
                    tracing::warn!(device.id = %id, error = %error, "cannot confirm a device by id")
                }
            }
        }
        drop(reads);
        observed
            .observations
            .okta
            .confirmed
            .extend(read.iter().cloned());
        observed.confirmed.extend(read);
    }

    /// Reads what diagnoses asked for and nobody has answered yet, at most `limit` requests. Says whether anything was
    /// asked.
    pub async fn sharpen(
        &self,
        observed: &mut Observed,
        wants: &[Want],
        limit: usize,
        progress: &dyn Progress,
    ) -> bool {
        let new: Vec<Want> = wants
            .iter()
            .filter(|want| !looks::is_answered(observed, want))
            .take(limit)
            .cloned()
            .collect();
        let total = Some(new.len() as u64);
        let asked = !new.is_empty();
        let mut reads = stream::iter(new)
            .map(|want| {
                let observer = self.clone();
                async move {
                    let answer = observer.read_want(&want).await;
                    (want, answer)
                }
            })
            .buffered(CONCURRENT_READS);
        let mut answers = Vec::new();
        while let Some((want, answer)) = reads.next().await {
            match answer {
                Ok(answer) => answers.push(answer),
                Err(error) => {
                    tracing::warn!(?want, error = %error, "cannot read what a diagnosis asks for")
                }
            }
            progress.read("okta", "further evidence", answers.len() as u64, total);
            observed.asked.insert(want);
        }
        drop(reads);
        for answer in answers {
            answer.keep(observed);
        }
        asked
    }

    async fn read_want(&self, want: &Want) -> Result<Answer, ConnectorError> {
        Ok(match want {
            Want::UserGroups { user } => {
                Answer::Groups(user.clone(), self.okta.user_groups(user).await?)
            }
            Want::UserFactors { user } => {
                Answer::Factors(user.clone(), self.okta.fastpass_enrolled(user).await?)
            }
            Want::UserLog { user, since } => Answer::Log(
                user.clone(),
                *since,
                self.okta.user_log(user, *since).await?,
            ),
            Want::MdmRecord { mdm, device } => {
                let reader = self.mdms.iter().find(|reader| reader.mdm() == mdm);
                let record = match reader {
                    Some(reader) => reader.device(device).await?,
                    None => None,
                };
                Answer::Record(mdm.clone(), record.map(Box::new))
            }
        })
    }

    /// Refuses an org that is not the one the settings name, and one without Identity Engine.
    async fn check_org(&self) -> Result<(), String> {
        let organization = self
            .okta
            .organization()
            .await
            .map_err(|error| error.to_string())?;
        if !organization.identity_engine {
            return Err("the org runs Classic Engine, which has no Devices API".into());
        }
        match &self.org_id {
            Some(expected) if *expected != organization.id => Err(format!(
                "the org is {}, but the settings allow {expected} only",
                organization.id
            )),
            _ => Ok(()),
        }
    }

    /// Reads the log up to now and stores it page by page; what `serve` does between sweeps.
    pub async fn poll_log(&self, proof: &LeaseProof, log: &mut LogFacts) -> anyhow::Result<()> {
        if self.okta.now().is_none() {
            self.check_org().await.map_err(anyhow::Error::msg)?;
        }
        match self
            .read_log(log, Some(proof), &connectors::NoProgress)
            .await
        {
            Ok(()) => Ok(()),
            Err(LogFailure::Vendor(error)) => Err(error.into()),
            Err(LogFailure::Store(error)) => Err(error),
        }
    }

    async fn read_log(
        &self,
        log: &mut LogFacts,
        proof: Option<&LeaseProof>,
        progress: &dyn Progress,
    ) -> Result<(), LogFailure> {
        let now = self.okta.now().context("Okta has not answered yet")?;
        self.poll(log, proof, LogScope::Changes, now - CHANGES_BACK, progress)
            .await?;
        self.poll(log, proof, LogScope::SignIns, now - SIGN_INS_BACK, progress)
            .await
    }

    /// Reads one scope from its stored cursor, or from `back`, until a page is empty.
    async fn poll(
        &self,
        log: &mut LogFacts,
        proof: Option<&LeaseProof>,
        scope: LogScope,
        back: DateTime<Utc>,
        progress: &dyn Progress,
    ) -> Result<(), LogFailure> {
        let name = scope_name(scope);
        let stored = self
            .store
            .log_cursor(name)
            .await
            .context("cannot read the log's cursor")?;
        let mut reached = stored.as_ref().map_or(back, |stored| stored.reached_at);
        let mut first_page = stored.is_none();
        let mut cursor = match stored {
            Some(stored) => LogCursor::Next(stored.cursor),
            None => LogCursor::Since(back),
        };
        let mut done = 0;
        loop {
            let page = match self.okta.poll_log(scope, &cursor).await {
                Ok(page) => page,
                // The vendor forgot the cursor: start again a little earlier. What is read twice changes nothing.
                Err(error)
                    if matches!(error.kind, ErrorKind::Rejected { .. })
                        && matches!(cursor, LogCursor::Next(_)) =>
                {
                    cursor = LogCursor::Since(reached - OVERLAP);
                    continue;
                }
                Err(error) => return Err(LogFailure::Vendor(error)),
            };
            done += page.events as u64;
            progress.read("okta", "log events", done, None);
            let mut folded = LogFacts::default();
            page.facts.iter().for_each(|fact| folded.record(fact));
            // What is stored is loaded again for those of whom it matters.
            let opened = |fact: &LogFact| matches!(fact.kind, LogFactKind::AppOpened { .. });
            page.facts
                .iter()
                .filter(|fact| proof.is_none() || !opened(fact))
                .for_each(|fact| log.record(fact));
            if first_page {
                for class in classes(scope) {
                    for facts in [&mut folded, &mut *log] {
                        facts.coverage.entry(*class).or_default().covered_from = Some(back);
                    }
                }
                first_page = false;
            }
            let caught_up = page.events == 0;
            reached = if caught_up {
                page.read_at
            } else {
                page.facts
                    .iter()
                    .map(|fact| fact.at)
                    .fold(reached, DateTime::max)
            };
            let Some(next) = page.next else { return Ok(()) };
            if let (Some(proof), LogCursor::Next(url)) = (proof, &next) {
                let events = LogEvents::of(&page.facts);
                let next = store::LogCursor {
                    scope: name.into(),
                    cursor: url.clone(),
                    reached_at: reached,
                };
                self.store
                    .record_log_facts(proof, &folded, &events, &next)
                    .await
                    .context("cannot store a page of Okta's log")?;
            }
            if caught_up {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// A source that is empty at its first run, or has lost more than a tenth, was not read whole.
    async fn judge_counts(
        &self,
        counts: &mut BTreeMap<String, u64>,
        incomplete: &mut Vec<Incomplete>,
    ) -> anyhow::Result<()> {
        let last: HashMap<String, u64> = self
            .store
            .source_counts()
            .await?
            .into_iter()
            .map(|count| (count.source, count.count))
            .collect();
        let accepted = self.store.accepted_shrinks().await?;
        counts.retain(|source, count| {
            let reason = match last.get(source) {
                None if *count == 0 => "empty: the first run found no record at all".to_owned(),
                Some(last) if *count * 10 < *last * 9 && !accepted.contains(source) => format!(
                    "shrunk: {count} records, {last} at the last complete sweep; if that is right, run `unstuck sweep --accept-shrink {source}`"
                ),
                _ => return true,
            };
            incomplete.push(Incomplete { source: source.clone(), reason });
            false
        });
        Ok(())
    }
}

/// Which part of reading the log failed.
enum LogFailure {
    Vendor(ConnectorError),
    Store(anyhow::Error),
}

impl From<anyhow::Error> for LogFailure {
    fn from(error: anyhow::Error) -> Self {
        Self::Store(error)
    }
}

/// Users of desktop records that the list does not show as managed.
fn not_managed(devices: &[OktaDevice]) -> BTreeSet<UserId> {
    devices
        .iter()
        .filter(|device| device.platform.is_desktop())
        .flat_map(|device| device.users.iter().flatten())
        .filter(|link| link.management_status != Some(ManagementStatus::Managed))
        .map(|link| link.user_id.clone())
        .collect()
}

/// Confirmations that the list does not contradict.
fn still_true(
    fresh: store::Confirmations,
    okta: &OktaObservation,
    now: DateTime<Utc>,
) -> BTreeMap<DeviceId, DeviceConfirmation> {
    let listed: HashMap<&DeviceId, Option<DateTime<Utc>>> = okta
        .devices
        .iter()
        .map(|device| (&device.id, device.last_updated))
        .collect();
    fresh
        .into_iter()
        .filter(|(id, confirmation)| {
            confirmation.read_at + CONFIRMATION_HOLDS > now
                && listed
                    .get(id)
                    .is_some_and(|last_updated| *last_updated == confirmation.last_updated)
        })
        .collect()
}

/// An MDM of which nothing is known in this sweep.
fn unread(reader: &dyn MdmReader, now: DateTime<Utc>) -> MdmObservation {
    MdmObservation {
        sso_extensions: None,
        push_certificate_expires_at: None,
        name: reader.mdm().clone(),
        kind: reader.kind(),
        platforms: reader.platforms().to_vec(),
        complete: false,
        now: reader.now().unwrap_or(now),
        shows: reader.shows(),
        devices: Vec::new(),
        profiles: Vec::new(),
        targets: Default::default(),
    }
}

fn not_read(source: &str, error: &ConnectorError) -> Incomplete {
    Incomplete {
        source: source.into(),
        reason: error.to_string(),
    }
}

fn scope_name(scope: LogScope) -> &'static str {
    match scope {
        LogScope::Changes => "changes",
        LogScope::SignIns => "sign_ins",
        LogScope::All => "all",
    }
}

fn classes(scope: LogScope) -> &'static [EventClass] {
    match scope {
        LogScope::Changes => &[
            EventClass::CertificateIssued,
            EventClass::CertificateBound,
            EventClass::CertificateRevoked,
            EventClass::DeviceLifecycle,
            EventClass::OrgChange,
        ],
        LogScope::SignIns | LogScope::All => &[EventClass::FastPass],
    }
}
