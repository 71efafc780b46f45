//! Faults of the certificate itself, of its store and of its key.

use chrono::Duration;

use super::blueprint::{Blueprint, CertificatePlan, Delivery, Placement};
use super::causes::{Dice, certificate, fresh_unbound_certificate};
use super::oddities::Oddity;
use crate::world::{Issuer, Mdm};

/// Applies a fault of this file; says whether the entry is one.
pub(super) fn apply(cause: &str, blueprint: &mut Blueprint, dice: &mut Dice<'_>) -> bool {
    match cause {
        "cert_expiring_soon" => {
            let expires = dice.days_from_now(2.0, 28.0);
            let issued = expires - Duration::days(365);
            blueprint.mdm_enrolled = blueprint.mdm_enrolled.min(issued - Duration::days(2));
            blueprint.certificates = vec![CertificatePlan::issued(issued)];
            blueprint.delivery = Delivery::Installed(issued);
            let first = issued.max(blueprint.accounts[0].linked);
            blueprint.certificates[0].bound = Some((first + Duration::hours(20)).min(dice.now));
        }
        "cert_not_yet_valid_or_clock_skew" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.certificates[0].valid_from = Some(dice.days_from_now(20.0, 200.0));
        }
        "cert_bound_to_other_device" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.certificates[0].copied = true;
        }
        "cert_wrong_issuer" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.placement = Placement::Odd(Oddity::OtherOrg);
            blueprint.certificates[0].issuer = Issuer::OtherOrg;
        }
        "cert_wrong_store" => wrong_store(blueprint, dice),
        "cert_duplicates" => {
            let issued = dice.days_ago(40.0, 80.0);
            certificate(blueprint, issued);
            let mut newest = CertificatePlan::issued(issued + Duration::days(20));
            newest.revoked = Some((dice.days_ago(6.0, 15.0), "pki.cert.lifecycle.revoke"));
            blueprint.delivery = Delivery::Installed(newest.issued);
            blueprint.certificates.push(newest);
        }
        "cert_key_inaccessible_macos" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.placement = Placement::Odd(Oddity::NoAppsAccess);
            blueprint.certificates[0].key_usable = false;
        }
        "cert_key_inaccessible_windows" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.placement = Placement::Odd(Oddity::TpmOnly);
            blueprint.certificates[0].key_usable = false;
            blueprint.also.push("cert_wrong_store");
        }
        _ => return false,
    }
    true
}

/// On a PC the machine's store, whose key an ordinary account cannot read; or, on both, the store of
/// the technician whom the MDM still takes for the user.
fn wrong_store(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    fresh_unbound_certificate(blueprint, dice);
    if blueprint.mdm == Mdm::Intune && dice.chance(0.5) {
        blueprint.placement = Placement::Odd(Oddity::MachineStore);
        blueprint.certificates[0].key_usable = false;
        return;
    }
    blueprint.placement = match blueprint.mdm {
        Mdm::Jamf => Placement::UserLevel,
        Mdm::Intune => Placement::Standard,
    };
    blueprint.mdm_user = Some(dice.technician.clone());
    super::causes::never_attests(blueprint);
}
