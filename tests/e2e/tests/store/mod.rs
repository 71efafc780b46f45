//! The store's contract: each claim is one body, run on SQLite always and on PostgreSQL when
//! `TEST_POSTGRES_URL` names a server. Together the claims execute every query on both.

mod audit;
mod database;
mod doctor;
mod fleet_findings;
mod flight;
mod journal;
mod leases;
mod ledger;
mod messages;
mod migrations;
mod proposals;
mod retention;
mod runs;
mod samples;
mod sweeps;
