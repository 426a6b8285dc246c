//! See `ph_fuzz::logql`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ph_fuzz::logql(data));
