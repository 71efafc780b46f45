//! All the facts of the world in one place, with the look-ups that every server needs.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::effect::Queue;
use super::ids::Ids;
use super::pki::{EarlyAccess, INTERMEDIATE, Pki, ScepConfiguration};
use super::{
    App, Category, Certificate, IntuneDevice, JamfComputer, LogEvent, Machine, MachineKey, Mdm,
    MdmGroup, MdmService, OktaDevice, OktaGroup, OktaVerify, Person, Policy, Profile, ProfileKey,
    Script, ScriptRun,
};
use super::{Id, Issuer};
use crate::ledger::{Ledger, RecordedEffect, RequestId};

/// How Okta stands to the company's own authority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OwnAuthority {
    #[default]
    Trusted,
    /// Its intermediate was taken out.
    Deleted,
    /// Its revocation list cannot be read, so nothing it issued is accepted.
    RevocationUnknown,
}

/// Facts of the Okta org as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Org {
    /// `00o…`.
    pub id: Id,
    pub subdomain: &'static str,
    pub company: &'static str,
    /// Entra tenant id.
    pub tenant_id: String,
    /// Its certificate authorities and SCEP configurations.
    pub pki: Pki,
    /// Whether the company's own authority is among those that Okta trusts, and its revocation list can
    /// be read.
    pub own_authority: OwnAuthority,
    /// Whether the Early Access read of authenticator enrolments is on.
    pub enrolments_api: bool,
    /// Whether the Early Access read of certificate authorities is on.
    pub ca_api: EarlyAccess,
    /// Whether Okta writes `pki.cert.issue` when its SCEP endpoint issues.
    pub issue_events: bool,
    /// Whether Intune shows certificate rows.
    pub intune_certificate_rows: bool,
    /// Base URLs, known once the servers listen.
    pub okta_url: String,
    pub graph_url: String,
    pub jamf_url: String,
}

const OWN_AUTHORITY: &str = "CN=Acme Device CA, O=Acme, C=US";
const OWN_SCEP_URL: &str = "https://scep.acme.example/certsrv/mscep/mscep.dll";

impl Org {
    /// The issuer's distinguished name.
    pub(crate) fn issuer_name(&self, issuer: Issuer) -> String {
        let (subdomain, org) = match issuer {
            Issuer::Org => (self.subdomain, &*self.id),
            // Whether Device Access writes another name is UNVERIFIED; its key differs.
            Issuer::DeviceAccess => (self.subdomain, &*self.id),
            Issuer::OtherOrg => ("acme-preview", "00o7preview00tenant0"),
            Issuer::OwnAuthority => return OWN_AUTHORITY.to_owned(),
        };
        format!("CN={INTERMEDIATE}, OU={org}, DC={subdomain}, DC=okta, DC=com")
    }

    /// The SCEP URL that a profile of this MDM for this issuer names.
    pub(crate) fn scep_url(&self, mdm: Mdm, issuer: Issuer) -> String {
        let configuration = match issuer {
            Issuer::Org => self.pki.configuration_of(mdm),
            Issuer::DeviceAccess => self.pki.device_access(),
            Issuer::OwnAuthority => return OWN_SCEP_URL.to_owned(),
            Issuer::OtherOrg => {
                let authority = "0".repeat(40);
                return format!(
                    "https://acme-preview.oktapreview.com/pki/{authority}/scep/rac00000000000000000"
                );
            }
        };
        self.scep_url_of(configuration)
    }

    /// The address of a SCEP configuration.
    pub(crate) fn scep_url_of(&self, configuration: &ScepConfiguration) -> String {
        let (authority, id) = (&configuration.authority, &configuration.id);
        format!("{}/pki/{authority}/scep/{id}", self.okta_url)
    }
}

/// What a person prepared in the vendors' consoles for repairs.
#[derive(Clone, Debug, Default)]
pub(crate) struct RepairTargets {
    pub fastpass_group: String,
    pub sign_in_app: String,
    pub intune_hold_group: String,
    pub intune_target_group: String,
    pub intune_hold_category: String,
    pub intune_machine_profile: String,
    pub intune_machine_group: String,
    pub intune_cleanup_script: String,
    pub jamf_hold_group: String,
    pub jamf_target_group: String,
    pub jamf_machine_profile: String,
    pub jamf_machine_group: String,
}

/// The facts.
#[derive(Debug)]
pub(crate) struct State {
    pub now: DateTime<Utc>,
    pub ids: Ids,
    pub org: Org,
    pub targets: RepairTargets,
    pub people: BTreeMap<Id, Person>,
    pub logins: HashMap<String, Id>,
    pub okta_groups: BTreeMap<Id, OktaGroup>,
    pub devices: BTreeMap<Id, OktaDevice>,
    /// Records that were deleted: the log still speaks of them.
    pub deleted_devices: BTreeMap<Id, OktaDevice>,
    /// Devices by linked user.
    pub devices_of: HashMap<Id, Vec<Id>>,
    pub apps: BTreeMap<Id, App>,
    pub policies: BTreeMap<Id, Policy>,
    pub okta_verify: OktaVerify,
    pub log: Vec<LogEvent>,
    pub machines: Vec<Machine>,
    pub certificates: BTreeMap<Id, Certificate>,
    pub profiles: Vec<Profile>,
    pub mdm_groups: BTreeMap<String, MdmGroup>,
    pub jamf: BTreeMap<u32, JamfComputer>,
    pub intune: BTreeMap<String, IntuneDevice>,
    pub categories: BTreeMap<String, Category>,
    pub scripts: BTreeMap<String, Script>,
    pub script_runs: Vec<ScriptRun>,
    /// What the MDM services remember and how they behave beyond these records.
    pub mdm: MdmService,
    pub queue: Queue,
    pub ledger: Ledger,
    /// The request on whose behalf the world is being changed.
    pub request: Option<RequestId>,
    /// An event type that never appears in the log, however often it happens.
    pub hidden_event_types: Vec<String>,
    /// How long lists and searches lag behind a change.
    pub index_lag: chrono::Duration,
}

impl State {
    pub(crate) fn machine(&self, key: MachineKey) -> &Machine {
        &self.machines[key.0]
    }

    pub(crate) fn machine_mut(&mut self, key: MachineKey) -> &mut Machine {
        &mut self.machines[key.0]
    }

    pub(crate) fn profile(&self, key: ProfileKey) -> &Profile {
        &self.profiles[key.0]
    }

    /// The profile of this MDM with this id.
    pub(crate) fn profile_by_id(&self, mdm: Mdm, id: &str) -> Option<&Profile> {
        self.profiles
            .iter()
            .find(|profile| profile.mdm == mdm && profile.id == id)
    }

    /// A user by Okta id, login or e-mail.
    pub(crate) fn person(&self, id_or_login: &str) -> Option<&Person> {
        self.people.get(id_or_login).or_else(|| {
            let id = self.logins.get(&id_or_login.to_lowercase())?;
            self.people.get(id)
        })
    }

    /// The newest Jamf record of a machine.
    pub(crate) fn jamf_of(&self, machine: MachineKey) -> Option<&JamfComputer> {
        let ids = &self.machine(machine).jamf_ids;
        ids.iter().rev().find_map(|id| self.jamf.get(id))
    }

    /// The newest Intune record of a machine.
    pub(crate) fn intune_of(&self, machine: MachineKey) -> Option<&IntuneDevice> {
        let ids = &self.machine(machine).intune_ids;
        ids.iter().rev().find_map(|id| self.intune.get(id))
    }

    /// The machine with this serial.
    pub(crate) fn machine_by_serial(&self, serial: &str) -> Option<MachineKey> {
        self.machines
            .iter()
            .find(|machine| machine.serial == serial)
            .map(|machine| machine.key)
    }

    /// Records what a call changed.
    pub(crate) fn effect(
        &self,
        kind: &str,
        target: impl Into<String>,
        before: impl Into<String>,
        after: impl Into<String>,
    ) {
        self.ledger.effect(RecordedEffect {
            at: self.now,
            request: self.request,
            kind: kind.to_owned(),
            target: target.into(),
            before: before.into(),
            after: after.into(),
        });
    }

    /// The record changes; lists keep showing the older row for a while.
    pub(crate) fn touch_device(&mut self, id: &str) {
        let (now, lag) = (self.now, self.index_lag);
        if let Some(device) = self.devices.get_mut(id) {
            device.stale_row = (lag > chrono::Duration::zero()).then(|| super::StaleRow {
                until: Some(now + lag),
                last_updated: device.last_updated,
                managed: device
                    .links
                    .iter()
                    .map(|link| (link.user.clone(), link.managed))
                    .collect(),
            });
            device.last_updated = now;
        }
    }
}
