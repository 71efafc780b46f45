//! Finding what certificate events say wherever they say it: the JSON of `pki.cert.*` is UNVERIFIED.

use serde_json::Value;

/// A certificate's serial number, anywhere in an event but where it would be the hardware's.
pub(super) fn certificate_serial(event: &Value) -> Option<String> {
    let named = |key: &str| {
        [
            "certserialnumber",
            "certificateserialnumber",
            "certserial",
            "certificateserial",
        ]
        .contains(&key)
    };
    let bare = |key: &str| ["serialnumber", "serial"].contains(&key);
    find(event, &named).or_else(|| find(event, &bare))
}

/// A certificate's common name, anywhere in an event.
pub(super) fn common_name(event: &Value) -> Option<String> {
    let named = |key: &str| {
        [
            "commonname",
            "cn",
            "subjectcommonname",
            "certcommonname",
            "certsubject",
            "subjectdn",
            "certsubjectdn",
            "subject",
            "subjectname",
            "certname",
        ]
        .contains(&key)
    };
    find(event, &named)
        .map(|text| cn_of(&text).unwrap_or(text))
        .or_else(|| find_cn(event))
        .or_else(|| certificate_target(event))
}

/// An id of a device record, anywhere in an event.
pub(super) fn device_id(event: &Value) -> Option<String> {
    let text = match event {
        Value::String(text) => return is_device_id(text).then(|| text.clone()),
        Value::Array(items) => return items.iter().find_map(device_id),
        Value::Object(fields) => fields,
        _ => return None,
    };
    text.values().find_map(device_id)
}

/// Okta's ids are 20 characters; `guo` marks a device.
fn is_device_id(text: &str) -> bool {
    text.len() == 20 && text.starts_with("guo") && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The first string under a key that `wanted` accepts, written without case, `_` and `-`.
fn find(value: &Value, wanted: &dyn Fn(&str) -> bool) -> Option<String> {
    match value {
        Value::Array(items) => items.iter().find_map(|item| find(item, wanted)),
        Value::Object(fields) => {
            if speaks_of_hardware(value) {
                return None;
            }
            let own = fields.iter().find_map(|(key, value)| {
                let key: String = key.chars().filter(|c| c.is_alphanumeric()).collect();
                let text = match value {
                    Value::String(text) if !text.is_empty() => text.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => return None,
                };
                wanted(&key.to_ascii_lowercase()).then_some(text)
            });
            own.or_else(|| {
                fields
                    .iter()
                    .filter(|(key, _)| *key != "device")
                    .find_map(|(_, value)| find(value, wanted))
            })
        }
        _ => None,
    }
}

fn speaks_of_hardware(value: &Value) -> bool {
    value.get("type").and_then(Value::as_str) == Some("UDDevice")
}

/// `CN=…` inside any string.
fn find_cn(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => cn_of(text),
        Value::Array(items) => items.iter().find_map(find_cn),
        Value::Object(fields) => fields.values().find_map(find_cn),
        _ => None,
    }
}

fn cn_of(text: &str) -> Option<String> {
    let mut start = 0;
    while let Some(at) = text[start..].find("CN=").map(|at| at + start) {
        // `OCN=` is another attribute.
        let begins = !text[..at].ends_with(|c: char| c.is_alphanumeric());
        let value = text[at + 3..].split([',', '+', '/', ';']).next()?.trim();
        if begins && !value.is_empty() {
            return Some(value.to_owned());
        }
        start = at + 3;
    }
    None
}

/// The name of a target whose type speaks of a certificate.
fn certificate_target(event: &Value) -> Option<String> {
    let targets = event.get("target")?.as_array()?;
    targets.iter().find_map(|target| {
        let kind = target.get("type")?.as_str()?.to_ascii_lowercase();
        if !kind.contains("cert") {
            return None;
        }
        ["displayName", "alternateId"]
            .iter()
            .filter_map(|key| target.get(*key)?.as_str())
            .find(|text| !text.is_empty() && *text != "unknown")
            .map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_common_name_is_found_wherever_it_stands() {
        for event in [
            json!({"target": [{"type": "PKICertificate", "detailEntry": {"common_name": "C02 m"}}]}),
            json!({"debugContext": {"debugData": {"certSubject": "O=Acme, CN=C02 m"}}}),
            json!({"target": [{"type": "Certificate", "displayName": "C02 m"}]}),
            json!({"outcome": {"reason": "issued to CN=C02 m, O=Acme"}}),
        ] {
            assert_eq!(common_name(&event).as_deref(), Some("C02 m"), "{event}");
        }
        assert_eq!(common_name(&json!({"target": []})), None);
    }

    #[test]
    fn the_hardware_serial_is_not_taken_for_that_of_the_certificate() {
        let event = json!({
            "device": {"serialNumber": "HW1"},
            "target": [
                {"type": "UDDevice", "detailEntry": {"serial_number": "HW1"}},
                {"type": "PKICertificate", "detailEntry": {"serialNumber": "0A1B"}},
            ],
        });
        assert_eq!(certificate_serial(&event).as_deref(), Some("0A1B"));
        let hardware_only = json!({"target": [{"type": "UDDevice", "serialNumber": "HW1"}]});
        assert_eq!(certificate_serial(&hardware_only), None);
    }

    #[test]
    fn a_device_id_is_found_by_its_form() {
        let event =
            json!({"target": [{"id": "00u1"}, {"detailEntry": {"d": "guo4a5u7YAHhjXrMK0g5"}}]});
        assert_eq!(device_id(&event).as_deref(), Some("guo4a5u7YAHhjXrMK0g5"));
        assert_eq!(device_id(&json!({"text": "guo is short"})), None);
    }
}
