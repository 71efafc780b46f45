//! What an admin set up before anybody enrolled: groups, apps, policies, profiles and their scopes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Duration, Utc};

use super::FleetOptions;
use crate::ledger::Ledger;
use crate::world::{
    App, Category, GroupKind, Id, Ids, Issuer, Level, Mdm, MdmGroup, OktaGroup, OktaVerify, Org,
    Policy, Profile, ProfileKey, ProfileKind, RepairTargets, Rule, Scope, Script, State,
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
}

/// An empty company with its consoles set up.
pub(super) fn set_up(
    seed: u64,
    now: DateTime<Utc>,
    options: &FleetOptions,
    ledger: Ledger,
) -> (State, Landscape) {
    let mut ids = Ids::seeded(seed);
    let org = Org {
        id: ids.okta("00o"),
        subdomain: "acme",
        company: "Acme",
        tenant_id: ids.guid(),
        ca_instance: ids.hex(40),
        scep_config: ids.okta("rac"),
        enrolments_api: options.enrolments_api,
        ca_api: options.ca_api,
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
        since: now - Duration::days(800),
    };
    let everyone = admin.okta_group("Everyone", GroupKind::BuiltIn, true);
    let employees = admin.okta_group("All employees", GroupKind::Okta, true);
    let fastpass_group = admin.okta_group("Okta FastPass users", GroupKind::Okta, false);
    let contractors = admin.okta_group("Contractors on managed devices", GroupKind::Okta, true);
    admin.okta_group("Domain Users", GroupKind::App, true);
    admin.policies(&employees, &fastpass_group, &contractors);
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
    };
    (state, landscape)
}

struct Admin<'a> {
    state: &'a mut State,
    since: DateTime<Utc>,
}

impl Admin<'_> {
    fn okta_group(&mut self, name: &str, kind: GroupKind, by_rule: bool) -> Id {
        let id = self.state.ids.okta("00g");
        let group = OktaGroup {
            id: id.clone(),
            name: name.to_owned(),
            description: String::new(),
            kind,
            by_rule,
            created: self.since,
            membership_changed: self.since,
            members: BTreeSet::new(),
        };
        self.state.okta_groups.insert(id.clone(), group);
        id
    }

    fn policies(&mut self, employees: &Id, fastpass_group: &Id, contractors: &Id) {
        let mut managed = self.rule("Managed devices", 1);
        managed.registered = Some(true);
        managed.managed = Some(true);
        managed.include_groups = vec![fastpass_group.clone(), contractors.clone()];
        managed.phishing_resistant = true;
        let catch_all = self.catch_all();
        let protected = self.policy(
            "Managed desktops",
            "ACCESS_POLICY",
            vec![managed, catch_all],
        );
        let catch_all = self.catch_all();
        let basic = self.policy("Any two factors", "ACCESS_POLICY", vec![catch_all]);
        let sign_on = self.rule("Default Rule", 1);
        self.policy("Default Policy", "OKTA_SIGN_ON", vec![sign_on]);
        let enrol = self.rule("Default Rule", 1);
        self.policy("Default Policy", "MFA_ENROLL", vec![enrol]);
        let first = self.app("bookmark", "FastPass check", &protected, employees);
        self.state.targets.sign_in_app = first.to_string();
        for label in ["Salesforce", "GitHub Enterprise", "Workday"] {
            self.app("saml_2_0", label, &protected, employees);
        }
        self.app("oidc_client", "Cafeteria menu", &basic, employees);
    }

    fn rule(&mut self, name: &str, priority: u32) -> Rule {
        Rule {
            id: self.state.ids.okta("rul"),
            name: name.to_owned(),
            priority,
            active: true,
            system: false,
            created: self.since,
            last_updated: self.since,
            registered: None,
            managed: None,
            include_groups: Vec::new(),
            exclude_groups: Vec::new(),
            include_users: Vec::new(),
            exclude_users: Vec::new(),
            platforms: Vec::new(),
            allow: true,
            phishing_resistant: false,
        }
    }

    fn catch_all(&mut self) -> Rule {
        let mut rule = self.rule("Catch-all Rule", 99);
        rule.system = true;
        rule
    }

    fn policy(&mut self, name: &str, kind: &'static str, rules: Vec<Rule>) -> Id {
        let prefix = if kind == "ACCESS_POLICY" {
            "rst"
        } else {
            "00p"
        };
        let id = self.state.ids.okta(prefix);
        let policy = Policy {
            id: id.clone(),
            kind,
            name: name.to_owned(),
            system: name == "Default Policy",
            active: true,
            created: self.since,
            last_updated: self.since,
            rules,
        };
        self.state.policies.insert(id.clone(), policy);
        id
    }

    fn app(&mut self, name: &'static str, label: &str, policy: &Id, group: &Id) -> Id {
        let id = self.state.ids.okta("0oa");
        let app = App {
            id: id.clone(),
            name,
            label: label.to_owned(),
            policy: policy.clone(),
            groups: vec![group.clone()],
            created: self.since,
        };
        self.state.apps.insert(id.clone(), app);
        id
    }

    fn group(&mut self, mdm: Mdm, name: &str, smart: bool) -> String {
        let id = match mdm {
            Mdm::Jamf => (self.state.mdm_groups.len() + 11).to_string(),
            Mdm::Intune => self.state.ids.guid(),
        };
        let group = MdmGroup {
            id: id.clone(),
            mdm,
            name: name.to_owned(),
            description: String::new(),
            smart,
            members: BTreeSet::new(),
        };
        self.state.mdm_groups.insert(id.clone(), group);
        id
    }

    fn profile(
        &mut self,
        mdm: Mdm,
        name: &str,
        kind: ProfileKind,
        level: Level,
        scope: Scope,
    ) -> ProfileKey {
        let key = ProfileKey(self.state.profiles.len());
        let uuid = self.state.ids.guid();
        let id = match mdm {
            Mdm::Jamf => (key.0 + 21).to_string(),
            Mdm::Intune => self.state.ids.guid(),
        };
        self.state.profiles.push(Profile {
            key,
            mdm,
            id,
            name: name.to_owned(),
            kind,
            level,
            identifier: uuid.to_uppercase(),
            uuid: uuid.to_uppercase(),
            created: self.since,
            modified: self.since,
            version: 1,
            scope,
        });
        key
    }

    fn jamf(&mut self) -> ([ProfileKey; 6], String) {
        let mdm = Mdm::Jamf;
        let hold = self.group(mdm, "Okta attestation hold", false);
        let target = self.group(mdm, "Okta attestation Macs", false);
        let user_level = self.group(mdm, "Okta attestation user-level Macs", false);
        let shared = self.group(mdm, "Okta attestation shared Macs", false);
        self.group(mdm, "All managed Macs", true);
        let scope = |groups: &[&String]| Scope {
            groups: groups.iter().map(|group| (*group).clone()).collect(),
            excluded_groups: BTreeSet::from([hold.clone()]),
            ..Scope::default()
        };
        let everywhere = Scope {
            all: true,
            ..Scope::default()
        };
        let trust = self.profile(
            mdm,
            "Okta Attestation trust",
            ProfileKind::TrustedCertificate,
            Level::Machine,
            scope(&[&target, &user_level, &shared]),
        );
        let names = [
            ("Okta Attestation SCEP", Level::Machine, &target),
            ("Okta Attestation SCEP (user)", Level::User, &user_level),
            ("Okta Attestation SCEP (shared)", Level::Machine, &shared),
        ];
        let [main, user, machine] = names.map(|(name, level, group)| {
            self.profile(mdm, name, scep(None), level, scope(&[group]))
        });
        let sso = self.profile(
            mdm,
            "Okta SSO extension",
            ProfileKind::SsoExtension,
            Level::Machine,
            everywhere.clone(),
        );
        let wifi = self.profile(
            mdm,
            "Office Wi-Fi",
            ProfileKind::Other(&["com.apple.wifi.managed"]),
            Level::Machine,
            everywhere,
        );
        let machine_profile = self.state.profile(machine).id.clone();
        let targets = &mut self.state.targets;
        targets.jamf_hold_group = hold;
        targets.jamf_target_group = target;
        targets.jamf_machine_profile = machine_profile;
        targets.jamf_machine_group = shared;
        ([trust, main, user, machine, sso, wifi], user_level)
    }

    fn intune(&mut self) -> [ProfileKey; 4] {
        let mdm = Mdm::Intune;
        let hold = self.group(mdm, "Okta attestation hold", false);
        let target = self.group(mdm, "Okta attestation PCs", false);
        let shared = self.group(mdm, "Okta attestation shared PCs", false);
        let category = Category {
            id: self.state.ids.guid(),
            name: "okta-scep-reissue".to_owned(),
        };
        let script = Script {
            id: self.state.ids.guid(),
            name: "Remove dead Okta attestation certificates".to_owned(),
        };
        let scope = |groups: &[&String]| Scope {
            groups: groups.iter().map(|group| (*group).clone()).collect(),
            excluded_groups: BTreeSet::from([hold.clone()]),
            excluded_category: Some(category.id.clone()),
            ..Scope::default()
        };
        let trust = self.profile(
            mdm,
            "Okta Attestation trust",
            ProfileKind::TrustedCertificate,
            Level::Machine,
            scope(&[&target, &shared]),
        );
        let user = self.profile(
            mdm,
            "Okta Attestation SCEP (user)",
            scep(Some(trust)),
            Level::User,
            scope(&[&target]),
        );
        let machine = self.profile(
            mdm,
            "Okta Attestation SCEP (machine)",
            scep(Some(trust)),
            Level::Machine,
            scope(&[&shared]),
        );
        let wifi = self.profile(
            mdm,
            "Office Wi-Fi",
            ProfileKind::Other(&["windowsWifiConfiguration"]),
            Level::Machine,
            Scope {
                all: true,
                ..Scope::default()
            },
        );
        let machine_profile = self.state.profile(machine).id.clone();
        let targets = &mut self.state.targets;
        targets.intune_hold_group = hold;
        targets.intune_target_group = target;
        targets.intune_hold_category = category.id.clone();
        targets.intune_machine_profile = machine_profile;
        targets.intune_machine_group = shared;
        targets.intune_cleanup_script = script.id.clone();
        self.state.categories.insert(category.id.clone(), category);
        self.state.scripts.insert(script.id.clone(), script);
        [trust, user, machine, wifi]
    }
}

fn scep(trusted: Option<ProfileKey>) -> ProfileKind {
    ProfileKind::Scep {
        all_apps_access: true,
        may_sign: true,
        issuer: Issuer::Org,
        trusted,
    }
}
