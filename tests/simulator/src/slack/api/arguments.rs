//! A method's arguments, however they were sent: query, form or JSON body.

use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};
use url::form_urlencoded;

/// Arguments by name. Structures sent as JSON text in a form are read as such.
pub(crate) struct Arguments(Map<String, Value>);

/// Arguments that hold a structure.
const STRUCTURES: [&str; 5] = ["blocks", "attachments", "metadata", "view", "message"];

impl Arguments {
    pub(super) fn read(
        query: Option<&str>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Self, &'static str> {
        let mut fields = Map::new();
        add_pairs(&mut fields, query.unwrap_or_default().as_bytes());
        let kind = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if kind.starts_with("application/json") && !body.is_empty() {
            match serde_json::from_slice(body) {
                Ok(Value::Object(object)) => fields.extend(object),
                Ok(_) => return Err("json_not_object"),
                Err(_) => return Err("invalid_json"),
            }
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            add_pairs(&mut fields, body);
        }
        Self::from_fields(fields)
    }

    /// Arguments from a JSON object.
    pub(crate) fn from_fields(mut fields: Map<String, Value>) -> Result<Self, &'static str> {
        for key in STRUCTURES {
            if let Some(Value::String(text)) = fields.get(key) {
                let parsed = if text.is_empty() {
                    Value::Null
                } else {
                    serde_json::from_str(text).map_err(|_unparsed| unreadable(key))?
                };
                fields.insert(key.to_owned(), parsed);
            }
        }
        Ok(Self(fields))
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    pub(super) fn required(&self, key: &str, missing: &'static str) -> Result<&str, &'static str> {
        self.text(key)
            .filter(|text| !text.is_empty())
            .ok_or(missing)
    }

    pub(crate) fn json(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        match self.0.get(key) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => matches!(text.as_str(), "true" | "1"),
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            _ => false,
        }
    }

    pub(super) fn number(&self, key: &str) -> Option<usize> {
        match self.0.get(key)? {
            Value::Number(number) => number.as_u64().map(|number| number as usize),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A list sent as JSON or separated by commas.
    pub(super) fn list(&self, key: &str) -> Vec<String> {
        match self.0.get(key) {
            Some(Value::Array(items)) => items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            Some(Value::String(text)) => text
                .split(',')
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect(),
            _ => Vec::new(),
        }
    }
}

fn unreadable(key: &str) -> &'static str {
    match key {
        "blocks" => "invalid_blocks_format",
        "attachments" => "invalid_attachments",
        "metadata" => "invalid_metadata_format",
        _ => "invalid_arguments",
    }
}

fn add_pairs(fields: &mut Map<String, Value>, encoded: &[u8]) {
    for (key, value) in form_urlencoded::parse(encoded) {
        fields.insert(key.into_owned(), Value::String(value.into_owned()));
    }
}
