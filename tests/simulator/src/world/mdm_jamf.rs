//! How Jamf Pro behaves: check-ins, the command queue and scope changes.

use super::{MachineKey, State};

/// Something that happens later on Jamf's side.
#[derive(Clone, Debug)]
pub(crate) enum JamfEffect {
    /// The Mac contacts Jamf.
    CheckIn(MachineKey),
}

impl State {
    pub(crate) fn run_jamf(&mut self, effect: JamfEffect) {
        match effect {
            JamfEffect::CheckIn(machine) => self.jamf_check_in(machine),
        }
    }

    /// The Mac contacts Jamf now and reports its inventory.
    pub(crate) fn jamf_check_in(&mut self, machine: MachineKey) {
        let (now, inventory) = (self.now, self.read_inventory(machine));
        for computer in self
            .jamf
            .values_mut()
            .filter(|record| record.machine == machine)
        {
            computer.last_check_in = now;
            computer.last_contact = now;
            computer.inventory = inventory.clone();
        }
    }
}
