//! Okta's records and their life.

use super::*;

#[test]
fn managed_by_id_is_a_stale_list() {
    let expected = (Cause::OktaSearchStaleRead, Confidence::High, Stage::Managed);
    mac(expected, |org, at| {
        let id = org.device(at).id.clone();
        let read = org.seen.okta.confirmed.get_mut(&id).unwrap();
        read.users.as_mut().unwrap()[0].link.management_status = Some(ManagementStatus::Managed);
    });
}

#[test]
fn a_link_without_a_status_is_not_judged() {
    undecided(
        Stage::FastpassAfterCert,
        "no management status",
        |org, at| {
            expire(org, at);
            org.certificate(at).expires_at = Some(days_ago(-20));
            let id = org.device(at).id.clone();
            let read = org.seen.okta.confirmed.get_mut(&id).unwrap();
            read.users.as_mut().unwrap()[0].link.management_status = None;
            org.certificate(at).issued_at = Some(days_ago(10));
        },
    );
}

#[test]
fn suspended_comes_before_an_expired_certificate() {
    let expected = (
        Cause::OktaDeviceSuspended,
        Confidence::High,
        Stage::OvRegistered,
    );
    mac(expected, |org, at| {
        org.device(at).status = OktaDeviceStatus::Suspended;
        expire(org, at);
    });
}

#[test]
fn deactivated_is_not_suspended() {
    let expected = (
        Cause::OktaDeviceDeactivated,
        Confidence::High,
        Stage::OvRegistered,
    );
    mac(expected, |org, at| {
        org.device(at).status = OktaDeviceStatus::Deactivated
    });
}

#[test]
fn an_unknown_status_is_not_judged() {
    undecided(
        Stage::OvRegistered,
        "status that is not known",
        |org, at| {
            org.device(at).status = OktaDeviceStatus::Other("UNSUSPENDED".to_owned());
        },
    );
}

const TWIN: Answer = (
    Cause::OktaDuplicateRecords,
    Confidence::Medium,
    Stage::OvRegistered,
);

fn twin(org: &mut Org, at: At, user: &str, status: ManagementStatus) -> usize {
    let serial = org.device(at).serial_number.clone().unwrap();
    let twin = org.add_okta(Platform::Macos, &serial, "nobody");
    let id = org.seen.okta.devices[twin].id.clone();
    org.seen.okta.devices[twin].users = Some(Vec::new());
    org.seen.okta.confirmed.remove(&id);
    org.link(twin, user, status);
    org.used(at.okta, days_ago(20));
    org.used(twin, days_ago(1));
    twin
}

#[test]
fn an_old_record_whose_newer_twin_is_managed_is_a_duplicate() {
    mac(TWIN, |org, at| {
        twin(org, at, "ann", ManagementStatus::Managed);
    });
}

#[test]
fn an_old_record_is_a_duplicate_if_the_new_one_registered_after_its_last_use() {
    mac(TWIN, |org, at| {
        let twin = twin(org, at, "ann", ManagementStatus::NotManaged);
        org.seen.okta.devices[twin].created = Some(days_ago(15));
    });
}

#[test]
fn the_newer_twin_keeps_its_own_cause() {
    let (mut org, at) = Org::with_mac();
    let twin = twin(&mut org, at, "ann", ManagementStatus::NotManaged);
    org.seen.okta.devices[twin].created = Some(days_ago(15));
    assert_eq!(answer(&org.diagnosis(twin, "ann")), PENDING);
}

#[test]
fn somebody_elses_record_of_a_shared_computer_is_no_duplicate() {
    mac(PENDING, |org, at| {
        twin(org, at, "eve", ManagementStatus::Managed);
    });
}

#[test]
fn a_computer_enrolled_anew_for_somebody_else_leaves_a_duplicate() {
    mac(TWIN, |org, at| {
        let twin = twin(org, at, "eve", ManagementStatus::Managed);
        org.seen.okta.devices[twin].created = Some(days_ago(15));
        org.record(at).enrolled_at = Some(days_ago(16));
    });
}

#[test]
fn silent_on_both_sides_for_months_is_out_of_use() {
    let (mut org, at) = Org::with_mac();
    org.used(at.okta, days_ago(91));
    org.record(at).last_check_in = Some(days_ago(31));
    assert_eq!(org.diagnosis(at.okta, "ann").cause, Cause::OktaRecordStale);
    org.record(at).last_check_in = Some(days_ago(29));
    assert_ne!(org.diagnosis(at.okta, "ann").cause, Cause::OktaRecordStale);
}

#[test]
fn a_virtual_machine_is_named_and_still_diagnosed() {
    let (mut org, at) = Org::with_mac();
    org.device(at).model = Some("VMware20,1".to_owned());
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(answer(&diagnosis), PENDING);
    assert_eq!(to_check(&diagnosis), [Cause::VmOrVdi]);
}

#[test]
fn an_os_below_the_minimum_is_too_old_only_where_a_minimum_is_set() {
    let old = (
        Cause::OsUnsupported,
        Confidence::Medium,
        Stage::OvRegistered,
    );
    let with = |version: &'static str, minimum: Option<&str>| {
        let minimum = minimum.map(str::to_owned);
        move |org: &mut Org, at: At| {
            org.record(at).os_version = Some(version.to_owned());
            let minimum = minimum.map(|minimum| (Platform::Macos, minimum));
            org.settings.os_minimum.extend(minimum);
        }
    };
    mac(old, with("13.6.9", Some("14.0")));
    mac(PENDING, with("14.0.0", Some("14.0")));
    mac(PENDING, with("14.10 (24B83)", Some("14.9")));
    mac(PENDING, with("13.6.9", None));
    mac(PENDING, with("Sonoma", Some("14.0")));
}
