//! Each catalogue entry as a change of a healthy blueprint: the fact that makes it so.

use chrono::{DateTime, Duration, Utc};
use rand::RngExt;
use rand::rngs::StdRng;

use super::blueprint::{Blueprint, CertificatePlan, Delivery, Placement};
use super::extras;
use crate::world::{DeviceStatus, Mdm, UserStatus};

/// Entries outside the built set that the generator can make.
pub(super) const OTHER_CAUSES: [&str; 6] = [
    "cert_bound_to_other_device",
    "cert_wrong_issuer",
    "cert_duplicates",
    "fastpass_other_factor_used",
    "fastpass_probe_blocked",
    "cert_key_inaccessible_macos",
];

/// Shares of the faults, in per mille: the estimates of the catalogue, with a little of everything.
const WEIGHTS: [(&str, u32); 28] = [
    ("fastpass_no_signin_since_cert", 245),
    ("cert_expired", 120),
    ("mdm_not_enrolled", 80),
    ("profile_not_in_scope", 60),
    ("mdm_not_checking_in", 55),
    ("profile_pending", 50),
    ("ov_registration_incomplete", 50),
    ("mdm_enrolment_broken", 45),
    ("ov_not_enrolled", 40),
    ("profile_installed_no_cert", 35),
    ("okta_duplicate_records", 35),
    ("profile_failed", 30),
    ("cert_revoked_by_device_deletion", 25),
    ("cert_unused_revoked_90d", 20),
    ("shared_user_store_only", 20),
    ("okta_record_stale", 15),
    ("cert_missing", 12),
    ("policy_user_out_of_scope", 8),
    ("unexplained", 8),
    ("okta_device_suspended", 7),
    ("okta_search_stale_read", 6),
    ("okta_device_deactivated", 4),
    ("fastpass_other_factor_used", 20),
    ("fastpass_probe_blocked", 15),
    ("cert_key_inaccessible_macos", 12),
    ("cert_duplicates", 5),
    ("cert_wrong_issuer", 4),
    ("cert_bound_to_other_device", 4),
];

/// Which faults a fleet with `count` faulty machines has: by weight, the remainder by lot.
pub(super) fn shares(count: usize, built_only: bool, rng: &mut StdRng) -> Vec<&'static str> {
    let weights: Vec<(&str, u32)> = WEIGHTS
        .into_iter()
        .filter(|(cause, _)| !built_only || !OTHER_CAUSES.contains(cause))
        .collect();
    let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
    let mut faults = Vec::with_capacity(count);
    for (cause, weight) in &weights {
        let whole = count * *weight as usize / total as usize;
        faults.extend(std::iter::repeat_n(*cause, whole));
    }
    while faults.len() < count {
        let mut lot = rng.random_range(0..total);
        for (cause, weight) in &weights {
            if lot < *weight {
                faults.push(*cause);
                break;
            }
            lot -= weight;
        }
    }
    faults
}

/// Draws times around now.
pub(super) struct Dice<'a> {
    pub now: DateTime<Utc>,
    pub rng: &'a mut StdRng,
}

impl Dice<'_> {
    /// A time between so many days ago.
    pub(super) fn days_ago(&mut self, from: f64, to: f64) -> DateTime<Utc> {
        let days = self.rng.random_range(from..to);
        self.now - Duration::seconds((days * 86_400.0) as i64)
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }
}

/// Turns a healthy blueprint into one with the fault that it names.
pub(super) fn apply(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    let cause = blueprint.cause;
    if cause == "healthy" {
        return;
    }
    blueprint.accounts[0].cause = cause;
    match cause {
        "okta_search_stale_read" => {
            blueprint.stale_row = true;
            return;
        }
        "shared_user_store_only" | "okta_duplicate_records" => {
            // The owner stays healthy; the fault belongs to another user or an older record.
            blueprint.accounts[0].cause = "healthy";
        }
        _ => blueprint.accounts[0].managed = false,
    }
    match cause {
        "mdm_not_enrolled" => not_enrolled(blueprint),
        "mdm_not_checking_in" => not_checking_in(blueprint, dice),
        "mdm_enrolment_broken" => enrolment_broken(blueprint, dice),
        "profile_not_in_scope" => {
            no_certificate(blueprint);
            blueprint.in_scope = false;
            blueprint.delivery = Delivery::None;
        }
        "profile_pending" => {
            no_certificate(blueprint);
            blueprint.delivery = Delivery::Pending(dice.days_ago(2.0, 12.0));
            blueprint.push_enabled = blueprint.mdm != Mdm::Jamf || dice.chance(0.5);
        }
        "profile_failed" => {
            no_certificate(blueprint);
            blueprint.delivery = Delivery::Failed(dice.days_ago(1.5, 9.0));
        }
        "profile_installed_no_cert" => {
            no_certificate(blueprint);
            blueprint.delivery = Delivery::Installed(dice.days_ago(2.0, 40.0));
        }
        "cert_missing" => {
            certificate(blueprint, dice.days_ago(20.0, 80.0));
            bind_at_first_use(blueprint);
            blueprint.certificates[0].lost = Some(dice.days_ago(3.0, 12.0));
        }
        "cert_expired" => {
            let expired = dice.days_ago(3.0, 25.0);
            certificate(blueprint, expired - Duration::days(365));
            blueprint.mdm_enrolled = blueprint.mdm_enrolled.min(expired - Duration::days(366));
            bind_at_first_use(blueprint);
        }
        "cert_unused_revoked_90d" => {
            let revoked = dice.days_ago(4.0, 70.0);
            certificate(blueprint, revoked - Duration::days(91));
            blueprint.certificates[0].revoked = Some((revoked, "pki.cert.lifecycle.revoke"));
            // Okta Verify was set up only after the certificate had died.
            enrolled_lately(blueprint, dice, 3.0);
        }
        "cert_revoked_by_device_deletion" => {
            let deleted = dice.days_ago(6.0, 40.0);
            certificate(blueprint, deleted - Duration::days(60));
            blueprint.certificates[0].bound = Some(deleted - Duration::days(58));
            blueprint.certificates[0].revoked = Some((deleted, "pki.cert.lifecycle.delete"));
            blueprint.deleted_record = Some(deleted);
            let again = deleted + Duration::days(1);
            if let Some(record) = &mut blueprint.record {
                record.created = again;
            }
            relink(blueprint, again);
        }
        "ov_not_enrolled" => {
            blueprint.record = None;
            blueprint.accounts[0].fastpass.clear();
        }
        "ov_registration_incomplete" => {
            if let Some(record) = &mut blueprint.record
                && dice.chance(0.5)
            {
                record.status = DeviceStatus::Created;
            }
            blueprint.accounts[0].enrolled = false;
            blueprint.accounts[0].fastpass.clear();
            blueprint.certificates[0].bound = None;
            certificate(blueprint, dice.days_ago(5.0, 60.0));
        }
        "fastpass_no_signin_since_cert" => {
            let issued = if dice.chance(0.85) {
                dice.days_ago(1.3, 11.0)
            } else {
                dice.days_ago(15.0, 80.0)
            };
            no_sign_in_since(blueprint, issued);
        }
        "policy_user_out_of_scope" => {
            blueprint.accounts[0].in_fastpass_group = false;
            fresh_unbound_certificate(blueprint, dice);
        }
        "okta_device_suspended" => {
            let changed = dice.days_ago(2.0, 20.0);
            if let Some(record) = &mut blueprint.record {
                record.status = DeviceStatus::Suspended;
                record.changed = Some(changed);
            }
            fresh_unbound_certificate(blueprint, dice);
            blueprint.accounts[0].fastpass.clear();
        }
        "okta_device_deactivated" => {
            let changed = dice.days_ago(2.0, 60.0);
            if let Some(record) = &mut blueprint.record {
                record.status = DeviceStatus::Deactivated;
                record.changed = Some(changed);
            }
            blueprint.accounts[0].fastpass.clear();
        }
        "okta_duplicate_records" => {
            blueprint.older_record = Some(dice.days_ago(40.0, 200.0));
        }
        "okta_record_stale" => {
            let last = dice.days_ago(60.0, 200.0);
            no_certificate(blueprint);
            let record_created = last - Duration::days(100);
            if let Some(record) = &mut blueprint.record {
                record.created = record_created;
            }
            relink(blueprint, record_created);
            blueprint.accounts[0].fastpass = vec![last];
            blueprint.mdm_enrolled = blueprint.mdm_enrolled.min(record_created);
            blueprint.delivery = Delivery::None;
            blueprint.in_scope = false;
            silent_since(blueprint, last + Duration::days(2));
            if dice.chance(0.3) {
                blueprint.accounts[0].status = UserStatus::Deprovisioned;
            }
        }
        "shared_user_store_only" => {
            blueprint.placement = match blueprint.mdm {
                Mdm::Jamf => Placement::UserLevel,
                Mdm::Intune => Placement::Standard,
            };
        }
        "unexplained" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.ov_blind = true;
        }
        other => extras::apply(other, blueprint, dice),
    }
}

/// The machine has one certificate, delivered with its profile at that time.
pub(super) fn certificate(blueprint: &mut Blueprint, issued: DateTime<Utc>) {
    blueprint.certificates = vec![CertificatePlan::issued(issued)];
    blueprint.delivery = Delivery::Installed(issued);
    blueprint.mdm_enrolled = blueprint.mdm_enrolled.min(issued - Duration::hours(2));
}

pub(super) fn no_certificate(blueprint: &mut Blueprint) {
    blueprint.certificates.clear();
}

/// Bound at the first sign-in a day after both the certificate and Okta Verify were there.
fn bind_at_first_use(blueprint: &mut Blueprint) {
    let linked = blueprint.accounts[0].linked;
    let plan = &mut blueprint.certificates[0];
    let first = plan.issued.max(linked) + Duration::hours(20);
    if plan.lost.is_none_or(|lost| first < lost) && first < plan.expires {
        plan.bound = Some(first);
    }
}

/// Valid, some weeks old, and never bound, although the owner signs in every day.
pub(super) fn fresh_unbound_certificate(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    certificate(blueprint, dice.days_ago(8.0, 70.0));
}

/// The owner's last FastPass sign-in was before this certificate, and found nothing to attest with.
pub(super) fn no_sign_in_since(blueprint: &mut Blueprint, issued: DateTime<Utc>) {
    certificate(blueprint, issued);
    let before = issued - Duration::hours(30);
    let created = before - Duration::days(40);
    if let Some(record) = &mut blueprint.record {
        record.created = record.created.min(created);
    }
    let owner = &mut blueprint.accounts[0];
    owner.linked = owner.linked.min(created);
    owner.managed = false;
    owner.fastpass = vec![before, before + Duration::hours(25)];
}

/// The owner set Okta Verify up at most so many days ago.
pub(super) fn enrolled_lately(blueprint: &mut Blueprint, dice: &mut Dice<'_>, days: f64) {
    let created = dice.days_ago(days * 0.6, days);
    if let Some(record) = &mut blueprint.record {
        record.created = created;
    }
    relink(blueprint, created);
}

/// The owner's link is from that time; sign-ins before it did not happen.
fn relink(blueprint: &mut Blueprint, linked: DateTime<Utc>) {
    let owner = &mut blueprint.accounts[0];
    owner.linked = linked;
    owner.fastpass.retain(|at| *at > linked);
}

/// The MDM has not heard of the machine since then.
pub(super) fn silent_since(blueprint: &mut Blueprint, since: DateTime<Utc>) {
    blueprint.online = false;
    blueprint.last_contact = since;
    blueprint.inventory = blueprint.inventory.min(since);
}

fn not_enrolled(blueprint: &mut Blueprint) {
    no_certificate(blueprint);
    blueprint.enrolled_in_mdm = false;
    blueprint.in_scope = false;
    blueprint.delivery = Delivery::None;
}

fn not_checking_in(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    // It went silent before the certificate ran out, and nobody could replace it.
    let expired = dice.days_ago(2.5, 15.0);
    certificate(blueprint, expired - Duration::days(365));
    bind_at_first_use(blueprint);
    let silent = (expired - Duration::days(9)).min(dice.days_ago(10.0, 40.0));
    silent_since(blueprint, silent);
}

fn enrolment_broken(blueprint: &mut Blueprint, dice: &mut Dice<'_>) {
    no_certificate(blueprint);
    blueprint.mdm_broken = true;
    blueprint.delivery = Delivery::None;
    // The management channel is gone; Jamf's agent may still report.
    if blueprint.mdm == Mdm::Intune {
        let since = dice.days_ago(1.2, 5.0);
        silent_since(blueprint, since);
    } else {
        blueprint.online = false;
    }
}
