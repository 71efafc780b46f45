//! Decoding that survives a vendor's slips: one bad record costs that record, one bad optional field that field.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The records of a page; those that do not parse are counted, not fatal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lenient<T> {
    /// Records that parsed.
    pub records: Vec<T>,
    /// How many did not.
    pub skipped: usize,
}

impl<T> Lenient<T> {
    /// Logs how many records were left out, if any.
    pub fn warn_of_skipped(&self, attempt: &str) {
        if self.skipped > 0 {
            tracing::warn!(
                http.attempt = attempt,
                records.skipped = self.skipped,
                "left out records that do not parse"
            );
        }
    }
}

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            skipped: 0,
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Records<T>(PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for Records<T> {
            type Value = Lenient<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of records")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut page = Lenient::default();
                while let Some(raw) = seq.next_element::<&RawValue>()? {
                    match serde_json::from_str(raw.get()) {
                        Ok(record) => page.records.push(record),
                        Err(_) => page.skipped += 1,
                    }
                }
                Ok(page)
            }

            /// Some servers write null for an empty list.
            fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
                Ok(Lenient::default())
            }
        }
        deserializer.deserialize_any(Records(PhantomData))
    }
}

/// For `#[serde(default, deserialize_with = "lenient")]`: a value of the wrong type is no value.
pub fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str::<Option<T>>(raw.get()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Record {
        id: String,
        #[serde(default, deserialize_with = "lenient")]
        count: Option<u32>,
    }

    #[test]
    fn one_bad_record_does_not_lose_the_page() {
        let page: Lenient<Record> =
            serde_json::from_str(r#"[{"id":"a","count":1},{"id":7},{"id":"b","count":"many"}]"#)
                .expect("a list");
        let ids: Vec<_> = page.records.iter().map(|r| (&*r.id, r.count)).collect();
        assert_eq!(ids, [("a", Some(1)), ("b", None)]);
        assert_eq!(page.skipped, 1);
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        assert!(serde_json::from_str::<Lenient<Record>>(r#"{"error":"x"}"#).is_err());
    }
}
