//! What names the thing in Azure stays, once the operator has claimed it.

use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::clients::server;
use super::{api, object};

fn group() -> Value {
    json!({
        "apiVersion": "aci-operator.io/v1alpha1",
        "kind": "ContainerGroup",
        "metadata": {"name": "web"},
        "spec": {
            "resourceGroup": "rg",
            "location": "westeurope",
            "containers": [{
                "name": "api",
                "image": "registry.example/api:1",
                "resources": {"requests": {"cpu": 1, "memoryInGB": 1}},
            }],
        },
    })
}

/// The server's answer to a change of the spec.
async fn patch(client: &Client, spec: Value) -> Result<Value, String> {
    let groups = api(client, &group());
    let change = Patch::Merge(json!({"spec": spec}));
    match groups.patch("web", &PatchParams::default(), &change).await {
        Ok(object) => Ok(object.data["spec"].clone()),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(other) => panic!("no answer: {other}"),
    }
}

async fn claim(groups: &Api<kube::api::DynamicObject>, claim: Value) {
    let status = Patch::Merge(json!({"status": {"claim": claim}}));
    groups.patch_status("web", &PatchParams::default(), &status).await.unwrap();
}

const REFUSED: &str =
    "names the thing in Azure and cannot change: delete the object and create it anew";

#[tokio::test]
async fn a_claimed_group_stays_where_it_is() {
    let client = server().namespace("immutable").await;
    let groups = api(&client, &group());
    groups.create(&PostParams::default(), &object(&group())).await.unwrap();
    // Nothing was made yet: a slip can be corrected.
    patch(&client, json!({"resourceGroup": "RG-1"})).await.unwrap();
    claim(&groups, json!({"phase": "Seen"})).await;
    patch(&client, json!({"resourceGroup": "rg-2"})).await.unwrap();

    claim(&groups, json!({"phase": "Claimed", "pinned": {"subscriptionId": "sub-1"}})).await;
    for spec in [json!({"resourceGroup": "rg-3"}), json!({"subscriptionId": "sub-2"})] {
        let said = patch(&client, spec.clone()).await.expect_err(REFUSED);
        assert!(said.contains(REFUSED), "{said}");
        let field = spec.as_object().unwrap().keys().next().unwrap();
        assert!(said.contains(&format!("spec.{field}")), "{said}");
    }
    // ARM compares without case, and what was pinned may be written down.
    patch(&client, json!({"resourceGroup": "RG-2", "subscriptionId": "SUB-1"})).await.unwrap();
    let said = patch(&client, json!({"subscriptionId": "sub-2"})).await.expect_err(REFUSED);
    assert!(said.contains(REFUSED), "{said}");
    // Another Secret may hold the next password: what it leads to was pinned.
    patch(&client, json!({"identityRef": {"name": "team-v2"}})).await.unwrap();
    // The rest may change.
    let spec =
        patch(&client, json!({"updatePolicy": "Hot", "subscriptionId": null})).await.unwrap();
    assert_eq!((&spec["updatePolicy"], spec.get("subscriptionId")), (&json!("Hot"), None));
}

/// A status of any release of the operator is stored as it is: no word of it is refused.
#[tokio::test]
async fn a_status_of_another_release_is_stored() {
    let client = server().namespace("immutable-status").await;
    let groups = api(&client, &group());
    groups.create(&PostParams::default(), &object(&group())).await.unwrap();
    let status = json!({
        "conditions": [{"type": "New", "status": "True", "reason": "NeverHeardOf", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}],
        "claim": {"phase": "Made", "pinned": {"subscriptionId": "sub-1"}},
        "memory": "{\"attempts\": 3}",
        "pendingApproval": {"digest": "d"},
    });
    let change = Patch::Merge(json!({"status": status}));
    let stored = groups.patch_status("web", &PatchParams::default(), &change).await.unwrap();
    assert_eq!(stored.data["status"], status);
    assert_eq!(stored.metadata.generation, Some(1));
}
