//! Reading what the MDMs really send: pages with a bad record, "never" as a date, ids as numbers, null for empty.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, IgnoredAny, Visitor},
};

use crate::http::Lenient;

/// One page of a listing. A record that does not parse is counted, and the rest of the page kept.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(crate) struct Page<T> {
    /// The records.
    #[serde(alias = "results", alias = "value")]
    pub(crate) records: Lenient<T>,
    /// All records of the listing, where the vendor tells.
    #[serde(rename = "totalCount", default)]
    pub(crate) total: Option<u64>,
    /// Address of the next page, byte for byte.
    #[serde(rename = "@odata.nextLink", default)]
    pub(crate) next: Option<String>,
}

impl<T> Page<T> {
    /// Records on the page, readable or not.
    pub(crate) fn len(&self) -> usize {
        self.records.records.len() + self.records.skipped
    }
}

/// A time as the MDMs spell it. The years 1, 1601, 1970 and 9999 mean "never": no time.
pub(crate) fn time(text: &str) -> Option<DateTime<Utc>> {
    use chrono::Datelike;
    let text = text.trim();
    let at = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|at| at.to_utc())
        .or_else(|_| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
                .map(|at| at.and_utc())
        })
        .or_else(|_| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc())
        })
        .ok()?;
    (1971..9000).contains(&at.year()).then_some(at)
}

/// Field of type [`time`]; anything unreadable is no time, so that it never loses the record.
pub(crate) fn optional_time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    Ok(optional_text(deserializer)?.as_deref().and_then(time))
}

/// A text or a number as text; null, empty and everything else as none.
pub(crate) fn optional_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(TextVisitor)
}

/// An id as text; missing or empty is an error, for a record without id is no record.
pub(crate) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    optional_text(deserializer)?.ok_or_else(|| de::Error::custom("no id"))
}

/// A list where null means empty.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok((!text.trim().is_empty()).then(|| text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
        Ok((!text.trim().is_empty()).then_some(text))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Record {
        #[serde(deserialize_with = "id")]
        id: String,
        #[serde(default, deserialize_with = "optional_time")]
        at: Option<DateTime<Utc>>,
    }

    #[test]
    fn bad_record_never_loses_the_page() {
        let body =
            br#"{"totalCount":3,"results":[{"id":"1"},{"id":null},{"id":3,"at":{"x":[1]}}]}"#;
        let page: Page<Record> = serde_json::from_slice(body).unwrap();
        assert_eq!(page.len(), 3);
        assert_eq!(page.records.skipped, 1);
        assert_eq!(page.total, Some(3));
        assert_eq!(
            page.records
                .records
                .iter()
                .map(|r| r.id.as_str())
                .collect::<Vec<_>>(),
            ["1", "3"]
        );
        assert_eq!(page.records.records[1].at, None);
    }

    #[test]
    fn graph_page_carries_its_next_address() {
        let body = br#"{"value":[{"id":"a","at":"2026-08-01T10:00:00Z"}],"@odata.nextLink":"https://x/y?$skiptoken=1"}"#;
        let page: Page<Record> = serde_json::from_slice(body).unwrap();
        assert_eq!(page.next.as_deref(), Some("https://x/y?$skiptoken=1"));
        assert!(page.records.records[0].at.is_some());
    }

    #[test]
    fn body_that_is_no_page_is_an_error() {
        assert!(serde_json::from_slice::<Page<Record>>(b"<html>").is_err());
        assert!(serde_json::from_slice::<Page<Record>>(b"{}").is_err());
    }

    #[test]
    fn never_is_no_time_and_every_spelling_is_read() {
        for never in [
            "0001-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z",
            "1601-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "",
            "soon",
        ] {
            assert_eq!(time(never), None, "{never}");
        }
        let expected = time("2026-08-01T10:00:00Z");
        assert!(expected.is_some());
        for spelling in [
            "2026-08-01T10:00:00.000Z",
            "2026-08-01T12:00:00+0200",
            "2026-08-01T10:00:00.0000000",
            "2026-08-01 10:00:00.0000000",
        ] {
            assert_eq!(time(spelling), expected, "{spelling}");
        }
    }
}
