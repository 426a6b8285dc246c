//! The one binary: arguments, configuration, wiring.

fn main() {}
