//! Which keys there are. One table serves the check of the file, the environment overrides and the test of the sample.

/// What a key holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Any text; `env:` and `file:` are resolved at load.
    Text,
    /// `env:NAME` or `file:PATH` only.
    Secret,
    /// A URL; `https`, or `http` on loopback.
    Url,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// `30m`, `24h`, `7d`.
    Duration,
    /// true or false.
    Bool,
    /// A whole number within bounds.
    Integer(i64, i64),
    /// A number above zero.
    Number,
    /// A list of texts.
    Texts,
    /// Names of the author's choice, each a list of texts.
    Groups,
    /// A table.
    Table(&'static [Key]),
    /// A list of tables.
    Tables(&'static [Key]),
}

/// One key of the settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) hint: &'static str,
}

const fn key(name: &'static str, kind: Kind, hint: &'static str) -> Key {
    Key {
        name,
        kind,
        required: false,
        hint,
    }
}

const fn need(name: &'static str, kind: Kind, hint: &'static str) -> Key {
    Key {
        name,
        kind,
        required: true,
        hint,
    }
}

const SUBJECT_PATTERN: Key = key(
    "subject_pattern",
    Kind::Text,
    r#"a regular expression such as "(?i)managementAttestation""#,
);
const ISSUERS: Key = key(
    "issuers",
    Kind::Texts,
    r#"a list such as ["Organization Intermediate Authority"]"#,
);
const SCEP_PROFILES: Key = key(
    "scep_profiles",
    Kind::Texts,
    r#"names or ids of the SCEP profiles, globs: ["*Okta*SCEP*"]"#,
);
const SCEP_URL: Key = key("scep_url", Kind::Url, "the SCEP URL that the profile uses");

/// A version for each desktop platform.
const VERSIONS: &[Key] = &[
    key("WINDOWS", Kind::Text, r#"a version such as "10.0.22631""#),
    key("MACOS", Kind::Text, r#"a version such as "14.0""#),
];

/// The top level.
pub(super) const ROOT: &[Key] = &[
    key(
        "database",
        Kind::Table(&[key(
            "url",
            Kind::Text,
            r#""sqlite://unstuck.db", or "env:DATABASE_URL" for postgres://…"#,
        )]),
        "a table: [database]",
    ),
    need(
        "okta",
        Kind::Table(&[
            need(
                "org_url",
                Kind::Url,
                r#"the org's own URL: "https://acme.okta.com""#,
            ),
            key("org_id", Kind::Text, r#"the org's id, "00o…""#),
            key("api_token", Kind::Secret, r#""env:OKTA_API_TOKEN""#),
            key(
                "client_id",
                Kind::Text,
                r#"client id of an API service app, "0oa…""#,
            ),
            key(
                "private_key",
                Kind::Secret,
                r#""file:okta.pem": PEM or JWK"#,
            ),
            key("key_id", Kind::Text, "the kid that Okta shows for the key"),
            key("dpop", Kind::Bool, "true or false"),
            key(
                "requests_per_minute",
                Kind::Integer(1, 10_000),
                "Okta gives one token about 50 device requests a minute",
            ),
            key(
                "confirm_per_sweep",
                Kind::Integer(1, 1_000_000),
                "500 is the default",
            ),
            key(
                "fastpass_group",
                Kind::Text,
                r#"the exact group id, "00g…""#,
            ),
            key("sign_in_app", Kind::Text, r#"the exact app id, "0oa…""#),
            key("allow_app_mapping", Kind::Bool, "true or false"),
        ]),
        "add a table [okta] with org_url and api_token (or client_id and private_key)",
    ),
    key(
        "mdm",
        Kind::Tables(&[
            need("name", Kind::Text, r#"a short name: "jamf""#),
            need("kind", Kind::Word(MDM_KINDS), "the vendor"),
            key(
                "platforms",
                Kind::Texts,
                r#"["WINDOWS"], ["MACOS"] or both"#,
            ),
            key("url", Kind::Url, r#""https://acme.jamfcloud.com""#),
            key("tenant_id", Kind::Text, "the Entra tenant"),
            key("client_id", Kind::Text, "the API client's id"),
            key("client_secret", Kind::Secret, r#""env:JAMF_CLIENT_SECRET""#),
            key("graph_url", Kind::Url, r#""https://graph.microsoft.com""#),
            key(
                "login_url",
                Kind::Url,
                r#""https://login.microsoftonline.com""#,
            ),
            key("hold_group", Kind::Text, "the exact group id"),
            key("target_group", Kind::Text, "the exact group id"),
            key("hold_category", Kind::Text, "the device category's name"),
            key("machine_profile", Kind::Text, "the exact profile id"),
            key("machine_group", Kind::Text, "the exact group id"),
            key("cleanup_script", Kind::Text, "the remediation script's id"),
            SUBJECT_PATTERN,
            ISSUERS,
            SCEP_PROFILES,
            SCEP_URL,
        ]),
        "a list of tables: [[mdm]]",
    ),
    key(
        "attestation",
        Kind::Table(&[SUBJECT_PATTERN, ISSUERS, SCEP_PROFILES, SCEP_URL]),
        "a table: [attestation]",
    ),
    key(
        "detect",
        Kind::Table(&[
            key("grace", Kind::Duration, r#"a duration such as "24h""#),
            key("confirmations", Kind::Integer(1, 10), "1 or 2"),
            key(
                "okta_verify_minimum",
                Kind::Table(VERSIONS),
                r#"versions by platform: { WINDOWS = "5.2.0", MACOS = "9.30.0" }"#,
            ),
            key(
                "os_minimum",
                Kind::Table(VERSIONS),
                r#"versions by platform: { WINDOWS = "10.0.22631", MACOS = "14.0" }"#,
            ),
        ]),
        "a table: [detect]",
    ),
    key(
        "slack",
        Kind::Table(&[
            key("api_url", Kind::Url, r#""https://slack.com/api""#),
            key("bot_token", Kind::Secret, r#""env:SLACK_BOT_TOKEN""#),
            key("app_token", Kind::Secret, r#""env:SLACK_APP_TOKEN""#),
            key(
                "signing_secret",
                Kind::Secret,
                r#""env:SLACK_SIGNING_SECRET""#,
            ),
            need("channel", Kind::Text, r#"the channel's id, "C0…""#),
        ]),
        "a table: [slack]",
    ),
    key(
        "approvals",
        Kind::Table(&[
            key(
                "approvers",
                Kind::Texts,
                r#"["usergroup:S0…", "user:U0…", "cli:ann"]"#,
            ),
            key("hours", Kind::Text, r#""always" or "Mon-Fri 08:00-18:00""#),
            key(
                "timezone",
                Kind::Text,
                r#"an IANA zone such as "Europe/Berlin""#,
            ),
            key(
                "groups",
                Kind::Groups,
                r#"names with lists: security = ["user:U0…"]"#,
            ),
        ]),
        "a table: [approvals]",
    ),
    key(
        "safety",
        Kind::Table(&[
            key(
                "mode",
                Kind::Word(&["observe", "approve"]),
                "what may happen",
            ),
            key("stop_file", Kind::Text, r#""unstuck.stop""#),
            key(
                "first_day_cap",
                Kind::Integer(1, 10_000),
                "10 is the default",
            ),
        ]),
        "a table: [safety]",
    ),
    key(
        "exclusions",
        Kind::Table(&[
            key("users", Kind::Texts, "Okta user ids or logins"),
            key("groups", Kind::Texts, "Okta group ids"),
            key("devices", Kind::Texts, "Okta device ids or serial numbers"),
        ]),
        "a table: [exclusions]",
    ),
    key(
        "web",
        Kind::Table(&[key("bind", Kind::Text, r#""127.0.0.1:8080""#)]),
        "a table: [web]",
    ),
    key(
        "audit",
        Kind::Table(&[key("key", Kind::Secret, r#""file:audit.key""#)]),
        "a table: [audit]",
    ),
    key(
        "playbooks",
        Kind::Table(&[key("dir", Kind::Text, "a folder")]),
        "a table: [playbooks]",
    ),
    key(
        "log",
        Kind::Table(&[
            key("format", Kind::Word(&["text", "json"]), "how lines look"),
            key("level", Kind::Text, r#""info""#),
        ]),
        "a table: [log]",
    ),
    key(
        "clock",
        Kind::Table(&[key("speed", Kind::Number, "1.0")]),
        "a table: [clock]",
    ),
    key(
        "schedule",
        Kind::Tables(&[
            need("name", Kind::Text, r#"a short name: "weekday-sweep""#),
            need(
                "cron",
                Kind::Text,
                r#"five or six fields: "0 7 * * Mon-Fri""#,
            ),
            key(
                "timezone",
                Kind::Text,
                r#"an IANA zone such as "Europe/Berlin""#,
            ),
        ]),
        "a list of tables: [[schedule]]",
    ),
];

/// Vendors that have a connector.
pub(super) const MDM_KINDS: &[&str] = &["intune", "jamf"];

/// Vendors that the design names and that have no connector yet.
pub(super) const MDM_KINDS_LATER: &[&str] = &[
    "workspace_one",
    "kandji",
    "fleet",
    "addigy",
    "mosyle",
    "generic",
];
