//! A request of version 1.0, read where it lies: its labels are most of it, and become label sets without a copy of each.
//!
//! In:     `prometheus.WriteRequest`; fields that are not known are passed over.
//! Source: prometheus/prompb/{remote,types}.proto; protobuf.dev/programming-guides/encoding.

use std::collections::HashMap;

use ph_model::{Sample, SeriesKind};
use prost::Message;

use super::exemplar::exemplar;
use super::{Described, Written, empty, kind, messages};

/// What is wrong with a body, in words.
pub(super) type Fault = String;

/// The value of a field on the wire.
enum Value<'a> {
    Number(u64),
    Eight([u8; 8]),
    Bytes(&'a [u8]),
    Four,
}

impl<'a> Value<'a> {
    fn bytes(self) -> Result<&'a [u8], Fault> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err("a field that holds bytes has another wire type".to_owned()),
        }
    }

    fn text(self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.bytes()?)
            .map_err(|_| "invalid string value: data is not UTF-8 encoded".to_owned())
    }
}

/// The fields of a message, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut n = 0;
        for (at, byte) in self.0.iter().enumerate().take(10) {
            n |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = self.0.get(at + 1..)?;
                return Some(n);
            }
        }
        None
    }

    fn take(&mut self, len: u64) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
        self.0 = rest;
        Some(head)
    }

    /// Number and value of the next field; `None` in the inner place when it ends early or is of no known type.
    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Eight(*self.take(8)?.first_chunk()?),
            2 => {
                let len = self.varint()?;
                Value::Bytes(self.take(len)?)
            }
            5 => {
                self.take(4)?;
                Value::Four
            }
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let left = self.0.len();
        let field = self.field().ok_or_else(|| {
            self.0 = &[];
            format!(
                "a field ends early or has no known wire type, {left} bytes before the end of its message"
            )
        });
        Some(field)
    }
}

/// Adds what a request says. After an error it is not to be used.
pub(super) fn read(body: &[u8], out: &mut Written) -> Result<(), Fault> {
    for field in Fields(body) {
        if let (3, value) = field? {
            let about =
                messages::MetricMetadata::decode(value.bytes()?).map_err(|e| format!("metadata: {e}"))?;
            let kind = kind(about.r#type);
            out.described.push(Described {
                name: about.metric_family_name,
                kind,
                help: about.help,
                unit: about.unit,
            });
        }
    }
    let described = std::mem::take(&mut out.described);
    let families = described.iter().map(|d| (d.name.as_str(), d.kind)).collect();
    let mut pairs = Vec::new();
    for field in Fields(body) {
        if let (1, value) = field? {
            series(value.bytes()?, (&families, &mut pairs), out)?;
        }
    }
    out.described = described;
    Ok(())
}

/// One series; `pairs` is room for its labels.
fn series<'a>(
    body: &'a [u8],
    (families, pairs): (&HashMap<&str, SeriesKind>, &mut Vec<(&'a str, &'a str)>),
    out: &mut Written,
) -> Result<(), Fault> {
    pairs.clear();
    // One sample is what most senders send.
    let (mut samples, mut exemplars) = (Vec::with_capacity(1), Vec::new());
    for field in Fields(body) {
        match field? {
            (1, value) => pairs.push(label(value.bytes()?)?),
            (2, value) => samples.push(sample(value.bytes()?)?),
            (3, value) => {
                let read = messages::Exemplar::decode(value.bytes()?);
                exemplars.push(read.map_err(|e| format!("exemplar: {e}"))?);
            }
            (4, value) => {
                value.bytes()?;
                out.histograms += 1;
            }
            _ => {}
        }
    }
    let name = pairs.iter().find(|(name, _)| *name == "__name__").map_or("", |(_, value)| value);
    let mut series = empty(families.get(name).copied().unwrap_or_default(), "");
    series.samples = samples;
    let exemplars = exemplars.iter().map(|e| {
        let pairs: Vec<(&str, &str)> = e.labels.iter().map(|l| (l.name.as_str(), l.value.as_str())).collect();
        exemplar(&pairs, (e.timestamp, e.value))
    });
    out.add(pairs, series, exemplars);
    Ok(())
}

fn label(body: &[u8]) -> Result<(&str, &str), Fault> {
    let (mut name, mut text) = ("", "");
    for field in Fields(body) {
        match field? {
            (1, value) => name = value.text()?,
            (2, value) => text = value.text()?,
            _ => {}
        }
    }
    Ok((name, text))
}

fn sample(body: &[u8]) -> Result<Sample, Fault> {
    let mut sample = Sample { at_ms: 0, value: 0.0 };
    for field in Fields(body) {
        match field? {
            (1, Value::Eight(bytes)) => sample.value = f64::from_le_bytes(bytes),
            (2, Value::Number(n)) => sample.at_ms = n as i64,
            (1 | 2, _) => return Err("a sample's value or time has another wire type".to_owned()),
            _ => {}
        }
    }
    Ok(sample)
}
