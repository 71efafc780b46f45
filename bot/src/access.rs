//! Asks Okta whether a user keeps every app in the FastPass group. Simulated sign-ins; nothing is changed.

use connectors::{OktaReader, SimulatedDevice};

use crate::domain::{AccessCheck, GroupId, Platform, PolicyFacts, planning::access};

/// Simulates each policy that names the group, with the user's groups and with one more, on a computer that is not
/// managed yet and on one that is.
pub async fn check(
    okta: &dyn OktaReader,
    policies: &PolicyFacts,
    groups: &[GroupId],
    group: &GroupId,
    platform: Platform,
) -> AccessCheck {
    let not_provable = |reason: String| AccessCheck::NotProvable { reason };
    if !policies.complete {
        return not_provable("the access policies were not read whole".into());
    }
    let joined: Vec<GroupId> = groups.iter().chain([group]).cloned().collect();
    let mut asked = 0;
    for (policy, app) in access::policies_about(policies, group) {
        for managed in [false, true] {
            let device = SimulatedDevice { platform, managed };
            let today = okta.simulate_access(app, groups, device).await;
            let joined = okta.simulate_access(app, &joined, device).await;
            let compared = match (&today, &joined) {
                (Ok(today), Ok(joined)) => {
                    access::compare(policy, app, today.as_deref(), joined.as_deref())
                }
                (Err(error), _) | (_, Err(error)) => not_provable(error.to_string()),
            };
            if compared != AccessCheck::Kept {
                return compared;
            }
            asked += 1;
        }
    }
    if asked == 0 {
        return not_provable(format!(
            "no rule of a policy with apps names the group {group}"
        ));
    }
    AccessCheck::Kept
}
