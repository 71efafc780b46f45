use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeZone;

use super::*;
use crate::world::{DeviceStatus, Platform, SignInOutcome};

fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 2, 9, 0, 0).unwrap()
}

fn company(devices: usize, options: &FleetOptions) -> (State, Vec<Truth>) {
    generate(devices, 42, start(), options, Ledger::default())
}

fn everything() -> FleetOptions {
    let mut options = FleetOptions::noisy();
    for mdm in [Mdm::Jamf, Mdm::Intune] {
        for (cause, ..) in catalogue::ENTRIES {
            if catalogue::mdm_for(cause, mdm) == mdm {
                options.scripted.push(ScriptedDevice::new(cause, mdm));
            }
        }
    }
    options
}

#[test]
fn equal_seeds_make_equal_companies() {
    let (first, first_truths) = company(150, &everything());
    let (second, second_truths) = company(150, &everything());
    assert_eq!(
        format!("{:?}", first.devices),
        format!("{:?}", second.devices)
    );
    assert_eq!(format!("{:?}", first.log), format!("{:?}", second.log));
    assert_eq!(format!("{:?}", first.jamf), format!("{:?}", second.jamf));
    assert_eq!(
        format!("{:?}", first.intune),
        format!("{:?}", second.intune)
    );
    assert_eq!(first_truths, second_truths);
    let (other, _) = generate(150, 43, start(), &everything(), Ledger::default());
    assert_ne!(
        format!("{:?}", first.devices),
        format!("{:?}", other.devices)
    );
}

#[test]
fn every_unmanaged_desktop_user_has_exactly_one_truth() {
    let (state, truths) = company(400, &everything());
    let mut seen = BTreeMap::new();
    for truth in &truths {
        if let (Some(device), Some(user)) = (&truth.device_id, &truth.user_id) {
            *seen.entry((device.clone(), user.clone())).or_insert(0) += 1;
        }
    }
    for record in state
        .devices
        .values()
        .filter(|record| record.platform.is_desktop())
    {
        for link in &record.links {
            let pair = (record.id.to_string(), link.user.to_string());
            assert_eq!(seen.remove(&pair), Some(1), "{pair:?}");
        }
    }
    assert!(seen.is_empty(), "truths about nobody: {seen:?}");
}

#[test]
fn a_truth_says_healthy_only_of_managed_users() {
    let (state, truths) = company(400, &everything());
    for truth in truths {
        let (Some(device), Some(user)) = (&truth.device_id, &truth.user_id) else {
            continue;
        };
        let managed = state.link(user, device).unwrap().managed;
        let expected = matches!(truth.cause, "healthy" | "okta_search_stale_read")
            || catalogue::is_advisory(truth.cause);
        assert_eq!(managed, expected, "{truth:?}");
    }
}

/// Faults that one more FastPass sign-in ends.
const CURED_BY_SIGN_IN: [&str; 7] = [
    "healthy",
    "okta_search_stale_read",
    "fastpass_no_signin_since_cert",
    "fastpass_other_factor_used",
    "cert_expiring_soon",
    "ca_subject_template_wrong",
    // The app for checks is mapped.
    "policy_app_not_mapped",
];

#[test]
fn a_sign_in_cures_what_only_lacked_one_and_nothing_else() {
    let (mut state, truths) = company(400, &everything());
    for truth in truths {
        let (Some(device), Some(user)) = (&truth.device_id, &truth.user_id) else {
            continue;
        };
        if truth.cause == "okta_duplicate_records" {
            continue;
        }
        let outcome = state.fastpass_sign_in(&user.as_str().into(), &device.as_str().into());
        let cured = outcome == SignInOutcome::Managed;
        assert_eq!(
            cured,
            CURED_BY_SIGN_IN.contains(&truth.cause),
            "{truth:?} {outcome:?}"
        );
    }
}

#[test]
fn healthy_machines_agree_in_every_source() {
    let (state, truths) = company(300, &FleetOptions::default());
    for truth in truths.iter().filter(|truth| truth.cause == "healthy") {
        let device = truth.device_id.as_deref().unwrap();
        let user = truth.user_id.as_deref().unwrap();
        let record = &state.devices[device];
        let machine = state.machine(record.machine.unwrap());
        assert!(
            machine.certificates.iter().any(|held| {
                let certificate = &state.certificates[&held.serial];
                certificate.valid_at(state.now) && certificate.bound.as_deref() == Some(device)
            }),
            "{truth:?}"
        );
        let last = state.log.iter().rev().find(|event| {
            event.kind == "user.authentication.auth_via_mfa"
                && event.actor == crate::world::Actor::User(user.into())
                && event
                    .device
                    .as_ref()
                    .is_some_and(|seen| &*seen.id == device)
        });
        assert!(last.unwrap().device.as_ref().unwrap().managed, "{truth:?}");
        let seen = match machine.mdm.unwrap() {
            Mdm::Jamf => &state.jamf_of(machine.key).unwrap().inventory,
            Mdm::Intune => &state.intune_of(machine.key).unwrap().inventory,
        };
        assert!(!seen.certificates.is_empty(), "{truth:?}");
        assert!(seen.taken <= state.now);
    }
}

#[test]
fn the_log_is_in_order_and_never_of_tomorrow() {
    let (state, _) = company(300, &everything());
    assert!(state.log.is_sorted_by_key(|event| event.published));
    assert!(state.log.last().unwrap().published <= state.now);
}

#[test]
fn a_fleet_of_the_default_kind_has_the_asked_share_of_faults() {
    let (_, truths) = company(1_000, &FleetOptions::default());
    let stuck = truths
        .iter()
        .filter(|truth| truth.cause != "healthy")
        .count();
    assert_eq!(stuck, 60);
    let causes: BTreeSet<_> = truths.iter().map(|truth| truth.cause).collect();
    assert!(causes.len() > 12, "{causes:?}");
    assert!(truths.iter().all(|truth| truth.built));
}

#[test]
fn scripted_machines_are_what_the_script_says() {
    let script = ScriptedDevice::new("okta_device_suspended", Mdm::Intune)
        .owner("ann@acme.example")
        .serial("PF0TEST1")
        .name("ANN-PC");
    let (state, truths) = company(0, &FleetOptions::scripted(vec![script]));
    assert_eq!(truths.len(), 1);
    assert_eq!(
        (truths[0].cause, truths[0].serial.as_str()),
        ("okta_device_suspended", "PF0TEST1")
    );
    let record = state.devices.values().next().unwrap();
    assert_eq!(record.status, DeviceStatus::Suspended);
    assert_eq!(record.platform, Platform::Windows);
    assert_eq!(record.display_name, "ANN-PC");
    assert_eq!(
        state.person("ann@acme.example").unwrap().email,
        "ann@acme.example"
    );
}

#[test]
fn decidable_faults_outnumber_the_others_where_nothing_is_missing() {
    let (_, truths) = company(1_000, &FleetOptions::default());
    let open = truths
        .iter()
        .filter(|truth| !truth.decidable)
        .collect::<Vec<_>>();
    assert!(open.is_empty(), "{open:?}");
    let (_, truths) = company(1_000, &FleetOptions::noisy());
    assert!(truths.iter().any(|truth| !truth.decidable));
}

#[test]
fn a_company_of_ten_thousand_has_every_entry_of_the_catalogue() {
    let options = FleetOptions {
        stuck_share: 0.25,
        ..FleetOptions::noisy()
    };
    let (state, truths) = company(10_000, &options);
    assert!(state.machines.len() >= 10_000);
    let found: BTreeSet<_> = truths.iter().map(|truth| truth.cause).collect();
    for (cause, ..) in catalogue::ENTRIES {
        assert!(found.contains(cause), "{cause}");
    }
    let open = truths.iter().filter(|truth| !truth.decidable).count();
    assert!(open * 4 < truths.len(), "{open}");
}

#[test]
fn without_certificates_and_issues_intune_faults_are_not_decidable() {
    let options = FleetOptions {
        intune_certificate_rows: false,
        pki_issue_events: false,
        ..everything()
    };
    let (_, truths) = company(0, &options);
    for cause in [
        "cert_expired",
        "cert_missing",
        "ov_outdated",
        "cert_wrong_store",
    ] {
        let open = truths
            .iter()
            .any(|truth| truth.cause == cause && !truth.decidable);
        assert!(open, "{cause}");
    }
    let conflict = truths
        .iter()
        .find(|truth| truth.cause == "profile_conflict");
    assert!(conflict.unwrap().decidable);
}

#[test]
fn what_an_unmatched_record_hides_is_also_a_question_of_identity() {
    let (_, truths) = company(3_000, &FleetOptions::noisy());
    let identity = "identity_serial_missing_or_mismatch";
    let hidden = truths.iter().filter(|truth| truth.also.contains(&identity));
    assert!(hidden.clone().count() > 0);
    for truth in hidden {
        assert!(
            truth.cause != "healthy" && truth.cause != identity,
            "{truth:?}"
        );
    }
}
