//! Faults of Okta Verify, of the browser's way to it, of policies and of Okta's records.

use chrono::Duration;

use super::blueprint::{Blueprint, Installed, SerialShown, SsoPlan};
use super::causes::{
    Dice, certificate, fresh_unbound_certificate, never_attests, no_sign_in_since,
};
use crate::world::{Browser, Mdm, Platform, Probe};

/// A build after whose release the way to Okta Verify was shut.
pub(super) const BROKEN_BROWSER: Browser = Browser::Chrome(142);

/// Applies a fault of this file; says whether the entry is one.
pub(super) fn apply(cause: &str, blueprint: &mut Blueprint, dice: &mut Dice<'_>) -> bool {
    match cause {
        "ov_not_installed" => {
            blueprint.record = None;
            blueprint.accounts[0].fastpass.clear();
            blueprint.computer.okta_verify = Installed::Missing;
            blueprint.certificates[0].bound = None;
            certificate(blueprint, dice.days_ago(5.0, 60.0));
        }
        "ov_outdated" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.computer.okta_verify =
                Installed::Version(match blueprint.computer.platform {
                    Platform::Windows => "4.2.1.0",
                    _ => "9.8.0",
                });
            never_attests(blueprint);
        }
        "os_unsupported" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.computer.os_version = Some(match blueprint.computer.platform {
                Platform::Windows => "10.0.17763.6189",
                _ => "12.7.6",
            });
            never_attests(blueprint);
        }
        "vm_or_vdi" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.computer.virtual_machine = true;
            blueprint.computer.wrong_desktop_mode = true;
            never_attests(blueprint);
        }
        "ov_enrolment_orphaned" => {
            let deleted = dice.days_ago(3.0, 40.0);
            certificate(blueprint, deleted - Duration::days(60));
            blueprint.certificates[0].bound = Some(deleted - Duration::days(58));
            blueprint.certificates[0].revoked = Some((deleted, "pki.cert.lifecycle.delete"));
            blueprint.deleted_record = Some(deleted);
            blueprint.record = None;
            blueprint.accounts[0].fastpass.clear();
            blueprint.also.push("ov_not_enrolled");
        }
        "fastpass_other_factor_used" => {
            let issued = dice.days_ago(2.0, 20.0);
            no_sign_in_since(blueprint, issued);
            blueprint.accounts[0].push =
                vec![issued + Duration::hours(5), dice.now - Duration::hours(7)];
        }
        "fastpass_probe_blocked" => probe_blocked(blueprint, dice),
        "ssoext_missing" => safari(blueprint, dice, SsoPlan::None),
        "ssoext_wrong_hosts" => safari(blueprint, dice, SsoPlan::WrongHosts),
        "ssoext_wrong_payload" => safari(blueprint, dice, SsoPlan::WrongPayload),
        "ssoext_conflict" => {
            safari(blueprint, dice, SsoPlan::Two);
            blueprint.also.push("fastpass_probe_blocked");
        }
        "policy_rule_shadowed" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.accounts[0].groups = vec![dice.land.unconditional_group.clone()];
            never_attests(blueprint);
        }
        "policy_registered_not_managed_rule" => {
            fresh_unbound_certificate(blueprint, dice);
            let owner = &mut blueprint.accounts[0];
            owner.in_fastpass_group = false;
            owner.groups = vec![dice.land.registered_only_group.clone()];
            blueprint.also.push("policy_user_out_of_scope");
        }
        "policy_app_not_mapped" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.accounts[0].app = Some(dice.land.unmapped_app.clone());
            never_attests(blueprint);
        }
        "identity_serial_missing_or_mismatch" => {
            let expired = dice.days_ago(4.0, 20.0);
            certificate(blueprint, expired - Duration::days(365));
            blueprint.serial_in_okta = SerialShown::Missing;
            blueprint.also.push("cert_expired");
        }
        "record_imported_not_registered" => {
            let created = dice.days_ago(1.0, 60.0);
            if let Some(record) = &mut blueprint.record {
                record.imported = true;
                record.created = created;
            }
            blueprint.accounts[0].fastpass.clear();
            certificate(blueprint, dice.days_ago(5.0, 60.0));
            blueprint
                .also
                .extend(["ov_not_enrolled", "ov_registration_incomplete"]);
        }
        "shared_same_account_many_profiles" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.computer.enrolled_in_other_os_profile = true;
            let latest = dice.days_ago(0.5, 3.0);
            blueprint.enrolments = (0..5)
                .map(|back| latest - Duration::days(3 * back))
                .collect();
            blueprint.enrolments.reverse();
            never_attests(blueprint);
        }
        _ => return false,
    }
    true
}

/// Half of them get no further than a failure, half open Okta Verify by a link.
fn probe_blocked(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    let issued = dice.days_ago(2.0, 20.0);
    no_sign_in_since(blueprint, issued);
    let tries = vec![
        issued + Duration::hours(4),
        dice.now - Duration::hours(26),
        dice.now - Duration::hours(5),
    ];
    if dice.chance(0.5) {
        blueprint.computer.probe = Probe::LinkOnly;
        blueprint.accounts[0].fastpass.extend(tries);
        never_attests(blueprint);
    } else {
        blueprint.computer.probe = Probe::Blocked;
        blueprint.accounts[0].failed = tries;
    }
    blueprint.computer.browser = BROKEN_BROWSER;
}

/// Safari finds Okta Verify by the SSO extension only.
fn safari(blueprint: &mut Blueprint, dice: &mut Dice<'_>, sso: SsoPlan) {
    debug_assert_eq!(blueprint.mdm, Mdm::Jamf);
    let issued = dice.days_ago(2.0, 20.0);
    no_sign_in_since(blueprint, issued);
    blueprint.computer.browser = Browser::Safari;
    blueprint.computer.sso = sso;
    blueprint.accounts[0].failed = vec![
        issued + Duration::hours(4),
        dice.now - Duration::hours(29),
        dice.now - Duration::hours(6),
    ];
}
