//! Which logs are shipped, and what their resource is.

use ph_model::Attributes;
use ph_taillog::SourceId;

use crate::collect::Feed;
use crate::config::{Choice, Mode};
use crate::enrich;

/// Annotation, or label of a Docker container, that keeps a log from being shipped when it says `false`.
const SHIP: &str = "pilothouse.dev/logs";
/// Our own pods have this label; shipping the shipper's log would feed itself.
const PART_OF: (&str, &str) = ("app.kubernetes.io/part-of", "pilothouse");

/// What is to be done with a log.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Ship(Attributes),
    Leave,
    /// Nothing is known of its pod or container yet.
    Unknown(Attributes),
}

/// Judges a log by settings, annotations and labels.
pub fn judge(feed: &Feed, source: &SourceId) -> Verdict {
    match source {
        SourceId::Pod { namespace, pod, pod_uid, container } => {
            if !chosen(feed, Some(namespace), &[container]) {
                return Verdict::Leave;
            }
            match feed.pods.pod(pod_uid) {
                Some(known) => {
                    let off = known.annotations.get(SHIP).is_some_and(|v| v == "false");
                    let ours = known.labels.get(PART_OF.0).is_some_and(|v| v == PART_OF.1);
                    if off || ours {
                        return Verdict::Leave;
                    }
                    let mut out = enrich::pod(&known, &feed.place);
                    match known.containers.iter().find(|c| c.name == *container) {
                        Some(found) => enrich::container(found, &mut out),
                        None => out.set("k8s.container.name", container.as_str()),
                    }
                    enrich::service(&known, container, &mut out);
                    Verdict::Ship(out)
                }
                None => {
                    let mut out = Attributes::new();
                    if !feed.place.node.is_empty() {
                        out.set("k8s.node.name", feed.place.node.as_str());
                    }
                    out.set("k8s.namespace.name", namespace.as_str());
                    out.set("k8s.pod.name", pod.as_str());
                    out.set("k8s.pod.uid", pod_uid.as_str());
                    out.set("k8s.container.name", container.as_str());
                    Verdict::Unknown(out)
                }
            }
        }
        SourceId::Docker { container_id } => {
            let containers = feed.docker.borrow().clone();
            let Some(found) = containers.iter().find(|c| c.id == *container_id) else {
                let mut out = feed.place.attributes();
                out.set("container.id", container_id.as_str());
                let known = feed.config.mode == Mode::Docker && chosen(feed, None, &[container_id]);
                return if known { Verdict::Unknown(out) } else { Verdict::Leave };
            };
            let off = found.labels.get(SHIP).is_some_and(|v| v == "false");
            if off || !chosen(feed, None, &[&found.name, container_id]) {
                return Verdict::Leave;
            }
            let mut out = enrich::docker_container(found, &feed.place);
            out.set("service.name", found.name.as_str());
            Verdict::Ship(out)
        }
        // A person's own files are no container's.
        SourceId::File { .. } => Verdict::Leave,
    }
}

fn chosen(feed: &Feed, namespace: Option<&str>, names: &[&str]) -> bool {
    let matches = |choice: &Choice| {
        choice.namespace.as_deref().is_none_or(|wanted| namespace == Some(wanted))
            && choice.container.as_deref().is_none_or(|wanted| names.contains(&wanted))
    };
    let logs = &feed.config.logs;
    (logs.include.is_empty() || logs.include.iter().any(matches)) && !logs.exclude.iter().any(matches)
}
