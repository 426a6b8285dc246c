//! Who may read which log: tickets of an agent's own cluster, checked by keys that were read inside the cluster.
//!
//! In:     what a read names, its ticket, the keys that the binary hands in.
//! Out:    the sources that the ticket covers, limits of its budget, and the moment when the right is over.
//! Never:  a key that came over the link; a read without a ticket on a Kubernetes node.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ph_access::{LogTicket, TicketFault, TicketTrust};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tonic::Status;

use crate::token::now_ms;
use crate::v1::{ReadOpen, SourceRef};

/// How long a stream outlives its last ticket.
const GRACE: Duration = Duration::from_secs(5);
/// An alarm that rings so late was set by a process that was stopped, or starved.
const LATE: Duration = Duration::from_secs(1);
/// How long a ticket of an unknown key waits for the keys to be read anew.
const KEY_PATIENCE: Duration = Duration::from_secs(4);
/// Every refusal begins with it, so that a gateway can tell it from a file that cannot be read.
const SUBJECT: &str = "log ticket";

/// Whose tickets count, handed in by the binary: this room knows no Kubernetes client.
#[derive(Clone, Debug, Default)]
pub struct LogTrust(Option<Trusted>);

#[derive(Clone, Debug)]
struct Trusted {
    known: watch::Receiver<TicketTrust>,
    wanted: Arc<Notify>,
}

/// The end that reads the keys.
#[derive(Debug)]
pub struct LogTrustFeed {
    known: watch::Sender<TicketTrust>,
    wanted: Arc<Notify>,
}

impl LogTrust {
    /// Nobody's tickets count. Docker and plain hosts need none; a Kubernetes node then refuses every read.
    pub fn none() -> Self {
        Self(None)
    }

    /// These keys and no others: of an agent that signs its cluster's tickets itself.
    pub fn of(trust: TicketTrust) -> Self {
        let known = watch::channel(trust).1;
        Self(Some(Trusted { known, wanted: Arc::default() }))
    }

    /// The feed sets keys first of all, then whenever they are wanted.
    pub fn channel() -> (LogTrustFeed, Self) {
        let (tell, known) = watch::channel(TicketTrust::default());
        let wanted = Arc::new(Notify::new());
        (LogTrustFeed { known: tell, wanted: wanted.clone() }, Self(Some(Trusted { known, wanted })))
    }
}

impl LogTrustFeed {
    pub fn set(&self, trust: TicketTrust) {
        self.known.send_replace(trust);
    }

    /// Returns when a ticket came that no known key signed; also for one that came before the call.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }
}

/// The check of this agent.
#[derive(Clone, Debug)]
pub struct Tickets {
    /// `None`: this host has no authority of its own; the platform's policy alone decides.
    trust: Option<LogTrust>,
    grace: Duration,
}

/// What of a read may go on.
#[derive(Debug)]
pub struct Admission {
    /// Indexes into the ask's sources, each with why it is refused. Never all of them.
    pub denied: Vec<(u32, String)>,
    pub lease: Lease,
}

impl Tickets {
    pub fn not_needed() -> Self {
        Self { trust: None, grace: GRACE }
    }

    pub fn required(trust: LogTrust) -> Self {
        Self { trust: Some(trust), grace: GRACE }
    }

    /// The same with another time that a stream outlives its last ticket; 5 s unless told.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Checks the ticket of `open` and cuts its budgets to what the ticket allows.
    ///
    /// # Errors
    /// `permission_denied` when it opens none of the sources; the text says why and what to do.
    pub async fn admit(&self, open: &mut ReadOpen) -> Result<Admission, Status> {
        let Some(trust) = &self.trust else {
            return Ok(Admission { denied: Vec::new(), lease: Lease::endless() });
        };
        let ticket = opened(trust, &open.ticket).await.map_err(|fault| refusal(&fault))?;
        let mut denied = Vec::new();
        let mut allowed = Vec::new();
        for (index, source) in (0_u32..).zip(&open.sources) {
            match covered(&ticket, source) {
                Ok(()) => allowed.push(source.clone()),
                Err(why) => denied.push((index, why)),
            }
        }
        if allowed.is_empty() {
            let why = denied.into_iter().next().map(|(_, why)| why).unwrap_or_default();
            return Err(Status::permission_denied(why));
        }
        cut(open, &ticket);
        let lease = Lease(Some(Arc::new(Held {
            trust: trust.clone(),
            sources: allowed,
            grace: self.grace,
            ends_ms: watch::Sender::new(ticket.expires_ms),
            fault: Mutex::new("it was not renewed".to_owned()),
        })));
        Ok(Admission { denied, lease })
    }
}

/// What of this node may be told.
#[derive(Debug)]
pub enum Listing {
    Everything,
    /// What the ticket names.
    Of(Box<LogTicket>),
}

impl Listing {
    pub fn covers(&self, source: &SourceRef) -> bool {
        match self {
            Self::Everything => true,
            Self::Of(ticket) => covered(ticket, source).is_ok(),
        }
    }
}

impl Tickets {
    /// Checks the ticket of a listing.
    ///
    /// # Errors
    /// `permission_denied` when it opens nothing; the text says why and what to do.
    pub async fn listing(&self, ticket: Bytes) -> Result<Listing, Status> {
        match &self.trust {
            None => Ok(Listing::Everything),
            Some(trust) => {
                let ticket = opened(trust, &ticket).await.map_err(|fault| refusal(&fault))?;
                Ok(Listing::Of(Box::new(ticket)))
            }
        }
    }
}

/// The ticket, if need be after the keys were read anew.
async fn opened(trust: &LogTrust, bytes: &[u8]) -> Result<LogTicket, TicketFault> {
    let Some(Trusted { known, wanted }) = &trust.0 else { return Err(TicketFault::UnknownKey) };
    let mut known = known.clone();
    let first = LogTicket::open(bytes, &known.borrow_and_update(), now_ms());
    if first != Err(TicketFault::UnknownKey) {
        return first;
    }
    wanted.notify_one();
    match tokio::time::timeout(KEY_PATIENCE, known.changed()).await {
        Ok(Ok(())) => LogTicket::open(bytes, &known.borrow(), now_ms()),
        _ => first,
    }
}

fn covered(ticket: &LogTicket, source: &SourceRef) -> Result<(), String> {
    if !source.container_id.is_empty() {
        return Err(format!(
            "{SUBJECT}: on a Kubernetes node a log is named by namespace, pod, pod_uid and container; leave container_id out"
        ));
    }
    let pod = (source.namespace.as_str(), source.pod.as_str(), source.pod_uid.as_str());
    if ticket.covers(pod, &source.container) {
        return Ok(());
    }
    let SourceRef { namespace, pod, container, .. } = source;
    Err(format!(
        "{SUBJECT}: it does not name {namespace}/{pod}/{container}; ask the cluster-agent for one that does"
    ))
}

fn refusal(fault: &TicketFault) -> Status {
    let next = match fault {
        TicketFault::Missing => {
            "this node asks for the cluster's own word: update the server and the cluster-agent, and apply the manifests of `pilothouse cluster join` again"
        }
        TicketFault::UnknownKey => {
            "look whether ConfigMap pilothouse-log-keys holds the cluster-agent's key and the node-agent may get it; the manifests of `pilothouse cluster join` grant it"
        }
        TicketFault::NotYet => "set the clocks of the nodes by NTP",
        TicketFault::Malformed | TicketFault::Forged | TicketFault::OtherCluster | TicketFault::Expired => {
            "ask the cluster-agent for a new one"
        }
    };
    Status::permission_denied(format!("{SUBJECT}: {fault}; {next}"))
}

fn cut(open: &mut ReadOpen, ticket: &LogTicket) {
    let least = |asked: u64, allowed: u64| if asked == 0 { allowed } else { asked.min(allowed) };
    open.budget_bytes = least(open.budget_bytes, ticket.budget.scanned_bytes);
    if let Some(rows) = ticket.budget.rows {
        open.max_rows = least(open.max_rows, rows);
        open.limit = least(open.limit, rows);
    }
    if let Some(ms) = ticket.budget.ms.filter(|_| !open.follow) {
        open.deadline_ms = least(open.deadline_ms, ms);
    }
}

/// How long a read may go on. Clones share it.
#[derive(Clone, Debug)]
pub struct Lease(Option<Arc<Held>>);

#[derive(Debug)]
struct Held {
    trust: LogTrust,
    sources: Vec<SourceRef>,
    grace: Duration,
    ends_ms: watch::Sender<i64>,
    /// Why it was not prolonged.
    fault: Mutex<String>,
}

impl Lease {
    fn endless() -> Self {
        Self(None)
    }

    /// Takes a new ticket up. One that does not cover all that is read changes nothing: the read ends with the old one.
    pub async fn renew(&self, bytes: &[u8]) {
        let Some(held) = &self.0 else { return };
        let renewed = match opened(&held.trust, bytes).await {
            Ok(ticket) => {
                let missing = held.sources.iter().find_map(|s| covered(&ticket, s).err());
                missing.map_or(Ok(ticket.expires_ms), Err)
            }
            Err(fault) => Err(refusal(&fault).message().to_owned()),
        };
        match renewed {
            Ok(ends_ms) => {
                held.ends_ms.send_if_modified(|old| {
                    let later = ends_ms > *old;
                    *old = ends_ms.max(*old);
                    later
                });
            }
            Err(why) => *held.fault.lock().unwrap_or_else(PoisonError::into_inner) = why,
        }
    }

    /// Returns when the right is over, with the reason. Never without tickets.
    pub async fn over(&self) -> String {
        let Some(held) = &self.0 else { return std::future::pending().await };
        let mut ends = held.ends_ms.subscribe();
        let mut again = false;
        loop {
            let ends_ms = *ends.borrow_and_update();
            let left = u64::try_from(ends_ms.saturating_sub(now_ms())).unwrap_or(0);
            let due = Instant::now() + Duration::from_millis(left) + held.grace;
            tokio::select! {
                () = tokio::time::sleep_until(due) => {
                    // This process did not run for a while: tickets that came meanwhile are still to be read.
                    let late = Instant::now().saturating_duration_since(due) >= LATE;
                    if late && !std::mem::replace(&mut again, true) {
                        continue;
                    }
                    if *ends.borrow() == ends_ms {
                        let fault = held.fault.lock().unwrap_or_else(PoisonError::into_inner);
                        return format!("the right to read ended: {fault}; open the log again to be told by the cluster");
                    }
                }
                changed = ends.changed() => {
                    if changed.is_err() {
                        return "the right to read ended".to_owned();
                    }
                    again = false;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! Ends of leases of a process that did not run for a while.

    use super::*;

    fn lease(ends_ms: i64) -> Lease {
        Lease(Some(Arc::new(Held {
            trust: LogTrust::none(),
            sources: Vec::new(),
            grace: Duration::from_millis(100),
            ends_ms: watch::Sender::new(ends_ms),
            fault: Mutex::new("it was not renewed".to_owned()),
        })))
    }

    /// Holds the one thread of the runtime, as a stopped process is held.
    fn stopped() {
        std::thread::sleep(LATE + Duration::from_millis(200));
    }

    #[tokio::test]
    async fn a_process_that_was_stopped_reads_the_tickets_that_came_before_it_gives_up() {
        let (renewed, left) = (lease(now_ms()), lease(now_ms()));
        let tasks = tokio_util::task::TaskTracker::new();
        let goes_on = tasks.spawn({
            let lease = renewed.clone();
            async move { lease.over().await }
        });
        let ends = tasks.spawn(async move { left.over().await });
        tokio::task::yield_now().await;
        stopped();
        // The alarms have rung; the ticket is taken up only now.
        tokio::task::yield_now().await;
        renewed.0.as_ref().unwrap().ends_ms.send_replace(now_ms() + 60_000);
        assert!(ends.await.unwrap().contains("not renewed"));
        assert!(!goes_on.is_finished());
        goes_on.abort();
    }
}
