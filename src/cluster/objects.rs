//! What is known of the custom resources: the watch's news and the answers to our own writes, the newer
//! of the two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use kube::api::DynamicObject;

use super::lock;
use crate::api::ObjectKey;

/// The custom resources that the watch has shown.
#[derive(Default)]
pub(super) struct Objects {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// By kind and namespace, so that an object's neighbours are found without looking at all.
    rooms: BTreeMap<(String, String), BTreeMap<String, Arc<DynamicObject>>>,
    /// The watch has shown all that there is; before that the API server is asked.
    complete: bool,
}

impl Objects {
    /// Whether all are known.
    pub(super) fn is_complete(&self) -> bool {
        lock(&self.known).complete
    }

    /// All are known now, or not any more.
    pub(super) fn complete(&self, complete: bool) {
        let mut known = lock(&self.known);
        known.complete = complete;
        if !complete {
            known.rooms.clear();
        }
    }

    pub(super) fn get(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<DynamicObject>> {
        let known = lock(&self.known);
        known.rooms.get(&room(kind, namespace))?.get(name).cloned()
    }

    /// The objects of a kind in one namespace, or in all.
    pub(super) fn list(&self, kind: &str, namespace: Option<&str>) -> Vec<Arc<DynamicObject>> {
        let known = lock(&self.known);
        let wanted = |(of, at): &(String, String)| {
            of == kind && namespace.is_none_or(|namespace| namespace == at)
        };
        let rooms: Vec<_> = match namespace {
            Some(namespace) => known.rooms.get(&room(kind, namespace)).into_iter().collect(),
            None => known.rooms.iter().filter(|(room, _)| wanted(room)).map(|(_, r)| r).collect(),
        };
        rooms.into_iter().flat_map(|room| room.values().cloned()).collect()
    }

    /// Takes an object in, unless a newer one is known. Says which is known then.
    pub(super) fn see(&self, kind: &str, mut object: DynamicObject) -> Arc<DynamicObject> {
        // Who manages which field is the API server's business, and most of an object's bytes.
        object.metadata.managed_fields = None;
        let namespace = object.metadata.namespace.clone().unwrap_or_default();
        let name = object.metadata.name.clone().unwrap_or_default();
        let mut known = lock(&self.known);
        let known = known.rooms.entry(room(kind, &namespace)).or_default();
        match known.get(&name) {
            Some(newer) if is_older(&object, newer) => newer.clone(),
            _ => {
                let object = Arc::new(object);
                known.insert(name, object.clone());
                object
            }
        }
    }

    /// The object is gone.
    pub(super) fn forget(&self, key: &ObjectKey) {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let mut known = lock(&self.known);
        if let Some(room) = known.rooms.get_mut(&room(&key.kind, namespace)) {
            room.remove(&key.name);
        }
    }

    /// Forgets those of a kind in a namespace (or in all) that a complete list does not show.
    pub(super) fn keep_only(
        &self,
        kind: &str,
        namespace: Option<&str>,
        shown: &BTreeSet<ObjectKey>,
    ) -> Vec<ObjectKey> {
        let gone: Vec<_> = self
            .list(kind, namespace)
            .iter()
            .map(|object| ObjectKey::of(kind, &object.metadata))
            .filter(|key| !shown.contains(key))
            .collect();
        for key in &gone {
            self.forget(key);
        }
        gone
    }
}

fn room(kind: &str, namespace: &str) -> (String, String) {
    (kind.to_owned(), namespace.to_owned())
}

/// Resource versions of one resource are numbers that grow; another incarnation has another uid.
/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>
fn is_older(object: &DynamicObject, than: &DynamicObject) -> bool {
    let version = |object: &DynamicObject| -> Option<u128> {
        object.metadata.resource_version.as_ref()?.parse().ok()
    };
    object.metadata.uid == than.metadata.uid
        && matches!((version(object), version(than)), (Some(a), Some(b)) if a < b)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(uid: &str, version: &str) -> DynamicObject {
        serde_json::from_value(json!({"apiVersion": "aci-operator.io/v1alpha1", "kind": "Issuer",
            "metadata": {"name": "a", "namespace": "n", "uid": uid, "resourceVersion": version}}))
        .unwrap()
    }

    #[test]
    fn the_newer_of_two_sights_counts() {
        let objects = Objects::default();
        objects.see("Issuer", object("1", "10"));
        objects.see("Issuer", object("1", "9"));
        let version = || {
            let known = objects.get("Issuer", "n", "a").unwrap();
            known.metadata.resource_version.clone().unwrap()
        };
        assert_eq!(version(), "10");
        objects.see("Issuer", object("1", "11"));
        assert_eq!(version(), "11");
        objects.see("Issuer", object("2", "3"));
        assert_eq!(version(), "3", "an object of the same name that was made anew");
        assert_eq!(objects.list("Issuer", Some("n")).len(), 1);
        assert_eq!(objects.list("Issuer", Some("other")).len(), 0);
        assert_eq!(objects.list("ContainerGroup", None).len(), 0);
        let gone = objects.keep_only("Issuer", None, &BTreeSet::new());
        assert_eq!(gone.len(), 1);
        assert!(objects.get("Issuer", "n", "a").is_none());
    }
}
