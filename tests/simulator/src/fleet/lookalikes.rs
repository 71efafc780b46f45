//! Neighbours of the rarer entries: the symptom is there, and something else, or nothing yet, is the cause.

use chrono::Duration;

use super::blueprint::{Blueprint, CertificatePlan, Delivery, Installed, Placement, SsoPlan};
use super::causes::{Dice, certificate, no_certificate, no_sign_in_since};
use super::faults_profile::WALLED_SITE;
use super::oddities::{Oddity, broken_subject};
use crate::world::{Browser, Issuer, Mdm, Platform};

type Change = fn(&mut Blueprint, &mut Dice<'_>);

const NO_SIGN_IN: &str = "fastpass_no_signin_since_cert";

/// Name of the true cause, where it is enrolled, and how a healthy blueprint gets there.
pub(super) const LOOKALIKES: [(&str, Mdm, Change); 20] = [
    (
        NO_SIGN_IN,
        Mdm::Intune,
        certificate_before_the_trust_went_wrong,
    ),
    (NO_SIGN_IN, Mdm::Jamf, mac_without_the_intermediate),
    (NO_SIGN_IN, Mdm::Jamf, device_access_beside_attestation),
    (NO_SIGN_IN, Mdm::Jamf, broken_subject_without_sign_in),
    (NO_SIGN_IN, Mdm::Intune, mac_in_intune),
    (NO_SIGN_IN, Mdm::Jamf, old_but_allowed),
    (NO_SIGN_IN, Mdm::Intune, virtual_machine_in_the_right_mode),
    (
        NO_SIGN_IN,
        Mdm::Intune,
        device_session_stands_for_the_factor,
    ),
    (NO_SIGN_IN, Mdm::Intune, enrolled_again_once),
    (NO_SIGN_IN, Mdm::Jamf, chrome_without_the_extension),
    (NO_SIGN_IN, Mdm::Jamf, chrome_with_two_extensions),
    ("profile_pending", Mdm::Jamf, one_command_waits),
    (
        "profile_not_in_scope",
        Mdm::Jamf,
        safari_without_a_certificate,
    ),
    ("cert_expired", Mdm::Jamf, expired_behind_the_wall),
    ("cert_expired", Mdm::Jamf, one_attempt_failed),
    (
        "cert_expired",
        Mdm::Jamf,
        captured_by_the_rule_for_unmanaged,
    ),
    (
        "cert_expired",
        Mdm::Intune,
        push_beside_an_expired_certificate,
    ),
    ("ov_not_enrolled", Mdm::Intune, outdated_and_never_enrolled),
    ("cert_missing", Mdm::Jamf, lost_and_safari),
    ("mdm_not_enrolled", Mdm::Intune, virtual_machine_without_mdm),
];

fn no_sign_in(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    let issued = dice.days_ago(2.0, 9.0);
    no_sign_in_since(blueprint, issued);
}

fn expired(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    let ended = dice.days_ago(3.0, 20.0);
    certificate(blueprint, ended - Duration::days(365));
}

fn certificate_before_the_trust_went_wrong(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in(blueprint, dice);
    blueprint.placement = Placement::Odd(Oddity::StaleTrust);
}

/// A Mac signs without the chain.
fn mac_without_the_intermediate(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in(blueprint, dice);
    blueprint.placement = Placement::Odd(Oddity::Dependency);
}

fn device_access_beside_attestation(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in(blueprint, dice);
    let mut other = CertificatePlan::issued(dice.days_ago(60.0, 80.0));
    other.issuer = Issuer::DeviceAccess;
    other.common_name = Some("Desktop MFA");
    blueprint.mdm_enrolled = blueprint.mdm_enrolled.min(other.issued - Duration::days(1));
    blueprint.certificates.insert(0, other);
}

fn broken_subject_without_sign_in(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in(blueprint, dice);
    blueprint.placement = Placement::Odd(Oddity::Subject);
    blueprint.certificates[0].common_name = Some(broken_subject(Mdm::Jamf));
    blueprint.also.push("ca_subject_template_wrong");
}

fn mac_in_intune(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in(blueprint, dice);
    blueprint.computer.platform = Platform::MacOs;
    blueprint.placement = Placement::Odd(Oddity::IntuneMac);
}

fn old_but_allowed(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in(blueprint, dice);
    blueprint.computer.okta_verify = Installed::Version("9.21.0");
    blueprint.computer.os_version = Some("14.2");
}

fn virtual_machine_in_the_right_mode(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in(blueprint, dice);
    blueprint.computer.virtual_machine = true;
}

/// Whoever has a session of the machine itself need not run FastPass for long, without a fault.
fn device_session_stands_for_the_factor(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in(blueprint, dice);
    blueprint.accounts[0].by_device_session =
        vec![dice.days_ago(1.0, 1.5), dice.days_ago(0.1, 0.4)];
}

fn enrolled_again_once(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in(blueprint, dice);
    blueprint.enrolments = vec![dice.days_ago(20.0, 30.0)];
}

fn chrome_without_the_extension(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in(blueprint, dice);
    blueprint.computer.sso = SsoPlan::None;
}

fn chrome_with_two_extensions(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in(blueprint, dice);
    blueprint.computer.sso = SsoPlan::Two;
}

fn one_command_waits(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_certificate(blueprint);
    blueprint.delivery = Delivery::Pending(dice.days_ago(2.0, 4.0));
}

/// The extension needs a managed machine; what keeps it from that is the fault.
fn safari_without_a_certificate(blueprint: &mut Blueprint, _: &mut Dice<'_>) {
    no_certificate(blueprint);
    blueprint.in_scope = false;
    blueprint.delivery = Delivery::None;
    blueprint.computer.browser = Browser::Safari;
}

fn expired_behind_the_wall(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    expired(blueprint, dice);
    blueprint.computer.site = Some(WALLED_SITE.0);
    blueprint.computer.network = WALLED_SITE.1;
}

fn one_attempt_failed(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    expired(blueprint, dice);
    blueprint.accounts[0].failed = vec![dice.days_ago(1.0, 2.0)];
}

/// The rule tells of the symptom; the certificate is the cause.
fn captured_by_the_rule_for_unmanaged(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    expired(blueprint, dice);
    blueprint.accounts[0].groups = vec![dice.land.registered_only_group.clone()];
}

fn push_beside_an_expired_certificate(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    expired(blueprint, dice);
    blueprint.accounts[0].push = vec![dice.days_ago(0.2, 0.9)];
}

fn outdated_and_never_enrolled(blueprint: &mut Blueprint, _: &mut Dice<'_>) {
    blueprint.record = None;
    blueprint.accounts[0].fastpass.clear();
    blueprint.computer.okta_verify = Installed::Version("4.2.1.0");
}

fn lost_and_safari(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    certificate(blueprint, dice.days_ago(20.0, 80.0));
    blueprint.certificates[0].lost = Some(dice.days_ago(3.0, 12.0));
    blueprint.computer.browser = Browser::Safari;
}

/// Nobody has said that it needs no management.
fn virtual_machine_without_mdm(blueprint: &mut Blueprint, _: &mut Dice<'_>) {
    no_certificate(blueprint);
    blueprint.enrolled_in_mdm = false;
    blueprint.in_scope = false;
    blueprint.delivery = Delivery::None;
    blueprint.computer.virtual_machine = true;
    blueprint.also.push("vm_or_vdi");
}
