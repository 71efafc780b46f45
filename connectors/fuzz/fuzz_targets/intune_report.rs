#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| connectors::fuzzing::read("intune_report", bytes));
