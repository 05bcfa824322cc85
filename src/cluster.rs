//! The home in a Kubernetes cluster.
//!
//! | what | where |
//! |---|---|
//! | manifests | custom resources |
//! | status, claim, memory | their `status`, each by a field manager of its own |
//! | claim before the first write | the finalizer `aci-operator.io/azure` |
//! | requests | annotations `aci-operator.io/…` |
//! | events | `events.k8s.io/v1` |
//! | key pairs, secrets | Secrets beside the object; read one by one, never listed |
//! | the home's id and digest key | the Secret `aci-operator-home` in the operator's namespace |
//! | lease | the Lease `aci-operator` there |
//!
//! [`Cluster`] is source and store in one: both live on one watch, and a write's answer counts as
//! seen, so that no pass decides on less than what the pass before it wrote.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::events::{Recorder, Reporter};
use kube::{Client, Config};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::api::{AppRegistration, ContainerGroup, Issuer, ObjectKey};
use crate::core::Fault;
use crate::ports::{Clock, Fence, Random};

mod fault;
mod lease;
mod ledger;
mod objects;
mod requests;
mod secrets;
mod watch;

use fault::fault;
use objects::Objects;

/// Field manager, reporter of events, and label of what is made here.
const NAME: &str = "aci-operator";
/// What begins the names of annotations and finalizers.
const PREFIX: &str = crate::api::GROUP;
/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Which cluster, and which part of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Place {
    /// The operator's own namespace, with home and lease.
    pub namespace: String,
    /// Where objects are that are named without a namespace; kubectl's choice where there is none.
    pub objects: Option<String>,
    /// The namespaces that are looked after; all where there is none.
    pub watched: Vec<String>,
    /// So many daemons share them, each with a lease of its own; 0 and 1 are one.
    pub shards: u32,
}

/// A home in a cluster.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    place: Place,
    /// Who we are among the replicas.
    identity: String,
    fence: Fence,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    recorder: Recorder,
    home: Arc<OnceCell<secrets::Home>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    objects: Objects,
    /// The shard whose lease we hold.
    shard: Mutex<u32>,
    /// What others' leases said when they were last seen to change.
    seen: Mutex<lease::Seen>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Cluster {
    /// The cluster that kubectl would speak to, or the one that this process runs in. `identity` names
    /// this process among all.
    ///
    /// # Errors
    /// No configuration can be read, the cluster does not answer, or the Secret `aci-operator-home`
    /// can be neither read nor made.
    pub async fn open(
        mut place: Place,
        identity: String,
        fence: Fence,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, Fault> {
        let mut config = Config::infer().await.map_err(|e| Fault::Unreachable {
            service: fault::KUBERNETES,
            problem: format!("no configuration: {e}"),
        })?;
        config.connect_timeout = Some(TIMEOUT);
        place.objects.get_or_insert_with(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|e| fault(&e))?;
        let reporter = Reporter { controller: NAME.to_owned(), instance: Some(identity.clone()) };
        let cluster = Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            place,
            identity,
            fence,
            clock,
            random,
            home: Arc::default(),
            shared: Arc::default(),
        };
        cluster.home().await?;
        Ok(cluster)
    }

    /// The objects of a kind, in one namespace or in all.
    fn api(&self, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        let resource = resource(kind);
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    fn of(&self, key: &ObjectKey) -> Api<DynamicObject> {
        self.api(&key.kind, Some(self.namespace_of(key)))
    }

    fn namespace_of<'a>(&'a self, key: &'a ObjectKey) -> &'a str {
        key.namespace.as_deref().unwrap_or_else(|| self.objects_namespace())
    }

    /// Where objects are looked after: `None` is everywhere.
    fn watched(&self) -> Vec<Option<&str>> {
        let named = self.place.watched.iter().map(|name| Some(name.as_str()));
        if self.place.watched.is_empty() { vec![None] } else { named.collect() }
    }

    /// The key with its namespace.
    fn placed(&self, key: &ObjectKey) -> ObjectKey {
        ObjectKey { namespace: Some(self.namespace_of(key).to_owned()), ..key.clone() }
    }

    /// Where objects are that are named without a namespace.
    pub fn objects_namespace(&self) -> &str {
        self.place.objects.as_deref().unwrap_or(&self.place.namespace)
    }

    /// Leave to write, for who keeps the home true.
    fn may_write(&self) -> Result<(), Fault> {
        self.fence.check(Instant::now())
    }
}

/// The kinds, and what the API server calls them.
const KINDS: [&str; 3] = ["ContainerGroup", "Issuer", "AppRegistration"];

fn resource(kind: &str) -> ApiResource {
    match kind {
        "Issuer" => ApiResource::erase::<Issuer>(&()),
        "AppRegistration" => ApiResource::erase::<AppRegistration>(&()),
        _ => ApiResource::erase::<ContainerGroup>(&()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing panics while it is held; if something did, what stands there is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
