//! See `ph_fuzz::otlp_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ph_fuzz::otlp_json(data));
