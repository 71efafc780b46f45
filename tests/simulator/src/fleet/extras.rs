//! Faults outside the built set: the product need not name them, but must not call them another's name.

use chrono::Duration;

use super::blueprint::{Blueprint, CertificatePlan};
use super::causes::{Dice, certificate, fresh_unbound_certificate, no_sign_in_since};
use crate::world::Issuer;

pub(super) fn apply(cause: &str, blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    match cause {
        "cert_bound_to_other_device" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.certificates[0].copied = true;
        }
        "cert_wrong_issuer" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.certificates[0].issuer = Issuer::OtherOrg;
        }
        "cert_duplicates" => {
            let issued = dice.days_ago(40.0, 80.0);
            certificate(blueprint, issued);
            let mut newest = CertificatePlan::issued(issued + Duration::days(20));
            newest.revoked = Some((dice.days_ago(6.0, 15.0), "pki.cert.lifecycle.revoke"));
            blueprint.delivery = super::blueprint::Delivery::Installed(newest.issued);
            blueprint.certificates.push(newest);
        }
        "fastpass_other_factor_used" => {
            let issued = dice.days_ago(2.0, 20.0);
            no_sign_in_since(blueprint, issued);
            blueprint.accounts[0].push =
                vec![issued + Duration::hours(5), dice.now - Duration::hours(7)];
        }
        "fastpass_probe_blocked" => {
            let issued = dice.days_ago(2.0, 20.0);
            no_sign_in_since(blueprint, issued);
            blueprint.probe_blocked = true;
            blueprint.accounts[0].failed = vec![
                issued + Duration::hours(4),
                dice.now - Duration::hours(26),
                dice.now - Duration::hours(5),
            ];
        }
        "cert_key_inaccessible_macos" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.certificates[0].key_usable = false;
        }
        other => panic!("the simulator cannot build {other}"),
    }
}
