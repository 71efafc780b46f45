//! What is believed of a vendor and not read in its documentation: named where evidence rests on it.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! assumptions {
    ($($variant:ident $name:literal $claim:literal;)*) => {
        /// A belief about a vendor's API that no document settles. Evidence names the one it rests on; where an org
        /// contradicts it, what rests on it counts one step less.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Assumption {
            $(#[doc = $claim] #[serde(rename = $name)] $variant,)*
        }

        impl Assumption {
            /// Every assumption, in a fixed order.
            pub const ALL: &'static [Assumption] = &[$(Assumption::$variant,)*];

            /// The word used in JSON and in the store.
            pub fn name(self) -> &'static str {
                match self { $(Assumption::$variant => $name,)* }
            }

            /// What is believed, in one sentence.
            pub fn claim(self) -> &'static str {
                match self { $(Assumption::$variant => $claim,)* }
            }

            /// The assumption of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Assumption::$variant),)* _ => None }
            }
        }
    };
}

assumptions! {
    BindEvents "bind_events" "`pki.cert.bind` names the device record and the certificate that was bound";
    IssueEvents "issue_events" "`pki.cert.issue` is written for every certificate that is issued over SCEP, and carries its common name";
    RevocationEvents "revocation_events" "`pki.cert.lifecycle.*` names the certificate that it speaks of";
    DeletionSerial "deletion_serial" "`device.lifecycle.delete` carries the serial number of the deleted record";
    FastpassDevice "fastpass_device" "a FastPass sign-in, or the event beside it, names the device and whether it was managed";
    SignInPlatform "sign_in_platform" "a sign-in without FastPass shows the operating system of the browser";
    FactorList "factor_list" "`signed_nonce` is listed among a user's factors where FastPass is enrolled";
    RegisteredRule "registered_rule" "a rule that asks for a registered device stores the managed flag too";
    OktaVerifyVersion "okta_verify_version" "the version of Okta Verify is shown with its device record";
    IntuneRows "intune_certificate_rows" "Intune lists the certificates that Okta's CA issued";
    IntuneIssuance "intune_issuance" "Intune still tells the state of a certificate request (`managedDeviceCertificateState`)";
    JamfUsername "jamf_certificate_username" "in Jamf Pro a certificate without a user name is in the System keychain";
    PlaceholderSerials "placeholder_serials" "the known placeholder words are no serial numbers";
    Validity "certificate_validity" "a certificate of Okta's CA is valid for one year";
}

impl fmt::Display for Assumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
