//! Which pods ask to be scraped, by their own annotations or by those of a Service that selects them, where, and how often.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::pods::{OwnPod, OwnService, TargetPort, workload_name};

/// Families of annotations, the first one given wins.
const FAMILIES: [&str; 4] = ["pilothouse.dev", "prometheus.io", "signoz.io", "k8s.grafana.com"];
/// Between two scrapes of a target that says nothing else.
pub const INTERVAL: Duration = Duration::from_secs(60);
/// How often a target may ask to be scraped.
pub const LEAST_INTERVAL: Duration = Duration::from_secs(5);
const MOST_INTERVAL: Duration = Duration::from_secs(3600);
/// Ports of one pod: one that names all there are would keep the others of its node waiting.
const MOST_PORTS: usize = 16;
/// Ports of the kubelet, etcd, the API server, the controller manager and the scheduler, which a pod on the node's network may
/// declare, and which are not asked for it.
const OF_KUBERNETES: [u16; 8] = [2379, 2380, 2381, 6443, 10250, 10255, 10257, 10259];
/// How long a target may take in all.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// How a target is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    /// By default whatever certificate it shows: nothing that is secret is sent.
    Https,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// One address of one pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub pod: Arc<OwnPod>,
    pub addr: SocketAddr,
    /// With its query.
    pub path: String,
    pub scheme: Scheme,
    pub interval: Duration,
    /// At most the interval.
    pub timeout: Duration,
    /// Whom its certificate has to name, where certificates are checked; `None`: its address.
    pub server_name: Option<String>,
    /// What annotations call it, or its Service; else its namespace and workload.
    pub job: Option<String>,
    /// What annotations call it; else its pod and port.
    pub instance: Option<String>,
}

impl Target {
    /// Names the target among all of this node.
    pub fn key(&self) -> String {
        format!("{}/{}:{}{}", self.pod.namespace, self.pod.name, self.addr.port(), self.path)
    }

    /// `job` of its series.
    pub fn job(&self) -> String {
        let own = || format!("{}/{}", self.pod.namespace, workload_name(&self.pod));
        self.job.clone().unwrap_or_else(own)
    }

    /// `instance` of its series.
    pub fn instance(&self) -> String {
        self.instance.clone().unwrap_or_else(|| format!("{}:{}", self.pod.name, self.addr.port()))
    }
}

/// Targets in the order of their names, each once, and what of the annotations cannot be followed.
///
/// A pod's own annotations come first: what they name is not scraped for a Service again.
pub fn targets(pods: &[Arc<OwnPod>], services: &[OwnService]) -> (Vec<Target>, Vec<String>) {
    let (mut found, mut faults) = (BTreeMap::new(), BTreeSet::new());
    let mut take = |whose: String, asked: Result<Vec<Target>, String>| match asked {
        Ok(targets) => {
            for target in targets {
                found.entry(target.key()).or_insert(target);
            }
        }
        Err(why) => {
            faults.insert(format!("{whose}: {why}"));
        }
    };
    for pod in pods {
        take(format!("{}/{}", pod.namespace, pod.name), of_pod(pod));
    }
    let mut services: Vec<&OwnService> = services.iter().collect();
    services.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    for service in services {
        let whose = format!("Service {}/{}", service.namespace, service.name);
        match selected(service, pods) {
            Ok(chosen) => chosen.for_each(|pod| take(whose.clone(), of_service(service, pod))),
            Err(why) => take(whose, Err(why)),
        }
    }
    (found.into_values().collect(), faults.into_iter().collect())
}

/// Pods of this node that a Service sends to, none where it does not ask for them to be scraped.
fn selected<'p>(
    service: &'p OwnService,
    pods: &'p [Arc<OwnPod>],
) -> Result<impl Iterator<Item = &'p Arc<OwnPod>>, String> {
    let asks = family_of(&service.annotations)
        .is_some_and(|family| word(&service.annotations, family, "scrape") == Some("true"));
    if asks && service.selector.is_empty() {
        return Err(
            "it selects no pods, and nothing but pods is scraped; annotate what it stands for".to_owned()
        );
    }
    let has = move |pod: &OwnPod| service.selector.iter().all(|(k, v)| pod.labels.get(k) == Some(v));
    Ok(pods.iter().filter(move |pod| {
        asks && pod.namespace == service.namespace && (pod.ready || service.unready_too) && has(pod)
    }))
}

/// The family of annotations that counts.
fn family_of(annotations: &BTreeMap<String, String>) -> Option<&'static str> {
    FAMILIES.into_iter().find(|family| word(annotations, family, "scrape").is_some())
}

fn word<'a>(annotations: &'a BTreeMap<String, String>, family: &str, key: &str) -> Option<&'a str> {
    annotations.get(&format!("{family}/{key}")).map(|v| v.trim())
}

/// Annotations of one family, of a pod or of a Service that selects it. Names are those of `prometheus.io`; `k8s.grafana.com`
/// writes most of them otherwise.
struct Asked<'a> {
    pod: &'a OwnPod,
    service: Option<&'a OwnService>,
    annotations: &'a BTreeMap<String, String>,
    family: &'static str,
}

impl<'a> Asked<'a> {
    fn name(&self, key: &str) -> String {
        let key = match (self.family, key) {
            ("k8s.grafana.com", "path") => "metrics.path",
            ("k8s.grafana.com", "scheme") => "metrics.scheme",
            ("k8s.grafana.com", "params") => "metrics.param",
            ("k8s.grafana.com", "interval") => "metrics.scrapeInterval",
            ("k8s.grafana.com", "timeout") => "metrics.scrapeTimeout",
            (_, key) => key,
        };
        format!("{}/{key}", self.family)
    }

    fn given(&self, key: &str) -> Option<&'a str> {
        self.annotations.get(&self.name(key)).map(|v| v.trim())
    }

    fn path(&self) -> Result<String, String> {
        let path = self.given("path").unwrap_or("/metrics");
        if !path.starts_with('/') || path.contains(['#', ' ', '\\']) || path.starts_with("//") {
            return Err(format!("{} is `{path}`; it begins with one / and is plain", self.name("path")));
        }
        let mut out = path.to_owned();
        let mut add = |name: &str, value: &str| {
            out.push(if out.contains('?') { '&' } else { '?' });
            out.push_str(&escaped(name));
            out.push('=');
            out.push_str(&escaped(value));
        };
        for pair in self.given("params").unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            add(name.trim(), value.trim());
        }
        let prefix = format!("{}/param_", self.family);
        for (key, value) in self.annotations.range(prefix.clone()..) {
            match key.strip_prefix(&prefix) {
                Some(name) => add(name, value),
                None => break,
            }
        }
        Ok(out)
    }

    fn scheme(&self) -> Result<Scheme, String> {
        match self.given("scheme").unwrap_or("http") {
            "http" => Ok(Scheme::Http),
            "https" => Ok(Scheme::Https),
            other => Err(format!("{} is `{other}`; it is http or https", self.name("scheme"))),
        }
    }

    /// A name and no address in any spelling, since it stands where the host does.
    fn server_name(&self) -> Result<Option<String>, String> {
        let Some(name) = self.given("server_name") else { return Ok(None) };
        let label = |l: &str| {
            !l.is_empty() && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let last = name.rsplit('.').next().unwrap_or_default();
        if !name.split('.').all(label) || !last.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(format!(
                "{} is `{name}`; it is a name such as web.shop.svc, in small letters",
                self.name("server_name")
            ));
        }
        Ok(Some(name.to_owned()))
    }

    fn times(&self) -> Result<(Duration, Duration), String> {
        let interval = self.length("interval", (INTERVAL, LEAST_INTERVAL, MOST_INTERVAL))?;
        let most = TIMEOUT.min(interval);
        Ok((interval, self.length("timeout", (most, Duration::from_millis(100), most))?))
    }

    fn length(
        &self,
        key: &str,
        (usual, least, most): (Duration, Duration, Duration),
    ) -> Result<Duration, String> {
        let Some(text) = self.given(key) else { return Ok(usual) };
        length(text).filter(|found| (least..=most).contains(found)).ok_or_else(|| {
            format!(
                "{} is `{text}`; it is a duration from {least:?} to {most:?}, such as 30s",
                self.name(key)
            )
        })
    }

    /// Ports that containers declare, by name.
    fn declared(&self) -> impl Iterator<Item = (&'a str, u16)> {
        let only = match self.family {
            "k8s.grafana.com" => self.given("metrics.container"),
            _ => None,
        };
        let containers = self.pod.containers.iter().filter(move |c| only.is_none_or(|o| o == c.name));
        containers.flat_map(|c| &c.ports).map(|(name, port)| (name.as_str(), *port))
    }

    /// Ports of the Service, where one asks, as the pod has them; else those that the pod declares.
    fn offered(&self) -> Vec<(&'a str, u16)> {
        let Some(service) = self.service else { return self.declared().collect() };
        let in_pod = |target: &TargetPort| match target {
            TargetPort::Number(port) => Some(*port),
            TargetPort::Named(name) => self.declared().find(|(n, _)| n == name).map(|(_, port)| port),
        };
        service.ports.iter().filter_map(|p| Some((p.name.as_str(), in_pod(&p.target)?))).collect()
    }

    fn ports(&self) -> Result<Vec<u16>, String> {
        let offered = self.offered();
        let keys: &[&str] = if self.family == "k8s.grafana.com" {
            &["metrics.portNumber", "metrics.portName"]
        } else {
            &["port"]
        };
        if let Some((key, list)) = keys.iter().find_map(|key| Some((key, self.given(key)?))) {
            let named = |word: &str| {
                let mut all = offered.iter().copied().chain(self.declared());
                all.find(|(name, _)| *name == word).map(|(_, port)| port)
            };
            let port = |word: &str| word.parse().ok().filter(|p| *p != 0).or_else(|| named(word));
            let none = |word: &str| format!("{} names `{word}`, which is no port of the pod", self.name(key));
            return list.split(',').map(|word| port(word.trim()).ok_or_else(|| none(word))).collect();
        }
        let fits = |name: &str| name == "metrics" || name.ends_with("-metrics");
        let named: Vec<u16> = offered.iter().filter(|(n, _)| fits(n)).map(|(_, p)| *p).collect();
        if !named.is_empty() {
            return Ok(named);
        }
        let key = keys.first().copied().unwrap_or("port");
        let none = || format!("no port is declared; write {}", self.name(key));
        offered.first().map(|(_, port)| vec![*port]).ok_or_else(none)
    }

    fn targets(&self, pod: &Arc<OwnPod>) -> Result<Vec<Target>, String> {
        if self.given("scrape") != Some("true") || pod.phase != "Running" {
            return Ok(Vec::new());
        }
        let Some(ip) = pod.ip.as_deref().and_then(|ip| ip.parse::<IpAddr>().ok()) else {
            return Ok(Vec::new());
        };
        let (path, scheme, (interval, timeout)) = (self.path()?, self.scheme()?, self.times()?);
        let ports = self.ports()?;
        if ports.len() > MOST_PORTS {
            return Err(format!(
                "{} ports are to be scraped, more than {MOST_PORTS}; name those that have metrics",
                ports.len()
            ));
        }
        let declares = |port: &u16| pod.containers.iter().flat_map(|c| &c.ports).any(|(_, p)| p == port);
        if let Some(port) = ports.iter().find(|port| pod.host_network && !declares(port)) {
            return Err(format!("the pod is on the node's own network and does not declare port {port}"));
        }
        if let Some(port) = ports.iter().find(|port| pod.host_network && OF_KUBERNETES.contains(port)) {
            return Err(format!("port {port} of the node's own network is one of Kubernetes itself"));
        }
        let called = |key: &str| match self.family {
            "k8s.grafana.com" => self.given(key).map(str::to_owned),
            _ => None,
        };
        let of_service = |name: &dyn Fn(&OwnService) -> String| self.service.map(name);
        let job = called("job").or_else(|| of_service(&|s| format!("{}/{}", s.namespace, s.name)));
        let service_name = || of_service(&|s| format!("{}.{}.svc", s.name, s.namespace));
        let server_name = self.server_name()?.or_else(service_name);
        let target = |port| Target {
            pod: pod.clone(),
            addr: SocketAddr::new(ip, port),
            path: path.clone(),
            scheme,
            interval,
            timeout,
            server_name: server_name.clone(),
            job: job.clone(),
            instance: called("instance"),
        };
        Ok(ports.into_iter().map(target).collect())
    }
}

fn of_pod(pod: &Arc<OwnPod>) -> Result<Vec<Target>, String> {
    let annotations = &pod.annotations;
    let Some(family) = family_of(annotations) else { return Ok(Vec::new()) };
    Asked { pod, service: None, annotations, family }.targets(pod)
}

fn of_service(service: &OwnService, pod: &Arc<OwnPod>) -> Result<Vec<Target>, String> {
    let annotations = &service.annotations;
    let Some(family) = family_of(annotations) else { return Ok(Vec::new()) };
    Asked { pod, service: Some(service), annotations, family }.targets(pod)
}

/// `30s`, `1m30s`, `500ms`.
fn length(text: &str) -> Option<Duration> {
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
        let (number, tail) = rest.split_at(end);
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(end);
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(millis)?)?;
        rest = next;
    }
    (total > 0).then(|| Duration::from_millis(total))
}

/// A name or value of a query, percent-encoded.
fn escaped(text: &str) -> String {
    let plain = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b':' | b'/' | b'[' | b']')
    };
    let one = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(one).collect()
}
