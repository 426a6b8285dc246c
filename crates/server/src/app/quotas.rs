//! Hands the quotas of organisations to the telemetry store, and ends what it keeps of those that are being deleted.
//!
//! In:     organisations as the state store has them, every few seconds; the configured limits.
//! Out:    settings in force in the telemetry store, which keeps them itself from then on.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ph_model::OrgId;
use ph_store::{Embedded, Error, Limits};

use super::AppState;

/// How soon a change is in force.
const EVERY: Duration = Duration::from_secs(5);

/// Runs until the server stops.
pub(super) async fn run(app: AppState, telemetry: Arc<Embedded>) {
    let mut every = tokio::time::interval(EVERY);
    let mut ended = HashSet::new();
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let all = match app.state.organisation_statuses().await {
            Ok(all) => all,
            Err(e) => {
                tracing::warn!(error = %e, "list organisations");
                continue;
            }
        };
        if let Err(e) = apply(&telemetry, &app.config.limits, &all, &mut ended).await {
            tracing::warn!(error = %e, "hand quotas to the telemetry store");
        }
    }
}

/// Puts limits in force; removes organisations that are being deleted, once.
pub(super) async fn apply(
    telemetry: &Embedded,
    limits: &Limits,
    all: &[(OrgId, String)],
    ended: &mut HashSet<OrgId>,
) -> Result<(), Error> {
    for (org, status) in all {
        if status != "deleting" {
            telemetry.reconfigure(*org, |settings| settings.limits = limits.clone()).await?;
        } else if !ended.contains(org) {
            telemetry.remove_org(*org).await?;
            ended.insert(*org);
            tracing::info!(%org, "telemetry of a deleted organisation is gone");
        }
    }
    Ok(())
}
