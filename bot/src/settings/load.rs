//! Reads, checks and layers the settings.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use chrono_tz::Tz;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Settings,
    duration::parse_duration,
    problem::{Place, Problem, Problems},
    schema::{Key, Kind, MDM_KINDS_LATER, ROOT},
    secret::SecretRef,
};

/// The process's environment, taken once.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Takes the variables of this process.
    pub fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
        )
    }

    /// One variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(iter: I) -> Self {
        Self(
            iter.into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        )
    }
}

/// The settings file to use: the one named, `$UNSTUCK_CONFIG`, `./unstuck.toml`, `/etc/unstuck/unstuck.toml`.
pub fn locate(named: Option<&Path>, environment: &Environment) -> Result<PathBuf, Problems> {
    if let Some(path) = named {
        return Ok(path.to_path_buf());
    }
    if let Some(path) = environment.get("UNSTUCK_CONFIG") {
        return Ok(path.into());
    }
    let places = ["unstuck.toml", "/etc/unstuck/unstuck.toml"];
    places
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .ok_or_else(|| {
            Problems(vec![Problem {
                place: Place::File(places[0].into()),
                message: "there is no settings file".into(),
                hint: "run `unstuck init` to write one, or name it with --config FILE".into(),
            }])
        })
}

/// Reads the file, lays the environment over it and checks everything; all problems at once.
pub fn load(file: &Path, environment: &Environment) -> Result<Settings, Problems> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Problems(vec![Problem {
            place: Place::File(file.into()),
            message: format!("cannot read the settings file: {error}"),
            hint: "run `unstuck init` to write one, or name another with --config FILE".into(),
        }])
    })?;
    Loader {
        file,
        text: &text,
        environment,
        problems: Vec::new(),
        lines: BTreeMap::new(),
    }
    .run()
}

struct Loader<'a> {
    file: &'a Path,
    text: &'a str,
    environment: &'a Environment,
    problems: Vec<Problem>,
    /// Path of a key → byte offset of its value, for checks after decoding.
    lines: BTreeMap<String, usize>,
}

impl Loader<'_> {
    fn run(mut self) -> Result<Settings, Problems> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            self.problem(
                at,
                error.message().to_owned(),
                "see deploy/unstuck.toml for the whole file with comments",
            );
        }
        let mut values = toml::Table::new();
        self.table("", document.get_ref(), ROOT, &mut values);
        self.overrides(&mut values);
        self.required("", ROOT, &values, 0);
        if !self.problems.is_empty() {
            return Err(Problems(self.problems));
        }
        let decoded =
            config::Config::try_from(&values).and_then(config::Config::try_deserialize::<Settings>);
        let mut settings = match decoded {
            Ok(settings) => settings,
            Err(error) => {
                self.problem(
                    0,
                    error.to_string(),
                    "see deploy/unstuck.toml for the whole file with comments",
                );
                return Err(Problems(self.problems));
            }
        };
        settings.file = self.file.into();
        self.check(&settings);
        if self.problems.is_empty() {
            Ok(settings)
        } else {
            Err(Problems(self.problems))
        }
    }

    fn table(&mut self, path: &str, table: &DeTable<'_>, keys: &[Key], out: &mut toml::Table) {
        for (name, value) in table {
            let at = name.span().start;
            let Some(key) = keys.iter().find(|key| key.name == name.get_ref()) else {
                let near = nearest(name.get_ref(), keys);
                let place = if path.is_empty() {
                    "at the top level".into()
                } else {
                    format!("in [{path}]")
                };
                self.problem(
                    at,
                    format!("unknown key `{}` {place}", name.get_ref()),
                    near,
                );
                continue;
            };
            let path = join(path, key.name);
            self.lines.insert(path.clone(), at);
            if let Some(value) = self.value(&path, value, key) {
                out.insert(key.name.into(), value);
            }
        }
    }

    fn value(
        &mut self,
        path: &str,
        value: &Spanned<DeValue<'_>>,
        key: &Key,
    ) -> Option<toml::Value> {
        let at = value.span().start;
        match (key.kind, value.get_ref()) {
            (Kind::Table(keys), DeValue::Table(table)) => {
                let mut out = toml::Table::new();
                self.table(path, table, keys, &mut out);
                Some(toml::Value::Table(out))
            }
            (Kind::Tables(keys), DeValue::Array(items)) => {
                let mut list = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    self.lines.insert(path.clone(), item.span().start);
                    let DeValue::Table(table) = item.get_ref() else {
                        self.problem(
                            item.span().start,
                            format!("`{path}` must be a table"),
                            key.hint,
                        );
                        continue;
                    };
                    let mut out = toml::Table::new();
                    self.table(&path, table, keys, &mut out);
                    list.push(toml::Value::Table(out));
                }
                Some(toml::Value::Array(list))
            }
            (Kind::Groups, DeValue::Table(table)) => {
                let mut out = toml::Table::new();
                for (name, members) in table {
                    let path = join(path, name.get_ref());
                    self.lines.insert(path.clone(), name.span().start);
                    let group = Key {
                        name: "",
                        kind: Kind::Texts,
                        required: false,
                        hint: key.hint,
                    };
                    if let Some(members) = self.value(&path, members, &group) {
                        out.insert(name.get_ref().to_string(), members);
                    }
                }
                Some(toml::Value::Table(out))
            }
            (Kind::Texts, DeValue::Array(items)) => {
                let mut list = Vec::new();
                for item in items {
                    match item.get_ref() {
                        DeValue::String(text) => list.push(toml::Value::String(text.to_string())),
                        other => {
                            self.wrong_type(item.span().start, path, "a list of texts", other, key)
                        }
                    }
                }
                Some(toml::Value::Array(list))
            }
            (
                Kind::Text | Kind::Secret | Kind::Url | Kind::Word(_) | Kind::Duration,
                DeValue::String(text),
            ) => self
                .text(At::Offset(at), path, text, key)
                .map(toml::Value::String),
            (Kind::Bool, DeValue::Boolean(value)) => Some(toml::Value::Boolean(*value)),
            (Kind::Integer(low, high), DeValue::Integer(number)) => {
                let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
                match number.filter(|number| (low..=high).contains(number)) {
                    Some(number) => Some(toml::Value::Integer(number)),
                    None => {
                        self.problem(
                            at,
                            format!("`{path}` must be a whole number from {low} to {high}"),
                            key.hint,
                        );
                        None
                    }
                }
            }
            (Kind::Number, DeValue::Float(number)) => {
                self.number(At::Offset(at), path, number.as_str(), key)
            }
            (Kind::Number, DeValue::Integer(number)) => {
                self.number(At::Offset(at), path, number.as_str(), key)
            }
            (kind, other) => {
                self.wrong_type(at, path, kind_name(kind), other, key);
                None
            }
        }
    }

    fn number(&mut self, at: At<'_>, path: &str, text: &str, key: &Key) -> Option<toml::Value> {
        let number = text
            .replace('_', "")
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite() && *number > 0.0);
        if number.is_none() {
            self.problem_at(
                at,
                format!("`{path}` must be a number above zero"),
                key.hint,
            );
        }
        number.map(toml::Value::Float)
    }

    /// Checks a text by its kind, from the file or from the environment.
    fn text(&mut self, at: At<'_>, path: &str, text: &str, key: &Key) -> Option<String> {
        if let Kind::Secret = key.kind {
            if SecretRef::parse(text).is_none() {
                let message =
                    format!("`{path}` holds a secret in plain text; settings hold references only");
                self.problem_at(at, message, format!("write {}", key.hint));
                return None;
            }
            return Some(text.into());
        }
        // Any other string may be a reference too, and is resolved at once.
        let text = match SecretRef::parse(text).filter(|_| !path.ends_with("bind")) {
            None => text.to_owned(),
            Some(reference) => match reference.read(
                self.environment,
                self.file.parent().unwrap_or(Path::new(".")),
            ) {
                Ok(value) => secrecy::ExposeSecret::expose_secret(&value).to_owned(),
                Err(error) => {
                    self.problem_at(at, format!("`{path}`: {error}"), key.hint);
                    return None;
                }
            },
        };
        let problem = match key.kind {
            Kind::Word(words)
                if path.starts_with("mdm") && MDM_KINDS_LATER.contains(&text.as_str()) =>
            {
                Some(format!(
                    "`{path}`: there is no connector for `{text}` yet; this version has {}",
                    words.join(", ")
                ))
            }
            Kind::Word(words) if !words.contains(&text.as_str()) => Some(format!(
                "`{path}` must be one of {}, not `{text}`",
                words.join(", ")
            )),
            Kind::Duration if parse_duration(&text).is_none() => {
                Some(format!("`{path}`: `{text}` is no duration"))
            }
            Kind::Url => url_problem(&text).map(|problem| format!("`{path}`: {problem}")),
            _ if text.is_empty() => Some(format!("`{path}` is empty")),
            _ => None,
        };
        match problem {
            Some(problem) => {
                self.problem_at(at, problem, key.hint);
                None
            }
            None => Some(text),
        }
    }

    /// `UNSTUCK__OKTA__ORG_URL`; array tables by name: `UNSTUCK__MDM__INTUNE__CLIENT_ID`.
    fn overrides(&mut self, values: &mut toml::Table) {
        let environment = self.environment;
        for (name, text) in &environment.0 {
            let Some(rest) = name.strip_prefix("UNSTUCK__") else {
                continue;
            };
            let parts: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
            if self
                .override_in(At::Variable(name), "", &parts, ROOT, values, text)
                .is_none()
            {
                let message = "names no setting (or no [[mdm]] or [[schedule]] of that name)";
                let hint = "for example UNSTUCK__OKTA__ORG_URL or UNSTUCK__MDM__INTUNE__CLIENT_ID";
                self.problem_at(At::Variable(name), message, hint);
            }
        }
    }

    fn override_in(
        &mut self,
        at: At<'_>,
        path: &str,
        parts: &[String],
        keys: &[Key],
        out: &mut toml::Table,
        text: &str,
    ) -> Option<()> {
        let (first, rest) = parts.split_first()?;
        let key = keys.iter().find(|key| key.name == first)?;
        let path = join(path, key.name);
        match key.kind {
            Kind::Table(keys) if !rest.is_empty() => {
                let table = out
                    .entry(key.name)
                    .or_insert_with(|| toml::Table::new().into())
                    .as_table_mut()?;
                self.override_in(at, &path, rest, keys, table, text)
            }
            Kind::Tables(keys) => {
                let (name, rest) = rest.split_first()?;
                let position = |item: &toml::Value| {
                    let this = item
                        .get("name")
                        .and_then(toml::Value::as_str)
                        .unwrap_or_default();
                    this.replace('-', "_").eq_ignore_ascii_case(name)
                };
                let list = out.get_mut(key.name)?.as_array_mut()?;
                let index = list.iter().position(position)?;
                let table = list[index].as_table_mut()?;
                self.override_in(at, &format!("{path}[{index}]"), rest, keys, table, text)
            }
            _ if !rest.is_empty() => None,
            Kind::Table(_) | Kind::Groups => None,
            Kind::Texts => {
                let list = text
                    .split(',')
                    .map(|item| item.trim().to_owned().into())
                    .collect();
                out.insert(key.name.into(), toml::Value::Array(list));
                Some(())
            }
            Kind::Bool => {
                match text.parse() {
                    Ok(value) => drop(out.insert(key.name.into(), toml::Value::Boolean(value))),
                    Err(_) => self.problem_at(at, "must be true or false", key.hint),
                }
                Some(())
            }
            Kind::Integer(low, high) => {
                match text
                    .parse::<i64>()
                    .ok()
                    .filter(|number| (low..=high).contains(number))
                {
                    Some(number) => drop(out.insert(key.name.into(), number.into())),
                    None => self.problem_at(
                        at,
                        format!("must be a whole number from {low} to {high}"),
                        key.hint,
                    ),
                }
                Some(())
            }
            Kind::Number => {
                if let Some(number) = self.number(at, &path, text, key) {
                    out.insert(key.name.into(), number);
                }
                Some(())
            }
            Kind::Text | Kind::Secret | Kind::Url | Kind::Word(_) | Kind::Duration => {
                if let Some(text) = self.text(at, &path, text, key) {
                    out.insert(key.name.into(), text.into());
                }
                Some(())
            }
        }
    }

    fn required(&mut self, path: &str, keys: &[Key], values: &toml::Table, at: usize) {
        for key in keys {
            let path = join(path, key.name);
            let here = self.lines.get(&path).copied().unwrap_or(at);
            match (key.kind, values.get(key.name)) {
                (_, None) if key.required && !self.lines.contains_key(&path) => {
                    self.problem(at, format!("`{path}` is missing"), key.hint);
                }
                (Kind::Table(keys), Some(toml::Value::Table(table))) => {
                    self.required(&path, keys, table, here)
                }
                (Kind::Tables(keys), Some(toml::Value::Array(items))) => {
                    for (index, item) in items.iter().enumerate() {
                        let path = format!("{path}[{index}]");
                        let here = self.lines.get(&path).copied().unwrap_or(here);
                        if let Some(table) = item.as_table() {
                            self.required(&path, keys, table, here);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// What a single key cannot tell.
    fn check(&mut self, settings: &Settings) {
        let okta = &settings.okta;
        match (&okta.api_token, &okta.client_id, &okta.private_key) {
            (None, None, None) => self.at_key(
                "okta",
                "[okta] has no credential".into(),
                "give api_token, or client_id and private_key of an API service app",
            ),
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => self.at_key(
                "okta.api_token",
                "[okta] has two credentials".into(),
                "keep api_token, or client_id with private_key",
            ),
            (None, Some(_), None) => self.at_key(
                "okta.client_id",
                "`okta.private_key` is missing beside client_id".into(),
                r#"private_key = "file:okta.pem""#,
            ),
            (None, None, Some(_)) => self.at_key(
                "okta.private_key",
                "`okta.client_id` is missing beside private_key".into(),
                "the client id of the API service app",
            ),
            _ => {}
        }
        for (index, mdm) in settings.mdm.iter().enumerate() {
            let path = format!("mdm[{index}]");
            let well_formed = mdm.name.starts_with(|c: char| c.is_ascii_lowercase())
                && mdm
                    .name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if !well_formed
                || ["okta", "log", "scep", "operator", "slack"].contains(&mdm.name.as_str())
            {
                self.at_key(
                    &format!("{path}.name"),
                    format!("`{path}.name`: `{}` cannot be used as a name", mdm.name),
                    "lower-case letters, digits and _, beginning with a letter; not okta, log, scep, operator, slack",
                );
            }
            if settings.mdm[..index]
                .iter()
                .any(|other| other.name == mdm.name)
            {
                self.at_key(
                    &path,
                    format!("two [[mdm]] tables are named `{}`", mdm.name),
                    "names must differ",
                );
            }
            let needed: &[(&str, bool)] = match mdm.kind.as_str() {
                "jamf" => &[
                    ("url", mdm.url.is_none()),
                    ("client_id", mdm.client_id.is_none()),
                    ("client_secret", mdm.client_secret.is_none()),
                ],
                _ => &[
                    ("tenant_id", mdm.tenant_id.is_none()),
                    ("client_id", mdm.client_id.is_none()),
                    ("client_secret", mdm.client_secret.is_none()),
                ],
            };
            for (name, missing) in needed {
                if *missing {
                    self.at_key(
                        &path,
                        format!("`{path}.{name}` is missing"),
                        "see deploy/unstuck.toml",
                    );
                }
            }
            for platform in mdm.platforms.iter().flatten() {
                if !["WINDOWS", "MACOS"].contains(&platform.as_str()) {
                    self.at_key(
                        &format!("{path}.platforms"),
                        format!("`{path}.platforms`: `{platform}` is no desktop platform"),
                        r#"["WINDOWS"], ["MACOS"] or both"#,
                    );
                }
            }
        }
        if let Some(slack) = &settings.slack
            && slack.app_token.is_none()
            && slack.signing_secret.is_none()
        {
            self.at_key(
                "slack",
                "[slack] has neither app_token nor signing_secret".into(),
                "app_token for Socket Mode",
            );
        }
        for (path, zone) in settings
            .schedule
            .iter()
            .enumerate()
            .map(|(index, schedule)| (format!("schedule[{index}].timezone"), &schedule.timezone))
            .chain([(
                "approvals.timezone".to_owned(),
                &settings.approvals.timezone,
            )])
        {
            if zone.parse::<Tz>().is_err() {
                self.at_key(
                    &path,
                    format!("`{path}`: `{zone}` is no IANA time zone"),
                    r#"such as "Europe/Berlin""#,
                );
            }
        }
        for (index, schedule) in settings.schedule.iter().enumerate() {
            if let Err(error) = crate::cron::Crontab::parse(&schedule.cron) {
                let path = format!("schedule[{index}].cron");
                self.at_key(
                    &path,
                    format!("`{path}`: {error}"),
                    r#"five or six fields: "0 7 * * Mon-Fri""#,
                );
            }
        }
        if let Err(error) =
            crate::hours::Hours::parse(&settings.approvals.hours, &settings.approvals.timezone)
        {
            self.at_key(
                "approvals.hours",
                format!("`approvals.hours`: {error}"),
                r#""always" or "Mon-Fri 08:00-18:00""#,
            );
        }
        let members = settings
            .approvals
            .approvers
            .iter()
            .map(|member| ("approvals.approvers".to_owned(), member));
        let grouped = settings
            .approvals
            .groups
            .iter()
            .flat_map(|(name, members)| {
                members
                    .iter()
                    .map(move |member| (format!("approvals.groups.{name}"), member))
            });
        for (path, member) in members.chain(grouped).collect::<Vec<_>>() {
            let known = ["usergroup:", "user:", "cli:"]
                .iter()
                .any(|kind| member.strip_prefix(kind).is_some_and(|id| !id.is_empty()));
            if !known {
                self.at_key(
                    &path,
                    format!("`{path}`: `{member}` names nobody"),
                    r#""usergroup:S…", "user:U…" or "cli:name""#,
                );
            }
        }
        let urls = [&okta.org_url]
            .into_iter()
            .chain(settings.slack.iter().map(|slack| &slack.api_url))
            .chain(settings.mdm.iter().flat_map(|mdm| match mdm.kind.as_str() {
                "jamf" => mdm.url.iter().collect::<Vec<_>>(),
                _ => vec![&mdm.graph_url, &mdm.login_url],
            }));
        if settings.clock.speed != 1.0 && !urls.into_iter().all(|url| is_loopback(url)) {
            self.at_key(
                "clock.speed",
                "`clock.speed` is for simulators: it needs every vendor URL on loopback".into(),
                "remove [clock]",
            );
        }
        if settings.web.bind.parse::<std::net::SocketAddr>().is_err() {
            self.at_key(
                "web.bind",
                "`web.bind` is no address with a port".into(),
                r#""127.0.0.1:8080""#,
            );
        }
        let url = &settings.database.url;
        if !(url.starts_with("sqlite://")
            || url.starts_with("postgres://")
            || url.starts_with("postgresql://"))
        {
            self.at_key(
                "database.url",
                "`database.url` is neither sqlite:// nor postgres://".into(),
                r#""sqlite://unstuck.db""#,
            );
        }
        if matches!(url.strip_prefix("sqlite://"), Some(":memory:" | "")) {
            self.at_key(
                "database.url",
                "`database.url` must name a file".into(),
                r#""sqlite://unstuck.db""#,
            );
        }
    }

    fn wrong_type(&mut self, at: usize, path: &str, wanted: &str, got: &DeValue<'_>, key: &Key) {
        self.problem(
            at,
            format!("`{path}` must be {wanted}, not {}", type_name(got)),
            key.hint,
        );
    }

    fn at_key(&mut self, path: &str, message: String, hint: &str) {
        let parent = path
            .rsplit_once('.')
            .map(|(parent, _)| parent)
            .unwrap_or_default();
        let at = self
            .lines
            .get(path)
            .or_else(|| self.lines.get(parent))
            .copied()
            .unwrap_or(0);
        self.problem(at, message, hint);
    }

    fn problem(&mut self, at: usize, message: impl Into<String>, hint: impl Into<String>) {
        self.problem_at(At::Offset(at), message, hint);
    }

    fn problem_at(&mut self, at: At<'_>, message: impl Into<String>, hint: impl Into<String>) {
        let place = match at {
            At::Variable(name) => Place::Variable(name.into()),
            At::Offset(at) => {
                let before = &self.text.as_bytes()[..at.min(self.text.len())];
                let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
                let excerpt = self.text.lines().nth(line - 1).unwrap_or_default();
                Place::Line {
                    file: self.file.into(),
                    line,
                    excerpt: redact(excerpt),
                }
            }
        };
        self.problems.push(Problem {
            place,
            message: message.into(),
            hint: hint.into(),
        });
    }
}

/// Where a value came from.
#[derive(Clone, Copy)]
enum At<'a> {
    Offset(usize),
    Variable(&'a str),
}

/// An excerpt must not repeat a secret that somebody wrote in plain text.
fn redact(line: &str) -> String {
    let secret = ["token", "secret", "private_key", "url"]
        .iter()
        .any(|word| line.contains(word));
    match line.split_once('=') {
        Some((key, value))
            if secret
                && !value.contains("env:")
                && !value.contains("file:")
                && !value.contains("http") =>
        {
            format!("{key}= …")
        }
        Some((key, value)) if secret && value.contains('@') => format!("{key}= …"),
        _ => line.into(),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.into()
    } else {
        format!("{path}.{name}")
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Url | Kind::Word(_) => "a text",
        Kind::Secret => "a reference to a secret",
        Kind::Duration => "a duration text",
        Kind::Bool => "true or false",
        Kind::Integer(..) => "a whole number",
        Kind::Number => "a number",
        Kind::Texts => "a list of texts",
        Kind::Groups | Kind::Table(_) => "a table",
        Kind::Tables(_) => "a list of tables",
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// "did you mean", or the list of what there is.
fn nearest(name: &str, keys: &[Key]) -> String {
    match crate::words::nearest(name, keys.iter().map(|key| key.name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "known here: {}",
            keys.iter()
                .map(|key| key.name)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

fn url_problem(text: &str) -> Option<String> {
    let Ok(url) = url::Url::parse(text) else {
        return Some(format!("`{text}` is no URL"));
    };
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Some("a URL must not hold a credential".into())
        }
        _ if url.host_str().is_none() => Some(format!("`{text}` names no host")),
        "https" => None,
        "http" if is_loopback(text) => None,
        "http" => Some("plain http is for loopback only".into()),
        other => Some(format!(
            "`{other}` is no scheme for a vendor URL; use https"
        )),
    }
}

/// Whether a URL's host is this machine's loopback.
pub(super) fn is_loopback(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    })
}
