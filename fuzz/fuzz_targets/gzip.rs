//! See `ph_fuzz::gzip`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ph_fuzz::gzip(data));
