//! What the operator knows of its objects: custom resources, read and written.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event as KubernetesEvent;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::runtime::events::{Event as Recorded, EventType as RecordedType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fault::{self, fault};
use super::{Cluster, KINDS, NAME, PREFIX, resource};
use crate::api::ObjectKey;
use crate::core::certificate::hex;
use crate::core::outcome::{Event, EventType};
use crate::core::{Fault, Reason};
use crate::ports::{CountedEvent, Entry, Ledger, Phase};

/// The finalizer: until it is taken away, Kubernetes keeps the object, so that what was made for it in
/// Azure can be unmade.
const FINALIZER: &str = "aci-operator.io/azure";
/// Field manager of the finalizer and the claim.
const CLAIM_MANAGER: &str = "aci-operator-claim";
/// Field manager of the memory.
const MEMORY_MANAGER: &str = "aci-operator-memory";
/// Field manager of what `aci-operator apply` states.
const CLI_MANAGER: &str = "aci-operator-cli";
/// Longest note of an event.
/// <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>
const LONGEST_NOTE: usize = 1024;
/// Parts of the status that are no part of what is published.
const OWN: [&str; 2] = ["claim", "memory"];

/// How far the object's thing in Azure is ours.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
struct Claim {
    phase: Option<Phase>,
    pinned: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
}

impl Claim {
    fn of(object: &DynamicObject) -> Self {
        Self::deserialize(&object.data["status"]["claim"]).unwrap_or_default()
    }
}

impl Cluster {
    /// An object as it is known, or as the API server shows it where there is no watch.
    pub(super) async fn object(
        &self,
        key: &ObjectKey,
    ) -> Result<Option<Arc<DynamicObject>>, Fault> {
        if self.shared.objects.is_complete() {
            return Ok(self.shared.objects.get(&key.kind, self.namespace_of(key), &key.name));
        }
        let found = self.of(key).get_opt(&key.name).await;
        Ok(found.map_err(|e| fault(&e))?.map(Arc::new))
    }

    async fn objects(
        &self,
        kind: &str,
        namespace: Option<&str>,
    ) -> Result<Vec<Arc<DynamicObject>>, Fault> {
        if self.shared.objects.is_complete() {
            return Ok(self.shared.objects.list(kind, namespace));
        }
        let places = if namespace.is_some() { vec![namespace] } else { self.watched() };
        let mut found = Vec::new();
        for place in places {
            let list = self.api(kind, place).list(&ListParams::default()).await;
            found.extend(list.map_err(|e| fault(&e))?.items.into_iter().map(Arc::new));
        }
        Ok(found)
    }

    /// Applies `what` to the object as `manager`, who owns those fields and none else. An object that
    /// is gone, or was made anew, is not made: the uid is held against it.
    async fn apply(&self, key: &ObjectKey, manager: &str, mut what: Value) -> Result<(), Fault> {
        self.may_write()?;
        let known = self.object(key).await?.ok_or_else(|| gone(key))?;
        let resource = resource(&key.kind);
        what["apiVersion"] = json!(resource.api_version);
        what["kind"] = json!(resource.kind);
        what["metadata"]["name"] = json!(key.name);
        what["metadata"]["uid"] = json!(known.metadata.uid);
        let params = PatchParams::apply(manager).force();
        let (api, patch) = (self.of(key), Patch::Apply(&what));
        let answer = if what.get("status").is_some() {
            api.patch_status(&key.name, &params, &patch).await
        } else {
            api.patch(&key.name, &params, &patch).await
        };
        self.shared.objects.see(&key.kind, answer.map_err(|e| fault(&e))?);
        Ok(())
    }

    async fn apply_status(
        &self,
        key: &ObjectKey,
        manager: &str,
        status: Value,
    ) -> Result<(), Fault> {
        self.apply(key, manager, json!({ "status": status })).await
    }
}

/// Nothing is written for an object that went away meanwhile.
fn gone(key: &ObjectKey) -> Fault {
    Fault::Store { what: key.to_string(), problem: "was deleted meanwhile".to_owned() }
}

/// The entry of an object.
fn entry(kind: &str, object: &DynamicObject) -> Entry {
    let meta = &object.metadata;
    let claim = Claim::of(object);
    let has_finalizer = meta.finalizers.iter().flatten().any(|name| name == FINALIZER);
    let least = if has_finalizer { Phase::Claimed } else { Phase::Seen };
    Entry {
        key: ObjectKey::of(kind, meta),
        uid: claim.uid.or_else(|| meta.uid.clone()).unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
        created: meta.creation_timestamp.as_ref().map_or(DateTime::UNIX_EPOCH, |at| time(at.0)),
        manifest: manifest(kind, object),
        place: None,
        phase: claim.phase.unwrap_or(least).max(least),
        deletion: meta.deletion_timestamp.as_ref().map(|at| time(at.0)),
        orphaned: false,
        invalid: None,
        pinned: claim.pinned,
    }
}

/// The object as its author wrote it.
fn manifest(kind: &str, object: &DynamicObject) -> Value {
    let resource = resource(kind);
    let annotations = object.metadata.annotations.iter().flatten().filter(|(name, _)| {
        !name.starts_with(PREFIX) && *name != "kubectl.kubernetes.io/last-applied-configuration"
    });
    let annotations: BTreeMap<_, _> = annotations.collect();
    let mut metadata =
        json!({"name": object.metadata.name, "namespace": object.metadata.namespace});
    if let Some(labels) = &object.metadata.labels {
        metadata["labels"] = json!(labels);
    }
    if !annotations.is_empty() {
        metadata["annotations"] = json!(annotations);
    }
    json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata,
        "spec": object.data["spec"]})
}

fn published(object: &DynamicObject) -> Option<Value> {
    let mut status = object.data.get("status")?.as_object()?.clone();
    status.retain(|name, _| !OWN.contains(&name.as_str()));
    (!status.is_empty()).then_some(Value::Object(status))
}

/// Our time of theirs.
pub(super) fn time(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp(at.as_second(), at.subsec_nanosecond().unsigned_abs())
        .unwrap_or_default()
}

#[async_trait]
impl Ledger for Cluster {
    async fn entry(&self, key: &ObjectKey) -> Result<Option<Entry>, Fault> {
        Ok(self.object(key).await?.map(|object| entry(&key.kind, &object)))
    }

    async fn entries(&self) -> Result<Vec<Entry>, Fault> {
        let mut all = Vec::new();
        for kind in KINDS {
            let objects = self.objects(kind, None).await?;
            all.extend(objects.iter().map(|object| entry(kind, object)));
        }
        all.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(all)
    }

    async fn beside(&self, object: &ObjectKey, kind: &str) -> Result<Vec<Entry>, Fault> {
        let objects = self.objects(kind, Some(self.namespace_of(object))).await?;
        Ok(objects.iter().map(|object| entry(kind, object)).collect())
    }

    async fn record(&self, new: &Entry) -> Result<(), Fault> {
        let object = self.object(&new.key).await?.ok_or_else(|| gone(&new.key))?;
        let known = entry(&new.key.kind, &object);
        let phase = known.phase.max(new.phase);
        let mut claim = Claim::of(&object);
        let before = claim.clone();
        claim.phase = Some(phase);
        claim.pinned.extend(new.pinned.clone());
        if new.uid != known.uid {
            // From another home, where it had this one.
            claim.uid = Some(new.uid.clone());
        }
        // The finalizer first: nothing is claimed that could vanish unseen.
        let finalizers = object.metadata.finalizers.iter().flatten();
        if phase != Phase::Seen && !finalizers.into_iter().any(|name| name == FINALIZER) {
            let what = json!({"metadata": {"finalizers": [FINALIZER]}});
            self.apply(&new.key, CLAIM_MANAGER, what).await?;
        }
        if claim == before {
            return Ok(());
        }
        self.apply_status(&new.key, CLAIM_MANAGER, json!({ "claim": claim })).await
    }

    async fn release(&self, key: &ObjectKey) -> Result<(), Fault> {
        self.may_write()?;
        self.delete_pair(key).await?;
        let Some(object) = self.object(key).await? else { return Ok(()) };
        let finalizers: Vec<_> = object.metadata.finalizers.iter().flatten().collect();
        if !finalizers.iter().any(|name| *name == FINALIZER) {
            return Ok(());
        }
        let left: Vec<_> = finalizers.into_iter().filter(|name| *name != FINALIZER).collect();
        // The version is held against it: a finalizer that somebody added meanwhile stays.
        let version = &object.metadata.resource_version;
        let patch = json!({"metadata": {"finalizers": left, "resourceVersion": version}});
        let answer =
            self.of(key).patch(&key.name, &PatchParams::default(), &Patch::Merge(&patch)).await;
        match answer {
            Ok(_) => {}
            Err(e) if fault::is_absent(&e) => {}
            Err(e) => return Err(fault(&e)),
        }
        if left.is_empty() {
            // Gone now, whatever the watch has said so far: others waited for that.
            self.shared.objects.forget(&self.placed(key));
        }
        Ok(())
    }

    async fn memory(&self, key: &ObjectKey) -> Result<Option<Value>, Fault> {
        let object = self.object(key).await?;
        let memory = object.as_ref().and_then(|object| object.data["status"]["memory"].as_str());
        // Memory steers waits alone: what cannot be read can be done without.
        Ok(memory.and_then(|text| serde_json::from_str(text).ok()))
    }

    async fn remember(&self, key: &ObjectKey, memory: &Value) -> Result<(), Fault> {
        self.apply_status(key, MEMORY_MANAGER, json!({"memory": memory.to_string()})).await
    }

    async fn status(&self, key: &ObjectKey) -> Result<Option<Value>, Fault> {
        Ok(self.object(key).await?.and_then(|object| published(&object)))
    }

    async fn publish(&self, key: &ObjectKey, status: &Value) -> Result<(), Fault> {
        self.apply_status(key, NAME, status.clone()).await
    }

    async fn emit(&self, key: &ObjectKey, event: &Event, _: DateTime<Utc>) -> Result<(), Fault> {
        self.may_write()?;
        let Some(object) = self.object(key).await? else { return Ok(()) };
        let resource = resource(&key.kind);
        let regarding = ObjectReference {
            api_version: Some(resource.api_version),
            kind: Some(resource.kind),
            name: object.metadata.name.clone(),
            namespace: object.metadata.namespace.clone(),
            uid: object.metadata.uid.clone(),
            ..ObjectReference::default()
        };
        let recorded = Recorded {
            type_: match event.kind {
                EventType::Normal => RecordedType::Normal,
                EventType::Warning => RecordedType::Warning,
            },
            reason: event.reason.to_string(),
            note: Some(fault::shortened(&event.message, LONGEST_NOTE)),
            // The recorder counts by action and reason and keeps the first note: another note is
            // another action.
            action: format!("Reconcile-{}", short_digest(&event.message)),
            secondary: None,
        };
        self.recorder.publish(&recorded, &regarding).await.map_err(|e| fault(&e))
    }

    async fn events(&self, key: Option<&ObjectKey>) -> Result<Vec<CountedEvent>, Fault> {
        let client = self.client.clone();
        let (api, regarding): (Api<KubernetesEvent>, _) = match key {
            Some(key) => (
                Api::namespaced(client, self.namespace_of(key)),
                format!(",regarding.kind={},regarding.name={}", key.kind, key.name),
            ),
            None => (Api::all(client), String::new()),
        };
        let fields = format!("reportingController={NAME}{regarding}");
        let found =
            api.list(&ListParams::default().fields(&fields)).await.map_err(|e| fault(&e))?.items;
        let mut events: Vec<_> = found.iter().filter_map(counted).collect();
        events.sort_by_key(|event| event.last);
        Ok(events)
    }

    /// A cluster has no manifest that belongs to no object.
    async fn set_problems(&self, _: &[String]) -> Result<(), Fault> {
        Ok(())
    }

    async fn problems(&self) -> Result<Vec<String>, Fault> {
        Ok(Vec::new())
    }
}

fn short_digest(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    hex(digest.as_ref().first_chunk::<4>().map_or(&[], |bytes| bytes))
}

/// An event of ours, of a reason that this release knows.
fn counted(event: &KubernetesEvent) -> Option<CountedEvent> {
    let regarding = event.regarding.as_ref()?;
    let first = time(event.event_time.as_ref()?.0);
    let series = event.series.as_ref();
    let mut object = ObjectKey::new(regarding.kind.clone()?, regarding.name.clone()?);
    object.namespace.clone_from(&regarding.namespace);
    Some(CountedEvent {
        object,
        event: Event {
            kind: match event.type_.as_deref() {
                Some("Warning") => EventType::Warning,
                _ => EventType::Normal,
            },
            reason: Reason::deserialize(&json!(event.reason)).ok()?,
            message: event.note.clone().unwrap_or_default(),
        },
        count: series.map_or(1, |series| u32::try_from(series.count).unwrap_or(u32::MAX)),
        first,
        last: series.map_or(first, |series| time(series.last_observed_time.0)),
    })
}

impl Cluster {
    /// Applies a manifest as its author would with `kubectl apply --server-side`; a field that somebody
    /// else set is not taken from them.
    ///
    /// # Errors
    /// The API server refuses it, with its words.
    pub async fn push(&self, key: &ObjectKey, manifest: &Value) -> Result<(), Fault> {
        let mut manifest = manifest.clone();
        // What an author states of the metadata, and nothing that an API server does.
        if let Some(metadata) = manifest["metadata"].as_object_mut() {
            metadata.retain(|name, _| ["name", "labels", "annotations"].contains(&name.as_str()));
        }
        let params = PatchParams::apply(CLI_MANAGER);
        let answer = self.of(key).patch(&key.name, &params, &Patch::Apply(&manifest)).await;
        answer.map(|_| ()).map_err(|e| fault(&e))
    }
}
