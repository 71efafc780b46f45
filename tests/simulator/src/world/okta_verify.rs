//! What keeps Okta Verify on a machine from attesting, whatever certificates there are: its age, the
//! system's, a wrong mode on a virtual desktop, and on Macs an SSO extension that Safari needs.

use super::{Browser, Client, Id, MachineKey, Network, Platform, ProfileKind, SsoExtension, State};

/// The oldest Okta Verify that this company's admins allow.
pub fn oldest_okta_verify(platform: Platform) -> &'static str {
    match platform {
        Platform::Windows => "5.0.0.0",
        _ => "9.20.0",
    }
}

/// The oldest system that this company's admins allow.
pub fn oldest_system(platform: Platform) -> &'static str {
    match platform {
        Platform::Windows => "10.0.19045",
        _ => "14.0",
    }
}

impl State {
    /// Whether Okta Verify and the system below it are able to sign with a certificate at all.
    pub(super) fn okta_verify_can_attest(&self, key: MachineKey) -> bool {
        let machine = self.machine(key);
        let platform = machine.platform;
        machine.okta_verify.as_deref().is_some_and(|version| {
            !older(version, oldest_okta_verify(platform))
                && !older(&machine.os_version, oldest_system(platform))
                && !machine.wrong_desktop_mode
        })
    }

    /// Safari reaches Okta Verify by one right SSO extension profile; other browsers need none. What
    /// two of them do to each other is UNVERIFIED; here neither serves.
    pub(super) fn sso_extension_serves(&self, key: MachineKey) -> bool {
        let machine = self.machine(key);
        if machine.browser != Browser::Safari {
            return true;
        }
        let extensions: Vec<&SsoExtension> = machine
            .profiles
            .iter()
            .filter_map(|held| match &self.profile(held.profile).kind {
                ProfileKind::SsoExtension(extension) => Some(extension),
                _ => None,
            })
            .collect();
        matches!(extensions[..], [extension] if extension.is_right())
    }

    /// The browser of the machine behind a record, and its way out.
    pub(crate) fn client_of(&self, device: &Id) -> Client {
        let Some(record) = self.devices.get(device) else {
            return Client::default();
        };
        let machine = record.machine.map(|key| self.machine(key));
        Client {
            browser: machine.map_or(Browser::USUAL, |machine| machine.browser),
            platform: Some(record.platform),
            network: machine.map_or(Network::default(), |machine| machine.network),
        }
    }
}

/// Whether one dotted version comes before another.
fn older(version: &str, than: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        text.split('.')
            .map(|part| part.parse().unwrap_or(0))
            .collect()
    };
    numbers(version) < numbers(than)
}

#[cfg(test)]
mod tests {
    use super::older;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(older("9.9.0", "9.20.0"));
        assert!(older("10.0.17763.1", "10.0.19045"));
        assert!(!older("15.7.1", "14.0"));
        assert!(!older("6.6.2.0", "5.0.0.0"));
    }
}
