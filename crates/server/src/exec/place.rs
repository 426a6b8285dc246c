//! Which pod and container a command is for, as the inventory has them now; fixed from here on.

use ph_access::TenantCtx;
use ph_api::ExecOpen;
use ph_model::{ClusterId, ErrorKind};
use ph_store::state::ClusterRecord;
use serde_json::Value;

use crate::app::AppState;
use crate::gateway::problem::Problem;

/// The one pod and container that a command is for.
#[derive(Debug)]
pub(super) struct Place {
    pub pod_uid: String,
    /// Empty when the inventory does not know the pod yet and the caller named none: the cluster's default.
    pub container: String,
    pub node: String,
}

/// A pod as the inventory has it.
#[derive(Default)]
struct Pod {
    uid: String,
    node: String,
    containers: Vec<String>,
    default_container: Option<String>,
}

/// `Gone` when the pod of that name is another one by now, `NotFound` without such a pod or container.
pub(super) fn place(
    app: &AppState,
    ctx: &TenantCtx,
    (cluster, ask): (&ClusterRecord, &ExecOpen),
) -> Result<Place, Problem> {
    let known = pod(app, ctx, (cluster.id, &ask.namespace, &ask.pod));
    let pod = match (known, &ask.pod_uid) {
        (Some(pod), Some(uid)) if pod.uid != *uid => {
            let text = format!(
                "pod {}/{} is another one by now (UID {}, not {uid})",
                ask.namespace, ask.pod, pod.uid
            );
            return Err(
                Problem::new(ErrorKind::Gone, text).next_step("open a terminal on the pod that runs now")
            );
        }
        (Some(pod), _) => pod,
        // The agent checks the UID itself, so an inventory that is behind stops nobody who names one.
        (None, Some(uid)) => Pod { uid: uid.clone(), ..Pod::default() },
        (None, None) => {
            let text = format!("cluster {} has no pod {}/{}", cluster.name, ask.namespace, ask.pod);
            return Err(Problem::new(ErrorKind::NotFound, text));
        }
    };
    let chosen = ask.container.clone().or(pod.default_container).or_else(|| pod.containers.first().cloned());
    let container = chosen.unwrap_or_default();
    if !pod.containers.is_empty() && !pod.containers.contains(&container) {
        let list = pod.containers.join(", ");
        let text = format!("pod {}/{} has the containers {list}, not {container:?}", ask.namespace, ask.pod);
        return Err(Problem::new(ErrorKind::NotFound, text.clone()).fault("/container", text));
    }
    Ok(Place { pod_uid: pod.uid, container, node: pod.node })
}

fn pod(app: &AppState, ctx: &TenantCtx, (cluster, namespace, name): (ClusterId, &str, &str)) -> Option<Pod> {
    let room = app.inventories.find(ctx, cluster)?;
    let object = room.read().named("Pod", namespace, name)?.clone();
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let containers = object.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let default = text("/metadata/annotations/kubectl.kubernetes.io~1default-container");
    Some(Pod {
        uid: text("/metadata/uid"),
        node: text("/spec/nodeName"),
        containers: containers.filter_map(|c| c.get("name")?.as_str().map(str::to_owned)).collect(),
        default_container: (!default.is_empty()).then_some(default),
    })
}
