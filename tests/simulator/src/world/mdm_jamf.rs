//! How Jamf Pro behaves: scopes become commands, commands wait for the Mac, inventories grow old.
//! Nothing re-sends a profile but a change of its scope or the flushing of its failed command.

use chrono::{DateTime, Duration, Utc};

use super::{
    Command, CommandKind, CommandState, Effect, Id, JamfComputer, Level, MachineKey, Mdm,
    ProfileKey, State, Store,
};

/// How often the Jamf agent checks in.
const AGENT_PERIOD: Duration = Duration::minutes(15);

/// Something that happens later on Jamf's side.
#[derive(Clone, Debug)]
pub(crate) enum JamfEffect {
    /// The scopes of all profiles are worked out anew for one computer.
    Recalculate(u32),
    /// The Mac was woken and asks for its commands.
    Fetch(u32),
    /// The Mac is done with one command.
    Finish { computer: u32, command: String },
    /// The regular inventory report; it plans the next one.
    Report(u32),
    /// The answer of a list command reached the inventory.
    Refresh {
        computer: u32,
        answered: CommandKind,
    },
}

/// What Jamf believes of one profile on one channel of a computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Belief {
    Installed,
    Absent,
    InstallQueued,
    RemovalQueued,
    Failed,
}

impl State {
    pub(crate) fn run_jamf(&mut self, effect: JamfEffect) {
        match effect {
            JamfEffect::Recalculate(computer) => self.jamf_recalculate(computer),
            JamfEffect::Fetch(computer) => self.jamf_fetch(computer),
            JamfEffect::Finish { computer, command } => self.jamf_finish(computer, &command),
            JamfEffect::Report(computer) => {
                self.jamf_report(computer);
                self.schedule_jamf_report(computer);
            }
            JamfEffect::Refresh { computer, answered } => self.jamf_refresh(computer, &answered),
        }
    }

    /// Plans the regular reports of every computer; called once, when the world begins.
    pub(crate) fn start_jamf(&mut self) {
        let computers: Vec<u32> = self.jamf.keys().copied().collect();
        for computer in computers {
            self.schedule_jamf_report(computer);
        }
    }

    fn schedule_jamf_report(&mut self, computer: u32) {
        let at = self.now + self.delay(6 * 60 * 60, 24 * 60 * 60);
        self.schedule(at, Effect::Jamf(JamfEffect::Report(computer)));
    }

    /// The Mac contacts Jamf now: commands are done, the inventory is fresh.
    pub(crate) fn jamf_check_in(&mut self, machine: MachineKey) {
        let Some(computer) = self.jamf_of(machine).map(|record| record.id) else {
            return;
        };
        self.jamf_report(computer);
        if !self.jamf_mdm_reachable(computer) {
            return;
        }
        for command in self.jamf_deliverable(computer) {
            self.jamf_finish(computer, &command);
        }
        self.jamf_report(computer);
    }

    /// When the agent and any channel were last heard of; the agent's visits are not stored one by one.
    pub(crate) fn jamf_last_seen(&self, computer: &JamfComputer) -> (DateTime<Utc>, DateTime<Utc>) {
        let mut check_in = computer.last_check_in;
        if computer.managed && self.machine(computer.machine).online && check_in < self.now {
            let visits = (self.now - check_in).num_seconds() / AGENT_PERIOD.num_seconds();
            check_in += Duration::seconds(visits * AGENT_PERIOD.num_seconds());
        }
        (check_in, computer.last_contact.max(check_in))
    }

    /// Whether a profile's scope takes in this computer.
    pub(crate) fn jamf_in_scope(&self, profile: ProfileKey, computer: u32) -> bool {
        let scope = &self.profile(profile).scope;
        let member = computer.to_string();
        let in_any = |groups: &std::collections::BTreeSet<String>| {
            groups.iter().any(|group| {
                self.mdm_groups
                    .get(group)
                    .is_some_and(|group| group.members.contains(&member))
            })
        };
        (scope.all || in_any(&scope.groups) || scope.records.contains(&member))
            && !in_any(&scope.excluded_groups)
            && !scope.excluded_records.contains(&member)
    }

    /// Queues a command and pushes the Mac.
    pub(crate) fn jamf_queue(
        &mut self,
        computer: u32,
        channel: Option<Id>,
        kind: CommandKind,
    ) -> Option<String> {
        let uuid = self.ids.guid();
        let now = self.now;
        let record = self.jamf.get_mut(&computer)?;
        record.commands.push(Command {
            uuid: uuid.clone(),
            channel,
            kind,
            sent: now,
            completed: None,
            state: CommandState::Pending,
        });
        let at = now + self.delay(5, 30 * 60);
        self.schedule(at, Effect::Jamf(JamfEffect::Fetch(computer)));
        Some(uuid)
    }

    /// A push without a command: the Mac comes soon, if it can.
    pub(crate) fn jamf_blank_push(&mut self, computer: u32) {
        let at = self.now + self.delay(2, 30);
        self.schedule(at, Effect::Jamf(JamfEffect::Fetch(computer)));
    }

    /// Forgets failed or pending commands; failed profiles still in scope come back at the next
    /// check-in. Says how many were forgotten.
    pub(crate) fn jamf_flush(&mut self, computer: u32, pending: bool, failed: bool) -> usize {
        let Some(record) = self.jamf.get_mut(&computer) else {
            return 0;
        };
        let before = record.commands.len();
        record.commands.retain(|command| match command.state {
            CommandState::Pending | CommandState::NotNow => !pending,
            CommandState::Error(_) => !failed,
            CommandState::Acknowledged => true,
        });
        let forgotten = before - record.commands.len();
        if forgotten > 0 {
            self.mdm.jamf.flushed.insert(computer);
            let at = self.now + self.delay(30, AGENT_PERIOD.num_seconds());
            self.schedule(at, Effect::Jamf(JamfEffect::Recalculate(computer)));
        }
        forgotten
    }

    /// The last user channel that Jamf would use, or the device channel.
    pub(crate) fn jamf_channel(&self, profile: ProfileKey, computer: u32) -> Option<Option<Id>> {
        match self.profile(profile).level {
            Level::Machine => Some(None),
            Level::User => {
                let (user, _) = self.jamf.get(&computer)?.user_channels.first()?;
                Some(Some(user.clone()))
            }
        }
    }

    fn jamf_recalculate(&mut self, computer: u32) {
        let Some(record) = self.jamf.get(&computer) else {
            return;
        };
        let agent_alive = record.managed && self.machine(record.machine).online;
        if !record.managed {
            return;
        }
        let flushed = self.mdm.jamf.flushed.contains(&computer);
        if flushed && !agent_alive {
            return; // Comes back when the Mac checks in.
        }
        self.mdm.jamf.flushed.remove(&computer);
        let profiles: Vec<ProfileKey> = self
            .profiles
            .iter()
            .filter(|profile| profile.mdm == Mdm::Jamf)
            .map(|profile| profile.key)
            .collect();
        for profile in profiles {
            let Some(channel) = self.jamf_channel(profile, computer) else {
                continue;
            };
            let wanted = self.jamf_in_scope(profile, computer);
            match (
                wanted,
                self.jamf_belief(computer, profile, channel.as_ref()),
            ) {
                (true, Belief::Absent) => {
                    self.jamf_queue(computer, channel, CommandKind::InstallProfile(profile));
                }
                (true, Belief::RemovalQueued) => {
                    self.jamf_cancel(computer, &CommandKind::RemoveProfile(profile));
                }
                (false, Belief::Installed) => {
                    self.jamf_queue(computer, channel, CommandKind::RemoveProfile(profile));
                }
                (false, Belief::InstallQueued | Belief::Failed) => {
                    self.jamf_cancel(computer, &CommandKind::InstallProfile(profile));
                    if self.jamf_inventory_has(computer, profile, channel.as_ref()) {
                        self.jamf_queue(computer, channel, CommandKind::RemoveProfile(profile));
                    }
                }
                _ => {}
            }
        }
    }

    fn jamf_belief(&self, computer: u32, profile: ProfileKey, channel: Option<&Id>) -> Belief {
        let Some(record) = self.jamf.get(&computer) else {
            return Belief::Absent;
        };
        let last = record.commands.iter().rev().find(|command| {
            matches!(command.kind,
                CommandKind::InstallProfile(key) | CommandKind::RemoveProfile(key) if key == profile)
                && command.channel.as_ref() == channel
        });
        if let Some(command) = last {
            let installs = matches!(command.kind, CommandKind::InstallProfile(_));
            match (&command.state, installs) {
                (CommandState::Pending | CommandState::NotNow, true) => {
                    return Belief::InstallQueued;
                }
                (CommandState::Pending | CommandState::NotNow, false) => {
                    return Belief::RemovalQueued;
                }
                (CommandState::Error(_), true) => return Belief::Failed,
                (CommandState::Acknowledged, installs)
                    if command.completed > Some(record.inventory.taken) =>
                {
                    return match installs {
                        true => Belief::Installed,
                        false => Belief::Absent,
                    };
                }
                _ => {}
            }
        }
        match self.jamf_inventory_has(computer, profile, channel) {
            true => Belief::Installed,
            false => Belief::Absent,
        }
    }

    fn jamf_inventory_has(&self, computer: u32, profile: ProfileKey, channel: Option<&Id>) -> bool {
        self.jamf.get(&computer).is_some_and(|record| {
            record
                .inventory
                .profiles
                .iter()
                .any(|seen| seen.profile == profile && seen.store.user() == channel)
        })
    }

    /// Takes a queued or failed command out of the queue.
    fn jamf_cancel(&mut self, computer: u32, kind: &CommandKind) {
        if let Some(record) = self.jamf.get_mut(&computer) {
            record.commands.retain(|command| {
                command.kind != *kind || command.state == CommandState::Acknowledged
            });
        }
    }

    fn jamf_fetch(&mut self, computer: u32) {
        if !self.jamf_mdm_reachable(computer) {
            return;
        }
        if self.mdm.jamf.flushed.contains(&computer) {
            self.jamf_recalculate(computer);
        }
        let now = self.now;
        let Some(record) = self.jamf.get_mut(&computer) else {
            return;
        };
        record.last_contact = now;
        if self.mdm.busy.contains(&record.machine) {
            for command in &mut record.commands {
                if command.state == CommandState::Pending {
                    command.state = CommandState::NotNow;
                }
            }
            return;
        }
        for command in self.jamf_deliverable(computer) {
            let enrols = self.jamf.get(&computer).is_some_and(|record| {
                record.commands.iter().any(|queued| {
                    queued.uuid == command
                        && matches!(queued.kind,
                            CommandKind::InstallProfile(key) if self.profile(key).is_scep())
                })
            });
            let delay = match enrols {
                true => self.delay(5, 60),
                false => self.delay(1, 4),
            };
            let effect = JamfEffect::Finish { computer, command };
            self.schedule(now + delay, Effect::Jamf(effect));
        }
    }

    /// Whether a push would make this Mac talk to the MDM server.
    fn jamf_mdm_reachable(&self, computer: u32) -> bool {
        let push_ends = self.mdm.jamf.push_certificate_expires;
        if push_ends.is_some_and(|ends| ends <= self.now) {
            return false;
        }
        self.jamf.get(&computer).is_some_and(|record| {
            record.managed
                && record.mdm_capable
                && record.push_enabled
                && record.mdm_profile_expires > self.now
                && self.machine(record.machine).online
        })
    }

    /// The commands whose channel is open; a user's channel is, while that user is logged in.
    fn jamf_deliverable(&self, computer: u32) -> Vec<String> {
        let Some(record) = self.jamf.get(&computer) else {
            return Vec::new();
        };
        let open = |channel: &Option<Id>| match channel {
            None => true,
            Some(user) => !self.mdm.away.contains(&(record.machine, user.clone())),
        };
        record
            .commands
            .iter()
            .filter(|command| {
                matches!(command.state, CommandState::Pending | CommandState::NotNow)
                    && open(&command.channel)
            })
            .map(|command| command.uuid.clone())
            .collect()
    }

    fn jamf_finish(&mut self, computer: u32, uuid: &str) {
        let Some(record) = self.jamf.get(&computer) else {
            return;
        };
        let machine = record.machine;
        let waiting = record.commands.iter().find(|command| {
            command.uuid == uuid
                && matches!(command.state, CommandState::Pending | CommandState::NotNow)
        });
        let Some(command) = waiting.filter(|_| self.machine(machine).online) else {
            return;
        };
        let (kind, channel) = (command.kind.clone(), command.channel.clone());
        let state = self.jamf_execute(computer, machine, &kind, channel);
        let now = self.now;
        if let Some(record) = self.jamf.get_mut(&computer) {
            record.last_contact = now;
            for command in &mut record.commands {
                if command.uuid == uuid {
                    command.completed = Some(now);
                    command.state = state.clone();
                }
            }
        }
    }

    fn jamf_execute(
        &mut self,
        computer: u32,
        machine: MachineKey,
        kind: &CommandKind,
        channel: Option<Id>,
    ) -> CommandState {
        let store = channel.map_or(Store::Machine, Store::User);
        match kind {
            CommandKind::InstallProfile(profile) => {
                self.pin_identity(machine, *profile, &store);
                match self.install_profile(machine, *profile, store) {
                    Ok(()) => CommandState::Acknowledged,
                    Err(error) => CommandState::Error(error),
                }
            }
            CommandKind::RemoveProfile(profile) => {
                self.uninstall_profile(machine, *profile, &store);
                CommandState::Acknowledged
            }
            CommandKind::CertificateList | CommandKind::ProfileList | CommandKind::Query(_) => {
                if self.mdm.jamf.lists_refresh_inventory {
                    let at = self.now + self.delay(60, 5 * 60);
                    let answered = kind.clone();
                    let effect = JamfEffect::Refresh { computer, answered };
                    self.schedule(at, Effect::Jamf(effect));
                }
                CommandState::Acknowledged
            }
        }
    }

    /// An identity preference in the same profile keeps the old certificate in a login keychain.
    fn pin_identity(&mut self, machine: MachineKey, profile: ProfileKey, store: &Store) {
        let pins = self
            .mdm
            .jamf
            .extra_payloads
            .get(&profile)
            .is_some_and(|types| types.contains(&"com.apple.security.identitypreference"));
        if !pins || store.user().is_none() {
            return;
        }
        for held in &mut self.machine_mut(machine).certificates {
            if held.profile == Some(profile) && held.store == *store {
                held.profile = None;
            }
        }
    }

    fn jamf_report(&mut self, computer: u32) {
        let Some(record) = self.jamf.get(&computer) else {
            return;
        };
        let machine = record.machine;
        if !record.managed || !self.machine(machine).online {
            return;
        }
        let (now, inventory) = (self.now, self.read_inventory(machine));
        if let Some(record) = self.jamf.get_mut(&computer) {
            record.inventory = inventory;
            record.last_check_in = now;
            record.last_contact = now;
        }
        if self.mdm.jamf.flushed.contains(&computer) {
            self.jamf_recalculate(computer);
        }
    }

    fn jamf_refresh(&mut self, computer: u32, answered: &CommandKind) {
        let Some(machine) = self.jamf.get(&computer).map(|record| record.machine) else {
            return;
        };
        let fresh = self.read_inventory(machine);
        let Some(record) = self.jamf.get_mut(&computer) else {
            return;
        };
        match answered {
            CommandKind::CertificateList => record.inventory.certificates = fresh.certificates,
            CommandKind::ProfileList => record.inventory.profiles = fresh.profiles,
            CommandKind::Query(name) if name == "DEVICE_INFORMATION" => {
                record.inventory.taken = fresh.taken;
                record.inventory.os_version = fresh.os_version;
            }
            _ => {}
        }
    }
}
