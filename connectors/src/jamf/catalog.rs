//! Reading the server's profiles. Those that the settings name are read at every sweep. The rest may hold the trusted
//! certificate or the SSO extension, but there may be hundreds: a few are looked into per sweep, and again after a week.

use std::sync::{Arc, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    JamfClient, KeptProfiles, SeenProfile, endpoints,
    profiles::{JamfProfile, OtherProfile, Profiles},
    wire,
};
use crate::{http::Call, traits::Result};

/// A profile that did not matter is looked into again after this.
const LOOK_AGAIN: TimeDelta = TimeDelta::days(7);
/// Words of names that come first: they promise most.
const PROMISING: [&str; 8] = [
    "okta",
    "sso",
    "single sign",
    "extension",
    "trust",
    "certificate",
    "intermediate",
    "root",
];

impl JamfClient {
    /// All profiles that matter, read now and kept for by-id reads. At most `looks` of those that nothing is known of are
    /// looked into.
    pub(super) async fn read_profiles(&self, looks: usize) -> Result<Arc<Profiles>> {
        let answer = self.http.read(&Call::new(&endpoints::PROFILE_LIST)).await?;
        let list: wire::ProfileList = answer.json().await?;
        let list = list.os_x_configuration_profiles;
        list.warn_of_skipped(self.name.as_str());
        let now = self.time()?;
        let machine = self.targets.machine_profile.as_ref();
        let mut profiles = Profiles {
            all_seen: list.skipped == 0,
            ..Profiles::default()
        };
        let mut others = Vec::new();
        for entry in list.records {
            let is_target = machine.is_some_and(|id| id.as_str() == entry.id);
            if !is_target && !self.attestation.names_profile(&entry.id, &entry.name) {
                others.push(entry);
                continue;
            }
            let read = self.profile(&entry.id).await?.and_then(JamfProfile::read);
            if let Some(profile) = read {
                self.remember_store(&profile.attestation.id, profile.attestation.store);
                profiles.attestation.push(profile);
            } else {
                // A trusted-certificate profile may have such a name, too.
                others.push(entry);
            }
        }
        let (known, mut unknown): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|entry| self.seen(entry, now).is_some());
        unknown.sort_by_key(|entry| !promises(&entry.name));
        profiles.all_seen &= unknown.len() <= looks;
        let wanted = known
            .into_iter()
            .filter(|entry| self.seen(entry, now) == Some(true));
        for entry in wanted.chain(unknown.into_iter().take(looks)) {
            let read = self.profile(&entry.id).await?;
            let found = read.and_then(|read| OtherProfile::read(read, &self.attestation));
            self.remember(entry, now, found.is_some());
            profiles.others.extend(found);
        }
        profiles.join();
        let profiles = Arc::new(profiles);
        self.keep_profiles(&profiles);
        Ok(profiles)
    }

    /// The profiles as read within the last minute: a by-id read needs their scope, and a wait asks often.
    pub(super) async fn recent_profiles(&self) -> Result<Arc<Profiles>> {
        match self.kept_profiles() {
            Some(profiles) => Ok(profiles),
            None => self.read_profiles(0).await,
        }
    }

    /// `None`: deleted since it was listed.
    pub(super) async fn profile(&self, id: &str) -> Result<Option<wire::Profile>> {
        let call = Call::new(&endpoints::PROFILE).param(id);
        match self.http.read(&call).await {
            Ok(answer) => {
                let answer: wire::ProfileAnswer = answer.json().await?;
                Ok(Some(answer.os_x_configuration_profile))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the profile matters, as far as it was looked into under this name and not too long ago.
    fn seen(&self, entry: &wire::NamedId, now: DateTime<Utc>) -> Option<bool> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.get(&entry.id).filter(|seen| seen.name == entry.name)?;
        (seen.matters || now - seen.at < LOOK_AGAIN).then_some(seen.matters)
    }

    fn remember(&self, entry: wire::NamedId, at: DateTime<Utc>, matters: bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let name = entry.name;
        seen.insert(entry.id, SeenProfile { at, name, matters });
    }

    fn keep_profiles(&self, profiles: &Arc<Profiles>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = self.http.clock().now().map(|at| KeptProfiles {
            at,
            profiles: Arc::clone(profiles),
        });
    }

    fn kept_profiles(&self) -> Option<Arc<Profiles>> {
        let now = self.http.clock().now()?;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref()?;
        (now - kept.at < super::PROFILES_KEPT_FOR).then(|| Arc::clone(&kept.profiles))
    }
}

fn promises(name: &str) -> bool {
    let name = name.to_lowercase();
    PROMISING.iter().any(|word| name.contains(word))
}
