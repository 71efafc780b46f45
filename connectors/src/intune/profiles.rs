//! The SCEP profiles that deliver the attestation certificate, to whom they are assigned, and who else uses them.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use unstuck_domain::{
    AttestationProfile, CertificateStore, GroupId, Platform, ProfileId, ProfileScope,
};

use super::{IntuneClient, endpoints, settings, wire};
use crate::{http::Call, traits::Result};

/// `allLicensedUsersAssignmentTarget` has no group; this stands for it among the user groups.
const ALL_USERS: &str = "all-licensed-users";

/// Graph's type for a SCEP profile per platform; Windows 10 and 11 use the "81" one. Beta only.
pub(super) fn scep_type(platform: Platform) -> Option<&'static str> {
    match platform {
        Platform::Windows => Some("microsoft.graph.windows81SCEPCertificateProfile"),
        Platform::Macos => Some("microsoft.graph.macOSScepCertificateProfile"),
        Platform::Other => None,
    }
}

/// Profiles that can sign in to a network with a certificate of another profile.
fn network_kind(kind: &str) -> Option<NetworkKind> {
    let kind = kind.rsplit('.').next()?.to_ascii_lowercase();
    if kind.contains("vpn") {
        return Some(NetworkKind::Vpn);
    }
    let enterprise = kind.contains("enterprise") || kind.contains("wired");
    let network = kind.contains("wifi") || kind.contains("wired");
    (enterprise && network).then_some(NetworkKind::Eap)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NetworkKind {
    Eap,
    Vpn,
}

impl IntuneClient {
    /// The attestation profiles, read now.
    pub(super) async fn read_profiles(&self) -> Result<Vec<AttestationProfile>> {
        let mut found = Vec::new();
        for platform in &self.platforms {
            let Some(kind) = scep_type(*platform) else {
                continue;
            };
            let call = Call::new(&endpoints::CONFIGURATIONS)
                .query("$filter", format!("isof('{kind}')"))
                .query("$expand", "assignments");
            let listed: Vec<wire::Configuration> =
                self.collection(&endpoints::CONFIGURATIONS, call).await?;
            found.extend(
                listed
                    .into_iter()
                    .filter(|profile| self.is_attestation(profile))
                    .map(|profile| (*platform, profile)),
            );
        }
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let mut roots = Vec::new();
        for (_, profile) in &found {
            roots.push(self.root_profile(&profile.id).await?);
        }
        let all: Vec<&wire::Configuration> = found
            .iter()
            .map(|(_, profile)| profile)
            .chain(roots.iter().flatten())
            .collect();
        let kinds = self.group_kinds(&all).await?;
        let categories = self.filter_categories(&all).await?;
        let uses = self.network_uses().await?;
        Ok(found
            .into_iter()
            .zip(roots)
            .map(|((platform, profile), root)| {
                let root = root.and_then(|root| settings::trust(&root, &kinds, &categories));
                (platform, profile, root)
            })
            .map(|(platform, profile, trust)| AttestationProfile {
                scep: settings::scep(&profile.scep, trust.as_ref()),
                trust,
                scope: scope(
                    profile.assignments.as_deref().unwrap_or_default(),
                    &kinds,
                    &categories,
                ),
                network_uses: uses
                    .as_ref()
                    .map(|uses| uses.get(&profile.id).cloned().unwrap_or_default()),
                store: store(platform, &profile),
                name: profile.display_name.unwrap_or_default(),
                identifier: None,
                platform,
                other_payloads: Some(Vec::new()),
                modified_at: profile.last_modified_date_time,
                id: ProfileId::new(profile.id),
            })
            .collect())
    }

    fn is_attestation(&self, profile: &wire::Configuration) -> bool {
        let name = profile.display_name.as_deref().unwrap_or_default();
        let machine = self.targets.machine_profile.as_ref();
        machine.is_some_and(|id| id.as_str() == profile.id)
            || self.attestation.names_profile(&profile.id, name)
    }

    /// Groups that hold devices. An assignment does not say so: a prepared group does by its purpose, a dynamic one by
    /// its rule, any other by its members. What cannot be told counts as users, which is the careful side: no hold group
    /// of devices is ever used against it.
    pub(super) async fn group_kinds(
        &self,
        profiles: &[&wire::Configuration],
    ) -> Result<BTreeSet<String>> {
        let prepared = [
            &self.targets.hold_group,
            &self.targets.target_group,
            &self.targets.machine_group,
        ];
        let mut groups: BTreeSet<String> = profiles
            .iter()
            .flat_map(|profile| profile.assignments.iter().flatten())
            .filter_map(|assignment| assignment.target.as_ref())
            .filter(|target| !target.kind.ends_with("exclusionGroupAssignmentTarget"))
            .filter_map(|target| target.group_id.clone())
            .collect();
        let mut devices = BTreeSet::new();
        for group in prepared.into_iter().flatten() {
            if groups.remove(group.as_str()) {
                devices.insert(group.to_string());
            }
        }
        for group in groups {
            if self.holds_devices(&group).await? {
                devices.insert(group);
            }
        }
        Ok(devices)
    }

    async fn holds_devices(&self, group: &str) -> Result<bool> {
        let call = Call::new(&endpoints::MEMBERS)
            .param(group)
            .query("$select", "id")
            .query("$top", "20");
        let members: Vec<wire::DirectoryObject> = match self.page(&call).await {
            Ok(page) => page.records.records,
            Err(error) if error.is_transient() => return Err(error),
            Err(_unreadable) => return Ok(false),
        };
        if !members.is_empty() {
            return Ok(members
                .iter()
                .all(|member| member.kind.ends_with(".device")));
        }
        let group = GroupId::from(group);
        match self.group(&group).await {
            Ok(group) => Ok(group
                .membership_rule
                .is_some_and(|rule| rule.contains("device.") && !rule.contains("user."))),
            Err(error) if error.is_transient() => Err(error),
            Err(_unreadable) => Ok(false),
        }
    }

    /// Filter id → the category that it names, for filters that name exactly one and nothing else.
    async fn filter_categories(
        &self,
        profiles: &[&wire::Configuration],
    ) -> Result<BTreeMap<String, String>> {
        let any_filter = profiles
            .iter()
            .flat_map(|profile| profile.assignments.iter().flatten())
            .filter_map(|assignment| assignment.target.as_ref())
            .any(|target| excludes(target).is_some());
        if !any_filter {
            return Ok(BTreeMap::new());
        }
        let call = Call::new(&endpoints::FILTERS);
        let filters: Vec<wire::Filter> = self.collection(&endpoints::FILTERS, call).await?;
        Ok(filters
            .into_iter()
            .filter_map(|filter| Some((filter.id, category_of(&filter.rule?)?)))
            .collect())
    }

    /// SCEP profile → the Wi-Fi, wired and VPN profiles that sign in with its certificate. `None`: some such profile does
    /// not tell. UNVERIFIED which of the types have which of the two paths; a 404 on both is "does not tell".
    async fn network_uses(&self) -> Result<Option<BTreeMap<String, Vec<String>>>> {
        let call = Call::new(&endpoints::CONFIGURATIONS).query("$select", "id,displayName");
        let all: Vec<wire::Configuration> =
            self.collection(&endpoints::CONFIGURATIONS, call).await?;
        let mut uses: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for profile in all {
            let Some(kind) = network_kind(&profile.kind) else {
                continue;
            };
            let endpoint = match kind {
                NetworkKind::Eap => &endpoints::NETWORK_CERTIFICATE,
                NetworkKind::Vpn => &endpoints::VPN_CERTIFICATE,
            };
            let call = Call::new(endpoint)
                .param(&profile.id)
                .param(profile.kind.trim_start_matches('#'));
            match self.http.read(&call).await {
                // 204: it signs in without a certificate.
                Ok(answer) if answer.body.is_empty() => {}
                Ok(answer) => {
                    let used: wire::Configuration = answer.json().await?;
                    let name = profile.display_name.unwrap_or(profile.id);
                    uses.entry(used.id).or_default().push(name);
                }
                Err(error) if error.is_transient() => return Err(error),
                Err(_unreadable) => return Ok(None),
            }
        }
        Ok(Some(uses))
    }
}

/// On macOS the channel decides, where the profile has one (UNVERIFIED: only a third party says so); Microsoft's pages
/// say that without it the certificate goes to the System keychain, whatever `certificateStore` is.
fn store(platform: Platform, profile: &wire::Configuration) -> Option<CertificateStore> {
    let channel = match profile.deployment_channel.as_deref() {
        Some("deviceChannel") => Some(CertificateStore::Machine),
        Some("userChannel") => Some(CertificateStore::User),
        _ => None,
    };
    let store = match profile.certificate_store.as_deref() {
        Some("machine") => Some(CertificateStore::Machine),
        Some("user") => Some(CertificateStore::User),
        _ => None,
    };
    match platform {
        Platform::Macos => channel.or(store),
        _ => store,
    }
}

pub(super) fn scope(
    assignments: &[wire::Assignment],
    device_groups: &BTreeSet<String>,
    categories: &BTreeMap<String, String>,
) -> ProfileScope {
    let mut scope = ProfileScope::default();
    // A category takes a device out only if every way in has a filter that names it.
    let mut excluded: Option<BTreeSet<&str>> = None;
    for assignment in assignments {
        let Some(target) = &assignment.target else {
            continue;
        };
        if assignment.intent.as_deref() == Some("remove") {
            continue;
        }
        let group = target.group_id.as_deref();
        match (target.kind.rsplit('.').next().unwrap_or_default(), group) {
            ("exclusionGroupAssignmentTarget", Some(group)) => {
                scope.excluded_groups.push(group.into());
                continue;
            }
            ("allDevicesAssignmentTarget", _) => scope.all_devices = true,
            ("allLicensedUsersAssignmentTarget", _) => scope.user_groups.push(ALL_USERS.into()),
            ("groupAssignmentTarget", Some(group)) if device_groups.contains(group) => {
                scope.device_groups.push(group.into());
            }
            ("groupAssignmentTarget", Some(group)) => scope.user_groups.push(group.into()),
            _ => continue,
        }
        let named = excludes(target).and_then(|filter| categories.get(filter));
        let named: BTreeSet<&str> = named.into_iter().map(String::as_str).collect();
        excluded = Some(match excluded {
            None => named,
            Some(before) => before.intersection(&named).copied().collect(),
        });
    }
    scope.excluded_categories = excluded.into_iter().flatten().map(str::to_owned).collect();
    scope
}

fn excludes(target: &wire::Target) -> Option<&str> {
    match target.filter_type.as_deref() {
        Some("exclude") => target.filter_id.as_deref(),
        _ => None,
    }
}

/// The category of a rule that is nothing but `(device.deviceCategory -eq "x")`.
fn category_of(rule: &str) -> Option<String> {
    let shape = Regex::new(r#"(?i)^[\s(]*device\.deviceCategory\s+-eq\s+["']([^"']+)["'][\s)]*$"#)
        .expect("the pattern is constant and valid");
    Some(shape.captures(rule)?[1].to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(assignments: Value, expected: &ProfileScope) {
        let assignments: Vec<wire::Assignment> = serde_json::from_value(assignments).unwrap();
        let devices = BTreeSet::from(["D".to_owned()]);
        let categories = BTreeMap::from([("F".to_owned(), "reissue".to_owned())]);
        assert_eq!(&scope(&assignments, &devices, &categories), expected);
    }

    fn to(kind: &str, group: Option<&str>, filter: Option<(&str, &str)>) -> Value {
        json!({"intent": "apply", "target": {
            "@odata.type": format!("#microsoft.graph.{kind}"), "groupId": group,
            "deviceAndAppManagementAssignmentFilterId": filter.map(|f| f.0),
            "deviceAndAppManagementAssignmentFilterType": filter.map_or("none", |f| f.1)}})
    }

    #[test]
    fn assignments_become_the_scope() {
        let exclude = Some(("F", "exclude"));
        check(
            json!([
                to("groupAssignmentTarget", Some("D"), None),
                to("groupAssignmentTarget", Some("U"), None),
                to("exclusionGroupAssignmentTarget", Some("X"), None)
            ]),
            &ProfileScope {
                device_groups: vec!["D".into()],
                user_groups: vec!["U".into()],
                excluded_groups: vec!["X".into()],
                ..ProfileScope::default()
            },
        );
        check(
            json!([to("allDevicesAssignmentTarget", None, exclude)]),
            &ProfileScope {
                all_devices: true,
                excluded_categories: vec!["reissue".into()],
                ..ProfileScope::default()
            },
        );
        check(
            json!([to(
                "allLicensedUsersAssignmentTarget",
                None,
                Some(("F", "include"))
            )]),
            &ProfileScope {
                user_groups: vec![ALL_USERS.into()],
                ..ProfileScope::default()
            },
        );
    }

    #[test]
    fn category_counts_only_where_every_way_in_excludes_it() {
        let exclude = Some(("F", "exclude"));
        let both = |second| {
            json!([
                to("groupAssignmentTarget", Some("U"), exclude),
                to("groupAssignmentTarget", Some("V"), second)
            ])
        };
        let scope = |categories: &[&str]| ProfileScope {
            user_groups: vec!["U".into(), "V".into()],
            excluded_categories: categories.iter().map(|c| (*c).to_owned()).collect(),
            ..ProfileScope::default()
        };
        check(both(exclude), &scope(&["reissue"]));
        check(both(None), &scope(&[]));
        check(both(Some(("unknown", "exclude"))), &scope(&[]));
    }

    #[test]
    fn rule_with_more_than_the_category_names_none() {
        assert_eq!(
            category_of("(device.deviceCategory -eq \"reissue\")").as_deref(),
            Some("reissue")
        );
        for rule in [
            "(device.deviceCategory -ne \"reissue\")",
            "(device.deviceCategory -eq \"reissue\") and (device.osVersion -eq \"10\")",
            "",
        ] {
            assert_eq!(category_of(rule), None, "{rule}");
        }
    }

    #[test]
    fn only_profiles_that_sign_in_with_a_certificate_are_asked() {
        for (kind, expected) in [
            (
                "#microsoft.graph.windowsWifiEnterpriseEAPConfiguration",
                Some(NetworkKind::Eap),
            ),
            (
                "#microsoft.graph.macOSEnterpriseWiFiConfiguration",
                Some(NetworkKind::Eap),
            ),
            (
                "#microsoft.graph.macOSWiredNetworkConfiguration",
                Some(NetworkKind::Eap),
            ),
            (
                "#microsoft.graph.windows10VpnConfiguration",
                Some(NetworkKind::Vpn),
            ),
            ("#microsoft.graph.macOSWiFiConfiguration", None),
            ("#microsoft.graph.windows81SCEPCertificateProfile", None),
            ("", None),
        ] {
            assert_eq!(network_kind(kind), expected, "{kind}");
        }
    }

    #[test]
    fn channel_decides_the_store_on_macos_only() {
        let profile: wire::Configuration = serde_json::from_value(
            json!({"id": "P", "certificateStore": "user", "deploymentChannel": "deviceChannel"}),
        )
        .unwrap();
        assert_eq!(
            store(Platform::Macos, &profile),
            Some(CertificateStore::Machine)
        );
        assert_eq!(
            store(Platform::Windows, &profile),
            Some(CertificateStore::User)
        );
    }
}
