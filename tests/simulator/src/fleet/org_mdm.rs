//! The MDMs' consoles: groups, profiles and their scopes.

use std::collections::BTreeSet;

use super::org::Admin;
use crate::world::{
    Category, Issuer, Level, Mdm, MdmGroup, Platform, Profile, ProfileKey, ProfileKind, Scope,
    Script, SsoExtension,
};

impl Admin<'_> {
    pub(super) fn group(&mut self, mdm: Mdm, name: &str, smart: bool) -> String {
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

    pub(super) fn profile(
        &mut self,
        mdm: Mdm,
        name: &str,
        kind: ProfileKind,
        level: Level,
        scope: Scope,
    ) -> ProfileKey {
        let platform = match mdm {
            Mdm::Jamf => Platform::MacOs,
            Mdm::Intune => Platform::Windows,
        };
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
            platform,
            kind,
            level,
            identifier: uuid.to_uppercase(),
            uuid: uuid.to_uppercase(),
            created: self.since,
            modified: self.since,
            version: 1,
            scope,
            deleted: false,
            conflicts_with: None,
        });
        key
    }

    /// The attestation authority's certificate, as the console offers it for download.
    pub(super) fn trust(&self) -> ProfileKind {
        let ski = self.state.org.pki.attestation().instance.clone();
        ProfileKind::TrustedCertificate { ski }
    }

    pub(super) fn jamf(&mut self) -> ([ProfileKey; 6], String) {
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
            self.trust(),
            Level::Machine,
            scope(&[&target, &user_level, &shared]),
        );
        let names = [
            ("Okta Attestation SCEP", Level::Machine, &target),
            ("Okta Attestation SCEP (user)", Level::User, &user_level),
            ("Okta Attestation SCEP (shared)", Level::Machine, &shared),
        ];
        let [main, user, machine] = names.map(|(name, level, group)| {
            self.profile(mdm, name, scep(None, Some(30)), level, scope(&[group]))
        });
        let sso = self.profile(
            mdm,
            "Okta SSO extension",
            ProfileKind::SsoExtension(SsoExtension::right()),
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

    pub(super) fn intune(&mut self) -> [ProfileKey; 4] {
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
            self.trust(),
            Level::Machine,
            scope(&[&target, &shared]),
        );
        let user = self.profile(
            mdm,
            "Okta Attestation SCEP (user)",
            scep(Some(trust), None),
            Level::User,
            scope(&[&target]),
        );
        let machine = self.profile(
            mdm,
            "Okta Attestation SCEP (machine)",
            scep(Some(trust), None),
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

pub(super) fn scep(trusted: Option<ProfileKey>, redistribute_days: Option<u32>) -> ProfileKind {
    ProfileKind::Scep {
        all_apps_access: true,
        may_sign: true,
        issuer: Issuer::Org,
        trusted,
        key_bits: 2048,
        client_auth: true,
        redistribute_days,
        readable: true,
        key_storage: "useTpmKspOtherwiseUseSoftwareKsp",
        subject: None,
    }
}
