//! Typed identifiers. Each is built once at the edge and trusted afterwards.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// Takes the text as the vendor spells it.
            pub fn new(value: impl Into<Box<str>>) -> Self {
                Self(value.into())
            }

            /// The text as the vendor spells it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self::new(value)
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self::new(value)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// Id of an Okta device record (`guo…`).
    DeviceId
);
id!(
    /// Id of an Okta user (`00u…`).
    UserId
);
id!(
    /// Id of a device in its MDM: Jamf's computer id, Intune's managed device id.
    MdmDeviceId
);
id!(
    /// `[[mdm]].name` of the settings.
    MdmName
);
id!(
    /// Id of a configuration profile in its MDM.
    ProfileId
);
id!(
    /// Id of a group in Okta, Entra or Jamf.
    GroupId
);
id!(
    /// Name of a playbook, for example `redeliver-scep-profile`.
    PlaybookName
);
id!(
    /// Id of a proposal: `P-` and six base32 characters.
    ProposalId
);
id!(
    /// Id of a fleet finding: `F-` and six base32 characters.
    FleetFindingId
);
id!(
    /// Id of a run: the execution of one approved plan.
    RunId
);
id!(
    /// Id of one repair: one computer in a run.
    RepairId
);
id!(
    /// Id of a micro-step within a plan's target, for example `push.2`.
    StepId
);
id!(
    /// Lowercase hex SHA-256 of the RFC 8785 JSON of a plan.
    PlanDigest
);
