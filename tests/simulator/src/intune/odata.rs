//! The `OData` `$filter` subset that Graph's device lists understand, and the export jobs' filter
//! language, which looks the same but allows fewer fields.

use std::cmp::Ordering;

use crate::scalar::Scalar;

/// A parsed `$filter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    /// Every part holds.
    All(Vec<Filter>),
    /// At least one part holds.
    Any(Vec<Filter>),
    /// The part does not hold.
    Not(Box<Filter>),
    /// `field operator literal`.
    Compare {
        /// The property.
        field: String,
        /// `eq`, `ne`, `lt`, `le`, `gt`, `ge` or `in`.
        operator: Operator,
        /// The literals; only `in` has several. `None` is `null`.
        values: Vec<Option<String>>,
    },
    /// `startswith(field, 'x')` and its kin.
    Text {
        /// The property.
        field: String,
        /// Which function.
        function: Function,
        /// The text.
        value: String,
    },
    /// `isof('type')`.
    IsOf(String),
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `eq` or `in`.
    Equal,
    /// `ne`.
    NotEqual,
    /// `lt`.
    Less,
    /// `le`.
    LessOrEqual,
    /// `gt`.
    Greater,
    /// `ge`.
    GreaterOrEqual,
}

/// A text function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// `startswith`.
    StartsWith,
    /// `endswith`.
    EndsWith,
    /// `contains`.
    Contains,
}

impl Filter {
    /// Reads a filter; the error is the vendor's kind of sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens, at: 0 };
        let filter = parser.any()?;
        match parser.peek() {
            None => Ok(filter),
            Some(token) => Err(format!("Syntax error at '{token:?}' in '{text}'.")),
        }
    }

    /// Does a record satisfy this filter? `field` reads a property, `type_name` is its `OData` type.
    pub(super) fn matches(&self, field: &dyn Fn(&str) -> Scalar, type_name: &str) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(field, type_name)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(field, type_name)),
            Self::Not(part) => !part.matches(field, type_name),
            Self::IsOf(wanted) => wanted.trim_start_matches('#') == type_name,
            Self::Text {
                field: name,
                function,
                value,
            } => {
                let actual = field(name).text().to_lowercase();
                let value = value.to_lowercase();
                match function {
                    Function::StartsWith => actual.starts_with(&value),
                    Function::EndsWith => actual.ends_with(&value),
                    Function::Contains => actual.contains(&value),
                }
            }
            Self::Compare {
                field: name,
                operator,
                values,
            } => {
                let actual = field(name);
                values
                    .iter()
                    .any(|value| compare(&actual, *operator, value.as_deref()))
            }
        }
    }

    /// Every property the filter names.
    pub(super) fn fields(&self) -> Vec<&str> {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().flat_map(|part| part.fields()).collect()
            }
            Self::Not(part) => part.fields(),
            Self::Compare { field, .. } | Self::Text { field, .. } => vec![field],
            Self::IsOf(_) => Vec::new(),
        }
    }

    /// The literals demanded of `name`, if every match must have one of them.
    pub(super) fn required(&self, name: &str) -> Option<Vec<&str>> {
        match self {
            Self::All(parts) => parts.iter().find_map(|part| part.required(name)),
            Self::Any(parts) => {
                let each: Option<Vec<_>> = parts.iter().map(|part| part.required(name)).collect();
                Some(each?.into_iter().flatten().collect())
            }
            Self::Compare {
                field,
                operator: Operator::Equal,
                values,
            } if field == name => values.iter().map(Option::as_deref).collect(),
            _ => None,
        }
    }
}

fn compare(actual: &Scalar, operator: Operator, written: Option<&str>) -> bool {
    let Some(written) = written else {
        let is_null = *actual == Scalar::Absent;
        return match operator {
            Operator::Equal => is_null,
            Operator::NotEqual => !is_null,
            _ => false,
        };
    };
    let ordering = actual.compare(written);
    match operator {
        Operator::Equal => ordering == Some(Ordering::Equal),
        Operator::NotEqual => ordering != Some(Ordering::Equal),
        Operator::Less => ordering.is_some_and(Ordering::is_lt),
        Operator::LessOrEqual => ordering.is_some_and(Ordering::is_le),
        Operator::Greater => ordering.is_some_and(Ordering::is_gt),
        Operator::GreaterOrEqual => ordering.is_some_and(Ordering::is_ge),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Comma,
    Text(String),
    Word(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            c if c.is_whitespace() => {}
            '(' => found.push(Token::Open),
            ')' => found.push(Token::Close),
            ',' => found.push(Token::Comma),
            '\'' => {
                let mut value = String::new();
                loop {
                    match characters.next() {
                        Some('\'') if characters.peek() == Some(&'\'') => {
                            characters.next();
                            value.push('\'');
                        }
                        Some('\'') => break,
                        Some(other) => value.push(other),
                        None => return Err("There is an unterminated string literal.".to_owned()),
                    }
                }
                found.push(Token::Text(value));
            }
            first => {
                let mut word = String::from(first);
                while let Some(next) = characters.peek()
                    && !next.is_whitespace()
                    && !"(),'".contains(*next)
                {
                    word.push(*next);
                    characters.next();
                }
                found.push(Token::Word(word));
            }
        }
    }
    Ok(found)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn any(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.all()?];
        while self.eat_word("or") {
            parts.push(self.all()?);
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Filter::Any(parts),
        })
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.one()?];
        while self.eat_word("and") {
            parts.push(self.one()?);
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Filter::All(parts),
        })
    }

    fn one(&mut self) -> Result<Filter, String> {
        if self.eat_word("not") {
            return Ok(Filter::Not(Box::new(self.one()?)));
        }
        if self.eat(&Token::Open) {
            let inner = self.any()?;
            self.expect(&Token::Close)?;
            return Ok(inner);
        }
        let name = self.word()?;
        if self.eat(&Token::Open) {
            return self.function(&name);
        }
        let operator = match self.word()?.as_str() {
            "eq" => Operator::Equal,
            "ne" => Operator::NotEqual,
            "lt" => Operator::Less,
            "le" => Operator::LessOrEqual,
            "gt" => Operator::Greater,
            "ge" => Operator::GreaterOrEqual,
            "in" => {
                self.expect(&Token::Open)?;
                let mut values = vec![self.literal()?];
                while self.eat(&Token::Comma) {
                    values.push(self.literal()?);
                }
                self.expect(&Token::Close)?;
                return Ok(Filter::Compare {
                    field: name,
                    operator: Operator::Equal,
                    values,
                });
            }
            other => return Err(format!("Unrecognized operator '{other}'.")),
        };
        Ok(Filter::Compare {
            field: name,
            operator,
            values: vec![self.literal()?],
        })
    }

    fn function(&mut self, name: &str) -> Result<Filter, String> {
        if name == "isof" {
            let wanted = self.literal()?.unwrap_or_default();
            self.expect(&Token::Close)?;
            return Ok(Filter::IsOf(wanted));
        }
        let function = match name.to_ascii_lowercase().as_str() {
            "startswith" => Function::StartsWith,
            "endswith" => Function::EndsWith,
            "contains" => Function::Contains,
            other => return Err(format!("Unknown function '{other}'.")),
        };
        let field = self.word()?;
        self.expect(&Token::Comma)?;
        let value = self.literal()?.unwrap_or_default();
        self.expect(&Token::Close)?;
        Ok(Filter::Text {
            field,
            function,
            value,
        })
    }

    fn literal(&mut self) -> Result<Option<String>, String> {
        let token = self.peek().cloned();
        self.at += 1;
        match token {
            Some(Token::Text(value)) => Ok(Some(value)),
            Some(Token::Word(word)) if word == "null" => Ok(None),
            Some(Token::Word(word)) => Ok(Some(word)),
            other => Err(format!("A literal is expected, found '{other:?}'.")),
        }
    }

    fn word(&mut self) -> Result<String, String> {
        let token = self.peek().cloned();
        self.at += 1;
        match token {
            Some(Token::Word(word)) => Ok(word),
            other => Err(format!("A name is expected, found '{other:?}'.")),
        }
    }

    fn expect(&mut self, token: &Token) -> Result<(), String> {
        match self.eat(token) {
            true => Ok(()),
            false => Err(format!(
                "'{token:?}' is expected, found '{:?}'.",
                self.peek()
            )),
        }
    }

    fn eat_word(&mut self, word: &str) -> bool {
        self.eat(&Token::Word(word.to_owned()))
    }

    fn eat(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        if found {
            self.at += 1;
        }
        found
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(field: &str) -> Scalar {
        match field {
            "serialNumber" => "5CG'1".into(),
            "operatingSystem" => "Windows".into(),
            _ => Scalar::Absent,
        }
    }

    #[track_caller]
    fn check(filter: &str, expected: bool) {
        let parsed = Filter::parse(filter).unwrap();
        assert_eq!(parsed.matches(&record, "t.Profile"), expected, "{filter}");
    }

    #[test]
    fn the_subset_matches_as_documented() {
        check("serialNumber eq '5CG''1'", true);
        check(
            "operatingSystem eq 'macOS' or operatingSystem eq 'Windows'",
            true,
        );
        check(
            "serialNumber eq 'x' and (operatingSystem eq 'Windows')",
            false,
        );
        check("operatingSystem in ('macOS','Windows')", true);
        check("udid eq null", true);
        check("not startswith(operatingSystem,'Win')", false);
        check("isof('t.Profile')", true);
        check(
            "(isof('t.Other') or isof('#t.Profile')) and operatingSystem ne 'macOS'",
            true,
        );
    }

    #[test]
    fn broken_filters_are_refused() {
        for filter in [
            "",
            "a",
            "a eq",
            "a eq 'x",
            "(a eq 1",
            "a like 'x'",
            "f(a,'x')",
        ] {
            assert!(Filter::parse(filter).is_err(), "{filter}");
        }
    }

    #[test]
    fn required_values_survive_alternatives_of_the_same_field() {
        let filter = Filter::parse("id eq '1' or id eq '2'").unwrap();
        assert_eq!(filter.required("id").unwrap(), ["1", "2"]);
        let mixed = Filter::parse("id eq '1' or name eq '2'").unwrap();
        assert_eq!(mixed.required("id"), None);
    }
}
