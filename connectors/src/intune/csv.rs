//! Report rows. Intune's CSV begins with a byte order mark and may hold bare quotes inside fields.

use std::{
    collections::HashMap,
    io::{self, BufRead},
};

/// Reads rows by the names in the first line.
pub(super) struct Rows<R> {
    input: R,
    columns: HashMap<String, usize>,
}

/// One row.
pub(super) struct Row<'a> {
    columns: &'a HashMap<String, usize>,
    fields: Vec<String>,
}

impl<R: BufRead> Rows<R> {
    /// Reads the first line.
    pub(super) fn new(mut input: R) -> io::Result<Self> {
        let header = record(&mut input)?.unwrap_or_default();
        let columns = header
            .into_iter()
            .enumerate()
            .map(|(at, name)| (name.trim().to_owned(), at))
            .collect();
        Ok(Self { input, columns })
    }

    /// Whether the report has that column.
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// The next row; `None` at the end.
    pub(super) fn next_row(&mut self) -> io::Result<Option<Row<'_>>> {
        loop {
            match record(&mut self.input)? {
                None => return Ok(None),
                Some(fields) if fields.iter().all(String::is_empty) => {}
                Some(fields) => {
                    return Ok(Some(Row {
                        columns: &self.columns,
                        fields,
                    }));
                }
            }
        }
    }
}

impl Row<'_> {
    /// The value of a column; `None` where it is empty, short or not in the report.
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        let value = self.fields.get(*self.columns.get(column)?)?.trim();
        (!value.is_empty()).then_some(value)
    }
}

/// The fields of one record, which goes on over the line's end while a quoted field is open.
fn record(input: &mut impl BufRead) -> io::Result<Option<Vec<String>>> {
    let mut text = String::new();
    loop {
        if read_line(input, &mut text)? == 0 {
            // A field that never closes ends with the file.
            return Ok((!text.is_empty()).then(|| split(&text).0));
        }
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        let (fields, open) = split(&text);
        if !open {
            return Ok(Some(fields));
        }
    }
}

/// As `read_line`, but one byte that is no UTF-8 does not lose the report.
fn read_line(input: &mut impl BufRead, text: &mut String) -> io::Result<usize> {
    let mut bytes = Vec::new();
    let length = input.read_until(b'\n', &mut bytes)?;
    text.push_str(&String::from_utf8_lossy(&bytes));
    Ok(length)
}

/// Fields, and whether the last one is quoted and still open. A quote closes a field only before a comma or the end.
fn split(text: &str) -> (Vec<String>, bool) {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let Some(mut quoted) = rest.strip_prefix('"') else {
            let end = rest.find(',');
            fields.push(rest[..end.unwrap_or(rest.len())].to_owned());
            match end {
                Some(end) => rest = &rest[end + 1..],
                None => return (fields, false),
            }
            continue;
        };
        let mut field = String::new();
        loop {
            let Some(quote) = quoted.find('"') else {
                field.push_str(quoted);
                fields.push(field);
                return (fields, true);
            };
            field.push_str(&quoted[..quote]);
            let after = &quoted[quote + 1..];
            if after.is_empty() {
                fields.push(field);
                return (fields, false);
            }
            if let Some(next) = after.strip_prefix(',') {
                fields.push(field);
                rest = next;
                break;
            }
            field.push('"');
            quoted = after.strip_prefix('"').unwrap_or(after);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(Option<String>, Option<String>)> {
        let mut rows = Rows::new(text.as_bytes()).unwrap();
        let mut read = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            let get = |column| row.get(column).map(str::to_owned);
            read.push((get("Id"), get("Name")));
        }
        read
    }

    fn row(id: &str, name: &str) -> (Option<String>, Option<String>) {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        (some(id), some(name))
    }

    #[test]
    fn mark_quotes_and_line_ends_are_read() {
        let text = "\u{feff}\"Id\",Name\r\n1,\"a, b\"\r\n2,\"say \"\"x\"\"\"\r\n\r\n3,\"Ann's \"old\" PC\"\r\n4,\"two\nlines\"\n5\n6,\"\"";
        assert_eq!(
            rows(text),
            [
                row("1", "a, b"),
                row("2", "say \"x\""),
                row("3", "Ann's \"old\" PC"),
                row("4", "two\nlines"),
                row("5", ""),
                row("6", "")
            ]
        );
    }

    #[test]
    fn empty_report_has_no_rows() {
        assert!(rows("").is_empty());
        assert!(rows("Id,Name\r\n").is_empty());
        assert!(Rows::new("Id,Name".as_bytes()).unwrap().has("Name"));
        assert!(!Rows::new("Id".as_bytes()).unwrap().has("Name"));
    }

    #[test]
    fn field_that_never_closes_ends_with_the_file() {
        assert_eq!(rows("Id,Name\n1,\"open\n2,b"), [row("1", "open\n2,b")]);
    }
}
