//! Results as text for a terminal: plain functions from values and a [`View`] to a string.
//!
//! Colour only adds; [`super::output::line`] drops it where it cannot be shown.

pub(super) mod doctor;
pub(super) mod playbooks;
pub(super) mod proposals;
pub(super) mod runs;
pub(super) mod sweep;
pub(super) mod why;

use chrono::{DateTime, Local, NaiveDateTime, Utc};
use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets::NOTHING,
};

use crate::wording;

/// Who looks, from where and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    /// Columns of the terminal.
    pub(super) width: usize,
    /// Now.
    pub(super) now: DateTime<Utc>,
    /// The reader's zone.
    pub(super) local: fn(DateTime<Utc>) -> NaiveDateTime,
}

impl View {
    /// The reader's terminal and zone.
    pub(super) fn here(now: DateTime<Utc>) -> Self {
        Self {
            width: super::output::width(),
            now,
            local: |at| at.with_timezone(&Local).naive_local(),
        }
    }

    /// `Tue 24 Nov 07:00`; with the year where it is not this one.
    pub(super) fn time(&self, at: DateTime<Utc>) -> String {
        let (at, now) = ((self.local)(at), (self.local)(self.now));
        let same_year = at.format("%Y").to_string() == now.format("%Y").to_string();
        let format = if same_year {
            "%a %-d %b %H:%M"
        } else {
            "%-d %b %Y %H:%M"
        };
        at.format(format).to_string()
    }

    /// `24 Nov`, with the year where it is not this one.
    pub(super) fn day(&self, at: DateTime<Utc>) -> String {
        let (at, now) = ((self.local)(at), (self.local)(self.now));
        let same_year = at.format("%Y").to_string() == now.format("%Y").to_string();
        at.format(if same_year { "%-d %b" } else { "%-d %b %Y" })
            .to_string()
    }

    /// `2 h ago` when young, else the time itself.
    pub(super) fn when(&self, at: DateTime<Utc>) -> String {
        let age = self.now - at;
        if age >= chrono::TimeDelta::zero() && age < chrono::TimeDelta::days(2) {
            wording::ago(at, self.now)
        } else {
            self.time(at)
        }
    }

    /// A table without rules, no wider than the terminal. `right`: columns of numbers. Ids and names stay whole as long
    /// as they fit beside each other.
    pub(super) fn table(&self, header: &[&str], right: &[usize], rows: Vec<Vec<String>>) -> String {
        let longest = longest_words(header, &rows);
        let whole = longest.iter().map(|word| word + 2).sum::<usize>() <= self.width + 1;
        let mut table = Table::new();
        table
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(self.width).unwrap_or(u16::MAX))
            .set_header(header.iter().copied())
            .add_rows(rows);
        for (index, word) in longest.iter().enumerate() {
            let Some(column) = table.column_mut(index) else {
                continue;
            };
            let after = u16::from(index + 1 < header.len());
            column.set_padding((1, after));
            if right.contains(&index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
            if whole {
                let least = u16::try_from(*word)
                    .unwrap_or(u16::MAX)
                    .saturating_add(1 + after);
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
            }
        }
        let lines: Vec<String> = table
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect();
        lines.join("\n")
    }

    /// Whether there is room for columns that a person can do without.
    pub(super) fn is_wide(&self) -> bool {
        self.width >= 110
    }

    /// A paragraph whose lines after the first begin below the text of the first.
    pub(super) fn hanging(&self, first: &str, text: &str) -> String {
        let indent = first.chars().count();
        let body = super::output::wrap(text, self.width.saturating_sub(indent).max(20));
        let mut out = String::new();
        for (index, line) in body.lines().enumerate() {
            if index > 0 {
                out.push('\n');
                out.push_str(&" ".repeat(indent));
            } else {
                out.push_str(first);
            }
            out.push_str(line);
        }
        out
    }
}

/// The longest word of each column, in characters.
fn longest_words(header: &[&str], rows: &[Vec<String>]) -> Vec<usize> {
    let longest = |text: &str| {
        text.split_whitespace()
            .map(|word| word.chars().count())
            .max()
            .unwrap_or(0)
    };
    header
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let cells = rows.iter().filter_map(|row| row.get(index));
            cells
                .map(|cell| longest(cell))
                .chain([longest(name)])
                .max()
                .unwrap_or(0)
        })
        .collect()
}

/// The word that JSON has for a value.
pub(super) fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
pub(super) mod testing {
    //! A fixed reader, and text as a terminal without colour shows it.

    use super::*;

    /// Tuesday, 24 November 2026, 10:00 UTC.
    pub(in crate::cli) fn view(width: usize) -> View {
        View {
            width,
            now: "2026-11-24T10:00:00Z".parse().unwrap(),
            local: |at| at.naive_utc(),
        }
    }

    /// Drops colour, and asserts that nothing is wider than the view.
    pub(in crate::cli) fn plain(text: &str, width: usize) -> String {
        let plain = anstream::adapter::strip_str(text).to_string();
        for line in plain.lines() {
            assert!(line.chars().count() <= width, "wider than {width}: {line}");
        }
        plain
    }
}
