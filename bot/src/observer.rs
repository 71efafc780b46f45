//! Asks the connectors and builds [`Observations`], marking what was not read to the end.
//!
//! Sources are read side by side, each under its own budget. A source with an error, empty at its first run, or below
//! 90 % of its last complete count is incomplete; nothing that depends on what is missing may be concluded from it.

use std::{
    collections::{BTreeMap, HashMap},
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
        DeviceConfirmation, DeviceId, EventClass, LogFactKind, LogFacts, MdmObservation,
        Observations, OktaObservation, UserDetail, Want,
    },
    report::Incomplete,
    store::{self, LeaseProof, OrgChange, Store},
};

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
                    self.okta.policies()
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
            authorities: None,
            now: self.okta.now().unwrap_or(taken_at),
            ..OktaObservation::default()
        };
        let mut counts = BTreeMap::new();
        if let Some((devices, policies)) = listing {
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
        let observations = Observations {
            taken_at,
            okta,
            mdms,
            log,
        };
        Ok(Observed {
            observations,
            incomplete,
            counts,
            confirmed: Vec::new(),
        })
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

    /// Reads what diagnoses asked for, at most `limit` requests.
    pub async fn sharpen(
        &self,
        observed: &mut Observed,
        wants: &[Want],
        limit: usize,
        progress: &dyn Progress,
    ) {
        let total = Some(wants.len().min(limit) as u64);
        let mut reads = stream::iter(wants.iter().take(limit).cloned().collect::<Vec<_>>())
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
        }
        drop(reads);
        for answer in answers {
            answer.apply(&mut observed.observations);
        }
    }

    async fn read_want(&self, want: &Want) -> Result<Answer, ConnectorError> {
        Ok(match want {
            Want::UserGroups { user } => {
                let groups = self.okta.user_groups(user).await?;
                Answer::User(
                    user.clone(),
                    Box::new(move |detail| detail.groups = Some(groups)),
                )
            }
            Want::UserFactors { user } => {
                let enrolled = self.okta.fastpass_enrolled(user).await?;
                Answer::User(
                    user.clone(),
                    Box::new(move |detail| detail.fastpass_enrolled = Some(enrolled)),
                )
            }
            Want::UserLog { user, since } => {
                let facts = self.okta.user_log(user, *since).await?;
                let since = *since;
                Answer::Log(facts, user.clone(), since)
            }
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
            page.facts.iter().for_each(|fact| log.record(fact));
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
                let changes: Vec<OrgChange> = page.facts.iter().filter_map(org_change).collect();
                let next = store::LogCursor {
                    scope: name.into(),
                    cursor: url.clone(),
                    reached_at: reached,
                };
                self.store
                    .record_log_facts(proof, &folded, &changes, &next)
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

/// What a read for one [`Want`] brought.
enum Answer {
    User(
        crate::domain::UserId,
        Box<dyn FnOnce(&mut UserDetail) + Send>,
    ),
    Log(
        Vec<crate::domain::LogFact>,
        crate::domain::UserId,
        DateTime<Utc>,
    ),
    Record(
        crate::domain::MdmName,
        Option<Box<crate::domain::MdmDevice>>,
    ),
}

impl Answer {
    fn apply(self, observations: &mut Observations) {
        match self {
            Self::User(user, change) => change(observations.okta.users.entry(user).or_default()),
            Self::Log(facts, user, since) => {
                facts.iter().for_each(|fact| observations.log.record(fact));
                // A person with two computers is asked about twice: the longer look counts.
                let detail = observations.okta.users.entry(user).or_default();
                let covered = detail
                    .log_covered_from
                    .map_or(since, |from| from.min(since));
                detail.log_covered_from = Some(covered);
            }
            Self::Record(mdm, Some(record)) => {
                let mdm = observations
                    .mdms
                    .iter_mut()
                    .find(|observation| observation.name == mdm);
                if let Some(kept) =
                    mdm.and_then(|mdm| mdm.devices.iter_mut().find(|kept| kept.id == record.id))
                {
                    *kept = *record;
                }
            }
            Self::Record(_, None) => {}
        }
    }
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

fn org_change(fact: &crate::domain::LogFact) -> Option<OrgChange> {
    match &fact.kind {
        LogFactKind::OrgChange {
            event_type,
            actor,
            target,
        } => Some(OrgChange {
            uuid: fact.uuid.clone(),
            at: fact.at,
            event_type: event_type.clone(),
            actor: actor.clone(),
            target: target.clone(),
        }),
        _ => None,
    }
}
