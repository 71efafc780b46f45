//! How a profile stands on a computer, from three witnesses: the command list, the inventory and the scope. The newer of
//! command and inventory speaks; the scope only says what an absence means.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use unstuck_domain::{ProfileDelivery, ProfileState};

use super::{profiles::JamfProfile, scope::Assignment, wire};
use crate::ChangeState;

/// The newest install or removal command per profile and client.
#[derive(Debug, Default)]
pub(super) struct CommandIndex {
    latest: HashMap<(String, String), wire::Command>,
}

/// What the inventory says about one profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inventory {
    /// Listed, installed at that time.
    Listed(Option<DateTime<Utc>>),
    /// Not in the list of that time.
    Absent(Option<DateTime<Utc>>),
    /// The section was not sent.
    NotShown,
}

impl CommandIndex {
    /// Takes one command; of several for the same profile and client the one sent last is kept.
    pub(super) fn add(&mut self, command: wire::Command) {
        let Some(profile) = command.profile_id.clone() else {
            return;
        };
        let Some(client) = client_of(&command) else {
            return;
        };
        if !is_install(&command) && !is_removal(&command) {
            return;
        }
        match self.latest.entry((profile, client)) {
            std::collections::hash_map::Entry::Vacant(slot) => {
                slot.insert(command);
            }
            std::collections::hash_map::Entry::Occupied(mut slot) => {
                if command.date_sent >= slot.get().date_sent {
                    slot.insert(command);
                }
            }
        }
    }

    /// When the oldest command for one of these profiles was sent that still waits on the channel.
    pub(super) fn oldest_open<'a>(
        &self,
        profiles: impl Iterator<Item = &'a str>,
        channel: &str,
    ) -> Option<DateTime<Utc>> {
        let channel = channel.to_ascii_lowercase();
        profiles
            .filter_map(|profile| self.latest.get(&(profile.to_owned(), channel.clone())))
            .filter(|command| matches!(state_of(command), CommandState::Open))
            .filter_map(|command| command.date_sent)
            .min()
    }

    fn newest<'a>(&'a self, profile: &str, clients: &[String]) -> Option<&'a wire::Command> {
        clients
            .iter()
            .filter_map(|client| {
                self.latest
                    .get(&(profile.to_owned(), client.to_ascii_lowercase()))
            })
            .max_by_key(|command| command.date_sent)
    }
}

/// The state of `profile` on a computer whose channels are `clients`.
pub(super) fn delivery(
    profile: &JamfProfile,
    clients: &[String],
    commands: &CommandIndex,
    inventory: Inventory,
    assignment: Assignment,
) -> ProfileDelivery {
    let command = commands.newest(profile.id(), clients);
    let (state, since) = match (command.map(progress), inventory) {
        // Installed again after the command.
        (Some((_, at)), Inventory::Listed(Some(installed))) if Some(installed) > at => {
            (ProfileState::Installed, Some(installed))
        }
        (Some((Progress::InstallFailed(error), at)), _) => (ProfileState::Failed { error }, at),
        (Some((Progress::InstallSent, at)), _) => (ProfileState::Pending, at),
        (Some((Progress::Installed, at)), Inventory::Absent(reported)) if reported > at => {
            absent(assignment, reported)
        }
        (Some((Progress::Installed, at)), _) => (ProfileState::Installed, at),
        (Some((Progress::Removed, at)), _) => absent(assignment, at),
        (Some((Progress::RemovalOpen, _)) | None, Inventory::Listed(at)) => {
            (ProfileState::Installed, at)
        }
        (Some((Progress::RemovalOpen, _)) | None, Inventory::Absent(_)) => absent(assignment, None),
        (Some((Progress::RemovalOpen, _)) | None, Inventory::NotShown) => {
            (ProfileState::Unknown, None)
        }
    };
    ProfileDelivery {
        profile_id: profile.attestation.id.clone(),
        state,
        since,
        store: profile.attestation.store,
    }
}

/// The state by inventory and scope alone.
pub(super) fn without_commands(inventory: Inventory, assignment: Assignment) -> ProfileState {
    match inventory {
        Inventory::Listed(_) => ProfileState::Installed,
        Inventory::Absent(_) => absent(assignment, None).0,
        Inventory::NotShown => ProfileState::Unknown,
    }
}

fn absent(
    assignment: Assignment,
    since: Option<DateTime<Utc>>,
) -> (ProfileState, Option<DateTime<Utc>>) {
    match assignment {
        Assignment::Assigned => (ProfileState::Pending, since),
        Assignment::NotAssigned => (ProfileState::NotAssigned, since),
        Assignment::Unknown => (ProfileState::Unknown, None),
    }
}

enum Progress {
    InstallSent,
    Installed,
    InstallFailed(String),
    Removed,
    /// Sent, or refused: the profile is still there.
    RemovalOpen,
}

fn progress(command: &wire::Command) -> (Progress, Option<DateTime<Utc>>) {
    let sent = command.date_sent;
    let done = command.date_completed.or(sent);
    match (state_of(command), is_removal(command)) {
        (CommandState::Acknowledged, false) => (Progress::Installed, done),
        (CommandState::Acknowledged, true) => (Progress::Removed, done),
        (CommandState::Failed, false) => (Progress::InstallFailed(error_text(command)), done),
        (CommandState::Open, false) => (Progress::InstallSent, sent),
        (CommandState::Failed | CommandState::Open, true) => (Progress::RemovalOpen, sent),
    }
}

/// How a delivery or removal stands by the commands sent for it: the newest per channel counts, and every channel that
/// got one must have acknowledged.
pub(super) fn change(commands: &[wire::Command]) -> ChangeState {
    let mut newest: HashMap<Option<String>, &wire::Command> = HashMap::new();
    for command in commands {
        let slot = newest.entry(client_of(command)).or_insert(command);
        if command.date_sent >= slot.date_sent {
            *slot = command;
        }
    }
    let mut acknowledged = None;
    let mut open = false;
    for command in newest.values() {
        match state_of(command) {
            CommandState::Failed => {
                return ChangeState::Failed {
                    error: error_text(command),
                };
            }
            CommandState::Open => open = true,
            CommandState::Acknowledged => match command.date_completed.or(command.date_sent) {
                Some(at) => acknowledged = acknowledged.max(Some(at)),
                // Acknowledged at an unknown time proves nothing about "since".
                None => open = true,
            },
        }
    }
    match acknowledged {
        _ if newest.is_empty() => ChangeState::NotSeen,
        Some(at) if !open => ChangeState::Acknowledged { at },
        _ => ChangeState::Pending,
    }
}

enum CommandState {
    Open,
    Acknowledged,
    Failed,
}

/// `PENDING`, `NOT_NOW` and words that Jamf may add: still under way.
fn state_of(command: &wire::Command) -> CommandState {
    match command.command_state.as_deref() {
        Some("ACKNOWLEDGED") => CommandState::Acknowledged,
        Some("ERROR" | "COMMAND_FORMAT_ERROR") => CommandState::Failed,
        _ => CommandState::Open,
    }
}

fn error_text(command: &wire::Command) -> String {
    let error = command.command_error.clone().unwrap_or_default();
    let words = error
        .error_localized_description
        .or(error.error_english_description);
    let place: Vec<String> = [error.error_domain, error.error_code]
        .into_iter()
        .flatten()
        .collect();
    match (words, place.is_empty()) {
        (Some(words), true) => words,
        (Some(words), false) => format!("{words} ({})", place.join(" ")),
        (None, false) => place.join(" "),
        (None, true) => command
            .command_state
            .clone()
            .unwrap_or_else(|| "ERROR".to_owned()),
    }
}

fn client_of(command: &wire::Command) -> Option<String> {
    let client = command.client.as_ref()?.management_id.as_ref()?;
    Some(client.to_ascii_lowercase())
}

fn is_install(command: &wire::Command) -> bool {
    command.command_type.as_deref() == Some("INSTALL_PROFILE")
}

fn is_removal(command: &wire::Command) -> bool {
    command.command_type.as_deref() == Some("REMOVE_PROFILE")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decode::time;

    fn command(kind: &str, state: &str, sent: &str, completed: &str) -> wire::Command {
        serde_json::from_value(json!({
            "uuid": "u", "dateSent": sent, "dateCompleted": completed, "commandType": kind, "commandState": state,
            "client": {"managementId": "AAA", "clientType": "COMPUTER"}, "profileId": 12,
            "commandError": if state == "ERROR" {
                json!({"errorCode": 22013, "errorDomain": "MCSCEPErrorDomain",
                       "errorLocalizedDescription": "The SCEP server returned an invalid response"})
            } else { json!({}) }
        }))
        .unwrap()
    }

    const EPOCH: &str = "1970-01-01T00:00:00Z";
    const T1: &str = "2026-08-01T10:00:00Z";
    const T2: &str = "2026-08-01T11:00:00Z";
    const T3: &str = "2026-08-01T12:00:00Z";

    #[track_caller]
    fn check(
        commands: &[wire::Command],
        inventory: Inventory,
        assignment: Assignment,
        expected: ProfileState,
        since: Option<&str>,
    ) {
        let profile = JamfProfile::read(
            serde_json::from_value(json!({"general": {"id": 12, "name": "Okta SCEP"}})).unwrap(),
        )
        .unwrap();
        let mut index = CommandIndex::default();
        commands.iter().cloned().for_each(|c| index.add(c));
        let found = delivery(&profile, &["aaa".into()], &index, inventory, assignment);
        assert_eq!(found.state, expected);
        assert_eq!(found.since, since.and_then(time));
    }

    #[test]
    fn inventory_and_scope_decide_without_commands() {
        use Assignment::{Assigned, NotAssigned, Unknown};
        use Inventory::{Absent, Listed, NotShown};
        check(
            &[],
            Listed(time(T1)),
            NotAssigned,
            ProfileState::Installed,
            Some(T1),
        );
        check(&[], Absent(time(T1)), Assigned, ProfileState::Pending, None);
        check(
            &[],
            Absent(time(T1)),
            NotAssigned,
            ProfileState::NotAssigned,
            None,
        );
        check(&[], Absent(time(T1)), Unknown, ProfileState::Unknown, None);
        check(&[], NotShown, Assigned, ProfileState::Unknown, None);
    }

    #[test]
    fn newest_command_speaks_unless_the_inventory_is_newer() {
        use Inventory::{Absent, Listed};
        let assigned = Assignment::Assigned;
        let failed = command("INSTALL_PROFILE", "ERROR", T1, T2);
        let error = ProfileState::Failed {
            error: "The SCEP server returned an invalid response (MCSCEPErrorDomain 22013)".into(),
        };
        check(
            std::slice::from_ref(&failed),
            Absent(time(T3)),
            assigned,
            error.clone(),
            Some(T2),
        );
        check(
            std::slice::from_ref(&failed),
            Listed(time(T1)),
            assigned,
            error,
            Some(T2),
        );
        check(
            std::slice::from_ref(&failed),
            Listed(time(T3)),
            assigned,
            ProfileState::Installed,
            Some(T3),
        );

        let pending = command("INSTALL_PROFILE", "PENDING", T3, EPOCH);
        check(
            &[pending.clone(), failed],
            Absent(time(T1)),
            assigned,
            ProfileState::Pending,
            Some(T3),
        );
        let later = command("INSTALL_PROFILE", "NOT_NOW", T3, EPOCH);
        check(
            &[later],
            Absent(time(T1)),
            assigned,
            ProfileState::Pending,
            Some(T3),
        );

        let done = command("INSTALL_PROFILE", "ACKNOWLEDGED", T1, T2);
        check(
            std::slice::from_ref(&done),
            Absent(time(T1)),
            assigned,
            ProfileState::Installed,
            Some(T2),
        );
        check(
            &[done],
            Absent(time(T3)),
            assigned,
            ProfileState::Pending,
            Some(T3),
        );
    }

    #[test]
    fn acknowledged_removal_beats_an_older_inventory() {
        let removed = command("REMOVE_PROFILE", "ACKNOWLEDGED", T2, T3);
        let listed = Inventory::Listed(time(T1));
        check(
            &[removed],
            listed,
            Assignment::NotAssigned,
            ProfileState::NotAssigned,
            Some(T3),
        );
        let open = command("REMOVE_PROFILE", "PENDING", T2, EPOCH);
        check(
            &[open],
            listed,
            Assignment::NotAssigned,
            ProfileState::Installed,
            Some(T1),
        );
    }

    #[test]
    fn change_follows_the_newest_command_of_every_channel() {
        assert_eq!(change(&[]), ChangeState::NotSeen);
        let failed = command("INSTALL_PROFILE", "ERROR", T1, T1);
        let done = command("INSTALL_PROFILE", "ACKNOWLEDGED", T2, T3);
        let at = time(T3).unwrap();
        assert_eq!(
            change(&[done.clone(), failed.clone()]),
            ChangeState::Acknowledged { at }
        );
        assert!(matches!(change(&[failed]), ChangeState::Failed { .. }));

        let mut other_channel = command("INSTALL_PROFILE", "PENDING", T2, EPOCH);
        other_channel.client.as_mut().unwrap().management_id = Some("bbb".into());
        assert_eq!(change(&[done, other_channel]), ChangeState::Pending);

        let word = command("INSTALL_PROFILE", "SOMETHING_NEW", T1, EPOCH);
        assert_eq!(change(&[word]), ChangeState::Pending);
    }
}
