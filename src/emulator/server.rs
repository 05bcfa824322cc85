//! Bringing a local Azure up on a directory, and down again.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;

use super::admin::Admin;
use super::arm::{Arm, Sessions, exec_routes};
use super::ca::{self, Authority};
use super::client::{self, BUNDLE, Endpoints};
use super::directory::{Directory, DirectorySettings, LAG};
use super::engine::{Door, Engine, EngineError, Inside};
use super::entra::{self, Entra, identity_routes};
use super::graph::Graph;
use super::installation::{Installation, Listeners};
use super::kept::Kept;
use super::metadata::{self, Metadata};
use super::model::{Azure, Settings};
use super::requests::Requests;
use super::storage::{self, Storage};
use super::world::World;
use crate::{files, tls};

/// How long open connections may finish after shutdown is asked for.
const GRACE: Duration = Duration::from_secs(2);
/// How often the federated token is written anew.
const REFRESH: Duration = Duration::from_hours(1);

/// What a local Azure is made of.
pub struct Config {
    /// Everything it keeps is here.
    pub dir: PathBuf,
    /// Where it listens; loopback only.
    pub address: IpAddr,
    /// Runs the containers.
    pub engine: Arc<dyn Engine>,
    /// Name of the engine, for people.
    pub engine_name: String,
    /// The wall clock.
    pub clock: fn() -> DateTime<Utc>,
    /// The least time from a write to its end.
    pub provisioning: Duration,
    /// Container groups in one page of a LIST.
    pub page: usize,
    /// Azurite's `azurite-blob`: a path, or a name that is looked up in `PATH`.
    pub azurite: PathBuf,
}

impl Config {
    /// The usual configuration on a directory, listening on `127.0.0.1`.
    pub fn new(
        dir: PathBuf,
        engine: Arc<dyn Engine>,
        engine_name: &str,
        clock: fn() -> DateTime<Utc>,
    ) -> Self {
        Self {
            dir,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            engine,
            engine_name: engine_name.to_owned(),
            clock,
            provisioning: Duration::from_millis(300),
            page: 100,
            azurite: PathBuf::from("azurite-blob"),
        }
    }
}

/// Why a local Azure cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It would listen where others could reach it.
    #[error("local Azure listens on loopback only, not on {0}")]
    NotLoopback(IpAddr),
    /// Another process has the directory.
    #[error("a local Azure already runs in {0}")]
    Running(PathBuf),
    /// Files or listeners.
    #[error("local Azure cannot use its files or ports: {0}")]
    Io(#[from] io::Error),
    /// The saved state.
    #[error("the saved state cannot be read: {0}")]
    State(#[from] serde_json::Error),
    /// Its certificates.
    #[error(transparent)]
    Authority(#[from] ca::Error),
    /// Its TLS set-up.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// Its container engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Its token keys.
    #[error(transparent)]
    Keys(#[from] entra::Error),
}

/// Runs a local Azure on `config.dir` until `shutdown` completes. `endpoints.json` appears there when
/// it is ready, and goes with it; containers keep running.
pub async fn serve(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    if !config.address.is_loopback() {
        return Err(Error::NotLoopback(config.address));
    }
    let dir = &config.dir;
    files::create_dir(dir)?;
    let lock = files::Lock::try_take(&dir.join("lock"))?;
    let _lock = lock.ok_or_else(|| Error::Running(dir.clone()))?;
    tls::install_provider();

    let mut facts = Installation::open(dir)?;
    let listeners = facts.bind(dir, config.address)?;
    let authority = Authority::open(dir, (config.clock)())?;
    files::write(&dir.join(BUNDLE), authority.bundle().as_bytes())?;
    let directory = Arc::new(open_directory(dir, &facts)?);
    let entra = Entra::open(dir, facts.clone(), Arc::clone(&directory), config.clock)?;
    let entra = Arc::new(entra);
    let world = open_world(&config, &facts, &directory)?;
    let storage = open_storage(&config, &facts, &entra, &world)?;

    let site = Site {
        config: &config,
        facts: &facts,
        entra: &entra,
        directory: &directory,
        world: &world,
        storage: &storage,
    };
    let handle = Handle::new();
    let (opened, doors) = mpsc::unbounded_channel();
    let (mut servers, addresses) = site.listen(listeners, doors, &authority, &handle)?;
    // Before the groups are taken up: their containers find local Azure from their first moment.
    let trusted = authority.bundle().into_bytes();
    config.engine.offer(Inside { addresses, trusted, opened }).await?;
    world.resume().await;
    write_federated_token(dir, &entra)?;
    servers.spawn(refresh(dir.clone(), Arc::clone(&entra)));
    servers.spawn({
        let (world, entra) = (Arc::clone(&world), Arc::clone(&entra));
        async move {
            tokio::join!(world.keep_saving(), entra.keep_saving());
            Ok(())
        }
    });
    announce(&config, &facts)?;

    let ended = tokio::select! {
        () = shutdown => Ok(()),
        Some(ended) = servers.join_next() => ended.map_err(io::Error::other).flatten(),
    };
    files::remove(&client::endpoints_file(dir))?;
    handle.graceful_shutdown(Some(GRACE));
    servers.shutdown().await;
    storage.stop().await;
    world.tasks.close();
    // Containers that are being started may take long; the next start takes up what is cut off.
    let _ = tokio::time::timeout(GRACE, world.tasks.wait()).await;
    world.flush();
    entra.flush();
    Ok(ended?)
}

const FEDERATED_TOKEN: &str = "federated-token";

fn open_world(
    config: &Config,
    facts: &Installation,
    directory: &Arc<Kept<Directory>>,
) -> Result<Arc<World>, Error> {
    // The client of `local env`, and the identity of the identity endpoint.
    let first = [facts.client_id, facts.identity_client_id];
    let owners = directory.look(|directory| {
        let found = first.iter().map(|id| directory.service_principal(&id.to_string()));
        found.flatten().map(|principal| principal.id).collect()
    });
    let settings = Settings {
        subscription: facts.subscription.to_string(),
        tenant: facts.tenant.to_string(),
        network: facts.network(),
        seed: facts.seed.to_string(),
        provisioning: config.provisioning,
        page: config.page,
        blob: facts.blob_url(),
        owners,
    };
    let file = config.dir.join("model.json");
    let azure = match files::read(&file)? {
        Some(saved) => Azure::restore(settings, &saved)?,
        None => Azure::new(settings),
    };
    Ok(World::new(azure, file, Arc::clone(directory), Arc::clone(&config.engine), config.clock))
}

fn open_storage(
    config: &Config,
    facts: &Installation,
    entra: &Arc<Entra>,
    world: &Arc<World>,
) -> Result<Arc<Storage>, Error> {
    let azurite = (config.azurite.clone(), config.dir.join("azurite"));
    let storage = Storage::new(Arc::clone(world), Arc::clone(entra), azurite, &facts.admin_token);
    storage.map(Arc::new).map_err(|error| Error::Io(io::Error::other(error)))
}

fn open_directory(dir: &Path, facts: &Installation) -> Result<Kept<Directory>, Error> {
    let settings = DirectorySettings {
        tenant: facts.tenant,
        seed: facts.seed.to_string(),
        secret_seed: facts.admin_token.clone(),
        base_url: facts.graph_url(),
        lag: LAG,
        client: facts.client_id,
        managed_identity: facts.identity_client_id,
    };
    let file = dir.join("directory.json");
    let directory = match files::read(&file)? {
        Some(saved) => Directory::restore(settings, &saved)?,
        None => Directory::new(settings),
    };
    Ok(Kept::new(directory, file))
}

/// What the listeners serve.
struct Site<'a> {
    config: &'a Config,
    facts: &'a Installation,
    entra: &'a Arc<Entra>,
    directory: &'a Arc<Kept<Directory>>,
    world: &'a Arc<World>,
    storage: &'a Arc<Storage>,
}

impl Site<'_> {
    /// All servers, and the addresses that are to be had inside of groups too.
    fn listen(
        &self,
        listeners: Listeners,
        doors: UnboundedReceiver<Door>,
        authority: &Authority,
        handle: &Handle<SocketAddr>,
    ) -> Result<(JoinSet<io::Result<()>>, Vec<SocketAddr>), Error> {
        let (chain, key) = authority.leaf((self.config.clock)())?;
        let mut server = tls::server_config(chain.as_bytes(), key.as_bytes())?;
        // HTTP/1.1 only: with it an injected reset drops the whole connection.
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tls = RustlsConfig::from_config(Arc::new(server));
        let requests =
            Arc::new(Requests::open(&self.config.dir.join("requests.jsonl"), self.config.clock)?);
        let sessions = Arc::new(Sessions::default());
        // What groups reach too, at the same ports.
        let public = [
            (listeners.arm, self.arm(&requests, &sessions).routes()),
            (listeners.entra, self.sign_in(&requests).routes()),
            (listeners.graph, self.graph(&requests).routes()),
            (listeners.blob, storage::routes(Arc::clone(self.storage), &requests)),
            (listeners.exec, exec_routes(sessions, Arc::clone(&self.config.engine))),
        ];
        let mut addresses = vec![metadata::ADDRESS];
        let mut inside = HashMap::new();
        let mut servers = JoinSet::new();
        for (listener, routes) in public {
            let address = listener.local_addr()?;
            addresses.push(address);
            inside.insert(address.port(), routes.clone());
            servers.spawn(serve_tls(listener, routes, tls.clone(), handle.clone()));
        }
        let metadata = self.metadata(&requests);
        servers.spawn(serve_doors(doors, Rooms { inside, metadata, tls: tls.clone() }));
        let admin = self.admin(requests).routes();
        servers.spawn(serve_tls(listeners.admin, admin, tls, handle.clone()));
        let plain = axum_server::from_tcp(listeners.identity)?.handle(handle.clone());
        let routes = identity_routes(Arc::clone(self.entra));
        servers.spawn(plain.serve(routes.into_make_service()));
        Ok((servers, addresses))
    }

    fn arm(&self, requests: &Arc<Requests>, sessions: &Arc<Sessions>) -> Arm {
        Arm::new(
            Arc::clone(self.world),
            Arc::clone(self.entra),
            Arc::clone(self.directory),
            self.facts.clone(),
            Arc::clone(requests),
            Arc::clone(sessions),
            Arc::clone(self.storage),
        )
    }

    fn graph(&self, requests: &Arc<Requests>) -> Graph {
        Graph {
            world: Arc::clone(self.world),
            entra: Arc::clone(self.entra),
            directory: Arc::clone(self.directory),
            requests: Arc::clone(requests),
        }
    }

    fn sign_in(&self, requests: &Arc<Requests>) -> entra::Site {
        entra::Site {
            entra: Arc::clone(self.entra),
            world: Arc::clone(self.world),
            requests: Arc::clone(requests),
        }
    }

    fn metadata(&self, requests: &Arc<Requests>) -> Metadata {
        Metadata {
            world: Arc::clone(self.world),
            entra: Arc::clone(self.entra),
            requests: Arc::clone(requests),
        }
    }

    fn admin(&self, requests: Arc<Requests>) -> Admin {
        Admin {
            world: Arc::clone(self.world),
            directory: Arc::clone(self.directory),
            entra: Arc::clone(self.entra),
            storage: Arc::clone(self.storage),
            requests,
            engine: self.config.engine_name.clone(),
            token: self.facts.admin_token.clone(),
        }
    }
}

async fn serve_tls(
    listener: TcpListener,
    routes: Router,
    tls: RustlsConfig,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    let server = axum_server::from_tcp_rustls(listener, tls)?.handle(handle);
    server.serve(routes.into_make_service()).await
}

/// What is served inside the groups.
struct Rooms {
    /// By port, over TLS.
    inside: HashMap<u16, Router>,
    metadata: Metadata,
    tls: RustlsConfig,
}

impl Rooms {
    async fn serve(&self, group: String, listener: TcpListener) -> io::Result<()> {
        let address = listener.local_addr()?;
        if address == metadata::ADDRESS {
            let routes = self.metadata.routes(group).into_make_service();
            return axum_server::from_tcp(listener)?.serve(routes).await;
        }
        let routes = self.inside.get(&address.port()).cloned().unwrap_or_default();
        serve_tls(listener, routes, self.tls.clone(), Handle::new()).await
    }
}

/// Serves local Azure inside the groups, at each door until its group goes.
async fn serve_doors(mut doors: UnboundedReceiver<Door>, rooms: Rooms) -> io::Result<()> {
    let rooms = Arc::new(rooms);
    let mut servers = JoinSet::new();
    loop {
        tokio::select! {
            Some(Door { group, listener, closed }) = doors.recv() => {
                let rooms = Arc::clone(&rooms);
                servers.spawn(async move {
                    let serving = rooms.serve(group, listener);
                    // Dropped, it closes its socket; one that fails is no reason for the others to.
                    closed.run_until_cancelled(serving).await
                });
            }
            Some(ended) = servers.join_next() => {
                if let Ok(Some(Err(error))) = ended {
                    tracing::warn!(%error, "a group's containers cannot reach local Azure any more");
                }
            }
            // An engine that opens none.
            else => std::future::pending().await,
        }
    }
}

/// Keeps the federated token fresh.
async fn refresh(dir: PathBuf, entra: Arc<Entra>) -> io::Result<()> {
    loop {
        tokio::time::sleep(REFRESH).await;
        write_federated_token(&dir, &entra).map_err(io::Error::other)?;
    }
}

fn write_federated_token(dir: &Path, entra: &Entra) -> Result<(), Error> {
    Ok(files::write(&dir.join(FEDERATED_TOKEN), entra.federated_token()?.as_bytes())?)
}

fn announce(config: &Config, facts: &Installation) -> io::Result<()> {
    let dir: &Path = &config.dir;
    let endpoints = Endpoints {
        arm: facts.arm_url(),
        entra: facts.entra_url(),
        graph: facts.graph_url(),
        blob: facts.blob_url(),
        identity: facts.identity_url(),
        admin: facts.admin_url(),
        ca: dir.join("ca.pem"),
        federated_token: dir.join(FEDERATED_TOKEN),
        engine: config.engine_name.clone(),
        pid: std::process::id(),
    };
    files::write(&client::endpoints_file(dir), &serde_json::to_vec_pretty(&endpoints)?)
}
