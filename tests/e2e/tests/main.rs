//! One binary for all end-to-end tests.

mod accuracy;
mod repair;
mod slack;
mod store;
mod support;
