//! Which of its rights the agent has, and which it should not have.
//!
//! Source: SelfSubjectAccessReview, authorization.k8s.io/v1.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};
use ph_link::v1::Tier;
use ph_model::ObjectKind;

use crate::kinds;

struct Right {
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    verb: &'static str,
}

/// What the agent lacks for its features, and what it holds beyond its tier; each line with its fix. Empty when all is well.
pub async fn check(client: &kube::Client, ceiling: Tier) -> Vec<String> {
    let mut warnings = Vec::new();
    for kind in ObjectKind::ALL {
        let (group, _) = kinds::group_version(kind);
        let right = Right { group, resource: kind.plural(), subresource: "", verb: "watch" };
        if allowed(client, &right).await == Some(false) {
            warnings.push(format!(
                "inventory of {}: not allowed to watch; {}",
                kind.plural(),
                kinds::rbac_fix(kind)
            ));
        }
    }
    let exec = Right { group: "", resource: "pods", subresource: "exec", verb: "create" };
    let may_exec = allowed(client, &exec).await;
    if ceiling >= Tier::Debug && may_exec == Some(false) {
        warnings.push("commands in containers: not allowed; add to ClusterRole pilothouse-cluster-agent: {apiGroups: [\"\"], resources: [\"pods/exec\"], verbs: [get, create]}".into());
    }
    if ceiling < Tier::Debug && may_exec == Some(true) {
        warnings.push("overprivileged: the agent may open commands (pods/exec) although its tier is observe; remove pods/exec from its ClusterRole".into());
    }
    for (right, name) in [
        (Right { group: "", resource: "nodes", subresource: "proxy", verb: "get" }, "nodes/proxy"),
        (Right { group: "*", resource: "*", subresource: "", verb: "*" }, "everything (*)"),
    ] {
        if allowed(client, &right).await == Some(true) {
            warnings.push(format!(
                "overprivileged: the agent holds {name}; remove it from the roles bound to its ServiceAccount"
            ));
        }
    }
    warnings
}

/// `None`: the API server did not say.
async fn allowed(client: &kube::Client, right: &Right) -> Option<bool> {
    let some = |s: &str| (!s.is_empty()).then(|| s.to_owned());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(right.group.to_owned()),
                resource: some(right.resource),
                subresource: some(right.subresource),
                verb: some(right.verb),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    Some(api.create(&PostParams::default(), &review).await.ok()?.status?.allowed)
}
