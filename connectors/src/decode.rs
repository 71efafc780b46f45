//! Reading what the vendors really send: pages with a bad record, "never" as a date, ids as numbers, null for empty.
//!
//! A field, section or row of a wrong shape is "not shown"; it never loses the record it stands in.

use std::{fmt, marker::PhantomData};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, IgnoredAny, Visitor, value::MapAccessDeserializer},
};

use crate::http::Lenient;

/// Bytes of the longest text that is kept; real ones are far shorter. What is longer is no text.
const LONGEST_TEXT: usize = 4096;
/// Bytes of the longest id.
const LONGEST_ID: usize = 256;

/// One page of a listing. A record that does not parse is counted, and the rest of the page kept.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(crate) struct Page<T> {
    /// The records.
    #[serde(alias = "results", alias = "value", alias = "data")]
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
    deserializer.deserialize_any(TextVisitor {
        longest: LONGEST_TEXT,
    })
}

/// A text of up to a quarter of a megabyte, for certificates and profiles.
pub(crate) fn long_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(TextVisitor {
        longest: 256 * 1024,
    })
}

/// An id as text; missing or empty is an error, for a record without id is no record.
pub(crate) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    optional_text(deserializer)?
        .filter(|id| id.len() <= LONGEST_ID)
        .ok_or_else(|| de::Error::custom("no id"))
}

/// An id of a vendor whose ids are never numbers.
pub(crate) fn word_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    if id.trim().is_empty() || id.len() > LONGEST_ID {
        return Err(de::Error::custom("no id"));
    }
    Ok(id)
}

/// A boolean, or the word for one; everything else as none.
pub(crate) fn optional_bool<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<bool>, D::Error> {
    Ok(match deserializer.deserialize_any(AnyLeaf)? {
        Leaf::Bool(value) => Some(value),
        Leaf::Text(word) => word.to_ascii_lowercase().parse().ok(),
        Leaf::None => None,
    })
}

/// An object as `T`; null and everything that is no object as none.
pub(crate) fn section<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_any(Section(PhantomData))
}

/// A list of objects; none where it is no list, or where any of its rows is no object: with a row missing, the list would
/// prove absences that it cannot prove.
pub(crate) fn rows<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    deserializer.deserialize_any(RowsVisitor(PhantomData))
}

/// A list where null means empty.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

struct TextVisitor {
    longest: usize,
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(is_text(text, self.longest).then(|| text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(is_text(&text, self.longest).then_some(text))
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

    fn visit_seq<A: de::SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        skip_items(items).map(|()| None)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        skip_fields(fields).map(|()| None)
    }
}

fn is_text(text: &str, longest: usize) -> bool {
    text.len() <= longest && !text.trim().is_empty()
}

fn skip_items<'de, A: de::SeqAccess<'de>>(mut items: A) -> Result<(), A::Error> {
    while items.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn skip_fields<'de, A: de::MapAccess<'de>>(mut fields: A) -> Result<(), A::Error> {
    while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Visits of values that are of no use to a visitor: they read as its default.
macro_rules! nothing_else {
    ($($visit:ident: $kind:ty),*) => {
        $(fn $visit<E: de::Error>(self, _: $kind) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        })*

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
}

#[derive(Default)]
enum Leaf {
    Bool(bool),
    Text(String),
    #[default]
    None,
}

struct AnyLeaf;

impl<'de> Visitor<'de> for AnyLeaf {
    type Value = Leaf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boolean or a word")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Leaf, E> {
        Ok(Leaf::Bool(value))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Leaf, E> {
        Ok(if is_text(text, LONGEST_TEXT) {
            Leaf::Text(text.to_owned())
        } else {
            Leaf::None
        })
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, items: A) -> Result<Leaf, A::Error> {
        skip_items(items).map(|()| Leaf::None)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, fields: A) -> Result<Leaf, A::Error> {
        skip_fields(fields).map(|()| Leaf::None)
    }

    nothing_else!(visit_u64: u64, visit_i64: i64, visit_f64: f64);
}

struct Section<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Section<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Some)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        skip_items(items).map(|()| None)
    }

    nothing_else!(visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_str: &str);
}

/// One row, or none where it is no object.
struct RowOf<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for RowOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        section(deserializer).map(Self)
    }
}

struct RowsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for RowsVisitor<T> {
    type Value = Option<Vec<T>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut rows = Some(Vec::new());
        while let Some(RowOf(row)) = items.next_element()? {
            rows = rows.zip(row).map(|(mut rows, row)| {
                rows.push(row);
                rows
            });
        }
        Ok(rows)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        skip_fields(fields).map(|()| None)
    }

    nothing_else!(visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_str: &str);
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

    #[derive(Debug, PartialEq, Deserialize)]
    struct Parts {
        #[serde(default, deserialize_with = "optional_bool")]
        on: Option<bool>,
        #[serde(default, deserialize_with = "section")]
        inner: Option<Inner>,
        #[serde(default, deserialize_with = "rows")]
        rows: Option<Vec<Inner>>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        #[serde(default, deserialize_with = "optional_text")]
        text: Option<String>,
    }

    #[test]
    fn part_of_a_wrong_shape_is_not_shown_and_the_rest_is() {
        let inner = |text: &str| Inner {
            text: Some(text.into()),
        };
        let whole = Parts {
            on: Some(true),
            inner: Some(inner("a")),
            rows: Some(vec![inner("b")]),
        };
        let body = r#"{"on":"True","inner":{"text":"a","more":[1]},"rows":[{"text":"b"}]}"#;
        assert_eq!(serde_json::from_str::<Parts>(body).unwrap(), whole);
        let nothing = Parts {
            on: None,
            inner: None,
            rows: None,
        };
        for wrong in ["null", "7", "-1", "1.5", "\"x\"", "[[{}],1]", "{\"a\":{}}"] {
            let inner = if wrong.starts_with('{') { "[]" } else { wrong };
            let body = format!(r#"{{"on":{wrong},"inner":{inner},"rows":{wrong}}}"#);
            assert_eq!(
                serde_json::from_str::<Parts>(&body).unwrap(),
                nothing,
                "{body}"
            );
        }
        let one_bad_row = r#"{"rows":[{"text":"b"},null]}"#;
        assert_eq!(
            serde_json::from_str::<Parts>(one_bad_row).unwrap().rows,
            None
        );
    }

    #[test]
    fn text_of_megabytes_is_no_text() {
        let long = "x".repeat(10_000_000);
        let body = format!(r#"[{{"id":"1","at":"{long}"}},{{"id":"{long}"}}]"#);
        let page: Lenient<Record> = serde_json::from_str(&body).unwrap();
        assert_eq!((page.records.len(), page.skipped), (1, 1));
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
            "-0001-01-01T00:00:00Z",
            "-1",
            "253402300800",
            "2026-02-30T00:00:00Z",
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
