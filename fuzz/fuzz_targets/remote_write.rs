//! See `ph_fuzz::remote_write`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ph_fuzz::remote_write(data));
