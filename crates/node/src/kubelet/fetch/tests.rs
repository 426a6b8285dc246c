//! The kubelet's certificate: signed by the cluster, self-made, changed.

use std::sync::Arc;

use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;

use super::*;

struct Served {
    port: u16,
    task: tokio::task::JoinHandle<()>,
}

/// A TLS server with this certificate that answers each request with the `Authorization` it got.
async fn serve(cert: CertificateDer<'static>, key: &KeyPair) -> Served {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(socket).await else { continue };
            let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
                let got = request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned());
                let body = Full::<bytes::Bytes>::from(got.unwrap_or_default());
                let status = if request.uri().path() == "/stats/summary" { 200 } else { 404 };
                Ok::<_, std::convert::Infallible>(
                    hyper::Response::builder().status(status).body(body).unwrap(),
                )
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    });
    Served { port, task }
}

fn self_made() -> (CertificateDer<'static>, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["some-other-name".into()]).unwrap().self_signed(&key).unwrap();
    (cert.der().clone(), key)
}

struct Cluster {
    dir: tempfile::TempDir,
    ca: Issuer<'static, KeyPair>,
}

impl Cluster {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        std::fs::write(dir.path().join("ca.crt"), cert.pem()).unwrap();
        std::fs::write(dir.path().join("token"), "sa-token\n").unwrap();
        Self { dir, ca: Issuer::new(params, key) }
    }

    fn signed(&self) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
        (params.signed_by(&key, &self.ca).unwrap().der().clone(), key)
    }

    fn fetcher(&self, port: u16, tls: Tls) -> Fetcher {
        Fetcher::new(Kubelet {
            host: "127.0.0.1".into(),
            port,
            tls,
            token_file: self.dir.path().join("token"),
            ca_file: self.dir.path().join("ca.crt"),
            pin_file: self.dir.path().join("kubelet.pin"),
        })
        .unwrap()
    }
}

#[tokio::test]
async fn a_certificate_of_the_cluster_is_verified() {
    let cluster = Cluster::new();
    let (cert, key) = cluster.signed();
    let served = serve(cert, &key).await;
    let fetcher = cluster.fetcher(served.port, Tls::Verify);
    assert_eq!(fetcher.summary().await.unwrap(), b"Bearer sa-token");
    assert_eq!(fetcher.trust(), Some(Trust::ClusterCa));
    assert!(!cluster.dir.path().join("kubelet.pin").exists());
    served.task.abort();
}

#[tokio::test]
async fn a_self_made_certificate_is_pinned_and_another_one_stops_the_source() {
    let cluster = Cluster::new();
    let (cert, key) = self_made();
    let served = serve(cert.clone(), &key).await;
    let fetcher = cluster.fetcher(served.port, Tls::Verify);
    fetcher.summary().await.unwrap();
    assert_eq!(fetcher.trust(), Some(Trust::Pinned { first: true }));
    let again = cluster.fetcher(served.port, Tls::Verify);
    again.summary().await.unwrap();
    assert_eq!(again.trust(), Some(Trust::Pinned { first: false }));
    served.task.abort();

    let (other, key) = self_made();
    let served = serve(other, &key).await;
    let fetcher = cluster.fetcher(served.port, Tls::Verify);
    let error = fetcher.summary().await.unwrap_err();
    assert!(error.to_string().contains("certificate changed"), "{error}");
    assert!(fetcher.fix(&error).contains("kubelet.pin"), "{}", fetcher.fix(&error));
    served.task.abort();
}

#[tokio::test]
async fn a_changed_certificate_that_the_cluster_signed_is_accepted() {
    let cluster = Cluster::new();
    std::fs::write(cluster.dir.path().join("kubelet.pin"), "00\n").unwrap();
    let (cert, key) = cluster.signed();
    let served = serve(cert, &key).await;
    let fetcher = cluster.fetcher(served.port, Tls::Pin);
    fetcher.summary().await.unwrap();
    assert_eq!(fetcher.trust(), Some(Trust::ClusterCa));
    served.task.abort();
}

#[tokio::test]
async fn what_is_missing_is_named_with_its_fix() {
    let cluster = Cluster::new();
    std::fs::remove_file(cluster.dir.path().join("token")).unwrap();
    let fetcher = cluster.fetcher(1, Tls::Skip);
    let error = fetcher.summary().await.unwrap_err();
    assert!(fetcher.fix(&error).contains("token"), "{error}");
    std::fs::write(cluster.dir.path().join("token"), "t").unwrap();
    let error = fetcher.summary().await.unwrap_err();
    assert!(error.to_string().contains("https://127.0.0.1:1/stats/summary"), "{error}");
}

/// A pod that runs until the test ends, and rights as the manifests give them.
const MANIFEST: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: sleeper, namespace: default}
spec: {containers: [{name: app, image: "bed.local/emitter:1", args: [sleep]}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: node-agent, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: node-agent}
rules: [{apiGroups: [""], resources: [nodes/stats], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: node-agent}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: node-agent}
subjects: [{kind: ServiceAccount, name: node-agent, namespace: default}]
"#;

#[test]
fn a_real_kubelet_answers_with_all_its_levels() -> anyhow::Result<()> {
    testbed::with_bed("a_real_kubelet_answers_with_all_its_levels", &testbed::Options::default(), |bed| {
        let dir = tempfile::tempdir()?;
        std::fs::write(dir.path().join("all.yaml"), MANIFEST)?;
        bed.kubectl(&["apply", "-f", &dir.path().join("all.yaml").display().to_string()])?;
        bed.kubectl(&["wait", "--for=condition=Ready", "pod/sleeper", "--timeout=120s"])?;
        let token = bed.kubectl(&["create", "token", "node-agent"])?.stdout;
        std::fs::write(dir.path().join("token"), token)?;
        let forward = bed.forward("127.0.0.1:0", &format!("{}:10250", bed.node_ip(1)))?;
        let fetcher = Fetcher::new(Kubelet {
            host: "127.0.0.1".into(),
            port: forward.address().port(),
            tls: Tls::Verify,
            token_file: dir.path().join("token"),
            ca_file: dir.path().join("no-ca"),
            pin_file: dir.path().join("pin"),
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let wanted =
            ["k8s.node.cpu.time", "k8s.pod.memory.usage", "k8s.pod.network.io", "container.cpu.time"];
        // A kubelet measures a new pod within its housekeeping interval.
        testbed::wait_for("the summary has the pod", Duration::from_secs(60), || {
            let Ok(json) = runtime.block_on(fetcher.summary()) else { return false };
            let Ok(groups) = crate::kubelet::summary::read(&json, Default::default()) else { return false };
            let of_pod = groups.iter().any(|g| {
                matches!(&g.subject, crate::group::Subject::PodContainer { pod, name, .. } if pod == "sleeper" && name == "app")
            });
            of_pod && wanted.iter().all(|n| groups.iter().flat_map(|g| &g.points).any(|p| p.name == *n))
        })?;
        assert!(matches!(fetcher.trust(), Some(Trust::Pinned { .. })));
        std::fs::write(dir.path().join("token"), "nobody")?;
        let error = runtime.block_on(fetcher.summary()).unwrap_err();
        assert!(fetcher.fix(&error).contains("ServiceAccount tokens"), "{error}");
        Ok(())
    })
}
