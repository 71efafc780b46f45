//! Faults that the simulated tenants do not have, as rows; those that they have are tested end to end.

use chrono::TimeDelta;
use connectors::PushCertificate;

use super::examine;
use crate::{
    doctor::{
        check::Status::{self, Failure, Ok as Fine, Skipped, Warning},
        sample::{authority, change, days, profile, rule, secret, sso_extension, tenant},
        tenant::{MdmTenant, ProbeAnswer, Tally, Tenant, Unread},
    },
    domain::{Assumption, AttestationProfile, CertificateStore, KeyStorage, Platform, Renewal},
};

const JAMF: usize = 0;
const INTUNE: usize = 1;

/// Breaks a tenant and compares what is wrong with what is expected, both in the order of the list.
fn told(breaking: impl FnOnce(&mut Tenant), expected: &[(&str, Status)]) {
    let mut tenant = tenant();
    breaking(&mut tenant);
    let report = examine(&tenant);
    let wrong: Vec<(&str, Status)> = report
        .checks
        .iter()
        .filter(|check| matches!(check.status, Warning | Failure))
        .map(|check| (check.id.as_str(), check.status))
        .collect();
    assert_eq!(wrong, expected, "{report:#?}");
    assert_eq!(
        report.ok,
        !expected.iter().any(|(_, status)| *status == Failure)
    );
    for check in report.checks {
        assert!(!check.saw.is_empty(), "{} saw nothing", check.id);
        let wants_advice = matches!(check.status, Warning | Failure);
        assert!(
            !wants_advice || !check.advice.is_empty(),
            "{} has no advice",
            check.id
        );
    }
}

fn status(tenant: &Tenant, id: &str) -> Option<Status> {
    let report = examine(tenant);
    let found = report.checks.iter().find(|check| check.id == id);
    found.map(|check| check.status)
}

fn profile_of(tenant: &mut Tenant, mdm: usize) -> &mut AttestationProfile {
    let setup = tenant.mdms[mdm].setup.as_mut().unwrap();
    &mut setup.profiles[0]
}

fn refused() -> Unread {
    Unread {
        why: "not allowed".into(),
        told: true,
    }
}

#[test]
fn a_tenant_in_order_has_nothing_wrong() {
    told(|_| {}, &[]);
}

#[test]
fn another_org_and_a_wrong_clock_fail() {
    told(
        |tenant| tenant.okta.expected = Some("00o2".into()),
        &[("okta.org", Failure)],
    );
    told(
        |tenant| tenant.okta.ahead = Some(TimeDelta::minutes(-6)),
        &[("okta.clock", Failure)],
    );
    told(
        |tenant| tenant.mdms[JAMF].ahead = Some(TimeDelta::seconds(90)),
        &[("jamf.clock", Warning)],
    );
}

#[test]
fn a_missing_right_is_told_once_and_what_it_hides_is_skipped() {
    told(
        |tenant| {
            tenant.mdms[JAMF].rights[0].ok = false;
            tenant.mdms[JAMF].setup = Err(refused());
        },
        &[("jamf.rights", Failure)],
    );
    told(
        |tenant| {
            tenant.mdms[JAMF].setup = Err(Unread {
                why: "unreadable answer".into(),
                told: false,
            });
        },
        &[("jamf.profile", Failure)],
    );
    told(
        |tenant| {
            tenant.okta.rights[0].ok = false;
            tenant.okta.policies = Err(refused());
            tenant.okta.changes = Err(refused());
        },
        &[("okta.rights", Failure)],
    );
}

#[test]
fn rights_that_only_repairs_need_matter_where_repairs_are_wanted() {
    let missing = |tenant: &mut Tenant| {
        let mut right = crate::doctor::sample::right("sync a device");
        (right.ok, right.optional) = (false, true);
        tenant.mdms[INTUNE].rights.push(right);
    };
    told(missing, &[("intune.repair_rights", Warning)]);
    let mut observing = tenant();
    missing(&mut observing);
    observing.repairs = false;
    assert_eq!(status(&observing, "intune.repair_rights"), Some(Skipped));
}

#[test]
fn secrets_and_certificates_are_announced_before_they_end_and_fail_after() {
    for (ends_in, expected) in [(29, Warning), (-1, Failure)] {
        told(
            |tenant| tenant.mdms[INTUNE].own_secret = Some(Ok(Some(secret(ends_in)))),
            &[("intune.secret_expiry", expected)],
        );
        told(
            |tenant| tenant.mdms[INTUNE].challenge_secret = Some(Ok(Some(secret(ends_in)))),
            &[("intune.challenge_secret", expected)],
        );
        let push = PushCertificate::EndsAt(days(ends_in));
        told(
            |tenant| tenant.mdms[JAMF].setup.as_mut().unwrap().push_certificate = push,
            &[("jamf.push_certificate", expected)],
        );
    }
}

/// What is known of the authorities without Early Access: the servers' answers and the log.
fn without_early_access(tenant: &mut Tenant) {
    tenant.okta.authorities = Ok(None);
}

#[test]
fn without_early_access_servers_and_log_tell_of_the_authority() {
    told(without_early_access, &[]);
    told(
        |tenant| {
            without_early_access(tenant);
            for probe in tenant.probes.values_mut() {
                if let ProbeAnswer::Works(server) = &mut probe.answer {
                    server.certificates[0].expires_at = days(100);
                }
            }
        },
        &[("ca.expiry", Warning)],
    );
    told(
        |tenant| {
            without_early_access(tenant);
            tenant.okta.changes = Ok(vec![change("pki.ca.renew", 20)]);
        },
        &[("ca.rotation", Warning)],
    );
    told(
        |tenant| {
            without_early_access(tenant);
            tenant.okta.changes = Ok(vec![change("pki.ca.renew", 20)]);
            for mdm in [JAMF, INTUNE] {
                profile_of(tenant, mdm).modified_at = Some(days(-1));
            }
        },
        &[],
    );
}

#[test]
fn a_scep_url_is_judged_by_what_is_known_of_it() {
    told(
        |tenant| {
            profile_of(tenant, JAMF).scep.url =
                Some("https://other.okta.com/pki/AB/scep/rac1".into())
        },
        &[("jamf.scep_url", Failure)],
    );
    told(
        |tenant| {
            without_early_access(tenant);
            profile_of(tenant, JAMF).scep.url =
                Some("https://other.okta.com/pki/AB/scep/rac1".into());
        },
        &[("jamf.scep_url", Failure)],
    );
    told(
        |tenant| {
            let authorities = tenant.okta.authorities.as_mut().unwrap().as_mut().unwrap();
            authorities.push(authority("DA", false));
            let url = "https://acme.okta.com/pki/DA/scep/racjamf";
            profile_of(tenant, JAMF).scep.url = Some(url.into());
        },
        &[("jamf.scep_url", Failure)],
    );
    told(
        |tenant| {
            let answer = ProbeAnswer::NoScepServer("not found".into());
            for probe in tenant.probes.values_mut() {
                probe.answer = answer.clone();
            }
        },
        &[("jamf.scep_url", Failure), ("intune.scep_url", Failure)],
    );
    told(
        |tenant| {
            let answer = ProbeAnswer::Unanswered("timed out".into());
            let first = tenant.probes.values_mut().next().unwrap();
            first.answer = answer;
        },
        &[("intune.scep_server", Warning)],
    );
    // A CA of one's own is none of Okta's business.
    told(
        |tenant| {
            profile_of(tenant, JAMF).scep.url =
                Some("http://ndes.acme.com/certsrv/mscep/mscep.dll".into());
        },
        &[],
    );
}

#[test]
fn a_certificate_that_is_not_the_servers_fails_whichever_pin_tells() {
    let other = "00".repeat(20);
    told(
        |tenant| profile_of(tenant, JAMF).scep.ca_fingerprint = Some(other.clone()),
        &[("jamf.ca_certificate", Failure)],
    );
    told(
        |tenant| {
            tenant.probes.clear();
            profile_of(tenant, INTUNE).trust.as_mut().unwrap().key_id = Some(other.clone());
        },
        &[("intune.ca_certificate", Failure)],
    );
}

#[test]
fn a_secret_reset_after_the_last_edit_fails_and_the_log_decides_where_no_edit_shows() {
    let reset = |tenant: &mut Tenant| {
        tenant.okta.changes = Ok(vec![change("device.platform.secret_key.reset", 3)]);
    };
    told(reset, &[("jamf.scep_secret", Failure)]);
    let not_shown = |tenant: &mut Tenant| {
        reset(tenant);
        profile_of(tenant, JAMF).modified_at = None;
    };
    told(
        |tenant| {
            not_shown(tenant);
            tenant.okta.issued.last_seen = Some(days(-4));
        },
        &[("jamf.scep_secret", Warning)],
    );
    told(not_shown, &[]);
    told(
        |tenant| {
            reset(tenant);
            profile_of(tenant, JAMF).modified_at = Some(days(-2));
        },
        &[],
    );
}

#[test]
fn events_of_authorities_want_a_person_for_a_month() {
    told(
        |tenant| tenant.okta.changes = Ok(vec![change("pki.cert.crl_download_failure", 2)]),
        &[("ca.warnings", Warning)],
    );
    told(
        |tenant| tenant.okta.changes = Ok(vec![change("pki.ca.delete", 31)]),
        &[],
    );
}

#[test]
fn settings_of_a_profile_are_judged_one_by_one() {
    type Edit = fn(&mut AttestationProfile);
    let rows: [(usize, Edit, &str, Status); 10] = [
        (
            JAMF,
            |p| p.scep.subject = Some("CN=managementAttestation".into()),
            "jamf.subject",
            Failure,
        ),
        (
            JAMF,
            |p| p.scep.subject = Some("CN=$COMPUTERNAME".into()),
            "jamf.subject",
            Failure,
        ),
        (
            JAMF,
            |p| p.scep.digital_signature = Some(false),
            "jamf.key_usage",
            Failure,
        ),
        (
            INTUNE,
            |p| p.scep.client_authentication = Some(false),
            "intune.extended_key_usage",
            Failure,
        ),
        (
            INTUNE,
            |p| p.scep.key_size = Some(1024),
            "intune.key_size",
            Failure,
        ),
        (
            JAMF,
            |p| p.scep.all_apps_access = Some(false),
            "jamf.key_access",
            Failure,
        ),
        (
            INTUNE,
            |p| p.scep.key_storage = Some(KeyStorage::TpmOnly),
            "intune.key_storage",
            Warning,
        ),
        (
            INTUNE,
            |p| p.store = Some(CertificateStore::Machine),
            "intune.store",
            Warning,
        ),
        (
            INTUNE,
            |p| p.scep.renewal = Some(Renewal::Off),
            "intune.renewal",
            Warning,
        ),
        (
            JAMF,
            |p| p.scep.renewal = Some(Renewal::DaysBefore(3)),
            "jamf.renewal",
            Warning,
        ),
    ];
    for (mdm, edit, id, expected) in rows {
        told(|tenant| edit(profile_of(tenant, mdm)), &[(id, expected)]);
    }
}

#[test]
fn a_setting_that_the_mdm_does_not_show_is_skipped_never_failed() {
    told(
        |tenant| profile_of(tenant, INTUNE).scep = Default::default(),
        &[],
    );
    let mut hidden = tenant();
    profile_of(&mut hidden, INTUNE).scep = Default::default();
    for id in [
        "intune.key_size",
        "intune.subject",
        "intune.scep_url",
        "intune.ca_certificate",
    ] {
        assert_eq!(status(&hidden, id), Some(Skipped), "{id}");
    }
}

#[test]
fn the_trusted_certificate_has_to_reach_everybody() {
    told(
        |tenant| {
            profile_of(tenant, JAMF)
                .trust
                .as_mut()
                .unwrap()
                .scope
                .device_groups
                .clear()
        },
        &[("jamf.trust_profile", Failure)],
    );
    told(
        |tenant| {
            let trust = profile_of(tenant, JAMF).trust.as_mut().unwrap();
            trust.scope.device_groups.clear();
            trust.scope.all_devices = true;
        },
        &[],
    );
    told(
        |tenant| {
            profile_of(tenant, INTUNE).trust = None;
            profile_of(tenant, INTUNE).scep.ca_fingerprint = None;
        },
        &[("intune.trust_profile", Failure)],
    );
}

#[test]
fn a_rule_that_matches_everybody_before_the_one_that_asks_hides_it() {
    told(
        |tenant| {
            let mut first = rule("Anybody");
            (first.registered, first.managed) = (None, None);
            first.groups_include.clear();
            let policies = tenant.okta.policies.as_mut().unwrap();
            policies.access_policies[0].rules.insert(0, first);
        },
        &[("policy.rule_order", Failure)],
    );
    told(
        |tenant| {
            let policies = tenant.okta.policies.as_mut().unwrap();
            policies.access_policies[0].app_ids.clear();
        },
        &[("policy.managed_rule", Failure)],
    );
}

#[test]
fn a_sign_in_app_that_does_not_ask_again_is_no_use() {
    told(
        |tenant| {
            let Some((_, Ok(Some(app)))) = &mut tenant.okta.sign_in_app else {
                panic!("an app")
            };
            app.rules.as_mut().unwrap()[0].asks_again_after = Some(TimeDelta::hours(43_800));
        },
        &[("okta.sign_in_app", Failure)],
    );
    told(
        |tenant| tenant.okta.sign_in_app = Some(("0oa9".into(), Ok(None))),
        &[("okta.sign_in_app", Failure)],
    );
}

#[test]
fn the_group_of_fastpass_gives_nothing_else() {
    told(
        |tenant| {
            let Some((_, Ok(Some(group)))) = &mut tenant.okta.fastpass_group else {
                panic!("a group")
            };
            group.roles = Some(vec!["Help desk administrator".into()]);
        },
        &[("okta.fastpass_group", Failure)],
    );
    told(
        |tenant| {
            let policies = tenant.okta.policies.as_mut().unwrap();
            policies.access_policies[0].rules[0].groups_include = vec!["00g9".into()];
        },
        &[("okta.fastpass_group", Warning)],
    );
}

#[test]
fn a_hold_group_takes_devices_out_of_every_profile() {
    told(
        |tenant| {
            let setup = tenant.mdms[JAMF].setup.as_mut().unwrap();
            let mut second = profile("jamf", Platform::Macos);
            second.id = "14".into();
            second.scope.excluded_groups.clear();
            setup.profiles.push(second);
        },
        &[("jamf.hold_group", Failure)],
    );
}

#[test]
fn a_twin_for_shared_computers_goes_to_the_machine_store() {
    let twin = |tenant: &mut Tenant, store: CertificateStore| {
        let mdm: &mut MdmTenant = &mut tenant.mdms[JAMF];
        let mut twin = profile("jamf", Platform::Macos);
        twin.id = "20".into();
        twin.store = Some(store);
        twin.scope.device_groups = vec!["shared".into()];
        twin.trust.as_mut().unwrap().scope = twin.scope.clone();
        mdm.setup.as_mut().unwrap().profiles.push(twin);
        mdm.targets.machine_profile = Some("20".into());
        mdm.targets.machine_group = Some("shared".into());
        mdm.groups.insert("shared".into(), Ok(Ok(())));
    };
    told(|tenant| twin(tenant, CertificateStore::Machine), &[]);
    told(
        |tenant| twin(tenant, CertificateStore::User),
        &[("jamf.shared_devices", Failure)],
    );
    told(
        |tenant| tenant.mdms[JAMF].targets.machine_profile = Some("20".into()),
        &[("jamf.shared_devices", Failure)],
    );
}

#[test]
fn two_extension_profiles_for_one_host_are_told() {
    told(
        |tenant| {
            let setup = tenant.mdms[JAMF].setup.as_mut().unwrap();
            let mut second = sso_extension();
            second.name = "Another".into();
            setup.sso_extensions.as_mut().unwrap().push(second);
        },
        &[("jamf.sso_conflict", Warning)],
    );
    told(
        |tenant| {
            let setup = tenant.mdms[JAMF].setup.as_mut().unwrap();
            setup.sso_extensions.as_mut().unwrap()[0].hosts = vec!["https://acme.okta.com".into()];
        },
        &[("jamf.sso_hosts", Failure)],
    );
    // Platform SSO is another thing.
    told(
        |tenant| {
            let setup = tenant.mdms[JAMF].setup.as_mut().unwrap();
            setup.sso_extensions.as_mut().unwrap()[0].kind = Some("Redirect".into());
        },
        &[("jamf.sso_extension", Warning)],
    );
}

#[test]
fn nobody_to_approve_fails_only_where_something_is_asked() {
    let nobody = |tenant: &mut Tenant| {
        tenant.approvers.insert("oncall".into(), vec![]);
    };
    told(nobody, &[("slack.approvers", Failure)]);
    told(
        |tenant| {
            nobody(tenant);
            tenant.repairs = false;
        },
        &[],
    );
}

#[test]
fn a_belief_is_refuted_by_several_records_not_by_one() {
    let beliefs = |confirmed, contradicted| {
        move |tenant: &mut Tenant| {
            let tally = Tally {
                confirmed,
                contradicted,
            };
            tenant.beliefs.insert(Assumption::BindEvents, tally);
        }
    };
    told(beliefs(5, 0), &[]);
    told(beliefs(5, 1), &[]);
    told(beliefs(900, 3), &[]);
    told(beliefs(5, 3), &[("assumption.bind_events", Warning)]);
    let mut confirmed = tenant();
    beliefs(5, 0)(&mut confirmed);
    assert_eq!(status(&confirmed, "assumption.bind_events"), Some(Fine));
    assert_eq!(status(&tenant(), "assumption.bind_events"), Some(Skipped));
}
