//! The registry of actions: what a playbook's step may do, with which inputs, and how it is undone.

use serde::Serialize;

use crate::{MdmKind, Repeat};

/// An action that a step can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Action {
    /// Tells the user that a repair begins.
    #[serde(rename = "user.announce_repair")]
    AnnounceRepair,
    /// Asks the computer to contact its MDM.
    #[serde(rename = "mdm.sync")]
    Sync,
    /// Asks for a new inventory.
    #[serde(rename = "mdm.refresh_inventory")]
    RefreshInventory,
    /// Delivers the attestation profile again by the gentlest rung that fits.
    #[serde(rename = "mdm.redeliver_profile")]
    RedeliverProfile,
    /// Sends a profile again whose installation failed.
    #[serde(rename = "mdm.resend_failed_profile")]
    ResendFailedProfile,
    /// Moves a computer to the prepared computer-level profile.
    #[serde(rename = "mdm.move_to_machine_store")]
    MoveToMachineStore,
    /// Puts a computer into the group that has the profile.
    #[serde(rename = "mdm.assign_profile")]
    AssignProfile,
    /// Puts a user into the group that the FastPass rule covers.
    #[serde(rename = "okta.assign_fastpass_group")]
    AssignFastpassGroup,
    /// Asks the user for a FastPass sign-in.
    #[serde(rename = "user.request_fastpass_sign_in")]
    RequestFastpassSignIn,
}

/// Whether what an action does can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversibility {
    /// It changes nothing that lasts.
    NothingToUndo,
    /// Its undo restores what was before.
    Reversible,
    /// What it did stays.
    Irreversible,
}

/// Kind of an input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// `30m`, `24h`, `7d`; in a plan: seconds.
    Duration,
    /// Text.
    Text,
}

/// An input that a step may set under `with`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Input {
    /// Name.
    pub name: &'static str,
    /// Kind.
    pub kind: ValueKind,
    /// What it is for.
    pub about: &'static str,
    /// Its value where a step does not set it, in seconds.
    pub default: u64,
    /// The smallest and the largest value allowed, in seconds.
    pub range: (u64, u64),
}

/// A value that a step leaves in its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Output {
    /// Name.
    pub name: &'static str,
    /// Kind.
    pub kind: ValueKind,
    /// What it is.
    pub about: &'static str,
}

/// Everything that is declared about an action; printed by `unstuck actions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Declaration {
    /// Name in playbooks.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Inputs.
    pub inputs: &'static [Input],
    /// Outputs.
    pub outputs: &'static [Output],
    /// How it is undone; `None` where there is nothing to undo.
    pub undo: Option<&'static str>,
    /// Whether it can be taken back.
    pub reversibility: Reversibility,
    /// Whether it may be sent again after an unclear answer. The strictest of its micro-steps.
    pub repeat: Repeat,
    /// MDMs that can do it; empty: it needs none.
    pub mdms: &'static [MdmKind],
}

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const BOTH: &[MdmKind] = &[MdmKind::Intune, MdmKind::Jamf];

const INSTALLED_WITHIN: Input = Input {
    name: "installed_within",
    kind: ValueKind::Duration,
    about: "how long the delivery may take",
    default: DAY,
    range: (10 * 60, 7 * DAY),
};
/// Not longer than the deadline of a scope hold: Jamf 2 h, Intune 24 h. The planner takes the smaller.
const REMOVED_WITHIN: Input = Input {
    name: "removed_within",
    kind: ValueKind::Duration,
    about: "how long the removal may take before the computer is taken out of the hold again",
    default: DAY,
    range: (10 * 60, DAY),
};
const PROFILE: Output = Output {
    name: "profile_id",
    kind: ValueKind::Text,
    about: "the attestation profile",
};
const RUNG: Output = Output {
    name: "rung",
    kind: ValueKind::Text,
    about: "the rung of the re-push ladder that was taken",
};
const GROUP: Output = Output {
    name: "group_id",
    kind: ValueKind::Text,
    about: "the group that was changed",
};

impl Action {
    /// Every action.
    pub const ALL: &'static [Action] = &[
        Action::AnnounceRepair,
        Action::Sync,
        Action::RefreshInventory,
        Action::RedeliverProfile,
        Action::ResendFailedProfile,
        Action::MoveToMachineStore,
        Action::AssignProfile,
        Action::AssignFastpassGroup,
        Action::RequestFastpassSignIn,
    ];

    /// The action of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.name() == name)
    }

    /// Its name in playbooks.
    pub fn name(self) -> &'static str {
        self.declaration().name
    }

    /// Whether it sends the user a message.
    pub fn talks_to_user(self) -> bool {
        matches!(self, Self::AnnounceRepair | Self::RequestFastpassSignIn)
    }

    /// Whether it acts through an MDM.
    pub fn needs_mdm(self) -> bool {
        !self.declaration().mdms.is_empty()
    }

    /// Whether an MDM of that kind can do it.
    pub fn supports(self, kind: MdmKind) -> bool {
        !self.needs_mdm() || self.declaration().mdms.contains(&kind)
    }

    /// What is declared about it.
    pub fn declaration(self) -> Declaration {
        use Reversibility::{Irreversible, NothingToUndo, Reversible};
        let harmless = |name, about| Declaration {
            name,
            about,
            inputs: &[],
            outputs: &[],
            undo: None,
            reversibility: NothingToUndo,
            repeat: Repeat::Converges,
            mdms: BOTH,
        };
        match self {
            Self::AnnounceRepair => Declaration {
                repeat: Repeat::Once,
                reversibility: Irreversible,
                mdms: &[],
                ..harmless(
                    "user.announce_repair",
                    "Sends the user one direct message: a repair of the computer begins.",
                )
            },
            Self::Sync => harmless(
                "mdm.sync",
                "Asks the computer to contact its MDM now: a blank push in Jamf Pro, syncDevice in Intune.",
            ),
            Self::RefreshInventory => harmless(
                "mdm.refresh_inventory",
                "Asks for a new list of profiles and certificates.",
            ),
            Self::RedeliverProfile => Declaration {
                inputs: &[REMOVED_WITHIN, INSTALLED_WITHIN],
                outputs: &[PROFILE, RUNG],
                undo: Some(
                    "takes the computer out of the hold group, or gives it its old category back",
                ),
                reversibility: Reversible,
                repeat: Repeat::Once,
                ..harmless(
                    "mdm.redeliver_profile",
                    "Delivers the attestation profile again by the gentlest rung of the ladder whose preconditions were read.",
                )
            },
            Self::ResendFailedProfile => Declaration {
                inputs: &[INSTALLED_WITHIN],
                outputs: &[PROFILE],
                ..harmless(
                    "mdm.resend_failed_profile",
                    "Clears the failed command (Jamf Pro) or syncs (Intune), so that a profile whose installation failed is sent once more.",
                )
            },
            Self::MoveToMachineStore => Declaration {
                inputs: &[REMOVED_WITHIN, INSTALLED_WITHIN],
                outputs: &[PROFILE, GROUP],
                undo: Some(
                    "takes the computer out of the machine group, so that the user profile returns",
                ),
                reversibility: Reversible,
                ..harmless(
                    "mdm.move_to_machine_store",
                    "Puts the computer into the prepared machine group, which is in scope of the computer-level profile and excluded from the user-level one; waits until the user certificate is gone.",
                )
            },
            Self::AssignProfile => Declaration {
                inputs: &[INSTALLED_WITHIN],
                outputs: &[PROFILE, GROUP],
                undo: Some(
                    "takes the computer out of the target group, which removes the profile and its certificate",
                ),
                reversibility: Reversible,
                ..harmless(
                    "mdm.assign_profile",
                    "Puts the computer into the prepared target group, which is in scope of the attestation profile.",
                )
            },
            Self::AssignFastpassGroup => Declaration {
                outputs: &[GROUP],
                undo: Some("takes the user out of the group"),
                reversibility: Reversible,
                mdms: &[],
                ..harmless(
                    "okta.assign_fastpass_group",
                    "Puts the user into the Okta group that the FastPass rule covers; only with certificate and Okta Verify proved.",
                )
            },
            Self::RequestFastpassSignIn => Declaration {
                repeat: Repeat::Once,
                reversibility: Irreversible,
                mdms: &[],
                ..harmless(
                    "user.request_fastpass_sign_in",
                    "Asks the user by direct message for one FastPass sign-in on this computer; reminders after 1, 3 and 7 days are covered by it.",
                )
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for action in Action::ALL {
            assert_eq!(Action::from_name(action.name()), Some(*action));
            assert_eq!(serde_json::to_value(action).unwrap(), action.name());
        }
        assert_eq!(Action::from_name("mdm.wipe"), None);
    }

    #[test]
    fn what_is_reversible_says_how_and_nothing_else_does() {
        for action in Action::ALL {
            let declaration = action.declaration();
            assert_eq!(
                declaration.undo.is_some(),
                declaration.reversibility == Reversibility::Reversible,
                "{}",
                action.name()
            );
        }
    }

    #[test]
    fn defaults_lie_within_their_ranges() {
        for input in Action::ALL
            .iter()
            .flat_map(|action| action.declaration().inputs)
        {
            assert!(
                (input.range.0..=input.range.1).contains(&input.default),
                "{}",
                input.name
            );
        }
    }

    #[test]
    fn every_action_is_in_the_authors_guide() {
        let guide = include_str!("../../../../playbooks/README.md");
        for action in Action::ALL {
            assert!(
                guide.contains(&format!("| `{}` |", action.name())),
                "{}",
                action.name()
            );
        }
    }
}
