//! What the bot believes of the vendors and no document settles, against what this org's own data says.

use crate::{
    doctor::{
        check::{Checklist, Section},
        tenant::Tenant,
    },
    domain::Assumption,
};

pub(super) fn examine(tenant: &Tenant, list: &mut Checklist) {
    list.section(Section::Assumptions);
    for belief in Assumption::ALL {
        let id = format!("assumption.{belief}");
        let tally = tenant.beliefs.get(belief).copied().unwrap_or_default();
        let claim = belief.claim();
        match (tally.confirmed, tally.contradicted) {
            (0, 0) => list.skipped(id, format!("{claim}: no data yet; sweeps gather it")),
            (confirmed, 0) => list.ok(id, format!("{claim}: confirmed {}", times(confirmed))),
            (confirmed, contradicted) if !tally.refutes() => list.ok(
                id,
                format!("{claim}: confirmed {}, contradicted {}", times(confirmed), times(contradicted)),
            ),
            (confirmed, contradicted) => list.warning(
                id,
                format!("{claim}: contradicted {}, confirmed {}", times(contradicted), times(confirmed)),
                "nothing to do: diagnoses that rest on it count one step less; please report it with `unstuck doctor --json`",
            ),
        }
    }
}

fn times(count: u64) -> String {
    match count {
        0 => "never".into(),
        1 => "once".into(),
        2 => "twice".into(),
        more => format!("{more} times"),
    }
}
