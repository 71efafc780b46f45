//! How Intune behaves: syncs, profile delivery and scripts.

use super::{MachineKey, State};

/// Something that happens later on Intune's side.
#[derive(Clone, Debug)]
pub(crate) enum IntuneEffect {
    /// The device syncs.
    Sync(MachineKey),
}

impl State {
    pub(crate) fn run_intune(&mut self, effect: IntuneEffect) {
        match effect {
            IntuneEffect::Sync(machine) => self.intune_check_in(machine),
        }
    }

    /// The device syncs now and reports its inventory.
    pub(crate) fn intune_check_in(&mut self, machine: MachineKey) {
        let (now, inventory) = (self.now, self.read_inventory(machine));
        for device in self
            .intune
            .values_mut()
            .filter(|record| record.machine == machine)
        {
            device.last_sync = now;
            device.inventory = inventory.clone();
        }
    }
}
