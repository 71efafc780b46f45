#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| connectors::fuzzing::read("okta_authenticators", bytes));
