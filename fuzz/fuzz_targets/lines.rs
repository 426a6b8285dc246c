//! See `ph_fuzz::lines`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ph_fuzz::lines(data));
