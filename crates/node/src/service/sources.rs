//! Which container logs lie on this machine.

use std::collections::HashSet;

use ph_link::v1::{LogRun, LogSegment, LogSource, SourceRef, SourcesReply};
use ph_taillog::{SourceDir, SourceId, discover, inspect};
use tonic::Status;

use super::Services;
use super::tickets::Listing;

/// Sources with runs and segments; `only` empty means all. What may not be told is left out. Blocks.
pub fn list(services: &Services, only: &[SourceRef], may: &Listing) -> Result<SourcesReply, Status> {
    let roots = services.roots();
    let mut reply = SourcesReply::default();
    let ids = if only.is_empty() {
        let (ids, warnings) = discover(&roots).map_err(|e| status(&e))?;
        reply.warnings.extend(warnings.into_iter().map(|w| format!("{}: {}", w.path.display(), w.text)));
        ids.into_iter().filter(|id| may.covers(&reference(services, id))).collect()
    } else {
        let told = only.iter().filter(|one| may.covers(one));
        told.map(|one| id(services, one)).collect::<Result<Vec<_>, _>>()?
    };
    for id in ids {
        match inspect(&roots, &id) {
            Ok(found) => reply.sources.push(source(services, &found)),
            Err(ph_taillog::Error::NotFound { .. }) => {}
            Err(error) => reply.warnings.push(error.to_string()),
        }
    }
    if roots.refused() > 0 {
        reply.warnings.push(format!(
            "{} log files point outside of the log roots and were refused; a container may have planted them",
            roots.refused()
        ));
    }
    Ok(reply)
}

fn source(services: &Services, found: &SourceDir) -> LogSource {
    let runs = found
        .runs
        .iter()
        .map(|run| LogRun {
            run: run.number,
            segments: run
                .segments
                .iter()
                .map(|s| LogSegment {
                    key: s.key.map(|k| k.to_be_bytes().to_vec().into()).unwrap_or_default(),
                    file: s.name.clone(),
                    bytes: s.size_bytes,
                    gzip: s.gz,
                    first_ns: s.first_ns.unwrap_or(0),
                    last_ns: s.last_ns.unwrap_or(0),
                })
                .collect(),
        })
        .collect();
    LogSource {
        source: Some(reference(services, &found.id)),
        runs,
        state: state(services, &found.id).to_owned(),
    }
}

/// How the platform names a source: a static pod by its UID at the API server, not by its hash.
pub fn reference(services: &Services, id: &SourceId) -> SourceRef {
    match id {
        SourceId::Pod { namespace, pod, pod_uid, container } => SourceRef {
            namespace: namespace.clone(),
            pod: pod.clone(),
            pod_uid: services.pods.pod(pod_uid).map_or_else(|| pod_uid.clone(), |p| p.uid.clone()),
            container: container.clone(),
            container_id: String::new(),
        },
        SourceId::Docker { container_id } => {
            let containers = services.containers.borrow();
            let name = containers.iter().find(|c| c.id == *container_id).map(|c| c.name.clone());
            SourceRef {
                container: name.unwrap_or_default(),
                container_id: container_id.clone(),
                ..SourceRef::default()
            }
        }
        SourceId::File { path } => {
            SourceRef { container: path.display().to_string(), ..SourceRef::default() }
        }
    }
}

/// The directory that a reference names. Namespace, pod and UID must all be those of the directory.
pub fn id(services: &Services, of: &SourceRef) -> Result<SourceId, Status> {
    if !of.container_id.is_empty() {
        return Ok(SourceId::Docker { container_id: of.container_id.clone() });
    }
    if of.namespace.is_empty() || of.pod.is_empty() || of.container.is_empty() || of.pod_uid.is_empty() {
        return Err(Status::invalid_argument(
            "a log is named by container_id, or by namespace, pod, pod_uid and container together",
        ));
    }
    Ok(SourceId::Pod {
        namespace: of.namespace.clone(),
        pod: of.pod.clone(),
        pod_uid: services.pods.log_uid(&of.pod_uid),
        container: of.container.clone(),
    })
}

fn state(services: &Services, id: &SourceId) -> &'static str {
    match id {
        SourceId::Pod { pod_uid, container, .. } => {
            let living: HashSet<String> = services.pods.living().iter().map(|p| p.uid.clone()).collect();
            let Some(pod) = services.pods.pod(pod_uid).filter(|p| living.contains(&p.uid)) else {
                return "gone";
            };
            let running = pod.containers.iter().any(|c| c.name == *container && c.running);
            if running { "running" } else { "exited" }
        }
        SourceId::Docker { container_id } => {
            match services.containers.borrow().iter().find(|c| c.id == *container_id) {
                Some(found) if found.running() => "running",
                Some(_) => "exited",
                None => "gone",
            }
        }
        SourceId::File { .. } => "exited",
    }
}

/// An error of log reading as gRPC has it.
pub fn status(error: &ph_taillog::Error) -> Status {
    use ph_model::ErrorKind as K;
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    match error.kind() {
        K::NotFound => Status::not_found(text),
        K::Denied => Status::permission_denied(text),
        K::Invalid => Status::invalid_argument(text),
        K::Exhausted => Status::resource_exhausted(text),
        K::Gone => Status::out_of_range(text),
        K::Unavailable => Status::unavailable(text),
        K::Internal => Status::internal(text),
    }
}
