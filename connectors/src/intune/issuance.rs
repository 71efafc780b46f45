//! What Intune keeps of certificate requests. UNVERIFIED: that these lists are still served, that Windows has one, and
//! that rows appear at all for Okta's CA. So a row is evidence, and its absence is none.

use std::collections::HashMap;

use unstuck_domain::{AttestationProfile, Issuance, MdmDevice};

use super::{IntuneClient, endpoints, profiles::scep_type, reader::optional, wire};
use crate::{decode::Page, http::Call, traits::Result};

/// Most rows are of requests that went well, and there is no documented filter: so many pages are read, no more.
const MOST_PAGES: usize = 10;
/// States that say no more than the certificate's own row does.
const GOOD: [&str; 5] = [
    "issued",
    "enrollmentSucceeded",
    "enrollmentNotNeeded",
    "renewVerified",
    "installed",
];

/// Requests that did not go well, by the lower-case name of their device.
pub(super) type Issuances = HashMap<String, Issuance>;

impl IntuneClient {
    /// Requests of all attestation profiles.
    pub(super) async fn issuances(&self, profiles: &[AttestationProfile]) -> Result<Issuances> {
        let mut found = Issuances::new();
        for profile in profiles {
            let Some(kind) = scep_type(profile.platform) else {
                continue;
            };
            let call = Call::new(&endpoints::CERTIFICATE_STATES)
                .param(profile.id.as_str())
                .param(kind);
            let (mut next, mut pages) = (Some(call), 0);
            while let Some(call) = next.filter(|_| pages < MOST_PAGES) {
                let page: Option<Page<wire::CertificateState>> = optional(self.page(&call).await)?;
                let Some(page) = page else { break };
                for state in page.records.records {
                    add(&mut found, state);
                }
                next = self.following(&endpoints::CERTIFICATE_STATES, page.next, &mut pages)?;
            }
        }
        Ok(found)
    }
}

pub(super) fn add(found: &mut Issuances, row: wire::CertificateState) {
    let (Some(device), Some(state)) = (row.device_display_name, row.certificate_issuance_state)
    else {
        return;
    };
    let issuance = Issuance {
        error_code: row
            .certificate_error_code
            .and_then(|code| code.parse().ok())
            .filter(|code| *code != 0),
        since: row.certificate_last_issuance_state_changed_date_time,
        state,
    };
    let newest = found
        .entry(device.to_lowercase())
        .or_insert_with(|| issuance.clone());
    if newest.since < issuance.since {
        *newest = issuance;
    }
}

/// Gives each device its row. A name that several devices have tells nothing.
pub(super) fn join(devices: &mut [MdmDevice], mut found: Issuances) {
    found.retain(|_, issuance| !GOOD.contains(&issuance.state.as_str()));
    if found.is_empty() {
        return;
    }
    let mut named: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, device) in devices.iter().enumerate() {
        let name = device.name.to_lowercase();
        if found.contains_key(&name) {
            named.entry(name).or_default().push(at);
        }
    }
    for (name, places) in named {
        if let [only] = places.as_slice() {
            devices[*only].issuance = found.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row(device: &str, state: Value, at: &str) -> wire::CertificateState {
        serde_json::from_value(
            json!({"deviceDisplayName": device, "certificateIssuanceState": state,
            "certificateErrorCode": 12, "certificateLastIssuanceStateChangedDateTime": at}),
        )
        .unwrap()
    }

    #[test]
    fn newest_state_counts_and_nameless_or_odd_rows_do_not() {
        let mut found = Issuances::new();
        add(
            &mut found,
            row("PC-1", json!("challengeIssued"), "2026-08-01T10:00:00Z"),
        );
        add(
            &mut found,
            row("pc-1", json!("issueFailed"), "2026-08-02T10:00:00Z"),
        );
        add(
            &mut found,
            row("PC-1", json!("requested"), "0001-01-01T00:00:00Z"),
        );
        add(
            &mut found,
            row("", json!("issueFailed"), "2026-08-02T10:00:00Z"),
        );
        add(
            &mut found,
            row("PC-2", json!(["x"]), "2026-08-02T10:00:00Z"),
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found["pc-1"].state, "issueFailed");
        assert_eq!(found["pc-1"].error_code, Some(12));
    }
}
