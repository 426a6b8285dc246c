//! Numbers instead of lines, counted by the agents.

use ph_api::{LogCount, LogCountAsk, LogQuery, LogSelect, LogSources, LogSourcesAsk, LogSummary};

use super::Reading;
use super::history::added;
use super::resolve::written;
use crate::api::Api;
use crate::commands::logs::ask::Aggregate;
use crate::commands::logs::numbers;
use crate::commands::logs::output::Output;
use crate::failure::Failure;

/// Counts and prints.
pub async fn run(
    reading: &Reading<'_>,
    by: &Aggregate,
    (query, out): (&LogQuery, &mut Output),
) -> Result<LogSummary, Failure> {
    let query = LogQuery { mode: Some("all".into()), follow: false, ..query.clone() };
    let (kind, field, buckets) = match by {
        Aggregate::PerSource | Aggregate::SourcesOnly => {
            return per_source(reading, by, (query, out)).await;
        }
        Aggregate::Time { buckets } => ("time", None, *buckets),
        Aggregate::Field { name, most } if name == "level" => ("level", None, *most),
        Aggregate::Field { name, most } => ("field", Some(name.clone()), *most),
        Aggregate::Pattern { most } => ("pattern", None, *most),
    };
    let count =
        count(reading.api, LogCountAsk { query, by: Some(kind.into()), field, buckets: Some(buckets) })
            .await?;
    for gap in &count.gaps {
        out.gap(gap)?;
    }
    numbers::write(by, &count, out)?;
    out.counted(count.summary.matches);
    Ok(count.summary)
}

async fn count(api: &Api, ask: LogCountAsk) -> Result<LogCount, Failure> {
    api.post("logs/count", &ask).await
}

/// One question for each source: the server counts over all sources together.
async fn per_source(
    reading: &Reading<'_>,
    by: &Aggregate,
    (query, out): (LogQuery, &mut Output),
) -> Result<LogSummary, Failure> {
    let api = reading.api;
    let list: LogSources =
        api.post("logs/sources", &LogSourcesAsk { sources: query.sources.clone() }).await?;
    for gap in &list.gaps {
        out.gap(gap)?;
    }
    let mut summary = LogSummary::default();
    let mut rows = Vec::new();
    for source in &list.sources {
        let select = LogSelect {
            cluster: Some(source.cluster.clone()),
            namespace: Some(source.namespace.clone()).filter(|n| !n.is_empty()),
            pod: Some(source.pod.clone()).filter(|n| !n.is_empty()),
            pod_uid: Some(source.pod_uid.clone()).filter(|n| !n.is_empty()),
            container: Some(source.container.clone()),
            ..LogSelect::default()
        };
        let query = LogQuery { sources: vec![select], ..query.clone() };
        let answer =
            count(api, LogCountAsk { query, by: Some("level".into()), ..LogCountAsk::default() }).await?;
        for gap in &answer.gaps {
            out.gap(gap)?;
        }
        rows.push((written(source), answer.summary.matches));
        reading.add(&answer.summary);
        summary = added(summary, answer.summary);
    }
    numbers::sources(by, &rows, out)?;
    out.counted(summary.matches);
    Ok(summary)
}
