//! The words of the domain: what was observed, what was found, what is planned, how a repair stands.

mod assumption;
mod finding;
mod ids;
mod log;
mod observation;
mod plan;
mod probe;
mod repair;

pub use assumption::*;
pub use finding::*;
pub use ids::*;
pub use log::*;
pub use observation::*;
pub use plan::*;
pub use probe::*;
pub use repair::*;
