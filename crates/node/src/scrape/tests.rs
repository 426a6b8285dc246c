//! Texts, annotations, and series that come and go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::pods::{OwnContainer, OwnPod, OwnService, ServicePort, TargetPort};

fn shown(text: &str) -> String {
    match text::parse(text) {
        Err(fault) => fault.to_string(),
        Ok(all) => all
            .iter()
            .map(|s| {
                let labels: Vec<_> = s.labels.iter().map(|(k, v)| format!("{k}={v:?}")).collect();
                let at = s.at_ms.map_or(String::new(), |t| format!(" @{t}"));
                let kind = if s.counter { " counter" } else { "" };
                format!("{}{{{}}} {}{at}{kind}", s.name, labels.join(","), s.value)
            })
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

#[test]
fn both_formats_are_read() {
    for (text, expected) in [
        ("up 1\n", "up{} 1"),
        ("# HELP a b c\n# TYPE a counter\na{x=\"1\"} 2 1500\n", r#"a{x="1"} 2 @1500 counter"#),
        ("# TYPE a counter\na_total 3 1.5 # {trace_id=\"x\"} 1\n# EOF\n", "a_total{} 3 @1500 counter"),
        (
            "# TYPE h histogram\nh_bucket{le=\"1\"} 4\nh_sum 2\nh_count 4\n",
            "h_bucket{le=\"1.0\"} 4 counter\nh_sum{} 2 counter\nh_count{} 4 counter",
        ),
        ("h{le=\"+Inf\",quantile=\"0.5\"} NaN", r#"h{le="+Inf",quantile="0.5"} NaN"#),
        (
            r#"{"http.requests","my label"="a \"b\"\n\\",} -Inf"#,
            "http.requests{my label=\"a \\\"b\\\"\\n\\\\\"} -inf",
        ),
        ("a { b = \"c\" , } 1e3", r#"a{b="c"} 1000"#),
        ("", ""),
        ("a 1 # x", "line 1: an exemplar has no labels"),
        ("a 1 # {} one", "line 1: an exemplar's value is no number"),
        ("a\n", "line 1: a value is missing"),
        ("ok 1\na{b=\"c} 1\n", "line 2: a quote is not closed"),
        ("a{b=\"c\",b=\"d\"} 1", "line 1: a label has no name, or comes twice"),
        ("a one", "line 1: the value is no number"),
        ("a 1 2 3", "line 1: something follows the time"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
    assert_eq!(shown(&"a 1\n".repeat(50_001)), "it has more than 50000 samples");
    let labels: Vec<String> = (0..257).map(|n| format!("l{n}=\"\"")).collect();
    assert_eq!(shown(&format!("a{{{}}} 1", labels.join(","))), "line 1: it has more than 256 labels");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z{}\"=,\\\\ \n#0-9.eé-]{0,80}") {
        let _ = text::parse(&text);
    }
}

fn pod(annotations: &[(&str, &str)], ports: &[(&str, u16)]) -> Arc<OwnPod> {
    Arc::new(OwnPod {
        name: "web-1".into(),
        namespace: "shop".into(),
        ip: Some("10.0.0.7".into()),
        phase: "Running".into(),
        annotations: annotations
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        containers: vec![OwnContainer {
            ports: ports.iter().map(|(n, p)| ((*n).to_owned(), *p)).collect(),
            ..OwnContainer::default()
        }],
        ..OwnPod::default()
    })
}

#[tokio::test]
async fn a_target_is_asked_once_and_sends_nowhere_else() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut heads = Vec::new();
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nup 1\n",
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        ] {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let n = socket.read(&mut head).await.unwrap();
            heads.push(String::from_utf8_lossy(&head[..n]).to_lowercase());
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
        heads
    });
    let asks =
        pod(&[("prometheus.io/scrape", "true"), ("prometheus.io/path", "/metrics?a=b")], &[("http", 80)]);
    let target = Target { addr, ..targets(&[asks], &[]).0.remove(0) };
    let clients = fetch::Clients::new(None).unwrap();
    assert_eq!(clients.fetch(&target).await.as_deref(), Ok("up 1\n"));
    let moved = clients.fetch(&target).await.unwrap_err();
    assert_eq!(moved, "it answered 302 Found");
    let heads = serving.await.unwrap();
    assert!(
        heads[0].starts_with("get /metrics?a=b ") && heads[0].contains("openmetrics-text"),
        "{}",
        heads[0]
    );
    assert!(heads.iter().all(|h| !h.contains("authorization") && !h.contains("cookie")));
}

#[test]
fn annotations_choose_addresses_of_the_pod_alone() {
    let yes = ("prometheus.io/scrape", "true");
    let ports: &[(&str, u16)] = &[("http", 80), ("app-metrics", 9000)];
    for (annotations, expected) in [
        (vec![], ""),
        (vec![("prometheus.io/scrape", "false")], ""),
        (vec![yes], "shop/web-1:9000/metrics"),
        (
            vec![yes, ("prometheus.io/port", "8080"), ("prometheus.io/path", "/m?x=1")],
            "shop/web-1:8080/m?x=1",
        ),
        (vec![yes, ("prometheus.io/port", "http, 9000")], "shop/web-1:80/metrics shop/web-1:9000/metrics"),
        (vec![yes, ("pilothouse.dev/scrape", "false")], ""),
        (
            vec![yes, ("prometheus.io/path", "@evil/")],
            "shop/web-1: prometheus.io/path is `@evil/`; it begins with one / and is plain",
        ),
        (
            vec![yes, ("prometheus.io/path", "//evil/")],
            "shop/web-1: prometheus.io/path is `//evil/`; it begins with one / and is plain",
        ),
        (
            vec![yes, ("prometheus.io/port", "none")],
            "shop/web-1: prometheus.io/port names `none`, which is no port of the pod",
        ),
        (
            vec![yes, ("prometheus.io/scheme", "ftp")],
            "shop/web-1: prometheus.io/scheme is `ftp`; it is http or https",
        ),
        (
            vec![yes, ("prometheus.io/param_module", "a b"), ("prometheus.io/path", "/probe?x=1")],
            "shop/web-1:9000/probe?x=1&module=a%20b",
        ),
        (
            vec![yes, ("prometheus.io/interval", "1s")],
            "shop/web-1: prometheus.io/interval is `1s`; it is a duration from 5s to 3600s, such as 30s",
        ),
        (
            vec![yes, ("prometheus.io/timeout", "30s")],
            "shop/web-1: prometheus.io/timeout is `30s`; it is a duration from 100ms to 10s, such as 30s",
        ),
        (
            vec![("k8s.grafana.com/scrape", "true"), ("k8s.grafana.com/metrics.portName", "http")],
            "shop/web-1:80/metrics",
        ),
        (
            vec![("k8s.grafana.com/scrape", "true"), ("k8s.grafana.com/metrics.container", "none")],
            "shop/web-1: no port is declared; write k8s.grafana.com/metrics.portNumber",
        ),
    ] {
        let (found, faults) = targets(&[pod(&annotations, ports)], &[]);
        assert!(found.iter().all(|t| t.addr.ip().to_string() == "10.0.0.7"));
        let told: Vec<String> = found.iter().map(Target::key).chain(faults).collect();
        assert_eq!(told.join(" "), expected);
    }
    let host =
        OwnPod { host_network: true, ..(*pod(&[yes, ("prometheus.io/port", "10250")], ports)).clone() };
    let (found, faults) = targets(&[Arc::new(host)], &[]);
    assert!(found.is_empty() && faults[0].contains("does not declare port 10250"), "{faults:?}");
    let kubelet = OwnPod { host_network: true, ..(*pod(&[yes], &[("metrics", 10250)])).clone() };
    let (found, faults) = targets(&[Arc::new(kubelet)], &[]);
    assert!(found.is_empty() && faults[0].contains("one of Kubernetes itself"), "{faults:?}");
    let all = |n: u16| (1..=n).map(|port| port.to_string()).collect::<Vec<_>>().join(",");
    for (n, expected) in [(16, 16), (17, 0), (5_000, 0)] {
        let (found, faults) = targets(&[pod(&[yes, ("prometheus.io/port", &all(n))], ports)], &[]);
        assert_eq!((found.len(), faults.is_empty()), (expected, expected > 0), "{faults:?}");
    }
}

#[test]
fn annotations_say_how_and_how_often() {
    let grafana = pod(
        &[
            ("k8s.grafana.com/scrape", "true"),
            ("k8s.grafana.com/job", "shop-web"),
            ("k8s.grafana.com/instance", "one"),
            ("k8s.grafana.com/metrics.portNumber", "8443"),
            ("k8s.grafana.com/metrics.scheme", "https"),
            ("k8s.grafana.com/metrics.path", "/m"),
            ("k8s.grafana.com/metrics.param", "a=1"),
            ("k8s.grafana.com/metrics.scrapeInterval", "15s"),
            ("k8s.grafana.com/metrics.scrapeTimeout", "2s"),
        ],
        &[],
    );
    let target = targets(&[grafana], &[]).0.remove(0);
    assert_eq!(target.key(), "shop/web-1:8443/m?a=1");
    assert_eq!((target.job(), target.instance()), ("shop-web".to_owned(), "one".to_owned()));
    assert_eq!(target.scheme, target::Scheme::Https);
    assert_eq!((target.interval, target.timeout), (Duration::from_secs(15), Duration::from_secs(2)));
    let own = pod(&[("pilothouse.dev/scrape", "true"), ("pilothouse.dev/interval", "1m30s")], &[("m", 1)]);
    let target = targets(&[own], &[]).0.remove(0);
    assert_eq!((target.interval, target.timeout), (Duration::from_secs(90), Duration::from_secs(10)));
    assert_eq!(target.job(), "shop/web-1");
}

/// A listener of https that answers so many requests that come through; its certificate, and the heads of these.
async fn https(
    name: &str,
    requests: usize,
) -> (std::net::SocketAddr, String, tokio::task::JoinHandle<Vec<String>>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let tls = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let serving = tokio::spawn(async move {
        let mut heads = Vec::new();
        while heads.len() < requests {
            let (socket, _) = listener.accept().await.unwrap();
            // A client that does not like the certificate goes away within the handshake, or right after it.
            let Ok(mut socket) = tls.accept(socket).await else { continue };
            let mut head = vec![0; 4096];
            let Ok(n @ 1..) = socket.read(&mut head).await else { continue };
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nup 1\n";
            socket.write_all(answer.as_bytes()).await.unwrap();
            socket.shutdown().await.unwrap();
            heads.push(String::from_utf8_lossy(&head[..n]).to_lowercase());
        }
        heads
    });
    (addr, made.cert.pem(), serving)
}

/// A target with a certificate of its own making is scraped all the same where nothing else is asked for: nothing secret is sent.
#[tokio::test]
async fn a_target_with_its_own_certificate_is_scraped() {
    let (addr, _, serving) = https("pod", 1).await;
    let asks = [
        ("prometheus.io/scrape", "true"),
        ("prometheus.io/scheme", "https"),
        ("prometheus.io/timeout", "5s"),
    ];
    let target = Target { addr, ..targets(&[pod(&asks, &[("https", 443)])], &[]).0.remove(0) };
    let clients = fetch::Clients::new(None).unwrap();
    assert_eq!(clients.fetch(&target).await.as_deref(), Ok("up 1\n"));
    assert!(serving.await.unwrap()[0].contains("x-prometheus-scrape-timeout-seconds: 5\r\n"));
}

#[tokio::test]
async fn certificates_are_checked_where_that_is_asked_for() {
    let (addr, pem, serving) = https("web.shop.svc", 1).await;
    let dir = tempfile::tempdir().unwrap();
    let (good, other) = (dir.path().join("ca.pem"), dir.path().join("other.pem"));
    std::fs::write(&good, pem).unwrap();
    std::fs::write(&other, https("web.shop.svc", 0).await.1).unwrap();
    let asks = [("prometheus.io/scrape", "true"), ("prometheus.io/scheme", "https")];
    let named = [&asks[..], &[("prometheus.io/server_name", "web.shop.svc")]].concat();
    let of =
        |asks: &[(&str, &str)]| Target { addr, ..targets(&[pod(asks, &[("https", 443)])], &[]).0.remove(0) };
    let fetch = async |ca: &std::path::Path, target: Target| {
        fetch::Clients::new(Some(ca.to_owned())).unwrap().fetch(&target).await
    };
    // It is not for the address, it is of another authority, or there is none to check it by.
    let refused = fetch(&good, of(&asks)).await.unwrap_err();
    assert!(refused.contains("not valid for name"), "{refused}");
    let refused = fetch(&other, of(&named)).await.unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
    let refused = fetch(&dir.path().join("none.pem"), of(&named)).await.unwrap_err();
    assert!(refused.contains("none.pem: No such file"), "{refused}");
    assert_eq!(fetch(&good, of(&named)).await.as_deref(), Ok("up 1\n"));
    let heads = serving.await.unwrap();
    assert!(heads[0].contains(&format!("host: web.shop.svc:{}\r\n", addr.port())), "{}", heads[0]);
}

/// A Service of namespace `shop`, of pods with the label `app=web`.
fn service(name: &str, annotations: &[(&str, &str)], ports: &[(&str, TargetPort)]) -> OwnService {
    let own = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
    };
    OwnService {
        name: name.into(),
        namespace: "shop".into(),
        annotations: own(annotations),
        selector: own(&[("app", "web")]),
        ports: ports
            .iter()
            .map(|(name, target)| ServicePort { name: (*name).to_owned(), target: target.clone() })
            .collect(),
        ..OwnService::default()
    }
}

/// A pod that such a Service selects.
fn labelled(annotations: &[(&str, &str)], name: &str, ready: bool) -> Arc<OwnPod> {
    let one = pod(annotations, &[("web", 8080), ("admin", 9000)]);
    let labels = BTreeMap::from([("app".to_owned(), "web".to_owned()), ("x".to_owned(), "y".to_owned())]);
    Arc::new(OwnPod { name: name.into(), labels, ready, ..(*one).clone() })
}

/// Targets with their jobs, and faults.
fn asked(pods: &[Arc<OwnPod>], services: &[OwnService]) -> String {
    let (found, faults) = targets(pods, services);
    let one = |t: &Target| format!("{} {}", t.key(), t.job());
    found.iter().map(one).chain(faults).collect::<Vec<_>>().join("; ")
}

const YES: (&str, &str) = ("prometheus.io/scrape", "true");

#[test]
fn a_service_has_its_ready_pods_scraped_at_its_ports() {
    let pods = [
        labelled(&[], "web-1", true),
        labelled(&[], "web-2", false),
        Arc::new(OwnPod { namespace: "other".into(), ..(*labelled(&[], "web-3", true)).clone() }),
        pod(&[], &[("http", 80)]),
    ];
    let http = ("http", TargetPort::Named("web".to_owned()));
    let metrics = ("metrics", TargetPort::Number(9000));
    for (annotations, ports, expected) in [
        (vec![], vec![http.clone()], ""),
        (vec![("prometheus.io/scrape", "false")], vec![http.clone()], ""),
        (vec![YES], vec![http.clone()], "shop/web-1:8080/metrics shop/web"),
        (vec![YES], vec![http.clone(), metrics], "shop/web-1:9000/metrics shop/web"),
        (vec![YES, ("prometheus.io/port", "7000")], vec![http.clone()], "shop/web-1:7000/metrics shop/web"),
        (
            vec![YES, ("prometheus.io/port", "http,admin")],
            vec![http.clone()],
            "shop/web-1:8080/metrics shop/web; shop/web-1:9000/metrics shop/web",
        ),
        (
            vec![YES],
            vec![("http", TargetPort::Named("none".to_owned()))],
            "Service shop/web: no port is declared; write prometheus.io/port",
        ),
    ] {
        assert_eq!(asked(&pods, &[service("web", &annotations, &ports)]), expected, "{annotations:?}");
    }
    let web = service("web", &[YES], &[http]);
    let unready = OwnService { unready_too: true, ..web.clone() };
    let both = "shop/web-1:8080/metrics shop/web; shop/web-2:8080/metrics shop/web";
    assert_eq!(asked(&pods, &[unready]), both);
    let nothing = OwnService { selector: BTreeMap::new(), ..web };
    assert!(asked(&pods, &[nothing]).starts_with("Service shop/web: it selects no pods"));
}

#[test]
fn what_a_pod_and_its_services_name_is_scraped_once_by_the_pods_own_word() {
    let http = ("http", TargetPort::Number(8080));
    let pods = [labelled(&[], "web-1", true)];
    let web = service("web", &[YES], std::slice::from_ref(&http));
    let again = service("again", &[YES], &[http]);
    assert_eq!(asked(&pods, &[web.clone(), again.clone()]), "shop/web-1:8080/metrics shop/again");
    let own = [labelled(&[YES, ("prometheus.io/port", "8080")], "web-1", true)];
    assert_eq!(asked(&own, &[web.clone(), again]), "shop/web-1:8080/metrics shop/web-1");
    let target = targets(&pods, &[web]).0.remove(0);
    assert_eq!(target.server_name.as_deref(), Some("web.shop.svc"));
    let faults = |name| targets(&[pod(&[YES, ("prometheus.io/server_name", name)], &[("m", 1)])], &[]).1;
    assert_eq!(faults("web.shop.svc"), [""; 0]);
    for name in ["169.254.169.254", "2130706433", "a.0x7f", "a..b", "Web", "a/b", "a.b:80", ""] {
        assert_eq!(faults(name).len(), 1, "{name}");
    }
}

#[test]
fn a_target_that_gets_other_names_is_another() {
    let own = &targets(&[pod(&[YES], &[("http", 80)])], &[]).0[0];
    let kept = Kept::new(own, &crate::enrich::Place::default());
    assert!(kept.is_of(own));
    assert!(!kept.is_of(&Target { job: Some("shop/web".into()), ..own.clone() }));
    // The next pod of a StatefulSet has the name of the one before.
    let next = Arc::new(OwnPod { uid: "another".into(), ..OwnPod::clone(&own.pod) });
    assert!(!kept.is_of(&Target { pod: next, ..own.clone() }));
}

#[test]
fn labels_that_clash_keep_apart() {
    let target = &targets(&[pod(&[YES], &[("http", 80)])], &[]).0[0];
    let mut kept = Kept::new(target, &crate::enrich::Place::default());
    let text = r#"a{job="x",exported_job="y",exported_exported_job="z"} 1"#;
    let reading = Reading { samples: text::parse(text).unwrap(), bytes: 1, up: true };
    let (body, _) = kept.take(reading, 1_000, Duration::from_millis(5));
    let labels = "exported_exported_exported_job,exported_exported_job,exported_job,instance,job";
    assert_eq!(points(&body)[0], format!("gauge a{{{labels}}} 1"));
}

fn points(body: &[u8]) -> Vec<String> {
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let mut out = Vec::new();
    for m in metrics.iter().filter(|m| !m.name.starts_with("scrape_")) {
        let (kind, all) = match m.data.as_ref().unwrap() {
            Data::Sum(s) => ("counter", &s.data_points),
            Data::Gauge(g) => ("gauge", &g.data_points),
            other => panic!("{other:?}"),
        };
        for p in all {
            let Some(Value::AsDouble(v)) = p.value else { panic!("{p:?}") };
            let value = if p.flags == 1 { "ends".to_owned() } else { v.to_string() };
            let labels: Vec<_> = p.attributes.iter().map(|a| a.key.as_str()).collect();
            out.push(format!("{kind} {}{{{}}} {value}", m.name, labels.join(",")));
        }
    }
    out
}

#[test]
fn series_that_are_gone_end_once() {
    let target = &targets(&[pod(&[("prometheus.io/scrape", "true")], &[("http", 80)])], &[]).0[0];
    let mut kept = Kept::new(target, &crate::enrich::Place::default());
    let reading = |text| Reading { samples: text::parse(text).unwrap(), bytes: 1, up: true };
    let took = Duration::from_millis(5);
    let (body, items) = kept.take(reading("# TYPE a counter\na{job=\"x\"} 1\nb 2\nc 3 77\n"), 1_000, took);
    let first = [
        "counter a{exported_job,instance,job} 1",
        "gauge b{instance,job} 2",
        "gauge c{instance,job} 3",
        "gauge up{instance,job} 1",
    ];
    assert_eq!((points(&body), items), (first.map(str::to_owned).to_vec(), 9));
    let (body, _) = kept.take(reading("b 4\n"), 61_000, took);
    assert_eq!(
        points(&body),
        ["counter a{exported_job,instance,job} ends", "gauge b{instance,job} 4", "gauge up{instance,job} 1"]
    );
    let failed = Reading { samples: Vec::new(), bytes: 0, up: false };
    let (body, _) = kept.take(failed, 121_000, took);
    assert_eq!(points(&body), ["gauge b{instance,job} ends", "gauge up{instance,job} 0"]);
    let (body, items) = kept.end(181_000);
    assert_eq!((points(&body), items), (vec!["gauge up{instance,job} ends".to_owned()], 6));
}

#[test]
fn exemplars_are_told_once() {
    let target = &targets(&[pod(&[("prometheus.io/scrape", "true")], &[("http", 80)])], &[]).0[0];
    let mut kept = Kept::new(target, &crate::enrich::Place::default());
    let mut take = |text: &str| {
        let reading = Reading { samples: text::parse(text).unwrap(), bytes: 1, up: true };
        let (body, _) = kept.take(reading, 1_000, Duration::from_millis(5));
        let request = ExportMetricsServiceRequest::decode(body.as_slice()).unwrap();
        let metrics = request.resource_metrics[0].scope_metrics[0].metrics.clone();
        let sums = metrics.into_iter().filter_map(|m| match m.data {
            Some(Data::Sum(s)) => Some(s.data_points),
            _ => None,
        });
        sums.flatten().flat_map(|p| p.exemplars).collect::<Vec<_>>()
    };
    let first = "# TYPE a counter\na_total 3 # {trace_id=\"0af7651916cd43dd8448eb211c80319c\",user=\"7\"} 0.5 1700000000\n";
    let told = take(first);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].time_unix_nano, told[0].trace_id.len()), (1_700_000_000_000_000_000, 16));
    assert_eq!(told[0].filtered_attributes[0].key, "user");
    assert!(take(first).is_empty());
    assert_eq!(take(&first.replace("0.5", "0.75")).len(), 1);
}
