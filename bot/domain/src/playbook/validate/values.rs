//! Single values: words, numbers, durations, lists.

use serde::de::DeserializeOwned;

use super::{Check, Code, Place, Spanned};

pub(super) const MINUTE: u64 = 60;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

impl Check<'_> {
    pub(super) fn required<T>(
        &mut self,
        value: Option<T>,
        place: Place,
        key: &'static str,
    ) -> Option<T> {
        if value.is_none() && !self.problems.has_seen(place, key) {
            self.problems.add(
                place,
                Code::MissingKey,
                format!("{key} is missing"),
                format!("add {key}"),
            );
        }
        value
    }

    pub(super) fn names(
        &mut self,
        list: Option<Spanned<Vec<Spanned<String>>>>,
    ) -> Option<Vec<String>> {
        let list = list?;
        if list.value.is_empty() {
            self.problems.add(
                list.place,
                Code::MissingKey,
                "the list is empty",
                "name at least one group of [approvals.groups]",
            );
        }
        Some(self.each(list, |_, one| Some(one.value.clone())))
    }

    /// Reads each entry of a list, and tells which stands there twice.
    pub(super) fn each<T, R: PartialEq>(
        &mut self,
        list: Spanned<Vec<Spanned<T>>>,
        read: impl Fn(&mut Self, &Spanned<T>) -> Option<R>,
    ) -> Vec<R> {
        let mut values: Vec<R> = Vec::new();
        for item in &list.value {
            let Some(value) = read(self, item) else {
                continue;
            };
            if values.contains(&value) {
                self.problems.add(
                    item.place,
                    Code::DuplicateEntry,
                    "this entry stands here twice",
                    "keep one of them",
                );
            } else {
                values.push(value);
            }
        }
        values
    }

    /// A word of a fixed set, as serde spells it.
    pub(super) fn word<T: DeserializeOwned>(
        &mut self,
        word: &Spanned<String>,
        known: &[&str],
    ) -> Option<T> {
        let value = serde_json::Value::from(word.value.as_str());
        match serde_json::from_value(value) {
            Ok(value) if known.contains(&word.value.as_str()) => Some(value),
            _ => {
                self.problems.add(
                    word.place,
                    Code::UnknownWord,
                    format!("{} is not known here", word.value),
                    format!("one of: {}", known.join(", ")),
                );
                None
            }
        }
    }

    pub(super) fn number(
        &mut self,
        value: Option<Spanned<i64>>,
        default: i64,
        range: std::ops::RangeInclusive<i64>,
    ) -> i64 {
        let Some(number) = value else { return default };
        if !range.contains(&number.value) {
            self.problems.add(
                number.place,
                Code::OutOfRange,
                format!("{} is out of range", number.value),
                format!("from {} to {}", range.start(), range.end()),
            );
            return default;
        }
        number.value
    }

    pub(super) fn duration(
        &mut self,
        value: Option<Spanned<String>>,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> u64 {
        let Some(text) = value else { return default };
        match parse_duration(&text.value) {
            Some(seconds) if range.contains(&seconds) => seconds,
            Some(_) => {
                let (low, high) = (spell_duration(*range.start()), spell_duration(*range.end()));
                self.problems.add(
                    text.place,
                    Code::OutOfRange,
                    format!("{} is out of range", text.value),
                    format!("from {low} to {high}"),
                );
                default
            }
            None => {
                self.problems.add(
                    text.place,
                    Code::BadDuration,
                    format!("{} is no duration", text.value),
                    "a whole number and s, m, h or d: 30m, 24h, 7d",
                );
                default
            }
        }
    }
}

/// `30m`, `24h`, `7d` in seconds.
pub(super) fn parse_duration(text: &str) -> Option<u64> {
    let unit = text.chars().last()?;
    let factor = match unit {
        's' => 1,
        'm' => MINUTE,
        'h' => HOUR,
        'd' => DAY,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

pub(super) fn spell_duration(seconds: u64) -> String {
    let units = [(DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm')];
    match units
        .into_iter()
        .find(|(size, _)| seconds >= *size && seconds.is_multiple_of(*size))
    {
        Some((size, unit)) => format!("{}{unit}", seconds / size),
        None => format!("{seconds}s"),
    }
}
