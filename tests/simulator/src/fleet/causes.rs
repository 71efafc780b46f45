//! Each catalogue entry as a change of a healthy blueprint: the fact that makes it so.

use chrono::{DateTime, Duration, Utc};
use rand::RngExt;
use rand::rngs::StdRng;

use super::blueprint::{Blueprint, CertificatePlan, Delivery, Placement};
use super::org::Landscape;
use super::{catalogue, faults_certificate, faults_profile, faults_sign_in};
use crate::world::{DeviceStatus, Id, Mdm, UserStatus};

/// Draws times around now.
pub(super) struct Dice<'a> {
    pub now: DateTime<Utc>,
    pub rng: &'a mut StdRng,
    pub land: &'a Landscape,
    /// Sets machines up for others, and has none.
    pub technician: &'a Id,
}

impl Dice<'_> {
    /// A time between so many days ago.
    pub(super) fn days_ago(&mut self, from: f64, to: f64) -> DateTime<Utc> {
        let days = self.rng.random_range(from..to);
        self.now - Duration::seconds((days * 86_400.0) as i64)
    }

    /// A time between so many days from now.
    pub(super) fn days_from_now(&mut self, from: f64, to: f64) -> DateTime<Utc> {
        let days = self.rng.random_range(from..to);
        self.now + Duration::seconds((days * 86_400.0) as i64)
    }

    /// A part of one.
    pub(super) fn share(&mut self) -> f64 {
        self.rng.random_range(0.05..0.95)
    }

    /// One of so many places.
    pub(super) fn index(&mut self, count: usize) -> usize {
        self.rng.random_range(0..count.max(1))
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
        _ => blueprint.accounts[0].managed = catalogue::is_advisory(cause),
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
        other => {
            let known = faults_profile::apply(other, blueprint, dice)
                || faults_certificate::apply(other, blueprint, dice)
                || faults_sign_in::apply(other, blueprint, dice);
            assert!(known, "the simulator cannot build {other}");
        }
    }
}

/// Whatever certificates there are, no sign-in ever attested anything.
pub(super) fn never_attests(blueprint: &mut Blueprint) {
    blueprint.silent_since = Some(DateTime::<Utc>::MIN_UTC);
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
