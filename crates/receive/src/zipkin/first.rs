//! The first version: what a span is and when it was stands in annotations of fixed names.

use serde::Deserialize;
use serde_json::Value;

use super::{Annotation, Endpoint, ZipkinSpan, from_json};
use crate::error::Error;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FirstSpan {
    trace_id: String,
    id: String,
    parent_id: Option<String>,
    name: Option<String>,
    timestamp: Option<u64>,
    duration: Option<u64>,
    annotations: Option<Vec<Timed>>,
    binary_annotations: Option<Vec<Binary>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Timed {
    timestamp: u64,
    value: String,
    endpoint: Option<Endpoint>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Binary {
    key: String,
    value: Value,
    endpoint: Option<Endpoint>,
}

/// Annotation at the start, at the end, the kind, and the address annotation of the other side.
const SIDES: [(&str, &str, &str, &str); 4] = [
    ("sr", "ss", "SERVER", "ca"),
    ("cs", "cr", "CLIENT", "sa"),
    ("ms", "ws", "PRODUCER", "ma"),
    ("mr", "wr", "CONSUMER", "ma"),
];

pub(super) fn spans(body: &[u8]) -> Result<Vec<ZipkinSpan>, Error> {
    Ok(from_json::<FirstSpan>(body)?.into_iter().flat_map(span).collect())
}

/// One span, or two where client and server wrote into one.
fn span(first: FirstSpan) -> Vec<ZipkinSpan> {
    let annotations = first.annotations.unwrap_or_default();
    let binary = first.binary_annotations.unwrap_or_default();
    let at = |name: &str| annotations.iter().find(|a| a.value == name);
    let mut sides: Vec<_> =
        SIDES.iter().filter(|(from, to, ..)| at(from).is_some() || at(to).is_some()).map(Some).collect();
    if sides.is_empty() {
        sides.push(None);
    }
    let shared = sides.len() > 1;
    let core = |value: &str| SIDES.iter().any(|(from, to, ..)| value == *from || value == *to);
    sides
        .into_iter()
        .map(|side| {
            let begun = side.and_then(|(from, ..)| at(from));
            let ended = side.and_then(|(_, to, ..)| at(to));
            let own = begun.or(ended).and_then(|a| a.endpoint.clone());
            let anywhere = || {
                let timed = annotations.iter().find_map(|a| a.endpoint.clone());
                timed.or_else(|| {
                    binary.iter().find(|b| !b.value.is_boolean()).and_then(|b| b.endpoint.clone())
                })
            };
            let local = own.clone().or_else(anywhere);
            let here = |endpoint: &Option<Endpoint>| !shared || endpoint.is_none() || *endpoint == own;
            let remote =
                side.and_then(|(.., address)| binary.iter().find(|b| b.key == *address && b.value == true));
            let from = begun
                .map(|a| a.timestamp)
                .filter(|_| shared)
                .or(first.timestamp)
                .or(begun.map(|a| a.timestamp));
            let until = ended.map(|a| a.timestamp);
            let timed = from.zip(until).map(|(from, until)| until.saturating_sub(from));
            ZipkinSpan {
                trace_id: first.trace_id.clone(),
                id: first.id.clone(),
                parent_id: first.parent_id.clone(),
                name: first.name.clone(),
                kind: side.map(|(_, _, kind, _)| (*kind).to_owned()),
                timestamp: from,
                duration: if shared { timed } else { first.duration.or(timed) },
                local_endpoint: local,
                remote_endpoint: remote.and_then(|b| b.endpoint.clone()),
                annotations: Some(
                    annotations
                        .iter()
                        .filter(|a| !core(&a.value) && here(&a.endpoint))
                        .map(|a| Annotation { timestamp: a.timestamp, value: a.value.clone() })
                        .collect(),
                ),
                tags: Some(
                    binary
                        .iter()
                        .filter(|b| !matches!(b.key.as_str(), "sa" | "ca" | "ma") && here(&b.endpoint))
                        .map(|b| (b.key.clone(), plain(&b.value)))
                        .collect(),
                ),
                shared: Some(shared),
            }
        })
        .collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
