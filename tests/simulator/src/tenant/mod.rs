//! A small company in which everything is set up as the vendors' guides say, and one thing at a time
//! that is wrong with it. A fault is a change of the world or of a caller's rights, never an answer.

mod breaks;
#[cfg(test)]
mod tests;

use std::io;

use crate::clock::SimClock;
use crate::fleet::FleetOptions;
use crate::simulator::{Ports, Simulator, SimulatorConfig};

/// Defines the faults: variant, name, section, what is wrong.
macro_rules! faults {
    ($($section:literal { $($variant:ident $name:literal $wrong:literal)* })*) => {
        /// One thing that is wrong with a tenant.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum TenantFault {
            $($(#[doc = $wrong] $variant,)*)*
        }

        impl TenantFault {
            /// Every fault, in the order in which the guide goes through them.
            pub const ALL: &[Self] = &[$($(Self::$variant,)*)*];

            /// A short name, in kebab case.
            pub fn name(self) -> &'static str {
                match self { $($(Self::$variant => $name,)*)* }
            }

            /// The part of the guide it belongs to.
            pub fn section(self) -> &'static str {
                match self { $($(Self::$variant => $section,)*)* }
            }

            /// The fault of this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|fault| fault.name() == name)
            }

            /// What is wrong, as a sentence.
            pub fn wrong(self) -> &'static str {
                match self { $($(Self::$variant => $wrong,)*)* }
            }
        }
    };
}

faults! {
    "access" {
        OktaWithoutSystemLog "okta-without-system-log" "Neither the Okta token nor the service app may read the System Log."
        OktaWithoutPolicies "okta-without-policies" "Neither the Okta token nor the service app may read policies."
        OktaClockAhead "okta-clock-ahead" "The clock of the Okta org is ten minutes ahead."
        JamfWithoutProfiles "jamf-without-profiles" "The Jamf client may not read configuration profiles."
        JamfWithoutGroupUpdate "jamf-without-group-update" "The Jamf client may not change static groups, which repairs need."
        JamfPushCertificateExpires "jamf-push-certificate-expires" "Jamf Pro's push certificate expires in ten days."
        GraphWithoutConfiguration "graph-without-configuration" "Nobody consented to the Graph permissions that read profiles."
        GraphWithoutSync "graph-without-sync" "Nobody consented to the Graph permission that syncs a device."
        GraphSecretExpires "graph-secret-expires" "The client secret of the Intune app expires in ten days."
    }
    "ca configuration" {
        ScepConfigurationDeleted "scep-configuration-deleted" "The SCEP configuration that Jamf's profiles name was deleted."
        AuthorityExpires "authority-expires" "The certificate authority expires in 100 days."
        ConfigurationOnRetiringAuthority "configuration-on-retiring-authority" "The authority was renewed, and Intune's configuration was left on the old certificate."
        TrustOfRetiredAuthority "trust-of-retired-authority" "Intune's trusted-certificate profile still has the certificate from before the renewal."
        SecretResetAfterEdit "secret-reset-after-edit" "The SCEP secret was reset after the Jamf profile was last edited."
        ChallengeSecretExpires "challenge-secret-expires" "The secret with which Okta asks Intune about challenges expires in ten days."
        ProfileOfOtherOrg "profile-of-other-org" "The Jamf profile names the SCEP address of another Okta org."
        ProfileOfDeviceAccess "profile-of-device-access" "The Intune profile names the authority of Device Access."
    }
    "scep profile deployment" {
        JamfProfileUnmatched "jamf-profile-unmatched" "No Jamf profile has a name by which attestation profiles are found."
        IntuneProfileUnmatched "intune-profile-unmatched" "No Intune profile has a name by which attestation profiles are found."
        KeyMayNotSign "key-may-not-sign" "The Jamf profile asks for a key that encrypts instead of signing."
        KeyTooShort "key-too-short" "The Jamf profile asks for a key of 1024 bits."
        AllAppsAccessOff "all-apps-access-off" "The Jamf profile does not let all apps use the key."
        RedistributionOff "redistribution-off" "Jamf does not send the profile again before its certificate expires."
        ClientAuthenticationMissing "client-authentication-missing" "The Intune profile asks for no client authentication."
        MachineStore "machine-store" "The Intune profile puts certificates into the machine's store instead of the user's."
        TrustOutOfScope "trust-out-of-scope" "Intune's trusted-certificate profile goes to other groups than the SCEP profile."
        ProfileWithOtherPayloads "profile-with-other-payloads" "The Jamf profile carries a Wi-Fi payload beside SCEP."
    }
    "fastpass and policy" {
        OktaVerifyInactive "okta-verify-inactive" "The Okta Verify authenticator is switched off."
        FastPassInactive "fastpass-inactive" "FastPass is switched off."
        NoRuleAsksForManaged "no-rule-asks-for-managed" "No rule of any app's policy asks for a managed device."
        SignInAppAsksOnce "sign-in-app-asks-once" "The app to sign in to belongs to a policy that asks once per session and for no device."
    }
    "sso extension" {
        SsoExtensionMissing "sso-extension-missing" "No profile has an SSO extension of Okta."
        SsoExtensionWrongTeam "sso-extension-wrong-team" "The SSO extension profile names another team."
        SsoExtensionWithoutHost "sso-extension-without-host" "The SSO extension profile does not name the org's host."
    }
    "repair targets" {
        HoldGroupIsSmart "hold-group-is-smart" "The Jamf hold group is a smart group, whose members nobody can write."
        HoldGroupNotExcluded "hold-group-not-excluded" "The Jamf hold group is not among the attestation profile's exclusions."
        FastPassGroupHasRule "fastpass-group-has-rule" "A group rule fills the FastPass group."
        FastPassGroupHasApp "fastpass-group-has-app" "An app is assigned to the FastPass group."
    }
    "slack" {
        SlackWithoutEmail "slack-without-email" "The bot may not look people up by e-mail address."
        SlackChannelArchived "slack-channel-archived" "The channel for cards is archived."
        SlackBotNotInChannel "slack-bot-not-in-channel" "The bot is not a member of the channel for cards."
        SlackNoApprovers "slack-no-approvers" "The user group of approvers is empty."
    }
}

/// Privileges that no repair needs: a client that follows the guide does not have them.
const SURPLUS_PRIVILEGES: [&str; 6] = [
    "Create Static Computer Groups",
    "Send Computer Remote Command to Install Package",
    "Read Computer Check-In",
    "Send Computer Remote Wipe Command",
    "Send Computer Unmanage Command",
    "Delete Computers",
];

impl SimulatorConfig {
    /// Eight healthy computers in both MDMs, with Early Access on.
    pub fn tenant(clock: SimClock) -> Self {
        let mut fleet = FleetOptions::scripted(Vec::new());
        fleet.ca_api = true;
        fleet.enrolments_api = true;
        Self {
            devices: 8,
            seed: 11,
            ports: Ports::Ephemeral,
            clock,
            fleet,
        }
    }
}

impl Simulator {
    /// Starts a tenant whose callers have the rights that the guides ask for and no others.
    pub async fn start_tenant(config: SimulatorConfig) -> io::Result<Self> {
        let simulator = Self::start(config).await?;
        for privilege in SURPLUS_PRIVILEGES {
            simulator.world().revoke_jamf_privilege(privilege);
        }
        Ok(simulator)
    }

    /// Puts one fault into a tenant, and nothing else.
    pub fn break_tenant(&self, fault: TenantFault) {
        breaks::apply(self, fault);
    }
}
