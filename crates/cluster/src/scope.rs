//! What of a cluster a person may look at: everything, or some namespaces, kind by kind.
//!
//! In:     the person's own client; the namespaces that the context and the command name.
//! Out:    for each kind the places to watch; in one sentence what is left out, and what would show it.
//! Never:  a watch that is known to be refused.
//! Source: SelfSubjectAccessReview, authorization.k8s.io/v1.

use std::collections::BTreeMap;

use futures::StreamExt;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams, PostParams};
use ph_model::ObjectKind;

use crate::inventory::Place;
use crate::kinds;

/// Questions at once.
const CONCURRENT: usize = 8;
/// Namespaces that are tried one by one where the cluster lists their names.
const MOST_TRIED: u32 = 50;

/// Where each kind may be watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// By kind; a kind without places may not be looked at.
    pub kinds: BTreeMap<&'static str, Vec<Place>>,
    pub events: Vec<Place>,
    /// What is not shown, in one sentence with its next step; `None`: nothing is left out.
    pub notice: Option<String>,
}

impl Scope {
    /// An agent's own account: everything, whatever its rights are; what it lacks is told kind by kind.
    pub fn whole() -> Self {
        let kinds = ObjectKind::ALL.into_iter().map(|k| (k.as_str(), vec![None])).collect();
        Self { kinds, events: vec![None], notice: None }
    }

    pub fn of(&self, kind: ObjectKind) -> &[Place] {
        self.kinds.get(kind.as_str()).map_or(&[], Vec::as_slice)
    }
}

/// Asks what may be watched. `named`: namespaces to try where the whole cluster is refused.
///
/// # Errors
/// The API server could not be asked.
pub async fn find(client: &kube::Client, named: &[String]) -> Result<Scope, kube::Error> {
    let mut wide: BTreeMap<&'static str, bool> = BTreeMap::new();
    let asked: Vec<_> = ObjectKind::ALL
        .into_iter()
        .map(|k| async move {
            let (group, _) = kinds::group_version(k);
            Ok::<_, kube::Error>((k.as_str(), may_watch(client, (group, k.plural()), None).await?))
        })
        .collect();
    let mut answers = futures::stream::iter(asked).buffer_unordered(CONCURRENT);
    while let Some(answer) = answers.next().await {
        let (kind, may) = answer?;
        wide.insert(kind, may);
    }
    let all_events = may_watch(client, EVENTS, None).await?;
    let everything = all_events && wide.values().all(|may| *may);
    let narrow = if everything { Vec::new() } else { namespaces(client, named, &wide).await? };
    let mut scope = Scope::default();
    for kind in ObjectKind::ALL {
        let (group, _) = kinds::group_version(kind);
        let places = match wide.get(kind.as_str()) {
            Some(true) => vec![None],
            _ if is_of_cluster(kind) => Vec::new(),
            _ => allowed(client, (group, kind.plural()), &narrow).await?,
        };
        scope.kinds.insert(kind.as_str(), places);
    }
    scope.events = if all_events { vec![None] } else { allowed(client, EVENTS, &narrow).await? };
    scope.notice = notice(&scope, &narrow);
    Ok(scope)
}

const EVENTS: (&str, &str) = ("events.k8s.io", "events");

fn is_of_cluster(kind: ObjectKind) -> bool {
    matches!(kind, ObjectKind::Node | ObjectKind::Namespace | ObjectKind::PersistentVolume)
}

/// The namespaces to try: those that are named, and where their names may be listed those whose pods may be watched.
async fn namespaces(
    client: &kube::Client,
    named: &[String],
    wide: &BTreeMap<&'static str, bool>,
) -> Result<Vec<String>, kube::Error> {
    let mut out: Vec<String> = named.to_vec();
    if wide.get(ObjectKind::Namespace.as_str()) == Some(&true) {
        let api: Api<Namespace> = Api::all(client.clone());
        let listed = api.list(&ListParams::default().limit(MOST_TRIED)).await?;
        let names: Vec<String> = listed.items.into_iter().filter_map(|n| n.metadata.name).collect();
        let found = allowed(client, ("", ObjectKind::Pod.plural()), &names).await?;
        out.extend(found.into_iter().flatten());
    }
    out.sort();
    out.dedup();
    Ok(out)
}

/// Those of the namespaces in which a resource may be watched.
async fn allowed(
    client: &kube::Client,
    resource: (&'static str, &'static str),
    namespaces: &[String],
) -> Result<Vec<Place>, kube::Error> {
    let asked: Vec<_> = namespaces
        .iter()
        .map(|n| async move {
            Ok::<_, kube::Error>(may_watch(client, resource, Some(n)).await?.then(|| Some(n.clone())))
        })
        .collect();
    let answers: Vec<_> = futures::stream::iter(asked).buffered(CONCURRENT).collect().await;
    let mut out = Vec::new();
    for answer in answers {
        out.extend(answer?);
    }
    Ok(out)
}

/// Whether a resource may be listed and watched: all of it, or in a namespace.
async fn may_watch(
    client: &kube::Client,
    (group, resource): (&str, &str),
    namespace: Option<&str>,
) -> Result<bool, kube::Error> {
    for verb in ["list", "watch"] {
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    group: Some(group.to_owned()),
                    resource: Some(resource.to_owned()),
                    verb: Some(verb.to_owned()),
                    namespace: namespace.map(str::to_owned),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
        let answer = api.create(&PostParams::default(), &review).await?;
        if !answer.status.is_some_and(|s| s.allowed) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Everything that is left out, in one sentence.
fn notice(scope: &Scope, tried: &[String]) -> Option<String> {
    let mut hidden: Vec<&str> = Vec::new();
    let mut narrow: Vec<&str> = Vec::new();
    let events = ("events", scope.events.as_slice());
    let kinds = ObjectKind::ALL.into_iter().map(|k| (k.plural(), scope.of(k)));
    for (plural, places) in kinds.chain([events]) {
        match places {
            [] => hidden.push(plural),
            [None] => {}
            _ => narrow.push(plural),
        }
    }
    let pods: Vec<&str> = scope.of(ObjectKind::Pod).iter().flatten().map(String::as_str).collect();
    let mut parts = Vec::new();
    if !narrow.is_empty() {
        parts.push(format!("{} of namespace {} alone", listed(&narrow), pods_or(&pods, tried)));
    }
    if !hidden.is_empty() {
        parts.push(format!("no {}", listed(&hidden)));
    }
    (!parts.is_empty()).then(|| {
        format!(
            "this kubeconfig's user may see {}; what needs more stays empty. get, list and watch on them would fill it; --namespace \
             names further namespaces to try",
            parts.join("; ")
        )
    })
}

/// The first few of many.
fn listed(kinds: &[&str]) -> String {
    match kinds {
        [a, b, c, _, rest @ ..] if !rest.is_empty() => {
            format!("{a}, {b}, {c} and {} more kinds", rest.len() + 1)
        }
        few => few.join(", "),
    }
}

fn pods_or(pods: &[&str], tried: &[String]) -> String {
    if pods.is_empty() { tried.join(", ") } else { pods.join(", ") }
}

#[cfg(test)]
mod tests {
    //! Rights of a whole cluster, of one namespace, of none.

    use serde_json::json;

    use super::*;
    use crate::fake_api::{Asked, FakeApi, json as answer};

    /// An API server whose rules are `resource` or `resource@namespace`.
    async fn api(rules: &'static [&'static str]) -> FakeApi {
        FakeApi::start(move |asked: Asked| {
            if asked.path == "/api/v1/namespaces" {
                let items = ["shop", "kube-system"].map(|n| json!({"metadata": {"name": n}}));
                return answer(
                    &json!({"kind": "NamespaceList", "apiVersion": "v1", "metadata": {}, "items": items}),
                );
            }
            let review = asked.json();
            let wanted = &review["spec"]["resourceAttributes"];
            let resource = wanted["resource"].as_str().unwrap_or_default();
            let place = wanted["namespace"].as_str();
            let key = place.map_or_else(|| resource.to_owned(), |n| format!("{resource}@{n}"));
            let allowed = rules.contains(&"*") || rules.contains(&key.as_str());
            let mut reply = review.clone();
            reply["status"] = json!({"allowed": allowed});
            answer(&reply)
        })
        .await
    }

    #[tokio::test]
    async fn who_may_see_everything_is_told_nothing() {
        let api = api(&["*"]).await;
        let scope = find(&api.client, &["default".into()]).await.unwrap();
        assert_eq!(scope, Scope::whole());
    }

    #[tokio::test]
    async fn a_role_for_pods_in_one_namespace_gives_these_and_one_notice() {
        let api = api(&["pods@shop"]).await;
        let scope = find(&api.client, &["shop".into()]).await.unwrap();
        assert_eq!(scope.of(ObjectKind::Pod), [Some("shop".to_owned())]);
        assert!(scope.of(ObjectKind::Node).is_empty() && scope.events.is_empty());
        let notice = scope.notice.unwrap();
        let begin = "this kubeconfig's user may see pods of namespace shop alone; no nodes, namespaces, deployments and 10 more kinds;";
        assert!(notice.starts_with(begin), "{notice}");
    }

    #[tokio::test]
    async fn namespaces_that_can_be_listed_are_tried() {
        let api = api(&["namespaces", "pods@shop", "events@shop", "deployments@shop"]).await;
        let scope = find(&api.client, &["default".into()]).await.unwrap();
        assert_eq!(scope.of(ObjectKind::Pod), [Some("shop".to_owned())]);
        assert_eq!(scope.of(ObjectKind::Deployment), [Some("shop".to_owned())]);
        assert_eq!((scope.of(ObjectKind::Namespace), scope.events.len()), (&[None][..], 1));
    }
}
