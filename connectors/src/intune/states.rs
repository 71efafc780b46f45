//! Intune's words for the state of a profile on a device → the domain's, and how several rows become one.

use chrono::{DateTime, Utc};
use unstuck_domain::{ProfileId, ProfileState};

use super::{csv::Row, wire};
use crate::decode;

/// The state of one profile on one device.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Standing {
    pub(super) state: ProfileState,
    pub(super) since: Option<DateTime<Utc>>,
}

impl Standing {
    /// Of several rows (one per account that uses the device) the one that says most.
    pub(super) fn merge(self, other: Self) -> Self {
        if rank(&other.state) > rank(&self.state) {
            other
        } else {
            self
        }
    }
}

/// An error outweighs a success of another account, and any account's success its being out of scope for the rest.
fn rank(state: &ProfileState) -> u8 {
    match state {
        ProfileState::Failed { .. } => 6,
        ProfileState::Conflict => 5,
        ProfileState::Installed => 4,
        ProfileState::Pending => 3,
        ProfileState::NotApplicable => 2,
        ProfileState::NotAssigned => 1,
        ProfileState::Unknown => 0,
    }
}

/// `complianceStatus` of `deviceConfigurationStates` and `deviceStatuses`; `compliant` shows as "Succeeded".
pub(super) fn state_of(word: Option<&str>, error: impl FnOnce() -> String) -> ProfileState {
    match word.unwrap_or_default().to_ascii_lowercase().as_str() {
        "compliant" | "remediated" | "succeeded" => ProfileState::Installed,
        "noncompliant" | "error" | "failed" => ProfileState::Failed { error: error() },
        "conflict" => ProfileState::Conflict,
        "notapplicable" => ProfileState::NotApplicable,
        "notassigned" => ProfileState::NotAssigned,
        "pending" | "inprogress" => ProfileState::Pending,
        _ => ProfileState::Unknown,
    }
}

/// A row of `DeviceStatusesByConfigurationProfile`: device id and standing. The text comes first; the number beside it
/// follows the order of `complianceStatus` (UNVERIFIED but for 2, which is live "Succeeded").
pub(super) fn of_report_row(row: &Row<'_>) -> Option<(String, Standing)> {
    let device = row.get("IntuneDeviceId")?.to_ascii_lowercase();
    let by_number = match row.get("PolicyStatus") {
        Some("1") => "notApplicable",
        Some("2" | "3") => "compliant",
        Some("4") => "nonCompliant",
        Some("5") => "error",
        Some("6") => "conflict",
        Some("7") => "notAssigned",
        _ => "unknown",
    };
    let text = row.get("ReportStatus").unwrap_or_default();
    let state = match state_of(Some(text), || text.to_owned()) {
        ProfileState::Unknown => state_of(Some(by_number), || by_number.to_owned()),
        state => state,
    };
    let since = row.get("PspdpuLastModifiedTimeUtc").and_then(decode::time);
    Some((device, Standing { state, since }))
}

/// An entry of the legacy `deviceStatuses`. Its id has three parts; that the last is the device is UNVERIFIED.
pub(super) fn of_device_status(status: &wire::DeviceStatus) -> Option<(String, Standing)> {
    let device = status.id.rsplit('_').next()?.to_ascii_lowercase();
    let word = status.status.as_deref();
    let state = state_of(word, || word.unwrap_or_default().to_owned());
    Some((
        device,
        Standing {
            state,
            since: status.last_reported_date_time,
        },
    ))
}

/// How a profile stands by the rows of one device; `None`: there is no row for it.
pub(super) fn of_states(
    states: &[wire::ConfigurationState],
    profile: &ProfileId,
    name: &str,
) -> Option<ProfileState> {
    states
        .iter()
        .filter(|row| {
            let id = row.id.as_deref().unwrap_or_default();
            // Whether the id of a row holds the profile's is not documented; its name always does.
            id.to_ascii_lowercase()
                .contains(&profile.as_str().to_ascii_lowercase())
                || row.display_name.as_deref() == Some(name)
        })
        .map(|row| Standing {
            state: state_of(row.state.as_deref(), || error_text(row)),
            since: None,
        })
        .reduce(Standing::merge)
        .map(|standing| standing.state)
}

/// The first setting that failed, in Intune's own words.
fn error_text(row: &wire::ConfigurationState) -> String {
    let failed = row.setting_states.iter().find(|setting| {
        setting
            .error_code
            .as_deref()
            .is_some_and(|code| code != "0")
            || matches!(setting.state.as_deref(), Some("error" | "nonCompliant"))
    });
    let state = row.state.clone().unwrap_or_default();
    let Some(setting) = failed else {
        return state;
    };
    let words = setting.error_description.clone();
    let words = words
        .or_else(|| setting.setting_name.clone())
        .unwrap_or(state);
    match setting
        .error_code
        .as_deref()
        .and_then(|code| code.parse::<i64>().ok())
    {
        // HRESULTs are known by their hexadecimal spelling.
        Some(code) if code != 0 => format!("{words} (0x{:08x})", code as u32),
        _ => words,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::intune::csv::Rows;

    #[test]
    fn words_are_read_in_any_case_and_unknown_ones_stay_unknown() {
        let failed = ProfileState::Failed { error: "e".into() };
        for (word, expected) in [
            ("compliant", ProfileState::Installed),
            ("Succeeded", ProfileState::Installed),
            ("remediated", ProfileState::Installed),
            ("nonCompliant", failed.clone()),
            ("Error", failed),
            ("conflict", ProfileState::Conflict),
            ("NotApplicable", ProfileState::NotApplicable),
            ("notAssigned", ProfileState::NotAssigned),
            ("Pending", ProfileState::Pending),
            ("unknown", ProfileState::Unknown),
            ("somethingNew", ProfileState::Unknown),
        ] {
            assert_eq!(state_of(Some(word), || "e".into()), expected, "{word}");
        }
        assert_eq!(state_of(None, || "e".into()), ProfileState::Unknown);
    }

    #[test]
    fn report_row_falls_back_to_the_number() {
        let text = "IntuneDeviceId,ReportStatus,PolicyStatus,PspdpuLastModifiedTimeUtc\n\
            A1,Succeeded,2,2026-08-01 10:00:00.0000000\nA2,,5,\nA3,,9,\n,Succeeded,2,\n";
        let mut rows = Rows::new(text.as_bytes()).unwrap();
        let mut read = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            read.extend(of_report_row(&row));
        }
        assert_eq!(read.len(), 3, "a row without device is no row");
        assert_eq!(read[0].0, "a1");
        assert_eq!(read[0].1.state, ProfileState::Installed);
        assert_eq!(read[0].1.since, decode::time("2026-08-01T10:00:00Z"));
        assert!(matches!(read[1].1.state, ProfileState::Failed { .. }));
        assert_eq!(read[2].1.state, ProfileState::Unknown);
    }

    #[test]
    fn rows_of_a_device_become_one_state_with_the_error_in_words() {
        let states: Vec<wire::ConfigurationState> = serde_json::from_value(json!([
            {"id": "x_P1_y", "displayName": "other", "state": "compliant", "settingStates": []},
            {"id": "z", "displayName": "Okta SCEP", "state": "error", "settingStates": [
                {"settingName": "ok", "state": "compliant", "errorCode": 0},
                {"settingName": "Certificate", "state": "error", "errorCode": -2016345712_i64, "errorDescription": null}]},
            {"id": "q", "displayName": "Wi-Fi", "state": "conflict"}
        ]))
        .unwrap();
        assert_eq!(
            of_states(&states, &"p1".into(), "Okta SCEP"),
            Some(ProfileState::Failed {
                error: "Certificate (0x87d10190)".into()
            })
        );
        assert_eq!(of_states(&states, &"p2".into(), "SCEP 2"), None);
    }
}
