//! A container group as GET and LIST show it: no secret value, `instanceView` in GET only.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::body::{Container, IpAddress, Properties};
use super::event::timestamp;
use super::group::Group;
use super::settings::Settings;
use super::{GROUP_TYPE, address};
use crate::emulator::engine::ContainerState;

/// Which parts an answer has.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Detail {
    /// GET: with every `instanceView`.
    Full,
    /// LIST, PUT, PATCH: without.
    Resource,
}

/// The whole resource but its identity, which it shares with others.
pub(super) fn resource(
    settings: &Settings,
    group: &Group,
    now: DateTime<Utc>,
    detail: Detail,
) -> Value {
    let mut shown = group.properties.clone();
    redact(&mut shown);
    if let Some(address) = &mut shown.ip_address {
        fill_address(settings, group, address);
    }
    let mut properties = json!(shown);
    properties["provisioningState"] = json!(group.provisioning_state(settings, now));
    if detail == Detail::Full {
        instance_views(&mut properties, group);
    }
    let mut resource = json!({
        "properties": properties,
        "id": id(settings, &group.home, &group.name),
        "name": group.name,
        "type": GROUP_TYPE,
        "location": group.location,
        "tags": group.tags,
    });
    if let Some(zones) = &group.zones {
        resource["zones"] = zones.clone();
    }
    resource
}

/// The resource id, spelled the service's way whatever the request's case was.
pub(super) fn id(settings: &Settings, resource_group: &str, name: &str) -> String {
    format!(
        "/subscriptions/{}/resourceGroups/{resource_group}/providers/{GROUP_TYPE}/{name}",
        settings.subscription
    )
}

fn redact(body: &mut Properties) {
    for container in body.containers.iter_mut().chain(&mut body.init_containers) {
        for variable in &mut container.properties.environment_variables {
            variable.secure_value = None;
        }
    }
    for registry in &mut body.image_registry_credentials {
        registry.password = None;
    }
    for volume in &mut body.volumes {
        if let Some(files) = &mut volume.secret {
            files.clear();
        }
        if let Some(share) = &mut volume.azure_file {
            share.storage_account_key = None;
        }
    }
    let analytics = body.diagnostics.as_mut().and_then(|value| value.get_mut("logAnalytics"));
    if let Some(analytics) = analytics.and_then(Value::as_object_mut) {
        analytics.remove("workspaceKey");
    }
}

/// No address before it is assigned; a stopped group has given it back.
fn fill_address(settings: &Settings, group: &Group, address: &mut IpAddress) {
    address.ip = match group.ip {
        Some(ip) => Some(ip.to_string()),
        None if group.stopped => Some("0.0.0.0".to_owned()),
        None => None,
    };
    address.fqdn = address::fqdn(settings, group);
}

fn instance_views(properties: &mut Value, group: &Group) {
    properties["instanceView"] = json!({"events": group.events.view(""), "state": group.state()});
    for list in ["containers", "initContainers"] {
        for shown in properties[list].as_array_mut().into_iter().flatten() {
            let name = shown["name"].as_str().unwrap_or_default().to_owned();
            let mut view = json!({"events": group.events.view(&name)});
            match group.containers.get(&name) {
                Some(state) if group.state() != "Pending" => container_view(&mut view, state),
                _ => {
                    view["restartCount"] = json!(0);
                    view["currentState"] = json!({"state": "Waiting", "detailStatus": ""});
                }
            }
            shown["properties"]["instanceView"] = view;
        }
    }
}

fn container_view(view: &mut Value, state: &ContainerState) {
    view["restartCount"] = json!(state.restart_count);
    if state.running {
        view["currentState"] = json!({"state": "Running", "detailStatus": ""});
        if let Some(at) = state.started_at {
            view["currentState"]["startTime"] = json!(timestamp(at));
        }
        if state.restart_count > 0 {
            view["previousState"] = ended(state);
        }
    } else {
        view["currentState"] = ended(state);
        if let Some(at) = state.started_at {
            view["currentState"]["startTime"] = json!(timestamp(at));
        }
    }
}

fn ended(state: &ContainerState) -> Value {
    let code = state.exit_code.unwrap_or_default();
    let detail = if code == 0 { "Completed" } else { "Error" };
    let mut ended = json!({"state": "Terminated", "exitCode": code, "detailStatus": detail});
    if let Some(at) = state.finished_at {
        ended["finishTime"] = json!(timestamp(at));
    }
    ended
}

/// The image of a container, for events.
pub(super) fn image(container: &Container) -> &str {
    container.properties.image.as_deref().unwrap_or_default()
}

/// Takes every `instanceView` out of a full resource.
pub(super) fn without_instance_views(resource: &mut Value) {
    let properties = &mut resource["properties"];
    if let Some(map) = properties.as_object_mut() {
        map.remove("instanceView");
    }
    for list in ["containers", "initContainers"] {
        for shown in properties[list].as_array_mut().into_iter().flatten() {
            if let Some(map) = shown["properties"].as_object_mut() {
                map.remove("instanceView");
            }
        }
    }
}
