//! Machines that look almost like one fault and have another, or none that could be told yet. A
//! diagnosis by a single symptom gets these wrong.

use chrono::{DateTime, Duration, Utc};
use rand::RngExt;

use super::assemble::Builder;
use super::blueprint::{Blueprint, CertificatePlan, Delivery, Placement, SerialShown};
use super::causes::{Dice, certificate, enrolled_lately, no_certificate, no_sign_in_since};
use super::lookalikes::LOOKALIKES;
use crate::world::Mdm;

type Change = fn(&mut Blueprint, &mut Dice<'_>);

/// Name of the true cause, and how a healthy blueprint gets there.
const NEIGHBOURS: [(&str, Change); 15] = [
    (NO_SIGN_IN, expired_with_a_newer_one),
    (NO_SIGN_IN, unused_for_89_days),
    ("cert_unused_revoked_90d", unused_for_93_days),
    ("profile_pending", pending_for_ten_minutes),
    (NO_SIGN_IN, covered_by_the_second_group),
    ("cert_expired", silent_for_five_days_only),
    (NO_SIGN_IN, issued_after_the_deletion),
    (NO_SIGN_IN, quiet_in_okta_alive_in_the_mdm),
    (NO_SIGN_IN, suspension_was_lifted),
    (NO_SIGN_IN, failed_first_then_delivered),
    (NO_SIGN_IN, delivered_after_the_inventory),
    ("cert_expired", management_profile_ends_soon),
    (NO_SIGN_IN, serial_spelled_differently),
    ("cert_expired", placeholder_serial),
    (
        "fastpass_no_signin_since_cert",
        placeholder_serial_without_sign_in,
    ),
];

/// The neighbours before this place can be Macs as well.
const MACS_TOO: usize = 13;

const NO_SIGN_IN: &str = "fastpass_no_signin_since_cert";

/// Adds every neighbour once, and again for each thousand machines.
pub(super) fn build(builder: &mut Builder, devices: usize) {
    for round in 0..=devices / 1_000 {
        for (index, (cause, change)) in NEIGHBOURS.into_iter().enumerate() {
            // Placeholders are a habit of PC firmware.
            let mac = index < MACS_TOO && (index + round).is_multiple_of(2);
            let mdm = if mac { Mdm::Jamf } else { Mdm::Intune };
            builder.neighbour(cause, mdm, |blueprint, dice| {
                blueprint.accounts[0].managed = false;
                blueprint.accounts[0].cause = cause;
                change(blueprint, dice);
            });
        }
        for (cause, mdm, change) in LOOKALIKES {
            builder.neighbour(cause, mdm, |blueprint, dice| {
                blueprint.accounts[0].managed = false;
                blueprint.accounts[0].cause = cause;
                change(blueprint, dice);
            });
        }
        builder.shared_machine_with_a_newcomer();
        builder.second_device_without_registration();
    }
}

fn expired_with_a_newer_one(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    let issued = dice.days_ago(2.0, 6.0);
    no_sign_in_since(blueprint, issued);
    let mut old = CertificatePlan::issued(issued - Duration::days(380));
    old.bound = Some(old.issued + Duration::days(1));
    blueprint.mdm_enrolled = old.issued - Duration::days(1);
    blueprint.certificates.insert(0, old);
}

fn unused_for_89_days(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in_since(blueprint, dice.now - Duration::days(89));
    enrolled_without_sign_in(blueprint, dice);
}

fn unused_for_93_days(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    let issued = dice.now - Duration::days(93);
    certificate(blueprint, issued);
    blueprint.certificates[0].revoked =
        Some((issued + Duration::days(91), "pki.cert.lifecycle.revoke"));
    enrolled_lately(blueprint, dice, 1.6);
    blueprint.accounts[0].fastpass = vec![dice.now - Duration::hours(3)];
}

/// Okta Verify is set up, but FastPass was never used with it.
fn enrolled_without_sign_in(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    enrolled_lately(blueprint, dice, 5.0);
    blueprint.accounts[0].fastpass.clear();
}

fn pending_for_ten_minutes(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_certificate(blueprint);
    blueprint.delivery = Delivery::Pending(dice.now - Duration::minutes(10));
}

fn covered_by_the_second_group(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in_since(blueprint, dice.days_ago(2.0, 9.0));
    blueprint.accounts[0].in_fastpass_group = false;
    blueprint.accounts[0].contractor = true;
}

fn silent_for_five_days_only(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    expired(blueprint, dice.days_ago(8.0, 20.0));
    blueprint.last_contact = dice.now - Duration::days(5);
    blueprint.inventory = blueprint.inventory.min(blueprint.last_contact);
}

fn expired(blueprint: &mut Blueprint, at: DateTime<Utc>) {
    certificate(blueprint, at - Duration::days(365));
    let first = blueprint.certificates[0]
        .issued
        .max(blueprint.accounts[0].linked);
    blueprint.certificates[0].bound = Some(first + Duration::hours(20));
}

fn issued_after_the_deletion(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    let issued = dice.days_ago(2.0, 9.0);
    no_sign_in_since(blueprint, issued);
    let deleted = issued - Duration::days(9);
    let mut old = CertificatePlan::issued(deleted - Duration::days(60));
    old.bound = Some(deleted - Duration::days(58));
    old.revoked = Some((deleted, "pki.cert.lifecycle.delete"));
    old.lost = Some(issued);
    blueprint.mdm_enrolled = blueprint.mdm_enrolled.min(old.issued - Duration::days(1));
    blueprint.certificates.insert(0, old);
    blueprint.deleted_record = Some(deleted);
    let again = deleted + Duration::days(1);
    if let Some(record) = &mut blueprint.record {
        record.created = again;
    }
    blueprint.accounts[0].linked = again;
}

fn quiet_in_okta_alive_in_the_mdm(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in_since(blueprint, dice.days_ago(45.0, 80.0));
}

fn suspension_was_lifted(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in_since(blueprint, dice.days_ago(6.0, 9.0));
    blueprint.past_suspension = Some(dice.days_ago(3.0, 5.0));
}

fn failed_first_then_delivered(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    let issued = dice.days_ago(2.0, 6.0);
    no_sign_in_since(blueprint, issued);
    blueprint.past_failure = Some(issued - Duration::hours(9));
}

fn delivered_after_the_inventory(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in_since(blueprint, dice.now - Duration::hours(28));
    blueprint.inventory = dice.now - Duration::hours(40);
}

fn management_profile_ends_soon(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    expired(blueprint, dice.days_ago(4.0, 20.0));
}

fn serial_spelled_differently(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in_since(blueprint, dice.days_ago(2.0, 9.0));
    blueprint.serial_in_okta = SerialShown::Odd;
}

fn placeholder_serial(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    expired(blueprint, dice.days_ago(4.0, 20.0));
    blueprint.placeholder_serial = true;
}

fn placeholder_serial_without_sign_in(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_sign_in_since(blueprint, dice.days_ago(2.0, 9.0));
    blueprint.placeholder_serial = true;
}

impl Builder {
    /// A shared machine with a machine-level certificate; its second user has not signed in yet.
    fn shared_machine_with_a_newcomer(&mut self) {
        let mdm = if self.rng().random_bool(0.5) {
            Mdm::Jamf
        } else {
            Mdm::Intune
        };
        let newcomer = self.new_person();
        let now = self.now();
        self.neighbour("healthy", mdm, |blueprint, _| {
            blueprint.placement = Placement::Shared;
            let mut second = blueprint.accounts[0].clone();
            second.person = newcomer;
            second.cause = NO_SIGN_IN;
            second.linked = now - Duration::days(4);
            second.managed = false;
            second.fastpass.clear();
            blueprint.accounts.push(second);
        });
    }

    /// The owner has FastPass on another machine, so the factor list hides that this one lacks it.
    fn second_device_without_registration(&mut self) {
        let cause = "ov_registration_incomplete";
        let Some(person) = self.any_healthy_owner() else {
            return;
        };
        self.neighbour(cause, Mdm::Jamf, |blueprint, dice| {
            let owner = &mut blueprint.accounts[0];
            owner.person = person;
            owner.cause = cause;
            owner.managed = false;
            owner.enrolled = false;
            owner.fastpass.clear();
            certificate(blueprint, dice.days_ago(5.0, 40.0));
        });
    }
}
