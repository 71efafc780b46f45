//! Rules that ask nobody, others, too late, or the wrong thing.

use crate::{AccessPolicy, AccessRule, Assumption, Cause, Confidence, Evidence, Stage, Want};

use super::{Asked, Covers, covers, on_platform};
use crate::diagnose::{
    entry::{Entry, On, Prove, Section},
    facts::Facts,
    fleet::OrgChange,
    verdict::{Found, Gap, Verdict, open},
};

/// The last change of a policy, which is where people look first.
fn last_change(facts: &Facts<'_, '_>) -> Option<Evidence> {
    let change = facts
        .fleet
        .last_change(OrgChange::PolicyChanged, facts.okta_now())?;
    let actor = change.actor.as_deref().unwrap_or("unknown");
    Some(facts.okta_says(&change.event_type, format!("by {actor}"), Some(change.at)))
}

fn found(
    facts: &Facts<'_, '_>,
    cause: Cause,
    confidence: Confidence,
    mut evidence: Vec<Evidence>,
) -> Found {
    let change = last_change(facts);
    let since = change.as_ref().and_then(|change| change.about);
    evidence.extend(change);
    Found::new(cause, confidence, evidence).since(since)
}

/// C50: no active rule asks anybody for a managed or registered device.
pub(in crate::diagnose) static NO_RULE: Entry = Entry {
    cause: Cause::PolicyNoManagedRule,
    section: Section::FastPass,
    stage: Some(Stage::PolicyAsks),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "no active rule of a policy with apps has `device.managed` or `device.registered` true; a rule for registered devices alone leaves it open",
    person: "Okta admin: a rule Registered and Managed, first for a bookmark app; the bot never edits policies",
    neighbours: &[Cause::FastpassDisabled, Cause::PolicyAppNotMapped],
    prove: Prove::OfUser(no_rule),
};

fn no_rule(facts: &Facts<'_, '_>) -> Verdict {
    if *facts.asked() != Asked::ByNoRule {
        return Verdict::NoFault("a rule asks for devices, or the policies were not read whole");
    }
    let evidence = vec![facts.okta_says("policy.rules_that_ask", "none", None)];
    found(
        facts,
        Cause::PolicyNoManagedRule,
        Confidence::High,
        evidence,
    )
    .into()
}

/// C54: rules ask for managed devices, none of them covers this user.
pub(in crate::diagnose) static USER_OUT_OF_SCOPE: Entry = Entry {
    cause: Cause::PolicyUserOutOfScope,
    section: Section::FastPass,
    stage: Some(Stage::PolicyAsks),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "every rule that asks for managed devices names other people, or excludes this user",
    person: "Okta admin: membership of the group, after a look at what else it brings",
    neighbours: &[
        Cause::CertExpired,
        Cause::OvRegistrationIncomplete,
        Cause::PolicyRuleShadowed,
    ],
    prove: Prove::OfUser(user_out_of_scope),
};

fn user_out_of_scope(facts: &Facts<'_, '_>) -> Verdict {
    match facts.usable_certificate() {
        Ok(Some(_)) => {}
        Ok(None) => return Verdict::NoFault("the certificate comes first"),
        Err(gap) => return gap.into(),
    }
    match facts.asked() {
        Asked::ByRule(_) => Verdict::NoFault("a rule asks this user for a managed device"),
        Asked::ByNoRule => Verdict::NoFault("no active rule asks anybody for a managed device"),
        Asked::Unknown(Some(want)) if refused_since_certificate(facts) => {
            Gap::new("the user's groups are not known, so that it cannot be told whether a rule covers the user")
                .wanting(want.clone())
                .into()
        }
        Asked::Unknown(_) => Verdict::NoFault("nothing says that the rules leave this user out"),
        Asked::NotOfThisUser => {
            let mut evidence = facts.certificate_evidence();
            let policies = &facts.observations().okta.policies.access_policies;
            let rules = policies.iter().flat_map(|policy| &policy.rules);
            for rule in rules.filter(|rule| rule.managed == Some(true)).take(3) {
                evidence.push(facts.okta_says("rule.does_not_cover_user", &rule.name, None));
            }
            // The repair widens access, so it asks for proof that Okta Verify could use it.
            let enrolled = facts.detail.and_then(|detail| detail.fastpass_enrolled);
            let wants = match enrolled {
                Some(_) => Vec::new(),
                None => vec![Want::UserFactors {
                    user: facts.link.user_id.clone(),
                }],
            };
            let confidence = facts.certificate.confidence;
            let mut found = Found::new(Cause::PolicyUserOutOfScope, confidence, evidence);
            found.wants = wants;
            found.into()
        }
    }
}

/// Whether a FastPass sign-in since the certificate said "not managed".
fn refused_since_certificate(facts: &Facts<'_, '_>) -> bool {
    let refused = facts.fastpass.and_then(|seen| seen.last_unmanaged);
    facts
        .certificate
        .issued_at
        .is_some_and(|issued| refused > Some(issued))
}

/// C51: for this user an earlier rule without a device condition wins wherever one asks.
pub(in crate::diagnose) static SHADOWED: Entry = Entry {
    cause: Cause::PolicyRuleShadowed,
    section: Section::FastPass,
    stage: Some(Stage::PolicyAsks),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "in every policy that asks this user, an earlier rule matches the user on any device, and the user signed in since the certificate without being managed",
    person: "Okta admin: reorder the rules",
    neighbours: &[
        Cause::PolicyRegisteredNotManagedRule,
        Cause::PolicyUserOutOfScope,
        Cause::FastpassNoSigninSinceCert,
    ],
    prove: Prove::OfUser(shadowed),
};

fn shadowed(facts: &Facts<'_, '_>) -> Verdict {
    const IN_TURN: Verdict =
        Verdict::NoFault("no earlier rule is known to win over the one that asks");
    if !matches!(facts.asked(), Asked::ByRule(_)) {
        return IN_TURN;
    }
    let (Ok(Some(_)), Some(ready)) = (facts.usable_certificate(), facts.ready()) else {
        return Verdict::NoFault("the certificate comes first");
    };
    let log = &facts.observations().log;
    let signed_in = log
        .sign_ins
        .get(&facts.link.user_id)
        .filter(|at| **at > ready);
    let Some(signed_in) = signed_in else {
        return Verdict::NoFault("the user has not signed in since the certificate");
    };
    let policies = &facts.observations().okta.policies.access_policies;
    let mut earlier: Option<(&AccessPolicy, &AccessRule)> = None;
    for policy in policies.iter().filter(|policy| !policy.app_ids.is_empty()) {
        match turn_in(facts, policy) {
            Turn::NotAsked => {}
            Turn::After(rule) => earlier = earlier.or(Some((policy, rule))),
            Turn::First | Turn::Unknown => return IN_TURN,
        }
    }
    let Some((policy, rule)) = earlier else {
        return IN_TURN;
    };
    let evidence = vec![
        facts.okta_says("policy", &policy.name, None),
        facts.okta_says("rule.wins_before", &rule.name, None),
        facts.okta_says(
            "sign_in.last",
            super::super::facts::time(*signed_in),
            Some(*signed_in),
        ),
    ];
    found(
        facts,
        Cause::PolicyRuleShadowed,
        Confidence::Medium,
        evidence,
    )
    .into()
}

/// When the rule that asks gets its turn for this user in one policy.
enum Turn<'a> {
    NotAsked,
    First,
    After(&'a AccessRule),
    Unknown,
}

fn turn_in<'a>(facts: &Facts<'_, 'a>, policy: &'a AccessPolicy) -> Turn<'a> {
    let groups = facts.detail.and_then(|detail| detail.groups.as_deref());
    let here = || {
        policy
            .rules
            .iter()
            .filter(|rule| on_platform(rule, facts.device))
            .map(|rule| (rule, covers(rule, facts.link, groups)))
    };
    let asks = here()
        .filter(|(rule, covers)| rule.managed == Some(true) && *covers == Covers::Yes)
        .min_by_key(|(rule, _)| rule.priority);
    let Some((asks, _)) = asks else {
        return Turn::NotAsked;
    };
    let before = here()
        .filter(|(rule, covers)| rule.priority < asks.priority && *covers != Covers::No)
        .min_by_key(|(rule, _)| rule.priority);
    match before {
        None => Turn::First,
        Some((rule, Covers::Yes)) if has_no_device_condition(rule) => Turn::After(rule),
        Some(_) => Turn::Unknown,
    }
}

fn has_no_device_condition(rule: &AccessRule) -> bool {
    rule.registered.is_none() && rule.managed.is_none() && !rule.other_device_condition
}

/// C52: a rule for registered, not managed devices takes the user.
pub(in crate::diagnose) static NOT_MANAGED_RULE: Entry = Entry {
    cause: Cause::PolicyRegisteredNotManagedRule,
    section: Section::FastPass,
    stage: Some(Stage::PolicyAsks),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::Medium,
    evidence: "a rule Registered and Not managed denies this user, and FastPass failed since the certificate; everything before it is proved",
    person: "Okta admin: reorder or loosen the rule",
    neighbours: &[Cause::PolicyRuleShadowed, Cause::FastpassProbeBlocked],
    prove: Prove::OfUser(not_managed_rule),
};

fn not_managed_rule(facts: &Facts<'_, '_>) -> Verdict {
    let refused = facts.refused();
    let failed = super::super::fastpass::struggled(facts);
    if !matches!(facts.usable_certificate(), Ok(Some(_))) || refused.max(failed).is_none() {
        return Verdict::NoFault("nothing was refused since the certificate");
    }
    let groups = facts.detail.and_then(|detail| detail.groups.as_deref());
    let policies = &facts.observations().okta.policies.access_policies;
    let takes = policies
        .iter()
        .filter(|policy| !policy.app_ids.is_empty())
        .flat_map(|policy| &policy.rules)
        .filter(|rule| rule.registered == Some(true) && rule.managed == Some(false))
        .filter(|rule| on_platform(rule, facts.device))
        .find(|rule| covers(rule, facts.link, groups) == Covers::Yes);
    match (takes, failed) {
        (None, _) => {
            Verdict::NoFault("no rule for registered, not managed devices covers the user")
        }
        (Some(rule), Some(failed)) if rule.denies => {
            let mut evidence = facts.certificate_evidence();
            evidence.push(facts.okta_says("rule.takes_not_managed", &rule.name, None));
            evidence.push(
                facts
                    .okta_says(
                        "fastpass.failed",
                        super::super::facts::time(failed),
                        Some(failed),
                    )
                    .assuming(Assumption::FastpassDevice),
            );
            found(
                facts,
                Cause::PolicyRegisteredNotManagedRule,
                Confidence::Medium,
                evidence,
            )
            .into()
        }
        // It takes every device that is not managed yet, for whatever reason.
        (Some(_), _) => open(
            "a rule for registered, not managed devices takes the user until the device is managed",
            "in the policy's access test, see which rule a managed device of this user would match",
        ),
    }
}
