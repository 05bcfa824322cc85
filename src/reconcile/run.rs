//! The loop: one applier a kind, fed from one stream of changes.

use std::convert::Infallible;
use std::sync::Arc;

use futures::channel::mpsc;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use kube::runtime::controller::{Action, Config, applier};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::sync::RwLock;
use tracing::{debug, warn};

use super::edges::Edges;
use super::monitor::{watch_drift, watch_endpoints};
use super::{CONCURRENCY, Ctx, Kind, Wakes, pass};
use crate::api::{AppRegistration, ContainerGroup, Issuer, Object};
use crate::core::{Fault, outcome};
use crate::ports::{Change, ObjectKey};

/// Reconciles every object that `changes` speaks of, until `shutdown`; passes that are under way then
/// are finished, none is begun. Each pass that ended is told to `passed`.
pub async fn run(
    ctx: Arc<Ctx>,
    changes: BoxStream<'static, Change>,
    passed: impl Fn(&ObjectKey) + Send + Sync + 'static,
    shutdown: impl Future<Output = ()>,
) {
    let (groups, group_queue) = intake::<ContainerGroup>();
    let (issuers, issuer_queue) = intake::<Issuer>();
    let (registrations, registration_queue) = intake::<AppRegistration>();
    let wakes = Wakes {
        groups: groups.wake.clone(),
        issuers: issuers.wake.clone(),
        registrations: registrations.wake.clone(),
    };
    let edges = Arc::<Edges>::default();
    let around = Around {
        edges: edges.clone(),
        wakes: wakes.clone(),
        passed: Arc::new(passed),
        gate: Arc::default(),
    };
    let drained = async {
        shutdown.await;
        debug!("shutting down");
        around.gate.write().await
    };
    let (group_store, issuer_store) = (groups.store.clone(), issuers.store.clone());
    let registration_store = registrations.store.clone();
    let intakes = Intakes { groups, issuers, registrations, edges };
    tokio::select! {
        _none_begins = drained => {}
        () = feed(changes, intakes, &ctx) => {}
        () = Box::pin(apply(group_store, group_queue, around.clone(), &ctx)) => {}
        () = Box::pin(apply(issuer_store, issuer_queue, around.clone(), &ctx)) => {}
        () = Box::pin(apply(registration_store, registration_queue, around.clone(), &ctx)) => {}
        () = heed_requests(&ctx, &wakes) => {}
        () = watch_drift(&ctx, &wakes) => {}
        () = watch_endpoints(&ctx, &wakes) => {}
    }
}

/// The writing end of a kind's queue.
struct Intake<K: Kind> {
    store: Store<K>,
    events: mpsc::UnboundedSender<watcher::Event<K>>,
    wake: mpsc::UnboundedSender<ObjectKey>,
}

/// A kind's reflector with both ends of its queue.
fn intake<K: Kind>() -> (Intake<K>, impl Stream<Item = Result<ObjectRef<K>, Infallible>> + Send) {
    let (events, event_stream) = mpsc::unbounded();
    let (wake, woken) = mpsc::unbounded::<ObjectKey>();
    let (store, writer) = reflector::store();
    let applied = reflector::reflector(writer, event_stream.map(Ok))
        .applied_objects()
        .filter_map(|object| async move { object.ok().map(|o| ObjectRef::from_obj(&o)) });
    let woken = woken.map(|key| reference(&key));
    let queue = futures::stream::select(applied, woken).map(Ok);
    (Intake { store, events, wake }, queue)
}

/// A key in kube-runtime's words.
fn reference<K: Kind>(key: &ObjectKey) -> ObjectRef<K> {
    let reference = ObjectRef::new(&key.name);
    match &key.namespace {
        Some(namespace) => reference.within(namespace),
        None => reference,
    }
}

impl<K: Kind> Intake<K> {
    fn send(&self, event: watcher::Event<K>) {
        // The receiver lives as long as `run`.
        let _ = self.events.unbounded_send(event);
    }

    fn apply(&self, object: K, edges: &Edges, listed: bool) {
        edges.set(&object.key(), object.references());
        self.send(if listed {
            watcher::Event::Apply(object)
        } else {
            watcher::Event::InitApply(object)
        });
    }

    fn delete(&self, key: &ObjectKey) {
        if key.kind == K::KIND
            && let Some(object) = self.store.get(&reference(key))
        {
            self.send(watcher::Event::Delete((*object).clone()));
        }
    }
}

/// The writing ends of all kinds' queues.
struct Intakes {
    groups: Intake<ContainerGroup>,
    issuers: Intake<Issuer>,
    registrations: Intake<AppRegistration>,
    edges: Arc<Edges>,
}

/// Hands what the source says to the kinds' reflectors.
async fn feed(mut changes: BoxStream<'static, Change>, intakes: Intakes, ctx: &Ctx) {
    let Intakes { groups, issuers, registrations, edges } = intakes;
    groups.send(watcher::Event::Init);
    issuers.send(watcher::Event::Init);
    registrations.send(watcher::Event::Init);
    let mut listed = false;
    while let Some(change) = changes.next().await {
        match change {
            Change::Apply(object) => match *object {
                Object::ContainerGroup(object) => groups.apply(*object, &edges, listed),
                Object::Issuer(object) => issuers.apply(*object, &edges, listed),
                Object::AppRegistration(object) => registrations.apply(*object, &edges, listed),
            },
            Change::Delete(key) => {
                edges.remove(&key);
                ctx.sightings.forget(&key);
                groups.delete(&key);
                issuers.delete(&key);
                registrations.delete(&key);
            }
            Change::Listed if listed => {}
            Change::Listed => {
                listed = true;
                groups.send(watcher::Event::InitDone);
                issuers.send(watcher::Event::InitDone);
                registrations.send(watcher::Event::InitDone);
            }
        }
    }
    // A source that has said all leaves its objects in our care.
    std::future::pending::<()>().await;
}

/// What surrounds a pass.
#[derive(Clone)]
struct Around {
    edges: Arc<Edges>,
    wakes: Wakes,
    passed: Arc<dyn Fn(&ObjectKey) + Send + Sync>,
    /// A pass holds it for reading; who wants to stop waits for writing, which none overtakes.
    gate: Arc<RwLock<()>>,
}

impl Around {
    /// Wakes those who refer to an object: edges run between published fields.
    fn wake_consumers(&self, changed: &ObjectKey) {
        let mut woken = self.edges.consumers(changed);
        if changed.kind == AppRegistration::KIND {
            // The group that a registration follows waits for what the registration has.
            woken.extend(self.edges.named(changed));
        }
        for object in &woken {
            self.wakes.wake(object);
        }
    }
}

/// Works a kind's queue: one pass an object at a time, many objects at once.
async fn apply<K: Kind>(
    store: Store<K>,
    queue: impl Stream<Item = Result<ObjectRef<K>, Infallible>> + Send,
    around: Around,
    ctx: &Arc<Ctx>,
) {
    let reconcile = move |object: Arc<K>, ctx: Arc<Ctx>| {
        let around = around.clone();
        Box::pin(async move {
            let _pass = around.gate.read().await;
            let key = object.key();
            let outcome = pass(&*object, &ctx).await?;
            if outcome.changed {
                around.wake_consumers(&key);
            }
            if outcome.gone {
                // What it referred to may have waited for that: an issuer goes when its last group has.
                object.references().iter().for_each(|named| around.wakes.wake(named));
            }
            (around.passed)(&key);
            Ok::<_, Fault>(outcome.action())
        })
    };
    let again = |_: Arc<K>, fault: &Fault, _: Arc<Ctx>| Action::requeue(outcome::after(fault, 0).2);
    let config = Config::default().concurrency(CONCURRENCY);
    applier(reconcile, again, ctx.clone(), store, queue, config)
        .for_each(|result| async move {
            match result {
                Ok(_) => {}
                // An object that left the reflector before its queued pass: nothing is lost.
                Err(kube::runtime::controller::Error::ObjectNotFound(object)) => {
                    debug!(%object, "gone before its pass");
                }
                Err(problem) => warn!(%problem, "a pass could not be made"),
            }
        })
        .await;
}

/// Wakes objects of which something is asked.
async fn heed_requests(ctx: &Ctx, wakes: &Wakes) {
    let mut changes = ctx.requests.changes();
    while let Some(key) = changes.next().await {
        wakes.wake(&key);
    }
    std::future::pending::<()>().await;
}
