//! From a playbook as written to a [`Playbook`]: every problem at once, each with its place and what to do.

use super::action::Action;
use super::file::{PlaybookFile, RolloutFile, SizeFile, Spanned};
use super::problem::{Code, Place, Problem, Problems, nearest};
use super::{Applies, Auto, Limits, Otherwise, Playbook};
use crate::digest::sha256_hex;
use crate::{
    ApprovalRule, Cause, Hop, MdmKind, Platform, PlaybookName, Risk, Rollout, VerifyRule, WaveSize,
};

mod steps;
mod values;

use values::{DAY, HOUR, MINUTE};

/// Reads and checks a playbook. `file_name` is for messages; if it ends in `<folder>/playbook.yaml`, the folder must
/// be the playbook's name.
pub fn load(file_name: &str, text: &str) -> Result<Playbook, Vec<Problem>> {
    let mut check = Check {
        problems: Problems::new(file_name, text),
    };
    let playbook = PlaybookFile::read(text, &mut check.problems)
        .and_then(|file| check.playbook(file_name, text, file));
    let problems = check.problems.into_sorted();
    match playbook {
        Some(playbook) if problems.is_empty() => Ok(playbook),
        _ => Err(problems),
    }
}

struct Check<'a> {
    problems: Problems<'a>,
}

impl Check<'_> {
    fn playbook(&mut self, file_name: &str, text: &str, file: PlaybookFile) -> Option<Playbook> {
        let whole = file.place;
        let name = self
            .required(file.name, whole, "name")
            .and_then(|name| self.name(file_name, name));
        let title = self.required(file.title, whole, "title");
        let summary = self.required(file.summary, whole, "summary");
        let risk = self
            .required(file.risk, whole, "risk")
            .and_then(|risk| self.word::<Risk>(&risk, &["low", "medium", "high"]));
        let applies_place = file.applies.as_ref().map_or(whole, |applies| applies.place);
        let applies = self
            .required(file.applies, whole, "match")
            .and_then(|file| self.applies(file));
        let steps = self.steps(file.steps, whole);

        let approval = file.approval.map(|file| file.value).unwrap_or_default();
        let auto_place = approval.auto.as_ref().map_or(whole, |auto| auto.place);
        let auto = match &approval.auto {
            Some(auto) => self.word::<Auto>(auto, &["never", "device", "batch", "always"])?,
            None => Auto::Never,
        };
        let approval = ApprovalRule {
            required: self.number(approval.required, 1, 1..=5) as u8,
            groups: self
                .names(approval.approvers)
                .unwrap_or_else(|| vec!["oncall".to_owned()]),
            expires_seconds: self.duration(approval.expires, DAY, 10 * MINUTE..=14 * DAY),
            valid_for_seconds: self.duration(approval.valid_for, 7 * DAY, HOUR..=30 * DAY),
            self_approval: approval.self_approval.is_some_and(|flag| flag.value),
        };
        let limits = file.limits.map(|file| file.value).unwrap_or_default();
        let limits = Limits {
            max_devices: self.number(limits.max_devices, 50, 1..=1000) as u32,
            max_percent: self.number(limits.max_percent, 2, 1..=100) as u8,
            cooldown_seconds: self.duration(limits.cooldown, DAY, HOUR..=90 * DAY),
            max_attempts: self.number(limits.max_attempts, 2, 1..=10) as u32,
        };
        let rollout = self.rollout(file.rollout);
        let verify = self.verify(file.verify, whole);
        let otherwise = file.otherwise.and_then(|file| {
            let place = file.place;
            let escalate = self.required(file.value.escalate, place, "escalate")?;
            let reason = self.required(file.value.reason, place, "reason")?;
            Some(Otherwise {
                escalate: escalate.value,
                reason: reason.value,
            })
        });

        let (name, title, summary, risk) = (name?, title?, summary?, risk?);
        let (applies, steps, verify) = (applies?, steps?, verify?);
        let playbook = Playbook {
            name,
            version: sha256_hex(text.as_bytes()),
            title: title.value,
            summary: summary.value,
            article: file.article.map(|article| article.value),
            risk,
            applies,
            approval,
            auto,
            limits,
            rollout,
            steps,
            verify,
            otherwise,
        };
        self.whole(&playbook, applies_place, auto_place);
        Some(playbook)
    }

    /// What concerns several parts of a playbook.
    fn whole(&mut self, playbook: &Playbook, applies: Place, auto: Place) {
        for kind in &playbook.applies.mdms {
            for action in playbook.actions().filter(|action| !action.supports(*kind)) {
                self.problems.add(
                    applies,
                    Code::ActionNotSupported,
                    format!("{} does not exist for {kind:?}", action.name()),
                    "leave that MDM out of match.mdms, or use another action",
                );
            }
        }
        if playbook.auto != Auto::Never && playbook.risk == Risk::High {
            self.problems.add(
                auto,
                Code::AutoTooRisky,
                "a playbook of high risk never runs without a person",
                "write auto: never",
            );
        }
        if !playbook
            .actions()
            .any(|action| action == Action::RequestFastpassSignIn)
        {
            self.problems.add(
                applies,
                Code::NoSignInStep,
                "nobody is asked for the sign-in that makes a computer managed",
                "end the steps with user.request_fastpass_sign_in",
            );
        }
    }

    fn name(&mut self, file_name: &str, name: Spanned<String>) -> Option<PlaybookName> {
        let text = &name.value;
        let well_formed = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && text.len() <= 64;
        if !well_formed {
            self.problems.add(
                name.place,
                Code::BadName,
                format!("{text} is no name"),
                "lower-case letters, digits and dashes, at most 64, beginning with a letter",
            );
            return None;
        }
        let folder = file_name
            .strip_suffix("/playbook.yaml")
            .map(|path| path.rsplit('/').next().unwrap_or(path));
        if let Some(folder) = folder.filter(|folder| folder != text) {
            self.problems.add(
                name.place,
                Code::NameDiffersFromFolder,
                format!("the playbook is called {text}, its folder {folder}"),
                "give both the same name",
            );
        }
        Some(PlaybookName::new(text.as_str()))
    }

    fn applies(&mut self, file: Spanned<super::file::MatchFile>) -> Option<Applies> {
        let place = file.place;
        let causes = self.required(file.value.causes, place, "causes");
        let causes = causes.map(|causes| {
            if causes.value.is_empty() {
                self.problems.add(
                    causes.place,
                    Code::MissingKey,
                    "a playbook is for at least one cause",
                    "name the causes",
                );
            }
            self.each(causes, |check, cause| check.cause(cause))
        });
        let once = file.value.once.map(|once| {
            let place = once.place;
            let once = self.each(once, |check, cause| check.cause(cause));
            if let Some(stray) = once.iter().find(|cause| {
                causes
                    .as_ref()
                    .is_some_and(|causes| !causes.contains(cause))
            }) {
                self.problems.add(
                    place,
                    Code::OnceNotInCauses,
                    format!("{stray} is not among the causes"),
                    "once names some of match.causes",
                );
            }
            once
        });
        let platforms = file.value.platforms.map(|all| {
            self.each(all, |check, one| {
                check.word::<Platform>(one, &["WINDOWS", "MACOS"])
            })
        });
        let mdms = file.value.mdms.map(|all| {
            self.each(all, |check, one| {
                check.word::<MdmKind>(one, &["intune", "jamf"])
            })
        });
        let when = file.value.when.and_then(|when| self.condition(&when));
        Some(Applies {
            causes: causes?,
            once: once.unwrap_or_default(),
            platforms: platforms.unwrap_or_default(),
            mdms: mdms.unwrap_or_default(),
            when,
        })
    }

    fn cause(&mut self, name: &Spanned<String>) -> Option<Cause> {
        match Cause::from_name(&name.value) {
            Some(Cause::InsufficientEvidence) => {
                self.problems.add(
                    name.place,
                    Code::UnknownCause,
                    "insufficient_evidence is no cause to act on",
                    "name a cause of the catalogue",
                );
                None
            }
            Some(cause) => Some(cause),
            None => {
                let hint = match nearest(&name.value, Cause::ALL.iter().map(|cause| cause.name())) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "playbooks/README.md lists the causes".to_owned(),
                };
                self.problems.add(
                    name.place,
                    Code::UnknownCause,
                    format!("no cause {}", name.value),
                    hint,
                );
                None
            }
        }
    }

    fn rollout(&mut self, file: Option<Spanned<RolloutFile>>) -> Rollout {
        let file = file.map(|file| file.value).unwrap_or_default();
        let waves = match file.waves {
            Some(waves) => self.waves(waves),
            None => vec![
                WaveSize::Count(1),
                WaveSize::Count(5),
                WaveSize::Percent(20),
                WaveSize::Percent(100),
            ],
        };
        Rollout {
            waves,
            gate: file
                .gate
                .and_then(|gate| self.hop(&gate))
                .unwrap_or(Hop::CertPresent),
            gate_within_seconds: self.duration(file.gate_within, 2 * DAY, 10 * MINUTE..=14 * DAY),
            pause_seconds: self.duration(file.pause_between, 15 * MINUTE, 0..=7 * DAY),
            stop_when_failed: file
                .stop_when_failed
                .and_then(|size| self.size(&size))
                .unwrap_or(WaveSize::Percent(20)),
        }
    }

    /// Waves rise, counts stand before shares, and the last one takes in everybody.
    fn waves(&mut self, waves: Spanned<Vec<Spanned<SizeFile>>>) -> Vec<WaveSize> {
        let place = waves.place;
        let sizes = self.each(waves, |check, size| check.size(size));
        let key = |size: &WaveSize| match size {
            WaveSize::Count(count) => (0, *count),
            WaveSize::Percent(percent) => (1, u32::from(*percent)),
        };
        let rises = sizes.windows(2).all(|pair| key(&pair[0]) < key(&pair[1]));
        if !rises || sizes.last() != Some(&WaveSize::Percent(100)) {
            self.problems.add(
                place,
                Code::BadWaves,
                "the waves do not rise to everybody",
                "numbers first, then shares, each larger than the one before, the last one \"100%\"",
            );
        }
        sizes
    }

    fn size(&mut self, size: &Spanned<SizeFile>) -> Option<WaveSize> {
        let parsed = match &size.value {
            SizeFile::Count(count) => u32::try_from(*count)
                .ok()
                .filter(|count| *count > 0)
                .map(WaveSize::Count),
            SizeFile::Share(text) => text
                .strip_suffix('%')
                .and_then(|digits| digits.parse::<u8>().ok())
                .filter(|percent| (1..=100).contains(percent))
                .map(WaveSize::Percent),
        };
        if parsed.is_none() {
            self.problems.add(
                size.place,
                Code::OutOfRange,
                "this is no number of computers",
                "a number from 1, or a share from \"1%\" to \"100%\"",
            );
        }
        parsed
    }

    fn verify(
        &mut self,
        file: Option<Spanned<super::file::VerifyFile>>,
        whole: Place,
    ) -> Option<VerifyRule> {
        let place = file.as_ref().map_or(whole, |file| file.place);
        let file = file.map(|file| file.value).unwrap_or_default();
        let hops = match file.hops {
            Some(hops) => self.each(hops, |check, hop| check.hop(hop)),
            None => vec![
                Hop::ProfileDelivered,
                Hop::CertPresent,
                Hop::CertBound,
                Hop::Managed,
            ],
        };
        let within_seconds = self.duration(file.within, 10 * DAY, HOUR..=30 * DAY);
        if hops.last() != Some(&Hop::Managed) {
            self.problems.add(
                place,
                Code::VerifyNeedsManaged,
                "the last hop is not managed",
                "only Okta's word proves a repair: end the hops with managed",
            );
            return None;
        }
        Some(VerifyRule {
            hops,
            within_seconds,
        })
    }

    fn hop(&mut self, word: &Spanned<String>) -> Option<Hop> {
        self.word(
            word,
            &[
                "checked_in",
                "profile_delivered",
                "cert_present",
                "cert_bound",
                "managed",
            ],
        )
    }
}

#[cfg(test)]
mod tests;
