//! Words on standard error: gaps, markers, the summary.

use ph_api::{LogGap, LogMarker, LogSummary};

use super::Tally;
use super::ansi::{self, Ansi};
use crate::size;

pub fn tamed(text: &str) -> String {
    let mut out = Vec::new();
    ansi::write(text.as_bytes(), &[], Ansi::Strip, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// `gap web-1 app: …`
pub fn gap(gap: &LogGap) -> String {
    let name =
        if gap.source_name.is_empty() { String::new() } else { format!(" {}", tamed(&gap.source_name)) };
    let about = if gap.exact { "" } else { "about " };
    let mut size = String::new();
    if let Some(lines) = gap.lines {
        size = format!(" ({about}{} lines)", size::count(lines));
    } else if let Some(bytes) = gap.bytes {
        size = format!(" ({about}{})", size::shown(bytes));
    }
    format!("gap{name}: {}{size}", tamed(&gap.text))
}

/// `-- web-1 app restarted, exit code 137, OOMKilled`
pub fn marker(name: &str, marker: &LogMarker) -> String {
    let code = marker.exit_code.map_or_else(String::new, |c| format!(", exit code {c}"));
    let reason =
        if marker.reason.is_empty() { String::new() } else { format!(", {}", tamed(&marker.reason)) };
    format!("-- {} {}{code}{reason}", tamed(name), marker.kind)
}

fn of(read: u32, known: u32, what: &str) -> String {
    format!("{} of {} {what}", size::count(u64::from(read)), size::count(u64::from(known)))
}

/// `-- 14 of 14 files, 1 gap · scanned 3.1 GiB in 1.4 s · 412,380 lines, 14 matched`
pub fn summary(s: &LogSummary, tally: Tally) -> String {
    let mut parts = Vec::new();
    let mut read = match (s.files_known, s.sources_known) {
        (0, 0) => String::new(),
        (0, known) => of(s.sources_read, known, "sources"),
        (known, _) => of(s.files_read, known, if known == 1 { "file" } else { "files" }),
    };
    if s.gaps > 0 {
        let gaps = format!("{} {}", size::count(s.gaps), if s.gaps == 1 { "gap" } else { "gaps" });
        read = if read.is_empty() { gaps } else { format!("{read}, {gaps}") };
    }
    parts.extend(Some(read).filter(|r| !r.is_empty()));
    if s.scanned_bytes > 0 {
        parts.push(format!("scanned {} in {}", size::shown(s.scanned_bytes), took(s.took_ms)));
    }
    let mut lines = format!("{} lines", size::count(s.lines.max(tally.records)));
    if s.lines > tally.matches {
        lines.push_str(&format!(", {} shown", size::count(tally.records)));
    }
    parts.push(lines);
    if s.unknown_levels > 0 {
        parts.push(format!("{} left out for their level is unknown", size::count(s.unknown_levels)));
    }
    if s.cut_lines > 0 {
        parts.push(format!("{} cut", size::count(s.cut_lines)));
    }
    let masked: u64 = s.redactions.values().sum();
    if masked > 0 {
        parts.push(format!("{} values masked", size::count(masked)));
    }
    if s.seek == "assumed_ordered" {
        parts.push("begin found by bisection".to_owned());
    }
    match s.stopped.as_str() {
        "done" | "" => {}
        why => parts.push(format!("stopped by {why}")),
    }
    if s.completeness == "unproven" {
        parts.push("completeness cannot be proven".to_owned());
    }
    format!("-- {}", parts.join(" · "))
}

fn took(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        _ => format!("{:.1} s", ms as f64 / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_what_was_read_and_what_is_missing() {
        let s = LogSummary {
            files_read: 14,
            files_known: 14,
            scanned_bytes: 3_328_599_654,
            lines: 412_380,
            gaps: 1,
            took_ms: 1_400,
            unknown_levels: 26,
            stopped: "rows".into(),
            ..LogSummary::default()
        };
        let tally = Tally { records: 14, matches: 14, ..Tally::default() };
        assert_eq!(
            summary(&s, tally),
            "-- 14 of 14 files, 1 gap · scanned 3.1 GiB in 1.4 s · 412,380 lines, 14 shown · 26 left out for their \
             level is unknown · stopped by rows"
        );
    }

    #[test]
    fn a_gap_cannot_move_the_terminal() {
        let g = LogGap {
            kind: "rotated_away".into(),
            source: None,
            source_name: "web\u{1b}[2J-1".into(),
            from: None,
            to: None,
            bytes: None,
            lines: Some(1_204),
            exact: false,
            text: "segments before 0.log were removed".into(),
        };
        assert_eq!(gap(&g), "gap web-1: segments before 0.log were removed (about 1,204 lines)");
    }
}
