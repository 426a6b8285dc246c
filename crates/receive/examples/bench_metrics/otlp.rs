//! Lines and spans as OTLP's protobuf, the same for the same round.

use crate::load::{field, varint};

pub const SPANS_OF_TRACE: u64 = 10;

/// Stands in one line of a round.
pub fn needle(round: u64) -> String {
    format!("needle-{:012x}", round.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16)
}

/// The id of a trace of a round, in hexadecimal.
pub fn trace_id(round: u64, n: u64) -> String {
    id(round, n).iter().map(|b| format!("{b:02x}")).collect()
}

fn id(round: u64, n: u64) -> [u8; 16] {
    let high = (round << 20 | n).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (u128::from(high) << 64 | u128::from(high.rotate_left(31))).to_be_bytes()
}

fn text(key: &str, value: &str) -> Vec<u8> {
    let mut any = Vec::new();
    field(&mut any, 1, value.as_bytes());
    let mut out = Vec::new();
    field(&mut out, 1, key.as_bytes());
    field(&mut out, 2, &any);
    out
}

fn fixed(out: &mut Vec<u8>, number: u64, value: u64) {
    varint(out, number << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A request of one resource and scope, whose records stand in field 2 of the scope.
fn request(records: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut resource = Vec::new();
    field(&mut resource, 1, &text("service.name", "soak"));
    field(&mut resource, 1, &text("k8s.namespace.name", "shop"));
    let mut scope = Vec::new();
    records.for_each(|record| field(&mut scope, 2, &record));
    let mut one = Vec::new();
    field(&mut one, 1, &resource);
    field(&mut one, 2, &scope);
    let mut out = Vec::new();
    field(&mut out, 1, &one);
    out
}

pub fn lines(round: u64, at_ns: u64, count: u64) -> Vec<u8> {
    request((0..count).map(|n| {
        let random = (round << 24 | n).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mut body = Vec::new();
        let mark = if n == count / 2 { needle(round) } else { format!("{:x}", random >> 40) };
        let line = format!(
            "GET /api/v1/orders/{} HTTP/1.1 status={} bytes={} upstream=10.{}.{}.7:8080 request={mark}",
            random >> 44,
            [200, 200, 200, 201, 404, 500][(random >> 8) as usize % 6],
            random >> 50 & 0xfff,
            random >> 20 & 0xff,
            random >> 28 & 0xff,
        );
        field(&mut body, 1, line.as_bytes());
        let mut record = Vec::with_capacity(256);
        fixed(&mut record, 1, at_ns + n * 1_000);
        varint(&mut record, 2 << 3);
        varint(&mut record, if random & 7 == 0 { 17 } else { 9 });
        field(&mut record, 5, &body);
        field(&mut record, 6, &text("thread", ["main", "worker-1", "worker-2"][(random >> 3) as usize % 3]));
        record
    }))
}

pub fn spans(round: u64, at_ns: u64, count: u64) -> Vec<u8> {
    request((0..count).map(|n| {
        let (trace, place) = (n / SPANS_OF_TRACE, n % SPANS_OF_TRACE);
        let random = (round << 24 | n).wrapping_mul(0x94d0_49bb_1331_11eb);
        let span = |place: u64| (place + 1).to_be_bytes();
        let mut record = Vec::with_capacity(192);
        field(&mut record, 1, &id(round, trace));
        field(&mut record, 2, &span(place));
        if place > 0 {
            field(&mut record, 4, &span(place / 2));
        }
        field(
            &mut record,
            5,
            ["GET /orders", "SELECT orders", "publish", "render"][(place % 4) as usize].as_bytes(),
        );
        varint(&mut record, 6 << 3);
        varint(&mut record, 2);
        fixed(&mut record, 7, at_ns + place * 1_000_000);
        fixed(&mut record, 8, at_ns + place * 1_000_000 + (random >> 40));
        field(&mut record, 9, &text("user", &format!("u{}", random >> 54)));
        record
    }))
}
