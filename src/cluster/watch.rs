//! Custom resources as a source of manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use futures::stream::{self, BoxStream, SelectAll, Stream, StreamExt as _};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Cluster, KINDS, lock};
use crate::api::{Object, ObjectKey, annotations};
use crate::ports::Change;

/// One watch of the API server's.
type Watch = BoxStream<'static, (usize, watcher::Result<watcher::Event<DynamicObject>>)>;

impl Cluster {
    /// All custom resources, then [`Change::Listed`], then what changes. A watch that breaks is taken up
    /// again, with a list where the API server has forgotten (410).
    pub fn watch(&self) -> impl Stream<Item = Change> + Send + use<> {
        // What an earlier watch knew may be old.
        self.shared.objects.complete(false);
        let shard = *lock(&self.shared.shard);
        let rooms = self.rooms();
        let watches: SelectAll<Watch> =
            stream::select_all(rooms.iter().enumerate().map(|(i, room)| self.watch_room(i, room)));
        let watching = Watching {
            cluster: self.clone(),
            shard,
            rooms,
            said: BTreeMap::new(),
            held_back: Vec::new(),
        };
        stream::unfold((watching, watches), |(mut watching, mut watches)| async move {
            let (room, event) = watches.next().await?;
            let changes = watching.heed(room, event);
            Some((stream::iter(changes), (watching, watches)))
        })
        .flatten()
    }

    /// What is watched: each kind, in all namespaces or in each of some.
    fn rooms(&self) -> Vec<Room> {
        let room = |kind, namespace: Option<&str>| Room {
            kind,
            namespace: namespace.map(str::to_owned),
            shown: None,
            listed: false,
        };
        let watched = self.watched();
        KINDS.iter().flat_map(|kind| watched.iter().map(move |n| room(*kind, *n))).collect()
    }

    fn watch_room(&self, index: usize, room: &Room) -> Watch {
        let api = self.api(room.kind, room.namespace.as_deref());
        watcher(api, watcher::Config::default())
            .default_backoff()
            .map(move |event| (index, event))
            .boxed()
    }

    /// Whether the objects of a namespace are this replica's.
    fn is_ours(&self, namespace: &str, shard: u32) -> bool {
        if self.place.shards <= 1 {
            return true;
        }
        // The same in every release: replicas of two must not both think that a namespace is theirs.
        let digest = digest(&SHA256, namespace.as_bytes());
        let first = digest.as_ref().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        first % u64::from(self.place.shards) == u64::from(shard)
    }
}

/// A kind in a namespace, or in all.
struct Room {
    kind: &'static str,
    namespace: Option<String>,
    /// What a list that is under way has shown so far.
    shown: Option<BTreeSet<ObjectKey>>,
    /// All that there is was shown once.
    listed: bool,
}

struct Watching {
    cluster: Cluster,
    shard: u32,
    rooms: Vec<Room>,
    /// What was last said of each object.
    said: BTreeMap<ObjectKey, Said>,
    /// What is said when all is known: a pass that begins before would take what is not shown yet for
    /// missing, or have to ask for it.
    held_back: Vec<Change>,
}

/// What of an object decides: our own writes to its status are no news.
#[derive(PartialEq)]
struct Said {
    uid: Option<String>,
    generation: Option<i64>,
    deleted: bool,
    annotations: BTreeMap<String, String>,
}

impl Watching {
    /// What an event of a room means.
    fn heed(
        &mut self,
        index: usize,
        event: watcher::Result<watcher::Event<DynamicObject>>,
    ) -> Vec<Change> {
        let Some(room) = self.rooms.get_mut(index) else { return Vec::new() };
        let kind = room.kind;
        match event {
            Ok(watcher::Event::Init) => {
                room.shown = Some(BTreeSet::new());
                Vec::new()
            }
            Ok(watcher::Event::InitApply(object)) => {
                let key = ObjectKey::of(kind, &object.metadata);
                room.shown.get_or_insert_default().insert(key);
                self.applied(kind, object).into_iter().collect()
            }
            Ok(watcher::Event::InitDone) => self.listed(index),
            Ok(watcher::Event::Apply(object)) => self.applied(kind, object).into_iter().collect(),
            Ok(watcher::Event::Delete(object)) => {
                let key = ObjectKey::of(kind, &object.metadata);
                self.cluster.shared.objects.forget(&key);
                self.gone(key).into_iter().collect()
            }
            Err(problem) => {
                tracing::warn!(kind, %problem, "the watch is interrupted");
                Vec::new()
            }
        }
    }

    /// A list of a room is complete: what it does not show is gone.
    fn listed(&mut self, index: usize) -> Vec<Change> {
        let Some(room) = self.rooms.get_mut(index) else { return Vec::new() };
        let shown = room.shown.take().unwrap_or_default();
        room.listed = true;
        let objects = &self.cluster.shared.objects;
        let gone = objects.keep_only(room.kind, room.namespace.as_deref(), &shown);
        let mut changes: Vec<_> = gone.into_iter().filter_map(|key| self.gone(key)).collect();
        let objects = &self.cluster.shared.objects;
        if !objects.is_complete() && self.rooms.iter().all(|room| room.listed) {
            objects.complete(true);
            changes.append(&mut self.held_back);
            changes.push(Change::Listed);
        }
        changes
    }

    fn gone(&mut self, key: ObjectKey) -> Option<Change> {
        let is_of =
            |change: &Change| matches!(change, Change::Apply(object) if object.key() == key);
        self.held_back.retain(|change| !is_of(change));
        self.said.remove(&key).map(|_| Change::Delete(key))
    }

    fn applied(&mut self, kind: &'static str, object: DynamicObject) -> Option<Change> {
        let key = ObjectKey::of(kind, &object.metadata);
        let object = self.cluster.shared.objects.see(kind, object);
        if !self.cluster.is_ours(key.namespace.as_deref().unwrap_or_default(), self.shard) {
            return None;
        }
        let said = Said {
            uid: object.metadata.uid.clone(),
            generation: object.metadata.generation,
            deleted: object.metadata.deletion_timestamp.is_some(),
            annotations: object.annotations().clone(),
        };
        if self.said.get(&key) == Some(&said) {
            return None;
        }
        match typed(kind, &object) {
            Ok(object) => {
                self.said.insert(key, said);
                let change = Change::Apply(Box::new(object));
                if self.cluster.shared.objects.is_complete() {
                    return Some(change);
                }
                self.held_back.push(change);
                None
            }
            Err(problem) => {
                // The definition in the cluster is another release's: it lets through what we cannot
                // read. What was said of it before stays in force.
                tracing::error!(object = %key, %problem, "is not of this release's form; update the definitions");
                None
            }
        }
    }
}

/// The object in the shape of its kind, without status. Marks of the operator's own are no one else's
/// to set.
fn typed(kind: &str, object: &Arc<DynamicObject>) -> Result<Object, String> {
    let mut tree = json!({"apiVersion": "", "kind": kind, "spec": object.data["spec"]});
    tree["metadata"] = serde_json::to_value(&object.metadata).unwrap_or_default();
    if let Some(marks) = tree["metadata"]["annotations"].as_object_mut() {
        marks.retain(|name, _| name != annotations::INVALID && name != annotations::ORPHANED);
    }
    match kind {
        "Issuer" => read(tree).map(Object::Issuer),
        "AppRegistration" => read(tree).map(Object::AppRegistration),
        _ => read(tree).map(Object::ContainerGroup),
    }
}

fn read<T: DeserializeOwned>(tree: Value) -> Result<Box<T>, String> {
    // The path alone: serde's text would repeat values.
    serde_path_to_error::deserialize(tree).map(Box::new).map_err(|e| e.path().to_string())
}
