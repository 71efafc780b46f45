//! When cards and reminders go out: `always`, or `Mon-Fri 08:00-18:00` in a time zone.

use chrono::{DateTime, Datelike, Days, NaiveTime, TimeZone, Utc, Weekday};
use chrono_tz::Tz;

/// Working hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    window: Option<Window>,
    zone: Tz,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    days: Vec<Weekday>,
    from: NaiveTime,
    to: NaiveTime,
}

impl Hours {
    /// Reads `always` or `Mon-Fri 08:00-18:00` (days also as `Mon,Wed`).
    pub fn parse(text: &str, zone: &str) -> Result<Self, String> {
        let Ok(zone) = zone.parse::<Tz>() else {
            return Err(format!("`{zone}` is no IANA time zone"));
        };
        if text == "always" {
            return Ok(Self { window: None, zone });
        }
        let bad = || format!("`{text}` is neither `always` nor like `Mon-Fri 08:00-18:00`");
        let (days, times) = text.split_once(' ').ok_or_else(bad)?;
        let (from, to) = times.trim().split_once('-').ok_or_else(bad)?;
        let time = |text: &str| {
            NaiveTime::parse_from_str(text.trim(), "%H:%M")
                .ok()
                .ok_or_else(bad)
        };
        let (from, to) = (time(from)?, time(to)?);
        if from >= to {
            return Err(format!("`{text}` ends before it begins"));
        }
        let mut list = Vec::new();
        for part in days.split(',') {
            let day = |text: &str| text.parse::<Weekday>().ok().ok_or_else(bad);
            match part.split_once('-') {
                None => list.push(day(part)?),
                Some((first, last)) => {
                    let (mut current, last) = (day(first)?, day(last)?);
                    list.push(current);
                    while current != last {
                        current = current.succ();
                        list.push(current);
                    }
                }
            }
        }
        Ok(Self {
            window: Some(Window {
                days: list,
                from,
                to,
            }),
            zone,
        })
    }

    /// The first moment at or after `at` inside the hours.
    pub fn next_open(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let Some(window) = &self.window else {
            return at;
        };
        let local = at.with_timezone(&self.zone);
        for offset in 0..=8 {
            let Some(date) = local.date_naive().checked_add_days(Days::new(offset)) else {
                break;
            };
            if !window.days.contains(&date.weekday()) {
                continue;
            }
            let opens = self
                .zone
                .from_local_datetime(&date.and_time(window.from))
                .earliest();
            let closes = self
                .zone
                .from_local_datetime(&date.and_time(window.to))
                .latest();
            match (opens, closes) {
                (Some(opens), _) if at <= opens => return opens.with_timezone(&Utc),
                (_, Some(closes)) if at < closes => return at,
                _ => {}
            }
        }
        at
    }

    /// Whether `at` is inside the hours.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        self.next_open(at) == at
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::Hours;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_card_of_friday_evening_waits_for_monday_morning() {
        let hours = Hours::parse("Mon-Fri 08:00-18:00", "Europe/Berlin").unwrap();
        assert_eq!(
            hours.next_open(at("2026-11-27T17:30:00Z")),
            at("2026-11-30T07:00:00Z")
        );
        assert_eq!(
            hours.next_open(at("2026-11-30T07:00:00Z")),
            at("2026-11-30T07:00:00Z")
        );
        assert!(hours.is_open(at("2026-11-30T16:59:59Z")));
        assert!(!hours.is_open(at("2026-11-30T17:00:00Z")));
    }

    #[test]
    fn always_is_open() {
        assert!(
            Hours::parse("always", "UTC")
                .unwrap()
                .is_open(at("2026-11-29T03:00:00Z"))
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "Mon",
            "Mon-Fri",
            "Mon-Fri 18:00-08:00",
            "Foo 08:00-18:00",
            "Mon-Fri 8-18",
        ] {
            assert!(Hours::parse(text, "UTC").is_err(), "{text}");
        }
    }
}
