//! OTLP/JSON, read straight into the protobuf types: nothing of the body is held twice.
//!
//! In:     ids in hex, enums as numbers or names, 64-bit numbers as strings or numbers, bytes in base64, names in lowerCamel
//!         or snake case, `null` for a field that is not set.
//! Out:    a request, and how many fields nobody knows.
//! Source: OTLP specification 1.x, "JSON Protobuf Encoding"; protobuf's JSON mapping.

mod logs;
mod metrics;
mod scalar;
mod shared;
mod traces;

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use ph_model::Signal;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::Error;
use crate::sink::{Export, Taken};
use crate::weigh::Room;

/// Fields and enum names that no release of the protocol known here has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unknown {
    pub count: u64,
    /// The first of them.
    pub example: String,
}

impl Unknown {
    /// Adds to an answer what was passed over.
    pub fn told(self, mut taken: Taken) -> Taken {
        if self.count > 0 {
            let text = format!("unknown fields passed over: {} (for example {})", self.count, self.example);
            taken.reason = if taken.reason.is_empty() { text } else { format!("{}; {text}", taken.reason) };
        }
        taken
    }
}

/// Reads one request of OTLP/JSON.
pub fn from_json(signal: Signal, body: &[u8]) -> Result<(Export, Unknown), Error> {
    let cx = Cx(RefCell::default(), Room::of(body));
    let export = match signal {
        Signal::Metrics | Signal::Exemplars => {
            Export::Metrics(whole::<ExportMetricsServiceRequest>(body, &cx)?)
        }
        Signal::Logs | Signal::Events => Export::Logs(whole::<ExportLogsServiceRequest>(body, &cx)?),
        Signal::Spans => Export::Traces(whole::<ExportTraceServiceRequest>(body, &cx)?),
    };
    Ok((export, cx.0.into_inner()))
}

fn whole<T: Message>(body: &[u8], cx: &Cx) -> Result<T, Error> {
    let malformed =
        |e: serde_json::Error| Error::Malformed { what: "OTLP/JSON request", reason: e.to_string() };
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = Whole::<T>(cx, PhantomData).deserialize(&mut reader);
    if cx.1.is_over() {
        return Err(cx.1.too_large());
    }
    let read = read.map_err(malformed)?;
    reader.end().map_err(malformed)?;
    Ok(read.unwrap_or_default())
}

/// What is noted while one request is read, and the room for it.
struct Cx(RefCell<Unknown>, Room);

impl Cx {
    fn unknown(&self, name: &str) {
        let mut unknown = self.0.borrow_mut();
        if unknown.count == 0 {
            unknown.example = name.chars().take(80).collect();
        }
        unknown.count += 1;
    }
}

/// A message whose fields are read one by one.
trait Message: Sized + Default {
    /// Reads the value of the field `name`; `false` when there is no such field, and nothing was read.
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error>;
}

/// One message; `None` for `null`.
struct Whole<'a, T>(&'a Cx, PhantomData<T>);

impl<'de, T: Message> DeserializeSeed<'de> for Whole<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Option<T>, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, T: Message> Visitor<'de> for Whole<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<T>, A::Error> {
        let mut message = T::default();
        while let Some(name) = map.next_key_seed(scalar::Name)? {
            if !message.field(&name, &mut map, self.0)? {
                self.0.unknown(&name);
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Some(message))
    }
}

/// A list of messages; `null` is an empty one, and a `null` in it an empty message.
struct List<'a, T>(&'a Cx, PhantomData<T>);

impl<'de, T: Message> DeserializeSeed<'de> for List<'_, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Vec<T>, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, T: Message> Visitor<'de> for List<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_unit<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = seq.next_element_seed(Whole::<T>(self.0, PhantomData))? {
            if !self.0.1.take::<T>() {
                return Err(A::Error::custom("it does not fit into memory"));
            }
            all.push(one.unwrap_or_default());
        }
        Ok(all)
    }
}

/// The next value as a message.
fn one<'de, T: Message, A: MapAccess<'de>>(map: &mut A, cx: &Cx) -> Result<Option<T>, A::Error> {
    map.next_value_seed(Whole::<T>(cx, PhantomData))
}

/// The next value as a list of messages.
fn list<'de, T: Message, A: MapAccess<'de>>(map: &mut A, cx: &Cx) -> Result<Vec<T>, A::Error> {
    map.next_value_seed(List::<T>(cx, PhantomData))
}

#[cfg(test)]
mod tests;
