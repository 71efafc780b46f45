//! What can be wrong with a playbook. Each code is explained in `playbooks/README.md`; a test keeps the two in step.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

macro_rules! codes {
    ($($variant:ident $name:literal;)*) => {
        /// Kebab-case code of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The code as it is printed and documented.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }
        }
    };
}

codes! {
    YamlSyntax "yaml-syntax";
    DuplicateKey "duplicate-key";
    UnknownKey "unknown-key";
    MissingKey "missing-key";
    WrongType "wrong-type";
    EmptyText "empty-text";
    BadName "bad-name";
    NameDiffersFromFolder "name-differs-from-folder";
    UnknownWord "unknown-word";
    UnknownCause "unknown-cause";
    OnceNotInCauses "once-not-in-causes";
    DuplicateEntry "duplicate-entry";
    BadDuration "bad-duration";
    OutOfRange "out-of-range";
    BadWaves "bad-waves";
    NoSteps "no-steps";
    DuplicateStep "duplicate-step";
    StepNeedsOneKind "step-needs-one-kind";
    KeyNotForThisStep "key-not-for-this-step";
    UnknownAction "unknown-action";
    UnknownInput "unknown-input";
    ActionNotSupported "action-not-supported";
    VerifyNeedsManaged "verify-needs-managed";
    NoSignInStep "no-sign-in-step";
    AutoTooRisky "auto-too-risky";
    ConditionSyntax "condition-syntax";
    ConditionTooLong "condition-too-long";
    ConditionTooDeep "condition-too-deep";
    ConditionListTooLong "condition-list-too-long";
    ConditionUnknownField "condition-unknown-field";
    ConditionUnknownFunction "condition-unknown-function";
    ConditionNotBoolean "condition-not-boolean";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place in a playbook file; lines and columns count from 1, 0 means the whole file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

/// One thing that is wrong with a playbook, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Name of the file as it was given.
    pub file: String,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// The line of the file, without its end.
    pub excerpt: String,
    /// What kind of problem.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error[{}]: {}", self.code, self.message)?;
        writeln!(
            f,
            "  --> {}:{}:{}",
            self.file, self.place.line, self.place.column
        )?;
        if self.place.line > 0 {
            let number = self.place.line.to_string();
            let margin = " ".repeat(number.len());
            let indent = " ".repeat(self.place.column.saturating_sub(1));
            writeln!(
                f,
                "{margin} |\n{number} | {}\n{margin} | {indent}^",
                self.excerpt
            )?;
        }
        write!(f, "  = help: {}", self.hint)
    }
}

/// Collects the problems of one file.
#[derive(Debug)]
pub(super) struct Problems<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<Problem>,
    /// Keys that stand in the mapping at a place, readable or not.
    keys: BTreeSet<(Place, &'static str)>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            text,
            found: Vec::new(),
            keys: BTreeSet::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        place: Place,
        code: Code,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let excerpt = place
            .line
            .checked_sub(1)
            .and_then(|index| self.text.lines().nth(index))
            .unwrap_or_default();
        self.found.push(Problem {
            file: self.file.to_owned(),
            place,
            excerpt: excerpt.to_owned(),
            code,
            message: message.into(),
            hint: hint.into(),
        });
    }

    /// Notes that a key stands in the mapping at a place.
    pub(super) fn saw(&mut self, mapping: Place, key: &'static str) {
        self.keys.insert((mapping, key));
    }

    /// Whether a key stands there: if it could not be read, that is told already.
    pub(super) fn has_seen(&self, mapping: Place, key: &'static str) -> bool {
        self.keys.contains(&(mapping, key))
    }

    /// Every problem in the order of the file, each once.
    pub(super) fn into_sorted(mut self) -> Vec<Problem> {
        self.found
            .sort_by(|a, b| (a.place, a.code, &a.message).cmp(&(b.place, b.code, &b.message)));
        self.found.dedup();
        self.found
    }
}

/// The nearest of `known` to a misspelt word, if one is near at all.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance over bytes; names are ASCII and short.
fn distance(a: &str, b: &str) -> usize {
    let b = b.as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_kebab_case() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert!(
                code.as_str()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{code}"
            );
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn every_code_is_explained_in_the_authors_guide() {
        let guide = include_str!("../../../../playbooks/README.md");
        for code in Code::ALL {
            assert!(
                guide.contains(&format!("| `{code}` |")),
                "{code} is not in playbooks/README.md"
            );
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_another_word_is_not() {
        let known = ["steps", "limits", "rollout"];
        assert_eq!(nearest("step", known), Some("steps"));
        assert_eq!(nearest("rolout", known), Some("rollout"));
        assert_eq!(nearest("colour", known), None);
    }
}
