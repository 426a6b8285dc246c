//! Which pods ask to be scraped, and where.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::pods::{OwnPod, workload_name};

/// Families of annotations, the first one given wins.
const FAMILIES: [&str; 3] = ["pilothouse.dev", "prometheus.io", "signoz.io"];

/// One address of one pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub pod: Arc<OwnPod>,
    pub addr: SocketAddr,
    /// With its query.
    pub path: String,
}

impl Target {
    /// Names the target among all of this node.
    pub fn key(&self) -> String {
        format!("{}/{}:{}{}", self.pod.namespace, self.pod.name, self.addr.port(), self.path)
    }

    /// `job` of its series: namespace and workload.
    pub fn job(&self) -> String {
        format!("{}/{}", self.pod.namespace, workload_name(&self.pod))
    }

    /// `instance` of its series: pod and port.
    pub fn instance(&self) -> String {
        format!("{}:{}", self.pod.name, self.addr.port())
    }
}

/// Targets in the order of their names, and what of the annotations cannot be followed.
pub fn targets(pods: &[Arc<OwnPod>]) -> (Vec<Target>, Vec<String>) {
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for pod in pods {
        match of_pod(pod) {
            Ok(targets) => found.extend(targets),
            Err(why) => faults.push(format!("{}/{}: {why}", pod.namespace, pod.name)),
        }
    }
    found.sort_by_key(Target::key);
    (found, faults)
}

fn of_pod(pod: &Arc<OwnPod>) -> Result<Vec<Target>, String> {
    let given = |family: &str, key: &str| pod.annotations.get(&format!("{family}/{key}")).map(|v| v.trim());
    let Some(family) = FAMILIES.into_iter().find(|family| given(family, "scrape").is_some()) else {
        return Ok(Vec::new());
    };
    if given(family, "scrape") != Some("true") || pod.phase != "Running" {
        return Ok(Vec::new());
    }
    if let Some(scheme) = given(family, "scheme").filter(|s| *s != "http") {
        return Err(format!("{family}/scheme is `{scheme}`, and only http is scraped"));
    }
    let Some(ip) = pod.ip.as_deref().and_then(|ip| ip.parse::<IpAddr>().ok()) else { return Ok(Vec::new()) };
    let path = given(family, "path").unwrap_or("/metrics");
    if !path.starts_with('/') || path.contains(['#', ' ', '\\']) || path.starts_with("//") {
        return Err(format!("{family}/path is `{path}`; it begins with one / and is plain"));
    }
    let declared = || pod.containers.iter().flat_map(|c| &c.ports);
    let ports = match given(family, "port") {
        Some(list) => list
            .split(',')
            .map(|word| {
                port(word.trim(), pod)
                    .ok_or_else(|| format!("{family}/port names `{word}`, which is no port of the pod"))
            })
            .collect::<Result<Vec<_>, _>>()?,
        None => {
            let named: Vec<u16> = declared()
                .filter(|(n, _)| n == "metrics" || n.ends_with("-metrics"))
                .map(|(_, p)| *p)
                .collect();
            let first = || declared().next().map(|(_, p)| vec![*p]);
            let none = || format!("no port is declared; write {family}/port");
            if named.is_empty() { first().ok_or_else(none)? } else { named }
        }
    };
    if let Some(port) = ports.iter().find(|port| pod.host_network && !declared().any(|(_, p)| p == *port)) {
        return Err(format!("the pod is on the node's own network and does not declare port {port}"));
    }
    let target = |port| Target { pod: pod.clone(), addr: SocketAddr::new(ip, port), path: path.to_owned() };
    Ok(ports.into_iter().map(target).collect())
}

/// A port by its number or its name.
fn port(word: &str, pod: &OwnPod) -> Option<u16> {
    let named = || pod.containers.iter().flat_map(|c| &c.ports).find(|(n, _)| n == word).map(|(_, p)| *p);
    word.parse().ok().filter(|p| *p != 0).or_else(named)
}
