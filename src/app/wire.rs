//! Every constructor call of another room, in one place.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::first_look::FirstLook;
use super::local::Engine;
use super::manifests::{Manifest, Manifests};
use super::trust::{Processes, Report, TrustStores};
use super::{App, CloudName, Error, Home, Result};
use crate::api::{self, ContainerGroup};
use crate::azure::device_code::DeviceCode;
use crate::azure::wire::SecretValues;
use crate::azure::{self, Cloud, Environment, credential};
use crate::core::Fault;
use crate::core::container_group::{Body, GroupId};
use crate::core::install::SELF;
use crate::emulator::engine::docker::Docker;
use crate::emulator::engine::none::Nothing;
use crate::emulator::{self, Config};
use crate::files;
use crate::http::{self, Readiness};
use crate::metrics::Metrics;
use crate::pki::LocalAuthority;
use crate::ports::{Change, Clock as _, Entry, ObjectKey, OsRandom, Phase, SystemClock};
use crate::probe::TlsProbe;
use crate::reconcile::container_group::Preview;
use crate::reconcile::{self, Ctx, Identities, Sightings};
use crate::source::{Directory, Keep, Options, merge, scan};

mod homes;
mod install;

pub use homes::Pushed;
pub(super) use homes::{Changes, ManifestSource, Taken, give, open_home, plant, watch};
pub(super) use install::{Ground, ground};

/// Names ARM's tokens, in local Azure too.
const AUDIENCE: &str = "https://management.azure.com";
/// ARM's address where `local env` was read; else the home's own local Azure is asked.
const RESOURCE_MANAGER: &str = "ACI_OPERATOR_RESOURCE_MANAGER_URL";
/// Entra ID's, the same way.
const AUTHORITY: &str = "AZURE_AUTHORITY_HOST";
/// Graph's address, the same way.
const GRAPH: &str = "ACI_OPERATOR_GRAPH_URL";
/// The program with which local Azure keeps blobs; without, `azurite-blob` of `PATH`.
const AZURITE: &str = "ACI_OPERATOR_AZURITE";

/// Reads the manifests of files and directories; what is wrong with them is part of the answer.
pub(super) fn read_manifests(paths: &[PathBuf]) -> Result<Manifests> {
    let snapshot = scan(paths);
    if let Some(problem) = snapshot.unreadable.first() {
        return Err(Error::Manifests(problem.clone()));
    }
    let mut manifests = Manifests::default();
    for (path, parsed) in &snapshot.files {
        manifests.problems.extend(parsed.problems.iter().map(ToString::to_string));
        for document in &parsed.documents {
            let place = format!("{path}:{}", document.line);
            let warnings = api::check::warnings(&document.object);
            manifests.warnings.extend(warnings.iter().map(|warning| format!("{place}: {warning}")));
            manifests.objects.push(Manifest { object: document.object.clone(), place });
        }
    }
    Ok(manifests)
}

/// Takes the manifests of files and directories into the ledger and tells their objects.
pub(super) async fn merge_manifests(home: &Home, paths: &[PathBuf]) -> Result<Vec<Change>> {
    let directory = directory(home, paths, false)?;
    let applied = directory.apply().await?;
    let entries = home.ledger.entries().await?;
    let named = entries.into_iter().filter(|entry| applied.keys.contains(&entry.key)).collect();
    recall(home, named).await
}

/// Objects as the ledger has them, with the deletions that were asked for.
pub(super) async fn recall(home: &Home, entries: Vec<Entry>) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for mut entry in entries {
        let asked = home.requests.requests(&entry.key).await?.delete;
        if entry.deletion.is_none() && asked.is_some() {
            entry.deletion = asked;
            home.ledger.record(&entry).await?;
        }
        let object = merge::object(&entry).map_err(|e| unreadable(&entry, &e))?;
        changes.push(Change::Apply(Box::new(object)));
    }
    Ok(changes)
}

fn unreadable(entry: &Entry, problem: &serde_json::Error) -> Fault {
    Fault::Store { what: format!("ledger entry of {}", entry.key), problem: problem.to_string() }
}

/// The ledger keeps whole paths: who asks later where a manifest is may be elsewhere.
fn directory(home: &Home, paths: &[PathBuf], prune: bool) -> Result<Directory> {
    let whole = |path: &PathBuf| std::path::absolute(path).map_err(|e| Error::file(path, &e));
    Ok(Directory {
        paths: paths.iter().map(whole).collect::<Result<_>>()?,
        keep: keep(home, prune),
    })
}

/// Where the objects of a source are kept.
fn keep(home: &Home, prune: bool) -> Keep {
    Keep {
        ledger: home.ledger.clone(),
        requests: home.requests.clone(),
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
        options: Options { prune },
    }
}

/// Azure, as the identity of each of the home's objects sees it.
pub(super) async fn identities(app: &App, home: &Home, metrics: &Metrics) -> Result<Identities> {
    let (cloud, environment) = cloud(app, home).await?;
    let metrics = metrics.clone();
    let observer: azure::Observer = Arc::new(move |operation, code| {
        metrics.azure_request(operation, &code.to_string());
    });
    let clients = azure::Clients::new(&cloud, environment, observer, &home.fence);
    let clients = Arc::new(clients.map_err(Error::Azure)?);
    Ok(Identities::new(clients, home.secrets.clone(), Arc::new(SystemClock)))
}

/// The cloud of the home, and the variables that count for it.
async fn cloud(app: &App, home: &Home) -> Result<(Cloud, Environment)> {
    cloud_named(app, app.cloud_of(home).await?)
}

/// A cloud, and the variables that count for it.
fn cloud_named(app: &App, name: CloudName) -> Result<(Cloud, Environment)> {
    let local = match name {
        CloudName::Local => local_variables(app)?,
        _ => None,
    };
    let variable = |name: &str| match &local {
        Some(local) => local.get(name).cloned(),
        None => std::env::var(name).ok(),
    };
    let environment = Environment::read(variable);
    let cloud = match name {
        CloudName::Public => Cloud::public(),
        CloudName::China => Cloud::china(),
        CloudName::UsGov => Cloud::usgov(),
        CloudName::Local => Ok(local_cloud(app, variable)?),
    };
    let mut cloud = cloud.map_err(Error::Azure)?;
    cloud.authority_host = credential::authority(&cloud, &environment).map_err(Error::Azure)?;
    Ok((cloud, environment))
}

/// A way to sign somebody in to the application `client`.
pub(super) async fn device_code(
    app: &App,
    home: &Home,
    authority: &str,
    client: &str,
) -> Result<DeviceCode> {
    let (cloud, _) = cloud(app, home).await?;
    DeviceCode::new(&cloud, authority, client).map_err(Error::Azure)
}

/// What `local env` would print, where the caller has not read it. Nothing else of the environment
/// counts then: credentials of Azure are not for local Azure.
fn local_variables(app: &App) -> Result<Option<HashMap<String, String>>> {
    if std::env::var_os(RESOURCE_MANAGER).is_some() {
        return Ok(None);
    }
    Ok(Some(app.local_environment()?.into_iter().collect()))
}

fn local_cloud(app: &App, variable: impl Fn(&str) -> Option<String>) -> Result<Cloud> {
    let url = |name: &str| {
        let problem = |problem: String| Error::Local {
            problem: format!("cannot be reached: {name} {problem}"),
            remedy: "start it with `aci-operator local up`".to_owned(),
        };
        let text = variable(name).ok_or_else(|| problem("is not set".to_owned()))?;
        text.parse::<Url>().map_err(|e| problem(e.to_string()))
    };
    let dir = app.local_dir();
    let endpoints = emulator::endpoints(&dir).map_err(|e| Error::file(&dir, &e))?;
    let ca = match endpoints {
        Some(endpoints) => {
            files::read(&endpoints.ca).map_err(|e| Error::file(&endpoints.ca, &e))?
        }
        // Another home's local Azure: `local env` has put its CA among the system's roots.
        None => None,
    };
    let (arm, entra, graph) = (url(RESOURCE_MANAGER)?, url(AUTHORITY)?, url(GRAPH)?);
    Ok(Cloud::custom(arm, AUDIENCE, entra, graph, ca.unwrap_or_default()))
}

/// All that the loop works with.
pub(super) struct Operator {
    ctx: Arc<Ctx>,
    readiness: Readiness,
}

impl Operator {
    /// Joins adapters and home.
    pub(super) async fn new(app: &App, home: &Home) -> Result<Self> {
        let metrics = Metrics::new();
        let identities = identities(app, home, &metrics).await?;
        let ctx = Ctx {
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            identities: Arc::new(identities),
            probe: Arc::new(TlsProbe::new()),
            authority: Arc::new(LocalAuthority),
            ledger: home.ledger.clone(),
            secrets: home.secrets.clone(),
            requests: home.requests.clone(),
            home_id: home.seat.id().to_owned(),
            own_group: std::env::var(SELF).ok().filter(|id| !id.is_empty()),
            metrics,
            sightings: Arc::new(Sightings::default()),
        };
        Ok(Self { ctx: Arc::new(ctx), readiness: Readiness::default() })
    }

    /// Runs the loop until `stop`; each pass that ended is told to `passed`.
    pub(super) async fn run(
        &self,
        changes: Changes,
        passed: Option<UnboundedSender<ObjectKey>>,
        stop: CancellationToken,
    ) {
        let look = Arc::new(FirstLook::new(self.readiness.clone()));
        let looker = look.clone();
        let changes = changes.inspect(move |change| looker.told(change));
        let told = move |key: &ObjectKey| {
            look.passed(key);
            if let Some(passed) = &passed {
                // Who waited may have gone.
                let _ = passed.send(key.clone());
            }
        };
        let stop = stop.cancelled_owned();
        // All kinds' queues live in it: too large for a stack.
        Box::pin(reconcile::run(self.ctx.clone(), changes.boxed(), told, stop)).await;
        self.readiness.set(false);
    }

    /// Ready, though another daemon works.
    pub(super) fn stand_by(&self) {
        self.readiness.set(true);
    }

    /// What a pass would do for a container group.
    pub(super) async fn preview(&self, group: &ContainerGroup) -> Result<Preview> {
        let key =
            ObjectKey::new("ContainerGroup", group.metadata.name.as_deref().unwrap_or_default());
        let entry = self.ctx.ledger.entry(&key).await?;
        let entry = entry.unwrap_or_else(|| unseen(key, self.ctx.clock.now()));
        let preview = reconcile::container_group::preview(group, &entry, &self.ctx).await;
        preview.map_err(Error::Preview)
    }

    /// Serves readiness and metrics until `stop`.
    pub(super) async fn serve(&self, listen: &str, stop: CancellationToken) -> Result<()> {
        let refused =
            |e: io::Error| Error::Listen { address: listen.to_owned(), problem: e.to_string() };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let (readiness, metrics) = (self.readiness.clone(), self.ctx.metrics.clone());
        http::serve(listener, readiness, metrics, stop.cancelled_owned()).await.map_err(refused)
    }
}

/// An entry of an object that no ledger knows.
fn unseen(key: ObjectKey, now: chrono::DateTime<chrono::Utc>) -> Entry {
    Entry {
        key,
        uid: String::new(),
        generation: 0,
        created: now,
        manifest: Value::Null,
        place: None,
        phase: Phase::Seen,
        deletion: None,
        orphaned: false,
        invalid: None,
        pinned: std::collections::BTreeMap::new(),
    }
}

/// Makes this machine's and this user's stores trust `pem`, or not any more.
pub(super) async fn trust(pem: String, name: String, wanted: bool) -> Result<Report> {
    let work = move || {
        let home = std::env::home_dir().unwrap_or_default();
        let stores = TrustStores { root: PathBuf::from("/"), home, runner: Processes };
        if wanted { stores.install(&pem, &name) } else { stores.uninstall(&pem, &name) }
    };
    let done = tokio::task::spawn_blocking(work).await;
    let problem = |problem: String| Fault::Store { what: "root".to_owned(), problem };
    let report = done.map_err(|e| problem(e.to_string()))?;
    Ok(report.map_err(|e| problem(e.to_string()))?)
}

/// What `az container create --file` takes.
pub(super) fn render(id: &GroupId, body: &Body, reveal: bool) -> Value {
    let secrets = if reveal { SecretValues::Shown } else { SecretValues::Elided };
    azure::wire::render(body, &id.name, secrets)
}

/// Is local Azure on `dir`, until `stop`.
pub(super) async fn serve_local(dir: &Path, engine: Engine, stop: CancellationToken) -> Result<()> {
    let now: fn() -> chrono::DateTime<chrono::Utc> = || SystemClock.now();
    let (engine, name): (Arc<dyn emulator::engine::Engine>, _) = match engine {
        Engine::None => (Arc::new(Nothing::new(now)), "none"),
        Engine::Auto | Engine::Docker => {
            let id = emulator::identity(dir).map_err(|e| Error::file(dir, &e))?;
            let docker = Docker::connect(&id, None).await;
            (Arc::new(docker.map_err(|e| Error::Engine(e.to_string()))?), "docker")
        }
    };
    let mut config = Config::new(dir.to_owned(), engine, name, now);
    if let Some(program) = std::env::var_os(AZURITE) {
        config.azurite = program.into();
    }
    let served = emulator::serve(config, stop.cancelled_owned()).await;
    served.map_err(|e| Error::Local { problem: e.to_string(), remedy: String::new() })
}
