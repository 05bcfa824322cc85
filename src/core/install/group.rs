//! The operator's own container group.

use serde_json::{Value, json};

use super::{Facts, Resource, Sort, Wanted, home_url};
use crate::core::container_group::TRIAL;

/// <https://learn.microsoft.com/rest/api/container-instances/container-groups/create-or-update>
const API: &str = "2023-05-01";
/// Name of its container.
const CONTAINER: &str = "operator";
/// The variable that tells the operator which container group is its own.
pub const SELF: &str = "ACI_OPERATOR_SELF";
/// The program in the image: ACI's `command` replaces the entry point.
const PROGRAM: &str = "/usr/bin/aci-operator";
const PORT: u16 = 8080;
/// Fractions of a CPU and of a GB: mostly it waits.
pub(super) const CPU: f64 = 0.5;
pub(super) const MEMORY_GB: f64 = 0.5;

/// What a trial of an image does: it signs in as the operator and reads all of the home, writing nothing.
pub const TRIAL_COMMAND: [&str; 3] = [PROGRAM, "get", "--output=json"];

pub(super) fn resource(wanted: &Wanted, facts: &Facts) -> Resource {
    Resource {
        sort: Sort::Group,
        id: wanted.group(),
        api_version: API,
        body: body(wanted, facts),
        purpose: format!("the operator: {}", wanted.image),
        waiting: facts.client.is_none() || facts.blob.is_none(),
    }
}

/// The container group that runs the operator: no address, nobody reaches it.
pub fn body(wanted: &Wanted, facts: &Facts) -> Value {
    let listen = format!("0.0.0.0:{PORT}");
    let command = json!([PROGRAM, "run", "--listen", listen, "--log-format", "json"]);
    let mut container = container(wanted, facts, &command);
    container["properties"]["livenessProbe"] = json!({
        "httpGet": {"path": "/healthz", "port": PORT, "scheme": "http"},
        "initialDelaySeconds": 30,
        "periodSeconds": 30,
        "failureThreshold": 3,
    });
    whole(wanted, "Always", &container)
}

/// The container group as a manifest's `spec`, with which the operator keeps itself: adopted, so that nothing
/// of it is made anew. Image, command, variables and size are those that ARM shows of it.
pub fn spec(wanted: &Wanted, facts: &Facts, seen: &Value) -> Value {
    const SIZE: [&str; 2] = ["/resources/requests/cpu", "/resources/requests/memoryInGB"];
    let body = body(wanted, facts);
    let group = &body["properties"];
    let mut container = group["containers"][0]["properties"].clone();
    let runs = &seen["properties"]["containers"][0]["properties"];
    for path in ["/image", "/command", "/environmentVariables"].into_iter().chain(SIZE) {
        if let (Some(ours), Some(theirs)) = (container.pointer_mut(path), runs.pointer(path)) {
            ours.clone_from(theirs);
        }
    }
    container["name"] = json!(CONTAINER);
    json!({
        "subscriptionId": wanted.subscription,
        "resourceGroup": wanted.resource_group,
        "location": seen["location"],
        "adopt": true,
        "identity": body["identity"],
        "osType": group["osType"],
        "restartPolicy": group["restartPolicy"],
        "containers": [container],
    })
}

/// A group that tries an image beside the running one, and the body of it.
pub fn trial_of(wanted: &Wanted, facts: &Facts) -> Resource {
    let container = container(wanted, facts, &json!(TRIAL_COMMAND));
    Resource {
        sort: Sort::Group,
        id: format!("{}{TRIAL}", wanted.group()),
        api_version: API,
        body: whole(wanted, "Never", &container),
        purpose: format!("a trial of {}", wanted.image),
        waiting: facts.client.is_none() || facts.blob.is_none(),
    }
}

fn whole(wanted: &Wanted, restart: &str, container: &Value) -> Value {
    let identity = wanted.identity();
    json!({
        "location": wanted.location,
        "tags": wanted.tags(),
        "identity": {"type": "UserAssigned", "userAssignedIdentities": { identity: {} }},
        "properties": {
            "osType": "Linux",
            "restartPolicy": restart,
            "containers": [container],
        },
    })
}

fn container(wanted: &Wanted, facts: &Facts, command: &Value) -> Value {
    let home = facts.blob.as_deref().map(home_url).unwrap_or_default();
    let own = [
        ("ACI_OPERATOR_HOME", home),
        (SELF, wanted.group()),
        ("AZURE_CLIENT_ID", facts.client.clone().unwrap_or_default()),
        ("AZURE_SUBSCRIPTION_ID", wanted.subscription.clone()),
        ("AZURE_TOKEN_CREDENTIALS", "prod".to_owned()),
    ];
    let given = wanted.environment.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let variables: Vec<_> = own
        .into_iter()
        .chain(given)
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    json!({
        "name": CONTAINER,
        "properties": {
            "image": wanted.image,
            "command": command,
            "environmentVariables": variables,
            "resources": {"requests": {"cpu": CPU, "memoryInGB": MEMORY_GB}},
        },
    })
}
