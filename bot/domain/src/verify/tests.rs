//! What proves MANAGED, and which hop is waited for.

use chrono::{TimeDelta, TimeZone};

use super::*;
use crate::VerifyRule;

fn at(hour: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 24, 0, 0, 0).unwrap() + TimeDelta::hours(hour)
}

fn managed() -> ManagedEvidence {
    ManagedEvidence {
        by_id: Some((ManagementStatus::Managed, at(20))),
        run_began_at: Some(at(10)),
        certificate_at: Some(at(12)),
        ..ManagedEvidence::default()
    }
}

fn shows(certificates: Visibility, profile_state: bool) -> Shows {
    Shows {
        certificates,
        issuer: false,
        store: false,
        profile_state,
        assignment: false,
        applications: false,
    }
}

#[test]
fn managed_alone_proves_nothing() {
    assert_eq!(proof(&managed()), Proof::NotNew);
    assert_eq!(proof(&ManagedEvidence::default()), Proof::Unread);
}

#[test]
fn managed_is_proved_by_a_flip_a_fastpass_or_a_bind_after_the_certificate() {
    let proved = |change: fn(&mut ManagedEvidence)| {
        let mut evidence = managed();
        change(&mut evidence);
        match proof(&evidence) {
            Proof::Managed { by, .. } => Some(by),
            _ => None,
        }
    };
    assert_eq!(
        proved(|evidence| evidence.not_managed_by_id_at = Some(at(11))),
        Some(ProvedBy::Flip)
    );
    assert_eq!(
        proved(|evidence| evidence.not_managed_by_id_at = Some(at(9))),
        None,
        "before the run"
    );
    assert_eq!(
        proved(|evidence| evidence.fastpass_managed_at = Some(at(13))),
        Some(ProvedBy::FastPass)
    );
    assert_eq!(
        proved(|evidence| evidence.fastpass_managed_at = Some(at(11))),
        None,
        "before the certificate"
    );
    assert_eq!(
        proved(|evidence| evidence.bound_at = Some(at(13))),
        Some(ProvedBy::Bind)
    );
    assert_eq!(
        proved(|evidence| evidence.bound_at = Some(at(12))),
        None,
        "not later than the certificate"
    );
    let without_new_certificate = |evidence: &mut ManagedEvidence| {
        evidence.certificate_at = None;
        evidence.fastpass_managed_at = Some(at(11));
    };
    assert_eq!(proved(without_new_certificate), Some(ProvedBy::FastPass));
}

#[test]
fn not_managed_is_not_overruled_by_any_event() {
    let evidence = ManagedEvidence {
        by_id: Some((ManagementStatus::NotManaged, at(20))),
        fastpass_managed_at: Some(at(19)),
        bound_at: Some(at(19)),
        not_managed_by_id_at: Some(at(11)),
        ..managed()
    };
    assert_eq!(proof(&evidence), Proof::NotManaged);
}

fn rule() -> VerifyRule {
    VerifyRule {
        hops: vec![
            Hop::ProfileDelivered,
            Hop::CertPresent,
            Hop::CertBound,
            Hop::Managed,
        ],
        within_seconds: 1,
    }
}

fn next(shows: Option<&Shows>, evidence: &HopEvidence) -> NextHop {
    next_hop(&hops(&rule(), shows, evidence))
}

#[test]
fn hops_are_waited_for_in_order() {
    let jamf = shows(Visibility::Always, true);
    let mut evidence = HopEvidence::default();
    assert_eq!(
        next(Some(&jamf), &evidence),
        NextHop::WaitFor(Hop::ProfileDelivered)
    );
    evidence.delivered_at = Some(at(11));
    assert_eq!(
        next(Some(&jamf), &evidence),
        NextHop::WaitFor(Hop::CertPresent)
    );
    evidence.certificate_at = Some(at(12));
    evidence.managed = managed();
    assert_eq!(
        next(Some(&jamf), &evidence),
        NextHop::WaitFor(Hop::CertBound)
    );
    evidence.managed.bound_at = Some(at(13));
    assert_eq!(next(Some(&jamf), &evidence), NextHop::Proved);
}

#[test]
fn what_an_mdm_cannot_prove_is_never_waited_for() {
    let intune = shows(Visibility::PresenceOnly, true);
    let evidence = HopEvidence {
        delivered_at: Some(at(11)),
        ..HopEvidence::default()
    };
    let all = hops(&rule(), Some(&intune), &evidence);
    assert_eq!(all[1], (Hop::CertPresent, HopState::NotProvableHere));
    assert_eq!(next_hop(&all), NextHop::WaitFor(Hop::CertBound));
    assert_eq!(
        next(None, &HopEvidence::default()),
        NextHop::WaitFor(Hop::CertBound)
    );
    // What is seen is proved all the same.
    let seen = HopEvidence {
        certificate_at: Some(at(12)),
        ..evidence
    };
    assert_eq!(
        hops(&rule(), Some(&intune), &seen)[1].1,
        HopState::Proved { at: at(12) }
    );
}

#[test]
fn an_unseen_bind_fails_nothing_once_managed_is_proved() {
    let evidence = HopEvidence {
        managed: ManagedEvidence {
            not_managed_by_id_at: Some(at(11)),
            ..managed()
        },
        ..HopEvidence::default()
    };
    assert_eq!(
        next(Some(&shows(Visibility::Always, true)), &evidence),
        NextHop::Proved
    );
}

#[test]
fn a_later_hop_carries_the_earlier_ones() {
    let evidence = HopEvidence {
        certificate_at: Some(at(12)),
        ..HopEvidence::default()
    };
    assert_eq!(
        next(Some(&shows(Visibility::Always, true)), &evidence),
        NextHop::WaitFor(Hop::CertBound)
    );
}
