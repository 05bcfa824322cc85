//! A group as ARM shows it, read leniently: whatever is missing, null or of another type is absent.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, FixedOffset, Utc};
use serde_json::{Map, Value};

use super::{NESTED, TOP_LEVEL, elements};
use crate::core::container_group::{ContainerFacts, Group, Provisioning};

/// So many messages of events are kept.
const MOST_EVENTS: usize = 5;

/// Reads a group; `None` where the value names none.
pub fn group(resource: &Value) -> Option<Group> {
    let id = resource["id"].as_str()?;
    let name = resource["name"].as_str()?;
    let shown = &resource["properties"];
    let view = &shown["instanceView"];
    let address = &shown["ipAddress"];
    Some(Group {
        id: id.to_owned(),
        name: name.to_owned(),
        tags: tags(&resource["tags"]),
        properties: properties(resource),
        provisioning: provisioning(shown["provisioningState"].as_str()),
        state: text(&view["state"]),
        ip: address["ip"]
            .as_str()
            .and_then(|ip| ip.parse().ok())
            .filter(|ip: &IpAddr| !ip.is_unspecified()),
        fqdn: text(&address["fqdn"]),
        containers: list(&shown["containers"]).iter().map(container).collect(),
        events: events(shown),
    })
}

fn tags(tags: &Value) -> BTreeMap<String, String> {
    let pairs = tags.as_object().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// The manifest's shape: containers flat, no read-only part, no secret, nothing null.
fn properties(resource: &Value) -> Value {
    let mut properties = resource["properties"].as_object().cloned().unwrap_or_default();
    for name in ["location"].iter().chain(&TOP_LEVEL) {
        if let Some(value) = resource.get(*name) {
            properties.insert((*name).to_owned(), value.clone());
        }
    }
    properties.remove("instanceView");
    properties.remove("provisioningState");
    if let Some(Value::Object(address)) = properties.get_mut("ipAddress") {
        address.remove("ip");
        address.remove("fqdn");
    }
    for name in NESTED {
        for container in elements(properties.get_mut(name)) {
            flatten(container);
        }
    }
    conceal(&mut properties);
    let mut properties = Value::Object(properties);
    drop_null(&mut properties);
    properties
}

fn flatten(container: &mut Map<String, Value>) {
    if let Some(Value::Object(properties)) = container.remove("properties") {
        for (name, value) in properties {
            container.entry(name).or_insert(value);
        }
    }
    container.remove("instanceView");
    for variable in elements(container.get_mut("environmentVariables")) {
        variable.remove("secureValue");
    }
}

/// ARM shows no secret; should it ever, it goes no further than here.
fn conceal(properties: &mut Map<String, Value>) {
    for credential in elements(properties.get_mut("imageRegistryCredentials")) {
        credential.remove("password");
    }
    for volume in elements(properties.get_mut("volumes")) {
        if let Some(Value::Object(files)) = volume.get_mut("secret") {
            files.clear();
        }
    }
}

fn drop_null(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_null);
        }
        Value::Array(elements) => elements.iter_mut().for_each(drop_null),
        _ => {}
    }
}

/// Only `Succeeded` and `Failed` may be relied on:
/// <https://learn.microsoft.com/azure/container-instances/container-state>. `Canceled` is ARM's
/// third final word.
fn provisioning(word: Option<&str>) -> Provisioning {
    let word = word.unwrap_or("Unknown");
    match word.to_ascii_lowercase().as_str() {
        "succeeded" => Provisioning::Succeeded,
        "failed" | "canceled" => Provisioning::Failed,
        _ => Provisioning::Busy(word.to_owned()),
    }
}

fn container(container: &Value) -> ContainerFacts {
    let view = &container["properties"]["instanceView"];
    let current = &view["currentState"];
    ContainerFacts {
        name: text(&container["name"]).unwrap_or_default(),
        state: text(&current["state"]),
        started: time(&current["startTime"]).map(|at| at.with_timezone(&Utc)),
        restart_count: view["restartCount"].as_i64().unwrap_or(0),
    }
}

/// Messages of the group and its containers, newest first.
fn events(shown: &Value) -> Vec<String> {
    let containers = list(&shown["containers"]).iter().map(|c| &c["properties"]["instanceView"]);
    let mut dated: Vec<_> = std::iter::once(&shown["instanceView"])
        .chain(containers)
        .flat_map(|view| list(&view["events"]))
        .filter_map(|event| Some((time(&event["lastTimestamp"]), text(&event["message"])?)))
        .collect();
    dated.sort_by(|(a, _), (b, _)| b.cmp(a));
    dated.into_iter().map(|(_, message)| message).take(MOST_EVENTS).collect()
}

fn time(value: &Value) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn shown() -> Value {
        json!({
            "id": "/subscriptions/S/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups/g",
            "name": "g",
            "type": "Microsoft.ContainerInstance/containerGroups",
            "location": "westeurope",
            "tags": {"a": "b"},
            "zones": null,
            "properties": {
                "provisioningState": "Succeeded",
                "sku": "Standard",
                "containers": [{"name": "api", "properties": {
                    "image": "api:1",
                    "command": [],
                    "environmentVariables": [{"name": "B", "secureValue": null}],
                    "instanceView": {
                        "restartCount": 2,
                        "currentState": {"state": "Running", "startTime": "2026-11-24T07:00:00.1234567Z", "detailStatus": ""},
                        "previousState": {"state": "Terminated", "exitCode": 137},
                        "events": [{"message": "Started", "lastTimestamp": "2026-11-24T07:00:01Z"}],
                    },
                }}],
                "volumes": [{"name": "files", "secret": {}}],
                "ipAddress": {"type": "Public", "ip": "20.1.2.3", "fqdn": "g.westeurope.azurecontainer.io", "ports": []},
                "instanceView": {"state": "Running", "events": [
                    {"message": "Pulled", "lastTimestamp": "2026-11-24T07:00:00Z"},
                    {"message": "Probed", "lastTimestamp": "2026-11-24T07:00:02Z"},
                ]},
            },
        })
    }

    #[test]
    fn a_group_in_the_manifests_shape() {
        let group = group(&shown()).unwrap();
        assert_eq!(
            group.properties,
            json!({
                "location": "westeurope",
                "sku": "Standard",
                "containers": [{"name": "api", "image": "api:1", "command": [], "environmentVariables": [{"name": "B"}]}],
                "volumes": [{"name": "files", "secret": {}}],
                "ipAddress": {"type": "Public", "ports": []},
            })
        );
        assert_eq!(group.provisioning, Provisioning::Succeeded);
        assert_eq!(group.state.as_deref(), Some("Running"));
        assert_eq!(group.ip, Some(IpAddr::from([20, 1, 2, 3])));
        assert_eq!(group.fqdn.as_deref(), Some("g.westeurope.azurecontainer.io"));
        assert_eq!(group.events, ["Probed", "Started", "Pulled"]);
        let api = &group.containers[0];
        assert_eq!(
            (api.name.as_str(), api.state.as_deref(), api.restart_count),
            ("api", Some("Running"), 2)
        );
        assert_eq!(api.started.unwrap().timestamp(), 1_795_503_600);
    }

    #[test]
    fn no_address_is_none() {
        for ip in [json!(null), json!("0.0.0.0"), json!("::"), json!(""), json!("soon"), json!(7)] {
            let mut shown = shown();
            shown["properties"]["ipAddress"]["ip"] = ip.clone();
            assert_eq!(group(&shown).unwrap().ip, None, "{ip}");
        }
        let mut shown = shown();
        shown["properties"]["ipAddress"] = json!(null);
        assert_eq!(group(&shown).unwrap().fqdn, None);
    }

    #[test]
    fn words_of_provisioning() {
        for (word, expected) in [
            (Some("Succeeded"), Provisioning::Succeeded),
            (Some("Failed"), Provisioning::Failed),
            (Some("Canceled"), Provisioning::Failed),
            (Some("Pending"), Provisioning::Busy("Pending".to_owned())),
            (Some("Unhealthy"), Provisioning::Busy("Unhealthy".to_owned())),
            (None, Provisioning::Busy("Unknown".to_owned())),
        ] {
            assert_eq!(provisioning(word), expected);
        }
    }

    #[test]
    fn what_names_no_group_is_none() {
        for value in [json!(null), json!([]), json!({"id": "x"}), json!({"name": 1, "id": "x"})] {
            assert_eq!(group(&value), None);
        }
    }

    fn hostile() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(
                    prop::sample::select(vec![
                        "name",
                        "properties",
                        "secret",
                        "events",
                        "currentState",
                        "message"
                    ]),
                    inner,
                    0..4,
                )
                .prop_map(|m| m.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_part_may_be_anything(
            part in prop::sample::select(vec![
                "/tags", "/location", "/properties", "/properties/containers", "/properties/containers/0",
                "/properties/containers/0/properties", "/properties/containers/0/properties/instanceView",
                "/properties/volumes", "/properties/ipAddress", "/properties/instanceView",
            ]),
            value in hostile(),
        ) {
            let mut shown = shown();
            *shown.pointer_mut(part).unwrap() = value;
            prop_assert!(group(&shown).is_some());
        }
    }
}
