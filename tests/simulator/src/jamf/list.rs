//! Paging, sorting and filtering that all lists of the Pro API share.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::answer::Refusal;
use super::rsql::Filter;
use crate::scalar::Scalar;

/// The largest page; a larger `page-size` is cut down to it without a word.
const MAX_PAGE_SIZE: usize = 2000;

/// The query string, with keys that may repeat.
pub(super) type Query = Vec<(String, String)>;

/// Every value of a key; comma lists count as several.
pub(super) fn values<'a>(query: &'a Query, key: &str) -> Vec<&'a str> {
    query
        .iter()
        .filter(|(name, _)| name == key)
        .flat_map(|(_, value)| value.split(','))
        .filter(|value| !value.is_empty())
        .collect()
}

/// A parsed list request.
#[derive(Debug)]
pub(super) struct ListRequest {
    page: usize,
    size: usize,
    sort: Vec<(String, bool)>,
    pub(super) filter: Option<Filter>,
}

impl ListRequest {
    /// Reads `page`, `page-size`, `sort` and `filter`.
    pub(super) fn parse(query: &Query, default_sort: &str) -> Result<Self, Refusal> {
        let number = |key: &'static str, default: usize| match values(query, key).first() {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|error| Refusal::invalid(key, format!("{text}: {error}"))),
        };
        let mut sort = values(query, "sort");
        if sort.is_empty() {
            sort = vec![default_sort];
        }
        let sort = sort
            .into_iter()
            .map(|entry| match entry.split_once(':') {
                Some((field, direction)) => (field.to_owned(), direction == "desc"),
                None => (entry.to_owned(), false),
            })
            .collect();
        let text = query.iter().find(|(name, _)| name == "filter");
        let filter = match text.map(|(_, value)| value.as_str()) {
            None | Some("") => None,
            Some(value) => {
                let parsed = Filter::parse(value);
                Some(parsed.map_err(|reason| Refusal::invalid("filter", reason))?)
            }
        };
        Ok(Self {
            page: number("page", 0)?,
            size: number("page-size", 100)?.clamp(1, MAX_PAGE_SIZE),
            sort,
            filter,
        })
    }

    /// The keys of one page and how many match in all. `field` is `None` for an unknown name.
    pub(super) fn select<K: Copy>(
        &self,
        keys: impl Iterator<Item = K>,
        field: &dyn Fn(K, &str) -> Option<Scalar>,
    ) -> Result<(usize, Vec<K>), Refusal> {
        let mut keys = keys.peekable();
        if let Some(first) = keys.peek().copied() {
            let filtered = self.filter.iter().flat_map(Filter::fields);
            if let Some(name) = filtered
                .into_iter()
                .find(|name| field(first, name).is_none())
            {
                return Err(Refusal::invalid("filter", format!("unknown field {name}")));
            }
            let sorted = self
                .sort
                .iter()
                .find(|(name, _)| field(first, name).is_none());
            if let Some((name, _)) = sorted {
                return Err(Refusal::invalid("sort", format!("unknown field {name}")));
            }
        }
        let mut matching: Vec<K> = keys
            .filter(|key| {
                self.filter.as_ref().is_none_or(|filter| {
                    filter.matches(&|name| field(*key, name).unwrap_or(Scalar::Absent))
                })
            })
            .collect();
        // Keys come in the order of their ids.
        if self.sort != [("id".to_owned(), false)] {
            self.order(&mut matching, field);
        }
        let total = matching.len();
        let page = matching
            .into_iter()
            .skip(self.page.saturating_mul(self.size))
            .take(self.size)
            .collect();
        Ok((total, page))
    }

    fn order<K: Copy>(&self, keys: &mut Vec<K>, field: &dyn Fn(K, &str) -> Option<Scalar>) {
        let values = |key: K| -> Vec<Scalar> {
            let fields = self.sort.iter();
            fields
                .map(|(name, _)| field(key, name).unwrap_or(Scalar::Absent))
                .collect()
        };
        let mut keyed: Vec<(Vec<Scalar>, K)> =
            keys.iter().map(|key| (values(*key), *key)).collect();
        keyed.sort_by(|(a, _), (b, _)| {
            for ((x, y), (_, descending)) in a.iter().zip(b).zip(&self.sort) {
                let order = match descending {
                    true => y.order(x),
                    false => x.order(y),
                };
                if order != Ordering::Equal {
                    return order;
                }
            }
            Ordering::Equal
        });
        *keys = keyed.into_iter().map(|(_, key)| key).collect();
    }
}

/// The envelope of every list.
pub(super) fn page(total: usize, results: Vec<Value>) -> Value {
    json!({"totalCount": total, "results": results})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Query {
        let owned = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        owned.collect()
    }

    fn select(pairs: &[(&str, &str)]) -> Result<(usize, Vec<u32>), Refusal> {
        let request = ListRequest::parse(&query(pairs), "id:asc")?;
        request.select(0..2500_u32, &|key, name| {
            (name == "id").then(|| Scalar::Number(i64::from(key)))
        })
    }

    #[test]
    fn page_size_above_2000_is_cut_down_silently() {
        let (total, page) = select(&[("page-size", "5000")]).unwrap();
        assert_eq!((total, page.len()), (2500, 2000));
        let (_, rest) = select(&[("page-size", "5000"), ("page", "1")]).unwrap();
        assert_eq!((rest.len(), rest[0]), (500, 2000));
    }

    #[test]
    fn descending_order_and_filter_apply_before_the_page_is_cut() {
        let asked = [
            ("sort", "id:desc"),
            ("page-size", "2"),
            ("filter", "id=lt=10"),
        ];
        assert_eq!(select(&asked).unwrap(), (10, vec![9, 8]));
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(select(&[("filter", "colour==red")]).is_err());
        assert!(select(&[("sort", "colour:asc")]).is_err());
    }
}
