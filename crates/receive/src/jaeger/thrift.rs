//! The thrift form, in the binary protocol.
//!
//! Never: trusts a length: what a list or string says of itself is compared with the bytes that are left.
//! Source: Apache Thrift, "Thrift Binary protocol encoding".

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

use super::{JaegerSpan, Reference, add, malformed, resource};
use crate::error::Error;
use crate::foreign::{Gathered, attribute};
use crate::sink::Export;
use crate::weigh::Room;

/// Nesting of what is skipped.
const MAX_DEPTH: u8 = 64;

const STOP: u8 = 0;
const BOOL: u8 = 2;
const BYTE: u8 = 3;
const DOUBLE: u8 = 4;
const I16: u8 = 6;
const I32: u8 = 8;
const I64: u8 = 10;
const STRING: u8 = 11;
const STRUCT: u8 = 12;
const MAP: u8 = 13;
const SET: u8 = 14;
const LIST: u8 = 15;

pub(super) fn export(body: &[u8]) -> Result<Export, Error> {
    let room = Room::of(body);
    let mut reader = Reader(body, &room);
    let mut process = (String::new(), Vec::new());
    let mut spans = Vec::new();
    let read = reader.fields(|r, id, kind| {
        match (id, kind) {
            (1, STRUCT) => process = r.process()?,
            (2, LIST) => spans = r.list(Reader::span)?,
            _ => return Ok(false),
        }
        Ok(true)
    });
    if room.is_over() {
        return Err(room.too_large());
    }
    read?;
    let (service, tags) = process;
    let mut out = Gathered::default();
    let resource = out.resource(resource(&service, tags));
    for span in spans {
        add(&mut out, resource, span);
    }
    Ok(out.export())
}

/// What is left of a body, and the room for what is read of it.
struct Reader<'a>(&'a [u8], &'a Room);

type Read<T> = Result<T, Error>;

impl<'a> Reader<'a> {
    fn bytes(&mut self, n: usize) -> Read<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n).ok_or_else(|| malformed("it ends in mid-value"))?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.bytes(N)?.try_into().map_err(|_| malformed("it ends in mid-value"))
    }

    fn byte(&mut self) -> Read<u8> {
        self.array::<1>().map(|[b]| b)
    }

    fn i32(&mut self) -> Read<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Read<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// A length that what is left can hold, each item of at least `least` bytes.
    fn length(&mut self, least: usize) -> Read<usize> {
        let n = usize::try_from(self.i32()?).map_err(|_| malformed("a length is negative"))?;
        if n.saturating_mul(least) > self.0.len() {
            return Err(malformed(format!(
                "a length of {n} is more than the {} bytes that are left",
                self.0.len()
            )));
        }
        Ok(n)
    }

    fn binary(&mut self) -> Read<&'a [u8]> {
        let n = self.length(1)?;
        self.bytes(n)
    }

    fn string(&mut self) -> Read<String> {
        Ok(String::from_utf8_lossy(self.binary()?).into_owned())
    }

    /// Each field of a struct; `each` says whether it read it.
    fn fields(&mut self, mut each: impl FnMut(&mut Self, i16, u8) -> Read<bool>) -> Read<()> {
        loop {
            let kind = self.byte()?;
            if kind == STOP {
                return Ok(());
            }
            let id = i16::from_be_bytes(self.array()?);
            if !each(self, id, kind)? {
                self.skip(kind, 0)?;
            }
        }
    }

    fn list<T>(&mut self, one: impl Fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let kind = self.byte()?;
        let n = self.length(1)?;
        if kind != STRUCT && n > 0 {
            return Err(malformed("a list of structs holds something else"));
        }
        let mut all = Vec::new();
        for _ in 0..n {
            if !self.1.take::<T>() {
                return Err(malformed("it does not fit into memory"));
            }
            all.push(one(self)?);
        }
        Ok(all)
    }

    fn skip(&mut self, kind: u8, depth: u8) -> Read<()> {
        if depth >= MAX_DEPTH {
            return Err(malformed("it nests deeper than 64"));
        }
        match kind {
            BOOL | BYTE => self.bytes(1).map(drop),
            I16 => self.bytes(2).map(drop),
            I32 => self.bytes(4).map(drop),
            I64 | DOUBLE => self.bytes(8).map(drop),
            STRING => self.binary().map(drop),
            STRUCT => loop {
                let kind = self.byte()?;
                if kind == STOP {
                    return Ok(());
                }
                self.bytes(2)?;
                self.skip(kind, depth + 1)?;
            },
            LIST | SET => {
                let kind = self.byte()?;
                let n = self.length(1)?;
                (0..n).try_for_each(|_| self.skip(kind, depth + 1))
            }
            MAP => {
                let (key, value) = (self.byte()?, self.byte()?);
                let n = self.length(2)?;
                (0..n).try_for_each(|_| {
                    self.skip(key, depth + 1)?;
                    self.skip(value, depth + 1)
                })
            }
            other => Err(malformed(format!("it has a value of the unknown type {other}"))),
        }
    }

    fn process(&mut self) -> Read<(String, Vec<KeyValue>)> {
        let mut out = (String::new(), Vec::new());
        self.fields(|r, id, kind| {
            match (id, kind) {
                (1, STRING) => out.0 = r.string()?,
                (2, LIST) => out.1 = r.list(Reader::tag)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(out)
    }

    fn tag(&mut self) -> Read<KeyValue> {
        let (mut key, mut of) = (String::new(), 0);
        let (mut text, mut double, mut truth, mut long, mut bytes) =
            (String::new(), 0.0, false, 0, Vec::new());
        self.fields(|r, id, kind| {
            match (id, kind) {
                (1, STRING) => key = r.string()?,
                (2, I32) => of = r.i32()?,
                (3, STRING) => text = r.string()?,
                (4, DOUBLE) => double = f64::from_be_bytes(r.array()?),
                (5, BOOL) => truth = r.byte()? != 0,
                (6, I64) => long = r.i64()?,
                (7, STRING) => bytes = r.binary()?.to_vec(),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let value = match of {
            1 => Value::DoubleValue(double),
            2 => Value::BoolValue(truth),
            3 => Value::IntValue(long),
            4 => Value::BytesValue(bytes),
            _ => Value::StringValue(text),
        };
        Ok(attribute(key, value))
    }

    fn span(&mut self) -> Read<JaegerSpan> {
        let mut span = JaegerSpan::default();
        let (mut low, mut high, mut parent) = (0, 0, 0);
        self.fields(|r, id, kind| {
            match (id, kind) {
                (1, I64) => low = r.i64()?,
                (2, I64) => high = r.i64()?,
                (3, I64) => span.span_id = r.i64()?.to_be_bytes().to_vec(),
                (4, I64) => parent = r.i64()?,
                (5, STRING) => span.name = r.string()?,
                (6, LIST) => span.references = r.list(Reader::reference)?,
                (7, I32) => span.flags = r.i32()?.cast_unsigned(),
                (8, I64) => span.start_ns = micros(r.i64()?),
                (9, I64) => span.duration_ns = micros(r.i64()?),
                (10, LIST) => span.tags = r.list(Reader::tag)?,
                (11, LIST) => span.logs = r.list(Reader::log)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        span.trace_id = trace_id(high, low);
        span.parent = (parent != 0).then(|| parent.to_be_bytes().to_vec());
        Ok(span)
    }

    fn reference(&mut self) -> Read<Reference> {
        let (mut out, mut low, mut high) = (Reference { child_of: true, ..Reference::default() }, 0, 0);
        self.fields(|r, id, kind| {
            match (id, kind) {
                (1, I32) => out.child_of = r.i32()? == 0,
                (2, I64) => low = r.i64()?,
                (3, I64) => high = r.i64()?,
                (4, I64) => out.span_id = r.i64()?.to_be_bytes().to_vec(),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        out.trace_id = trace_id(high, low);
        Ok(out)
    }

    fn log(&mut self) -> Read<(u64, Vec<KeyValue>)> {
        let mut out = (0, Vec::new());
        self.fields(|r, id, kind| {
            match (id, kind) {
                (1, I64) => out.0 = micros(r.i64()?),
                (2, LIST) => out.1 = r.list(Reader::tag)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(out)
    }
}

fn micros(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0).saturating_mul(1_000)
}

fn trace_id(high: i64, low: i64) -> Vec<u8> {
    [high.to_be_bytes(), low.to_be_bytes()].concat()
}
