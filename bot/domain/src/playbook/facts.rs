//! The facts that conditions read: one Rust type, from which the field table is generated.
//!
//! Names equal those of `sweep --json`; what goes beyond it hangs under `mdm_device`, `certificate`, `device` and
//! `user`. `null` means "not known" and makes a condition unknown.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::certificate::judge;
use crate::{
    Cause, CertificateStore, Confidence, Diagnosis, Enrolment, Finding, ProfileState, Stage,
    Subject, UserStatus,
};

/// Kind of a field, as conditions see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Text.
    Text,
    /// A number with a fraction.
    Number,
    /// A whole, signed number.
    Whole,
    /// True or false.
    Bool,
    /// More fields.
    Object,
}

/// One line of the field table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Name within its object.
    pub name: &'static str,
    /// Kind.
    pub kind: FieldType,
    /// What it says.
    pub about: &'static str,
    /// Fields of an object.
    pub fields: &'static [Field],
}

/// Where a condition looks its fields up.
pub trait FactSource {
    /// The value at a dotted path; `None`: null, absent or unknown.
    fn fact(&self, path: &str) -> Option<serde_json::Value>;
}

/// As it stands in JSON: `{"subject": {…}}`.
impl FactSource for serde_json::Value {
    fn fact(&self, path: &str) -> Option<serde_json::Value> {
        let mut value = self;
        for name in path.split('.') {
            value = value.get(name)?;
        }
        (!value.is_null()).then(|| value.clone())
    }
}

/// Gives the table entry of a field's Rust type, and looks fields up in its values.
trait Shape {
    const KIND: FieldType;
    const FIELDS: &'static [Field] = &[];

    /// The value at a dotted path below this one; the empty path is the value itself.
    fn look_up(&self, path: &str) -> Option<serde_json::Value>;
}

macro_rules! plain {
    ($($kind:ty: $word:ident,)*) => {
        $(impl Shape for $kind {
            const KIND: FieldType = FieldType::$word;

            fn look_up(&self, path: &str) -> Option<serde_json::Value> {
                path.is_empty().then(|| self.clone().into())
            }
        })*
    };
}

plain! {
    String: Text,
    f64: Number,
    i64: Whole,
    bool: Bool,
}

macro_rules! facts {
    ($(#[$doc:meta])* $name:ident { $(#[doc = $about:literal] $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize)]
        pub struct $name {
            $(#[doc = $about] pub $field: Option<$kind>,)*
        }

        impl Shape for $name {
            const KIND: FieldType = FieldType::Object;
            const FIELDS: &'static [Field] = &[$(Field {
                name: stringify!($field),
                kind: <$kind as Shape>::KIND,
                about: trimmed($about),
                fields: <$kind as Shape>::FIELDS,
            },)*];

            fn look_up(&self, path: &str) -> Option<serde_json::Value> {
                let (name, below) = path.split_once('.').unwrap_or((path, ""));
                match name {
                    $(stringify!($field) => self.$field.as_ref()?.look_up(below),)*
                    _ => None,
                }
            }
        }
    };
}

/// A doc comment without its leading space.
const fn trimmed(text: &'static str) -> &'static str {
    match text.as_bytes() {
        [b' ', ..] => text.split_at(1).1,
        _ => text,
    }
}

facts! {
    /// What is known of one subject.
    SubjectFacts {
        /// Okta device id.
        device_id: String,
        /// Okta user id.
        user_id: String,
        /// Serial number as Okta spells it.
        serial_number: String,
        /// WINDOWS or MACOS.
        platform: String,
        /// `[[mdm]].name` of the matched record.
        mdm: String,
        /// Its id there.
        mdm_device_id: String,
        /// strong, weak or none.
        match_strength: String,
        /// The first unproved stage.
        stage: String,
        /// The diagnosed cause.
        cause: String,
        /// high, medium or low.
        confidence: String,
        /// Whether the link was read by id.
        confirmed: bool,
        /// Whether the user is denied by a policy right now.
        blocked: bool,
        /// Okta's record.
        device: DeviceFacts,
        /// The matched MDM record.
        mdm_device: MdmDeviceFacts,
        /// The newest matching client certificate.
        certificate: CertificateFacts,
        /// The user's account.
        user: UserFacts,
    }
}

facts! {
    /// What is known of Okta's record.
    DeviceFacts {
        /// ACTIVE, SUSPENDED, DEACTIVATED, CREATED or another word of Okta's.
        status: String,
        /// Name in the Admin Console.
        display_name: String,
        /// Operating system version.
        os_version: String,
        /// Whether Okta Verify registered it.
        registered: bool,
        /// Hours since the record changed.
        last_updated_hours: f64,
        /// Users linked to the record.
        user_count: i64,
    }
}

facts! {
    /// What is known of the MDM record.
    MdmDeviceFacts {
        /// intune or jamf.
        kind: String,
        /// Hours since the last contact.
        last_check_in_hours: f64,
        /// Hours since the time that profiles and certificates speak of.
        inventory_age_hours: f64,
        /// Hours since the enrolment.
        enrolled_hours: f64,
        /// works or broken.
        enrolment: String,
        /// Whether the push channel is on.
        push_enabled: bool,
        /// Whether Okta Verify is installed.
        okta_verify_installed: bool,
        /// Accounts that can use a user channel or have signed in.
        local_users: i64,
        /// Device category.
        category: String,
        /// Delivery of the attestation profile: `not_assigned`, pending, installed, failed, conflict or `not_applicable`.
        profile_state: String,
        /// The MDM's own text of a failed delivery.
        profile_error: String,
        /// Hours since that state was reached.
        profile_state_hours: f64,
    }
}

facts! {
    /// What is known of the certificate.
    CertificateFacts {
        /// valid, expired, revoked or missing; null where that is not provable.
        state: String,
        /// Days until it expires; negative once it has.
        expires_in_days: f64,
        /// Days since it was issued.
        issued_days: f64,
        /// user or machine.
        store: String,
        /// Whether any matching certificate is in the user store; null where stores are not shown.
        in_user_store: bool,
        /// Issuer.
        issuer: String,
        /// Serial number.
        serial_number: String,
    }
}

facts! {
    /// What is known of the user.
    UserFacts {
        /// ACTIVE or another word of Okta's.
        status: String,
        /// Login.
        login: String,
        /// Whether an e-mail address is known.
        has_email: bool,
        /// Hours since the last sign-in of any kind.
        last_login_hours: f64,
        /// ACTIVE, signed in within 14 days, and an address to write to is known.
        reachable: bool,
        /// Whether FastPass is listed among the user's factors; absence is weak.
        fastpass_enrolled: bool,
    }
}

const ROOTS: &[Field] = &[Field {
    name: "subject",
    kind: FieldType::Object,
    about: "the device-user that a finding is about",
    fields: SubjectFacts::FIELDS,
}];

/// The field table: what conditions may read.
pub fn fields() -> &'static [Field] {
    ROOTS
}

/// Kind of the field at a dotted path.
pub fn field_type(path: &str) -> Option<FieldType> {
    let mut fields = ROOTS;
    let mut kind = None;
    for name in path.split('.') {
        let field = fields.iter().find(|field| field.name == name)?;
        kind = Some(field.kind);
        fields = field.fields;
    }
    kind
}

/// Dotted paths of every field that holds a value, with its entry.
pub fn table() -> Vec<(String, Field)> {
    fn walk(prefix: &str, fields: &'static [Field], into: &mut Vec<(String, Field)>) {
        for field in fields {
            let path = if prefix.is_empty() {
                field.name.to_owned()
            } else {
                format!("{prefix}.{}", field.name)
            };
            if field.kind == FieldType::Object {
                walk(&path, field.fields, into);
            } else {
                into.push((path, *field));
            }
        }
    }
    let mut found = Vec::new();
    walk("", ROOTS, &mut found);
    found
}

/// Dotted paths of every field that holds a value.
pub(super) fn paths() -> impl Iterator<Item = String> {
    table().into_iter().map(|(path, _)| path)
}

/// What was judged of a subject, from a fresh diagnosis or a stored finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Best cause.
    pub cause: Cause,
    /// First unproved stage.
    pub stage: Stage,
    /// How sure.
    pub confidence: Confidence,
    /// Whether the user is denied right now; `None`: not judged yet.
    pub blocked: Option<bool>,
}

impl From<&Diagnosis> for Judged {
    fn from(diagnosis: &Diagnosis) -> Self {
        Self {
            cause: diagnosis.cause,
            stage: diagnosis.stage,
            confidence: diagnosis.confidence,
            blocked: None,
        }
    }
}

impl From<&Finding> for Judged {
    fn from(finding: &Finding) -> Self {
        Self {
            cause: finding.cause,
            stage: finding.stage,
            confidence: finding.confidence,
            blocked: Some(finding.blocked),
        }
    }
}

/// The roots that conditions read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// The subject.
    pub subject: SubjectFacts,
}

impl FactSource for Facts {
    fn fact(&self, path: &str) -> Option<serde_json::Value> {
        self.subject.look_up(path.strip_prefix("subject.")?)
    }
}

/// The facts of a subject, as conditions read them; as JSON: `{"subject": {…}}`.
pub fn facts(subject: &Subject<'_>, judged: impl Into<Judged>) -> Facts {
    Facts {
        subject: subject_facts(subject, judged.into()),
    }
}

/// Whether the user can be asked: ACTIVE, signed in within 14 days, an address known. `None`: not read.
pub fn reachable(subject: &Subject<'_>) -> Option<bool> {
    let user = subject.user?;
    let addressed = user.link.email.is_some() || user.link.login.contains('@');
    if user.status != UserStatus::Active || !addressed {
        return Some(false);
    }
    let signed_in = subject
        .observations
        .log
        .sign_ins
        .get(&user.link.user_id)
        .copied();
    let last = user.last_login.max(signed_in)?;
    Some(hours_between(last, subject.observations.okta.now) <= 14.0 * 24.0)
}

fn subject_facts(subject: &Subject<'_>, judged: Judged) -> SubjectFacts {
    let okta_now = subject.observations.okta.now;
    let link = subject.user.map(|user| &user.link).or(subject.link);
    SubjectFacts {
        device_id: subject.device.map(|device| device.id.to_string()),
        user_id: link.map(|link| link.user_id.to_string()),
        serial_number: subject
            .device
            .and_then(|device| device.serial_number.clone()),
        platform: subject
            .device
            .map(|device| device.platform)
            .or_else(|| subject.record.map(|record| record.platform))
            .filter(|platform| platform.is_desktop())
            .map(|platform| word(&platform)),
        mdm: subject.mdm.map(|mdm| mdm.name.to_string()),
        mdm_device_id: subject.record.map(|record| record.id.to_string()),
        match_strength: Some(word(&subject.strength)),
        stage: Some(word(&judged.stage)),
        cause: Some(judged.cause.name().to_owned()),
        confidence: Some(word(&judged.confidence)),
        confirmed: Some(subject.user.is_some()),
        blocked: judged.blocked,
        device: subject.device.map(|device| DeviceFacts {
            status: Some(word(&device.status)),
            display_name: Some(device.display_name.clone()),
            os_version: device.os_version.clone(),
            registered: Some(device.registered),
            last_updated_hours: device.last_updated.map(|at| hours_between(at, okta_now)),
            user_count: device.users.as_ref().map(|users| users.len() as i64),
        }),
        mdm_device: subject.record.map(|_| mdm_device_facts(subject)),
        certificate: Some(certificate_facts(subject)),
        user: link.map(|link| UserFacts {
            status: subject.user.map(|user| word(&user.status)),
            login: Some(link.login.clone()),
            has_email: Some(link.email.is_some()),
            last_login_hours: subject
                .user
                .and_then(|user| user.last_login)
                .map(|at| hours_between(at, okta_now)),
            reachable: reachable(subject),
            fastpass_enrolled: subject
                .observations
                .okta
                .users
                .get(&link.user_id)
                .and_then(|detail| detail.fastpass_enrolled),
        }),
    }
}

fn mdm_device_facts(subject: &Subject<'_>) -> MdmDeviceFacts {
    let (Some(mdm), Some(record)) = (subject.mdm, subject.record) else {
        return MdmDeviceFacts::default();
    };
    let since = |at: Option<DateTime<Utc>>| at.map(|at| hours_between(at, mdm.now));
    let delivery = crate::planning::profile::attestation_profile(mdm, record)
        .and_then(|profile| profile.delivery);
    MdmDeviceFacts {
        kind: Some(word(&mdm.kind)),
        last_check_in_hours: since(record.last_check_in),
        inventory_age_hours: since(record.inventory_at),
        enrolled_hours: since(record.enrolled_at),
        enrolment: match &record.enrolment {
            Enrolment::Works => Some("works".to_owned()),
            Enrolment::Broken { .. } => Some("broken".to_owned()),
            Enrolment::Unknown => None,
        },
        push_enabled: record.push_enabled,
        okta_verify_installed: record.okta_verify_installed,
        local_users: record.local_users.map(i64::from),
        category: record.category.clone(),
        profile_state: delivery
            .and_then(|delivery| profile_word(&delivery.state))
            .map(str::to_owned),
        profile_error: delivery.and_then(|delivery| match &delivery.state {
            ProfileState::Failed { error } => Some(error.clone()),
            _ => None,
        }),
        profile_state_hours: since(delivery.and_then(|delivery| delivery.since)),
    }
}

fn certificate_facts(subject: &Subject<'_>) -> CertificateFacts {
    let view = judge(subject);
    let now = subject
        .mdm
        .map_or(subject.observations.okta.now, |mdm| mdm.now);
    let days = |from: DateTime<Utc>, to: DateTime<Utc>| hours_between(from, to) / 24.0;
    let listed = subject
        .mdm
        .filter(|mdm| mdm.shows.store)
        .and(subject.record)
        .and_then(|record| record.certificates.as_ref());
    CertificateFacts {
        state: view.state.word().map(str::to_owned),
        expires_in_days: view.expires_at.map(|at| days(now, at)),
        issued_days: view.issued_at.map(|at| days(at, now)),
        store: view.store.map(|store| word(&store)),
        in_user_store: listed.map(|rows| {
            rows.iter()
                .any(|row| row.store == Some(CertificateStore::User))
        }),
        issuer: view
            .certificate
            .and_then(|certificate| certificate.issuer.clone()),
        serial_number: view
            .certificate
            .and_then(|certificate| certificate.serial_number.clone()),
    }
}

/// The word of a delivery state; `None` where the record does not tell.
pub(crate) fn profile_word(state: &ProfileState) -> Option<&'static str> {
    match state {
        ProfileState::NotAssigned => Some("not_assigned"),
        ProfileState::Pending => Some("pending"),
        ProfileState::Installed => Some("installed"),
        ProfileState::Failed { .. } => Some("failed"),
        ProfileState::Conflict => Some("conflict"),
        ProfileState::NotApplicable => Some("not_applicable"),
        ProfileState::Unknown => None,
    }
}

fn hours_between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    to.signed_duration_since(from).num_seconds() as f64 / 3600.0
}

/// The word that serde writes for a unit-like value.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}
