//! Which playbook fits a diagnosis.

use super::Playbook;
use super::condition::{Truth, evaluate, unknown_fields};
use super::facts::FactSource;
use crate::{Cause, MdmKind, Platform};

/// Outcome of matching one subject.
#[derive(Debug, Clone)]
pub enum Matched<'p> {
    /// This one fits.
    Playbook(&'p Playbook),
    /// None is for this cause, platform and MDM.
    NoPlaybook,
    /// One would fit, but a fact that its condition needs is not known.
    ConditionUnknown(&'p Playbook, String),
    /// One would fit, but its condition is false.
    ConditionFalse(&'p Playbook, String),
}

impl<'p> Matched<'p> {
    /// The playbook that is named, also when it is held back.
    pub fn playbook(&self) -> Option<&'p Playbook> {
        match self {
            Self::Playbook(playbook)
            | Self::ConditionUnknown(playbook, _)
            | Self::ConditionFalse(playbook, _) => Some(playbook),
            Self::NoPlaybook => None,
        }
    }
}

/// Matches a diagnosis against the playbooks, in their order. The first whose condition holds wins; without one, the
/// first that is merely held back is told, an unknown condition before a false one.
pub fn match_playbook<'p>(
    playbooks: &'p [Playbook],
    cause: Cause,
    platform: Platform,
    mdm: Option<MdmKind>,
    facts: &impl FactSource,
) -> Matched<'p> {
    let mut unknown = None;
    let mut refused = None;
    for playbook in playbooks
        .iter()
        .filter(|playbook| is_for(playbook, cause, platform, mdm))
    {
        let Some(when) = &playbook.applies.when else {
            return Matched::Playbook(playbook);
        };
        match evaluate(when, facts) {
            Truth::True => return Matched::Playbook(playbook),
            Truth::Unknown => {
                unknown.get_or_insert_with(|| {
                    let fields = unknown_fields(when, facts);
                    let which = match fields.is_empty() {
                        true => format!("a fact of another kind than expected in: {when}"),
                        false => format!("not known: {}", fields.join(", ")),
                    };
                    Matched::ConditionUnknown(playbook, which)
                });
            }
            Truth::False => {
                refused.get_or_insert_with(|| {
                    Matched::ConditionFalse(playbook, format!("not true: {when}"))
                });
            }
        }
    }
    unknown.or(refused).unwrap_or(Matched::NoPlaybook)
}

fn is_for(playbook: &Playbook, cause: Cause, platform: Platform, mdm: Option<MdmKind>) -> bool {
    let applies = &playbook.applies;
    applies.causes.contains(&cause)
        && platform.is_desktop()
        && (applies.platforms.is_empty() || applies.platforms.contains(&platform))
        && match mdm {
            Some(kind) => {
                (applies.mdms.is_empty() || applies.mdms.contains(&kind))
                    && playbook.actions().all(|action| action.supports(kind))
            }
            None => applies.mdms.is_empty() && !playbook.needs_mdm(),
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::playbook::load;

    fn playbook(name: &str, extra: &str) -> Playbook {
        let text = format!(
            "name: {name}\ntitle: T\nsummary: S\nrisk: low\nmatch:\n  causes: [cert_expired]\n{extra}steps:\n  - {{ id: sync, action: mdm.sync }}\n  - {{ id: ask, action: user.request_fastpass_sign_in }}\n"
        );
        load(name, &text).unwrap_or_else(|problems| {
            panic!(
                "{}",
                problems.iter().map(ToString::to_string).collect::<String>()
            )
        })
    }

    fn outcome(
        playbooks: &[Playbook],
        platform: Platform,
        mdm: Option<MdmKind>,
        facts: serde_json::Value,
    ) -> String {
        let facts = json!({ "subject": facts });
        match match_playbook(playbooks, Cause::CertExpired, platform, mdm, &facts) {
            Matched::Playbook(playbook) => format!("yes {}", playbook.name),
            Matched::NoPlaybook => "none".to_owned(),
            Matched::ConditionUnknown(playbook, which) => {
                format!("unknown {} {which}", playbook.name)
            }
            Matched::ConditionFalse(playbook, which) => format!("false {} {which}", playbook.name),
        }
    }

    #[test]
    fn cause_platform_and_mdm_select() {
        let all = [playbook("macs", "  platforms: [MACOS]\n  mdms: [jamf]\n")];
        let known = json!({});
        assert_eq!(
            outcome(&all, Platform::Macos, Some(MdmKind::Jamf), known.clone()),
            "yes macs"
        );
        assert_eq!(
            outcome(&all, Platform::Windows, Some(MdmKind::Jamf), known.clone()),
            "none"
        );
        assert_eq!(
            outcome(&all, Platform::Macos, Some(MdmKind::Intune), known.clone()),
            "none"
        );
        assert_eq!(outcome(&all, Platform::Macos, None, known.clone()), "none");
        assert_eq!(
            outcome(&all, Platform::Other, Some(MdmKind::Jamf), known.clone()),
            "none"
        );
        let facts = json!({ "subject": known });
        let other = match_playbook(
            &all,
            Cause::CertMissing,
            Platform::Macos,
            Some(MdmKind::Jamf),
            &facts,
        );
        assert!(matches!(other, Matched::NoPlaybook));
    }

    #[test]
    fn a_condition_that_is_false_or_unknown_names_the_playbook_and_what() {
        let all = [playbook(
            "careful",
            "  when: subject.user.reachable && !subject.blocked\n",
        )];
        let jamf = Some(MdmKind::Jamf);
        assert_eq!(
            outcome(
                &all,
                Platform::Macos,
                jamf,
                json!({"user": {"reachable": true}, "blocked": false})
            ),
            "yes careful"
        );
        assert_eq!(
            outcome(
                &all,
                Platform::Macos,
                jamf,
                json!({"user": {"reachable": null}, "blocked": false})
            ),
            "unknown careful not known: subject.user.reachable"
        );
        assert_eq!(
            outcome(
                &all,
                Platform::Macos,
                jamf,
                json!({"user": {"reachable": true}, "blocked": true})
            ),
            "false careful not true: subject.user.reachable && !subject.blocked"
        );
    }

    #[test]
    fn a_later_playbook_that_fits_wins_over_an_earlier_one_held_back() {
        let all = [
            playbook("first", "  when: subject.blocked\n"),
            playbook("second", ""),
        ];
        assert_eq!(
            outcome(
                &all,
                Platform::Macos,
                Some(MdmKind::Jamf),
                json!({"blocked": false})
            ),
            "yes second"
        );
        assert_eq!(
            outcome(&all, Platform::Macos, Some(MdmKind::Jamf), json!({})),
            "yes second"
        );
    }
}
