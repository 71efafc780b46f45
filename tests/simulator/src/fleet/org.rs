//! What an admin set up before anybody enrolled: groups, apps, policies, profiles and their scopes.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Duration, Utc};

use super::FleetOptions;
use super::oddities::{Assignment, OddSso, Oddity};
use super::org_okta::Audience;
use crate::ledger::Ledger;
use crate::world::{
    GroupKind, Id, Ids, Mdm, OktaVerify, Org, Pki, ProfileKey, RepairTargets, State,
};

/// Keys of the parts that the generator refers to.
#[derive(Clone, Debug)]
pub(super) struct Landscape {
    pub everyone: Id,
    pub employees: Id,
    pub fastpass_group: Id,
    pub contractors: Id,
    pub jamf_scep: ProfileKey,
    pub jamf_scep_user: ProfileKey,
    pub jamf_scep_shared: ProfileKey,
    pub jamf_trust: ProfileKey,
    pub jamf_sso: ProfileKey,
    pub jamf_wifi: ProfileKey,
    pub jamf_user_group: String,
    pub intune_scep: ProfileKey,
    pub intune_scep_machine: ProfileKey,
    pub intune_trust: ProfileKey,
    pub intune_wifi: ProfileKey,
    /// Odd profiles that were needed so far.
    pub oddities: BTreeMap<(Mdm, Oddity), Assignment>,
    pub odd_sso: Option<OddSso>,
    /// Whom a rule without any condition on devices lets in first.
    pub unconditional_group: Id,
    /// Whom only a rule for registered devices that are not managed takes in.
    pub registered_only_group: Id,
    /// An app whose policy asks nothing of devices.
    pub unmapped_app: Id,
}

/// When the consoles were set up.
pub(super) const SET_UP_BEFORE: Duration = Duration::days(800);
const SUBDOMAIN: &str = "acme";

/// An empty company with its consoles set up.
pub(super) fn set_up(
    seed: u64,
    now: DateTime<Utc>,
    options: &FleetOptions,
    ledger: Ledger,
) -> (State, Landscape) {
    let mut ids = Ids::seeded(seed);
    let org_id = ids.okta("00o");
    let tenant_id = ids.guid();
    let pki = Pki::new(&mut ids, &org_id, SUBDOMAIN, now - Duration::days(800));
    let org = Org {
        id: org_id,
        subdomain: SUBDOMAIN,
        company: "Acme",
        tenant_id,
        pki,
        own_authority: Default::default(),
        enrolments_api: options.enrolments_api,
        ca_api: options.ca_api.into(),
        issue_events: options.pki_issue_events,
        intune_certificate_rows: options.intune_certificate_rows,
        okta_url: String::new(),
        graph_url: String::new(),
        jamf_url: String::new(),
    };
    let okta_verify = OktaVerify {
        id: ids.okta("aut"),
        active: true,
        fastpass_active: true,
        show_button: true,
        hardware_key_only: false,
        created: now - Duration::days(900),
    };
    let mut state = State {
        now,
        ids,
        org,
        targets: RepairTargets::default(),
        people: BTreeMap::new(),
        logins: HashMap::new(),
        okta_groups: BTreeMap::new(),
        devices: BTreeMap::new(),
        deleted_devices: BTreeMap::new(),
        devices_of: HashMap::new(),
        apps: BTreeMap::new(),
        policies: BTreeMap::new(),
        okta_verify,
        log: Vec::new(),
        machines: Vec::new(),
        certificates: BTreeMap::new(),
        profiles: Vec::new(),
        mdm_groups: BTreeMap::new(),
        jamf: BTreeMap::new(),
        intune: BTreeMap::new(),
        categories: BTreeMap::new(),
        scripts: BTreeMap::new(),
        script_runs: Vec::new(),
        queue: Default::default(),
        ledger,
        request: None,
        hidden_event_types: Vec::new(),
        index_lag: options.index_lag,
        mdm: Default::default(),
    };
    let mut admin = Admin {
        state: &mut state,
        since: now - SET_UP_BEFORE,
    };
    let everyone = admin.okta_group("Everyone", GroupKind::BuiltIn, true);
    let employees = admin.okta_group("All employees", GroupKind::Okta, true);
    let fastpass_group = admin.okta_group("Okta FastPass users", GroupKind::Okta, false);
    let contractors = admin.okta_group("Contractors on managed devices", GroupKind::Okta, true);
    admin.okta_group("Domain Users", GroupKind::App, true);
    let unconditional_group = admin.okta_group("Build engineers", GroupKind::Okta, true);
    let registered_only_group = admin.okta_group("Field partners", GroupKind::Okta, true);
    let unmapped_app = admin.policies(&Audience {
        employees: employees.clone(),
        fastpass: fastpass_group.clone(),
        contractors: contractors.clone(),
        unconditional: unconditional_group.clone(),
        registered_only: registered_only_group.clone(),
    });
    let jamf = admin.jamf();
    let intune = admin.intune();
    state.targets.fastpass_group = fastpass_group.to_string();
    let landscape = Landscape {
        everyone,
        employees,
        fastpass_group,
        contractors,
        jamf_trust: jamf.0[0],
        jamf_scep: jamf.0[1],
        jamf_scep_user: jamf.0[2],
        jamf_scep_shared: jamf.0[3],
        jamf_sso: jamf.0[4],
        jamf_wifi: jamf.0[5],
        jamf_user_group: jamf.1,
        intune_trust: intune[0],
        intune_scep: intune[1],
        intune_scep_machine: intune[2],
        intune_wifi: intune[3],
        oddities: BTreeMap::new(),
        odd_sso: None,
        unconditional_group,
        registered_only_group,
        unmapped_app,
    };
    (state, landscape)
}

/// Sets the consoles up, as of some time ago.
pub(super) struct Admin<'a> {
    pub state: &'a mut State,
    pub since: DateTime<Utc>,
}
