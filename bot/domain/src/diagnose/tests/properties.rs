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
        21 => org.seen.mdms[JAMF].shows.certificates = Visibility::PresenceOnly,
        _ => change_more(org, at, kind, days),
    }
}

/// What the entries of the CA, of keys, stores, apps, browsers and versions look at.
fn change_more(org: &mut Org, at: At, kind: u8, days: i64) {
    const CHANGES: [&str; 8] = [
        "device.platform.secret_key.reset",
        "device.platform.update",
        "device.platform.delete",
        "pki.ca.renew",
        "pki.ca.delete",
        "pki.cert.crl_download_failure",
        "application.policy.sign_on.update",
        "security.authenticator.lifecycle.deactivate",
    ];
    let when = days_ago(days);
    let pick = days.unsigned_abs() as usize;
    match kind {
        22 => {
            org.change(CHANGES[pick % CHANGES.len()], when);
            org.seen.log.org_changes.sort_by_key(|change| change.at);
        }
        23 => org.attestation_profile(at).modified_at = Some(when),
        24 => {
            let errors = [
                "timed out",
                "challenge",
                "The hash value is not correct",
                "error",
            ];
            let error = errors[pick % errors.len()].to_owned();
            org.profile_or_none(at, |delivery| {
                delivery.state = ProfileState::Failed {
                    error: error.clone(),
                };
            });
        }
        25 => {
            let scep = org.scep(at);
            scep.challenge = [
                None,
                Some(ChallengeKind::Static),
                Some(ChallengeKind::Dynamic),
            ][pick % 3];
            scep.all_apps_access = [None, Some(true), Some(false)][pick % 3];
            scep.digital_signature = [None, Some(true), Some(false)][pick / 3 % 3];
            scep.subject = [None, Some("CN=x".to_owned())][pick % 2].clone();
        }
        26 => org.seen.okta.policies.fastpass_active = Some(days % 2 == 0),
        27 => org.rule().managed = [None, Some(true), Some(false)][pick % 3],
        28 => {
            let apps = org.seen.log.apps_opened.entry("00uann".into()).or_default();
            apps.insert(["0oa1", "0oaOther"][pick % 2].to_owned(), when);
        }
        29 => {
            let seen = OtherSignIn {
                at: when,
                device: None,
                platform: Some(Platform::Macos),
                device_session: days % 3 == 0,
            };
            org.seen.log.other_sign_ins.insert("00uann".into(), seen);
            org.seen.log.sign_ins.insert("00uann".into(), when);
        }
        30 => {
            let seen = FastPassSeen {
                success: Some(Seen::once(when)),
                last_failure: Some(days_ago(days / 2)),
                last_not_resistant: Some(when),
                ..FastPassSeen::default()
            };
            org.sign_in(at.okta, "ann", seen);
        }
        31 => org.record(at).intermediate_present = Some(days % 2 == 0),
        32 => org.record(at).okta_verify_installed = Some(days % 2 == 0),
        33 => org.record(at).command_pending_since = Some(when),
        34 => org.seen.mdms[JAMF].push_certificate_expires_at = Some(when),
        35 => {
            let copy = org.certificate_of(at);
            let other = org.add_record(JAMF, "C02COPY01", "eve");
            org.seen.mdms[JAMF].devices[other].certificates = copy.map(|row| vec![row]);
        }
        36 => org.certificate_or_none(at, |row| row.issuer = Some("CN=Another CA".to_owned())),
        37 => org.settings.issuers.names = vec!["Organization Intermediate Authority".to_owned()],
        38 => org.device(at).serial_number = None,
        39 => org.certificate_or_none(at, |row| row.subject_matches = days % 2 == 0),
        40 => org.device(at).platform = Platform::Windows,
        _ => {
            let minimum = (Platform::Macos, format!("{}.0", pick % 20));
            org.settings.os_minimum.extend([minimum]);
            org.record(at).os_version = Some("12.1".to_owned());
        }
    }
}

const CHANGES: u8 = 42;

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
        11 => org.profile_or_none(at, |delivery| delivery.since = None),
        12 => org.seen.log.org_changes.clear(),
        13 => org.seen.okta.authorities = None,
        14 => org.attestation_profile(at).modified_at = None,
        15 => *org.scep(at) = crate::ScepSettings::default(),
        _ => org.seen.log.browsers.clear(),
    }
}

impl Org {
    fn certificate_of(&mut self, at: At) -> Option<crate::MdmCertificate> {
        self.record(at)
            .certificates
            .iter()
            .flatten()
            .next()
            .cloned()
    }

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
        changes in proptest::collection::vec((0u8..CHANGES, -400i64..400), 0..6),
        forgotten in proptest::collection::vec(0u8..17, 1..4),
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
        changes in proptest::collection::vec((0u8..CHANGES, -400i64..400), 0..8),
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
        // A fault has a symptom, what is not decided has none.
        prop_assert_eq!(undecided, diagnosis.symptom.is_none());
        if let Some(entry) = crate::diagnose::entry::of(diagnosis.cause) {
            prop_assert!(diagnosis.confidence <= entry.confidence, "{}", diagnosis.cause);
        }
    }

    #[test]
    fn a_contradicted_belief_never_makes_an_answer_surer_or_another(
        changes in proptest::collection::vec((0u8..CHANGES, -400i64..400), 0..8),
    ) {
        let (mut org, at) = Org::with_mac();
        for (kind, days) in changes {
            change(&mut org, at, kind, days);
        }
        let before = org.diagnosis(at.okta, "ann");
        org.settings.contradicted = crate::Assumption::ALL.iter().copied().collect();
        let after = org.diagnosis(at.okta, "ann");
        prop_assert_eq!(before.cause, after.cause);
        prop_assert!(after.confidence <= before.confidence);
        let leans = before.evidence.iter().any(|one| one.assumes.is_some());
        let expected = if leans { before.confidence.lowered() } else { before.confidence };
        prop_assert_eq!(after.confidence, expected);
    }

    #[test]
    fn managed_by_id_has_no_finding_whatever_else_is_seen(
        changes in proptest::collection::vec((0u8..CHANGES, -400i64..400), 0..8),
    ) {
        let (mut org, at) = Org::with_mac();
        for (kind, days) in changes {
            change(&mut org, at, kind, days);
        }
        let id = org.device(at).id.clone();
        let last_updated = org.device(at).last_updated;
        let Some(read) = org.seen.okta.confirmed.get_mut(&id) else {
            return Ok(());
        };
        read.last_updated = last_updated;
        for user in read.users.iter_mut().flatten() {
            user.link.management_status = Some(ManagementStatus::Managed);
        }
        prop_assert!(org.findings().findings.is_empty());
    }
}
