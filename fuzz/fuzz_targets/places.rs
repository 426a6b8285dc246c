//! See `ph_fuzz::places`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ph_fuzz::places(data));
