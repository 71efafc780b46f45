//! Jamf's listings, to the last page. Paging is by number, so a record that is deleted meanwhile shifts the rest: a
//! shrinking total sends the listing one page back.

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::de::DeserializeOwned;
use unstuck_domain::MdmDevice;

use super::{
    JamfClient,
    computers::{Context, device},
    endpoints, wire,
};
use crate::{
    ConnectorError, Progress,
    decode::Page,
    error::ErrorKind,
    http::{Call, Endpoint},
    traits::Result,
};

/// Above 2000 the server clamps without saying so.
const PAGE_SIZE: usize = 1000;
/// Older commands say nothing about how a profile stands today.
pub(super) const COMMAND_AGE: TimeDelta = TimeDelta::days(30);

/// Sections of an inventory record; applications only by id, for they are most of its size.
pub(super) const SECTIONS: [&str; 7] = [
    "GENERAL",
    "HARDWARE",
    "OPERATING_SYSTEM",
    "USER_AND_LOCATION",
    "CONFIGURATION_PROFILES",
    "CERTIFICATES",
    "GROUP_MEMBERSHIPS",
];

/// Where a listing stands.
struct Paging {
    page: usize,
    total: Option<u64>,
}

impl Paging {
    fn start() -> Self {
        Self {
            page: 0,
            total: None,
        }
    }

    /// Whether there is more after a page of `len` records. The total decides, never a short page.
    fn advance(&mut self, len: usize, total: u64) -> std::result::Result<bool, &'static str> {
        let shrunk = self.total.is_some_and(|before| total < before);
        self.total = Some(total);
        if shrunk && self.page > 0 {
            self.page -= 1;
            return Ok(true);
        }
        let end = (self.page * PAGE_SIZE + len) as u64;
        if end >= total {
            return Ok(false);
        }
        if len < PAGE_SIZE {
            return Err("a page is shorter than the total asks for");
        }
        self.page += 1;
        Ok(true)
    }
}

impl JamfClient {
    /// Every computer of our platforms. At most one page is held undecoded.
    pub(super) async fn inventory(
        &self,
        context: Arc<Context>,
        progress: &dyn Progress,
    ) -> Result<Vec<MdmDevice>> {
        let mut devices = Vec::new();
        let mut paging = Paging::start();
        let mut seen: HashSet<String> = HashSet::new();
        loop {
            let endpoint = if self.inventory_is_old() {
                &endpoints::INVENTORY_V3
            } else {
                &endpoints::INVENTORY_V4
            };
            let mut call = paged(endpoint, paging.page).query("sort", "id:asc");
            for section in SECTIONS {
                call = call.query("section", section);
            }
            let page: Page<wire::Computer> = match self.http.read(&call).await {
                Ok(answer) => self.page(answer).await?,
                Err(error) if error.is_not_found() && !self.inventory_is_old() => {
                    self.use_old_inventory();
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (len, total) = (page.len(), self.total(endpoint, &page)?);
            let mut computers = page.records.records;
            computers.retain(|computer| seen.insert(computer.id.clone()));
            let context = Arc::clone(&context);
            let read = move || -> Vec<MdmDevice> {
                let records = computers.into_iter();
                records.map(|record| device(record, &context)).collect()
            };
            let read = tokio::task::spawn_blocking(read).await;
            let read = read.map_err(|_cut| self.unreadable(endpoint, "decoding was cut off"))?;
            devices.extend(
                read.into_iter()
                    .filter(|device| self.platforms.contains(&device.platform)),
            );
            progress.read(
                self.name.as_str(),
                "computers",
                seen.len() as u64,
                Some(total),
            );
            if !self.advance(endpoint, &mut paging, len, total)? {
                return Ok(devices);
            }
        }
    }

    /// Every entry of a filtered list.
    pub(super) async fn list<T: DeserializeOwned + Send + 'static>(
        &self,
        endpoint: &'static Endpoint,
        filter: &str,
        sort: Option<&str>,
    ) -> Result<Vec<T>> {
        let mut paging = Paging::start();
        let mut all = Vec::new();
        loop {
            let mut call = paged(endpoint, paging.page).query("filter", filter);
            if let Some(sort) = sort {
                call = call.query("sort", sort);
            }
            let answer = self.http.read(&call).await?;
            let page: Page<T> = self.page(answer).await?;
            let (len, total) = (page.len(), self.total(endpoint, &page)?);
            all.extend(page.records.records);
            if !self.advance(endpoint, &mut paging, len, total)? {
                return Ok(all);
            }
        }
    }

    /// Install and removal commands of some profile or client, sent since then.
    pub(super) async fn profile_commands(
        &self,
        of: &str,
        since: DateTime<Utc>,
    ) -> Result<Vec<wire::Command>> {
        let since = since.to_rfc3339_opts(SecondsFormat::Millis, true);
        let filter =
            format!("{of};command=in=(INSTALL_PROFILE,REMOVE_PROFILE);dateSent=ge={since}");
        self.list(&endpoints::MDM_COMMANDS, &filter, Some("dateSent:asc"))
            .await
    }

    /// Management ids of the computers whose push is off, lower case. Servers before 11.25 lack the call: unknown.
    pub(super) async fn disabled_push(&self) -> Result<Option<HashSet<String>>> {
        let listed: Result<Vec<wire::DisabledPush>> = self
            .list(&endpoints::PUSH_STATUS, "deviceType==\"COMPUTER\"", None)
            .await;
        match listed {
            Ok(clients) => {
                let ids = clients
                    .into_iter()
                    .filter_map(|client| client.management_id);
                Ok(Some(ids.map(|id| id.to_ascii_lowercase()).collect()))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn use_old_inventory(&self) {
        tracing::debug!(
            source = self.name.as_str(),
            "no v4 of the inventory, asking for v3"
        );
        self.old_inventory
            .store(true, std::sync::atomic::Ordering::Relaxed);
    }

    async fn page<T: DeserializeOwned + Send + 'static>(
        &self,
        answer: crate::http::Answer,
    ) -> Result<Page<T>> {
        let page: Page<T> = answer.json().await?;
        page.records.warn_of_skipped(self.name.as_str());
        Ok(page)
    }

    fn total<T>(&self, endpoint: &Endpoint, page: &Page<T>) -> Result<u64> {
        page.total.ok_or_else(|| {
            self.unreadable(
                endpoint,
                "the page has no totalCount, so its end is unknown",
            )
        })
    }

    fn advance(
        &self,
        endpoint: &Endpoint,
        paging: &mut Paging,
        len: usize,
        total: u64,
    ) -> Result<bool> {
        let more = paging.advance(len, total);
        more.map_err(|why| self.unreadable(endpoint, why))
    }

    pub(super) fn unreadable(&self, endpoint: &Endpoint, detail: &str) -> ConnectorError {
        self.error(
            &format!("{} {}", endpoint.method, endpoint.path),
            ErrorKind::Unreadable {
                detail: detail.to_owned(),
                maybe_sent: false,
            },
        )
    }
}

fn paged(endpoint: &'static Endpoint, page: usize) -> Call {
    Call::new(endpoint)
        .query("page", page.to_string())
        .query("page-size", PAGE_SIZE.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn total_ends_the_listing_and_a_short_page_does_not() {
        let mut paging = Paging::start();
        assert_eq!(paging.advance(1000, 1500), Ok(true));
        assert_eq!(paging.page, 1);
        assert_eq!(paging.advance(500, 1500), Ok(false));
        assert!(Paging::start().advance(10, 1500).is_err());
        assert_eq!(Paging::start().advance(0, 0), Ok(false));
    }

    #[test]
    fn deletion_meanwhile_goes_one_page_back() {
        let mut paging = Paging::start();
        assert_eq!(paging.advance(1000, 2500), Ok(true));
        assert_eq!(paging.advance(1000, 2499), Ok(true));
        assert_eq!(paging.page, 0, "the page before may hold what moved up");
        assert_eq!(paging.advance(1000, 2499), Ok(true));
        assert_eq!(paging.page, 1);
    }
}
