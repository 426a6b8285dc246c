//! How fast log lines pass the masking of secrets: `cargo run --release -p ph-access --example redact_speed`.
//!
//! Out: MB/s for lines without a candidate, for lines that only look like one, and for lines with a secret each.

use std::time::Instant;

use ph_access::redact::{Masker, Redactor};
use ph_model::Secret;

const ROUNDS: usize = 5;
const SIZE: usize = 64 << 20;

fn main() {
    let Some(redactor) = Redactor::new(&Secret::new(vec![7; 32])) else { return };
    let lines: [(&str, &str); 3] = [
        (
            "no candidate",
            "2026-01-31T14:05:06Z INFO http.server GET /api/v1/orders/4711 status=200 bytes=5123 took=12ms user=ann",
        ),
        (
            "looks like one",
            "2026-01-31T14:05:06Z INFO reconciled key=shop/web-1 url=http://web.shop:8080/x took=12ms",
        ),
        (
            "a secret each",
            "2026-01-31T14:05:06Z INFO connected DB_PASSWORD=hunter2 url=postgres://u:p@db/x took=12ms",
        ),
    ];
    for (name, line) in lines {
        let count = SIZE / line.len();
        let best = (0..ROUNDS).map(|_| round(&redactor, line, count)).fold(f64::INFINITY, f64::min);
        println!("{name:>15}: {:6.0} MB/s", (count * line.len()) as f64 / best / 1e6);
    }
}

/// Seconds that `count` lines take.
fn round(redactor: &Redactor, line: &str, count: usize) -> f64 {
    let mut state = Masker::default();
    let mut out = Vec::new();
    let begin = Instant::now();
    for _ in 0..count {
        out.clear();
        redactor.line(&mut state, std::hint::black_box(line.as_bytes()), &mut out);
        std::hint::black_box(&out);
    }
    begin.elapsed().as_secs_f64()
}
