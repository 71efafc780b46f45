//! Log events → facts. A FastPass sign-in without a device is joined with an event of the same page that names it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use unstuck_domain::{DeviceChange, DeviceId, LogFact, LogFactKind, Platform, UserId};

use super::loose;
use crate::decode;

/// One event, with its whole JSON where its shape is not known.
pub(super) struct Event {
    known: Known,
    whole: Option<Value>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let known: Known = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        let whole = if known.event_type.starts_with("pki.cert.") {
            serde_json::from_str(raw.get()).ok()
        } else {
            None
        };
        Ok(Self { known, whole })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    #[serde(deserialize_with = "decode::word_id")]
    uuid: String,
    #[serde(deserialize_with = "published")]
    published: DateTime<Utc>,
    #[serde(deserialize_with = "decode::word_id")]
    event_type: String,
    #[serde(default, deserialize_with = "decode::section")]
    client: Option<Client>,
    #[serde(default, deserialize_with = "decode::section")]
    actor: Option<Party>,
    #[serde(default, deserialize_with = "decode::section")]
    device: Option<Device>,
    #[serde(default, deserialize_with = "decode::section")]
    outcome: Option<Outcome>,
    #[serde(default, deserialize_with = "decode::rows")]
    target: Option<Vec<Party>>,
    #[serde(default, deserialize_with = "decode::section")]
    authentication_context: Option<AuthenticationContext>,
    #[serde(default, deserialize_with = "decode::section")]
    debug_context: Option<DebugContext>,
    #[serde(default, deserialize_with = "decode::section")]
    transaction: Option<Transaction>,
}

/// An actor or a target.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Party {
    #[serde(default, deserialize_with = "decode::optional_text")]
    id: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "decode::optional_text")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    alternate_id: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "decode::section")]
    detail_entry: Option<HashMap<String, Value>>,
}

impl Party {
    fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    /// A detail by any of its spellings.
    fn detail(&self, names: &[&str]) -> Option<&str> {
        let details = self.detail_entry.as_ref()?;
        names
            .iter()
            .find_map(|name| details.get(*name)?.as_str())
            .filter(|text| !text.is_empty())
    }

    /// How people call it.
    fn label(&self) -> Option<String> {
        [&self.alternate_id, &self.display_name, &self.id]
            .into_iter()
            .flatten()
            .find(|text| !text.is_empty() && *text != "unknown")
            .cloned()
    }
}

#[derive(Deserialize)]
struct Device {
    #[serde(default, deserialize_with = "decode::optional_text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_bool")]
    managed: Option<bool>,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default, deserialize_with = "decode::optional_text")]
    result: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthenticationContext {
    #[serde(default, deserialize_with = "decode::optional_text")]
    external_session_id: Option<String>,
    /// There only with Device-Bound SSO.
    #[serde(default, deserialize_with = "decode::optional_text")]
    device_session_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    #[serde(default, deserialize_with = "decode::section")]
    user_agent: Option<UserAgent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserAgent {
    #[serde(default, deserialize_with = "decode::optional_text")]
    raw_user_agent: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    os: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    browser: Option<String>,
}

impl UserAgent {
    /// Whether a browser speaks, and not Okta Verify itself.
    fn is_browser(&self) -> bool {
        let raw = self.raw_user_agent.as_deref().unwrap_or_default();
        !raw.starts_with("OktaVerify") && !matches!(self.browser.as_deref(), None | Some("UNKNOWN"))
    }

    /// Okta's word for the browser, with the major version where the raw text tells it.
    fn browser(&self) -> Option<String> {
        let name = self.browser.as_deref()?;
        let raw = self.raw_user_agent.as_deref().unwrap_or_default();
        let upper = name.to_ascii_uppercase();
        let token = [
            ("EDGE", "Edg/"),
            ("CHROME", "Chrome/"),
            ("FIREFOX", "Firefox/"),
            ("SAFARI", "Version/"),
        ]
        .into_iter()
        .find(|(word, _)| upper.contains(word))?
        .1;
        let version = raw.split_once(token).map(|(_, rest)| {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            &rest[..end.unwrap_or(rest.len())]
        });
        Some(match version {
            Some(version) if !version.is_empty() => format!("{name} {version}"),
            _ => name.to_owned(),
        })
    }

    fn platform(&self) -> Option<Platform> {
        let os = self.os.as_deref()?.to_ascii_lowercase();
        Some(match os.as_str() {
            "unknown" => return None,
            // Phones name themselves before the desktops that they resemble.
            os if os.contains("phone") || os.starts_with("ios") => Platform::Other,
            os if os.starts_with("windows") => Platform::Windows,
            os if os.starts_with("mac") || os.starts_with("osx") => Platform::Macos,
            _ => Platform::Other,
        })
    }
}

/// Events without a time, or of an absurd one, are no events: a "last" of the year 9999 would never be replaced.
fn published<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    decode::optional_time(deserializer)?.ok_or_else(|| serde::de::Error::custom("no time"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DebugContext {
    #[serde(default, deserialize_with = "decode::section")]
    debug_data: Option<DebugData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DebugData {
    #[serde(default, deserialize_with = "decode::optional_text")]
    factor: Option<String>,
    #[serde(default, deserialize_with = "decode::optional_text")]
    authn_request_id: Option<String>,
}

#[derive(Deserialize)]
struct Transaction {
    #[serde(default, deserialize_with = "decode::optional_text")]
    id: Option<String>,
}

impl Known {
    fn targets(&self) -> &[Party] {
        self.target.as_deref().unwrap_or_default()
    }

    fn user(&self) -> Option<UserId> {
        let id = self.actor.as_ref()?.id.as_deref()?;
        // The actor of a sign-in is a user, whatever its type is called; ids of users begin so.
        id.starts_with("00u").then(|| UserId::new(id))
    }

    /// The record: the device context, else a target.
    fn device(&self) -> Option<DeviceId> {
        let context = self.device.as_ref().and_then(|device| device.id.as_deref());
        let target = || {
            self.targets()
                .iter()
                .find(|target| target.is("UDDevice"))
                .and_then(|target| target.id.as_deref())
        };
        context.or_else(target).map(DeviceId::from)
    }

    fn agent(&self) -> Option<&UserAgent> {
        self.client.as_ref()?.user_agent.as_ref()
    }

    /// What the enrolment proved; `None` where no target tells.
    fn phishing_resistant(&self) -> Option<bool> {
        let proved = self
            .targets()
            .iter()
            .find_map(|target| target.detail(&["methodUsedVerifiedProperties"]))?;
        Some(proved.contains("PHISHING_RESISTANT"))
    }

    fn has_device_session(&self) -> bool {
        let context = self.authentication_context.as_ref();
        context.is_some_and(|context| context.device_session_id.is_some())
    }

    fn managed(&self) -> Option<bool> {
        self.device.as_ref()?.managed
    }

    /// Success, failure, or neither (challenge, abandoned).
    fn success(&self) -> Option<bool> {
        match self.outcome.as_ref()?.result.as_deref()? {
            "SUCCESS" | "ALLOW" => Some(true),
            "FAILURE" | "DENY" => Some(false),
            _ => None,
        }
    }

    fn debug(&self) -> Option<&DebugData> {
        self.debug_context.as_ref()?.debug_data.as_ref()
    }

    /// FastPass in both spellings of the factor, or by the enrolment that was used.
    fn is_fastpass(&self) -> bool {
        let factor = self.debug().and_then(|data| data.factor.as_deref());
        factor.is_some_and(|factor| factor.eq_ignore_ascii_case("signed_nonce"))
            || self.targets().iter().any(|target| {
                target.is("AuthenticatorEnrollment")
                    && target.detail(&["methodTypeUsed"]) == Some("Use Okta FastPass")
            })
    }

    /// What ties the events of one sign-in together; the actor belongs to it, since ids may be reused across users.
    fn join_keys(&self) -> impl Iterator<Item = JoinKey<'_>> {
        let actor = self.actor.as_ref().and_then(|actor| actor.id.as_deref());
        let session = self
            .authentication_context
            .as_ref()
            .and_then(|context| context.external_session_id.as_deref());
        let request = self
            .debug()
            .and_then(|data| data.authn_request_id.as_deref());
        let transaction = self.transaction.as_ref().and_then(|t| t.id.as_deref());
        [
            ("request", request),
            ("transaction", transaction),
            ("session", session),
        ]
        .into_iter()
        .filter_map(move |(kind, id)| {
            let id = id.filter(|id| !id.is_empty() && *id != "unknown")?;
            Some((actor?, kind, id))
        })
    }
}

type JoinKey<'a> = (&'a str, &'static str, &'a str);

/// What the other events of a sign-in tell.
#[derive(Default)]
struct SignIns<'a> {
    devices: HashMap<JoinKey<'a>, (DeviceId, Option<bool>)>,
    fastpass: HashMap<JoinKey<'a>, ()>,
    /// Browsers of sign-ins; FastPass itself often speaks as Okta Verify.
    browsers: HashMap<JoinKey<'a>, &'a UserAgent>,
}

impl<'a> SignIns<'a> {
    fn of(events: &'a [Event]) -> Self {
        let mut joined = Self::default();
        for event in events.iter().map(|event| &event.known) {
            if !is_sign_in(&event.event_type) {
                continue;
            }
            if let Some(agent) = event.agent().filter(|agent| agent.is_browser()) {
                joined
                    .browsers
                    .extend(event.join_keys().map(|key| (key, agent)));
            }
            if let Some(device) = event.device() {
                for key in event.join_keys() {
                    let entry = joined
                        .devices
                        .entry(key)
                        .or_insert_with(|| (device.clone(), None));
                    if entry.0 == device && entry.1.is_none() {
                        entry.1 = event.managed();
                    }
                }
            }
            if event.event_type == MFA && event.is_fastpass() {
                joined
                    .fastpass
                    .extend(event.join_keys().map(|key| (key, ())));
            }
        }
        joined
    }

    fn device(&self, event: &'a Known) -> Option<&(DeviceId, Option<bool>)> {
        event.join_keys().find_map(|key| self.devices.get(&key))
    }

    fn browser(&self, event: &'a Known) -> Option<String> {
        let own = event.agent().filter(|agent| agent.is_browser());
        let joined = || {
            event
                .join_keys()
                .find_map(|key| self.browsers.get(&key).copied())
        };
        own.or_else(joined)?.browser()
    }

    fn used_fastpass(&self, event: &'a Known) -> bool {
        event
            .join_keys()
            .any(|key| self.fastpass.contains_key(&key))
    }
}

const MFA: &str = "user.authentication.auth_via_mfa";

fn is_sign_in(event_type: &str) -> bool {
    event_type.starts_with("user.") || event_type == "policy.evaluate_sign_on"
}

/// The facts of a page, in its order.
pub(super) fn facts(events: &[Event]) -> Vec<LogFact> {
    let sign_ins = SignIns::of(events);
    events
        .iter()
        .filter_map(|event| {
            Some(LogFact {
                kind: kind(event, &sign_ins)?,
                uuid: event.known.uuid.clone(),
                at: event.known.published,
            })
        })
        .collect()
}

fn kind<'a>(event: &'a Event, sign_ins: &SignIns<'a>) -> Option<LogFactKind> {
    let known = &event.known;
    match known.event_type.as_str() {
        MFA if known.is_fastpass() => fastpass(known, sign_ins),
        MFA | "user.session.start" | "user.authentication.verify" => sign_in(known, sign_ins),
        "user.authentication.sso" => app_opened(known),
        "policy.evaluate_sign_on" => None,
        event_type if event_type.starts_with("pki.cert.") => {
            certificate(known, event.whole.as_ref()?)
        }
        "device.enrollment.create" => lifecycle(known, DeviceChange::Enrolled),
        "device.lifecycle.activate" => lifecycle(known, DeviceChange::Activated),
        "device.lifecycle.suspend" => lifecycle(known, DeviceChange::Suspended),
        "device.lifecycle.unsuspend" => lifecycle(known, DeviceChange::Unsuspended),
        "device.lifecycle.deactivate" => lifecycle(known, DeviceChange::Deactivated),
        "device.lifecycle.delete" => lifecycle(known, DeviceChange::Deleted),
        event_type => Some(LogFactKind::OrgChange {
            event_type: event_type.to_owned(),
            actor: actor(known),
            target: known.targets().iter().find_map(|target| {
                let name = target.display_name.clone().filter(|name| !name.is_empty());
                name.or_else(|| target.label())
            }),
        }),
    }
}

fn fastpass<'a>(event: &'a Known, sign_ins: &SignIns<'a>) -> Option<LogFactKind> {
    let own = event.device();
    let joined = sign_ins.device(event);
    let managed = match (&own, joined) {
        (Some(own), Some((device, managed))) if own == device => event.managed().or(*managed),
        (None, Some((_, managed))) => *managed,
        _ => event.managed(),
    };
    Some(LogFactKind::FastPass {
        user: event.user()?,
        success: event.success()?,
        managed,
        phishing_resistant: event.phishing_resistant(),
        browser: sign_ins.browser(event),
        device: own.or_else(|| joined.map(|(device, _)| device.clone())),
    })
}

fn sign_in<'a>(event: &'a Known, sign_ins: &SignIns<'a>) -> Option<LogFactKind> {
    if event.success() != Some(true) || sign_ins.used_fastpass(event) {
        return None;
    }
    let joined = || sign_ins.device(event).map(|(device, _)| device.clone());
    Some(LogFactKind::SignIn {
        user: event.user()?,
        device: event.device().or_else(joined),
        platform: event.agent().and_then(UserAgent::platform),
        device_session: event.has_device_session(),
    })
}

fn app_opened(event: &Known) -> Option<LogFactKind> {
    if event.success() != Some(true) {
        return None;
    }
    let app = event
        .targets()
        .iter()
        .find(|target| target.is("AppInstance"))?;
    Some(LogFactKind::AppOpened {
        user: event.user()?,
        app: app.id.clone()?,
    })
}

fn certificate(event: &Known, whole: &Value) -> Option<LogFactKind> {
    let serial_number = loose::certificate_serial(whole);
    let device = event
        .device()
        .or_else(|| loose::device_id(whole).map(DeviceId::new));
    if event.success() == Some(false) {
        return None;
    }
    match event.event_type.as_str() {
        "pki.cert.issue" | "pki.cert.renew" => Some(LogFactKind::CertificateIssued {
            subject: loose::common_name(whole),
            serial_number,
        }),
        "pki.cert.bind" => Some(LogFactKind::CertificateBound {
            device,
            user: event.user().or_else(|| {
                let target = event.targets().iter().find(|target| target.is("User"))?;
                target.id.as_deref().map(UserId::from)
            }),
            serial_number,
        }),
        "pki.cert.revoke"
        | "pki.cert.lifecycle.revoke"
        | "pki.cert.lifecycle.suspend"
        | "pki.cert.lifecycle.delete" => Some(LogFactKind::CertificateRevoked {
            event_type: event.event_type.clone(),
            subject: loose::common_name(whole),
            serial_number,
            device,
        }),
        _ => Some(LogFactKind::OrgChange {
            event_type: event.event_type.clone(),
            actor: actor(event),
            target: event.targets().iter().find_map(Party::label),
        }),
    }
}

fn lifecycle(event: &Known, change: DeviceChange) -> Option<LogFactKind> {
    if event.success() == Some(false) {
        return None;
    }
    let detail = |names: &[&str]| {
        event
            .targets()
            .iter()
            .find_map(|target| target.detail(names))
    };
    let by_form = || {
        let ids = event.targets().iter().filter_map(|t| t.id.as_deref());
        ids.into_iter().find(|id| id.starts_with("guo"))
    };
    let device = detail(&["okta_device_id", "oktaDeviceId"])
        .map(DeviceId::from)
        .or_else(|| event.device())
        .or_else(|| by_form().map(DeviceId::from))?;
    Some(LogFactKind::DeviceLifecycle {
        change,
        device,
        serial_number: detail(&["serial_number", "serialNumber"]).map(str::to_owned),
        actor: actor(event),
    })
}

fn actor(event: &Known) -> Option<String> {
    event.actor.as_ref().and_then(Party::label)
}
