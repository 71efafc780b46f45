//! Okta's console: groups, apps, policies and their rules.

use std::collections::BTreeSet;

use super::org::Admin;
use crate::world::{App, GroupKind, Id, OktaGroup, Policy, Rule};

/// The groups that rules and apps name.
pub(super) struct Audience {
    pub employees: Id,
    pub fastpass: Id,
    pub contractors: Id,
    pub unconditional: Id,
    pub registered_only: Id,
}

const EVERY_SIGN_IN: &str = "PT0S";
const ONCE_PER_SESSION: &str = "PT43800H";

impl Admin<'_> {
    pub(super) fn okta_group(&mut self, name: &str, kind: GroupKind, by_rule: bool) -> Id {
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

    /// Sets the policies and apps up. Answers an app whose policy asks nothing of devices.
    pub(super) fn policies(&mut self, audience: &Audience) -> Id {
        let employees = &audience.employees;
        let mut unconditional = self.rule("Build systems", 1);
        unconditional.include_groups = vec![audience.unconditional.clone()];
        let mut registered_only = self.rule("Registered, not managed", 3);
        registered_only.registered = Some(true);
        registered_only.managed = Some(false);
        registered_only.include_groups = vec![audience.registered_only.clone()];
        let mut managed = self.rule("Managed devices", 2);
        managed.registered = Some(true);
        managed.managed = Some(true);
        managed.include_groups = vec![audience.fastpass.clone(), audience.contractors.clone()];
        managed.phishing_resistant = true;
        // The check asks anew at every sign-in, so that it always meets FastPass.
        managed.reauthenticate_in = EVERY_SIGN_IN;
        let mut catch_all = self.catch_all();
        catch_all.reauthenticate_in = EVERY_SIGN_IN;
        let protected = self.policy(
            "Managed desktops",
            "ACCESS_POLICY",
            vec![unconditional, managed, registered_only, catch_all],
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
        self.app("oidc_client", "Cafeteria menu", &basic, employees)
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
            reauthenticate_in: ONCE_PER_SESSION,
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
}
