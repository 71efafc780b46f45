//! Query options of Graph's collections: `$select`, `$filter`, `$top`, `$skiptoken`, `$expand`.

use axum::http::Uri;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::odata::Filter;
use crate::scalar::Scalar;

/// The query string.
pub(super) type Query = Vec<(String, String)>;

/// Parsed options.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) select: Option<Vec<String>>,
    pub(super) filter: Option<Filter>,
    pub(super) expand: Vec<String>,
    top: Option<usize>,
    after: Option<String>,
    skips: bool,
}

impl Options {
    /// Reads the options; anything that does not parse is a 400.
    pub(super) fn parse(query: &Query) -> Result<Self, Refusal> {
        let value = |key: &str| {
            let found = query.iter().find(|(name, _)| name == key);
            found
                .map(|(_, value)| value.as_str())
                .filter(|value| !value.is_empty())
        };
        let list = |key: &str| -> Option<Vec<String>> {
            value(key).map(|text| text.split(',').map(|name| name.trim().to_owned()).collect())
        };
        let top = match value("$top").map(str::parse) {
            None => None,
            Some(Ok(top)) if top > 0 => Some(top),
            Some(_) => return Err(Refusal::bad_request("Invalid value for $top")),
        };
        let filter = value("$filter").map(Filter::parse).transpose();
        let filter = filter
            .map_err(|reason| Refusal::bad_request(format!("Invalid filter clause: {reason}")))?;
        let after = match value("$skiptoken") {
            None => None,
            Some(token) => {
                let decoded = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
                let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
                Some(decoded.ok_or_else(|| Refusal::bad_request("Skip token is malformed"))?)
            }
        };
        Ok(Self {
            select: list("$select"),
            filter,
            expand: list("$expand").unwrap_or_default(),
            top,
            after,
            skips: value("$skip").is_some_and(|skip| skip != "0"),
        })
    }

    /// Refuses a filter on a property that cannot be filtered by.
    pub(super) fn allow_filter(&self, fields: &[&str]) -> Result<(), Refusal> {
        let named = self.filter.iter().flat_map(Filter::fields);
        match named.into_iter().find(|name| !fields.contains(name)) {
            None => Ok(()),
            Some(name) => Err(Refusal::bad_request(format!(
                "Could not find a property named '{name}' that can be filtered by."
            ))),
        }
    }

    /// Whether a record passes the filter.
    pub(super) fn admits(&self, type_name: &str, field: &dyn Fn(&str) -> Scalar) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.matches(field, type_name))
    }

    /// After which key the page begins.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The size of a page, at most `largest`.
    pub(super) fn page_size(&self, largest: usize) -> usize {
        self.top.map_or(largest, |top| top.min(largest))
    }

    /// Keeps the selected properties of a record.
    pub(super) fn project(&self, mut row: Value) -> Value {
        if let (Some(select), Value::Object(fields)) = (&self.select, &mut row) {
            fields.retain(|name, _| name.starts_with("@odata") || select.contains(name));
        }
        row
    }

    /// One page. `rows` yields each record's key and itself, from the page's first on; `uri` is the
    /// request's below `base`.
    pub(super) fn page(
        &self,
        uri: &Uri,
        base: &str,
        largest: usize,
        rows: impl Iterator<Item = (String, Value)>,
    ) -> Value {
        let size = self.page_size(largest);
        let mut value = Vec::new();
        let mut last = None;
        let mut more = false;
        // Paging by `$skip` answers empty pages past the first (msgraph-beta-sdk-dotnet issue 681).
        for (key, row) in rows.take(if self.skips { 0 } else { size + 1 }) {
            if value.len() == size {
                more = true;
                break;
            }
            last = Some(key);
            value.push(self.project(row));
        }
        let path = uri.path();
        let mut body = json!({
            "@odata.context": format!("{base}/$metadata#{}", path.trim_start_matches('/')),
            "@odata.count": value.len(),
            "value": value,
        });
        if let Some(last) = last.filter(|_| more) {
            let kept: Vec<&str> = uri
                .query()
                .into_iter()
                .flat_map(|query| query.split('&'))
                .filter(|pair| {
                    !pair.starts_with("$skiptoken=") && !pair.starts_with("%24skiptoken=")
                })
                .collect();
            let token = format!("$skiptoken={}", BASE64_URL_SAFE_NO_PAD.encode(last));
            let query = kept
                .into_iter()
                .chain([&*token])
                .collect::<Vec<_>>()
                .join("&");
            body["@odata.nextLink"] = format!("{base}{path}?{query}").into();
        }
        body
    }
}
