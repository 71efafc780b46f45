//! The `unstuck` binary.

fn main() {}
