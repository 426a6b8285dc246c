//! Quotas reach the telemetry store, and so does the end of an organisation.

use std::collections::HashSet;

use ph_access::TenantCtx;
use ph_model::{ErrorKind, LogRow};
use ph_store::{Batch, Keep, Limits, Retention, Rows, Store};

use super::Stack;
use crate::app::quotas::apply;

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_in_force_and_a_deleted_organisation_takes_nothing() {
    let stack = Stack::start_with(|config| config.limits.active_series = Some(77)).await;
    let (app, telemetry) = (&stack.running.app, &stack.running.telemetry);
    let all = app.state.organisation_statuses().await.unwrap();
    let org = all[0].0;
    assert_eq!(telemetry.settings(org).limits.active_series, Some(77), "since the start");
    let ctx = TenantCtx::system(org, "test");
    let line = LogRow { ts: app.clock.now_ms() * 1_000_000, ..LogRow::default() };
    let batch = Batch { id: None, rows: Rows::Logs(vec![line]) };
    assert_eq!(telemetry.append(&ctx, batch.clone()).await.unwrap().accepted, 1);
    let mut ended = HashSet::new();
    let deleting = [(org, "deleting".to_owned())];
    for _ in 0..2 {
        apply(telemetry, &app.config.limits, &deleting, &mut ended).await.unwrap();
    }
    assert_eq!(telemetry.append(&ctx, batch).await.unwrap_err().kind, ErrorKind::Denied);
    assert_eq!(telemetry.stats(&ctx).await.unwrap().rows, [0; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_limits_leaves_the_retention() {
    let stack = Stack::start().await;
    let (app, telemetry) = (&stack.running.app, &stack.running.telemetry);
    let all = app.state.organisation_statuses().await.unwrap();
    let ctx = TenantCtx::system(all[0].0, "test");
    let own = Retention { logs_days: 2, ..Retention::default() };
    telemetry.keep(&ctx, Keep { retention: Some(own), rules: Vec::new() }).await.unwrap();
    let limits = Limits { active_series: Some(5), ..Limits::default() };
    apply(telemetry, &limits, &all, &mut HashSet::new()).await.unwrap();
    let settings = telemetry.settings(ctx.org());
    assert_eq!((settings.limits, settings.retention), (limits, Some(own)));
}
