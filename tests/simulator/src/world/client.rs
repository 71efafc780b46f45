//! Where a sign-in came from: the browser, its system, and the network behind it.

use super::Platform;

/// The part of a sign-in that the browser and its network decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Client {
    pub browser: Browser,
    /// None: nobody's browser, as for the events of an admin or of Okta itself.
    pub platform: Option<Platform>,
    pub network: Network,
}

/// A browser with its major version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Browser {
    Chrome(u16),
    Safari,
}

impl Browser {
    /// The build that most people of the company have.
    pub(crate) const USUAL: Self = Self::Chrome(141);

    /// `client.userAgent.browser`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Chrome(_) => "CHROME",
            Self::Safari => "SAFARI",
        }
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::USUAL
    }
}

impl Client {
    /// `client.userAgent.rawUserAgent`.
    pub(crate) fn user_agent(self) -> String {
        let system = match self.platform {
            Some(Platform::MacOs) => "Macintosh; Intel Mac OS X 10_15_7",
            Some(Platform::Windows) => "Windows NT 10.0; Win64; x64",
            Some(Platform::Ios) => "iPhone; CPU iPhone OS 18_6 like Mac OS X",
            Some(Platform::Android) => "Linux; Android 15; Pixel 8",
            None => return "Mozilla/5.0".to_owned(),
        };
        match self.browser {
            Browser::Safari => format!(
                "Mozilla/5.0 ({system}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15"
            ),
            Browser::Chrome(major) => format!(
                "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36"
            ),
        }
    }

    /// `client.userAgent.os`. The exact words are UNVERIFIED.
    pub(crate) fn system(self) -> &'static str {
        match self.platform {
            Some(Platform::MacOs) => "Mac OS X",
            Some(Platform::Windows) => "Windows 10",
            Some(Platform::Ios) => "iOS",
            Some(Platform::Android) => "Android",
            None => "Unknown",
        }
    }
}

/// A way out to the internet; the company has one per site, and people have their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Network(pub u8);

impl Network {
    /// The address that the world sees.
    pub(crate) fn address(self) -> String {
        match self.0 {
            0 => "198.51.100.7".to_owned(),
            site => format!("203.0.113.{site}"),
        }
    }
}
