//! What holds for any observation.

use proptest::prelude::*;

use super::*;

/// A change of the evidence, drawn at random. Every one of them is possible in a real org.
fn change(org: &mut Org, at: At, kind: u8, days: i64) {
    let when = days_ago(days);
    match kind {
        0 => org.certificate_or_none(at, |row| row.expires_at = Some(when)),
        1 => org.certificate_or_none(at, |row| row.issued_at = Some(when)),
        2 => org.record(at).last_check_in = Some(when),
        3 => org.used(at.okta, when),
        4 => org.refuse(at.okta, "ann"),
        5 => org.device(at).status = OktaDeviceStatus::Created,
        6 => org.remove_certificate(at),
        7 => org.issue("C02MAC001", when),
        8 => org.link(at.okta, "eve", ManagementStatus::Managed),
        9 => org.rule().users_exclude = vec!["00uann".into()],
        10 => org.detail("ann").fastpass_enrolled = Some(days % 2 == 0),
        11 => org.record(at).inventory_at = Some(when),
        12 => org.seen.log.fastpass.clear(),
        13 => org.certificate_or_none(at, |row| row.store = Some(CertificateStore::Machine)),
        14 => org.certificate_or_none(at, |row| row.revoked = Some(true)),
        15 => {
            let id = org.device(at).id.clone();
            org.seen.log.binds.insert(id, Seen::once(when));
        }
        16 => org.profile_or_none(at, |delivery| delivery.since = Some(when)),
        17 => org.profile_or_none(at, |delivery| delivery.state = ProfileState::Pending),
        18 => org.profile_or_none(at, |delivery| delivery.state = ProfileState::NotAssigned),
        19 => org.seen.mdms[JAMF].devices[at.record].serial_number = None,
        20 => org.device(at).created = Some(when),
        _ => org.seen.mdms[JAMF].shows.certificates = Visibility::PresenceOnly,
    }
}

/// Something that was known is not known any more.
fn forget(org: &mut Org, at: At, kind: u8) {
    match kind {
        0 => org.seen.okta.confirmed.clear(),
        1 => org.seen.okta.users.clear(),
        2 => org.seen.log.forget_coverage(),
        3 => org.seen.okta.policies.complete = false,
        4 => org.record(at).certificates = None,
        5 => org.record(at).profiles = None,
        6 => org.record(at).inventory_at = None,
        7 => org.seen.mdms[JAMF].complete = false,
        8 => org.certificate_or_none(at, |row| row.store = None),
        9 => org.certificate_or_none(at, |row| row.has_private_key = None),
        10 => org.certificate_or_none(at, |row| row.issued_at = None),
        _ => org.profile_or_none(at, |delivery| delivery.since = None),
    }
}

impl Org {
    fn certificate_or_none(&mut self, at: At, change: impl Fn(&mut crate::MdmCertificate)) {
        self.record(at)
            .certificates
            .iter_mut()
            .flatten()
            .for_each(change);
    }

    fn profile_or_none(&mut self, at: At, change: impl Fn(&mut crate::ProfileDelivery)) {
        self.record(at)
            .profiles
            .iter_mut()
            .flatten()
            .for_each(change);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn forgetting_never_makes_an_answer_surer(
        changes in proptest::collection::vec((0u8..22, -400i64..400), 0..6),
        forgotten in proptest::collection::vec(0u8..12, 1..4),
    ) {
        let (mut org, at) = Org::with_mac();
        for (kind, days) in changes {
            change(&mut org, at, kind, days);
        }
        let before = org.diagnosis(at.okta, "ann");
        let mut less = org.clone();
        for &kind in &forgotten {
            forget(&mut less, at, kind);
        }
        let after = less.diagnosis(at.okta, "ann");
        // Without a listing of certificates the state of the profile is the MDM's last word, and proves its entry.
        let last_word = forgotten.contains(&4)
            && matches!(after.stage, Stage::ProfileAssigned | Stage::ProfileDelivered);
        if before.cause == after.cause && !last_word {
            prop_assert!(after.confidence <= before.confidence, "{before:#?} {after:#?}");
        }
        if before.cause == Cause::InsufficientEvidence && !last_word {
            prop_assert!(after.confidence < Confidence::High, "{before:#?} {after:#?}");
        }
        if less.seen.okta.confirmed.is_empty() {
            prop_assert!(after.confidence <= Confidence::Medium);
        }
    }

    #[test]
    fn every_answer_carries_its_evidence(
        changes in proptest::collection::vec((0u8..22, -400i64..400), 0..8),
    ) {
        let (mut org, at) = Org::with_mac();
        for (kind, days) in changes {
            change(&mut org, at, kind, days);
        }
        let diagnosis = org.diagnosis(at.okta, "ann");
        prop_assert!(diagnosis.evidence.iter().any(|one| one.fact.starts_with("link.management_status")));
        let undecided = diagnosis.cause == Cause::InsufficientEvidence;
        prop_assert_eq!(undecided, undecided_because(&diagnosis).is_some());
        prop_assert!(diagnosis.rivals.iter().all(|rival| rival.cause != diagnosis.cause));
    }
}
