//! Graph's collections: `@odata.nextLink` is followed byte for byte until it is absent; there is no other end.

use serde::de::DeserializeOwned;

use super::IntuneClient;
use crate::{
    decode::Page,
    http::{Call, Endpoint},
    traits::Result,
};

/// More pages than the largest tenant has: a listing that goes in circles ends as an error.
const MOST_PAGES: usize = 10_000;

impl IntuneClient {
    /// Every record of a collection.
    pub(super) async fn collection<T: DeserializeOwned + Send + 'static>(
        &self,
        endpoint: &'static Endpoint,
        first: Call,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        let mut next = Some(first);
        let mut pages = 0;
        while let Some(call) = next {
            let page = self.page(&call).await?;
            all.extend(page.records.records);
            next = self.following(endpoint, page.next, &mut pages)?;
        }
        Ok(all)
    }

    /// One page of a collection.
    pub(super) async fn page<T: DeserializeOwned + Send + 'static>(
        &self,
        call: &Call,
    ) -> Result<Page<T>> {
        let page: Page<T> = self.http.read(call).await?.json().await?;
        page.records.warn_of_skipped(self.name.as_str());
        Ok(page)
    }

    /// The call for the page after.
    pub(super) fn following(
        &self,
        endpoint: &'static Endpoint,
        next: Option<String>,
        pages: &mut usize,
    ) -> Result<Option<Call>> {
        *pages += 1;
        if *pages > MOST_PAGES {
            return Err(self.unreadable(endpoint.path, "the listing does not end"));
        }
        Ok(next.map(|link| Call::link(endpoint, link)))
    }
}
