//! One binary for all end-to-end tests.

mod accuracy;
mod kill;
mod observe;
mod repair;
mod slack;
mod store;
mod support;
