//! The contract's records as lines.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ph_api::{LogRecord, LogSource};
use ph_model::{Level, LogFlags};

use crate::commands::logs::line::{Cursor, Line, Source};
use crate::commands::logs::output::Output;
use crate::failure::Outcome;

/// A server's source as the output names it.
pub fn source(s: &LogSource) -> Source {
    Source {
        cluster: s.cluster.clone(),
        namespace: s.namespace.clone(),
        pod: s.pod.clone(),
        pod_uid: s.pod_uid.clone(),
        container: s.container.clone(),
        node: s.node.clone(),
        ..Source::default()
    }
}

/// Tells the output which sources follow.
pub fn sources(out: &mut Output, sources: &[LogSource]) -> Outcome {
    out.sources(sources.iter().map(source).collect())
}

/// Writes records; true when the output has enough.
pub fn write(out: &mut Output, records: &[LogRecord]) -> Outcome {
    for record in records {
        if out.is_enough() {
            break;
        }
        let exact = record.message_b64.as_ref().and_then(|b| STANDARD.decode(b).ok());
        out.line(&Line {
            source: record.source as usize,
            ts_ns: ns(&record.ts).unwrap_or_default(),
            stream: match record.stream.as_str() {
                "" => "unknown",
                other => other,
            },
            level: Some(Level::parse(&record.level).unwrap_or_default()),
            message: exact.as_deref().unwrap_or(record.message.as_bytes()),
            full_bytes: record.full_bytes.unwrap_or_default(),
            flags: flags(&record.flags),
            restart: record.restart,
            cursor: Cursor::Text(&record.cursor),
            origin: &record.origin,
            fields: Some(&record.fields).filter(|f| !f.is_empty()),
        })?;
    }
    Ok(())
}

/// ns UTC of RFC 3339.
pub fn ns(text: &str) -> Option<i64> {
    let at: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok()
}

pub fn is_context(record: &LogRecord) -> bool {
    record.flags.iter().any(|f| f == "context")
}

fn flags(names: &[String]) -> LogFlags {
    let all = LogFlags(u16::MAX);
    let known: Vec<&str> = all.names().collect();
    let bit = |name: &String| known.iter().position(|k| k == name).map_or(0, |i| 1_u16 << i);
    LogFlags(names.iter().fold(0, |sum, name| sum | bit(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_back_by_their_names() {
        let set = LogFlags::TRUNCATED.with(LogFlags::MASKED).with(LogFlags::LATE);
        let names: Vec<String> = set.names().map(str::to_owned).collect();
        assert_eq!(flags(&names), set);
        assert_eq!(flags(&["of a newer server".to_owned()]), LogFlags::default());
    }
}
