//! Section 6: the SSO extension.

use super::*;

/// FastPass failed in that browser, and the user signed in otherwise.
fn failed_in(org: &mut Org, at: At, browser: Option<&str>) {
    let seen = FastPassSeen {
        success: Some(Seen::once(days_ago(20))),
        last_failure: Some(days_ago(2)),
        ..FastPassSeen::default()
    };
    org.sign_in(at.okta, "ann", seen);
    org.seen.log.sign_ins.insert("00uann".into(), days_ago(1));
    let key = (org.device(at).id.clone(), "00uann".into());
    let browser = browser.map(|browser| (key, browser.to_owned()));
    org.seen.log.browsers.extend(browser);
}

fn extension(id: &str) -> SsoExtensionProfile {
    SsoExtensionProfile {
        id: id.into(),
        name: format!("Okta SSO {id}"),
        extension_id: Some("com.okta.mobile.auth-service-extension".to_owned()),
        team_id: Some("B7F62B65BN".to_owned()),
        kind: Some("Credential".to_owned()),
        realm: Some("Okta Device".to_owned()),
        hosts: vec!["acme.okta.com".to_owned()],
        scope: ProfileScope::default(),
    }
}

fn with(profiles: Vec<SsoExtensionProfile>) -> impl FnOnce(&mut Org, At) {
    |org, at| {
        failed_in(org, at, Some("SAFARI 18.1"));
        org.settings.org_hosts = vec!["acme.okta.com".to_owned()];
        let ids = profiles.iter().map(|profile| profile.id.clone());
        org.record(at).sso_extensions = Some(ids.collect());
        org.seen.mdms[JAMF].sso_extensions = Some(profiles);
    }
}

fn expect(cause: Cause, confidence: Confidence) -> Answer {
    (cause, confidence, Stage::FastpassAfterCert)
}

const BLOCKED: Answer = (
    Cause::FastpassProbeBlocked,
    Confidence::Medium,
    Stage::FastpassAfterCert,
);

#[test]
fn safari_without_the_extension_lacks_it() {
    mac(
        expect(Cause::SsoextMissing, Confidence::High),
        with(Vec::new()),
    );
}

#[test]
fn platform_sso_is_another_matter_than_the_extension() {
    let mut platform_sso = extension("psso");
    platform_sso.kind = Some("Redirect".to_owned());
    platform_sso.hosts.clear();
    mac(
        expect(Cause::SsoextMissing, Confidence::High),
        with(vec![platform_sso]),
    );
}

#[test]
fn chrome_does_not_use_the_extension() {
    mac(BLOCKED, |org, at| {
        with(Vec::new())(org, at);
        failed_in(org, at, Some("CHROME 142"));
    });
}

#[test]
fn a_good_extension_leaves_the_loopback() {
    mac(BLOCKED, with(vec![extension("sso")]));
}

#[test]
fn an_mdm_that_does_not_show_extensions_proves_nothing_by_silence() {
    mac(BLOCKED, |org, at| failed_in(org, at, Some("SAFARI 18.1")));
}

#[test]
fn where_nothing_failed_the_extension_is_not_asked_for() {
    mac(PENDING, |org, at| {
        org.record(at).sso_extensions = Some(Vec::new());
        org.seen.mdms[JAMF].sso_extensions = Some(Vec::new());
    });
}

#[test]
fn hosts_and_fixed_values_are_compared() {
    let mut scheme = extension("sso");
    scheme.hosts = vec!["https://acme.okta.com".to_owned()];
    let mut elsewhere = extension("sso");
    elsewhere.hosts = vec!["other.okta.com".to_owned()];
    for profile in [scheme, elsewhere] {
        mac(
            expect(Cause::SsoextWrongHosts, Confidence::High),
            with(vec![profile]),
        );
    }
    let mut team = extension("sso");
    team.team_id = Some("AAAAAAAAAA".to_owned());
    let mut realm = extension("sso");
    realm.realm = Some("Okta".to_owned());
    for profile in [team, realm] {
        mac(
            expect(Cause::SsoextWrongPayload, Confidence::High),
            with(vec![profile]),
        );
    }
    let mut unshown = extension("sso");
    unshown.realm = None;
    mac(BLOCKED, with(vec![unshown]));
}

#[test]
fn two_extensions_are_a_conflict_at_low() {
    mac(
        expect(Cause::SsoextConflict, Confidence::Low),
        with(vec![extension("one"), extension("two")]),
    );
}

#[test]
fn an_extension_beside_a_certificate_that_cannot_be_told_waits_for_it() {
    let (mut org, at) = Org::with_mac();
    with(vec![extension("sso")])(&mut org, at);
    org.record(at).certificates = None;
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(diagnosis.cause, Cause::InsufficientEvidence);
    assert!(to_check(&diagnosis).contains(&Cause::SsoextNeedsCa));
}

#[test]
fn an_unknown_browser_leaves_a_missing_extension_to_a_person() {
    let (mut org, at) = Org::with_mac();
    with(Vec::new())(&mut org, at);
    org.seen.log.browsers.clear();
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(answer(&diagnosis), BLOCKED);
    assert_eq!(to_check(&diagnosis), [Cause::SsoextMissing]);
}
