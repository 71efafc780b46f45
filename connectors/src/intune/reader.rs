//! What Intune tells: the sweep, one device, one change.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use unstuck_domain::{
    AttestationProfile, CertificateStore, GroupId, MdmCertificate, MdmDevice, MdmDeviceId, MdmKind,
    MdmName, MdmObservation, Platform, ProfileId, ProfileState, RepairTargets, Shows, Visibility,
};

use super::{
    IntuneClient, Kept,
    devices::{self, Context},
    endpoints, entra, issuance,
    states::{self, Standing},
    wire,
};
use crate::{
    ChangeState, ConnectorError, MdmDeviceRef, MdmReader, ProfileChange, Progress, decode::Page,
    error::ErrorKind, http::Call, traits::Result,
};

/// Certificates per device; `None`: this tenant or credential does not show them.
pub(super) type Certificates = Arc<Option<HashMap<String, Vec<MdmCertificate>>>>;

/// By-id reads that come together share the profiles and the certificate report, which cannot be asked by device.
const KEPT_FOR: TimeDelta = TimeDelta::seconds(60);
/// The most that one batch may hold.
const BATCH: usize = 20;
/// So many failed deliveries get their error text; beyond that the fault is the fleet's, and more texts tell nothing.
const MOST_ERROR_TEXTS: usize = 500;

const CERTIFICATE_COLUMNS: [&str; 9] = [
    "DeviceId",
    "SubjectName",
    "IssuerName",
    "PolicyId",
    "SerialNumber",
    "Thumbprint",
    "ValidFrom",
    "ValidTo",
    "CertificateStatus",
];

#[async_trait]
impl MdmReader for IntuneClient {
    fn mdm(&self) -> &MdmName {
        &self.name
    }

    fn kind(&self) -> MdmKind {
        MdmKind::Intune
    }

    fn platforms(&self) -> &[Platform] {
        &self.platforms
    }

    fn shows(&self) -> Shows {
        Shows {
            certificates: Visibility::PresenceOnly,
            issuer: true,
            store: true,
            profile_state: true,
            assignment: true,
            applications: false,
        }
    }

    async fn observe(&self, progress: &dyn Progress) -> Result<MdmObservation> {
        let profiles = self.profiles().await?;
        // All reports are asked for before the first is waited for.
        let mut jobs = Vec::new();
        for profile in &profiles {
            let trust = match &profile.trust {
                Some(trust) => self.start_states(&trust.id).await?,
                None => None,
            };
            jobs.push((self.start_states(&profile.id).await?, trust));
        }
        let certificates = self.start_certificates().await?;
        let (mut standings, mut trusts) = (Vec::new(), Vec::new());
        for (profile, (job, trust_job)) in profiles.iter().zip(jobs) {
            standings.push(self.standings(&profile.id, job).await?);
            trusts.push(match &profile.trust {
                Some(trust) => self.standings(&trust.id, trust_job).await?,
                None => None,
            });
        }
        let certificates = self.finish_certificates(certificates, &profiles).await?;
        let context = Arc::new(Context {
            now: self.http.clock().now(),
            profiles,
            standings,
            trusts,
            certificates: Arc::unwrap_or_clone(certificates),
        });
        let mut devices = self.managed_devices(Arc::clone(&context), progress).await?;
        self.add_error_texts(&mut devices, &context.profiles)
            .await?;
        let issuances = self.issuances(&context.profiles).await?;
        issuance::join(&mut devices, issuances);
        Ok(MdmObservation {
            sso_extensions: self.sso_extensions().await?,
            push_certificate_expires_at: self.push_certificate_expires_at().await?,
            name: self.name.clone(),
            kind: MdmKind::Intune,
            platforms: self.platforms.clone(),
            complete: true,
            now: self.time()?,
            shows: self.shows(),
            devices,
            profiles: context.profiles.clone(),
            targets: self.named_targets().await?,
        })
    }

    async fn device(&self, id: &MdmDeviceId) -> Result<Option<MdmDevice>> {
        let Some(record) = self.managed_device(id).await? else {
            return Ok(None);
        };
        let Some(platform) = devices::platform(&record) else {
            return Ok(None);
        };
        let profiles = self.recent_profiles().await?;
        let rows = self.configuration_states(id).await?;
        let key = id.as_str().to_ascii_lowercase();
        let standing = |id: &ProfileId, name: &str| {
            let state = states::of_states(&rows, id, name);
            let standing = state.map(|state| Standing { state, since: None });
            standing.into_iter().map(|s| (key.clone(), s)).collect()
        };
        let standings = profiles
            .iter()
            .map(|profile| Some(standing(&profile.id, &profile.name)));
        let trusts = profiles.iter().map(|profile| {
            let trust = profile.trust.as_ref()?;
            Some(standing(&trust.id, &trust.name))
        });
        let certificates = self.recent_certificates(&profiles).await?;
        let own = certificates.as_ref().as_ref().map(|all| {
            let own = all.get(&key).cloned();
            own.into_iter().map(|own| (key.clone(), own)).collect()
        });
        let context = Context {
            now: self.http.clock().now(),
            standings: standings.collect(),
            trusts: trusts.collect(),
            profiles: profiles.as_ref().clone(),
            certificates: own,
        };
        Ok(Some(devices::device(record, platform, &context)))
    }

    async fn profiles(&self) -> Result<Vec<AttestationProfile>> {
        let read = Arc::new(self.read_profiles().await?);
        let at = self.time()?;
        *self.profiles.lock().await = Some(Kept {
            at,
            value: Arc::clone(&read),
        });
        Ok(read.as_ref().clone())
    }

    async fn check_group(&self, group: &GroupId) -> Result<std::result::Result<(), String>> {
        match self.group(group).await {
            Ok(found) => Ok(match entra::refusal(&found) {
                Some(why) => Err(format!("group {group} cannot be used: {why}")),
                None => Ok(()),
            }),
            Err(error) if error.is_not_found() => Ok(Err(format!("there is no group {group}"))),
            Err(error) => Err(error),
        }
    }

    /// Entra knows no record ids: both keys are Entra's `deviceId`.
    async fn group_members(&self, group: &GroupId) -> Result<Vec<MdmDeviceRef>> {
        let members = self.members(group).await?.into_iter();
        Ok(members
            .filter_map(|member| member.device_id)
            .map(|id| MdmDeviceRef {
                id: MdmDeviceId::from(id.as_str()),
                management_id: Some(id),
            })
            .collect())
    }

    async fn profile_change(
        &self,
        device: &MdmDeviceRef,
        profile: &ProfileId,
        change: ProfileChange,
        since: DateTime<Utc>,
    ) -> Result<ChangeState> {
        let attempt = format!("follow profile {profile} on device {}", device.id);
        let profiles = self.recent_profiles().await?;
        // A row is told by the profile's name: without it "no row" would prove a removal that never was.
        let known = profiles.iter().find(|known| known.id == *profile);
        let known = known.ok_or_else(|| self.error(&attempt, ErrorKind::NotFound))?;
        let record = self.managed_device(&device.id).await?;
        let record = record.ok_or_else(|| self.error(&attempt, ErrorKind::NotFound))?;
        let synced = record.last_sync_date_time.filter(|at| *at > since);
        let state = match synced {
            Some(_) => {
                let rows = self.configuration_states(&device.id).await?;
                states::of_states(&rows, profile, &known.name)
            }
            None => None,
        };
        if change == ProfileChange::Install && state != Some(ProfileState::Installed) {
            let certificates = self.recent_certificates(&profiles).await?;
            let key = device.id.as_str().to_ascii_lowercase();
            let own = certificates.as_ref().as_ref().and_then(|all| all.get(&key));
            let own = own.into_iter().flatten();
            if let Some(at) = own
                .filter(|certificate| {
                    certificate.store.is_none() || certificate.store == known.store
                })
                .filter_map(|certificate| certificate.issued_at)
                .filter(|at| *at > since)
                .max()
            {
                return Ok(ChangeState::Acknowledged { at });
            }
        }
        Ok(change_state(change, synced, state))
    }

    async fn script_finished(
        &self,
        device: &MdmDeviceRef,
        script: &str,
        since: DateTime<Utc>,
    ) -> Result<ChangeState> {
        let call = Call::new(&endpoints::SCRIPT_STATES).param(device.id.as_str());
        let states: Vec<wire::ScriptState> =
            self.collection(&endpoints::SCRIPT_STATES, call).await?;
        let latest = states
            .iter()
            .filter(|state| state.policy_id.as_deref() == Some(script))
            .filter(|state| state.last_state_update_date_time > Some(since))
            .max_by_key(|state| state.last_state_update_date_time);
        Ok(latest.map_or(ChangeState::NotSeen, script_state))
    }
}

impl IntuneClient {
    async fn start_states(&self, profile: &ProfileId) -> Result<Option<String>> {
        // Columns are not named: for this report Graph refuses some names that it sends (third party).
        let filter = format!("(PolicyId eq '{profile}')");
        let job = self.start_export("DeviceStatusesByConfigurationProfile", Some(filter), &[]);
        optional(job.await)
    }

    /// How a profile stands per device: from the report, else from the legacy list, else unknown.
    async fn standings(
        &self,
        profile: &ProfileId,
        job: Option<String>,
    ) -> Result<Option<HashMap<String, Standing>>> {
        if let Some(job) = job {
            let rows = self.finish_export(&job, "IntuneDeviceId", states::of_report_row);
            if let Some(rows) = optional(rows.await)? {
                return Ok(Some(merged(rows)));
            }
        }
        let call = Call::new(&endpoints::DEVICE_STATUSES).param(profile.as_str());
        let listed = self.collection(&endpoints::DEVICE_STATUSES, call).await;
        let listed: Option<Vec<wire::DeviceStatus>> = optional(listed)?;
        Ok(listed.map(|rows| merged(rows.iter().filter_map(states::of_device_status))))
    }

    async fn start_certificates(&self) -> Result<Option<String>> {
        let job = self.start_export("AllDeviceCertificates", None, &CERTIFICATE_COLUMNS);
        optional(job.await)
    }

    async fn finish_certificates(
        &self,
        job: Option<String>,
        profiles: &[AttestationProfile],
    ) -> Result<Certificates> {
        let Some(job) = job else {
            return Ok(Arc::new(None));
        };
        let stores: HashMap<ProfileId, Option<CertificateStore>> =
            profiles.iter().map(|p| (p.id.clone(), p.store)).collect();
        let attestation = Arc::clone(&self.attestation);
        let rows = self.finish_export(&job, "DeviceId", move |row| {
            devices::certificate(row, &stores, &attestation)
        });
        let rows = optional(rows.await)?;
        Ok(Arc::new(rows.map(|rows| {
            let mut by_device: HashMap<String, Vec<MdmCertificate>> = HashMap::new();
            for (device, certificate) in rows {
                by_device.entry(device).or_default().push(certificate);
            }
            by_device
        })))
    }

    /// The certificates of all devices as read within the last minute.
    async fn recent_certificates(&self, profiles: &[AttestationProfile]) -> Result<Certificates> {
        let mut kept = self.certificates.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| self.is_recent(kept.at)) {
            return Ok(Arc::clone(&kept.value));
        }
        // What it tells is as old as the request for the report.
        let job = self.start_certificates().await?;
        let at = self.time()?;
        let value = self.finish_certificates(job, profiles).await?;
        *kept = Some(Kept {
            at,
            value: Arc::clone(&value),
        });
        Ok(value)
    }

    async fn recent_profiles(&self) -> Result<Arc<Vec<AttestationProfile>>> {
        let mut kept = self.profiles.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| self.is_recent(kept.at)) {
            return Ok(Arc::clone(&kept.value));
        }
        let value = Arc::new(self.read_profiles().await?);
        *kept = Some(Kept {
            at: self.time()?,
            value: Arc::clone(&value),
        });
        Ok(value)
    }

    fn is_recent(&self, at: DateTime<Utc>) -> bool {
        let now = self.http.clock().now();
        now.is_some_and(|now| now - at < KEPT_FOR)
    }

    /// Every record of our platforms. At most one page is held undecoded.
    async fn managed_devices(
        &self,
        context: Arc<Context>,
        progress: &dyn Progress,
    ) -> Result<Vec<MdmDevice>> {
        let call = Call::new(&endpoints::MANAGED_DEVICES).query("$select", wire::DEVICE_FIELDS);
        let mut next = Some(call);
        let mut pages = 0;
        let mut devices = Vec::new();
        let mut seen = 0;
        while let Some(call) = next {
            let page: Page<wire::ManagedDevice> = self.page(&call).await?;
            seen += page.len();
            next = self.following(&endpoints::MANAGED_DEVICES, page.next, &mut pages)?;
            let context = Arc::clone(&context);
            let platforms = self.platforms.clone();
            let records = page.records.records;
            let read = tokio::task::spawn_blocking(move || -> Vec<MdmDevice> {
                let ours = records.into_iter().filter_map(|record| {
                    let platform = devices::platform(&record)?;
                    platforms.contains(&platform).then_some((record, platform))
                });
                ours.map(|(record, platform)| devices::device(record, platform, &context))
                    .collect()
            });
            let read = read.await.map_err(|_cut| {
                self.unreadable(endpoints::MANAGED_DEVICES.path, "decoding was cut off")
            })?;
            devices.extend(read);
            progress.read(self.name.as_str(), "devices", seen as u64, None);
        }
        // Pages may overlap while records change.
        let mut known = std::collections::HashSet::new();
        devices.retain(|device| known.insert(device.id.clone()));
        Ok(devices)
    }

    /// `None`: gone.
    pub(super) async fn managed_device(
        &self,
        id: &MdmDeviceId,
    ) -> Result<Option<wire::ManagedDevice>> {
        let fields = format!("{}{}", wire::DEVICE_FIELDS, wire::MORE_FIELDS);
        let call = Call::new(&endpoints::MANAGED_DEVICE)
            .param(id.as_str())
            .query("$select", fields);
        match self.http.read(&call).await {
            Ok(answer) => Ok(Some(answer.json().await?)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The rows of one device, all of them readable: a row that is left out could be the one that matters.
    async fn configuration_states(
        &self,
        id: &MdmDeviceId,
    ) -> Result<Vec<wire::ConfigurationState>> {
        let mut next = Some(Call::new(&endpoints::CONFIGURATION_STATES).param(id.as_str()));
        let mut pages = 0;
        let mut rows = Vec::new();
        while let Some(call) = next {
            let page = self.page(&call).await?;
            if page.records.skipped > 0 {
                let path = endpoints::CONFIGURATION_STATES.path;
                return Err(self.unreadable(path, "a row does not parse"));
            }
            rows.extend(page.records.records);
            next = self.following(&endpoints::CONFIGURATION_STATES, page.next, &mut pages)?;
        }
        Ok(rows)
    }

    /// The report says that a delivery failed, and only the device's own rows say why.
    async fn add_error_texts(
        &self,
        devices: &mut [MdmDevice],
        profiles: &[AttestationProfile],
    ) -> Result<()> {
        let mut failed: Vec<&mut MdmDevice> = devices
            .iter_mut()
            .filter(|device| has_failed(device))
            .take(MOST_ERROR_TEXTS)
            .collect();
        for chunk in failed.chunks_mut(BATCH) {
            let requests = chunk.iter().enumerate().map(|(at, device)| {
                let id = &device.id;
                wire::BatchRequest {
                    id: at.to_string(),
                    method: "GET",
                    url: format!("/deviceManagement/managedDevices/{id}/deviceConfigurationStates"),
                }
            });
            let call = Call::new(&endpoints::BATCH).json(&wire::Batch {
                requests: requests.collect(),
            });
            let answer: wire::BatchAnswer = match self.http.read(&call).await {
                Ok(answer) => answer.json().await?,
                Err(error) if error.is_transient() => return Err(error),
                // Without the texts the states still stand.
                Err(_refused) => return Ok(()),
            };
            for response in answer.responses {
                let at: Option<usize> = response.id.parse().ok();
                let Some(device) = at.and_then(|at| chunk.get_mut(at)) else {
                    continue;
                };
                let rows: Option<Vec<wire::ConfigurationState>> = (response.status == 200)
                    .then(|| serde_json::from_value(response.body["value"].clone()).ok())
                    .flatten();
                add_texts(device, &rows.unwrap_or_default(), profiles);
            }
        }
        Ok(())
    }

    /// The prepared targets, with the category by its name: devices and filters know no other. Settings may hold its id.
    async fn named_targets(&self) -> Result<RepairTargets> {
        let mut targets = self.targets.clone();
        if let Some(category) = &targets.hold_category {
            let all = self.categories().await?.into_iter();
            let mut by_id = all.filter(|known| known.id.eq_ignore_ascii_case(category));
            if let Some(name) = by_id.next().and_then(|known| known.display_name) {
                targets.hold_category = Some(name);
            }
        }
        Ok(targets)
    }

    /// All device categories.
    pub(super) async fn categories(&self) -> Result<Vec<wire::Category>> {
        let call = Call::new(&endpoints::CATEGORIES);
        self.collection(&endpoints::CATEGORIES, call).await
    }

    fn time(&self) -> Result<DateTime<Utc>> {
        let now = self.http.clock().now();
        now.ok_or_else(|| self.unreadable("read the time", "no answer carried a Date header"))
    }
}

/// A refusal means that this tenant or credential does not show it; everything else is a failure.
pub(super) fn optional<T>(answer: std::result::Result<T, ConnectorError>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) => match &error.kind {
            ErrorKind::Forbidden { .. }
            | ErrorKind::Rejected { .. }
            | ErrorKind::NotFound
            | ErrorKind::Unreadable { .. } => {
                tracing::warn!("not shown here: {error}");
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

fn merged(rows: impl IntoIterator<Item = (String, Standing)>) -> HashMap<String, Standing> {
    let mut by_device: HashMap<String, Standing> = HashMap::new();
    for (device, standing) in rows {
        let merged = match by_device.remove(&device) {
            Some(before) => before.merge(standing),
            None => standing,
        };
        by_device.insert(device, merged);
    }
    by_device
}

fn has_failed(device: &MdmDevice) -> bool {
    let deliveries = device.profiles.iter().flatten();
    deliveries
        .into_iter()
        .any(|delivery| matches!(delivery.state, ProfileState::Failed { .. }))
}

fn add_texts(
    device: &mut MdmDevice,
    rows: &[wire::ConfigurationState],
    profiles: &[AttestationProfile],
) {
    for delivery in device.profiles.iter_mut().flatten() {
        let Some(profile) = profiles.iter().find(|p| p.id == delivery.profile_id) else {
            continue;
        };
        let ProfileState::Failed { error } = &mut delivery.state else {
            continue;
        };
        if let Some(ProfileState::Failed { error: text }) =
            states::of_states(rows, &profile.id, &profile.name)
        {
            *error = text;
        }
    }
}

/// What the rows prove after a sync at `synced`, which lies after the change began. Before such a sync they prove nothing.
fn change_state(
    change: ProfileChange,
    synced: Option<DateTime<Utc>>,
    state: Option<ProfileState>,
) -> ChangeState {
    let Some(at) = synced else {
        return ChangeState::NotSeen;
    };
    match (change, state) {
        (ProfileChange::Install, Some(ProfileState::Installed))
        | (ProfileChange::Remove, None | Some(ProfileState::NotAssigned)) => {
            ChangeState::Acknowledged { at }
        }
        (ProfileChange::Install, Some(ProfileState::Failed { error })) => {
            ChangeState::Failed { error }
        }
        _ => ChangeState::Pending,
    }
}

/// "skipped" with a successful detection: there was nothing to remove.
fn script_state(state: &wire::ScriptState) -> ChangeState {
    let failed = |word: &str| ChangeState::Failed {
        error: word.to_owned(),
    };
    match (
        state.remediation_state.as_deref(),
        state.detection_state.as_deref(),
        state.last_state_update_date_time,
    ) {
        (Some("success"), _, Some(at)) | (Some("skipped"), Some("success"), Some(at)) => {
            ChangeState::Acknowledged { at }
        }
        (Some(word @ ("remediationFailed" | "scriptError")), _, _) => failed(word),
        (_, Some("scriptError"), _) => failed("the detection script failed"),
        (_, Some("notApplicable"), _) => failed("the script does not apply to this device"),
        _ => ChangeState::Pending,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decode::time;

    #[test]
    fn rows_prove_nothing_before_a_sync() {
        let at = time("2026-08-01T10:00:00Z");
        let done = ChangeState::Acknowledged { at: at.unwrap() };
        let failed = || ProfileState::Failed { error: "e".into() };
        use ProfileChange::{Install, Remove};
        for (change, synced, state, expected) in [
            (Remove, None, None, ChangeState::NotSeen),
            (
                Install,
                None,
                Some(ProfileState::Installed),
                ChangeState::NotSeen,
            ),
            (Remove, at, None, done.clone()),
            (Remove, at, Some(ProfileState::NotAssigned), done.clone()),
            (
                Remove,
                at,
                Some(ProfileState::Installed),
                ChangeState::Pending,
            ),
            (Remove, at, Some(failed()), ChangeState::Pending),
            (
                Remove,
                at,
                Some(ProfileState::Unknown),
                ChangeState::Pending,
            ),
            (Install, at, Some(ProfileState::Installed), done),
            (
                Install,
                at,
                Some(failed()),
                ChangeState::Failed { error: "e".into() },
            ),
            (Install, at, None, ChangeState::Pending),
        ] {
            assert_eq!(
                change_state(change, synced, state.clone()),
                expected,
                "{change:?} {state:?}"
            );
        }
    }

    #[test]
    fn script_results_are_read() {
        let at = "2026-08-01T10:00:00Z";
        let done = ChangeState::Acknowledged {
            at: time(at).unwrap(),
        };
        let failed = |word: &str| ChangeState::Failed { error: word.into() };
        for (remediation, detection, expected) in [
            ("success", "success", done.clone()),
            ("skipped", "success", done),
            ("remediationFailed", "fail", failed("remediationFailed")),
            (
                "unknown",
                "scriptError",
                failed("the detection script failed"),
            ),
            ("unknown", "pending", ChangeState::Pending),
            ("someNewWord", "someNewWord", ChangeState::Pending),
        ] {
            let state = json!({"policyId": "s", "remediationState": remediation, "detectionState": detection,
                "lastStateUpdateDateTime": at});
            assert_eq!(
                script_state(&serde_json::from_value(state).unwrap()),
                expected
            );
        }
    }
}
