//! The vendors' side of the wire for tests, demos and benchmarks: an Okta org, Microsoft Graph,
//! Jamf Pro and Slack over one stateful world. It knows nothing of the product that talks to it.

mod clock;
mod connection;
mod faults;
mod fleet;
mod http;
mod intune;
mod jamf;
mod ledger;
mod limits;
mod okta;
mod scalar;
mod scep;
mod serve;
mod simulator;
pub mod slack;
mod tenant;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod wire_client;
mod world;

pub use clock::SimClock;
pub use connection::{
    Connection, IntuneConnection, JamfConnection, OktaConnection, SlackConnection,
};
pub use faults::{Fault, Faults};
pub use fleet::{BUILT_CAUSES, FleetOptions, Incident, IncidentKind, ScriptedDevice, Truth};
pub use ledger::{Ledger, RecordedEffect, RecordedRequest, RequestId, Server};
pub use simulator::{Ports, Simulator, SimulatorConfig};
pub use tenant::TenantFault;
pub use world::{
    DeviceStatus, DeviceView, EarlyAccess, MachineKey, Mdm, Persona, Platform, RuleEdit,
    SignInOutcome, UserStatus, World, oldest_okta_verify, oldest_system,
};
