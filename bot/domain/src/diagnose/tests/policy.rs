//! Section 4: the policies.

use super::*;

const OUT: Answer = (
    Cause::PolicyUserOutOfScope,
    Confidence::High,
    Stage::PolicyAsks,
);

#[test]
fn a_rule_for_other_groups_leaves_the_user_out() {
    mac(OUT, |org, _| {
        org.rule().groups_include = vec!["00gFastpass".into()];
        org.detail("ann").groups = Some(vec!["00gOther".into()]);
    });
}

#[test]
fn a_member_is_covered() {
    mac(PENDING, |org, _| {
        org.rule().groups_include = vec!["00gFastpass".into()];
        org.detail("ann").groups = Some(vec!["00gFastpass".into()]);
    });
}

#[test]
fn an_excluded_user_is_left_out_whatever_the_groups() {
    mac(OUT, |org, _| {
        org.rule().users_exclude = vec!["00uann".into()]
    });
}

#[test]
fn unread_groups_are_wanted_and_lower_the_confidence() {
    let (mut org, at) = Org::with_mac();
    org.rule().groups_include = vec!["00gFastpass".into()];
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert_eq!(
        (diagnosis.cause, diagnosis.confidence),
        (PENDING.0, Confidence::Medium)
    );
    assert_eq!(
        diagnosis.wants,
        [Want::UserGroups {
            user: "00uann".into()
        }]
    );
}

#[test]
fn an_expired_certificate_comes_before_the_policy() {
    mac(EXPIRED, |org, at| {
        expire(org, at);
        org.rule().users_exclude = vec!["00uann".into()];
    });
}

#[test]
fn a_rule_that_asks_for_registered_only_leaves_it_open() {
    let expected = (PENDING.0, Confidence::Medium, PENDING.2);
    mac(expected, |org, _| org.rule().managed = None);
}

#[test]
fn a_user_whom_the_next_rule_denies_is_blocked() {
    let (mut org, at) = Org::with_mac();
    let mut deny = org.rule().clone();
    deny.managed = None;
    deny.registered = None;
    deny.priority = 2;
    deny.denies = true;
    assert!(!crate::diagnose::is_blocked(
        &org.subject(at.okta, "ann"),
        &org.settings
    ));
    org.seen.okta.policies.access_policies[0].rules.push(deny);
    assert!(crate::diagnose::is_blocked(
        &org.subject(at.okta, "ann"),
        &org.settings
    ));
}

/// A second policy, with apps of its own and a rule that asks for nothing.
fn add_open_policy(org: &mut Org) {
    let mut policy = org.seen.okta.policies.access_policies[0].clone();
    policy.id = "rst2".to_owned();
    policy.app_ids = vec!["0oaOpen".to_owned()];
    policy.rules[0].managed = None;
    policy.rules[0].registered = None;
    org.seen.okta.policies.access_policies.push(policy);
}

fn open_app(org: &mut Org, app: &str, days: i64) {
    let apps = org.seen.log.apps_opened.entry("00uann".into()).or_default();
    apps.insert(app.to_owned(), days_ago(days));
}

#[test]
fn a_user_who_opens_only_apps_that_do_not_ask_is_never_proved() {
    let expected = (
        Cause::PolicyAppNotMapped,
        Confidence::High,
        Stage::PolicyAsks,
    );
    mac(expected, |org, _| {
        add_open_policy(org);
        open_app(org, "0oaOpen", 2);
    });
    mac(PENDING, |org, _| {
        add_open_policy(org);
        open_app(org, "0oaOpen", 2);
        open_app(org, "0oa1", 3);
    });
    // Opened before the certificate was there: it says nothing.
    mac(PENDING, |org, _| {
        add_open_policy(org);
        open_app(org, "0oaOpen", 20);
    });
}

fn shadow(org: &mut Org) {
    let rules = &mut org.seen.okta.policies.access_policies[0].rules;
    let mut first = rules[0].clone();
    first.id = "rul0".to_owned();
    first.priority = 0;
    first.managed = None;
    first.registered = None;
    rules.push(first);
    org.seen.log.sign_ins.insert("00uann".into(), days_ago(1));
}

#[test]
fn an_earlier_rule_without_a_device_condition_wins_over_the_one_that_asks() {
    let shadowed = (
        Cause::PolicyRuleShadowed,
        Confidence::Medium,
        Stage::PolicyAsks,
    );
    mac(shadowed, |org, _| shadow(org));
    let pending = (PENDING.0, Confidence::Medium, PENDING.2);
    // Another policy asks in turn.
    mac(pending, |org, _| {
        let policy = org.seen.okta.policies.access_policies[0].clone();
        shadow(org);
        org.seen.okta.policies.access_policies.push(policy);
    });
    // The earlier rule is for others.
    mac(pending, |org, _| {
        shadow(org);
        let rules = &mut org.seen.okta.policies.access_policies[0].rules;
        rules[1].users_include = vec!["00ueve".into()];
    });
    mac(PENDING, |org, _| {
        shadow(org);
        org.seen.log.sign_ins.clear();
    });
}

#[test]
fn a_rule_for_not_managed_devices_is_named_once_something_fails() {
    let add = |org: &mut Org, denies: bool| {
        let rules = &mut org.seen.okta.policies.access_policies[0].rules;
        let mut rule = rules[0].clone();
        rule.managed = Some(false);
        rule.denies = denies;
        rule.priority = 2;
        rules.push(rule);
    };
    let failed = |org: &mut Org, at: At| {
        let seen = FastPassSeen {
            success: Some(Seen::once(days_ago(20))),
            last_failure: Some(days_ago(1)),
            ..FastPassSeen::default()
        };
        org.sign_in(at.okta, "ann", seen);
    };
    let expected = (
        Cause::PolicyRegisteredNotManagedRule,
        Confidence::Medium,
        Stage::PolicyAsks,
    );
    mac(expected, |org, at| {
        add(org, true);
        failed(org, at);
    });
    mac(PENDING, |org, _| add(org, true));
    let (mut org, at) = Org::with_mac();
    add(&mut org, false);
    failed(&mut org, at);
    let diagnosis = org.diagnosis(at.okta, "ann");
    assert!(to_check(&diagnosis).contains(&Cause::PolicyRegisteredNotManagedRule));
}

#[test]
fn a_policy_fault_tells_the_change_before_it_as_its_onset() {
    let (mut org, at) = Org::with_mac();
    org.seen.okta.policies.access_policies.clear();
    org.change("application.policy.sign_on.update", days_ago(3));
    let symptom = org.diagnosis(at.okta, "ann").symptom.unwrap();
    assert_eq!(symptom.since, Some(days_ago(3)));
    assert_eq!(symptom.text, "policy_no_managed_rule");
}
