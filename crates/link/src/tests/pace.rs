//! Echoes beside bulk on one link.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::bed::*;
use crate::v1;
use crate::v1::exec_client::ExecClient;
use crate::v1::logs_client::LogsClient;

/// 50 MB/s of log batches beside a terminal: every echo arrives, and a stalled reader of bulk stalls nothing else.
///
/// Prints the percentiles; `cargo test -p ph-link --release pace -- --nocapture` shows them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echoes_pass_bulk_and_stalled_readers() {
    let (ca, tls) = authority();
    let mut gateway = gateway_at(None, Some(tls)).await;
    let url = format!("https://localhost:{}", gateway.addr.port());
    let origin = crate::Origin::with_proxy(&url, Some(ca.as_bytes()), &Default::default()).unwrap();
    let _agent = agent_with(origin, identity(), timing());
    let (_, session) = gateway.next().await.unwrap();

    let open = |rate| {
        let open = v1::ReadOpen { budget_bytes: rate, ..Default::default() };
        v1::ReadControl { m: Some(v1::read_control::M::Open(open)) }
    };
    // Twenty readers that never read: their windows fill and stay full.
    let mut stalled = Vec::new();
    for _ in 0..20 {
        let ask = tokio_stream::once(open(1_000_000_000));
        stalled.push(LogsClient::new(session.channel()).read(ask).await.unwrap().into_inner());
    }
    let mut bulk = LogsClient::new(session.channel())
        .read(tokio_stream::once(open(50_000_000)))
        .await
        .unwrap()
        .into_inner();
    let (count, mut counted) = mpsc::channel(1);
    let bulk_task = gateway.tasks.spawn(async move {
        let mut bytes = 0_u64;
        while let Ok(Some(event)) = bulk.message().await {
            if let Some(v1::read_event::M::Batch(batch)) = event.m {
                bytes += batch.payload.len() as u64;
            }
            if count.is_closed() {
                break;
            }
            let _ = count.try_send(());
        }
        bytes
    });
    counted.recv().await.unwrap();

    let (send, feed) = mpsc::channel(1);
    let mut out =
        ExecClient::new(session.channel()).run(ReceiverStream::new(feed)).await.unwrap().into_inner();
    let began = Instant::now();
    let mut took = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(3));
    for _ in 0..500 {
        ticks.tick().await;
        let sent = Instant::now();
        send.send(v1::ExecIn { m: Some(v1::exec_in::M::Stdin("k".into())) }).await.unwrap();
        out.message().await.unwrap().unwrap();
        took.push(sent.elapsed());
    }
    let seconds = began.elapsed().as_secs_f64();
    drop(counted);
    let bytes = bulk_task.await.unwrap();
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!(
        "echo beside {:.0} MB/s of bulk over TLS, 20 stalled readers: p50 {:?} p99 {:?} max {:?}",
        bytes as f64 / seconds / 1e6,
        at(0.5),
        at(0.99),
        at(1.0)
    );
    assert!(bytes > 1_000_000, "the bulk flowed meanwhile: {bytes} bytes");
}
