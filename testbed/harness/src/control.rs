//! The control plane of one bed: etcd, kube-apiserver, controller-manager, scheduler, DNS, kube-proxy.
//!
//! In: certificates and the network. Out: processes noted under `run/`, logs under `log/`, the API server's audit
//! log in `log/audit.jsonl`. RBAC and the Node authorizer are on, as on a real cluster.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::bed::Options;
use crate::layout::{API_PORT, ETCD_PORT, FIRST_IP, Layout};
use crate::network::inside;
use crate::process::spawn;

const SERVICES: &str = "10.96.0.0/16";

/// Everything but what the control plane's own parts ask for all the time.
const AUDIT: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: ["system:apiserver", "system:kube-scheduler", "system:kube-controller-manager", "system:kube-proxy"]}
- {level: None, userGroups: ["system:nodes"]}
- {level: Metadata}
"#;

/// A part of Kubernetes that runs in the bed's network.
pub(crate) fn part(layout: &Layout, name: &str) -> Command {
    inside(layout, &layout.dir.join("bin").join(name).to_string_lossy())
}

/// Starts etcd and the API server, without waiting for either.
pub(crate) fn start_api(layout: &Layout, options: &Options) -> Result<()> {
    let etcd_url = format!("http://127.0.0.1:{ETCD_PORT}");
    let mut etcd = part(layout, "etcd");
    etcd.arg("--data-dir").arg(layout.dir.join("etcd"));
    etcd.args(["--listen-client-urls", &etcd_url, "--advertise-client-urls", &etcd_url]);
    etcd.args(["--listen-peer-urls", "http://127.0.0.1:0", "--unsafe-no-fsync", "--log-level", "warn"]);
    spawn(&layout.dir, "etcd", etcd)?;

    fs::write(layout.dir.join("audit.yaml"), AUDIT)?;
    let mut api = part(layout, "kube-apiserver");
    api.args([
        "--etcd-servers",
        &etcd_url,
        "--secure-port",
        &API_PORT.to_string(),
        "--bind-address",
        "0.0.0.0",
    ]);
    api.args(["--advertise-address", FIRST_IP, "--service-cluster-ip-range", SERVICES]);
    for (flag, file) in [
        ("--tls-cert-file", "apiserver.crt"),
        ("--tls-private-key-file", "apiserver.key"),
        ("--client-ca-file", "ca.crt"),
        ("--kubelet-client-certificate", "apiserver-kubelet.crt"),
        ("--kubelet-client-key", "apiserver-kubelet.key"),
        ("--service-account-key-file", "sa.pub"),
        ("--service-account-signing-key-file", "sa.key"),
    ] {
        api.arg(flag).arg(layout.pki(file));
    }
    if !options.self_signed_kubelet {
        api.arg("--kubelet-certificate-authority").arg(layout.pki("ca.crt"));
    }
    api.args(["--kubelet-preferred-address-types", "InternalIP,Hostname"]);
    api.args(["--service-account-issuer", "https://kubernetes.default.svc"]);
    api.args(["--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction"]);
    api.arg("--audit-policy-file").arg(layout.dir.join("audit.yaml"));
    api.arg("--audit-log-path").arg(layout.dir.join("log/audit.jsonl"));
    api.args(["--allow-privileged", "--v", "1"]);
    spawn(&layout.dir, "kube-apiserver", api)?;
    Ok(())
}

/// Starts what needs a ready API server.
pub(crate) fn start_rest(layout: &Layout) -> Result<()> {
    let local = ["--leader-elect=false", "--bind-address", "127.0.0.1", "--secure-port"];
    let mut controllers = part(layout, "kube-controller-manager");
    controllers.arg("--kubeconfig").arg(layout.kubeconfig("controller-manager"));
    controllers.arg("--service-account-private-key-file").arg(layout.pki("sa.key"));
    controllers.arg("--root-ca-file").arg(layout.pki("ca.crt")).arg("--use-service-account-credentials");
    controllers.arg("--cluster-signing-cert-file").arg(layout.pki("ca.crt"));
    controllers.arg("--cluster-signing-key-file").arg(layout.pki("ca.key"));
    controllers.args(local).arg("11257");
    spawn(&layout.dir, "kube-controller-manager", controllers)?;

    let mut scheduler = part(layout, "kube-scheduler");
    scheduler.arg("--kubeconfig").arg(layout.kubeconfig("scheduler")).args(local).arg("11259");
    spawn(&layout.dir, "kube-scheduler", scheduler)?;

    let corefile = layout.dir.join("Corefile");
    fs::write(&corefile, dns_config(&layout.kubeconfig("dns")))?;
    let mut dns = part(layout, "coredns");
    dns.arg("-conf").arg(corefile);
    spawn(&layout.dir, "coredns", dns)?;

    let config = layout.dir.join("proxy.yaml");
    fs::write(&config, proxy_config(layout))?;
    let mut proxy = part(layout, "kube-proxy");
    proxy.arg("--config").arg(config);
    spawn(&layout.dir, "kube-proxy", proxy)?;
    Ok(())
}

fn dns_config(kubeconfig: &Path) -> String {
    format!(
        ".:53 {{
  bind {FIRST_IP}
  errors
  ready 127.0.0.1:11281
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {}
    pods insecure
  }}
  cache 5
}}
",
        kubeconfig.display()
    )
}

/// One kube-proxy serves all nodes, for they share the network namespace.
fn proxy_config(layout: &Layout) -> String {
    format!(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: 10.244.0.0/16
hostnameOverride: {}
clientConnection: {{kubeconfig: {}}}
oomScoreAdj: 0
conntrack: {{maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}}
healthzBindAddress: 127.0.0.1:11256
metricsBindAddress: 127.0.0.1:11249
",
        layout.node_name(1),
        layout.kubeconfig("proxy").display()
    )
}
