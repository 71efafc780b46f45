//! The RSQL subset that Jamf Pro's lists understand: comparisons, `;`/`and`, `,`/`or`, parentheses,
//! quoted values and `*` wildcards ("Filtering with RSQL" in the vendor's developer pages).

use std::cmp::Ordering;

use crate::scalar::Scalar;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    /// Every part holds.
    All(Vec<Filter>),
    /// At least one part holds.
    Any(Vec<Filter>),
    /// One comparison.
    Compare(Comparison),
}

/// `field operator value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    field: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Out,
}

/// Longest spelling first, so that a prefix never wins.
const OPERATORS: [(&str, Operator); 18] = [
    ("=like=", Operator::Equal),
    ("=out=", Operator::Out),
    ("=lt=", Operator::Less),
    ("=le=", Operator::LessOrEqual),
    ("=gt=", Operator::Greater),
    ("=ge=", Operator::GreaterOrEqual),
    ("=in=", Operator::In),
    ("lt=", Operator::Less),
    ("le=", Operator::LessOrEqual),
    ("gt=", Operator::Greater),
    ("ge=", Operator::GreaterOrEqual),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("=", Operator::Equal),
];

impl Filter {
    /// Reads a filter; the error says what was expected and where.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { text, at: 0 };
        let filter = parser.any()?;
        parser.skip_spaces();
        if parser.at < text.len() {
            return Err(format!("unexpected text at {}", parser.at));
        }
        Ok(filter)
    }

    /// Does a record whose fields `field` reads satisfy this filter?
    pub(super) fn matches(&self, field: &dyn Fn(&str) -> Scalar) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(field)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(field)),
            Self::Compare(comparison) => comparison.matches(&field(&comparison.field)),
        }
    }

    /// Every field the filter names.
    pub(super) fn fields(&self) -> Vec<&str> {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().flat_map(|part| part.fields()).collect()
            }
            Self::Compare(comparison) => vec![&comparison.field],
        }
    }

    /// The values this filter demands of `name`, if every match must have one of them.
    pub(super) fn required(&self, name: &str) -> Option<&[String]> {
        match self {
            Self::All(parts) => parts.iter().find_map(|part| part.required(name)),
            Self::Any(parts) if parts.len() == 1 => parts[0].required(name),
            Self::Any(_) => None,
            Self::Compare(comparison) => {
                let exact = matches!(comparison.operator, Operator::Equal | Operator::In)
                    && comparison.values.iter().all(|value| !value.contains('*'));
                (comparison.field == name && exact).then_some(&comparison.values)
            }
        }
    }
}

impl Comparison {
    fn matches(&self, actual: &Scalar) -> bool {
        let equal = |written: &String| equals(actual, written);
        let ordered = |wanted: fn(Ordering) -> bool| {
            self.values
                .iter()
                .any(|written| actual.compare(written).is_some_and(wanted))
        };
        match self.operator {
            Operator::Equal | Operator::In => self.values.iter().any(equal),
            Operator::NotEqual | Operator::Out => !self.values.iter().any(equal),
            Operator::Less => ordered(Ordering::is_lt),
            Operator::LessOrEqual => ordered(Ordering::is_le),
            Operator::Greater => ordered(Ordering::is_gt),
            Operator::GreaterOrEqual => ordered(Ordering::is_ge),
        }
    }
}

fn equals(actual: &Scalar, written: &str) -> bool {
    if written.contains('*') {
        return wildcard(&actual.text().to_lowercase(), &written.to_lowercase());
    }
    match actual {
        Scalar::Absent => written.is_empty(),
        Scalar::Text(text) if text.is_ascii() => text.eq_ignore_ascii_case(written),
        other => other.compare(written) == Some(Ordering::Equal),
    }
}

fn wildcard(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(found) => rest = &rest[found + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.all()?];
        while self.eat(",") || self.eat_word("or") {
            parts.push(self.all()?);
        }
        Ok(Self::join(parts, Filter::Any))
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.one()?];
        while self.eat(";") || self.eat_word("and") {
            parts.push(self.one()?);
        }
        Ok(Self::join(parts, Filter::All))
    }

    fn join(mut parts: Vec<Filter>, make: fn(Vec<Filter>) -> Filter) -> Filter {
        match parts.len() {
            1 => parts.remove(0),
            _ => make(parts),
        }
    }

    fn one(&mut self) -> Result<Filter, String> {
        if self.eat("(") {
            let inner = self.any()?;
            return match self.eat(")") {
                true => Ok(inner),
                false => Err(format!("missing ) at {}", self.at)),
            };
        }
        self.skip_spaces();
        let field = self.take_while(|c| c.is_ascii_alphanumeric() || "._".contains(c));
        if field.is_empty() {
            return Err(format!("a field name is expected at {}", self.at));
        }
        self.skip_spaces();
        let rest = self.rest();
        let (spelling, operator) = OPERATORS
            .into_iter()
            .find(|(spelling, _)| rest.starts_with(spelling))
            .ok_or_else(|| format!("an operator is expected at {}", self.at))?;
        self.at += spelling.len();
        let values = match self.eat("(") {
            true => self.list()?,
            false => vec![self.value()?],
        };
        Ok(Filter::Compare(Comparison {
            field: field.to_owned(),
            operator,
            values,
        }))
    }

    fn list(&mut self) -> Result<Vec<String>, String> {
        let mut values = vec![self.value()?];
        while self.eat(",") {
            values.push(self.value()?);
        }
        match self.eat(")") {
            true => Ok(values),
            false => Err(format!("missing ) at {}", self.at)),
        }
    }

    fn value(&mut self) -> Result<String, String> {
        self.skip_spaces();
        let Some(quote) = self.rest().chars().next().filter(|c| "\"'".contains(*c)) else {
            let bare = self.take_while(|c| !"\"'();,<>=!".contains(c) && !c.is_whitespace());
            return match bare.is_empty() {
                true => Err(format!("a value is expected at {}", self.at)),
                false => Ok(bare.to_owned()),
            };
        };
        self.at += 1;
        let mut value = String::new();
        let mut characters = self.rest().char_indices();
        while let Some((offset, character)) = characters.next() {
            match character {
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                c if c == quote => {
                    self.at += offset + 1;
                    return Ok(value);
                }
                other => value.push(other),
            }
        }
        Err("a quoted value does not end".to_owned())
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        self.skip_spaces();
        let rest = self.rest();
        let found = rest
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
            && rest[word.len()..].starts_with([' ', '(']);
        if found {
            self.at += word.len();
        }
        found
    }

    fn skip_spaces(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn record(field: &str) -> Scalar {
        match field {
            "hardware.serialNumber" => "C02A".into(),
            "general.remoteManagement.managed" => true.into(),
            "general.reportDate" => {
                let at = DateTime::parse_from_rfc3339("2026-08-01T10:00:00Z").unwrap();
                at.to_utc().into()
            }
            _ => Scalar::Absent,
        }
    }

    #[track_caller]
    fn check(filter: &str, expected: bool) {
        let parsed = Filter::parse(filter).unwrap();
        assert_eq!(parsed.matches(&record), expected, "{filter}");
    }

    #[test]
    fn comparisons_lists_and_connectives_match_as_documented() {
        check("hardware.serialNumber=in=(\"C02A\",\"C02B\")", true);
        check("hardware.serialNumber=out=(C02A,C02B)", false);
        check(
            "hardware.serialNumber==\"c02a\";general.remoteManagement.managed==true",
            true,
        );
        check(
            "hardware.serialNumber==X or general.remoteManagement.managed==true",
            true,
        );
        check(
            "(hardware.serialNumber==X,hardware.serialNumber==Y);general.remoteManagement.managed==true",
            false,
        );
        check("general.reportDate=ge=2026-08-01T10:00:00.000Z", true);
        check("general.reportDate<2026-08-01T10:00:00Z", false);
        check("hardware.serialNumber==\"C0*A\"", true);
        check("hardware.serialNumber==\"*X*\"", false);
    }

    #[test]
    fn broken_filters_are_refused() {
        for filter in ["", "a", "a==", "a==\"x", "(a==1", "a==1 b==2", "a=in=(1"] {
            assert!(Filter::parse(filter).is_err(), "{filter}");
        }
    }

    #[test]
    fn only_exact_conditions_narrow_the_search() {
        let narrowed = Filter::parse("id=in=(1,2);name==x").unwrap();
        assert_eq!(narrowed.required("id").unwrap(), ["1", "2"]);
        assert_eq!(Filter::parse("id==1,name==x").unwrap().required("id"), None);
        assert_eq!(Filter::parse("id==1*").unwrap().required("id"), None);
    }
}
