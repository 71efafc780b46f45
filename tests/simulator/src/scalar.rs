//! One field of a record, as the filter languages of the vendors compare it.

use std::cmp::Ordering;

use chrono::{DateTime, SecondsFormat, Utc};

/// A value that a filter can compare with the text of a query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    /// The record has no such value.
    Absent,
    /// Text, compared without regard to case.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A truth value.
    Bool(bool),
    /// An instant.
    Time(DateTime<Utc>),
}

impl Scalar {
    /// How this value stands to the written one; `None` where they cannot be compared.
    pub(crate) fn compare(&self, written: &str) -> Option<Ordering> {
        match self {
            Self::Absent => None,
            Self::Text(text) => Some(text.to_lowercase().cmp(&written.to_lowercase())),
            Self::Number(number) => Some(number.cmp(&written.parse::<i64>().ok()?)),
            Self::Bool(flag) => Some(flag.cmp(&written.parse::<bool>().ok()?)),
            Self::Time(at) => Some(at.cmp(&parse_time(written)?)),
        }
    }

    /// The value as text, for wildcards and substring functions.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Bool(flag) => flag.to_string(),
            Self::Time(at) => rfc3339(*at),
        }
    }

    /// Total order for sorting: absent first, then by value.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Absent, Self::Absent) => Ordering::Equal,
            (Self::Absent, _) => Ordering::Less,
            (_, Self::Absent) => Ordering::Greater,
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (a, b) => a.text().to_lowercase().cmp(&b.text().to_lowercase()),
        }
    }
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<DateTime<Utc>> for Scalar {
    fn from(at: DateTime<Utc>) -> Self {
        Self::Time(at)
    }
}

impl From<bool> for Scalar {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl<T: Into<Self>> From<Option<T>> for Scalar {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

/// An instant as both vendors write it: UTC, whole seconds, `Z`.
pub(crate) fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn parse_time(written: &str) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_rfc3339(written).ok()?;
    Some(parsed.with_timezone(&Utc))
}
