//! An identity for each namespace, and none of the operator's own.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Cluster;
use crate::wire::{condition, group, is_ready};

#[test]
fn a_namespace_brings_its_identity() {
    let mut cluster = Cluster::new("");
    let variables = cluster.world.variables();
    let wrong = ("AZURE_CLIENT_SECRET".to_owned(), "none-of-its-own".to_owned());
    cluster.world.environment.push(wrong);
    cluster.server.kubectl_done(&["create", "namespace", "other"]);
    let keys = ["TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "SUBSCRIPTION_ID"];
    let keys = keys.map(|key| format!("AZURE_{key}"));
    let data: serde_json::Map<_, _> =
        keys.iter().map(|key| (key.clone(), json!(variables[key]))).collect();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": data,
        "metadata": {"name": "aci-operator-identity"}});
    cluster.apply(&secret.to_string());
    for name in ["a", "b", "c"] {
        cluster.apply(&group(name, "1"));
    }
    let elsewhere = ["apply", "-n", "other", "-f", "-"];
    assert!(cluster.server.kubectl(&elsewhere, &group("d", "1")).status.success());
    cluster.replica();
    for name in ["acg/a", "acg/b", "acg/c"] {
        cluster.until(name, "ready", is_ready);
    }
    let said = cluster.world.eventually("forbidden", || {
        let object = cluster.server.kubectl(&["get", "acg/d", "-n", "other", "-o", "json"], "");
        let (_, reason, message) =
            condition(&serde_json::from_slice(&object.stdout).unwrap_or_default(), "Stalled");
        (reason == "Forbidden").then_some(message)
    });
    assert!(said.contains("AADSTS"), "{said}");

    // Many passes, and one look at each namespace's Secret a minute at most.
    let events = cluster.audited();
    for namespace in ["app", "other"] {
        let look = |event: &&Value| {
            let object = &event["objectRef"];
            event["verb"] == "get"
                && object["name"] == "aci-operator-identity"
                && object["namespace"] == namespace
        };
        let at = |event: &Value| event["requestReceivedTimestamp"].as_str().unwrap().parse();
        let times: Vec<DateTime<Utc>> =
            events.iter().filter(look).map(|e| at(e).unwrap()).collect();
        assert!(!times.is_empty(), "{namespace}");
        let close = |pair: &[DateTime<Utc>]| (pair[1] - pair[0]).num_seconds() < 58;
        assert!(!times.windows(2).any(close), "{namespace}: {times:?}");
    }
}
