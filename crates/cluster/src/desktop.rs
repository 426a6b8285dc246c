//! A person's cluster without anything installed in it: the agent's work under the person's own rights, in the person's own process.
//!
//! In:     one context of a kubeconfig; a server on this machine; a directory for the agent's key.
//! Out:    the link of a cluster-agent. While the cluster cannot be looked at, the link stands all the same and says why.
//! Never:  writes into the cluster; waits for one cluster before another; a right that the person does not have.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ph_link::agent::{AgentLink, LinkConfig, Timing};
use ph_link::enrol::{Enrolment, Proof, load_or_enrol};
use ph_link::v1::objects_server::ObjectsServer;
use ph_link::v1::{AgentKind, StatusReport, Tier};
use ph_link::{Identity, Origin, WHOLE_CLUSTER as API};
use ph_model::Secret;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use crate::Error;
use crate::agent::until_done;
use crate::error::chain;
use crate::inventory::Inventory;
use crate::kubeconfig::{self, Access, Reach};
use crate::objects::ObjectsService;
use crate::probe::{Trouble, probe};
use crate::scope::{self, Scope};
use crate::term::{self, Post, Settings, Whose};

/// A cluster that cannot be looked at is tried again; one that can is looked after.
const TRY_EVERY: Duration = Duration::from_secs(15);
/// For a program that the kubeconfig names to give credentials.
const PATIENCE: Duration = Duration::from_secs(10);
/// For the reviews of what may be seen.
const REVIEWS: Duration = Duration::from_secs(20);
/// Work that has ended is waited for so long.
const DRAIN: Duration = Duration::from_secs(5);

/// Everything the agent of one context is told.
#[derive(Clone, Debug)]
pub struct DesktopConfig {
    /// Loopback address of the server, `http://…`.
    pub server: String,
    pub access: Access,
    /// The context's name; [`Access::context`] names it too.
    pub context: String,
    /// Names the cluster to the server as its own UID would: see [`kubeconfig::Context::uid`].
    pub uid: String,
    /// Namespaces to try besides the context's own, where the whole cluster is refused.
    pub namespaces: Vec<String>,
    /// For the agent's key and enrolment; must exist.
    pub dir: PathBuf,
    /// Spent when there is no enrolment in `dir`.
    pub join_token: Option<Secret<String>>,
    pub version: String,
    /// Points of all objects are sent this often.
    pub metrics_every: Duration,
}

/// The agent of one context.
pub struct Desktop {
    config: DesktopConfig,
    origin: Origin,
    identity: Identity,
    /// A client on its way: a program that gives credentials may take long, and is not started twice.
    reaching: Option<JoinHandle<Result<Reach, Error>>>,
}

/// A cluster that answers, and what of it may be seen.
struct Ready {
    reach: Reach,
    platform: String,
    scope: Scope,
}

impl Desktop {
    /// Runs until `stop`. Errors: the server does not take the agent.
    pub async fn run(config: DesktopConfig, stop: CancellationToken) -> Result<(), Error> {
        let origin = Origin::new(&config.server, None).map_err(|e| Error::Link(Box::new(e)))?;
        let Some(identity) = until_done(&stop, || enrolled(&config, &origin)).await? else {
            return Ok(());
        };
        let mut desktop = Self { config, origin, identity, reaching: None };
        let mut ready = None;
        while !stop.is_cancelled() {
            let (term, tasks) = (stop.child_token(), TaskTracker::new());
            let tried = match ready.take() {
                Some(ready) => Ok(ready),
                None => tokio::select! {
                    () = stop.cancelled() => break,
                    tried = desktop.ready() => tried,
                },
            };
            let ended = match tried {
                Ok(found) => desktop.work(found, (&tasks, &term)).await,
                Err(trouble) => desktop.wait(trouble, (&tasks, &term)).await.map(|found| ready = found),
            };
            term.cancel();
            tasks.close();
            let _ = tokio::time::timeout(DRAIN, tasks.wait()).await;
            ended?;
        }
        Ok(())
    }

    /// The cluster as it answers now.
    async fn ready(&mut self) -> Result<Ready, Trouble> {
        let reach = self.reach().await?;
        let platform = probe(&reach.client).await?;
        let mut named = vec![reach.namespace.clone()];
        named.extend(self.config.namespaces.iter().cloned());
        let scope = match tokio::time::timeout(REVIEWS, scope::find(&reach.client, &named)).await {
            Ok(Ok(scope)) => scope,
            Ok(Err(e)) => {
                return Err(Trouble::Away(format!("its rights could not be looked up: {}", chain(&e))));
            }
            Err(_) => {
                let text = format!("the reviews of its rights took longer than {} s", REVIEWS.as_secs());
                return Err(Trouble::Away(text));
            }
        };
        Ok(Ready { reach, platform, scope })
    }

    /// A client by the kubeconfig as it is now. What blocks does so on its own thread.
    async fn reach(&mut self) -> Result<Reach, Trouble> {
        let access = self.config.access.clone();
        let runtime = tokio::runtime::Handle::current();
        let reaching = self.reaching.get_or_insert_with(|| {
            let made = move || runtime.block_on(kubeconfig::reach(&access, Arc::new(|| {})));
            tokio::task::spawn_blocking(made)
        });
        let reached = tokio::time::timeout(PATIENCE, reaching).await.map_err(|_| {
            Trouble::Away(format!(
                "the program that gives credentials for context {} did not end within {} s",
                self.config.context,
                PATIENCE.as_secs()
            ))
        })?;
        self.reaching = None;
        match reached {
            Ok(Ok(reach)) => Ok(reach),
            Ok(Err(e)) => Err(Trouble::Refused(unusable(&self.config.context, &e))),
            Err(_) => Err(Trouble::Away("the client could not be made".to_owned())),
        }
    }

    /// The agent's work, until the cluster refuses the credentials or `term` ends.
    async fn work(
        &self,
        ready: Ready,
        (tasks, term): (&TaskTracker, &CancellationToken),
    ) -> Result<(), Error> {
        tracing::info!(context = %self.config.context, "looking at the cluster");
        let inventory = Arc::new(Inventory::default());
        tasks.spawn(look_after(ready.reach.client.clone(), inventory.clone(), term.clone()));
        let settings = Settings {
            whose: Whose::Person,
            // Commands run with the person's own rights: the cluster decides.
            ceiling: Tier::Debug,
            version: self.config.version.clone(),
            metrics_every: self.config.metrics_every,
        };
        let post = Post {
            client: &ready.reach.client,
            origin: &self.origin,
            identity: self.identity.clone(),
            uid: self.config.uid.clone(),
            platform: ready.platform,
            scope: ready.scope,
            inventory,
        };
        term::work(&settings, post, (tasks, term)).await
    }

    /// Says why the cluster cannot be looked at, until it can. `None` when stopped.
    async fn wait(
        &mut self,
        trouble: Trouble,
        (tasks, term): (&TaskTracker, &CancellationToken),
    ) -> Result<Option<Ready>, Error> {
        let inventory = Arc::new(Inventory::default());
        inventory.fail(API, trouble.text(), "");
        tracing::warn!(context = %self.config.context, cause = trouble.text(), "the cluster cannot be looked at");
        let objects =
            ObjectsService { inventory: inventory.clone(), tasks: tasks.clone(), stop: term.clone() };
        let (_status, report) = watch::channel(StatusReport::default());
        let link = AgentLink::new(LinkConfig {
            origin: self.origin.clone(),
            identity: self.identity.clone(),
            kind: AgentKind::Cluster,
            node: String::new(),
            cluster_uid: self.config.uid.clone(),
            ceiling: Tier::Observe,
            version: self.config.version.clone(),
            platform: "kubernetes".to_owned(),
            services: Routes::new(ObjectsServer::new(objects)),
            status: report,
            timing: Timing::default(),
        })
        .map_err(|e| Error::Link(Box::new(e)))?;
        tasks.spawn(link.run(term.clone()));
        loop {
            tokio::select! {
                () = term.cancelled() => return Ok(None),
                () = tokio::time::sleep(TRY_EVERY) => {}
            }
            let tried = tokio::select! {
                () = term.cancelled() => return Ok(None),
                tried = self.ready() => tried,
            };
            match tried {
                Ok(ready) => return Ok(Some(ready)),
                Err(trouble) => inventory.fail(API, trouble.text(), ""),
            }
        }
    }
}

/// Looks whether the cluster still answers; refused credentials end the term, so that the kubeconfig is read anew.
async fn look_after(client: kube::Client, inventory: Arc<Inventory>, term: CancellationToken) {
    let mut told = false;
    loop {
        tokio::select! {
            () = term.cancelled() => return,
            () = tokio::time::sleep(TRY_EVERY) => {}
        }
        match probe(&client).await {
            Ok(_) if told => {
                told = false;
                inventory.without(API, "");
            }
            Ok(_) => {}
            Err(Trouble::Refused(_)) => return term.cancel(),
            Err(trouble) => {
                told = true;
                inventory.fail(API, trouble.text(), "");
            }
        }
    }
}

/// Why no client could be made of a context.
fn unusable(context: &str, error: &Error) -> String {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), chain);
    format!(
        "context {context} cannot be used: {cause}; look at its user and cluster in the kubeconfig, and whether the program that it \
         names for credentials is installed"
    )
}

async fn enrolled(config: &DesktopConfig, origin: &Origin) -> Result<Identity, Error> {
    let known = Identity::load(&config.dir).map_err(|e| Error::Enrol(Box::new(e)))?;
    if let Some(identity) = known {
        return Ok(identity);
    }
    let token = config.join_token.clone().ok_or(Error::NoToken)?;
    let enrolment = Enrolment {
        proof: Proof::JoinToken { token },
        cluster_uid: config.uid.clone(),
        node: String::new(),
        version: config.version.clone(),
    };
    load_or_enrol(origin, &config.dir, &enrolment).await.map_err(|e| Error::Enrol(Box::new(e)))
}

#[cfg(test)]
mod tests;
