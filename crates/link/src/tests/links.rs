//! Proof, trust, fencing and return of links.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_stream::wrappers::ReceiverStream;

use super::bed::*;
use crate::agent::LinkState;
use crate::gateway::PulseTiming;
use crate::v1::exec_client::ExecClient;
use crate::{Close, CloseCode, Error, Origin, v1};

async fn echo(session: &crate::gateway::Session, text: &'static str) -> Result<bytes::Bytes, tonic::Status> {
    let (send, feed) = tokio::sync::mpsc::channel(1);
    let mut client = ExecClient::new(session.channel());
    send.send(v1::ExecIn { m: Some(v1::exec_in::M::Stdin(text.into())) }).await.unwrap();
    let mut out = client.run(ReceiverStream::new(feed)).await?.into_inner();
    match out.message().await?.and_then(|out| out.m) {
        Some(v1::exec_out::M::Stdout(data)) => Ok(data.bytes),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_agent_proves_its_key_gets_its_token_and_answers() {
    let mut gateway = gateway().await;
    let identity = identity();
    let mut agent = agent(&gateway.url(), identity.clone());
    let (hello, session) = gateway.next().await.unwrap();
    assert_eq!(hello.agent_id, identity.agent_id);
    assert_eq!(hello.public_key, identity.key.public());
    assert_eq!((hello.node.as_str(), hello.kind), ("n1", v1::AgentKind::Node));
    session.accept(token(7)).await.unwrap();
    until(&mut agent, |s| *s == LinkState::Connected { epoch: 7 }).await;
    assert_eq!(agent.tokens.token().await.unwrap().expose(), "token-7");
    assert_eq!(echo(&session, "hello").await.unwrap(), "hello");

    let mut status = session.status();
    let pulse = session.clone();
    gateway.tasks.spawn(async move { pulse.watch_pulse(PulseTiming::default()).await });
    status.wait_for(|s| s.rss_bytes == 1).await.unwrap();
    agent.status.send_modify(|s| s.rss_bytes = 2);
    status.wait_for(|s| s.rss_bytes == 2).await.unwrap();
}

#[tokio::test]
async fn a_link_over_tls_trusts_the_given_authority_and_no_unknown_one() {
    let (ca, tls) = authority();
    let (other, _) = authority();
    let mut gateway = gateway_at(None, Some(tls)).await;
    let url = format!("https://localhost:{}", gateway.addr.port());
    let good = Origin::with_proxy(&url, Some(ca.as_bytes()), &Default::default()).unwrap();
    let bad = Origin::with_proxy(&url, Some(other.as_bytes()), &Default::default()).unwrap();
    let _agent = agent_with(good, identity(), timing());
    let (_, session) = gateway.next().await.unwrap();
    assert_eq!(echo(&session, "over tls").await.unwrap(), "over tls");

    let mut refused = agent_with(bad, identity(), timing());
    let LinkState::Down { error, .. } = until(&mut refused, |s| matches!(s, LinkState::Down { .. })).await
    else {
        unreachable!()
    };
    assert!(error.contains("not trusted") && error.contains("--ca"), "{error}");
}

#[tokio::test]
async fn the_link_goes_through_a_proxy_unless_the_host_is_exempt() {
    let (ca, tls) = authority();
    let mut gateway = gateway_at(None, Some(tls)).await;
    let (proxy, tunnels) = proxy().await;
    let url = format!("https://localhost:{}", gateway.addr.port());
    let env = |no_proxy: &str| crate::origin::ProxyEnv {
        https_proxy: Some(format!("http://{proxy}")),
        http_proxy: None,
        no_proxy: Some(no_proxy.into()),
    };
    let through = Origin::with_proxy(&url, Some(ca.as_bytes()), &env("example.org")).unwrap();
    let _first = agent_with(through, identity(), timing());
    let (_, session) = gateway.next().await.unwrap();
    assert_eq!(echo(&session, "tunnel").await.unwrap(), "tunnel");
    assert_eq!(tunnels.load(Ordering::SeqCst), 1);

    let around = Origin::with_proxy(&url, Some(ca.as_bytes()), &env(".example.org, localhost")).unwrap();
    let _second = agent_with(around, identity(), timing());
    let (_, session) = gateway.next().await.unwrap();
    assert_eq!(echo(&session, "direct").await.unwrap(), "direct");
    assert_eq!(tunnels.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_fenced_process_reads_why_and_says_next_time_which_epoch_it_held() {
    let mut gateway = gateway().await;
    let identity = identity();
    let mut older = agent(&gateway.url(), identity.clone());
    let (hello, first) = gateway.next().await.unwrap();
    assert_eq!(hello.held_epoch, 0);
    first.accept(token(1)).await.unwrap();
    until(&mut older, |s| matches!(s, LinkState::Connected { .. })).await;

    let mut newer = agent(&gateway.url(), identity);
    let (other, second) = gateway.next().await.unwrap();
    assert_ne!(other.instance, hello.instance);
    second.accept(token(2)).await.unwrap();
    first.cut(Close::new(CloseCode::FENCED, "a newer process with this identity took over"));

    let down = until(&mut older, |s| matches!(s, LinkState::Down { .. })).await;
    assert!(format!("{down:?}").contains("newer process"), "{down:?}");
    assert!(echo(&first, "late").await.is_err(), "a fenced link carries nothing");
    let (again, third) = gateway.next().await.unwrap();
    assert_eq!((again.instance, again.held_epoch), (hello.instance, 1));
    third.cut(Close::new(CloseCode::FENCED, "fenced"));
    until(&mut newer, |s| *s == LinkState::Connected { epoch: 2 }).await;
    assert_eq!(echo(&second, "newest").await.unwrap(), "newest");
}

#[tokio::test]
async fn a_cut_ends_an_open_stream_and_tells_the_agent_why() {
    let mut gateway = gateway().await;
    let mut agent = agent(&gateway.url(), identity());
    let (_, session) = gateway.next().await.unwrap();
    session.accept(token(7)).await.unwrap();
    let (send, feed) = tokio::sync::mpsc::channel(1);
    let mut out =
        ExecClient::new(session.channel()).run(ReceiverStream::new(feed)).await.unwrap().into_inner();
    session.cut(Close::new(CloseCode::REVOKED, "this agent was revoked"));
    let ended = tokio::time::timeout(Duration::from_secs(5), out.message()).await.expect("within 5 s");
    assert!(ended.is_err(), "{ended:?}");
    session.closed().cancelled().await;
    let down = until(&mut agent, |s| matches!(s, LinkState::Down { .. })).await;
    assert!(format!("{down:?}").contains("revoked"), "{down:?}");
    drop(send);
}

#[tokio::test]
async fn the_agent_comes_back_after_a_restart_of_the_server() {
    let mut gateway = gateway().await;
    let mut agent = agent(&gateway.url(), identity());
    let (first, session) = gateway.next().await.unwrap();
    session.accept(token(7)).await.unwrap();
    until(&mut agent, |s| *s == LinkState::Connected { epoch: 7 }).await;
    let (addr, stop, tasks) = (gateway.addr, gateway.stop.clone(), gateway.tasks.clone());
    drop((gateway, session));
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    let mut again = gateway_at(Some(addr), None).await;
    let (second, session) = again.next().await.unwrap();
    assert_eq!(second.instance, first.instance, "the same process");
    assert_eq!(second.held_epoch, 7);
    assert_eq!(echo(&session, "back").await.unwrap(), "back");
}

#[tokio::test]
async fn a_silent_server_is_left() {
    let mut gateway = gateway().await;
    let origin = Origin::new(&gateway.url(), None).unwrap();
    let mut agent = agent_with(
        origin,
        identity(),
        crate::agent::Timing { silence: Duration::from_millis(50), ..timing() },
    );
    let (_, _session) = gateway.next().await.unwrap();
    let down = until(&mut agent, |s| matches!(s, LinkState::Down { .. })).await;
    assert!(format!("{down:?}").contains("no ping"), "{down:?}");
    gateway.next().await.unwrap();
}

#[tokio::test]
async fn an_agent_signs_for_no_other_server_than_it_dialled() {
    let mut gateway = gateway().await;
    // The gateway calls itself 127.0.0.1; this agent was told another name of the same address.
    let url = format!("http://localhost:{}", gateway.addr.port());
    let _agent = agent(&url, identity());
    let Err(Error::Unproven(reason)) = gateway.next().await else { panic!("it must not sign") };
    assert!(reason.contains("--public-url"), "{reason}");
}

#[tokio::test]
async fn an_address_that_answers_with_something_else_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut nobody = agent(&format!("http://127.0.0.1:{port}"), identity());
    let down = until(&mut nobody, |s| matches!(s, LinkState::Down { .. })).await;
    assert!(format!("{down:?}").contains(&format!("cannot reach 127.0.0.1:{port}")), "{down:?}");
    for (url, word) in
        [("http://example.org", "loopback"), ("ftp://x", "https://"), ("https://x/path", "origin")]
    {
        let error = Origin::new(url, None).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
