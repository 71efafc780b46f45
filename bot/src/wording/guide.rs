//! What a person must do about a cause that the bot does not repair: policies, CAs, secrets and profiles are changed by
//! people.

use crate::domain::Cause;

/// The written guide of a cause that hits many computers at once.
pub fn guide(cause: Cause) -> &'static str {
    match cause {
        Cause::CaStaticSecretRotated => {
            "Put the new secret into the MDM's SCEP profile. Try it on one computer first: saving the profile sends it \
             to its whole scope. Do not reset the secret again."
        }
        Cause::CaScepUrlWrong => {
            "Compare the SCEP URL in the MDM's profile with the one in Okta. If the Endpoint management configuration \
             was deleted, make a new one; its URL and secret go into every profile."
        }
        Cause::CaDynamicChallengeFailing => {
            "Renew user name and password of the challenge URL in the MDM. Old payloads never work again: a challenge \
             is used once."
        }
        Cause::CaIntuneCredentialsInvalid => {
            "Check the Entra app of the delegated SCEP configuration: an expired client secret, or a missing \
             scep_challenge_provider permission or consent. Enter the new secret in Okta."
        }
        Cause::CaChallengeUnprintable => {
            "Reset the secret in Okta until it holds only letters, digits and ' ( ) + , - . / : = ?. Windows cannot \
             encode other characters. Every profile that uses it needs the new one."
        }
        Cause::CaTrustedCertMismatch => {
            "Download the CA certificate from Okta again, replace it in the trusted-certificate profile, and choose it \
             anew in the SCEP profile."
        }
        Cause::CaRenewedNotDistributed => {
            "Upload the new CA certificate beside the old one in the MDM, then move the SCEP configuration to it. Keep \
             the old one until every computer has a new certificate."
        }
        Cause::CaByoIssuerNotUploaded => {
            "Upload the issuing intermediate of your own CA in Okta, each issuer by itself, before it expires."
        }
        Cause::CaByoCrlProblem => {
            "Repair the CRL of your own CA: reachable over HTTP or HTTPS, and signed by the uploaded intermediate."
        }
        Cause::CaWrongScepPurpose => {
            "Deploy the Endpoint management profile in addition to the one for Device Access; do not replace it."
        }
        Cause::CaScepUnreachable => {
            "Allow the Okta org's domain on that network, without TLS inspection and past the proxy."
        }
        Cause::MdmPushChannelDown => {
            "Renew the push certificate of the MDM with the same Apple account, and look at the MDM's own status page."
        }
        Cause::ProfileRenewalNotConfigured => {
            "Set up the delivery before expiry in the MDM: Okta's CA does not renew. After the mark, the profile is \
             delivered again in batches."
        }
        Cause::ProfilePending => {
            "The profile was changed and is on its way. Wait; if nothing moves within a day, undo the change."
        }
        Cause::ProfileInstalledNoCert => {
            "Take one computer and read why its SCEP request fails (Windows: DeviceManagement log, events 32 and 307)."
        }
        Cause::ProfileFailed => {
            "Read the error in the MDM on one computer; correct the profile, the CA certificate or the network."
        }
        Cause::ProfileNotInScope => {
            "Look at the scope of the SCEP profile: a group was taken out, or its members changed."
        }
        Cause::CertRevokedByDeletion => {
            "Stop the clean-up job or token that deletes Okta device records: each deletion destroys a certificate. \
             Owners remove the account in Okta Verify and add it again."
        }
        Cause::FastpassDisabled => {
            "Turn Okta Verify and FastPass on again under Security, Authenticators. Until then no sign-in can prove \
             anything."
        }
        Cause::FastpassProbeBlocked => {
            "Let the browser reach Okta Verify on 127.0.0.1: the browser's local-network policy, the proxy's PAC file, \
             ad blockers and endpoint agents."
        }
        Cause::PolicyNoManagedRule
        | Cause::PolicyRuleShadowed
        | Cause::PolicyRegisteredNotManagedRule
        | Cause::PolicyAppNotMapped
        | Cause::PolicyUserOutOfScope => {
            "Look at the change of the access policy, and undo or correct it: a rule must ask these users for a \
             managed device. Try it with Okta's policy simulation."
        }
        Cause::OvOutdated => "Update Okta Verify on these computers through the MDM.",
        Cause::OsUnsupported => "Update the operating system; a restart is needed.",
        _ => {
            "Find what these computers have in common and what changed at that time, and put that right for one of \
             them first."
        }
    }
}
