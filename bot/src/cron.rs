//! Crontab lines with crontab's meaning, also on the two days a year when clocks change.
//!
//! The crate `cron` parses the ranges. This wrapper takes five fields as well as six, counts weekdays as crontab does
//! (0 and 7 are Sunday), joins day-of-month and day-of-week by "or" where both are restricted, and maps local times to
//! instants: a time in the spring gap runs at the first valid minute after it; a fixed time in the doubled hour of
//! autumn runs once, an interval (`*` or `/` in the hour field) in both passes.

use std::str::FromStr;

use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// A parsed crontab line.
#[derive(Debug, Clone)]
pub struct Crontab {
    /// One expression, or two whose union is meant.
    schedules: Vec<cron::Schedule>,
    /// Whether the hour field is an interval.
    interval: bool,
}

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Crontab {
    /// Reads five fields (minute first) or six (second first).
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [second, minute, hour, day, month, weekday] = match fields[..] {
            [minute, hour, day, month, weekday] => ["0", minute, hour, day, month, weekday],
            [second, minute, hour, day, month, weekday] => {
                [second, minute, hour, day, month, weekday]
            }
            _ => {
                return Err(format!(
                    "`{text}` has {} fields; crontab has five or six",
                    fields.len()
                ));
            }
        };
        let weekday_set = weekdays(weekday)?;
        let build = |day: &str, weekday: &str| {
            cron::Schedule::from_str(&format!("{second} {minute} {hour} {day} {month} {weekday}"))
                .map_err(|error| format!("`{text}`: {error}"))
        };
        let restricted = |field: &str| !field.starts_with('*') && field != "?";
        let schedules = if restricted(day) && restricted(weekday) {
            vec![build(day, "*")?, build("*", &weekday_set)?]
        } else {
            vec![build(day, &weekday_set)?]
        };
        Ok(Self {
            schedules,
            interval: hour.contains(['*', '/']),
        })
    }

    /// The first run after `after`, in `zone`.
    pub fn next_after(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
        let margin = Duration::hours(3);
        let steady = offset(after - margin) == offset(after + margin);
        let local = after.with_timezone(&zone).naive_local();
        let from = if steady { local } else { local - margin };
        let mut best: Option<DateTime<Utc>> = None;
        for schedule in &self.schedules {
            // The wall clock is fed to the crate as if it were UTC.
            for wall in schedule.after(&Utc.from_utc_datetime(&from)) {
                let wall = wall.naive_utc();
                if best.is_some_and(|best| wall > best.with_timezone(&zone).naive_local() + margin)
                {
                    break;
                }
                let runs = self.instants(wall, zone).into_iter().flatten();
                best = runs.filter(|run| *run > after).chain(best).min();
                if steady && best.is_some() {
                    break;
                }
            }
        }
        best
    }

    /// The instants at which a wall-clock time runs.
    fn instants(&self, wall: NaiveDateTime, zone: Tz) -> [Option<DateTime<Utc>>; 2] {
        match zone.from_local_datetime(&wall) {
            LocalResult::Single(at) => [Some(at.to_utc()), None],
            LocalResult::Ambiguous(first, second) => {
                [Some(first.to_utc()), self.interval.then(|| second.to_utc())]
            }
            LocalResult::None if self.interval => [None, None],
            LocalResult::None => {
                let minutes = (1..=24 * 60).map(|minutes| {
                    let wall = wall + Duration::minutes(minutes);
                    wall - Duration::seconds(i64::from(chrono::Timelike::second(&wall)))
                });
                [
                    minutes
                        .filter_map(|wall| zone.from_local_datetime(&wall).earliest())
                        .next()
                        .map(|at| at.to_utc()),
                    None,
                ]
            }
        }
    }
}

/// A weekday field in crontab's numbers and names → the crate's numbers (1 = Sunday).
fn weekdays(field: &str) -> Result<String, String> {
    if field == "*" || field == "?" {
        return Ok("*".into());
    }
    let mut set = std::collections::BTreeSet::new();
    for part in field.split(',') {
        let bad = || format!("`{part}` is no weekday");
        let day = |text: &str| -> Result<u32, String> {
            let name = text.to_ascii_lowercase();
            if let Some(index) = DAYS
                .iter()
                .position(|day| name == *day || (name.len() > 3 && full_name(&name) == *day))
            {
                return Ok(index as u32);
            }
            text.parse()
                .ok()
                .filter(|number| *number <= 7)
                .ok_or_else(bad)
        };
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (
                range,
                step.parse::<u32>()
                    .ok()
                    .filter(|step| *step > 0)
                    .ok_or_else(bad)?,
            ),
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (0, 6),
            Some((first, last)) => {
                let (first, last) = (day(first)?, day(last)?);
                // `Fri-Sun` ends at 7; `Sun-Tue` begins at 0.
                (first, if last < first { last + 7 } else { last })
            }
            None if part.contains('/') => (day(range)?, 6),
            None => (day(range)?, day(range)?),
        };
        for number in (first..=last).step_by(step as usize) {
            set.insert(number % 7 + 1);
        }
    }
    Ok(set.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
}

fn full_name(name: &str) -> &str {
    match name {
        "sunday" | "monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "saturday" => {
            &name[..3]
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn next(line: &str, zone: &str, after: &str) -> String {
        let crontab = Crontab::parse(line).unwrap();
        let after: DateTime<Utc> = after.parse().unwrap();
        let next = crontab.next_after(after, zone.parse().unwrap()).unwrap();
        next.with_timezone(&zone.parse::<Tz>().unwrap())
            .to_rfc3339()
    }

    #[test]
    fn a_job_in_the_spring_gap_runs_at_the_first_valid_minute() {
        assert_eq!(
            next("30 2 * * *", "America/New_York", "2027-03-14T05:00:00Z"),
            "2027-03-14T03:00:00-04:00"
        );
    }

    #[test]
    fn a_fixed_job_in_the_doubled_hour_runs_once() {
        assert_eq!(
            next("30 1 * * *", "America/New_York", "2027-11-07T04:00:00Z"),
            "2027-11-07T01:30:00-04:00"
        );
        assert_eq!(
            next("30 1 * * *", "America/New_York", "2027-11-07T05:30:00Z"),
            "2027-11-08T01:30:00-05:00"
        );
    }

    #[test]
    fn an_interval_job_runs_in_both_passes_of_the_doubled_hour() {
        let mut runs = Vec::new();
        let mut at = "2027-11-07T04:59:00Z".to_owned();
        for _ in 0..5 {
            at = next("*/30 * * * *", "America/New_York", &at);
            runs.push(at[11..].to_owned());
        }
        assert_eq!(
            runs,
            [
                "01:00:00-04:00",
                "01:30:00-04:00",
                "01:00:00-05:00",
                "01:30:00-05:00",
                "02:00:00-05:00"
            ]
        );
    }

    #[test]
    fn weekdays_are_counted_as_crontab_does() {
        for sunday in ["0 7 * * 0", "0 7 * * 7", "0 7 * * Sun", "0 7 * * sunday"] {
            assert_eq!(
                next(sunday, "UTC", "2026-11-24T00:00:00Z"),
                "2026-11-29T07:00:00+00:00",
                "{sunday}"
            );
        }
        assert_eq!(
            next("0 7 * * Fri-Sun", "UTC", "2026-11-28T08:00:00Z"),
            "2026-11-29T07:00:00+00:00"
        );
    }

    #[test]
    fn two_restricted_day_fields_mean_either() {
        assert_eq!(
            next("0 0 13 * 5", "UTC", "2026-11-24T00:00:00Z"),
            "2026-11-27T00:00:00+00:00"
        );
        assert_eq!(
            next("0 0 1 * 5", "UTC", "2026-11-27T12:00:00Z"),
            "2026-12-01T00:00:00+00:00"
        );
    }

    #[test]
    fn nonsense_is_refused_with_its_field() {
        assert!(Crontab::parse("0 7 * *").unwrap_err().contains("4 fields"));
        assert!(Crontab::parse("0 7 * * 8").unwrap_err().contains("`8`"));
        assert!(Crontab::parse("61 7 * * 1").is_err());
    }

    fn field(low: u32, high: u32) -> impl Strategy<Value = String> {
        prop_oneof![
            3 => Just("*".to_owned()),
            2 => (low..=high).prop_map(|n| n.to_string()),
            1 => (low..high).prop_flat_map(move |a| (Just(a), a + 1..=high)).prop_map(|(a, b)| format!("{a}-{b}")),
            1 => (2u32..=12).prop_map(|n| format!("*/{n}")),
            1 => (low..=high, low..=high).prop_map(|(a, b)| format!("{a},{b}")),
        ]
    }

    /// Without `*/n`: crontab(5) calls such a day field unrestricted, croner does not.
    fn day_field(low: u32, high: u32) -> impl Strategy<Value = String> {
        field(low, high).prop_filter("no step", |field| !field.contains('/'))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// croner is the oracle, away from the days when clocks change (there the two differ in taste).
        #[test]
        fn next_runs_agree_with_croner(
            minute in field(0, 59), hour in field(0, 23), day in day_field(1, 28), month in field(1, 12), weekday in day_field(0, 6),
            zone in prop_oneof![Just("UTC"), Just("Europe/Berlin"), Just("Asia/Kolkata"), Just("America/New_York")],
            start in 1_764_000_000i64..1_830_000_000,
        ) {
            let line = format!("{minute} {hour} {day} {month} {weekday}");
            let ours = Crontab::parse(&line).unwrap();
            let oracle = croner::Cron::from_str(&line).unwrap();
            let zone: Tz = zone.parse().unwrap();
            let mut at = DateTime::from_timestamp(start, 0).unwrap();
            for _ in 0..5 {
                let Some(next) = ours.next_after(at, zone) else { break };
                let changes = |t: DateTime<Utc>| {
                    let offset = |t: DateTime<Utc>| zone.offset_from_utc_datetime(&t.naive_utc()).fix();
                    offset(t - Duration::hours(5)) != offset(t + Duration::hours(5))
                };
                let expected = oracle.find_next_occurrence(&at.with_timezone(&zone), false).unwrap().to_utc();
                if !changes(next) && !changes(expected) && !changes(at) {
                    prop_assert_eq!(next, expected, "{} after {}", line, at);
                }
                at = next;
            }
        }
    }
}
