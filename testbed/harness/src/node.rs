//! One node: a containerd and a kubelet in a mount namespace of their own.
//!
//! A node has its own /var/log/pods, /var/log/containers, /var/lib/kubelet, /var/lib/pilothouse, /run/containerd and
//! /run/netns, as a machine of its own would; /proc and cgroups are the machine's, so host figures of nodes are equal.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bed::Options;
use crate::layout::{FIRST_IP, Layout};
use crate::network::{bridge, inside};
use crate::process::{noted, spawn};
use crate::shell::{command, output, succeeds, wait_for};

const CGROUPS: &str = "/sys/fs/cgroup";
const CONTAINERD_READY: Duration = Duration::from_secs(60);

/// The machine's paths a node has of its own, and the folder of the node's home that stands there.
const OWN: [(&str, &str); 6] = [
    ("/var/log/pods", "var/pods"),
    ("/var/log/containers", "var/containers"),
    ("/var/lib/kubelet", "var/kubelet"),
    ("/var/lib/pilothouse", "var/pilothouse"),
    ("/run/containerd", "var/run-containerd"),
    ("/run/netns", "var/run-netns"),
];

/// Starts the node's containerd, without waiting for it.
pub(crate) fn start_containerd(layout: &Layout, node: u32) -> Result<()> {
    let home = layout.node_home(node);
    fs::create_dir_all(home.join("cni"))?;
    fs::create_dir_all(home.join("manifests"))?;
    let mut script = String::new();
    for (path, own) in OWN {
        fs::create_dir_all(path)?;
        fs::create_dir_all(home.join(own))?;
        script += &format!("mount --bind \"$0/{own}\" {path} && ");
    }
    // Shared again within the namespace, so that a pod may ask for mounts to reach it; the machine sees none of it.
    script += "mount --make-rshared / && exec containerd --config \"$0/containerd.toml\" --log-level warn";
    make_cgroups(&layout.cgroup(node))?;
    fs::write(home.join("cni/10-bed.conflist"), cni_config(layout, node))?;
    fs::write(home.join("containerd.toml"), containerd_config(&home))?;
    let mut containerd = inside(layout, "unshare");
    containerd.args(["--mount", "--propagation", "private", "sh", "-c", &script]).arg(&home);
    spawn(&layout.dir, &format!("containerd-{node}"), containerd)?;
    Ok(())
}

/// Waits for containerd, imports the images and starts the kubelet.
pub(crate) fn start_kubelet(layout: &Layout, node: u32, options: &Options) -> Result<()> {
    wait_for(&format!("containerd of node {node} answers"), CONTAINERD_READY, || {
        succeeds(ctr(layout, node).arg("version"))
    })?;
    for entry in fs::read_dir(layout.dir.join("img"))?.flatten() {
        import(layout, node, &entry.path())?;
    }
    let home = layout.node_home(node);
    let config = home.join("kubelet.yaml");
    fs::write(&config, kubelet_config(layout, node, options))?;
    let name = layout.node_name(node);
    let mut kubelet = enter(layout, node, &layout.dir.join("bin/kubelet").to_string_lossy())?;
    // --containerd: without it the summary API looks at the standard socket and has no network statistics of pods.
    kubelet.arg("--containerd").arg(layout.socket(node)).arg("--config").arg(config);
    kubelet.arg("--kubeconfig").arg(layout.kubeconfig(&name)).args(["--hostname-override", &name]);
    kubelet.args(["--node-ip", &Layout::node_ip(node), "--v", "1"]);
    spawn(&layout.dir, &format!("kubelet-{node}"), kubelet)?;
    Ok(())
}

pub(crate) fn import(layout: &Layout, node: u32, tar: &Path) -> Result<()> {
    output(ctr(layout, node).args(["-n", "k8s.io", "images", "import"]).arg(tar))
        .with_context(|| format!("import {} on node {node}", tar.display()))?;
    Ok(())
}

fn ctr(layout: &Layout, node: u32) -> Command {
    let mut ctr = command("ctr", ["-a"]);
    ctr.arg(layout.socket(node));
    ctr
}

/// A command in the node's mounts and the bed's network.
pub(crate) fn enter(layout: &Layout, node: u32, program: &str) -> Result<Command> {
    let containerd = format!("containerd-{node}");
    let running = noted(&layout.dir, |name| name == containerd);
    let process =
        running.first().with_context(|| format!("node {node} of {} does not run", layout.dir.display()))?;
    let mut command = command("nsenter", ["--mount", "--target", &process.pid.to_string()]);
    command.arg(format!("--net={}", layout.netns().display())).arg(program);
    Ok(command)
}

/// The node's root in every hierarchy of cgroup v1, or in the one of v2.
fn make_cgroups(name: &str) -> Result<()> {
    let root = Path::new(CGROUPS);
    if let Ok(there) = fs::read_to_string(root.join("cgroup.controllers")) {
        fs::write(root.join("cgroup.subtree_control"), handed_down(&there))
            .context("hand the cgroup controllers down")?;
        return fs::create_dir_all(root.join(name)).context("make the node's cgroup");
    }
    for hierarchy in fs::read_dir(root)?.flatten().filter(|entry| entry.path().is_dir()) {
        let _ = fs::create_dir(hierarchy.path().join(name)); // a link to another hierarchy has it already
    }
    let cpuset = root.join("cpuset");
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if let Ok(all) = fs::read(cpuset.join(file)) {
            fs::write(cpuset.join(name).join(file), all)?; // empty at first, and then no process may enter
        }
    }
    Ok(())
}

/// Of the controllers that are there, those kubelet wants below its root, as `cgroup.subtree_control` takes them.
/// Source: the kernel's Control Group v2 document.
pub(crate) fn handed_down(there: &str) -> String {
    let wanted = |name: &&str| ["cpu", "cpuset", "io", "memory", "pids", "hugetlb"].contains(name);
    there.split_ascii_whitespace().filter(wanted).map(|name| format!("+{name}")).collect::<Vec<_>>().join(" ")
}

fn cni_config(layout: &Layout, node: u32) -> String {
    format!(
        r#"{{"cniVersion":"0.4.0","name":"{}","plugins":[
 {{"type":"bridge","bridge":"{}","isGateway":true,"ipMasq":true,"hairpinMode":true,
  "ipam":{{"type":"host-local","ranges":[[{{"subnet":"10.244.{node}.0/24"}}]],"dataDir":"{}","routes":[{{"dst":"0.0.0.0/0"}}]}}}},
 {{"type":"portmap","capabilities":{{"portMappings":true}}}}]}}
"#,
        layout.node_name(node),
        bridge(node),
        layout.node_home(node).join("ipam").display()
    )
}

/// `restrict_oom_score_adj`: where no process may lower its score (CAP_SYS_RESOURCE is absent), runc fails without it.
fn containerd_config(home: &Path) -> String {
    let home = home.display();
    format!(
        r#"version = 2
root = "{home}/containerd/root"
state = "{home}/containerd/state"
[grpc]
  address = "{home}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "bed.local/pause:1"
  restrict_oom_score_adj = true
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{home}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"#
    )
}

fn kubelet_config(layout: &Layout, node: u32, options: &Options) -> String {
    let own = layout.node_name(node);
    let certificate = if options.self_signed_kubelet {
        String::new()
    } else {
        let file = |suffix: &str| layout.pki(&format!("{own}.{suffix}"));
        format!("tlsCertFile: {}\ntlsPrivateKeyFile: {}\n", file("crt").display(), file("key").display())
    };
    // failCgroupV1: false, for many machines still have v1.
    format!(
        r#"apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {ip}
port: 10250
readOnlyPort: 0
healthzPort: 0
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: true}}, x509: {{clientCAFile: {ca}}}}}
authorization: {{mode: Webhook}}
{certificate}cgroupDriver: cgroupfs
cgroupRoot: "/{cgroup}"
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
maxPods: 200
containerRuntimeEndpoint: unix://{socket}
clusterDomain: cluster.local
clusterDNS: [{FIRST_IP}]
staticPodPath: {manifests}
containerLogMaxSize: {size}
containerLogMonitorInterval: {interval}
imageGCHighThresholdPercent: 100
evictionHard: {{memory.available: "100Mi", nodefs.available: "1%", imagefs.available: "1%"}}
resolvConf: ""
"#,
        ip = Layout::node_ip(node),
        ca = layout.pki("ca.crt").display(),
        cgroup = layout.cgroup(node),
        socket = layout.socket(node).display(),
        manifests = layout.node_home(node).join("manifests").display(),
        size = options.log_max_size,
        interval = options.log_monitor,
    )
}

#[cfg(test)]
mod tests;
