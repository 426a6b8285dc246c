//! See `ph_fuzz::promql`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ph_fuzz::promql(data));
