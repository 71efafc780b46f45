//! The SCIM-like language of `search` and `filter`: comparisons, `and`, `or`, `not`, parentheses.

/// An expression over a record's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Compare {
        field: String,
        operator: Operator,
        value: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Pr,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Operator {
    fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "co" => Self::Co,
            "sw" => Self::Sw,
            "ew" => Self::Ew,
            "pr" => Self::Pr,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "lt" => Self::Lt,
            "le" => Self::Le,
            _ => return None,
        })
    }
}

impl Filter {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser {
            tokens: tokens(text)?,
            at: 0,
            depth: 0,
        };
        let filter = parser.or()?;
        (parser.at == parser.tokens.len()).then_some(filter)
    }

    /// Every comparison, to check fields and operators before anything is read.
    pub(super) fn comparisons(&self) -> Vec<(&str, Operator)> {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                let mut all = left.comparisons();
                all.extend(right.comparisons());
                all
            }
            Self::Not(inner) => inner.comparisons(),
            Self::Compare {
                field, operator, ..
            } => vec![(field, *operator)],
        }
    }

    /// Whether a record matches; `values` gives all values of a field, of which one must match.
    pub(super) fn matches(&self, values: &dyn Fn(&str) -> Vec<String>) -> bool {
        match self {
            Self::And(left, right) => left.matches(values) && right.matches(values),
            Self::Or(left, right) => left.matches(values) || right.matches(values),
            Self::Not(inner) => !inner.matches(values),
            Self::Compare {
                field,
                operator,
                value,
            } => compare(&values(field), *operator, value),
        }
    }
}

fn compare(found: &[String], operator: Operator, wanted: &str) -> bool {
    let wanted = wanted.to_lowercase();
    let any = |test: &dyn Fn(&str) -> bool| found.iter().any(|value| test(&value.to_lowercase()));
    match operator {
        Operator::Pr => !found.is_empty(),
        Operator::Ne => !any(&|value| value == wanted),
        Operator::Eq => any(&|value| value == wanted),
        Operator::Co => any(&|value| value.contains(&wanted)),
        Operator::Sw => any(&|value| value.starts_with(&wanted)),
        Operator::Ew => any(&|value| value.ends_with(&wanted)),
        // Times are ISO 8601 in UTC, so they sort as text.
        Operator::Gt => any(&|value| value > wanted.as_str()),
        Operator::Ge => any(&|value| value >= wanted.as_str()),
        Operator::Lt => any(&|value| value < wanted.as_str()),
        Operator::Le => any(&|value| value <= wanted.as_str()),
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Word(String),
    Text(String),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(&letter) = letters.peek() {
        match letter {
            _ if letter.is_whitespace() => {
                letters.next();
            }
            '(' => {
                letters.next();
                tokens.push(Token::Open);
            }
            ')' => {
                letters.next();
                tokens.push(Token::Close);
            }
            '"' => {
                letters.next();
                tokens.push(Token::Text(quoted(&mut letters)?));
            }
            _ => {
                let mut word = String::new();
                while let Some(letter) = letters
                    .next_if(|letter| !letter.is_whitespace() && !matches!(letter, '(' | ')' | '"'))
                {
                    word.push(letter);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
}

fn quoted(letters: &mut impl Iterator<Item = char>) -> Option<String> {
    let mut text = String::new();
    loop {
        match letters.next()? {
            '"' => return Some(text),
            '\\' => text.push(letters.next()?),
            letter => text.push(letter),
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn or(&mut self) -> Option<Filter> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.and()?));
        }
        Some(left)
    }

    fn and(&mut self) -> Option<Filter> {
        let mut left = self.term()?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.term()?));
        }
        Some(left)
    }

    fn term(&mut self) -> Option<Filter> {
        if self.word("not") {
            return Some(Filter::Not(Box::new(self.term()?)));
        }
        if self.tokens.get(self.at) == Some(&Token::Open) {
            self.at += 1;
            self.depth += 1;
            if self.depth > 64 {
                return None;
            }
            let inner = self.or()?;
            self.depth -= 1;
            let closed = self.tokens.get(self.at) == Some(&Token::Close);
            self.at += 1;
            return closed.then_some(inner);
        }
        let field = self.next_word()?;
        let operator = Operator::parse(&self.next_word()?)?;
        let value = if operator == Operator::Pr {
            String::new()
        } else {
            match self.tokens.get(self.at)?.clone() {
                Token::Text(value) | Token::Word(value) => {
                    self.at += 1;
                    value
                }
                Token::Open | Token::Close => return None,
            }
        };
        Some(Filter::Compare {
            field,
            operator,
            value,
        })
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        self.at += usize::from(found);
        found
    }

    fn next_word(&mut self) -> Option<String> {
        let Token::Word(word) = self.tokens.get(self.at)?.clone() else {
            return None;
        };
        self.at += 1;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &str, expected: bool) {
        let filter = Filter::parse(filter).unwrap();
        let values = |field: &str| match field {
            "eventType" => vec!["device.user.add".to_owned()],
            "target.id" => vec!["a".to_owned(), "b".to_owned()],
            "lastUpdated" => vec!["2026-11-02T08:00:00.000Z".to_owned()],
            _ => Vec::new(),
        };
        assert_eq!(filter.matches(&values), expected, "{filter:?}");
    }

    #[test]
    fn and_binds_stronger_than_or() {
        check(
            r#"eventType eq "x" and target.id eq "a" or target.id eq "b""#,
            true,
        );
        check(
            r#"eventType eq "x" and (target.id eq "a" or target.id eq "b")"#,
            false,
        );
        check(r#"not (eventType sw "device.") or actor.id pr"#, false);
        check(r#"target.id eq "a" and target.id eq "B""#, true);
        check(r#"lastUpdated gt "2026-11-01T00:00:00.000Z""#, true);
    }

    #[test]
    fn a_broken_filter_is_no_filter() {
        for broken in [
            "eventType eq",
            "eventType is \"x\"",
            "(eventType pr",
            "eventType pr)",
            "",
        ] {
            assert_eq!(Filter::parse(broken), None, "{broken}");
        }
    }
}
