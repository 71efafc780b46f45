//! YAML as a tree in which every key and value knows its place. The YAML crate is used here only.
//!
//! Shapes are checked on the tree, not while parsing, so that all problems of a file are told at once.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Location;

use super::problem::{Code, Place};

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// Any YAML value.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Whole(i64),
    Fraction,
    Text(String),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl Node {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Whole(_) | Self::Fraction => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// A file that is no YAML.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) place: Place,
    pub(super) code: Code,
    pub(super) message: String,
}

/// Parses one document.
pub(super) fn parse(text: &str) -> Result<Spanned<Node>, Unreadable> {
    let options = serde_saphyr::options! { with_snippet: false };
    let parsed: Result<serde_saphyr::Spanned<Node>, _> =
        serde_saphyr::from_str_with_options(text, options);
    match parsed {
        Ok(root) => Ok(spanned(root)),
        Err(error) => {
            let plain = error.without_snippet();
            let place = plain.location().as_ref().map(place_of).unwrap_or_default();
            let code = match plain {
                serde_saphyr::Error::DuplicateMappingKey { .. } => Code::DuplicateKey,
                _ => Code::YamlSyntax,
            };
            Err(Unreadable {
                place,
                code,
                message: plain.to_string(),
            })
        }
    }
}

fn place_of(location: &Location) -> Place {
    Place {
        line: usize::try_from(location.line()).unwrap_or_default(),
        column: usize::try_from(location.column()).unwrap_or_default(),
    }
}

fn spanned<T>(from: serde_saphyr::Spanned<T>) -> Spanned<T> {
    Spanned {
        place: place_of(&from.referenced),
        value: from.value,
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_none<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Whole(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
                i64::try_from(value).map(Node::Whole).map_err(E::custom)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Fraction)
            }

            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Text(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<Node, E> {
                Ok(Node::Text(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = sequence.next_element::<serde_saphyr::Spanned<Node>>()? {
                    items.push(spanned(item));
                }
                Ok(Node::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut fields = Vec::new();
                while let Some(key) = map.next_key::<serde_saphyr::Spanned<String>>()? {
                    let value = map.next_value::<serde_saphyr::Spanned<Node>>()?;
                    fields.push((spanned(key), spanned(value)));
                }
                Ok(Node::Map(fields))
            }
        }

        deserializer.deserialize_any(Any)
    }
}
