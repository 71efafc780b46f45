//! What must survive a crash: leases, findings, proposals, runs, the journal, messages and the audit.
//!
//! SQL stays in this module, decisions stay out of it. Functions are named for the question that they answer,
//! hold a whole transaction, and return `None` for what is not there. Times, ids and JSON are bound by the
//! caller; the clock gives milliseconds, so that both databases read back what was written.

#[macro_use]
mod engine;
mod audit;
#[macro_use]
mod bulk;
mod confirmations;
mod counters;
mod decisions;
mod doctor;
mod error;
mod findings;
mod fleet_findings;
mod flight;
mod holds;
mod inbox;
mod journal;
mod leases;
mod ledger;
mod ledger_of;
mod ledger_pages;
mod ledger_people;
mod links;
mod looks;
mod open;
mod outbox;
mod proposals;
mod repairs;
mod retention;
mod rows;
mod runs;
mod schedules;
mod sign_in_requests;
mod statistics;
mod stops;
mod subjects;
mod sweeps;
mod together;

pub use audit::{AuditEntry, AuditReport, AuditSeal, NewAuditEntry};
pub use confirmations::Confirmations;
pub use decisions::{Decision, DecisionOutcome, DecisionRecord, Denial, Verdict};
pub use doctor::{StoredBelief, StoredProbe};
pub use engine::Store;
pub use error::StoreError;
pub use findings::{FindingChange, FindingRecord, HistoryEntry};
pub use fleet_findings::{FleetChange, FleetRecord};
pub use flight::{BeginOutcome, Quarantined};
pub use holds::{HoldKind, HoldState, NewHold, ScopeHold};
pub use inbox::{InboxMessage, NewInboxMessage};
pub use journal::{NewStep, RepairChange, StepOutcome, StepRecord};
pub use leases::{LeaseProof, LeaseSeen, OBSERVER_LEASE, SEALER_LEASE, SENDER_LEASE, node_lease};
pub use ledger::{LogCursor, LogEvents, OrgChange};
pub use ledger_of::SubjectLedger;
pub use links::ManualLink;
pub use looks::{Look, LookKind};
pub use open::OpenMode;
pub use outbox::{NewMessage, OutboxMessage, PostedMessage, SendResult};
pub use proposals::{NewProposal, NewRevision, ProposalRecord};
pub use repairs::{NewRepair, RepairRecord};
pub use retention::{Deleted, Keep};
pub use runs::{NewRun, RunRecord, RunStateChange};
pub use schedules::Tick;
pub use sign_in_requests::{SignInRequest, SignInRequestState};
pub use statistics::{FixRate, PastRepair};
pub use stops::{NewStop, Stop, StopScope};
pub use subjects::SubjectRecord;
pub use sweeps::{FinishedSweep, SourceCount, SweepRecord};
pub use together::Together;

use engine::Tx;
