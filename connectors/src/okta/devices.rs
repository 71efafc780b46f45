//! Device records and their users.

use unstuck_domain::{DeviceConfirmation, DeviceId, OktaDevice};

use super::endpoints::{DEVICE_USERS, LIST_DEVICES};
use super::{OktaClient, SOURCE, next_page, wire};
use crate::http::{Call, Lenient};
use crate::{ConnectorError, Progress, Result, error::ErrorKind};

/// The largest page that the Devices API gives.
const PAGE: &str = "200";

impl OktaClient {
    /// The whole list, every platform and status. `userSummary` embeds the links with their management status; where
    /// it does not (a known slip), `users` is `None` and the record must be read by id.
    pub(super) async fn list_devices(&self, progress: &dyn Progress) -> Result<Vec<OktaDevice>> {
        let first = Call::new(&LIST_DEVICES)
            .query("limit", PAGE)
            .query("expand", "userSummary");
        let mut devices = Vec::new();
        self.pages(first, &LIST_DEVICES, |page: Lenient<wire::Device>| {
            devices.extend(page.records.into_iter().map(OktaDevice::from));
            progress.read(SOURCE, "devices", devices.len() as u64, None);
        })
        .await?;
        Ok(devices)
    }

    /// The users of one record by id. Whether this call ever pages is UNVERIFIED; a next link is followed.
    pub(super) async fn confirm_device(&self, id: &DeviceId) -> Result<DeviceConfirmation> {
        let mut call = Call::new(&DEVICE_USERS).param(id.as_str());
        let mut users = Vec::new();
        let mut last: Option<String> = None;
        loop {
            let answer = match self.http.read(&call).await {
                Ok(answer) => answer,
                Err(error) if error.is_not_found() => return self.gone(error),
                Err(error) => return Err(error),
            };
            let read_at = self.read_at(&answer)?;
            let next = next_page(&answer, last.as_deref())?;
            // A link that does not parse would look like a link that is gone, so here the whole page must parse.
            let page: Vec<wire::DeviceUser> = answer.json().await?;
            users.extend(page.into_iter().map(Into::into));
            let Some(next) = next else {
                return Ok(DeviceConfirmation {
                    read_at,
                    last_updated: None,
                    users: Some(users),
                });
            };
            call = Call::link(&DEVICE_USERS, next.clone());
            last = Some(next);
        }
    }

    fn gone(&self, not_found: ConnectorError) -> Result<DeviceConfirmation> {
        let read_at = self.http.clock().now().ok_or(ConnectorError {
            kind: ErrorKind::Unreadable {
                detail: "the answer carries no Date header".to_owned(),
                maybe_sent: false,
            },
            ..not_found
        })?;
        Ok(DeviceConfirmation {
            read_at,
            last_updated: None,
            users: None,
        })
    }
}
