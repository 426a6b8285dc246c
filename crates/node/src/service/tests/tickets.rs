//! Reads with good, missing, forged, foreign and ending tickets.

use ph_access::{LogTicket, TicketBudget, TicketSource, TicketTrust};
use ph_link::Key;
use tonic::Code;

use super::*;
use crate::time::now_ms;

struct Authority {
    key: Key,
    feed: LogTrustFeed,
}

impl Authority {
    /// A node whose cluster has this one authority.
    async fn with_host() -> (Self, Host) {
        let (feed, trust) = LogTrust::channel();
        let key = Key::generate().unwrap();
        feed.set(TicketTrust { cluster_uid: "c1".into(), keys: vec![key.public()] });
        // No grace, so that the end of a ticket is the end of its read.
        let tickets = Tickets::required(trust).with_grace(Duration::ZERO);
        (Self { key, feed }, Host::start_with(tickets).await)
    }

    fn ticket(&self, change: impl FnOnce(&mut LogTicket)) -> Vec<u8> {
        let mut ticket = LogTicket {
            actor: "ab".into(),
            cluster_uid: "c1".into(),
            sources: vec![TicketSource {
                namespace: "shop".into(),
                pod: "web".into(),
                pod_uid: "u1".into(),
                containers: vec!["app".into()],
            }],
            tier: "observe".into(),
            budget: TicketBudget::PERSON,
            issued_ms: now_ms(),
            expires_ms: now_ms() + 20_000,
        };
        change(&mut ticket);
        ticket.seal(&self.key.public(), |message| self.key.sign(message))
    }
}

fn with(ticket: Vec<u8>) -> ReadOpen {
    ReadOpen { ticket: ticket.into(), ..open(ReadMode::All, 0) }
}

/// Why a read is refused.
async fn refused(host: &Host, open: ReadOpen) -> String {
    let (tell, hear) = mpsc::channel(8);
    tell.send(control(read_control::M::Open(open))).await.unwrap();
    let status = LogsClient::new(host.channel.clone()).read(ReceiverStream::new(hear)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    assert!(status.message().starts_with("log ticket: ") && status.message().contains("; "), "{status:?}");
    status.message().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_good_ticket_for_this_container_opens_its_log() {
    let (authority, host) = Authority::with_host().await;
    host.write(0..10);
    assert_eq!(host.lines(with(authority.ticket(|_| {}))).await.0, expected(0..10));

    assert!(refused(&host, with(Vec::new())).await.contains("no ticket"));
    assert!(refused(&host, with(b"nonsense".to_vec())).await.contains("not a log ticket"));
    let mut forged = authority.ticket(|_| {});
    *forged.last_mut().unwrap() ^= 1;
    assert!(refused(&host, with(forged)).await.contains("signature"));
    let expired = authority.ticket(|t| (t.issued_ms, t.expires_ms) = (t.issued_ms - 9, t.issued_ms - 1));
    assert!(refused(&host, with(expired)).await.contains("expired"));
    let foreign = authority.ticket(|t| t.cluster_uid = "c2".into());
    assert!(refused(&host, with(foreign)).await.contains("another cluster"));
    for change in [
        |s: &mut TicketSource| s.pod_uid = "u2".into(),
        |s: &mut TicketSource| s.pod = "web-2".into(),
        |s: &mut TicketSource| s.namespace = "bank".into(),
        |s: &mut TicketSource| s.containers = vec!["proxy".into()],
    ] {
        let other = authority.ticket(|t| change(&mut t.sources[0]));
        assert!(refused(&host, with(other)).await.contains("does not name shop/web/app"));
    }
    // A container id would name any container of the node, whatever pod stands beside it.
    let mut aside = with(authority.ticket(|_| {}));
    aside.sources[0].container_id = "0123".into();
    assert!(refused(&host, aside).await.contains("leave container_id out"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_looked_for_when_a_ticket_came_that_no_known_one_signed() {
    let (mut authority, host) = Authority::with_host().await;
    host.write(0..3);
    authority.key = Key::generate().unwrap();
    let (trust, read) = (
        TicketTrust { cluster_uid: "c1".into(), keys: vec![authority.key.public()] },
        host.lines(with(authority.ticket(|_| {}))),
    );
    let look = async {
        authority.feed.wanted().await;
        authority.feed.set(trust);
    };
    let ((lines, _), ()) = tokio::join!(read, look);
    assert_eq!(lines, expected(0..3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_beside_the_ticket_is_a_gap_and_the_others_are_read() {
    let (authority, host) = Authority::with_host().await;
    host.write(0..4);
    let mut ask = with(authority.ticket(|_| {}));
    ask.sources.insert(0, SourceRef { namespace: "bank".into(), ..web() });
    let (_tell, mut stream) = host.read(ask).await;
    let (mut gaps, mut lines) = (Vec::new(), Vec::new());
    while let Some(event) = stream.message().await.unwrap() {
        match event.m.unwrap() {
            M::Gap(gap) => gaps.push((gap.source, gap.kind)),
            M::Batch(batch) => lines.extend(messages(&batch)),
            M::Summary(summary) => assert_eq!(summary.completeness, "incomplete"),
            _ => {}
        }
    }
    assert_eq!((gaps, lines), (vec![(0, "denied".to_owned())], expected(0..4)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follow_lives_by_its_tickets_and_ends_with_a_word() {
    let (authority, host) = Authority::with_host().await;
    host.write(0..2);
    let short = authority.ticket(|t| t.expires_ms = t.issued_ms + 1_500);
    let (tell, mut stream) = host.read(ReadOpen { follow: true, ..with(short) }).await;
    let renewed_until = now_ms() + 3_000;
    let ticket = authority.ticket(|t| t.expires_ms = renewed_until);
    tell.send(control(read_control::M::RenewTicket(ticket.into()))).await.unwrap();
    // A ticket for another pod prolongs nothing.
    let other = authority.ticket(|t| t.sources[0].pod_uid = "u2".into());
    tell.send(control(read_control::M::RenewTicket(other.into()))).await.unwrap();
    let mut lines = Vec::new();
    let mut last = None;
    while let Some(event) = stream.message().await.unwrap() {
        let m = event.m.unwrap();
        if let M::Batch(batch) = &m {
            lines.extend(messages(batch));
        }
        last = Some(m);
    }
    assert!(now_ms() >= renewed_until, "the renewal counted");
    let Some(M::Gap(gap)) = last else { panic!("{last:?}") };
    assert_eq!(gap.kind, "denied");
    assert!(gap.text.contains("does not name"), "{}", gap.text);
    assert_eq!(lines, expected(0..2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bots_ticket_cuts_what_is_asked_for() {
    let (authority, host) = Authority::with_host().await;
    host.write(0..2_500);
    let (lines, summary) = host.lines(with(authority.ticket(|t| t.budget = TicketBudget::BOT))).await;
    assert_eq!((lines.len(), summary.stopped.as_str()), (2_000, "rows"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_any_trusted_key_reads_nothing() {
    let host = Host::start_with(Tickets::required(LogTrust::none())).await;
    host.write(0..2);
    let key = Key::generate().unwrap();
    let (feed, _trust) = LogTrust::channel();
    let authority = Authority { key, feed };
    let text = refused(&host, with(authority.ticket(|_| {}))).await;
    assert!(text.contains("pilothouse-log-keys"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_wants_a_ticket_too_and_tells_what_it_names() {
    let (authority, host) = Authority::with_host().await;
    host.write(0..10);
    append(&host.dir.path().join("pods/bank_vault_u2/app/0.log"), 0..10);
    let list = async |only: Vec<SourceRef>, ticket: Vec<u8>| {
        let ask = SourcesAsk { only, ticket: ticket.into() };
        LogsClient::new(host.channel.clone()).sources(ask).await
    };
    let refused = list(Vec::new(), Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().starts_with("log ticket: there is no ticket"), "{refused:?}");
    let vault = SourceRef { namespace: "bank".into(), pod: "vault".into(), pod_uid: "u2".into(), ..web() };
    for only in [vec![], vec![web(), vault.clone()]] {
        let told = list(only, authority.ticket(|_| {})).await.unwrap().into_inner();
        let sources: Vec<_> = told.sources.iter().map(|s| s.source.clone().unwrap()).collect();
        assert_eq!(sources, [web()]);
        assert_eq!(told.sources[0].runs.len(), 1);
    }
    let other = authority.ticket(|t| t.sources[0].pod = "vault".into());
    assert!(list(vec![web()], other).await.unwrap().into_inner().sources.is_empty());
}
