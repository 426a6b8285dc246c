//! Prometheus remote write into the store.

use axum::extract::{Request, State};
use axum::response::Response;
use ph_model::Labels;
use ph_receive::Error;
use ph_receive::remote_write::{self, Outcome, Written};
use ph_store::MetricFacts;

use super::keep::{Keep, told};
use super::routes::{keep, sent};
use super::sender::refusal;
use super::{Refused, Stamp, refuse_many};
use crate::app::AppState;

/// `POST /api/v1/write`, `POST /prometheus/api/v1/write`.
pub async fn take(State(app): State<AppState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let keep = match keep(&app, &parts).await {
        Ok(keep) => keep,
        Err(error) => return sent(remote_write::refused(&parts.headers, &error)),
    };
    let door = (&app.ingest.door, &keep.sender.limits());
    let read = remote_write::read(door, (&parts.headers, body)).await;
    let stored = match read {
        Ok((version, written, _admitted)) => store(&keep, written).await.map(|outcome| (version, outcome)),
        Err(error) => Err(error),
    };
    sent(match stored {
        Ok((version, outcome)) => remote_write::answered(version, &outcome),
        Err(error) => remote_write::refused(&parts.headers, &error),
    })
}

async fn store(keep: &Keep<'_>, written: Written) -> Result<Outcome, Error> {
    let mut refused: Vec<Refused> = Vec::new();
    let (bad, example) = written.bad_labels;
    refuse_many(&mut refused, "invalid_labels", bad, || example);
    refuse_many(&mut refused, "native_histograms_unsupported", written.histograms, || {
        "send classic ones".into()
    });
    let mut series = written.series;
    for s in &mut series {
        s.labels = stamped(&s.labels, &keep.sender.stamp);
    }
    let failed = |problem| Error::Sink(refusal(problem));
    let done = keep.series_done(series, &refused).await.map_err(failed)?;
    let facts: Vec<MetricFacts> = written
        .described
        .into_iter()
        .map(|d| MetricFacts {
            name: d.name,
            kind: d.kind,
            unit: d.unit,
            help: d.help,
            ..MetricFacts::default()
        })
        .collect();
    if !facts.is_empty() {
        // What is described is no sample: a full table of descriptions is told, and no sample goes again for it.
        if let Err(e) = keep.app.telemetry.describe(&keep.sender.ctx, facts).await {
            tracing::warn!(error = %e, "metrics are not described");
        }
    }
    let mut rows = written.exemplars;
    for row in &mut rows {
        row.series = stamped(&row.series, &keep.sender.stamp);
    }
    let exemplars = keep.exemplars(rows).await.map_err(failed)?;
    let all = told(&done, &refused);
    Ok(Outcome { samples: done.accepted, exemplars, rejected: all.rejected, reason: all.reason })
}

/// A series' labels with the cluster that the credential names, if it names one.
fn stamped(labels: &Labels, stamp: &Stamp) -> Labels {
    if stamp.cluster_name.is_empty() {
        return labels.clone();
    }
    let cluster = ("k8s.cluster.name", stamp.cluster_name.as_str());
    Labels::of(labels.iter().filter(|(name, _)| *name != cluster.0).chain([cluster]))
}
