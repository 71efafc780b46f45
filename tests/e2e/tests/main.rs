//! One binary for all end-to-end tests.

mod accuracy;
mod doctor;
mod fleet;
mod kill;
mod link;
mod looks;
mod observe;
mod repair;
mod slack;
mod store;
mod support;
