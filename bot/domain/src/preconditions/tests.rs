//! Every precondition, changed one at a time.

use super::*;
use crate::planning::samples::{MAC, World, one_action, shipped};
use crate::{CertificateStore, Observations, ProfileState};

fn fresh(observations: &Observations) -> FreshRead<'_> {
    let device = &observations.okta.devices[0];
    let confirmed = observations
        .okta
        .confirmed
        .get(&device.id)
        .and_then(|confirmed| confirmed.users.as_ref());
    FreshRead {
        subjects: confirmed
            .into_iter()
            .flatten()
            .map(|user| FreshSubject {
                device_id: device.id.clone(),
                user_id: user.link.user_id.clone(),
                device_status: Some(device.status.clone()),
                management_status: user.link.management_status,
                user_status: Some(user.status.clone()),
            })
            .collect(),
        mdm: Some(FreshMdm {
            mdm: &observations.mdms[0],
            record: observations.mdms[0].devices.first(),
        }),
        excluded: None,
        quarantined: false,
        held: None,
    }
}

fn planned() -> PlannedRepair {
    World::new()
        .plan(&shipped("redeliver-scep-profile"), MAC)
        .unwrap()
}

#[test]
fn nothing_changed_means_go() {
    let world = World::new();
    assert_eq!(
        check(&planned(), &fresh(&world.observations)),
        Preflight::Go
    );
}

#[test]
fn managed_by_now_is_cured_even_if_the_rest_changed_too() {
    let mut world = World::new();
    world.user_of(MAC).link.management_status = Some(ManagementStatus::Managed);
    World::renew(world.mac());
    assert_eq!(
        check(&planned(), &fresh(&world.observations)),
        Preflight::CuredByItself
    );
}

#[test]
fn any_difference_drops_with_its_reason() {
    type Change = fn(&mut World);
    let changes: [(Change, &str); 14] = [
        (
            |world| world.observations.okta.devices[0].status = OktaDeviceStatus::Suspended,
            "Okta's record guoMac is SUSPENDED by now",
        ),
        (
            |world| world.user_of(MAC).link.management_status = None,
            "00uAnn@acme.com is not linked to the computer any more",
        ),
        (
            |world| world.user_of(MAC).status = UserStatus::Other("SUSPENDED".to_owned()),
            "the account of 00uAnn@acme.com is SUSPENDED",
        ),
        (
            |world| world.jamf().devices.clear(),
            "the MDM record 42 is gone",
        ),
        (
            |world| world.mac().id = "43".into(),
            "the MDM record is 43 by now",
        ),
        (|world| world.mac().management_id = None, "enrolled again"),
        (
            |world| world.mac().serial_number = Some("OTHER".to_owned()),
            "another serial number",
        ),
        (
            |world| world.mac().profiles.as_mut().unwrap()[0].state = ProfileState::Pending,
            "the profile is pending by now",
        ),
        (
            |world| world.mac().certificates = Some(Vec::new()),
            "another certificate is listed",
        ),
        (
            |world| {
                world.mac().certificates.as_mut().unwrap()[0].serial_number = Some("NEW".to_owned())
            },
            "another certificate is listed",
        ),
        (
            |world| {
                world.mac().certificates.as_mut().unwrap()[0].store =
                    Some(CertificateStore::Machine)
            },
            "in another store",
        ),
        (
            |world| world.jamf().profiles[0].id = "99".into(),
            "another attestation profile",
        ),
        (
            |world| world.jamf().profiles[0].scope.excluded_groups.clear(),
            "in no profile's exclusions any more",
        ),
        (
            |world| world.jamf().profiles[0].network_uses = Some(vec!["VPN".to_owned()]),
            "carries or supports more",
        ),
    ];
    for (change, reason) in changes {
        let mut world = World::new();
        change(&mut world);
        let Preflight::Dropped(dropped) = check(&planned(), &fresh(&world.observations)) else {
            panic!("not dropped: {reason}");
        };
        assert!(dropped.contains(reason), "{dropped} instead of {reason}");
    }
}

#[test]
fn exclusion_quarantine_and_holds_drop() {
    let world = World::new();
    let base = fresh(&world.observations);
    let reason = |fresh: FreshRead<'_>| match check(&planned(), &fresh) {
        Preflight::Dropped(reason) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        reason(FreshRead {
            excluded: Some("user ann".to_owned()),
            ..base.clone()
        }),
        "excluded: user ann"
    );
    assert!(
        reason(FreshRead {
            quarantined: true,
            ..base.clone()
        })
        .starts_with("quarantined")
    );
    assert_eq!(
        reason(FreshRead {
            held: Some("a fleet finding".to_owned()),
            ..base.clone()
        }),
        "held: a fleet finding"
    );
    assert!(
        reason(FreshRead {
            subjects: Vec::new(),
            ..base.clone()
        })
        .contains("was not read again")
    );
    assert!(reason(FreshRead { mdm: None, ..base }).contains("was not read again"));
}

#[test]
fn a_group_that_is_not_in_scope_any_more_stops_an_assignment() {
    let mut world = World::new();
    world.mac().profiles.as_mut().unwrap()[0].state = ProfileState::NotAssigned;
    let repair = world.plan(&one_action("mdm.assign_profile"), MAC).unwrap();
    world.jamf().profiles[0].scope.device_groups.clear();
    let Preflight::Dropped(reason) = check(&repair, &fresh(&world.observations)) else {
        panic!()
    };
    assert!(
        reason.contains("in scope of no attestation profile"),
        "{reason}"
    );
}
