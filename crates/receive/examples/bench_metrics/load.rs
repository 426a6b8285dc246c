//! Series as a cluster has them, as bodies of remote write 1.0.
//!
//! The same number gives the same series and samples to every subject.

/// Series of one body.
pub const PER_BODY: u64 = 2_000;
/// Metrics of a pod.
pub const METRICS: u64 = 40;

/// A series' labels as they stand in a request, made once.
pub fn labels(n: u64) -> Vec<u8> {
    let pod = n / METRICS;
    let hash = pod.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let pairs = [
        ("__name__", format!("bench_metric_{}", n % METRICS)),
        ("cluster", "bench".to_owned()),
        ("container", "app".to_owned()),
        ("instance", format!("10.{}.{}.{}:8080", pod >> 16 & 255, pod >> 8 & 255, pod & 255)),
        ("job", "bench".to_owned()),
        ("namespace", format!("ns-{}", pod % 30)),
        ("node", format!("node-{}", pod % 200)),
        ("pod", format!("web-{}-{:08x}", pod % 500, hash >> 32)),
        ("uid", format!("{hash:016x}{:016x}", hash.rotate_left(17))),
    ];
    encode(&pairs)
}

pub fn encode(pairs: &[(&str, String)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(320);
    for (name, value) in pairs {
        let mut label = Vec::with_capacity(64);
        field(&mut label, 1, name.as_bytes());
        field(&mut label, 2, value.as_bytes());
        field(&mut out, 1, &label);
    }
    out
}

/// Counters, gauges with steps, a few random ones.
pub fn value(n: u64, step: u64) -> f64 {
    let mut random = (n << 20 | step).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    random ^= random >> 29;
    random = random.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    match n % 20 {
        0 => (random >> 11) as f64 / 7.0,
        1..=9 => (step * (n % 90 + 10)) as f64,
        10..=15 => ((random >> 40) % 1_000) as f64 / 10.0,
        _ => (n % 4) as f64,
    }
}

/// One request, compressed.
pub fn body<'a>(series: impl Iterator<Item = (&'a [u8], f64)>, at_ms: i64) -> Vec<u8> {
    let mut raw = Vec::with_capacity(1 << 20);
    for (labels, value) in series {
        let mut sample = vec![1 << 3 | 1];
        sample.extend_from_slice(&value.to_le_bytes());
        sample.push(2 << 3);
        varint(&mut sample, at_ms as u64);
        let mut one = Vec::with_capacity(labels.len() + 24);
        one.extend_from_slice(labels);
        field(&mut one, 2, &sample);
        field(&mut raw, 1, &one);
    }
    snap::raw::Encoder::new().compress_vec(&raw).unwrap_or_default()
}

pub fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}
