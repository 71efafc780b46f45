//! Which records are one computer.

use proptest::prelude::*;

use crate::{
    Enrolment, HardwareKey, ManagementStatus, MatchStrength, Platform, UserId,
    sample::{INTUNE, JAMF, Org, days_ago, hours_ago},
};

use super::{ManualLink, correlate, normalise, normalise_subject};

#[test]
fn spelling_does_not_hide_a_serial_number() {
    for (written, expected) in [
        (" c02xyz ", Some("C02XYZ")),
        ("5CG-12:34", Some("5CG1234")),
        (
            "VMware-56 4d 4f 95 74 c5 d3 e7-fc 3a 57 9c c2 f8 5d ce",
            Some("564D4F9574C5D3E7FC3A579CC2F85DCE"),
        ),
        ("56 4d 4f 95", Some("564D4F95")),
        ("", None),
        ("0", None),
        ("00000000-0000-0000-0000-000000000000", None),
        ("none", None),
        ("Unknown", None),
        ("System Serial Number", None),
        ("To be filled by O.E.M.", None),
        ("Default string", None),
        ("Not Specified", None),
    ] {
        assert_eq!(normalise(written).as_deref(), expected, "{written:?}");
    }
}

#[test]
fn a_subject_is_keyed_by_the_words_of_its_common_name() {
    for (written, expected) in [
        (
            "mac-042 managementAttestation 6E47EF55-5318",
            "MAC042 MANAGEMENTATTESTATION 6E47EF555318",
        ),
        (
            "CN=ann@example.com managementAttestation D-1,O=Acme",
            "ANN@EXAMPLE.COM MANAGEMENTATTESTATION D1",
        ),
        ("O=Acme, CN=C02XYZ", "C02XYZ"),
        ("C02XYZ", "C02XYZ"),
        ("", ""),
    ] {
        assert_eq!(normalise_subject(written), expected, "{written:?}");
    }
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(text in "\\PC{0,40}") {
        if let Some(once) = normalise(&text) {
            prop_assert_eq!(normalise(&once), Some(once.clone()));
        }
        let subject = normalise_subject(&text);
        prop_assert!(!subject.starts_with(' ') && !subject.ends_with(' '));
    }
}

#[test]
fn serial_numbers_match_whatever_their_spelling() {
    let (mut org, at) = Org::with_mac();
    org.device(at).serial_number = Some("c02-mac 001".to_owned());
    let subject = org.subject(at.okta, "ann");
    assert_eq!(subject.strength, MatchStrength::Strong);
    assert_eq!(
        subject.record.unwrap().serial_number.as_deref(),
        Some("C02MAC001")
    );
}

#[test]
fn a_serial_number_does_not_match_across_platforms() {
    let mut org = Org::empty();
    org.add_record(JAMF, "SAME1234", "ann");
    let pc = org.add_okta(Platform::Windows, "SAME1234", "ann");
    assert_eq!(org.subject(pc, "ann").strength, MatchStrength::None);
}

#[test]
fn a_virtual_machine_matches_by_its_serial_in_the_other_byte_order() {
    let (mut org, at) = Org::with_pc();
    org.device(at).serial_number =
        Some("56 4d 4f 95 74 c5 d3 e7-fc 3a 57 9c c2 f8 5d ce".to_owned());
    org.record(at).serial_number = None;
    org.record(at).udid = Some("954F4D56-C574-E7D3-FC3A-579CC2F85DCE".to_owned());
    assert_eq!(org.subject(at.okta, "bob").strength, MatchStrength::Strong);
}

#[test]
fn on_windows_a_hardware_uuid_matches_in_either_byte_order() {
    let (mut org, at) = Org::with_pc();
    org.device(at).serial_number = None;
    org.device(at).udid = Some("954F4D56-C574-E7D3-FC3A-579CC2F85DCE".to_owned());
    org.record(at).udid = Some("564D4F95-74C5-D3E7-FC3A-579CC2F85DCE".to_owned());
    assert_eq!(org.subject(at.okta, "bob").strength, MatchStrength::Strong);
    org.record(at).udid = Some("564D4F95-74C5-D3E7-FC3A-579CC2F85DCF".to_owned());
    assert_ne!(org.subject(at.okta, "bob").strength, MatchStrength::Strong);
}

#[test]
fn a_serial_number_outranks_a_hardware_uuid() {
    let (mut org, at) = Org::with_mac();
    let uuid = "aaaabbbb-0000-1111-2222-333344445555";
    let other = org.add_record(JAMF, "C02OTHER", "ann");
    org.seen.mdms[JAMF].devices[other].udid = Some(uuid.to_owned());
    org.device(at).udid = Some(uuid.to_owned());
    let serial = org.record(at).serial_number.clone();
    let subject = org.subject(at.okta, "ann");
    assert_eq!(subject.record.unwrap().serial_number, serial);
}

#[test]
fn a_hardware_uuid_that_three_clones_carry_identifies_none() {
    let mut org = Org::empty();
    let uuid = "aaaabbbb-0000-1111-2222-333344445555";
    for serial in ["CLONE001", "CLONE002", "CLONE003"] {
        let record = org.add_record(JAMF, serial, "ann");
        org.seen.mdms[JAMF].devices[record].udid = Some(uuid.to_owned());
    }
    let okta = org.add_okta(Platform::Macos, "", "ann");
    org.seen.okta.devices[okta].udid = Some(uuid.to_owned());
    assert_eq!(org.subject(okta, "ann").strength, MatchStrength::None);
}

#[test]
fn a_hardware_uuid_matches_where_the_serial_number_is_a_placeholder() {
    let (mut org, at) = Org::with_mac();
    org.device(at).serial_number = Some("Default string".to_owned());
    org.device(at).udid = Some("aaaabbbb-0000-1111-2222-333344445555".to_owned());
    org.record(at).udid = Some("AAAABBBB-0000-1111-2222-333344445555".to_owned());
    assert_eq!(org.subject(at.okta, "ann").strength, MatchStrength::Strong);
    assert_eq!(
        org.subject(at.okta, "ann").hardware,
        HardwareKey::of_mdm(&"jamf".into(), &"jamf-0000".into())
    );
}

#[test]
fn placeholders_never_match() {
    let (mut org, at) = Org::with_mac();
    org.device(at).serial_number = Some("To be filled by O.E.M.".to_owned());
    org.record(at).serial_number = Some("TO BE FILLED BY O.E.M.".to_owned());
    org.device(at).display_name = "another".to_owned();
    assert_eq!(org.subject(at.okta, "ann").strength, MatchStrength::None);
}

#[test]
fn a_serial_number_that_three_different_machines_carry_identifies_none() {
    let mut org = Org::empty();
    for user in ["ann", "bob", "eve"] {
        let at = org.add(JAMF, "SHARED77", user);
        org.record(at).udid = Some(format!("udid-{user}"));
        org.record(at).name = user.to_owned();
    }
    let strengths: Vec<_> = org
        .findings()
        .findings
        .iter()
        .map(|case| case.subject.strength)
        .collect();
    assert_eq!(strengths, [MatchStrength::None; 3]);
    let computers: std::collections::BTreeSet<_> = org
        .findings()
        .findings
        .iter()
        .map(|case| case.subject.hardware.clone())
        .collect();
    assert_eq!(computers.len(), 3, "each is a computer of its own");
}

#[test]
fn user_model_and_name_match_weakly_with_one_candidate_only() {
    let mut org = Org::empty();
    let okta = org.add_okta(Platform::Macos, "", "ann");
    let record = org.add_record(JAMF, "C02REAL", "ann");
    org.seen.okta.devices[okta].display_name = "Ann's Mac".to_owned();
    org.seen.mdms[JAMF].devices[record].name = "ann's mac".to_owned();
    assert_eq!(org.subject(okta, "ann").strength, MatchStrength::Weak);

    let second = org.add_record(JAMF, "C02REAL2", "ann");
    org.seen.mdms[JAMF].devices[second].name = "Ann's Mac".to_owned();
    assert_eq!(org.subject(okta, "ann").strength, MatchStrength::None);
}

#[test]
fn a_record_that_another_device_matches_strongly_is_no_weak_candidate() {
    let (mut org, at) = Org::with_mac();
    let okta = org.add_okta(Platform::Macos, "", "ann");
    org.seen.okta.devices[okta].display_name = org.record(at).name.clone();
    assert_eq!(org.subject(okta, "ann").strength, MatchStrength::None);
}

#[test]
fn of_two_mdm_records_the_newest_check_in_wins() {
    let (mut org, at) = Org::with_mac();
    let newer = org.add_record(JAMF, "C02MAC001", "ann");
    org.record(at).last_check_in = Some(days_ago(40));
    org.seen.mdms[JAMF].devices[newer].last_check_in = Some(hours_ago(1));
    let id = org.seen.mdms[JAMF].devices[newer].id.clone();
    assert_eq!(org.subject(at.okta, "ann").record.unwrap().id, id);
    assert!(
        org.findings().unlinked.is_empty(),
        "the older one is the same computer"
    );
}

/// The same Mac in both MDMs, the second one heard of later.
fn in_two_mdms() -> (Org, crate::sample::At, usize) {
    let (mut org, at) = Org::with_mac();
    org.seen.mdms[INTUNE].platforms.push(Platform::Macos);
    let second = org.add_record(INTUNE, "C02MAC001", "ann");
    let record = &mut org.seen.mdms[INTUNE].devices[second];
    record.platform = Platform::Macos;
    record.last_check_in = Some(hours_ago(1));
    org.record(at).last_check_in = Some(hours_ago(9));
    (org, at, second)
}

#[test]
fn of_two_mdms_the_one_that_still_manages_the_mac_wins() {
    let (mut org, at, second) = in_two_mdms();
    let mdm = |org: &Org| org.subject(at.okta, "ann").mdm.unwrap().name.clone();
    assert_eq!(mdm(&org), "intune".into(), "heard of later");
    org.seen.mdms[INTUNE].devices[second].enrolment = Enrolment::Broken {
        fact: "managementState".to_owned(),
        value: "retired".to_owned(),
    };
    assert_eq!(mdm(&org), "jamf".into(), "management is lost in the other");
    assert!(org.findings().unlinked.is_empty());
}

#[test]
fn a_repair_of_a_mac_in_two_mdms_is_counted_once() {
    let (org, at, _) = in_two_mdms();
    let hardware = org.subject(at.okta, "ann").hardware;
    assert_eq!(
        hardware,
        HardwareKey::of_mdm(&"intune".into(), &"intune-0000".into())
    );
}

#[test]
fn records_without_a_serial_number_are_twins_by_their_hardware_uuid() {
    let mut org = Org::empty();
    let uuid = "aaaabbbb-0000-1111-2222-333344445555";
    let [old, new] = ["", "C02NEW001"].map(|serial| {
        let okta = org.add_okta(Platform::Macos, serial, "ann");
        org.seen.okta.devices[okta].udid = Some(uuid.to_owned());
        okta
    });
    assert_eq!(org.subject(old, "ann").twins.len(), 1);
    assert_eq!(
        org.subject(old, "ann").hardware,
        org.subject(new, "ann").hardware
    );
}

#[test]
fn a_link_to_a_record_that_is_gone_leaves_it_to_the_values() {
    let (mut org, at) = Org::with_mac();
    let device_id = org.device(at).id.clone();
    org.links.push(ManualLink {
        device_id,
        mdm: "jamf".into(),
        mdm_device_id: "gone".into(),
    });
    let id = org.record(at).id.clone();
    assert_eq!(org.subject(at.okta, "ann").record.unwrap().id, id);
}

#[test]
fn the_address_of_a_user_counts_beside_the_login() {
    let mut org = Org::empty();
    let okta = org.add_okta(Platform::Macos, "", "ann");
    let record = org.add_record(JAMF, "C02REAL", "ann");
    org.seen.mdms[JAMF].devices[record].user = Some("Ann.Smith@Example.com".to_owned());
    org.seen.mdms[JAMF].devices[record].name = org.seen.okta.devices[okta].display_name.clone();
    assert_eq!(org.subject(okta, "ann").strength, MatchStrength::None);
    let id = org.seen.okta.devices[okta].id.clone();
    let read = org.seen.okta.confirmed.get_mut(&id).unwrap();
    read.users.as_mut().unwrap()[0].link.email = Some("ann.smith@example.com".to_owned());
    assert_eq!(org.subject(okta, "ann").strength, MatchStrength::Weak);
}

#[test]
fn two_okta_records_of_one_mdm_record_are_twins() {
    let (mut org, at) = Org::with_mac();
    let twin = org.add_okta(Platform::Macos, "C02MAC001", "ann");
    let id = org.seen.okta.devices[twin].id.clone();
    let subject = org.subject(at.okta, "ann");
    assert_eq!(
        subject
            .twins
            .iter()
            .map(|twin| &twin.id)
            .collect::<Vec<_>>(),
        [&id]
    );
    assert_eq!(subject.hardware, org.subject(twin, "ann").hardware);
}

#[test]
fn a_persons_link_outranks_the_values() {
    let (mut org, at) = Org::with_mac();
    let other = org.add_record(JAMF, "C02OTHER", "ann");
    let linked = org.seen.mdms[JAMF].devices[other].id.clone();
    let device_id = org.device(at).id.clone();
    org.links.push(ManualLink {
        device_id,
        mdm: "jamf".into(),
        mdm_device_id: linked.clone(),
    });
    let subject = org.subject(at.okta, "ann");
    assert_eq!(
        (subject.strength, &subject.record.unwrap().id),
        (MatchStrength::Strong, &linked)
    );
}

#[test]
fn every_user_of_a_computer_is_found_managed_ones_too() {
    let (mut org, at) = Org::with_mac();
    org.link(at.okta, "eve", ManagementStatus::Managed);
    org.add_okta(Platform::Macos, "C02MAC001", "joe");
    let correlated = correlate(&org.seen, &[]);
    let hardware = correlated.subjects[0].hardware.clone();
    let mut users: Vec<_> = correlated
        .fleet
        .users_of(&hardware)
        .map(|(_, link)| link.login.as_str())
        .collect();
    users.sort_unstable();
    assert_eq!(
        users,
        ["ann@example.com", "eve@example.com", "joe@example.com"]
    );
    assert_eq!(correlated.managed.len(), 1);
}

#[test]
fn every_device_of_a_user_is_found_phones_too() {
    let (mut org, _) = Org::with_mac();
    org.add_okta(Platform::Other, "PHONE", "ann");
    let correlated = correlate(&org.seen, &[]);
    assert_eq!(
        correlated.fleet.devices_of(&UserId::from("00uann")).count(),
        2
    );
    assert_eq!(correlated.subjects.len(), 1, "phones get no findings");
}

#[test]
fn a_by_id_read_outranks_the_list_until_the_row_moves() {
    let (mut org, at) = Org::with_mac();
    let id = org.device(at).id.clone();
    let read = org.seen.okta.confirmed.get_mut(&id).unwrap();
    read.users.as_mut().unwrap()[0].link.management_status = Some(ManagementStatus::Managed);
    assert_eq!(correlate(&org.seen, &[]).subjects.len(), 0);

    org.device(at).last_updated = Some(hours_ago(1));
    let correlated = correlate(&org.seen, &[]);
    assert_eq!(correlated.subjects.len(), 1);
    assert!(correlated.subjects[0].user.is_none(), "no longer confirmed");
}

#[test]
fn an_old_by_id_read_confirms_nothing() {
    let (mut org, at) = Org::with_mac();
    let id = org.device(at).id.clone();
    org.seen.okta.confirmed.get_mut(&id).unwrap().read_at = hours_ago(25);
    assert!(org.subject(at.okta, "ann").user.is_none());
}

#[test]
fn issues_are_told_by_the_identifier_in_the_subject() {
    let (mut org, at) = Org::with_pc();
    org.issue("5CG0000001", days_ago(3));
    org.issue("5CG0000002", days_ago(1));
    assert_eq!(
        org.subject(at.okta, "bob").issued.unwrap().seen.last,
        days_ago(3)
    );
}

#[test]
fn a_subject_that_names_a_person_tells_the_computer_only_if_there_is_one() {
    let (mut org, at) = Org::with_pc();
    let subject = normalise_subject("CN=bob@example.com managementAttestation");
    org.seen
        .log
        .issued
        .insert(subject, crate::Seen::once(days_ago(3)));
    assert!(org.subject(at.okta, "bob").issued.is_some());

    org.add(INTUNE, "5CG0000002", "bob");
    assert!(org.subject(at.okta, "bob").issued.is_none());
}
