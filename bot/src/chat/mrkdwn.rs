//! Slack's markup: escaping what devices and people supply, mentions, dates, limits.

use chrono::{DateTime, Utc};

/// Text as text: no mention, link or formatting of whoever supplied it gets through.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    out
}

/// A name as a device supplies it, in code font.
pub fn code(text: &str) -> String {
    let plain: String = text
        .chars()
        .filter(|letter| *letter != '`' && !letter.is_control())
        .collect();
    match plain.trim() {
        "" => "`(no name)`".into(),
        name => format!("`{}`", escape(&shorten(name, 80))),
    }
}

/// Date and time in the reader's zone.
pub fn date_time(at: DateTime<Utc>) -> String {
    format!(
        "<!date^{}^{{date_short_pretty}} {{time}}|{} UTC>",
        at.timestamp(),
        at.format("%-d %b %H:%M")
    )
}

/// Who, as `decisions.person` and `stops.stopped_by` name them.
pub fn person(person: &str) -> String {
    match person.split_once(':') {
        Some(("user", id)) if is_id(id) => format!("<@{id}>"),
        Some(("cli", name)) => format!("{} (command line)", escape(name)),
        Some(("policy", name)) => format!("the policy of {}", escape(name)),
        _ => escape(person),
    }
}

/// Members of `[approvals]` as mentions.
pub fn members(members: &[String]) -> String {
    let names: Vec<String> = members
        .iter()
        .map(|member| match member.split_once(':') {
            Some(("usergroup", id)) if is_id(id) => format!("<!subteam^{id}>"),
            _ => person(member),
        })
        .collect();
    match names.as_slice() {
        [] => "nobody".into(),
        [first, second, third, more @ ..] if !more.is_empty() => {
            format!("{first}, {second}, {third} and {} more", more.len())
        }
        names => names.join(", "),
    }
}

/// At most `limit` characters, with an ellipsis where something is missing.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(limit.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// The same for text that is markup: a mention or link that would be cut in two is left out.
pub fn shorten_marked(text: &str, limit: usize) -> String {
    let mut out = shorten(text, limit);
    if out.len() < text.len()
        && let Some(open) = out.rfind('<')
        && !out[open..].contains('>')
    {
        out.truncate(open);
        out.push('…');
    }
    out
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_a_name() {
        assert_eq!(code("`<!channel>`"), "`&lt;!channel&gt;`");
        assert_eq!(code(" \u{7} "), "`(no name)`");
        assert_eq!(person("user:U1> <!here"), "user:U1&gt; &lt;!here");
    }

    #[test]
    fn a_cut_never_leaves_half_a_mention() {
        assert_eq!(shorten_marked("ask <@U123456> now", 10), "ask …");
        assert_eq!(shorten("äöüß", 3), "äö…");
    }

    #[test]
    fn many_members_are_counted() {
        let list: Vec<String> = ["usergroup:S1", "user:U1", "cli:ann", "user:U2", "user:U3"]
            .map(String::from)
            .to_vec();
        assert_eq!(
            members(&list),
            "<!subteam^S1>, <@U1>, ann (command line) and 2 more"
        );
    }
}
