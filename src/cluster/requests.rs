//! What people ask, as annotations: also by `kubectl annotate`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::Cluster;
use super::fault::{self, fault};
use crate::core::Fault;
use crate::ports::{Approval, ObjectKey, RequestBox, Requests};

/// `kubectl annotate … aci-operator.io/renew-requested-at=2026-01-31T12:00:00Z`.
const RENEW: &str = "aci-operator.io/renew-requested-at";
const RECONCILE: &str = "aci-operator.io/reconcile-requested-at";
/// Digest of the approved plan, as `status.pendingApproval` shows it, and when: `DIGEST@TIME`.
const APPROVE: &str = "aci-operator.io/approved";
/// `true` stops all writes.
const SUSPEND: &str = "aci-operator.io/suspend";

#[async_trait]
impl RequestBox for Cluster {
    async fn requests(&self, key: &ObjectKey) -> Result<Requests, Fault> {
        let object = self.object(key).await?;
        let marks = object.as_ref().and_then(|object| object.metadata.annotations.as_ref());
        Ok(marks.map(read).unwrap_or_default())
    }

    async fn set_requests(&self, key: &ObjectKey, requests: &Requests) -> Result<(), Fault> {
        let api = self.of(key);
        let answer = if requests.delete.is_some() {
            api.delete(&key.name, &DeleteParams::default()).await.map(|_| ())
        } else {
            let patch = json!({"metadata": {"annotations": written(requests)}});
            let params = PatchParams::default();
            api.patch(&key.name, &params, &Patch::Merge(&patch)).await.map(|_| ())
        };
        match answer {
            Err(e) if requests.delete.is_some() && fault::is_absent(&e) => Ok(()),
            other => other.map_err(|e| fault(&e)),
        }
    }

    /// The watch tells.
    fn changes(&self) -> BoxStream<'static, ObjectKey> {
        stream::pending().boxed()
    }
}

fn read(marks: &BTreeMap<String, String>) -> Requests {
    let time = |text: &str| text.parse::<DateTime<Utc>>().ok();
    let at = |name: &str| marks.get(name).and_then(|text| time(text));
    let approve = marks.get(APPROVE).and_then(|text| {
        let (digest, at) = text.rsplit_once('@')?;
        Some(Approval { digest: digest.to_owned(), at: time(at)? })
    });
    Requests {
        renew: at(RENEW),
        reconcile: at(RECONCILE),
        approve,
        suspended: marks.get(SUSPEND).is_some_and(|text| text == "true"),
        // In a cluster the object itself is deleted.
        delete: None,
    }
}

fn written(requests: &Requests) -> Value {
    let time = |at: &DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    json!({
        RENEW: requests.renew.as_ref().map(time),
        RECONCILE: requests.reconcile.as_ref().map(time),
        APPROVE: requests.approve.as_ref().map(|it| format!("{}@{}", it.digest, time(&it.at))),
        SUSPEND: requests.suspended.then_some("true"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_comes_back() {
        let at = DateTime::from_timestamp(1_800_000_000, 5_000_000);
        let approve = Approval { digest: "v1@x".to_owned(), at: at.unwrap() };
        let asked = Requests {
            renew: at,
            reconcile: at,
            approve: Some(approve),
            suspended: true,
            delete: None,
        };
        let marks: BTreeMap<String, String> = serde_json::from_value(written(&asked)).unwrap();
        assert_eq!(read(&marks), asked);
        assert!(written(&Requests::default()).as_object().unwrap().values().all(Value::is_null));
        let by_hand = [(RENEW, "soon"), (SUSPEND, "no"), (APPROVE, "x")];
        let by_hand = by_hand.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        assert_eq!(read(&by_hand), Requests::default());
    }
}
