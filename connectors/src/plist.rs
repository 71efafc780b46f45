//! The XML property list inside a configuration profile of Apple's kind. Not a general parser: binary lists and anything
//! malformed read as none, and "not readable" is then what the profile says.

use std::collections::BTreeMap;

use zeroize::Zeroize;

/// Nesting at which reading stops; real profiles need about six.
const DEEPEST: usize = 32;

/// Keys whose values are secrets: only whether there is one, and whether it is a variable, leaves the reader.
const SECRETS: [&str; 2] = ["Challenge", "Password"];

/// A value of a property list. Numbers, dates and data are kept as their text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Plist {
    /// `<dict>`
    Dict(BTreeMap<String, Plist>),
    /// `<array>`
    Array(Vec<Plist>),
    /// `<string>`, `<integer>`, `<real>`, `<date>`, `<data>`
    Text(String),
    /// `<true/>`, `<false/>`
    Bool(bool),
}

impl Plist {
    /// Reads `<plist>` with one value in it.
    pub(crate) fn parse(xml: &str) -> Option<Self> {
        let mut reader = Reader { rest: xml };
        loop {
            match reader.next()? {
                Token::Open("plist") => return reader.value(0),
                Token::Other => {}
                _ => return None,
            }
        }
    }

    /// Leaves `$` of a variable, `*` of any other text, and nothing of what is no text.
    fn hide(&mut self) {
        let mark = match self {
            Self::Text(secret) => {
                let mark = match secret.chars().next() {
                    None => "",
                    Some('$' | '%') => "$",
                    Some(_) => "*",
                };
                secret.zeroize();
                mark
            }
            _ => "",
        };
        *self = Self::Text(mark.to_owned());
    }

    /// The value under a key of a dictionary.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Dict(entries) => entries.get(key),
            _ => None,
        }
    }

    /// The text of a leaf.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a leaf that is a boolean.
    pub(crate) fn flag(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The items, if it is an array.
    pub(crate) fn items(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }
}

enum Token<'a> {
    Open(&'a str),
    Empty(&'a str),
    Close(&'a str),
    /// Prologue, doctype, comment.
    Other,
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// The next tag; text before it is skipped.
    fn next(&mut self) -> Option<Token<'a>> {
        let start = self.rest.find('<')?;
        let tag = &self.rest[start..];
        for (begin, end) in [("<!--", "-->"), ("<?", "?>"), ("<!", ">")] {
            if tag.starts_with(begin) {
                let length = tag.find(end)? + end.len();
                self.rest = &tag[length..];
                return Some(Token::Other);
            }
        }
        let length = tag.find('>')?;
        self.rest = &tag[length + 1..];
        let inner = &tag[1..length];
        if let Some(name) = inner.strip_prefix('/') {
            return Some(Token::Close(name.trim()));
        }
        let empty = inner.ends_with('/');
        let name = inner
            .trim_end_matches('/')
            .split_whitespace()
            .next()
            .unwrap_or_default();
        Some(if empty {
            Token::Empty(name)
        } else {
            Token::Open(name)
        })
    }

    fn significant(&mut self) -> Option<Token<'a>> {
        loop {
            match self.next()? {
                Token::Other => {}
                token => return Some(token),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<Plist> {
        let token = self.significant()?;
        self.value_of(token, depth)
    }

    fn value_of(&mut self, token: Token<'a>, depth: usize) -> Option<Plist> {
        if depth > DEEPEST {
            return None;
        }
        match token {
            Token::Open("dict") => self.dict(depth),
            Token::Open("array") => self.array(depth),
            Token::Open(name) => self.text(name).map(Plist::Text),
            Token::Empty("true") => Some(Plist::Bool(true)),
            Token::Empty("false") => Some(Plist::Bool(false)),
            Token::Empty("dict") => Some(Plist::Dict(BTreeMap::new())),
            Token::Empty("array") => Some(Plist::Array(Vec::new())),
            Token::Empty(_) => Some(Plist::Text(String::new())),
            Token::Close(_) | Token::Other => None,
        }
    }

    fn dict(&mut self, depth: usize) -> Option<Plist> {
        let mut entries = BTreeMap::new();
        loop {
            match self.significant()? {
                Token::Close("dict") => return Some(Plist::Dict(entries)),
                Token::Open("key") => {
                    let key = self.text("key")?;
                    let mut value = self.value(depth + 1)?;
                    if SECRETS.contains(&key.as_str()) {
                        value.hide();
                    }
                    entries.insert(key, value);
                }
                _ => return None,
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Plist> {
        let mut items = Vec::new();
        loop {
            match self.significant()? {
                Token::Close("array") => return Some(Plist::Array(items)),
                token => items.push(self.value_of(token, depth + 1)?),
            }
        }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let end = self.rest.find('<')?;
        let text = unescape(self.rest[..end].trim());
        match self.next()? {
            Token::Close(closed) if closed == name => Some(text),
            _ => None,
        }
    }
}

/// The five named entities; `&amp;` last, so that nothing is unescaped twice.
fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_with_nested_payloads_is_read() {
        let xml = r#"<?xml version="1.0"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "x">
            <plist version="1.0"><dict><!-- note -->
              <key>PayloadContent</key><array><dict>
                <key>PayloadType</key><string>com.apple.security.scep</string>
                <key>Allow</key><true/><key>Empty</key><string/>
                <key>URL</key><string>https://acme/pki?a=1&amp;b=2</string></dict></array>
              <key>PayloadVersion</key><integer>1</integer></dict></plist>"#;
        let plist = Plist::parse(xml).unwrap();
        let payload = &plist.get("PayloadContent").unwrap().items().unwrap()[0];
        assert_eq!(payload.get("Allow"), Some(&Plist::Bool(true)));
        assert_eq!(payload.get("Empty").unwrap().text(), Some(""));
        assert_eq!(
            payload.get("URL").unwrap().text(),
            Some("https://acme/pki?a=1&b=2")
        );
        assert_eq!(plist.get("PayloadVersion").unwrap().text(), Some("1"));
    }

    #[test]
    fn secrets_never_leave_the_reader() {
        for (value, mark) in [
            ("<string>s3cret</string>", "*"),
            ("<string>$CHALLENGE</string>", "$"),
            ("<string/>", ""),
            ("<array><string>s3cret</string></array>", ""),
        ] {
            let xml = format!("<plist><dict><key>Challenge</key>{value}</dict></plist>");
            let read = Plist::parse(&xml).unwrap();
            assert_eq!(read.get("Challenge").unwrap().text(), Some(mark));
        }
    }

    #[test]
    fn malformed_list_reads_as_none() {
        for xml in [
            "",
            "bplist00",
            "<plist><dict><key>a</key></dict></plist>",
            "<plist><dict><key>a</string></dict></plist>",
            "<plist><array><string>a</array></plist>",
            "<plist><dict>",
        ] {
            assert_eq!(Plist::parse(xml), None, "{xml}");
        }
        let deep = format!("<plist>{}", "<array>".repeat(10_000));
        assert_eq!(Plist::parse(&deep), None);
    }
}
