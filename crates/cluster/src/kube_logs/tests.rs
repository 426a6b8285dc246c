//! Reading over a fake API server: what it cannot be asked to do on a real one, it does here.

mod choosing;
mod cuts;
pub mod kubelet;
mod lives;
mod many;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use ph_filter::{Compiled, Filter};
use tokio_util::sync::CancellationToken;

use super::*;
use kubelet::Kubelet;

/// Short waits, so that cuts and silences of a test take no time.
pub fn brisk() -> Timing {
    Timing {
        answer: Duration::from_millis(600),
        retry_first: Duration::from_millis(5),
        retry_most: Duration::from_millis(20),
        silence: Duration::from_millis(300),
        poll: Duration::from_millis(5),
    }
}

pub fn ask(extent: Extent) -> LogAsk {
    LogAsk { extent, timing: brisk(), ..LogAsk::default() }
}

pub fn containing(text: &str) -> Arc<Compiled> {
    Arc::new(Compiled::new(&Filter::contains(text)).unwrap())
}

pub fn everywhere() -> Choice {
    Choice { namespaces: vec!["shop".into()], containers: Containers::All, ..Choice::default() }
}

/// All that a reading gave.
#[derive(Default, Debug)]
pub struct Seen {
    pub sources: Vec<String>,
    /// `pod/container text`
    pub lines: Vec<String>,
    pub records: Vec<Record>,
    pub gaps: Vec<Gap>,
    pub markers: Vec<Marker>,
    pub notices: Vec<String>,
    pub summary: Option<Summary>,
    pub failed: Option<String>,
}

impl Seen {
    pub fn take(&mut self, event: LogEvent) {
        match event {
            LogEvent::Joined(s) => self.sources.push(format!("{}/{}", s.pod, s.container)),
            LogEvent::Records(records) => {
                for r in records {
                    let text = String::from_utf8_lossy(&r.message).into_owned();
                    self.lines.push(format!("{} {text}", self.sources[r.source]));
                    self.records.push(r);
                }
            }
            LogEvent::Gap(gap) => self.gaps.push(gap),
            LogEvent::Marker(marker) => self.markers.push(marker),
            LogEvent::Notice(text) => self.notices.push(text),
            LogEvent::Progress { .. } => {}
            LogEvent::Failed { text, .. } => self.failed = Some(text),
            LogEvent::Summary(summary) => self.summary = Some(summary),
        }
    }

    pub fn kinds(&self) -> Vec<&str> {
        self.gaps.iter().map(|g| g.kind).collect()
    }
}

/// A reading to its end.
pub async fn read(kubelet: &Kubelet, choice: Choice, ask: LogAsk) -> Seen {
    let mut events = KubeLogs::open(kubelet.client(), choice, ask, CancellationToken::new());
    let mut seen = Seen::default();
    while let Some(event) = events.next().await {
        seen.take(event);
    }
    assert!(seen.summary.is_some() || seen.failed.is_some(), "{seen:?}");
    seen
}

/// A follow, looked at until what is waited for is there.
pub struct Follow {
    events: Box<dyn futures::Stream<Item = LogEvent> + Send + Unpin>,
    pub seen: Seen,
    stop: CancellationToken,
}

impl Follow {
    pub fn start(kubelet: &Kubelet, choice: Choice, ask: LogAsk) -> Self {
        let stop = CancellationToken::new();
        let ask = LogAsk { follow: true, ..ask };
        let events = Box::new(KubeLogs::open(kubelet.client(), choice, ask, stop.clone()));
        Self { events, seen: Seen::default(), stop }
    }

    pub async fn until(&mut self, enough: impl Fn(&Seen) -> bool) {
        let wait = async {
            while !enough(&self.seen) {
                let Some(event) = self.events.next().await else { return };
                self.seen.take(event);
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        assert!(waited.is_ok() && enough(&self.seen), "{:?}", self.seen);
    }

    pub async fn end(mut self) -> Seen {
        self.stop.cancel();
        while let Some(event) = self.events.next().await {
            self.seen.take(event);
        }
        self.seen
    }
}
