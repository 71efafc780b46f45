use std::path::Path;

use super::{Environment, Problems, Settings, load};

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Settings, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("unstuck.toml");
    std::fs::write(&file, text).unwrap();
    load(&file, &variables.iter().copied().collect::<Environment>())
}

fn problems(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let problems = read(text, variables).map(|_| ()).unwrap_err();
    let line = |problem: &super::Problem| {
        let place = match &problem.place {
            super::problem::Place::Line { line, .. } => line.to_string(),
            super::problem::Place::File(_) => "file".into(),
            super::problem::Place::Variable(name) => format!("${name}"),
        };
        format!("{place}: {} ({})", problem.message, problem.hint)
    };
    problems.0.iter().map(line).collect()
}

const GOOD: &str = r#"
[okta]
org_url = "https://acme.okta.com"
api_token = "env:OKTA_API_TOKEN"

[[mdm]]
name = "jamf"
kind = "jamf"
url = "https://acme.jamfcloud.com"
client_id = "abc"
client_secret = "env:JAMF_CLIENT_SECRET"
"#;

#[test]
fn a_small_file_is_enough() {
    let settings = read(GOOD, &[]).unwrap();
    assert_eq!(settings.mdm[0].name, "jamf");
    assert_eq!(settings.okta.requests_per_minute, 50);
    assert!(settings.okta.dpop);
    assert!(settings.database_url().ends_with("/unstuck.db"));
}

#[test]
fn all_problems_come_at_once_with_line_and_hint() {
    let text = r#"
[okta]
org_ulr = "https://acme.okta.com"
api_token = "00abcdefgh"
requests_per_minute = "fifty"

[[mdm]]
name = "okta"
kind = "jamf"

[safety]
mode = "yolo"
"#;
    insta::assert_snapshot!(problems(text, &[]).join("\n"), @r#"
    4: `okta.api_token` holds a secret in plain text; settings hold references only (write "env:OKTA_API_TOKEN")
    3: unknown key `org_ulr` in [okta] (did you mean `org_url`?)
    5: `okta.requests_per_minute` must be a whole number, not a text (Okta gives one token about 50 device requests a minute)
    12: `safety.mode` must be one of observe, approve, not `yolo` (what may happen)
    2: `okta.org_url` is missing (the org's own URL: "https://acme.okta.com")
    "#);
}

#[test]
fn what_single_keys_cannot_tell_is_told_too() {
    let text = GOOD
        .replace("name = \"jamf\"", "name = \"okta\"")
        .replace("client_id = \"abc\"\n", "");
    insta::assert_snapshot!(problems(&text, &[]).join("\n"), @"
    7: `mdm[0].name`: `okta` cannot be used as a name (lower-case letters, digits and _, beginning with a letter; not okta, log, scep, operator, slack)
    6: `mdm[0].client_id` is missing (see deploy/unstuck.toml)
    ");
}

#[test]
fn an_inline_secret_is_never_repeated() {
    let text = GOOD.replace("env:OKTA_API_TOKEN", "00verysecret");
    let problems = read(&text, &[]).map(|_| ()).unwrap_err();
    assert!(!problems.to_string().contains("00verysecret"), "{problems}");
}

#[test]
fn a_broken_line_is_named() {
    assert!(problems("[okta\norg_url = 1", &[])[0].starts_with("1: "));
}

#[test]
fn the_environment_overrides_the_file_and_tables_go_by_name() {
    let settings = read(
        GOOD,
        &[
            ("UNSTUCK__OKTA__ORG_URL", "https://other.okta.com"),
            ("UNSTUCK__MDM__JAMF__CLIENT_ID", "xyz"),
            ("UNSTUCK__OKTA__REQUESTS_PER_MINUTE", "30"),
        ],
    )
    .unwrap();
    assert_eq!(settings.okta.org_url, "https://other.okta.com");
    assert_eq!(settings.mdm[0].client_id.as_deref(), Some("xyz"));
    assert_eq!(settings.okta.requests_per_minute, 30);
}

#[test]
fn an_override_can_give_what_the_file_lacks() {
    let text = GOOD.replace("org_url = \"https://acme.okta.com\"\n", "");
    assert!(
        read(
            &text,
            &[("UNSTUCK__OKTA__ORG_URL", "https://acme.okta.com")]
        )
        .is_ok()
    );
}

#[test]
fn an_override_that_names_nothing_is_told() {
    insta::assert_snapshot!(
        problems(GOOD, &[("UNSTUCK__OKTA__ORG", "x"), ("UNSTUCK__MDM__INTUNE__CLIENT_ID", "x")]).join("\n"),
        @"
    $UNSTUCK__MDM__INTUNE__CLIENT_ID: names no setting (or no [[mdm]] or [[schedule]] of that name) (for example UNSTUCK__OKTA__ORG_URL or UNSTUCK__MDM__INTUNE__CLIENT_ID)
    $UNSTUCK__OKTA__ORG: names no setting (or no [[mdm]] or [[schedule]] of that name) (for example UNSTUCK__OKTA__ORG_URL or UNSTUCK__MDM__INTUNE__CLIENT_ID)
    ");
}

#[test]
fn a_fast_clock_needs_loopback_everywhere() {
    let text = format!("{GOOD}\n[clock]\nspeed = 60\n");
    assert!(problems(&text, &[])[0].contains("loopback"));
}

#[test]
fn plain_http_is_for_loopback() {
    assert!(
        problems(&GOOD.replace("https://acme.okta", "http://acme.okta"), &[])[0]
            .contains("loopback")
    );
    assert!(
        read(
            &GOOD.replace("https://acme.okta.com", "http://127.0.0.1:9000"),
            &[]
        )
        .is_ok()
    );
}

#[test]
fn a_missing_file_says_how_to_make_one() {
    let problems = load(Path::new("/nowhere/unstuck.toml"), &Environment::default())
        .map(|_| ())
        .unwrap_err();
    assert!(problems.to_string().contains("unstuck init"));
}

/// The sample without prose: `#key = value` lines become settings.
fn sample_with_every_key() -> String {
    let sample = include_str!("../../../deploy/unstuck.toml");
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(rest)
            if rest.starts_with('[') || rest.starts_with(|c: char| c.is_ascii_lowercase()) =>
        {
            rest.to_owned()
        }
        _ => line.to_owned(),
    };
    sample.lines().map(uncomment).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_loads_as_it_stands() {
    let settings = read(include_str!("../../../deploy/unstuck.toml"), &[]).unwrap();
    assert_eq!(settings.mdm.len(), 2);
}

#[test]
fn the_sample_shows_every_key_and_no_other() {
    fn walk(
        path: &str,
        keys: &[super::schema::Key],
        table: &toml::Table,
        missing: &mut Vec<String>,
    ) {
        use super::schema::Kind;
        for key in keys {
            let path = format!("{path}.{}", key.name);
            match (key.kind, table.get(key.name)) {
                (_, None) => missing.push(path),
                (Kind::Table(keys), Some(value)) => {
                    walk(&path, keys, value.as_table().unwrap(), missing)
                }
                (Kind::Tables(keys), Some(value)) => {
                    let items = value
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|item| item.as_table().unwrap().clone());
                    walk(
                        &path,
                        keys,
                        &items
                            .reduce(|mut all, item| {
                                all.extend(item);
                                all
                            })
                            .unwrap(),
                        missing,
                    );
                }
                _ => {}
            }
        }
    }
    // A key the schema does not know is a problem of its own; two credentials are the one that is meant here.
    let text = sample_with_every_key();
    insta::assert_snapshot!(problems(&text, &[]).join("\n"), @"13: [okta] has two credentials (keep api_token, or client_id with private_key)");
    let mut missing = Vec::new();
    walk(
        "",
        super::schema::ROOT,
        &text.parse::<toml::Table>().unwrap(),
        &mut missing,
    );
    assert!(missing.is_empty(), "not in the sample: {missing:?}");
}
