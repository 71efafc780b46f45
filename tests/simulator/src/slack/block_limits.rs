//! Block Kit's documented limits: what makes Slack refuse blocks or a view.

use std::collections::BTreeSet;

use serde_json::Value;

use super::blocks::INPUTS;

/// Where blocks are shown; limits and allowed blocks depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    Message,
    Modal,
    Home,
}

/// Blocks whose inside is not checked.
const OPAQUE_BLOCKS: [&str; 6] = [
    "rich_text",
    "table",
    "video",
    "file",
    "call",
    "context_actions",
];
/// What is wrong with blocks, in the style of Slack's `response_metadata.messages`; empty if fine.
pub(super) fn problems(blocks: &[Value], surface: Surface) -> Vec<String> {
    let mut check = Check::default();
    let most = if surface == Surface::Message { 50 } else { 100 };
    check.at_most(blocks.len(), most, "items", "/blocks");
    let mut ids = BTreeSet::new();
    let mut markdown = 0;
    for (index, block) in blocks.iter().enumerate() {
        let at = format!("/blocks/{index}");
        if let Some(id) = block["block_id"].as_str() {
            check.chars(id, 255, &format!("{at}/block_id"));
            if !ids.insert(id) {
                check.fail("`block_id` already exists", &format!("{at}/block_id"));
            }
        }
        if block["type"] == "markdown" {
            markdown += block["text"]
                .as_str()
                .map_or(0, |text| text.chars().count());
        }
        check.block(block, surface, &at);
    }
    check.at_most(markdown, 12_000, "characters of markdown", "/blocks");
    check.problems
}

/// What is wrong with a view beyond its blocks.
pub(super) fn view_problems(view: &Value, surface: Surface) -> Vec<String> {
    let mut check = Check::default();
    let Some(blocks) = view["blocks"].as_array() else {
        check.fail("missing required field: blocks", "/view");
        return check.problems;
    };
    if surface == Surface::Modal {
        check.plain(&view["title"], 24, "/view/title");
        for key in ["submit", "close"] {
            if !view[key].is_null() {
                check.plain(&view[key], 24, &format!("/view/{key}"));
            }
        }
        if view["submit"].is_null() && blocks.iter().any(|block| block["type"] == "input") {
            check.fail("missing required field: submit", "/view");
        }
    }
    for (key, most) in [
        ("private_metadata", 3_000),
        ("callback_id", 255),
        ("external_id", 255),
    ] {
        check.chars(
            view[key].as_str().unwrap_or_default(),
            most,
            &format!("/view/{key}"),
        );
    }
    check.problems.extend(problems(blocks, surface));
    check.problems
}

#[derive(Default)]
struct Check {
    problems: Vec<String>,
}

impl Check {
    fn fail(&mut self, what: &str, at: &str) {
        self.problems
            .push(format!("[ERROR] {what} [json-pointer:{at}]"));
    }

    fn at_most(&mut self, count: usize, most: usize, unit: &str, at: &str) {
        if count > most {
            self.fail(&format!("no more than {most} {unit} allowed"), at);
        }
    }

    fn chars(&mut self, text: &str, most: usize, at: &str) {
        if text.chars().count() > most {
            self.fail(&format!("must be less than {} characters", most + 1), at);
        }
    }

    fn text(&mut self, text: &Value, most: usize, at: &str) {
        if !matches!(text["type"].as_str(), Some("plain_text" | "mrkdwn")) {
            self.fail("must be a text object", at);
        }
        match text["text"].as_str() {
            None | Some("") => self.fail("must be more than 0 characters", &format!("{at}/text")),
            Some(content) => self.chars(content, most, &format!("{at}/text")),
        }
    }

    fn plain(&mut self, text: &Value, most: usize, at: &str) {
        if text["type"] != "plain_text" {
            self.fail("must be a plain_text object", at);
        }
        self.text(text, most, at);
    }

    fn block(&mut self, block: &Value, surface: Surface, at: &str) {
        match block["type"].as_str() {
            Some("section") => self.section(block, at),
            Some("header") => self.plain(&block["text"], 150, &format!("{at}/text")),
            Some("divider") => {}
            Some("markdown") if surface == Surface::Message => {
                if block["text"].as_str().is_none_or(str::is_empty) {
                    self.fail("must be more than 0 characters", &format!("{at}/text"));
                }
            }
            Some("image") => self.image(block, at),
            Some("context") => {
                let elements = self.elements(block, 10, at);
                for (index, element) in elements.iter().enumerate() {
                    let at = format!("{at}/elements/{index}");
                    if element["type"] == "image" {
                        self.image(element, &at);
                    } else {
                        self.text(element, 3_000, &at);
                    }
                }
            }
            Some("actions") => {
                let elements = self.elements(block, 25, at);
                let mut ids = BTreeSet::new();
                for (index, element) in elements.iter().enumerate() {
                    let at = format!("{at}/elements/{index}");
                    self.element(element, &at);
                    if let Some(id) = element["action_id"].as_str()
                        && !ids.insert(id)
                    {
                        self.fail("`action_id` already exists", &format!("{at}/action_id"));
                    }
                }
            }
            Some("input") => {
                self.plain(&block["label"], 2_000, &format!("{at}/label"));
                if !block["hint"].is_null() {
                    self.plain(&block["hint"], 2_000, &format!("{at}/hint"));
                }
                let kind = block["element"]["type"].as_str().unwrap_or_default();
                if INPUTS.contains(&kind) {
                    self.element(&block["element"], &format!("{at}/element"));
                } else {
                    self.fail(
                        &format!("unsupported type: {kind}"),
                        &format!("{at}/element/type"),
                    );
                }
            }
            Some(kind) if OPAQUE_BLOCKS.contains(&kind) => {}
            kind => {
                let kind = kind.unwrap_or("none");
                self.fail(&format!("unsupported type: {kind}"), &format!("{at}/type"));
            }
        }
    }

    fn section(&mut self, block: &Value, at: &str) {
        let fields = block["fields"].as_array();
        if block["text"].is_null() && fields.is_none_or(Vec::is_empty) {
            self.fail("missing required field: text or fields", at);
        }
        if !block["text"].is_null() {
            self.text(&block["text"], 3_000, &format!("{at}/text"));
        }
        if let Some(fields) = fields {
            self.at_most(fields.len(), 10, "items", &format!("{at}/fields"));
            for (index, field) in fields.iter().enumerate() {
                self.text(field, 2_000, &format!("{at}/fields/{index}"));
            }
        }
        if !block["accessory"].is_null() {
            self.element(&block["accessory"], &format!("{at}/accessory"));
        }
    }

    fn image(&mut self, image: &Value, at: &str) {
        if image["image_url"].is_null() && image["slack_file"].is_null() {
            self.fail("missing required field: image_url", at);
        }
        self.chars(
            image["image_url"].as_str().unwrap_or_default(),
            3_000,
            &format!("{at}/image_url"),
        );
        if image["alt_text"].as_str().is_none_or(str::is_empty) {
            self.fail("missing required field: alt_text", at);
        }
    }

    fn elements<'a>(&mut self, block: &'a Value, most: usize, at: &str) -> &'a [Value] {
        let elements = block["elements"]
            .as_array()
            .map_or(&[] as &[Value], Vec::as_slice);
        if elements.is_empty() {
            self.fail("must have at least 1 item", &format!("{at}/elements"));
        }
        self.at_most(elements.len(), most, "items", &format!("{at}/elements"));
        elements
    }

    fn element(&mut self, element: &Value, at: &str) {
        let kind = element["type"].as_str().unwrap_or("none");
        self.chars(
            element["action_id"].as_str().unwrap_or_default(),
            255,
            &format!("{at}/action_id"),
        );
        if !element["placeholder"].is_null() {
            self.plain(&element["placeholder"], 150, &format!("{at}/placeholder"));
        }
        if !element["confirm"].is_null() {
            self.confirm(&element["confirm"], &format!("{at}/confirm"));
        }
        match kind {
            "button" => {
                self.plain(&element["text"], 75, &format!("{at}/text"));
                self.chars(
                    element["value"].as_str().unwrap_or_default(),
                    2_000,
                    &format!("{at}/value"),
                );
                self.chars(
                    element["url"].as_str().unwrap_or_default(),
                    3_000,
                    &format!("{at}/url"),
                );
                self.chars(
                    element["accessibility_label"].as_str().unwrap_or_default(),
                    75,
                    &format!("{at}/accessibility_label"),
                );
                if !matches!(element["style"].as_str(), None | Some("primary" | "danger")) {
                    self.fail("must be one of primary, danger", &format!("{at}/style"));
                }
            }
            "image" => self.image(element, at),
            "overflow" => self.options(element, 5, at),
            "radio_buttons" | "checkboxes" => self.options(element, 10, at),
            "static_select" | "multi_static_select" => {
                if let Some(groups) = element["option_groups"].as_array() {
                    self.at_most(groups.len(), 100, "items", &format!("{at}/option_groups"));
                    for (index, group) in groups.iter().enumerate() {
                        let at = format!("{at}/option_groups/{index}");
                        self.plain(&group["label"], 75, &format!("{at}/label"));
                        self.options(group, 100, &at);
                    }
                } else {
                    self.options(element, 100, at);
                }
            }
            "plain_text_input" => {
                if element["max_length"]
                    .as_u64()
                    .is_some_and(|most| !(1..=3_000).contains(&most))
                {
                    self.fail("must be between 1 and 3000", &format!("{at}/max_length"));
                }
            }
            "workflow_button" | "feedback_buttons" | "icon_button" => {}
            kind if INPUTS.contains(&kind) => {}
            kind => self.fail(&format!("unsupported type: {kind}"), &format!("{at}/type")),
        }
    }

    fn options(&mut self, holder: &Value, most: usize, at: &str) {
        let options = holder["options"]
            .as_array()
            .map_or(&[] as &[Value], Vec::as_slice);
        if options.is_empty() {
            self.fail("must have at least 1 item", &format!("{at}/options"));
        }
        self.at_most(options.len(), most, "items", &format!("{at}/options"));
        for (index, option) in options.iter().enumerate() {
            let at = format!("{at}/options/{index}");
            self.text(&option["text"], 75, &format!("{at}/text"));
            match option["value"].as_str() {
                None => self.fail("missing required field: value", &at),
                Some(value) => self.chars(value, 150, &format!("{at}/value")),
            }
            if !option["description"].is_null() {
                self.text(&option["description"], 75, &format!("{at}/description"));
            }
        }
    }

    fn confirm(&mut self, confirm: &Value, at: &str) {
        self.plain(&confirm["title"], 100, &format!("{at}/title"));
        self.text(&confirm["text"], 300, &format!("{at}/text"));
        for (key, most) in [("confirm", 30), ("deny", 30)] {
            if !confirm[key].is_null() {
                self.plain(&confirm[key], most, &format!("{at}/{key}"));
            }
        }
    }
}
