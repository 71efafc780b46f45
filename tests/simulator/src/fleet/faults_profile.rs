//! Faults of profiles, of their delivery and of the way to the certificate authority.

use chrono::Duration;

use super::blueprint::{Blueprint, Delivery, Placement};
use super::causes::{Dice, certificate, fresh_unbound_certificate, never_attests, no_certificate};
use super::oddities::{Oddity, broken_subject};
use crate::world::{
    Issuer, Mdm, Network, Platform, ScepError, Site, TRUSTED_PROFILE_MISSING, WRONG_HASH,
};

/// The challenge holds a character that Windows cannot put into a request.
const UNPRINTABLE: ScepError = ScepError {
    domain: "Windows",
    code: -2_146_885_599,
    text: "The string contains a non-printable character.",
    issuance: "requestCreationFailed",
};

/// The site whose firewall lets nobody reach the SCEP server.
pub(super) const WALLED_SITE: (Site, Network) = (
    Site {
        id: 7,
        name: "Depot North",
    },
    Network(70),
);

/// Apple's and Windows' words for a server that does not answer.
fn unreachable(mdm: Mdm) -> ScepError {
    match mdm {
        Mdm::Jamf => ScepError {
            domain: "NSURLErrorDomain",
            code: -1001,
            text: "The request timed out.",
            issuance: "requestSubmitFailed",
        },
        Mdm::Intune => ScepError {
            domain: "Windows",
            code: -2_147_012_894,
            text: "The operation timed out.",
            issuance: "requestSubmitFailed",
        },
    }
}

/// Applies a fault of this file; says whether the entry is one.
pub(super) fn apply(cause: &str, blueprint: &mut Blueprint, dice: &mut Dice<'_>) -> bool {
    match cause {
        "ca_challenge_unprintable_windows" => fails_for_good(blueprint, dice, UNPRINTABLE),
        "ca_trusted_cert_profile_mismatch" => {
            fails_for_good(blueprint, dice, WRONG_HASH);
            blueprint.placement = Placement::Odd(Oddity::StaleTrust);
        }
        "ca_scep_unreachable_from_device" => {
            let error = unreachable(blueprint.mdm);
            fails_for_good(blueprint, dice, error);
            blueprint.computer.site = Some(WALLED_SITE.0);
            blueprint.computer.network = WALLED_SITE.1;
            blueprint.also.push("profile_failed");
        }
        "ca_chain_missing_on_device" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.placement = Placement::Odd(Oddity::Dependency);
            never_attests(blueprint);
            blueprint.also.push("profile_dependency_group_mismatch");
        }
        "ca_wrong_scep_purpose" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.certificates[0].issuer = Issuer::DeviceAccess;
            if dice.chance(0.5) {
                blueprint.placement = Placement::Odd(Oddity::DeviceAccessUrl);
            } else {
                blueprint.placement = Placement::Odd(Oddity::DeviceAccess);
                blueprint.certificates[0].common_name = Some("Desktop MFA");
                blueprint.also.push("profile_not_in_scope");
            }
        }
        "ca_template_key_usage_wrong" => {
            fresh_unbound_certificate(blueprint, dice);
            blueprint.placement = Placement::Odd(Oddity::KeyUsage);
            blueprint.certificates[0].key_usable = false;
        }
        "ca_subject_template_wrong" => {
            blueprint.placement = Placement::Odd(Oddity::Subject);
            blueprint.certificates[0].common_name = Some(broken_subject(blueprint.mdm));
        }
        "mdm_push_channel_down" => {
            no_certificate(blueprint);
            let since = dice.days_ago(6.0, 20.0);
            blueprint.delivery = Delivery::Pending(since + Duration::hours(9));
            blueprint.queue_since = Some(since);
            blueprint.push_enabled = false;
            blueprint.also.push("profile_pending");
        }
        "profile_dependency_group_mismatch" => {
            no_certificate(blueprint);
            blueprint.placement = Placement::Odd(Oddity::Dependency);
            blueprint.delivery = Delivery::Failed(dice.days_ago(1.5, 9.0));
            blueprint.error = TRUSTED_PROFILE_MISSING;
        }
        "profile_not_applicable" => {
            no_certificate(blueprint);
            blueprint.delivery = Delivery::NotApplicable(dice.days_ago(1.5, 30.0));
        }
        "profile_conflict" => {
            no_certificate(blueprint);
            blueprint.placement = Placement::Odd(Oddity::Conflict);
            blueprint.delivery = Delivery::Conflict(dice.days_ago(1.5, 30.0));
        }
        "intune_mac_renewal_window_missed" => {
            blueprint.computer.platform = Platform::MacOs;
            blueprint.placement = Placement::Odd(Oddity::IntuneMac);
            let expired = dice.days_ago(3.0, 25.0);
            certificate(blueprint, expired - Duration::days(365));
            blueprint.certificates[0].bound =
                Some(expired - Duration::days(300)).filter(|at| *at > blueprint.accounts[0].linked);
            blueprint.also.push("cert_expired");
        }
        "mdm_user_licence_or_affinity_lost" => {
            no_certificate(blueprint);
            blueprint.delivery = Delivery::None;
            blueprint.without_primary_user = true;
            blueprint.also.push("profile_not_applicable");
        }
        _ => return false,
    }
    true
}

/// Every exchange with the SCEP server ends in this error.
pub(super) fn fails_for_good(blueprint: &mut Blueprint, dice: &mut Dice<'_>, error: ScepError) {
    no_certificate(blueprint);
    blueprint.delivery = Delivery::Failed(dice.days_ago(1.5, 9.0));
    blueprint.error = error;
    blueprint.error_stays = true;
}
