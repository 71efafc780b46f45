//! Okta's readers for [`crate::fuzzing`].

use unstuck_domain::{ConfirmedUser, OktaDevice, OktaDeviceUser};

use super::{authorities, facts, policies, wire};
use crate::fuzzing::{list, page};

pub(crate) fn devices(bytes: &[u8]) {
    for device in list::<wire::Device>(bytes) {
        let device = OktaDevice::from(device);
        assert!(device.id.as_str().len() <= 256);
    }
}

pub(crate) fn device_users(bytes: &[u8]) {
    for user in list::<wire::DeviceUser>(bytes) {
        let link: OktaDeviceUser = ConfirmedUser::from(user).link;
        assert!(link.user_id.as_str().len() <= 256);
    }
}

pub(crate) fn log(bytes: &[u8]) {
    let events: Vec<facts::Event> = list(bytes);
    let facts = facts::facts(&events);
    assert!(facts.len() <= events.len());
    let mut ledger = unstuck_domain::LogFacts::default();
    facts.iter().for_each(|fact| ledger.record(fact));
}

pub(crate) fn rules(bytes: &[u8]) {
    for rule in list::<wire::Rule>(bytes) {
        policies::access_rule(rule);
    }
}

pub(crate) fn authenticators(bytes: &[u8]) {
    list::<wire::Authenticator>(bytes);
    list::<wire::AuthenticatorMethod>(bytes);
    list::<wire::Factor>(bytes);
    list::<wire::Mapping>(bytes);
}

pub(crate) fn authorities(bytes: &[u8]) {
    for authority in page::<wire::Authority>(bytes) {
        authorities::read(authority, page(bytes));
    }
}

/// Records of a page that read, and that do not.
#[cfg(test)]
pub(crate) fn counted(reader: &str, bytes: &[u8]) -> (usize, usize) {
    use crate::fuzzing::{counted_list, counted_page};
    match reader {
        "okta_devices" => counted_list::<wire::Device>(bytes),
        "okta_device_users" => counted_list::<wire::DeviceUser>(bytes),
        "okta_log" => counted_list::<facts::Event>(bytes),
        "okta_rules" => counted_list::<wire::Rule>(bytes),
        "okta_authenticators" => counted_list::<wire::Authenticator>(bytes),
        _ => counted_page::<wire::Authority>(bytes),
    }
}
