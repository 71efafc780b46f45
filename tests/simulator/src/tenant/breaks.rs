//! How each fault comes about.

use chrono::Duration;

use super::TenantFault;
use crate::ledger::Server;
use crate::simulator::Simulator;
use crate::world::{Issuer, Level, Mdm, Profile, ProfileKind, RuleEdit, State, Target};

pub(super) fn apply(simulator: &Simulator, fault: TenantFault) {
    access(simulator, fault);
    authority(simulator, fault);
    simulator.world().with(|state| {
        profile(state, fault);
        sso_extension(state, fault);
        repair_target(state, fault);
    });
    policy(simulator, fault);
    slack(simulator, fault);
}

/// In ten days.
fn soon(simulator: &Simulator) -> chrono::DateTime<chrono::Utc> {
    simulator.clock().now() + Duration::days(10)
}

fn access(simulator: &Simulator, fault: TenantFault) {
    let world = simulator.world();
    match fault {
        TenantFault::OktaWithoutSystemLog => simulator.deny_okta("okta.logs.read"),
        TenantFault::OktaWithoutPolicies => simulator.deny_okta("okta.policies.read"),
        TenantFault::OktaClockAhead => {
            let ahead = Duration::minutes(10);
            simulator.faults().skew_clock(Server::Okta, ahead);
        }
        TenantFault::JamfWithoutProfiles => {
            world.revoke_jamf_privilege("Read macOS Configuration Profiles");
        }
        TenantFault::JamfWithoutGroupUpdate => {
            world.revoke_jamf_privilege("Update Static Computer Groups");
        }
        TenantFault::JamfPushCertificateExpires => {
            world.set_push_certificate_expiry(soon(simulator));
        }
        TenantFault::GraphWithoutConfiguration => {
            world.revoke_graph_role("DeviceManagementConfiguration.Read.All");
            world.revoke_graph_role("DeviceManagementConfiguration.ReadWrite.All");
        }
        TenantFault::GraphWithoutSync => {
            world.revoke_graph_role("DeviceManagementManagedDevices.PrivilegedOperations.All");
        }
        TenantFault::GraphSecretExpires => world.set_graph_secret_expiry(soon(simulator)),
        _ => {}
    }
}

fn authority(simulator: &Simulator, fault: TenantFault) {
    let world = simulator.world();
    match fault {
        TenantFault::ScepConfigurationDeleted => world.delete_scep_configuration(Mdm::Jamf),
        TenantFault::AuthorityExpires => {
            world.set_authority_expiry(simulator.clock().now() + Duration::days(100));
        }
        TenantFault::ConfigurationOnRetiringAuthority => {
            world.renew_certificate_authority();
            world.distribute_certificate_authority(Mdm::Jamf);
            world.roll_over_scep(Mdm::Jamf);
        }
        TenantFault::TrustOfRetiredAuthority => {
            world.renew_certificate_authority();
            world.distribute_certificate_authority(Mdm::Jamf);
            world.roll_over_scep(Mdm::Jamf);
            world.roll_over_scep(Mdm::Intune);
        }
        TenantFault::SecretResetAfterEdit => world.reset_scep_secret(Mdm::Jamf),
        TenantFault::ChallengeSecretExpires => world.set_challenge_secret_expiry(soon(simulator)),
        _ => {}
    }
}

fn profile(state: &mut State, fault: TenantFault) {
    match fault {
        TenantFault::ProfileOfOtherOrg => edit_scep(state, Mdm::Jamf, |profile| {
            if let ProfileKind::Scep { issuer, .. } = &mut profile.kind {
                *issuer = Issuer::OtherOrg;
            }
        }),
        TenantFault::ProfileOfDeviceAccess => edit_scep(state, Mdm::Intune, |profile| {
            if let ProfileKind::Scep { issuer, .. } = &mut profile.kind {
                *issuer = Issuer::DeviceAccess;
            }
        }),
        TenantFault::JamfProfileUnmatched => rename(state, Mdm::Jamf),
        TenantFault::IntuneProfileUnmatched => rename(state, Mdm::Intune),
        TenantFault::KeyMayNotSign => edit_scep(state, Mdm::Jamf, |profile| {
            if let ProfileKind::Scep { may_sign, .. } = &mut profile.kind {
                *may_sign = false;
            }
        }),
        TenantFault::KeyTooShort => edit_scep(state, Mdm::Jamf, |profile| {
            if let ProfileKind::Scep { key_bits, .. } = &mut profile.kind {
                *key_bits = 1024;
            }
        }),
        TenantFault::AllAppsAccessOff => edit_scep(state, Mdm::Jamf, |profile| {
            if let ProfileKind::Scep {
                all_apps_access, ..
            } = &mut profile.kind
            {
                *all_apps_access = false;
            }
        }),
        TenantFault::RedistributionOff => edit_scep(state, Mdm::Jamf, |profile| {
            if let ProfileKind::Scep {
                redistribute_days, ..
            } = &mut profile.kind
            {
                *redistribute_days = None;
            }
        }),
        TenantFault::ClientAuthenticationMissing => edit_scep(state, Mdm::Intune, |profile| {
            if let ProfileKind::Scep { client_auth, .. } = &mut profile.kind {
                *client_auth = false;
            }
        }),
        TenantFault::MachineStore => edit_scep(state, Mdm::Intune, |profile| {
            profile.level = Level::Machine;
        }),
        TenantFault::TrustOutOfScope => {
            let target = state.targets.intune_target_group.clone();
            let trust = state.profiles.iter_mut().find(|profile| {
                profile.mdm == Mdm::Intune
                    && matches!(profile.kind, ProfileKind::TrustedCertificate { .. })
            });
            if let Some(trust) = trust {
                trust.scope.groups.remove(&target);
            }
        }
        TenantFault::ProfileWithOtherPayloads => {
            let key = state.profiles.iter().find(|profile| profile.is_scep());
            if let Some(key) = key.map(|profile| profile.key) {
                let extra = state.mdm.jamf.extra_payloads.entry(key).or_default();
                extra.push("com.apple.wifi.managed");
            }
        }
        _ => {}
    }
}

/// Edits the main attestation profile of an MDM.
fn edit_scep(state: &mut State, mdm: Mdm, edit: impl FnOnce(&mut Profile)) {
    let now = state.now;
    let mut profiles = state.profiles.iter_mut();
    if let Some(profile) = profiles.find(|profile| profile.mdm == mdm && profile.is_scep()) {
        edit(profile);
        profile.modified = now;
        profile.version += 1;
    }
}

fn rename(state: &mut State, mdm: Mdm) {
    let now = state.now;
    let profiles = state.profiles.iter_mut();
    for profile in profiles.filter(|profile| profile.mdm == mdm && profile.is_scep()) {
        profile.name = profile
            .name
            .replace("Okta Attestation SCEP", "Corporate identity");
        profile.modified = now;
        profile.version += 1;
    }
}

fn sso_extension(state: &mut State, fault: TenantFault) {
    let now = state.now;
    let Some(profile) = state
        .profiles
        .iter_mut()
        .find(|profile| matches!(profile.kind, ProfileKind::SsoExtension(_)))
    else {
        return;
    };
    let ProfileKind::SsoExtension(extension) = &mut profile.kind else {
        return;
    };
    match fault {
        TenantFault::SsoExtensionMissing => {
            profile.deleted = true;
            profile.scope = Default::default();
            let key = profile.key;
            for machine in &mut state.machines {
                machine.profiles.retain(|held| held.profile != key);
            }
            return;
        }
        TenantFault::SsoExtensionWrongTeam => extension.team = "7WC9K73933",
        TenantFault::SsoExtensionWithoutHost => {
            extension.names_org = false;
            extension.hosts = vec!["sso.acme.example"];
        }
        _ => return,
    }
    profile.modified = now;
    profile.version += 1;
}

fn policy(simulator: &Simulator, fault: TenantFault) {
    let world = simulator.world();
    match fault {
        TenantFault::OktaVerifyInactive => world.set_okta_verify_active(false),
        TenantFault::FastPassInactive => world.set_fastpass_active(false),
        TenantFault::NoRuleAsksForManaged => {
            let edit = RuleEdit::AsksForManaged(false);
            world.edit_rule("Managed desktops", "Managed devices", edit);
        }
        TenantFault::SignInAppAsksOnce => world.with(|state| {
            let mut policies = state.policies.values();
            let once = policies.find(|policy| policy.name == "Any two factors");
            let Some(once) = once.map(|policy| policy.id.clone()) else {
                return;
            };
            let app = state.targets.sign_in_app.clone();
            if let Some(app) = state.apps.get_mut(app.as_str()) {
                app.policy = once;
            }
            let targets = vec![Target::App(app.as_str().into())];
            let actor = crate::world::Actor::Admin;
            let event = state.event("application.policy.sign_on.update", actor, targets);
            state.log(event);
        }),
        _ => {}
    }
}

fn repair_target(state: &mut State, fault: TenantFault) {
    match fault {
        TenantFault::HoldGroupIsSmart => {
            if let Some(group) = state.mdm_groups.get_mut(&state.targets.jamf_hold_group) {
                group.smart = true;
            }
        }
        TenantFault::HoldGroupNotExcluded => {
            let hold = state.targets.jamf_hold_group.clone();
            edit_scep(state, Mdm::Jamf, |profile| {
                profile.scope.excluded_groups.remove(&hold);
            });
        }
        TenantFault::FastPassGroupHasRule => {
            let id = state.targets.fastpass_group.clone();
            if let Some(group) = state.okta_groups.get_mut(id.as_str()) {
                group.by_rule = true;
            }
        }
        TenantFault::FastPassGroupHasApp => {
            let id = state.targets.fastpass_group.clone();
            let mut apps = state.apps.values_mut();
            if let Some(app) = apps.find(|app| app.label == "Cafeteria menu") {
                app.groups.push(id.as_str().into());
            }
        }
        _ => {}
    }
}

fn slack(simulator: &Simulator, fault: TenantFault) {
    let (slack, connection) = (simulator.slack(), &simulator.connection().slack);
    match fault {
        TenantFault::SlackWithoutEmail => {
            slack.revoke_scope("users:read.email");
        }
        TenantFault::SlackChannelArchived => {
            slack.change_channel(&connection.channel, |channel| channel.archived = true);
        }
        TenantFault::SlackBotNotInChannel => {
            let bot = slack.config().bot_user_id.clone();
            slack.change_channel(&connection.channel, |channel| {
                channel.members.remove(&bot);
            });
        }
        TenantFault::SlackNoApprovers => {
            slack.change_usergroup(&connection.approvers_usergroup, |group| {
                group.users.clear();
            });
        }
        _ => {}
    }
}
