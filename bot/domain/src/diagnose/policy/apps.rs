//! Apps whose policy asks nobody.

use crate::{AccessPolicy, Cause, Confidence, EventClass, Stage};

use super::Asked;
use crate::diagnose::{
    entry::{Entry, On, Prove, Section},
    facts::Facts,
    verdict::{Found, Verdict},
};

/// C53: the user opens only apps whose policies do not ask for a device.
pub(in crate::diagnose) static APP_NOT_MAPPED: Entry = Entry {
    cause: Cause::PolicyAppNotMapped,
    section: Section::FastPass,
    stage: Some(Stage::PolicyAsks),
    on: On::Desktops,
    mdms: "all",
    confidence: Confidence::High,
    evidence: "every app that the user opened since the certificate has a policy without a rule that asks for a device, though others have one; medium without coverage since",
    person: "Ask the user to open an app whose policy asks; Okta admin: map the app",
    neighbours: &[
        Cause::PolicyUserOutOfScope,
        Cause::FastpassNoSigninSinceCert,
    ],
    prove: Prove::OfUser(app_not_mapped),
};

fn app_not_mapped(facts: &Facts<'_, '_>) -> Verdict {
    if !matches!(facts.asked(), Asked::ByRule(_)) {
        return Verdict::NoFault("no rule is known to ask this user anywhere");
    }
    let (Ok(Some(_)), Some(ready)) = (facts.usable_certificate(), facts.ready()) else {
        return Verdict::NoFault("the certificate comes first");
    };
    if facts.last_fastpass().is_some_and(|at| at > ready) {
        return Verdict::NoFault("there was a FastPass sign-in after the certificate was issued");
    }
    let log = &facts.observations().log;
    let opened = log.apps_opened.get(&facts.link.user_id);
    let since = || opened.into_iter().flatten().filter(|(_, at)| **at > ready);
    let Some(last) = since().map(|(_, at)| *at).max() else {
        return Verdict::NoFault(
            "the user is not known to have opened an app since the certificate",
        );
    };
    let asks = |app: &str| {
        let policies = &facts.observations().okta.policies.access_policies;
        let of_app = |policy: &&AccessPolicy| policy.app_ids.iter().any(|id| id == app);
        policies.iter().find(of_app).is_some_and(|policy| {
            policy
                .rules
                .iter()
                .any(|rule| rule.managed == Some(true) || rule.registered == Some(true))
        })
    };
    if since().any(|(app, _)| asks(app)) {
        return Verdict::NoFault("the user opens an app whose policy asks for a device");
    }
    let mut evidence = facts.certificate_evidence();
    evidence.extend(
        since()
            .take(3)
            .map(|(app, at)| facts.okta_says("app.opened", app, Some(*at))),
    );
    // The first app that asks may have been opened before the log was read.
    let confidence = match log
        .coverage(EventClass::FastPass)
        .proves_absence_since(ready)
    {
        true => Confidence::High,
        false => Confidence::Medium,
    };
    Found::new(
        Cause::PolicyAppNotMapped,
        confidence.min(facts.certificate.confidence),
        evidence,
    )
    .since(Some(last))
    .into()
}
