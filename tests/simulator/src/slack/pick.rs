//! What a person picked: an element of some blocks and, where it offers a choice, the choice.

use serde_json::{Map, Value, json};

use super::blocks;
use super::interact::InteractionError;

/// An element and, where it offers a choice, what was chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick {
    action_id: String,
    block_id: Option<String>,
    choice: Option<Choice>,
}

#[derive(Clone, Debug, PartialEq)]
enum Choice {
    /// Values or labels, or what was typed.
    Exactly(Value),
    /// Beginning of an option's value.
    Prefix(String),
}

impl Pick {
    /// A button.
    pub fn button(action_id: impl Into<String>) -> Self {
        Self {
            action_id: action_id.into(),
            block_id: None,
            choice: None,
        }
    }

    /// An option of a menu, by its value or its label.
    pub fn option(action_id: impl Into<String>, option: &str) -> Self {
        Self {
            choice: Some(Choice::Exactly(json!(option))),
            ..Self::button(action_id)
        }
    }

    /// An option of a menu, by how its value begins.
    pub fn option_with_prefix(action_id: impl Into<String>, prefix: &str) -> Self {
        Self {
            choice: Some(Choice::Prefix(prefix.to_owned())),
            ..Self::button(action_id)
        }
    }

    /// Several options of a list, by value or label.
    pub fn options(action_id: impl Into<String>, options: &[&str]) -> Self {
        Self {
            choice: Some(Choice::Exactly(json!(options))),
            ..Self::button(action_id)
        }
    }

    /// The element of this block, where several have the same `action_id`.
    pub fn in_block(mut self, block_id: &str) -> Self {
        self.block_id = Some(block_id.to_owned());
        self
    }
}

impl From<&str> for Pick {
    fn from(action_id: &str) -> Self {
        Self::button(action_id)
    }
}

/// The picked element and the id of its block.
pub(super) fn find(list: &[Value], pick: &Pick) -> Result<(String, Value), InteractionError> {
    let mut elements = blocks::elements(list);
    let found = elements.find(|(block_id, element)| {
        element["action_id"] == pick.action_id
            && pick
                .block_id
                .as_deref()
                .is_none_or(|wanted| wanted == *block_id)
    });
    let (block_id, element) =
        found.ok_or_else(|| InteractionError::NoSuchElement(pick.action_id.clone()))?;
    Ok((block_id.to_owned(), element.clone()))
}

/// The entry of `actions` for a picked element.
pub(super) fn action(
    block_id: &str,
    element: &Value,
    pick: &Pick,
) -> Result<Value, InteractionError> {
    let no_choice =
        || InteractionError::NoSuchElement(format!("{} with {:?}", pick.action_id, pick.choice));
    let mut action = match (element["type"].as_str(), &pick.choice) {
        (Some("button"), None) => {
            let mut action = Map::new();
            for key in ["type", "text", "value", "style", "url"] {
                if !element[key].is_null() {
                    action.insert(key.to_owned(), element[key].clone());
                }
            }
            Value::Object(action)
        }
        (Some("overflow"), Some(choice)) => {
            let option = blocks::options(element)
                .find(|option| choice.is(option))
                .ok_or_else(no_choice)?;
            json!({"type": "overflow", "selected_option": option})
        }
        (_, Some(Choice::Prefix(_))) => {
            let choice = pick.choice.as_ref().ok_or_else(no_choice)?;
            let option = blocks::options(element)
                .find(|option| choice.is(option))
                .ok_or_else(no_choice)?;
            blocks::chosen_value(element, &option["value"]).ok_or_else(no_choice)?
        }
        (_, Some(Choice::Exactly(input))) => {
            blocks::chosen_value(element, input).ok_or_else(no_choice)?
        }
        (_, None) => return Err(no_choice()),
    };
    action["action_id"] = element["action_id"].clone();
    action["block_id"] = json!(block_id);
    Ok(action)
}

impl Choice {
    fn is(&self, option: &Value) -> bool {
        match self {
            Choice::Exactly(wanted) => {
                option["value"] == *wanted || option["text"]["text"] == *wanted
            }
            Choice::Prefix(prefix) => option["value"]
                .as_str()
                .is_some_and(|value| value.starts_with(prefix)),
        }
    }
}
