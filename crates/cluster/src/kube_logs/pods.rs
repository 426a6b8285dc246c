//! Pods of the places that are meant: listed once, or listed and watched for ever.

use std::time::Duration;

use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::runtime::{WatchStreamExt, watcher};

use super::choice::Choice;
use crate::Error;

/// Objects of one page.
const PAGE: u32 = 500;

/// Before a list that replaces an expired watch.
const EXPIRED: Duration = Duration::from_millis(250);

/// A namespace, or all of them.
pub type Place = Option<String>;

#[derive(Debug)]
pub enum Change {
    Set(Box<Pod>),
    Gone(Box<Pod>),
    /// The watch of this place begins anew; what is not set before `Synced` is gone.
    Begin(Place),
    Synced(Place),
    Failed(String),
}

fn api(client: &kube::Client, place: &Place) -> Api<Pod> {
    match place {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Every pod of one place that the choice's selectors let through.
pub async fn list(client: &kube::Client, place: &Place, choice: &Choice) -> Result<Vec<Pod>, Error> {
    let mut params = ListParams { limit: Some(PAGE), ..ListParams::default() };
    params.label_selector.clone_from(&choice.labels);
    params.field_selector.clone_from(&choice.fields);
    let mut pods = Vec::new();
    let mut again = true;
    loop {
        let page = match api(client, place).list(&params).await {
            Ok(page) => page,
            // The list outlived its snapshot: it begins anew, once.
            Err(kube::Error::Api(status)) if status.code == 410 && again => {
                again = false;
                pods.clear();
                params.continue_token = None;
                continue;
            }
            Err(e) => {
                let place = place.clone().unwrap_or_else(|| "all namespaces".to_owned());
                return Err(Error::ListPods { place, cause: Box::new(e) });
            }
        };
        pods.extend(page.items);
        params.continue_token = page.metadata.continue_.filter(|t| !t.is_empty());
        if params.continue_token.is_none() {
            return Ok(pods);
        }
    }
}

/// Changes of all places, for ever. A watch that broke, or whose version is gone, lists anew by itself, with growing pauses.
pub fn watch(
    client: &kube::Client,
    places: &[Place],
    choice: &Choice,
) -> impl Stream<Item = Change> + Send + Unpin + use<> {
    let mut all: SelectAll<BoxStream<'static, Change>> = SelectAll::new();
    for place in places {
        let mut config = watcher::Config::default().page_size(PAGE);
        config.label_selector.clone_from(&choice.labels);
        config.field_selector.clone_from(&choice.fields);
        let (events, place) = (events(api(client, place), config), place.clone());
        let changes = events.map(move |event| match event {
            Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) => Change::Set(Box::new(pod)),
            Ok(watcher::Event::Delete(pod)) => Change::Gone(Box::new(pod)),
            Ok(watcher::Event::Init) => Change::Begin(place.clone()),
            Ok(watcher::Event::InitDone) => Change::Synced(place.clone()),
            Err(e) => Change::Failed(format!("the watch of pods: {}", crate::error::chain(&e))),
        });
        all.push(changes.boxed());
    }
    all
}

/// One place's events. A watch that is refused because its version is gone lists anew, like one that is told so later.
fn events(
    api: Api<Pod>,
    config: watcher::Config,
) -> impl Stream<Item = Result<watcher::Event<Pod>, watcher::Error>> + Send {
    let begin = move || {
        watcher::watcher(api.clone(), config.clone()).backoff(watcher::DefaultBackoff::default()).boxed()
    };
    futures::stream::unfold((begin(), begin), |(mut current, begin)| async move {
        loop {
            let event = current.next().await?;
            if !matches!(&event, Err(e) if is_expired(e)) {
                return Some((event, (current, begin)));
            }
            tokio::time::sleep(EXPIRED).await;
            current = begin();
        }
    })
}

fn is_expired(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 410)
}

/// The pod as it is now; `None` when it is gone, or another one has its name.
pub async fn one(
    client: &kube::Client,
    (namespace, name, uid): (&str, &str, &str),
) -> Result<Option<Pod>, kube::Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let found = api.get_opt(name).await?;
    Ok(found.filter(|p| p.metadata.uid.as_deref() == Some(uid)))
}
