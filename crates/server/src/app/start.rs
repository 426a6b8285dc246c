//! Starts and stops the server.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ph_access::{Entry, Opaque, OpaqueKind, TenantCtx};
use ph_model::Secret;
use ph_store::state::{Bootstrap, NewLink, State};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::own::{self, StateReady};
use super::rooms::{TelemetryReady, open_telemetry, start_rooms};
use super::{App, AppState, chores, intake_router, jaeger_router, quotas, router};
use crate::audit::Auditor;
use crate::auth::keyring::{Keyring, private_dir, write_private};
use crate::auth::{AuthRoom, link_text};
use crate::clock::Clock;
use crate::config::{Listen, ServerConfig};
use crate::exec::ExecRoom;
use crate::gateway::error::Error;
use crate::gateway::listen::{Door, Serving, serve};
use crate::gateway::tls::{Certificates, authority_path};
use crate::gateway::watch::Watch;
use crate::ingest::IngestRoom;
use crate::link::{self, LinkRoom};
use crate::live::{Hub, LiveRoom, TokenKey};
use crate::logs::LogsRoom;
use crate::prometheus::PrometheusRoom;

/// Starts servers.
#[derive(Debug)]
pub struct Server;

/// A server that runs.
pub struct Running {
    /// Where it listens, in the order of the configuration, with the ports that were really taken.
    pub addrs: Vec<SocketAddr>,
    /// Where it takes telemetry alone, in the order of the configuration.
    pub intake: Vec<SocketAddr>,
    /// Where it answers Jaeger's API alone, in the order of the configuration.
    pub jaeger: Vec<SocketAddr>,
    /// Own metrics; `None` when off or the port was busy.
    pub metrics: Option<SocketAddr>,
    /// Probes; `None` when off or the port was busy.
    pub probes: Option<SocketAddr>,
    pub public_url: Url,
    /// At the first start, and at later ones while nobody can sign in otherwise.
    pub sign_in_link: Option<Secret<String>>,
    /// What the operator should read: a busy port, say.
    pub warnings: Vec<String>,
    pub app: AppState,
    pub(crate) telemetry: Arc<ph_store::Embedded>,
    doors: CancellationToken,
    _lock: File,
}

impl Server {
    /// Opens the data directory, makes the first organisation when there is none, and listens.
    pub async fn start(config: ServerConfig, clock: Clock) -> Result<Running, Error> {
        config.check()?;
        private_dir(&config.data)?;
        let lock = lock(&config.data)?;
        let keyring = Keyring::open(&config.data.join("keys"))?;
        let now = clock.now_ms();
        let state = State::open(&config.data, now).await?;
        let doors = open_doors(&config.listen).await?;
        let intake = open_doors(&config.intake).await?;
        let jaeger = open_doors(&config.jaeger).await?;
        let public_url = public_url(&config, &doors)?;
        let first = first_link(&state, &config, now).await?;
        let issuer = state.installation_id(now).await?.to_string();
        let cors = config.cors().map_err(|faults| Error::Config(faults.join("\n")))?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let telemetry = open_telemetry(&config, &clock, (&tasks, &stop)).await?;
        let watch = Watch::default();
        watch.add_check(Arc::new(StateReady(state.clone())));
        watch.add_check(Arc::new(TelemetryReady(telemetry.clone())));
        let live = LiveRoom {
            hub: Arc::new(Hub::new(tasks.clone(), stop.clone(), clock.clone())),
            key: Arc::new(
                TokenKey::generate().map_err(|e| Error::Config(format!("no random numbers: {e}")))?,
            ),
        };
        let app = AppState::new(App {
            telemetry: telemetry.clone(),
            inventories: Arc::default(),
            last_words: Default::default(),
            intake: Arc::default(),
            ingest: IngestRoom::new(cors),
            logs: LogsRoom::default(),
            live,
            auth: AuthRoom::new(state.clone(), clock.clone(), keyring, &issuer, stop.clone()),
            auditor: Auditor::new(state.clone(), clock.clone()),
            link: link_room(&config, &public_url),
            exec: ExecRoom::default(),
            prometheus: PrometheusRoom::new(config.range_cache_bytes),
            public_url: public_url.clone(),
            config,
            clock,
            state,
            watch,
            tasks,
            stop,
        });
        write_marker(&app)?;
        let certificates = certificates(&app)?;
        let all = app.state.organisation_statuses().await?;
        quotas::apply(&telemetry, &app.config.limits, &all, &mut HashSet::new()).await?;
        let mut running = Running {
            addrs: doors.iter().map(|(_, door)| door.addr).collect(),
            intake: intake.iter().map(|(_, door)| door.addr).collect(),
            jaeger: jaeger.iter().map(|(_, door)| door.addr).collect(),
            metrics: None,
            probes: None,
            sign_in_link: first.map(|token| Secret::new(link_text(&public_url, &token))),
            public_url,
            warnings: Vec::new(),
            doors: app.stop.child_token(),
            app,
            telemetry,
            _lock: lock,
        };
        crate::objects::name_all(&running.app.inventories, &running.app.state).await?;
        running.serve(doors, &router(&running.app), certificates.as_ref())?;
        running.serve(intake, &intake_router(&running.app), certificates.as_ref())?;
        running.serve(jaeger, &jaeger_router(&running.app), certificates.as_ref())?;
        running.serve_own().await;
        let app = running.app.clone();
        app.tasks.spawn(app.auth.watcher().watch(app.state.clone(), app.clock.clone()));
        app.tasks.spawn(chores::run(app.clone(), certificates));
        app.tasks.spawn(quotas::run(app.clone(), running.telemetry.clone()));
        start_rooms(&app);
        Ok(running)
    }
}

impl Running {
    fn serve(
        &self,
        doors: Vec<(Listen, Door)>,
        router: &Router,
        certificates: Option<&Arc<Certificates>>,
    ) -> Result<(), Error> {
        for (listen, door) in doors {
            let tls = match (listen, certificates) {
                (Listen::Https(_), Some(certificates)) => Some(certificates.acceptor()?),
                _ => None,
            };
            self.spawn(door, router.clone(), tls);
        }
        Ok(())
    }

    /// Own metrics and probes; a busy port is named, never fatal.
    async fn serve_own(&mut self) {
        let config = self.app.config.clone();
        let watch = self.app.watch.clone();
        self.metrics = self
            .own_door(config.metrics, "--metrics", own::metrics(watch.clone(), self.telemetry.clone()))
            .await;
        self.probes = self.own_door(config.probes, "--probes", own::probes(watch)).await;
    }

    async fn own_door(&mut self, addr: Option<SocketAddr>, flag: &str, router: Router) -> Option<SocketAddr> {
        match Door::open(addr?).await {
            Ok(door) => {
                let addr = door.addr;
                self.spawn(door, router, None);
                Some(addr)
            }
            Err(Error::Listen { addr, cause }) => {
                let text =
                    format!("{flag} {addr} is not served: {cause}; choose another address or `{flag} off`");
                tracing::warn!(%addr, flag, error = %cause, "own port is not served");
                self.warnings.push(text);
                None
            }
            Err(e) => {
                self.warnings.push(e.to_string());
                None
            }
        }
    }

    fn spawn(&self, door: Door, router: Router, tls: Option<tokio_rustls::TlsAcceptor>) {
        let tasks = self.app.tasks.clone();
        let serving = Serving { router, tls, tasks: tasks.clone(), stop: self.doors.clone() };
        tasks.spawn(serve(door, serving));
    }

    /// Stops taking requests, lets open ones finish until `deadline`, ends every task, closes the files.
    /// Returns whether everything ended in time.
    pub async fn stop(self, deadline: Duration) -> bool {
        self.doors.cancel();
        self.app.stop.cancel();
        self.app.tasks.close();
        let ended = tokio::time::timeout(deadline, self.app.tasks.wait()).await.is_ok();
        if !ended {
            tracing::warn!(left = self.app.tasks.len(), "tasks did not end before the deadline");
        }
        self.telemetry.shutdown().await;
        // A connection that clings on must not hold the files open for ever.
        let closed = tokio::time::timeout(deadline, self.app.state.close()).await.is_ok();
        ended && closed
    }
}

/// Agents need the own authority's certificate when this server, not something before it, serves TLS.
fn link_room(config: &ServerConfig, public_url: &Url) -> LinkRoom {
    let tls = config.listen.iter().any(|l| matches!(l, Listen::Https(_)));
    let authority = tls.then(|| authority_path(&config.data.join("tls")));
    LinkRoom::new(public_url, &config.listen, authority, link::Timing::default())
}

/// One server a data directory.
fn lock(data: &Path) -> Result<File, Error> {
    let path = data.join("serve.lock");
    let file = |cause| Error::File { act: "open", path: path.clone(), cause };
    let lock =
        std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(file)?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Error::Config(format!(
            "another server uses the data directory {}; stop it, or choose another directory with --data",
            data.display()
        ))
    })?;
    Ok(lock)
}

async fn open_doors(listen: &[Listen]) -> Result<Vec<(Listen, Door)>, Error> {
    let mut doors = Vec::with_capacity(listen.len());
    for l in listen {
        doors.push((*l, Door::open(l.addr()).await?));
    }
    Ok(doors)
}

fn public_url(config: &ServerConfig, doors: &[(Listen, Door)]) -> Result<Url, Error> {
    if let Some(url) = &config.public_url {
        return Ok(url.clone());
    }
    let (listen, door) =
        doors.first().ok_or_else(|| Error::Config("--listen: give at least one address".to_owned()))?;
    let host = if door.addr.ip().is_unspecified() {
        format!("{}:{}", host_name(), door.addr.port())
    } else {
        door.addr.to_string()
    };
    let text = format!("{}://{host}/", listen.scheme());
    text.parse().map_err(|e| {
        Error::Config(format!("no public address can be made of {text} ({e}); give --public-url"))
    })
}

fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// A link for the owner: at the first start, and at later ones while nobody can sign in otherwise.
async fn first_link(
    state: &State,
    config: &ServerConfig,
    now_ms: i64,
) -> Result<Option<Secret<String>>, Error> {
    let token = Opaque::generate(OpaqueKind::SignInLink)?;
    let link = NewLink { token: token.hash(), created_ms: now_ms };
    let ask = Bootstrap {
        slug: config.org_slug.clone(),
        name: config.org_slug.clone(),
        owner_email: config.owner_email.clone(),
        link,
    };
    let made = state.bootstrap(ask, now_ms).await?;
    if !made.created {
        if state.anybody_in(now_ms).await? {
            return Ok(None);
        }
        let ctx = TenantCtx::system(made.org, "first-start");
        let owner = state.member(&ctx, made.owner).await?;
        let entry = Entry::change("sign_in_link.create", format!("user {}", owner.email));
        state.create_link(&ctx, made.owner, link, entry).await?;
    }
    Ok(Some(token.text().clone()))
}

/// Tells commands on this machine where the server is.
fn write_marker(app: &AppState) -> Result<(), Error> {
    let text =
        serde_json::json!({"public_url": app.public_url.as_str(), "pid": std::process::id()}).to_string();
    write_private(&app.config.data.join("server.json"), text.as_bytes())
}

fn certificates(app: &AppState) -> Result<Option<Arc<Certificates>>, Error> {
    let config = &app.config;
    if !config.doors().any(|l| matches!(l, Listen::Https(_))) {
        return Ok(None);
    }
    let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.insert(host_name());
    let ips = config.doors().map(|l| l.addr().ip()).filter(|ip| !ip.is_unspecified());
    names.extend(ips.map(|ip| ip.to_string()));
    names.extend(app.public_url.host_str().map(|h| h.trim_matches(['[', ']']).to_owned()));
    let dir = config.data.join("tls");
    private_dir(&dir)?;
    let certificates = Certificates::open(&dir, names, app.clock.now_ms())?;
    tracing::info!(authority = %authority_path(&dir).display(), "serving with a certificate of the own authority");
    Ok(Some(certificates))
}
