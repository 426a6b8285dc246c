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
use crate::pods::{OwnContainer, OwnPod};

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
    let target = Target { addr, ..targets(&[asks]).0.remove(0) };
    let client = fetch::client().unwrap();
    assert_eq!(fetch::fetch(&client, &target).await.as_deref(), Ok("up 1\n"));
    let moved = fetch::fetch(&client, &target).await.unwrap_err();
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
        let (found, faults) = targets(&[pod(&annotations, ports)]);
        assert!(found.iter().all(|t| t.addr.ip().to_string() == "10.0.0.7"));
        let told: Vec<String> = found.iter().map(Target::key).chain(faults).collect();
        assert_eq!(told.join(" "), expected);
    }
    let host =
        OwnPod { host_network: true, ..(*pod(&[yes, ("prometheus.io/port", "10250")], ports)).clone() };
    let (found, faults) = targets(&[Arc::new(host)]);
    assert!(found.is_empty() && faults[0].contains("does not declare port 10250"), "{faults:?}");
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
    let target = targets(&[grafana]).0.remove(0);
    assert_eq!(target.key(), "shop/web-1:8443/m?a=1");
    assert_eq!((target.job(), target.instance()), ("shop-web".to_owned(), "one".to_owned()));
    assert_eq!(target.scheme, target::Scheme::Https);
    assert_eq!((target.interval, target.timeout), (Duration::from_secs(15), Duration::from_secs(2)));
    let own = pod(&[("pilothouse.dev/scrape", "true"), ("pilothouse.dev/interval", "1m30s")], &[("m", 1)]);
    let target = targets(&[own]).0.remove(0);
    assert_eq!((target.interval, target.timeout), (Duration::from_secs(90), Duration::from_secs(10)));
    assert_eq!(target.job(), "shop/web-1");
}

/// A target with a certificate of its own making is scraped all the same: nothing secret is sent.
#[tokio::test]
async fn a_target_with_its_own_certificate_is_scraped() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(vec!["pod".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = tokio_rustls::TlsAcceptor::from(Arc::new(tls)).accept(socket).await.unwrap();
        let mut head = vec![0; 4096];
        let n = socket.read(&mut head).await.unwrap();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nup 1\n";
        socket.write_all(answer.as_bytes()).await.unwrap();
        socket.shutdown().await.unwrap();
        String::from_utf8_lossy(&head[..n]).to_lowercase()
    });
    let asks = [
        ("prometheus.io/scrape", "true"),
        ("prometheus.io/scheme", "https"),
        ("prometheus.io/timeout", "5s"),
    ];
    let target = Target { addr, ..targets(&[pod(&asks, &[("https", 443)])]).0.remove(0) };
    let client = fetch::client().unwrap();
    assert_eq!(fetch::fetch(&client, &target).await.as_deref(), Ok("up 1\n"));
    assert!(serving.await.unwrap().contains("x-prometheus-scrape-timeout-seconds: 5\r\n"));
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
    let target = &targets(&[pod(&[("prometheus.io/scrape", "true")], &[("http", 80)])]).0[0];
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
    let (body, _) = kept.end(181_000);
    assert_eq!(points(&body), ["gauge up{instance,job} ends"]);
}

#[test]
fn exemplars_are_told_once() {
    let target = &targets(&[pod(&[("prometheus.io/scrape", "true")], &[("http", 80)])]).0[0];
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
