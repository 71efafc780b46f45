//! Just enough XML for the Classic API: element trees without attributes, in and out.
//! Answers are built once as JSON and rendered from it, so that both formats always agree.

use serde_json::Value;

/// An element with its children or its text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// Reads one document.
    pub(super) fn parse(document: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: document };
        reader.skip_prologue()?;
        let element = reader.element()?;
        reader.skip_prologue()?;
        match reader.rest.is_empty() {
            true => Ok(element),
            false => Err("text after the document's end".to_owned()),
        }
    }

    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of this name.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}

/// Renders `{"name": value}` as the Classic API spells it in XML: a list gets a `<size>` and one
/// element per entry, named in the singular.
pub(super) fn render(document: &Value) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    if let Value::Object(fields) = document {
        for (name, value) in fields {
            write_value(&mut out, name, value);
        }
    }
    out
}

fn write_value(out: &mut String, name: &str, value: &Value) {
    out.push_str(&format!("<{name}>"));
    match value {
        Value::Object(fields) => {
            for (child, value) in fields {
                write_value(out, child, value);
            }
        }
        Value::Array(items) => {
            out.push_str(&format!("<size>{}</size>", items.len()));
            for item in items {
                match (wrapped(item), item) {
                    (Some((inner, value)), _) => write_value(out, inner, value),
                    (None, item) => write_value(out, singular(name), item),
                }
            }
        }
        Value::Null => {}
        Value::String(text) => escape_into(out, text),
        other => out.push_str(&other.to_string()),
    }
    out.push_str(&format!("</{name}>"));
}

/// Some lists carry the element's name in JSON too: `[{"profile": {…}}]`.
fn wrapped(item: &Value) -> Option<(&String, &Value)> {
    let fields = item.as_object()?;
    let (name, value) = fields.iter().next()?;
    (fields.len() == 1 && value.is_object()).then_some((name, value))
}

fn singular(plural: &str) -> &str {
    match plural {
        "completed" | "pending" | "failed" => "command",
        "jss_users" => "user",
        "jss_user_groups" => "user_group",
        "criteria" => "criterion",
        other => other.strip_suffix('s').unwrap_or(other),
    }
}

/// Appends text with the five characters of markup escaped.
pub(super) fn escape_into(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            other => out.push(other),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_prologue(&mut self) -> Result<(), String> {
        loop {
            self.rest = self.rest.trim_start_matches('\u{feff}').trim_start();
            let end = match self.rest {
                rest if rest.starts_with("<?") => "?>",
                rest if rest.starts_with("<!--") => "-->",
                _ => return Ok(()),
            };
            self.skip_past(end)?;
        }
    }

    fn element(&mut self) -> Result<Element, String> {
        let tag = self.tag()?;
        let (tag, is_empty) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let name = tag.split_whitespace().next().unwrap_or_default().to_owned();
        if name.is_empty() || name.starts_with('/') {
            return Err("an element is expected".to_owned());
        }
        let mut element = Element {
            name,
            ..Element::default()
        };
        if is_empty {
            return Ok(element);
        }
        let mut raw = String::new();
        loop {
            let next = self.rest.find('<').ok_or("an element does not end")?;
            raw.push_str(&self.rest[..next]);
            self.rest = &self.rest[next..];
            if self.rest.starts_with("<!--") {
                self.skip_past("-->")?;
            } else if self.rest.starts_with("</") {
                let end = self.tag()?;
                if end[1..].trim() != element.name {
                    return Err(format!("<{}> is closed by <{end}>", element.name));
                }
                element.text = unescape(raw.trim());
                return Ok(element);
            } else {
                element.children.push(self.element()?);
            }
        }
    }

    fn tag(&mut self) -> Result<&'a str, String> {
        let inner = self.rest.strip_prefix('<').ok_or("a tag is expected")?;
        let end = inner.find('>').ok_or("a tag does not end")?;
        self.rest = &inner[end + 1..];
        Ok(&inner[..end])
    }

    fn skip_past(&mut self, end: &str) -> Result<(), String> {
        let found = self.rest.find(end).ok_or("a declaration does not end")?;
        self.rest = &self.rest[found + end.len()..];
        Ok(())
    }
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn membership_change_is_read() {
        let body = "<?xml version=\"1.0\"?>\n<computer_group><computer_additions>\
                    <computer><id>42</id></computer></computer_additions></computer_group>";
        let group = Element::parse(body).unwrap();
        let computer = &group.child("computer_additions").unwrap().children[0];
        assert_eq!(computer.text_of("id"), Some("42"));
    }

    #[test]
    fn malformed_documents_are_refused() {
        for body in ["", "text", "<a>", "<a></b>", "<a/><b/>", "</a>"] {
            assert!(Element::parse(body).is_err(), "{body}");
        }
    }

    #[test]
    fn rendered_lists_carry_size_and_singular_names() {
        let answer = json!({"computer_group": {"computers": [{"name": "a&b"}]}});
        let xml = render(&answer);
        let group = Element::parse(&xml).unwrap();
        let computers = group.child("computers").unwrap();
        assert_eq!(computers.text_of("size"), Some("1"));
        assert_eq!(
            computers.child("computer").unwrap().text_of("name"),
            Some("a&b")
        );
    }
}
