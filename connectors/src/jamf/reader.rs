//! What Jamf tells: the sweep, one computer, one change.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use unstuck_domain::{
    AttestationProfile, CertificateStore, GroupId, MdmDevice, MdmDeviceId, MdmKind, MdmName,
    MdmObservation, Platform, ProfileId, Shows, Visibility,
};

use super::{
    JamfClient,
    computers::{self, Context},
    delivery::{self, CommandIndex},
    endpoints,
    listing::{COMMAND_AGE, SECTIONS},
    profiles::JamfProfile,
    scope, wire,
};
use crate::{
    ChangeState, MdmDeviceRef, MdmReader, ProfileChange, Progress, error::ErrorKind, http::Call,
    traits::Result,
};

/// So many profiles that no setting names are looked into per sweep; what is in them seldom changes.
const LOOKS_PER_SWEEP: usize = 30;

#[async_trait]
impl MdmReader for JamfClient {
    fn mdm(&self) -> &MdmName {
        &self.name
    }

    fn kind(&self) -> MdmKind {
        MdmKind::Jamf
    }

    fn platforms(&self) -> &[Platform] {
        &self.platforms
    }

    fn shows(&self) -> Shows {
        Shows {
            certificates: Visibility::Always,
            issuer: false,
            store: true,
            profile_state: true,
            assignment: true,
            applications: true,
        }
    }

    async fn observe(&self, progress: &dyn Progress) -> Result<MdmObservation> {
        let profiles = self.read_profiles(LOOKS_PER_SWEEP).await?;
        let mut commands = CommandIndex::default();
        for profile in &profiles.attestation {
            let of = format!("profileId=={}", profile.id());
            for command in self.profile_commands(&of, self.command_horizon()?).await? {
                commands.add(command);
            }
        }
        let context = Arc::new(Context {
            now: self.http.clock().now(),
            attestation: Arc::clone(&self.attestation),
            profiles: Arc::clone(&profiles),
            commands,
            disabled_push: self.disabled_push().await?,
            in_scope: None,
        });
        let devices = self.inventory(context, progress).await?;
        Ok(MdmObservation {
            sso_extensions: profiles.sso_extensions(),
            // No call of the API that is known here shows it.
            push_certificate_expires_at: None,
            name: self.name.clone(),
            kind: MdmKind::Jamf,
            platforms: self.platforms.clone(),
            complete: true,
            now: self.time()?,
            shows: self.shows(),
            devices,
            profiles: profiles.attestation(),
            targets: self.targets.clone(),
        })
    }

    async fn device(&self, id: &MdmDeviceId) -> Result<Option<MdmDevice>> {
        let Some(computer) = self.computer(id, true).await? else {
            return Ok(None);
        };
        let profiles = self.recent_profiles().await?;
        let channels = computer.general.as_ref().map(computers::channels);
        let channels = channels.unwrap_or_default();
        let mut commands = CommandIndex::default();
        if !channels.is_empty() {
            let of = format!("clientManagementId=in=({})", channels.join(","));
            for command in self.profile_commands(&of, self.command_horizon()?).await? {
                commands.add(command);
            }
        }
        let in_scope = if computers::has_unknown_scope(&computer, &profiles) {
            self.in_scope(id).await?
        } else {
            None
        };
        let context = Context {
            now: self.http.clock().now(),
            attestation: Arc::clone(&self.attestation),
            profiles,
            commands,
            disabled_push: self.disabled_push().await?,
            in_scope,
        };
        Ok(Some(computers::device(computer, &context)))
    }

    async fn profiles(&self) -> Result<Vec<AttestationProfile>> {
        Ok(self.read_profiles(0).await?.attestation())
    }

    async fn check_group(&self, group: &GroupId) -> Result<std::result::Result<(), String>> {
        match self.group(group).await {
            Ok(found) => Ok(match found.is_smart {
                Some(false) => Ok(()),
                Some(true) => Err(format!(
                    "group {group} is a smart group; its members are computed"
                )),
                None => Err(format!("group {group} does not say whether it is static")),
            }),
            Err(error) if error.is_not_found() => {
                Ok(Err(format!("there is no computer group {group}")))
            }
            Err(error) => Err(error),
        }
    }

    async fn group_members(&self, group: &GroupId) -> Result<Vec<MdmDeviceRef>> {
        let found = self.group(group).await?;
        let ids = scope::ids(&found.computers).into_iter();
        Ok(ids
            .map(|id| MdmDeviceRef {
                id: MdmDeviceId::new(id),
                management_id: None,
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
        let channels = self.channels_for(device, profile).await?;
        let kind = match change {
            ProfileChange::Install => "INSTALL_PROFILE",
            ProfileChange::Remove => "REMOVE_PROFILE",
        };
        let of = format!("clientManagementId=in=({})", channels.join(","));
        let mut commands = self.profile_commands(&of, since).await?;
        commands.retain(|command| {
            command.profile_id.as_deref() == Some(profile.as_str())
                && command.command_type.as_deref() == Some(kind)
                && command.date_sent >= Some(since)
        });
        Ok(delivery::change(&commands))
    }

    async fn script_finished(
        &self,
        _: &MdmDeviceRef,
        _: &str,
        _: DateTime<Utc>,
    ) -> Result<ChangeState> {
        Err(self.error(
            "read the result of a script",
            ErrorKind::Unsupported {
                what: "clean-up scripts",
            },
        ))
    }
}

impl JamfClient {
    /// One computer; v3 where v4 is not known, and only then can a 404 mean the server instead of the computer.
    pub(super) async fn computer(
        &self,
        id: &MdmDeviceId,
        whole: bool,
    ) -> Result<Option<wire::Computer>> {
        let sections: &[&str] = if whole { &SECTIONS } else { &SECTIONS[..1] };
        let old_first = self.inventory_is_old();
        for endpoint in [&endpoints::COMPUTER_V4, &endpoints::COMPUTER_V3] {
            if old_first && *endpoint == endpoints::COMPUTER_V4 {
                continue;
            }
            let mut call = Call::new(endpoint).param(id.as_str());
            for section in sections {
                call = call.query("section", *section);
            }
            if whole {
                call = call.query("section", "APPLICATIONS");
            }
            match self.http.read(&call).await {
                Ok(answer) => return Ok(Some(answer.json().await?)),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Ids of the profiles in scope of a computer, by Jamf's own account; `None`: not told.
    async fn in_scope(&self, id: &MdmDeviceId) -> Result<Option<Vec<String>>> {
        let call = Call::new(&endpoints::IN_SCOPE).param(id.as_str());
        match self.http.read(&call).await {
            Ok(answer) => {
                let answer: wire::ManagementAnswer = answer.json().await?;
                let listed = answer.computer_management.os_x_configuration_profiles;
                Ok(listed.map(|listed| scope::ids(&listed)))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn group(&self, group: &GroupId) -> Result<wire::Group> {
        let call = Call::new(&endpoints::GROUP).param(group.as_str());
        let answer: wire::GroupAnswer = self.http.read(&call).await?.json().await?;
        Ok(answer.computer_group)
    }

    /// The channels through which a profile reaches a computer: its own, or those of its users for a user-level profile.
    async fn channels_for(
        &self,
        device: &MdmDeviceRef,
        profile: &ProfileId,
    ) -> Result<Vec<String>> {
        let store = match self.known_store(profile) {
            Some(store) => store,
            None => {
                let read = self.profile(profile.as_str()).await?;
                let read = read.and_then(JamfProfile::read);
                let store = read.and_then(|read| read.attestation.store);
                self.remember_store(profile, store);
                store
            }
        };
        if store == Some(CertificateStore::Machine)
            && let Some(own) = &device.management_id
        {
            return Ok(vec![own.clone()]);
        }
        let attempt = format!("read the channels of computer {}", device.id);
        let Some(computer) = self.computer(&device.id, false).await? else {
            return Err(self.error(&attempt, ErrorKind::NotFound));
        };
        let general = computer.general.unwrap_or_default();
        let mut channels = computers::channels(&general);
        if store == Some(CertificateStore::User) && general.management_id.is_some() {
            channels.remove(0);
        }
        if channels.is_empty() {
            let reason = "the computer has no channel for this profile".to_owned();
            return Err(self.error(&attempt, ErrorKind::Rejected { reason }));
        }
        Ok(channels)
    }

    pub(super) fn time(&self) -> Result<DateTime<Utc>> {
        self.http.clock().now().ok_or_else(|| {
            self.unreadable(&endpoints::PROFILE_LIST, "no answer carried a Date header")
        })
    }

    /// From when on commands are asked for.
    fn command_horizon(&self) -> Result<DateTime<Utc>> {
        Ok(self.time()? - COMMAND_AGE)
    }
}
