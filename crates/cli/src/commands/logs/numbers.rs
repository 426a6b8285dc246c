//! Counts as people and programs read them: histograms, most frequent values, patterns, lines of each source.

use std::collections::BTreeMap;

use ph_api::{LogBucket, LogCount};
use serde_json::json;

use super::agent::ns;
use super::ask::Aggregate;
use super::output::{Output, Stamp, shown};
use crate::failure::Outcome;
use crate::size;

/// Characters of the longest bar.
const BAR: u64 = 40;
/// Levels as columns of a histogram, the worst first.
const LEVELS: [&str; 7] = ["fatal", "error", "warn", "info", "debug", "trace", "unknown"];

/// Prints a count.
pub fn write(by: &Aggregate, count: &LogCount, out: &mut Output) -> Outcome {
    if out.is_json() {
        for bucket in &count.buckets {
            let mut object = json!({"type": "bucket", "key": bucket.key, "count": bucket.count});
            if let Some(object) = object.as_object_mut() {
                let more = [
                    ("from", &bucket.from),
                    ("to", &bucket.to),
                    ("example", &bucket.example),
                    ("cursor", &bucket.cursor),
                ];
                for (name, value) in more {
                    if let Some(value) = value {
                        object.insert(name.to_owned(), value.as_str().into());
                    }
                }
            }
            out.text(&format!("{object}\n"))?;
        }
        let rest = json!({"type": "other", "count": count.other, "exact": count.exact, "error": count.error});
        return out.text(&format!("{rest}\n"));
    }
    match by {
        Aggregate::Time { .. } => histogram(&count.buckets, out)?,
        _ => ranking(&count.buckets, out)?,
    }
    if count.other > 0 {
        let what = match by {
            Aggregate::Field { name, .. } => format!("without {name}, or with rarer values"),
            _ => "others".to_owned(),
        };
        out.text(&format!("{:>10}  ({})\n", size::count(count.other), shown(&what)))?;
    }
    if !count.exact {
        super::notice(&format!("counts may be too high by {} at most", size::count(count.error)));
    }
    Ok(())
}

/// Prints how many lines each source has, the most first; or the names of those that have any.
pub fn sources(by: &Aggregate, rows: &[(String, u64)], out: &mut Output) -> Outcome {
    let mut rows: Vec<&(String, u64)> = rows.iter().collect();
    if *by == Aggregate::SourcesOnly {
        rows.retain(|(_, n)| *n > 0);
    } else {
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    }
    for (name, n) in rows {
        let text = match (out.is_json(), by) {
            (true, _) => format!("{}\n", json!({"type": "source", "source": name, "count": n})),
            (false, Aggregate::SourcesOnly) => format!("{}\n", shown(name)),
            (false, _) => format!("{n:>10}  {}\n", shown(name)),
        };
        out.text(&text)?;
    }
    Ok(())
}

fn histogram(buckets: &[LogBucket], out: &mut Output) -> Outcome {
    // One row a step: its levels stand beside each other.
    let mut rows: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for bucket in buckets {
        let row = rows.entry(bucket.from.as_deref().unwrap_or_default()).or_default();
        *row.entry(bucket.key.as_str()).or_default() += bucket.count;
    }
    let most = rows.values().map(|r| r.values().sum::<u64>()).max().unwrap_or_default().max(1);
    for (from, levels) in &rows {
        let all: u64 = levels.values().sum();
        let mut line = Vec::new();
        match ns(from) {
            Some(at) => out.clock().write(&Stamp::Ms, at, 0, &mut line),
            None => line.extend_from_slice(from.as_bytes()),
        }
        let bar = "█".repeat((all * BAR).div_ceil(most) as usize);
        let named: Vec<String> = LEVELS
            .iter()
            .filter_map(|l| levels.get(l).filter(|n| **n > 0).map(|n| format!("{l} {}", size::count(*n))))
            .collect();
        let text = String::from_utf8_lossy(&line).into_owned();
        let row = format!("{text}  {:>10}  {bar:<40}  {}", size::count(all), named.join(", "));
        out.text(&format!("{}\n", row.trim_end()))?;
    }
    Ok(())
}

fn ranking(buckets: &[LogBucket], out: &mut Output) -> Outcome {
    let most = buckets.iter().map(|b| b.count).max().unwrap_or_default().max(1);
    for bucket in buckets {
        let bar = "█".repeat((bucket.count * 20).div_ceil(most) as usize);
        out.text(&format!("{:>10}  {bar:<20}  {}\n", size::count(bucket.count), shown(&bucket.key)))?;
    }
    Ok(())
}
