//! How Intune behaves: devices check in every eight hours or when asked, targeting decides what they
//! hold afterwards, and a bad certificate stays until something removes it.

use chrono::{DateTime, Duration, Utc};

use super::{
    DeliveryState, Effect, Id, IntuneDevice, Level, MachineKey, Mdm, ProfileKey, ProfileKind,
    ScepError, ScriptRun, State, Store, SyncRequest,
};

/// The maintenance sync of Windows and macOS.
const SYNC_PERIOD: Duration = Duration::hours(8);

/// Shown where a SCEP profile's trusted-certificate profile does not reach the same device.
pub(crate) const TRUSTED_PROFILE_MISSING: ScepError = ScepError {
    domain: "Intune",
    code: -2_016_281_112,
    text: "Remediation failed",
    issuance: "unknown",
};

/// Something that happens later on Intune's side.
#[derive(Clone, Debug)]
pub(crate) enum IntuneEffect {
    /// The device checks in, because it was asked to.
    CheckIn { device: String },
    /// The regular check-in; it plans the next one.
    Maintenance { device: String },
    /// A SCEP exchange ends.
    Enrol {
        device: String,
        profile: ProfileKey,
        store: Store,
    },
    /// The device reports what it holds.
    Report { device: String },
    /// The management extension runs the script that was asked for.
    RunScript { device: String, script: String },
}

impl State {
    pub(crate) fn run_intune(&mut self, effect: IntuneEffect) {
        match effect {
            IntuneEffect::CheckIn { device } => self.intune_visit(&device),
            IntuneEffect::Maintenance { device } => {
                self.intune_visit(&device);
                if self.intune.contains_key(&device) {
                    let at = self.now + SYNC_PERIOD;
                    self.schedule(at, Effect::Intune(IntuneEffect::Maintenance { device }));
                }
            }
            IntuneEffect::Enrol {
                device,
                profile,
                store,
            } => self.intune_enrol(&device, profile, store),
            IntuneEffect::Report { device } => self.intune_report(&device),
            IntuneEffect::RunScript { device, script } => self.run_script(&device, &script),
        }
    }

    /// Plans the regular check-ins of every device; called once, when the world begins.
    pub(crate) fn start_intune(&mut self) {
        let devices: Vec<(String, DateTime<Utc>)> = self
            .intune
            .values()
            .map(|device| (device.id.clone(), device.last_sync + SYNC_PERIOD))
            .collect();
        for (device, due) in devices {
            let at = match due > self.now {
                true => due,
                false => self.now + self.delay(60, SYNC_PERIOD.num_seconds()),
            };
            self.schedule(at, Effect::Intune(IntuneEffect::Maintenance { device }));
        }
    }

    /// The machine checks in now; what it was sent is installed, and it reports its inventory.
    pub(crate) fn intune_check_in(&mut self, machine: MachineKey) {
        let Some(device) = self.intune_of(machine).map(|record| record.id.clone()) else {
            return;
        };
        self.intune_visit(&device);
        let enrolling: Vec<_> = self
            .mdm
            .intune
            .enrolling
            .iter()
            .filter(|(enrolling, _)| *enrolling == machine)
            .map(|(_, profile)| *profile)
            .collect();
        for profile in enrolling {
            for store in self.intune_stores(profile, &device) {
                self.intune_enrol(&device, profile, store);
            }
        }
        self.intune_report(&device);
    }

    /// Asks a device to sync; an online one does so within minutes, an offline one when it returns.
    pub(crate) fn intune_ask_sync(&mut self, device: &str) {
        let requested = self.now;
        let request = SyncRequest {
            requested,
            done: None,
        };
        self.mdm.intune.syncs.insert(device.to_owned(), request);
        let at = requested + self.delay(10, 4 * 60);
        let device = device.to_owned();
        self.schedule(at, Effect::Intune(IntuneEffect::CheckIn { device }));
    }

    /// Asks for one run of a script. One at a time per device: an older request is overwritten.
    pub(crate) fn intune_ask_script(&mut self, device: &str, script: &str) {
        self.script_runs
            .retain(|run| run.device != device || run.finished.is_some());
        self.script_runs.push(ScriptRun {
            script: script.to_owned(),
            device: device.to_owned(),
            requested: self.now,
            finished: None,
            removed: Vec::new(),
        });
        self.schedule_script(device, script);
    }

    fn schedule_script(&mut self, device: &str, script: &str) {
        let at = self.now + self.delay(10, 5 * 60);
        let effect = IntuneEffect::RunScript {
            device: device.to_owned(),
            script: script.to_owned(),
        };
        self.schedule(at, Effect::Intune(effect));
    }

    /// Whether Intune, with what it knows of groups, means this device by this profile.
    pub(crate) fn intune_targeted(&self, profile: ProfileKey, device: &IntuneDevice) -> bool {
        let profile = self.profile(profile);
        let scope = &profile.scope;
        let lag = self.mdm.intune.targeting_lag;
        let user = device.user.as_ref().and_then(|user| self.people.get(user));
        let in_any = |groups: &std::collections::BTreeSet<String>, member: Option<&str>| {
            member.is_some_and(|member| {
                groups
                    .iter()
                    .any(|group| self.member_seen(group, member, lag))
            })
        };
        let object = Some(device.entra_object_id.as_str());
        let person = user.map(|person| person.entra_id.as_str());
        let named = |records: &std::collections::BTreeSet<String>| {
            records.contains(&device.id) || records.contains(&device.entra_object_id)
        };
        // An exclusion works against an inclusion of its own kind only ("Assign device profiles in
        // Microsoft Intune", support matrix).
        let by_device = (scope.all || in_any(&scope.groups, object) || named(&scope.records))
            && !in_any(&scope.excluded_groups, object)
            && !named(&scope.excluded_records);
        let by_user = in_any(&scope.groups, person) && !in_any(&scope.excluded_groups, person);
        let filtered_out =
            scope.excluded_category.is_some() && device.category == scope.excluded_category;
        profile.mdm == Mdm::Intune && (by_device || by_user) && !filtered_out
    }

    /// Whether a group that the profile excludes holds this device: it then vanishes from the
    /// profile's reports, whatever it still holds.
    pub(crate) fn intune_excluded(&self, profile: ProfileKey, device: &IntuneDevice) -> bool {
        let lag = self.mdm.intune.targeting_lag;
        let user = device.user.as_ref().and_then(|user| self.people.get(user));
        let excluded = &self.profile(profile).scope.excluded_groups;
        excluded.iter().any(|group| {
            self.member_seen(group, &device.entra_object_id, lag)
                || user.is_some_and(|person| self.member_seen(group, &person.entra_id, lag))
        })
    }

    /// The stores a profile goes to on this device; none for a user profile without primary user.
    pub(crate) fn intune_stores(&self, profile: ProfileKey, device: &str) -> Vec<Store> {
        match self.profile(profile).level {
            Level::Machine => vec![Store::Machine],
            Level::User => {
                let device = self.intune.get(device);
                let user = device.and_then(|device| device.user.clone());
                user.into_iter().map(Store::User).collect()
            }
        }
    }

    /// Whether the device can talk to Intune at all.
    pub(crate) fn intune_reachable(&self, device: &IntuneDevice) -> bool {
        device.registration == "registered"
            && device.management_state == "managed"
            && self.machine(device.machine).online
            && self.machine(device.machine).mdm == Some(Mdm::Intune)
    }

    fn intune_visit(&mut self, id: &str) {
        let now = self.now;
        let Some(device) = self.intune.get(id).cloned() else {
            return;
        };
        if !self.intune_reachable(&device) {
            return;
        }
        if let Some(sync) = self.mdm.intune.syncs.get_mut(id) {
            sync.done.get_or_insert(now);
        }
        let profiles: Vec<ProfileKey> = self
            .profiles
            .iter()
            .filter(|profile| profile.mdm == Mdm::Intune)
            .map(|profile| profile.key)
            .collect();
        for profile in profiles {
            match self.intune_targeted(profile, &device) {
                true => self.intune_apply(&device, profile),
                false => self.intune_remove(&device, profile),
            }
        }
        self.resume_script(id);
        self.intune_report(id);
    }

    /// A run that could not start while the device was away starts now.
    fn resume_script(&mut self, device: &str) {
        let waiting = self
            .script_runs
            .iter()
            .find(|run| run.device == device && run.finished.is_none() && run.requested < self.now);
        if let Some(script) = waiting.map(|run| run.script.clone()) {
            self.schedule_script(device, &script);
        }
    }

    fn intune_apply(&mut self, device: &IntuneDevice, profile: ProfileKey) {
        let now = self.now;
        if let Some(verdict) = self.intune_verdict(device, profile) {
            // A verdict that stands keeps its time.
            let known = device.states.get(&profile);
            let stands = known.is_some_and(|known| {
                std::mem::discriminant(known) == std::mem::discriminant(&verdict)
            });
            if !stands {
                self.set_delivery(&device.id, profile, verdict);
            }
            return;
        }
        for store in self.intune_stores(profile, &device.id) {
            let away = store
                .user()
                .is_some_and(|user: &Id| self.mdm.away.contains(&(device.machine, user.clone())));
            let held = self.machine(device.machine);
            let has_profile = held.has_profile(profile, &store);
            let has_certificate = held
                .certificates
                .iter()
                .any(|held| held.profile == Some(profile) && held.store == store);
            let is_scep = self.profile(profile).is_scep();
            let under_way = self
                .mdm
                .intune
                .enrolling
                .contains(&(device.machine, profile));
            if under_way || (has_profile && (has_certificate || !is_scep)) {
                continue;
            }
            let state = DeliveryState::Pending { since: now };
            if away {
                self.set_delivery(&device.id, profile, state);
            } else if is_scep {
                if !has_profile {
                    self.set_delivery(&device.id, profile, state);
                }
                self.mdm.intune.enrolling.insert((device.machine, profile));
                let at = now + self.delay(5, 60);
                let effect = IntuneEffect::Enrol {
                    device: device.id.clone(),
                    profile,
                    store,
                };
                self.schedule(at, Effect::Intune(effect));
            } else {
                self.intune_install(&device.id, device.machine, profile, store);
            }
        }
    }

    /// What keeps a targeted profile from being applied before anything is tried.
    fn intune_verdict(&self, device: &IntuneDevice, key: ProfileKey) -> Option<DeliveryState> {
        let at = self.now;
        let profile = self.profile(key);
        if device.unfit_for.contains(&key) {
            return Some(DeliveryState::NotApplicable { at });
        }
        let rival = profile.conflicts_with;
        if rival.is_some_and(|rival| self.intune_targeted(rival, device)) {
            return Some(DeliveryState::Conflict { at });
        }
        let ProfileKind::Scep { trusted, .. } = profile.kind else {
            return None;
        };
        let held = &self.machine(device.machine).certificates;
        let has_certificate = held.iter().any(|held| held.profile == Some(key));
        let untrusted = trusted.is_some_and(|trusted| !self.intune_targeted(trusted, device));
        (untrusted && !has_certificate).then_some(DeliveryState::Failed {
            at,
            error: TRUSTED_PROFILE_MISSING,
        })
    }

    fn intune_enrol(&mut self, device: &str, profile: ProfileKey, store: Store) {
        let Some(record) = self.intune.get(device) else {
            return;
        };
        let machine = record.machine;
        let asked = self.mdm.intune.enrolling.remove(&(machine, profile));
        // The CA asks Intune, which refuses a profile that is no longer meant for the device.
        let proceeds =
            asked && self.intune_reachable(record) && self.intune_targeted(profile, record);
        if proceeds {
            self.intune_install(device, machine, profile, store);
            let at = self.now + self.delay(60, 5 * 60);
            let device = device.to_owned();
            self.schedule(at, Effect::Intune(IntuneEffect::Report { device }));
        }
    }

    fn intune_install(
        &mut self,
        device: &str,
        machine: MachineKey,
        profile: ProfileKey,
        store: Store,
    ) {
        let at = self.now;
        let state = match self.install_profile(machine, profile, store) {
            Ok(()) => DeliveryState::Succeeded { at },
            Err(error) => DeliveryState::Failed { at, error },
        };
        self.set_delivery(device, profile, state);
    }

    fn intune_remove(&mut self, device: &IntuneDevice, profile: ProfileKey) {
        let stores: Vec<Store> = self
            .machine(device.machine)
            .profiles
            .iter()
            .filter(|held| held.profile == profile)
            .map(|held| held.store.clone())
            .collect();
        let known = device.states.get(&profile);
        let was_there = !stores.is_empty()
            || known.is_some_and(|state| !matches!(state, DeliveryState::Removed { .. }));
        for store in stores {
            self.uninstall_profile(device.machine, profile, &store);
        }
        if was_there {
            let at = self.now;
            self.set_delivery(&device.id, profile, DeliveryState::Removed { at });
        }
    }

    fn set_delivery(&mut self, device: &str, profile: ProfileKey, state: DeliveryState) {
        if let Some(device) = self.intune.get_mut(device) {
            device.states.insert(profile, state);
        }
    }

    fn intune_report(&mut self, id: &str) {
        let Some(device) = self.intune.get(id) else {
            return;
        };
        if !self.intune_reachable(device) {
            return;
        }
        let (now, inventory) = (self.now, self.read_inventory(device.machine));
        if let Some(device) = self.intune.get_mut(id) {
            device.last_sync = now;
            device.inventory = inventory;
        }
    }

    /// The prepared script removes every attestation certificate that is expired, revoked or has no
    /// usable key; the device stays as it is otherwise.
    fn run_script(&mut self, id: &str, script: &str) {
        let Some(device) = self.intune.get(id) else {
            return;
        };
        let machine = device.machine;
        let waiting = self
            .script_runs
            .iter()
            .position(|run| run.device == id && run.script == script && run.finished.is_none());
        let Some(index) = waiting.filter(|_| self.intune_reachable(device)) else {
            return;
        };
        let now = self.now;
        let cleans = script == self.targets.intune_cleanup_script;
        let mut removed = Vec::new();
        let certificates = &self.certificates;
        self.machines[machine.0].certificates.retain(|held| {
            if !cleans {
                return true;
            }
            let certificate = certificates.get(&held.serial);
            let dead = !held.key_usable
                || certificate.is_none_or(|certificate| !certificate.valid_at(now));
            if dead {
                removed.extend(certificate.map(|found| found.thumbprint.to_uppercase()));
            }
            !dead
        });
        self.script_runs[index].removed = removed;
        self.script_runs[index].finished = Some(now);
    }
}
