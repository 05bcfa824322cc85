//! Bodies and groups in ARM's JSON, `api-version` [`API_VERSION`].
//!
//! ARM keeps the properties of a container one level down, secret files in base64, location and tags
//! beside the properties; the manifest's shape has none of that. Everything else is passed on as it
//! is, known or not.
//! <https://learn.microsoft.com/azure/templates/microsoft.containerinstance/2023-05-01/containergroups>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::core::container_group::Body;

mod group;

pub use group::group;

/// The version of `Microsoft.ContainerInstance` that is spoken: general availability, and the one
/// that Microsoft's own stable SDKs for Python and Go send. It has all that a manifest can say.
pub const API_VERSION: &str = "2023-05-01";

/// Lists of which ARM keeps all but the name under `properties`.
const NESTED: [&str; 2] = ["containers", "initContainers"];
/// What ARM keeps beside `properties`; location and tags are fields of [`Body`].
const TOP_LEVEL: [&str; 2] = ["identity", "zones"];
/// Stands for a secret that is not shown.
const ELIDED: &str = "[elided]";

/// The body of a PUT.
pub(super) fn body(body: &Body) -> Value {
    let Body { location, tags, properties } = body;
    let mut properties = properties.as_object().cloned().unwrap_or_default();
    let mut resource = Map::new();
    resource.insert("location".to_owned(), json!(location));
    resource.insert("tags".to_owned(), json!(tags));
    for name in TOP_LEVEL {
        resource.extend(properties.remove_entry(name));
    }
    for name in NESTED {
        for container in elements(properties.get_mut(name)) {
            nest(container);
        }
    }
    for_each_secret_file(&mut properties, |text| STANDARD.encode(text));
    resource.insert("properties".to_owned(), Value::Object(properties));
    Value::Object(resource)
}

/// What `az container create --file` takes, as the PUT would send it; secrets only if asked for.
///
/// A caller that writes it as YAML must quote texts: az expands `${NAME}` in plain ones.
/// <https://learn.microsoft.com/azure/container-instances/container-instances-reference-yaml>
pub fn render(group: &Body, name: &str, secrets: SecretValues) -> Value {
    let mut group = group.clone();
    if secrets == SecretValues::Elided
        && let Some(properties) = group.properties.as_object_mut()
    {
        elide(properties);
    }
    let mut resource = Map::new();
    resource.insert("name".to_owned(), json!(name));
    resource.insert("apiVersion".to_owned(), json!(API_VERSION));
    resource.insert("type".to_owned(), json!("Microsoft.ContainerInstance/containerGroups"));
    if let Value::Object(body) = body(&group) {
        resource.extend(body);
    }
    Value::Object(resource)
}

/// Whether secret values are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecretValues {
    /// They are.
    Shown,
    /// A placeholder is.
    Elided,
}

/// The body of a PATCH.
pub(super) fn tags(tags: &BTreeMap<String, String>) -> Value {
    json!({ "tags": tags })
}

fn nest(container: &mut Map<String, Value>) {
    let mut properties = std::mem::take(container);
    container.extend(properties.remove_entry("name"));
    container.insert("properties".to_owned(), Value::Object(properties));
}

fn elide(properties: &mut Map<String, Value>) {
    for name in NESTED {
        for container in elements(properties.get_mut(name)) {
            for variable in elements(container.get_mut("environmentVariables")) {
                elide_text(variable, "secureValue");
            }
        }
    }
    for credential in elements(properties.get_mut("imageRegistryCredentials")) {
        elide_text(credential, "password");
    }
    for_each_secret_file(properties, |_| ELIDED.to_owned());
}

fn for_each_secret_file(properties: &mut Map<String, Value>, change: impl Fn(&str) -> String) {
    for volume in elements(properties.get_mut("volumes")) {
        if let Some(Value::Object(files)) = volume.get_mut("secret") {
            for file in files.values_mut() {
                if let Value::String(text) = file {
                    *text = change(text);
                }
            }
        }
    }
}

fn elide_text(object: &mut Map<String, Value>, name: &str) {
    if let Some(value) = object.get_mut(name) {
        *value = json!(ELIDED);
    }
}

/// The objects of a list; none where there is no list.
fn elements(list: Option<&mut Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    list.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Body {
        Body {
            location: "westeurope".to_owned(),
            tags: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            properties: json!({
                "osType": "Linux",
                "restartPolicy": "Always",
                "containers": [{
                    "name": "api",
                    "image": "api:1",
                    "ports": [{"port": 80}],
                    "environmentVariables": [
                        {"name": "A", "value": "1"},
                        {"name": "B", "secureValue": "hunter2"},
                    ],
                    "resources": {"requests": {"cpu": 1.0, "memoryInGB": 1.5}},
                    "volumeMounts": [{"name": "files", "mountPath": "/files"}],
                }],
                "volumes": [
                    {"name": "live", "emptyDir": {}},
                    {"name": "files", "secret": {"k.pem": "key\n"}},
                ],
                "imageRegistryCredentials": [{"server": "r", "username": "u", "password": "letmein"}],
                "ipAddress": {"type": "Public", "ports": [{"port": 443, "protocol": "TCP"}]},
                "futureThing": {"x": 1},
            }),
        }
    }

    #[test]
    fn a_body_in_arms_shape() {
        assert_eq!(
            body(&sample()),
            json!({
                "location": "westeurope",
                "tags": {"a": "b"},
                "properties": {
                    "osType": "Linux",
                    "restartPolicy": "Always",
                    "containers": [{
                        "name": "api",
                        "properties": {
                            "image": "api:1",
                            "ports": [{"port": 80}],
                            "environmentVariables": [
                                {"name": "A", "value": "1"},
                                {"name": "B", "secureValue": "hunter2"},
                            ],
                            "resources": {"requests": {"cpu": 1.0, "memoryInGB": 1.5}},
                            "volumeMounts": [{"name": "files", "mountPath": "/files"}],
                        },
                    }],
                    "volumes": [
                        {"name": "live", "emptyDir": {}},
                        {"name": "files", "secret": {"k.pem": "a2V5Cg=="}},
                    ],
                    "imageRegistryCredentials": [
                        {"server": "r", "username": "u", "password": "letmein"},
                    ],
                    "ipAddress": {"type": "Public", "ports": [{"port": 443, "protocol": "TCP"}]},
                    "futureThing": {"x": 1},
                },
            })
        );
    }

    #[test]
    fn what_was_put_is_what_is_read() {
        let mut answer = body(&sample());
        answer["id"] = json!("/subscriptions/s/resourceGroups/r/providers/x/containerGroups/g");
        answer["name"] = json!("g");
        let read = group(&answer).unwrap();
        assert_eq!(read.tags, sample().tags);
        let mut expected = sample().properties;
        expected["location"] = json!("westeurope");
        expected["volumes"][1]["secret"] = json!({});
        let mut properties = read.properties;
        // ARM shows none of the three; the reader drops those that it does.
        properties["containers"][0]["environmentVariables"][1]["secureValue"] = json!("hunter2");
        properties["imageRegistryCredentials"][0]["password"] = json!("letmein");
        assert_eq!(properties, expected);
    }

    #[test]
    fn rendered_secrets_are_elided_unless_asked_for() {
        let elided = render(&sample(), "g", SecretValues::Elided).to_string();
        let key = STANDARD.encode("key\n");
        for secret in ["hunter2", "letmein", "key\\n", &key] {
            assert!(!elided.contains(secret), "{secret}");
        }
        let shown = render(&sample(), "g", SecretValues::Shown);
        assert_eq!(shown["properties"]["volumes"][1]["secret"]["k.pem"], json!(key));
        assert_eq!(shown["apiVersion"], json!(API_VERSION));
        assert_eq!(shown["name"], json!("g"));
    }

    #[test]
    fn identity_and_zones_stand_beside_the_properties() {
        let mut group = sample();
        let identity = json!({"type": "UserAssigned", "userAssignedIdentities": {"/an/id": {}}});
        group.properties["identity"] = identity.clone();
        group.properties["zones"] = json!(["1"]);
        for put in [body(&group), render(&group, "g", SecretValues::Elided)] {
            assert_eq!((&put["zones"], &put["identity"]), (&json!(["1"]), &identity));
            assert_eq!(put["properties"].get("identity"), None);
            let mut answer = put;
            answer["id"] = json!("/a/group");
            answer["name"] = json!("g");
            assert_eq!(self::group(&answer).unwrap().properties["identity"], identity);
        }
    }
}
