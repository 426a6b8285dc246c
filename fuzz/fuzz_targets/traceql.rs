//! See `ph_fuzz::traceql`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ph_fuzz::traceql(data));
