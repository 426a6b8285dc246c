//! What the server does for itself: renews its certificate, sweeps what expired, anchors the audit heads in the log.

use std::sync::Arc;
use std::time::Duration;

use ph_access::{Permission, TenantCtx};

use super::AppState;
use crate::gateway::tls::Certificates;

const ANCHOR: Duration = Duration::from_secs(300);
const SWEEP: Duration = Duration::from_secs(3600);

/// Runs until the server stops.
pub(super) async fn run(app: AppState, certificates: Option<Arc<Certificates>>) {
    let mut anchor = tokio::time::interval(ANCHOR);
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            _ = anchor.tick() => anchor_heads(&app).await,
            _ = sweep.tick() => {
                sweep_expired(&app).await;
                if let Some(certificates) = &certificates {
                    renew(&app, certificates).await;
                }
            }
        }
    }
}

async fn sweep_expired(app: &AppState) {
    match app.state.sweep_credentials(app.clock.now_ms()).await {
        Ok(swept) => tracing::debug!(swept, "swept expired credentials"),
        Err(e) => tracing::warn!(error = %e, "sweep expired credentials"),
    }
}

async fn renew(app: &AppState, certificates: &Arc<Certificates>) {
    let (certificates, now) = (certificates.clone(), app.clock.now_ms());
    let renewed = tokio::task::spawn_blocking(move || certificates.renew(now)).await;
    match renewed {
        Ok(Ok(true)) => tracing::info!("renewed the certificate"),
        Ok(Ok(false)) => {}
        Ok(Err(e)) => tracing::error!(error = %e, "renew the certificate"),
        Err(e) => tracing::error!(error = %e, "renew the certificate"),
    }
}

/// A signed line per organisation: whoever keeps the log can prove later what the chain was.
async fn anchor_heads(app: &AppState) {
    let orgs = match app.state.organisation_ids().await {
        Ok(orgs) => orgs,
        Err(e) => return tracing::warn!(error = %e, "list organisations"),
    };
    for org in orgs {
        let ctx = TenantCtx::system(org, "audit-anchor");
        match app.state.audit_head(&ctx).await {
            Ok(head) if head.seq > 0 => {
                let hash: String = head.hash.iter().map(|b| format!("{b:02x}")).collect();
                let text = format!("{org} {} {hash}", head.seq);
                let signature =
                    app.auth.keyring().signing().sign(Permission::AuditVerify.as_str(), text.as_bytes());
                tracing::info!(%org, seq = head.seq, hash, signature, "audit head");
            }
            Ok(_) => {}
            Err(e) => tracing::warn!(error = %e, "read the audit head"),
        }
    }
}
