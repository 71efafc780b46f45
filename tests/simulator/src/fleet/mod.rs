//! Makes a company from a seed: people, machines and records that agree with each other, and faults in
//! a known share of them. Equal seeds, options and start times give equal companies.

mod assemble;
mod blueprint;
mod catalogue;
mod causes;
mod certificates;
mod faults_certificate;
mod faults_profile;
mod faults_sign_in;
mod history;
mod incident_strikes;
mod incidents;
mod lookalikes;
mod machines;
mod mdm_records;
mod names;
mod neighbours;
mod oddities;
mod okta_records;
mod org;
mod org_mdm;
mod org_okta;
mod people;
mod phones;
mod shown;
mod truth;

use chrono::{DateTime, Duration, Utc};
use rand::RngExt;

use crate::ledger::Ledger;
use crate::world::{Mdm, Persona, State};

use assemble::Builder;
pub use incidents::{Incident, IncidentKind};
pub use truth::{BUILT_CAUSES, Truth};

/// What the generated company is like.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// Use only faults that the product is expected to name.
    pub built_causes_only: bool,
    /// The share of machines with a fault.
    pub stuck_share: f64,
    /// The share of records that lack a field.
    pub missing_fields: f64,
    /// How old the MDMs' inventories are, from and to.
    pub inventory_age_days: (f64, f64),
    /// The share of healthy devices that lists still show as not managed.
    pub stale_list_rows: f64,
    /// Whether Intune shows certificates at all.
    pub intune_certificate_rows: bool,
    /// Whether the log carries `pki.cert.issue`.
    pub pki_issue_events: bool,
    /// Whether to add machines that look almost like another fault.
    pub near_neighbours: bool,
    /// Whether healthy people keep signing in every day while the simulator runs.
    pub live_sign_ins: bool,
    /// Whether the Early Access read of a device's authenticator enrolments is on.
    pub enrolments_api: bool,
    /// Whether the Early Access read of certificate authorities is on.
    pub ca_api: bool,
    /// The share of Macs; the rest are Windows PCs.
    pub mac_share: f64,
    /// The share of phones, relative to the machines.
    pub phones: f64,
    /// How long lists and searches lag behind a change.
    pub index_lag: Duration,
    /// What befell many at once.
    pub incidents: Vec<Incident>,
    /// Exact cases on top of the generated ones.
    pub scripted: Vec<ScriptedDevice>,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            built_causes_only: true,
            stuck_share: 0.06,
            missing_fields: 0.0,
            inventory_age_days: (0.05, 0.6),
            stale_list_rows: 0.0,
            intune_certificate_rows: true,
            pki_issue_events: true,
            near_neighbours: false,
            live_sign_ins: false,
            enrolments_api: false,
            ca_api: false,
            mac_share: 0.5,
            phones: 0.15,
            index_lag: Duration::seconds(45),
            incidents: Vec::new(),
            scripted: Vec::new(),
        }
    }
}

impl FleetOptions {
    /// A company as untidy as real ones: fields are missing, inventories are old, lists are stale.
    pub fn noisy() -> Self {
        Self {
            built_causes_only: false,
            missing_fields: 0.05,
            inventory_age_days: (0.0, 10.0),
            stale_list_rows: 0.02,
            near_neighbours: true,
            ..Self::default()
        }
    }

    /// Only healthy machines and these exact cases.
    pub fn scripted(scripted: Vec<ScriptedDevice>) -> Self {
        Self {
            stuck_share: 0.0,
            phones: 0.0,
            scripted,
            ..Self::default()
        }
    }
}

/// One machine with a chosen fault.
#[derive(Clone, Debug)]
pub struct ScriptedDevice {
    /// A catalogue name of this simulator, or `healthy`.
    pub cause: String,
    /// Where it is enrolled; decides the platform. A fault that only one MDM's machines can have
    /// brings its own.
    pub mdm: Mdm,
    /// The owner's login; a new person when none.
    pub owner: Option<String>,
    /// How the owner reacts to requests.
    pub persona: Persona,
    /// The serial; a random one when none.
    pub serial: Option<String>,
    /// The computer's name.
    pub name: Option<String>,
}

impl ScriptedDevice {
    /// A machine with this fault whose owner answers within the hour.
    pub fn new(cause: &str, mdm: Mdm) -> Self {
        Self {
            cause: cause.to_owned(),
            mdm,
            owner: None,
            persona: Persona::PROMPT,
            serial: None,
            name: None,
        }
    }

    /// Belongs to this login.
    #[must_use]
    pub fn owner(mut self, login: &str) -> Self {
        self.owner = Some(login.to_owned());
        self
    }

    /// Its owner reacts like this.
    #[must_use]
    pub fn persona(mut self, persona: Persona) -> Self {
        self.persona = persona;
        self
    }

    /// Has this serial number.
    #[must_use]
    pub fn serial(mut self, serial: &str) -> Self {
        self.serial = Some(serial.to_owned());
        self
    }

    /// Is called this.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }
}

/// Makes the company: `devices` machines, then the scripted ones.
pub(crate) fn generate(
    devices: usize,
    seed: u64,
    now: DateTime<Utc>,
    options: &FleetOptions,
    ledger: Ledger,
) -> (State, Vec<Truth>) {
    let (state, landscape) = org::set_up(seed, now, options, ledger);
    let mut builder = Builder::new(state, landscape, options.clone(), devices);
    let stuck = (devices as f64 * options.stuck_share).round() as usize;
    let mut faults = catalogue::shares(stuck, options.built_causes_only, builder.rng());
    let scripted = options.scripted.iter().map(|device| device.cause.as_str());
    builder.walled_in = faults
        .iter()
        .copied()
        .chain(scripted)
        .filter(|cause| *cause == "ca_scep_unreachable_from_device")
        .count();
    for incident in &options.incidents {
        builder.begin_incident(*incident);
    }
    // Faults are strewn over the fleet, so that ids and batches do not give them away.
    let struck: usize = options
        .incidents
        .iter()
        .map(|incident| incident.members)
        .sum();
    let healthy = devices.saturating_sub(faults.len() + struck);
    let mut places = vec![Place::Healthy; healthy];
    let faults = faults.drain(..).map(Place::Fault);
    let members = options
        .incidents
        .iter()
        .flat_map(|incident| std::iter::repeat_n(Place::Struck(*incident), incident.members));
    for place in faults.chain(members) {
        let at = builder.rng().random_range(0..=places.len());
        places.insert(at, place);
    }
    for place in places {
        let mac = builder.rng().random_bool(options.mac_share);
        let mdm = if mac { Mdm::Jamf } else { Mdm::Intune };
        match place {
            Place::Healthy => builder.machine("healthy", mdm, None),
            Place::Fault(cause) => builder.machine(cause, catalogue::mdm_for(cause, mdm), None),
            Place::Struck(incident) => builder.struck(incident, mdm),
        }
    }
    if options.near_neighbours {
        neighbours::build(&mut builder, devices);
    }
    for scripted in &options.scripted {
        let cause = known(&scripted.cause);
        builder.machine(
            cause,
            catalogue::mdm_for(cause, scripted.mdm),
            Some(scripted),
        );
    }
    builder.phones((devices as f64 * options.phones).round() as usize);
    builder.finish()
}

/// What one machine of the fleet will be.
#[derive(Clone, Copy, Debug)]
enum Place {
    Healthy,
    Fault(&'static str),
    Struck(Incident),
}

/// The catalogue's own text for a name.
fn known(cause: &str) -> &'static str {
    catalogue::ENTRIES
        .iter()
        .map(|(name, ..)| name)
        .chain(&["healthy"])
        .find(|name| **name == cause)
        .unwrap_or_else(|| panic!("the simulator cannot build {cause}"))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire;
