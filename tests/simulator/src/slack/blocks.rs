//! Blocks as the server uses them: the ids it fills in, the elements a person can use and the
//! state their inputs have.

use serde_json::{Map, Value, json};

/// Elements whose value is part of `state.values`.
pub(super) const INPUTS: [&str; 20] = [
    "plain_text_input",
    "static_select",
    "external_select",
    "users_select",
    "conversations_select",
    "channels_select",
    "multi_static_select",
    "multi_external_select",
    "multi_users_select",
    "multi_conversations_select",
    "multi_channels_select",
    "radio_buttons",
    "checkboxes",
    "datepicker",
    "timepicker",
    "datetimepicker",
    "number_input",
    "email_text_input",
    "url_text_input",
    "rich_text_input",
];

/// Gives every block and every interactive element the id that Slack adds where the app sent none.
pub(super) fn fill_ids(blocks: &mut [Value], mut next: impl FnMut() -> String) {
    for block in blocks {
        if block["block_id"].as_str().is_none_or(str::is_empty) && block.is_object() {
            block["block_id"] = json!(next());
        }
        for key in ["accessory", "element"] {
            if block[key].is_object() {
                fill_action_id(&mut block[key], &mut next);
            }
        }
        if block["type"] != "context"
            && let Some(elements) = block.get_mut("elements").and_then(Value::as_array_mut)
        {
            for element in elements {
                fill_action_id(element, &mut next);
            }
        }
    }
}

fn fill_action_id(element: &mut Value, next: &mut impl FnMut() -> String) {
    let kind = element["type"].as_str().unwrap_or_default();
    let interactive = matches!(kind, "button" | "overflow") || INPUTS.contains(&kind);
    if interactive && element["action_id"].as_str().is_none_or(str::is_empty) {
        element["action_id"] = json!(next());
    }
}

/// Every interactive element with the id of its block.
pub(super) fn elements(blocks: &[Value]) -> impl Iterator<Item = (&str, &Value)> {
    blocks.iter().flat_map(|block| {
        let inside = block["elements"]
            .as_array()
            .map_or(&[] as &[Value], Vec::as_slice);
        let single = [&block["accessory"], &block["element"]];
        single
            .into_iter()
            .chain(inside)
            .filter(|element| element["action_id"].is_string())
            .map(|element| (block["block_id"].as_str().unwrap_or_default(), element))
    })
}

/// The options of an element, those in groups included.
pub(super) fn options(element: &Value) -> impl Iterator<Item = &Value> {
    let flat = element["options"].as_array().into_iter().flatten();
    let groups = element["option_groups"].as_array().into_iter().flatten();
    flat.chain(groups.flat_map(|group| group["options"].as_array().into_iter().flatten()))
}

/// `state.values` of freshly shown blocks: every input with its initial value.
pub(super) fn initial_values(blocks: &[Value]) -> Map<String, Value> {
    let mut values = Map::new();
    for (block_id, element) in elements(blocks) {
        let kind = element["type"].as_str().unwrap_or_default();
        if !INPUTS.contains(&kind) {
            continue;
        }
        let action_id = element["action_id"].as_str().unwrap_or_default();
        let block = values.entry(block_id).or_insert_with(|| json!({}));
        block[action_id] = initial_value(kind, element);
    }
    values
}

fn initial_value(kind: &str, element: &Value) -> Value {
    let (key, initial) = match kind {
        "static_select" | "external_select" | "radio_buttons" => {
            ("selected_option", "initial_option")
        }
        "multi_static_select" | "multi_external_select" | "checkboxes" => {
            let initial = element["initial_options"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            return json!({"type": kind, "selected_options": initial});
        }
        "users_select" => ("selected_user", "initial_user"),
        "multi_users_select" => {
            let initial = element["initial_users"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            return json!({"type": kind, "selected_users": initial});
        }
        "conversations_select" => ("selected_conversation", "initial_conversation"),
        "channels_select" => ("selected_channel", "initial_channel"),
        "datepicker" => ("selected_date", "initial_date"),
        "timepicker" => ("selected_time", "initial_time"),
        "datetimepicker" => ("selected_date_time", "initial_date_time"),
        _ => ("value", "initial_value"),
    };
    json!({"type": kind, key: element[initial]})
}

/// The value an element has after a person typed or chose `input`: a string, or a list of strings
/// for elements that take several. `None` if the element offers no such choice.
pub(super) fn chosen_value(element: &Value, input: &Value) -> Option<Value> {
    let kind = element["type"].as_str()?;
    let option = |wanted: &str| {
        options(element)
            .find(|option| option["value"] == wanted || option["text"]["text"] == wanted)
            .cloned()
    };
    let list = || match input {
        Value::Array(items) => items.iter().map(Value::as_str).collect::<Option<Vec<_>>>(),
        Value::String(one) => Some(vec![one.as_str()]),
        _ => None,
    };
    match kind {
        "static_select" | "radio_buttons" => {
            Some(json!({"type": kind, "selected_option": option(input.as_str()?)?}))
        }
        "multi_static_select" | "checkboxes" => {
            let chosen = list()?
                .into_iter()
                .map(option)
                .collect::<Option<Vec<_>>>()?;
            Some(json!({"type": kind, "selected_options": chosen}))
        }
        "multi_users_select" => Some(json!({"type": kind, "selected_users": list()?})),
        "users_select" => Some(json!({"type": kind, "selected_user": input.as_str()?})),
        "conversations_select" => {
            Some(json!({"type": kind, "selected_conversation": input.as_str()?}))
        }
        "channels_select" => Some(json!({"type": kind, "selected_channel": input.as_str()?})),
        "datepicker" => Some(json!({"type": kind, "selected_date": input.as_str()?})),
        "timepicker" => Some(json!({"type": kind, "selected_time": input.as_str()?})),
        kind if INPUTS.contains(&kind) => {
            let text = input.as_str()?;
            let most = element["max_length"].as_u64().unwrap_or(3_000);
            let value = if text.is_empty() {
                Value::Null
            } else {
                json!(text)
            };
            (text.chars().count() as u64 <= most).then(|| json!({"type": kind, "value": value}))
        }
        _ => None,
    }
}

/// Whether an entry of `state.values` holds nothing.
pub(super) fn is_empty_value(value: &Value) -> bool {
    let Some(fields) = value.as_object() else {
        return true;
    };
    fields
        .iter()
        .filter(|(key, _)| *key != "type")
        .all(|(_, value)| value.is_null() || value.as_array().is_some_and(Vec::is_empty))
}
