//! The way to "managed" as bars: the last sweep, moved on by what repairs have proved since.

use serde::Serialize;

use super::picture::{self, Picture};
use crate::{
    domain::{Finding, Hop, RepairState, Stage, verify::HopState},
    sweep::subject_key as key,
    wording,
};

/// The bars, in order; a device-user stuck at one is in none from there on.
const BARS: [(&str, &str); 6] = [
    ("in_mdm", "in MDM"),
    ("profile_assigned", "profile assigned"),
    ("profile_delivered", "profile delivered"),
    ("certificate", "certificate"),
    ("signed_in_since", "signed in since"),
    ("managed", "managed"),
];

/// One bar.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Bar {
    /// Word in addresses.
    pub(super) id: &'static str,
    /// Words beside it.
    pub(super) name: &'static str,
    /// How many got here.
    pub(super) reached: usize,
    /// How many got to the bar before and not here.
    pub(super) stuck: usize,
}

/// The whole picture.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Funnel {
    /// Device-users in scope.
    pub(super) total: usize,
    /// Device-users out of it.
    pub(super) out_of_scope: usize,
    /// From the MDM to managed.
    pub(super) bars: Vec<Bar>,
}

/// A device-user that is stuck at a bar.
#[derive(Debug, Serialize)]
pub(super) struct Stuck {
    /// For its timeline.
    pub(super) key: String,
    /// `MBP-0114 · ann@acme.com`
    pub(super) who: String,
    /// What is wrong and what has to happen.
    pub(super) sentence: String,
    /// How it stands.
    pub(super) now: String,
}

/// Counts.
pub(super) fn funnel(picture: &Picture) -> Option<Funnel> {
    let sweep = picture.sweep.as_ref()?;
    let mut stuck = [0; BARS.len()];
    for finding in &sweep.findings {
        if let Some(bar) = place(picture, finding) {
            stuck[bar] += 1;
        }
    }
    let total = (sweep.counts.managed + sweep.findings.len()).max(1);
    let mut reached = total;
    let bars = BARS
        .iter()
        .zip(stuck)
        .map(|(&(id, name), stuck)| {
            reached -= stuck;
            Bar {
                id,
                name,
                reached,
                stuck,
            }
        })
        .collect();
    Some(Funnel {
        total,
        out_of_scope: sweep.counts.out_of_scope,
        bars,
    })
}

/// Who is stuck at a bar.
pub(super) fn stuck_at(picture: &Picture, bar: &str) -> Vec<Stuck> {
    let here = |finding: &&Finding| place(picture, finding).is_some_and(|at| BARS[at].0 == bar);
    picture
        .findings()
        .iter()
        .filter(here)
        .map(|finding| Stuck {
            key: key(finding),
            who: wording::who(finding),
            sentence: wording::sentence(finding),
            now: standing(picture, finding),
        })
        .collect()
}

/// What happens with a finding now.
pub(super) fn standing(picture: &Picture, finding: &Finding) -> String {
    if let (Some(device), Some(user)) = (&finding.device_id, &finding.user_id) {
        if let Some(repair) = picture.repair_of(device, user) {
            return wording::repair_state(&repair.state);
        }
        let proposal = picture.proposals.iter().rev().find(|proposal| {
            let mut subjects = proposal
                .plan
                .repairs
                .iter()
                .flat_map(|repair| &repair.subjects);
            subjects.any(|subject| subject.device_id == *device && subject.user_id == *user)
        });
        if let Some(proposal) = proposal {
            return format!(
                "{} {}",
                proposal.id,
                wording::proposal_state(proposal.state)
            );
        }
    }
    finding.why_not.map_or_else(
        || "proposed".to_owned(),
        |why| wording::why_not(why).to_owned(),
    )
}

/// The first bar that a finding has not reached; `None`: managed by now.
fn place(picture: &Picture, finding: &Finding) -> Option<usize> {
    let found = match finding.stage {
        Stage::Unknown | Stage::MdmEnrolled => 0,
        Stage::ProfileAssigned => 1,
        Stage::ProfileDelivered => 2,
        Stage::CertIssued | Stage::CertPresent => 3,
        Stage::OvRegistered | Stage::FastpassAfterCert => 4,
        Stage::PolicyAsks | Stage::Managed => 5,
    };
    let (Some(device), Some(user)) = (&finding.device_id, &finding.user_id) else {
        return Some(found);
    };
    let Some(repair) = picture.repair_of(device, user) else {
        return Some(found);
    };
    if matches!(
        repair.state,
        RepairState::Managed | RepairState::CuredByItself
    ) {
        return None;
    }
    let proved = picture::progress(repair)
        .hops
        .into_iter()
        .filter(|hop| matches!(hop.state, HopState::Proved { .. }))
        .map(|hop| match hop.hop {
            Hop::CheckedIn => 1,
            Hop::ProfileDelivered => 3,
            Hop::CertPresent => 4,
            Hop::CertBound | Hop::Managed => 5,
        })
        .max();
    Some(found.max(proved.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_first_sweep_there_is_no_funnel() {
        assert_eq!(funnel(&Picture::default()), None);
        assert!(stuck_at(&Picture::default(), "in_mdm").is_empty());
    }
}
