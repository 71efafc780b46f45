//! Matches that a person makes: this Okta record is that MDM record. They count as a strong match from the next sweep on.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::{
    chat::{messages, mrkdwn},
    domain::{DeviceId, MatchStrength, MdmDeviceId, MdmName},
    store::{ManualLink, NewAuditEntry, NewMessage, Store, StoreError, Together},
};

/// Why no match was made or undone.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A reason is part of the record.
    #[error("say why: a reason is part of the record")]
    ReasonMissing,
    /// The Okta record was in no sweep.
    #[error("no Okta device {0} was seen in the last sweep; `unstuck why` finds its id")]
    UnknownDevice(DeviceId),
    /// The MDM record was in no sweep.
    #[error(
        "no record {device} of {mdm} was seen in the last sweep; its id is in the MDM's own console"
    )]
    UnknownRecord {
        /// The MDM.
        mdm: MdmName,
        /// Its record.
        device: MdmDeviceId,
    },
    /// The serial number or hardware UUID says otherwise, and knows better than a person.
    #[error(
        "{device} is matched to {record} of {mdm} by its own serial number; a person's word cannot change that"
    )]
    MatchedAlready {
        /// Okta's record.
        device: DeviceId,
        /// The MDM.
        mdm: MdmName,
        /// Its record.
        record: MdmDeviceId,
    },
    /// Nothing to undo.
    #[error("nobody has linked {0}")]
    NotLinked(DeviceId),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a match. It replaces an earlier one of the same Okta record; both records must have been seen.
pub async fn link(store: &Store, link: &ManualLink) -> Result<(), Refusal> {
    if link.reason.trim().is_empty() {
        return Err(Refusal::ReasonMissing);
    }
    let device = &link.device;
    let subjects = store.find_subjects("", device.as_str(), "").await?;
    let findings = store.open_findings().await?;
    let of_device: Vec<_> = findings
        .values()
        .map(|record| &record.finding)
        .filter(|finding| finding.device_id.as_ref() == Some(device))
        .collect();
    if subjects.is_empty() && of_device.is_empty() {
        return Err(Refusal::UnknownDevice(device.clone()));
    }
    let linked_before = store.links().await?.iter().any(|old| old.device == *device);
    let strong = of_device
        .iter()
        .find(|finding| finding.match_strength == MatchStrength::Strong && !linked_before);
    if let Some((mdm, record)) =
        strong.and_then(|finding| finding.mdm.clone().zip(finding.mdm_device_id.clone()))
    {
        return Err(Refusal::MatchedAlready {
            device: device.clone(),
            mdm,
            record,
        });
    }
    let known = findings.values().any(|record| {
        record.finding.mdm.as_ref() == Some(&link.mdm)
            && record.finding.mdm_device_id.as_ref() == Some(&link.mdm_device)
    }) || store
        .find_subjects("", link.mdm_device.as_str(), "")
        .await?
        .iter()
        .any(|subject| subject.mdm.as_ref() == Some(&link.mdm));
    if !known {
        return Err(Refusal::UnknownRecord {
            mdm: link.mdm.clone(),
            device: link.mdm_device.clone(),
        });
    }
    let what = format!("{device} is {} of {}", link.mdm_device, link.mdm);
    let (message, audit) = told("link.made", &what, &link.by, &link.reason, link.at);
    store
        .save_link(
            link,
            Together {
                messages: &[message],
                audit: &[audit],
            },
        )
        .await?;
    Ok(())
}

/// Undoes a match.
pub async fn unlink(
    store: &Store,
    device: &DeviceId,
    by: &str,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<(), Refusal> {
    if reason.trim().is_empty() {
        return Err(Refusal::ReasonMissing);
    }
    let what = format!("{device} is no longer linked by hand");
    let (message, audit) = told("link.undone", &what, by, reason, at);
    let together = Together {
        messages: &[message],
        audit: &[audit],
    };
    match store.remove_link(device, together).await? {
        true => Ok(()),
        false => Err(Refusal::NotLinked(device.clone())),
    }
}

fn told(
    kind: &str,
    what: &str,
    by: &str,
    reason: &str,
    at: DateTime<Utc>,
) -> (NewMessage, NewAuditEntry) {
    let line = format!(
        ":link: {} says: *{}*: {}",
        mrkdwn::person(by),
        mrkdwn::escape(what),
        mrkdwn::escape(reason.trim())
    );
    let message = messages::notice_marked(
        &format!("{kind}:{what}:{}", at.timestamp_millis()),
        &line,
        at,
    );
    let audit = NewAuditEntry {
        kind: kind.into(),
        about: what.into(),
        at,
        payload: json!({ "by": by, "reason": reason.trim() }),
    };
    (message, audit)
}
