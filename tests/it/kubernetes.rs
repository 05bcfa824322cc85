//! The kinds in a real API server: `kubectl apply` refuses what the operator would refuse, in the same
//! words, and lets through what it would take.

use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::Value;

mod chart;
mod clients;
mod columns;
mod immutable;
mod refusals;
mod release;
#[path = "../shared/kubernetes.rs"]
pub(super) mod server;

/// Objects of the kind of `manifest`.
fn api(client: &Client, manifest: &Value) -> Api<DynamicObject> {
    let kind = manifest["kind"].as_str().unwrap();
    let resource =
        ApiResource::from_gvk(&GroupVersionKind::gvk("aci-operator.io", "v1alpha1", kind));
    Api::default_namespaced_with(client.clone(), &resource)
}

fn object(manifest: &Value) -> DynamicObject {
    serde_json::from_value(manifest.clone()).unwrap()
}

/// What the server says of an object that it is asked to take, without taking it.
async fn tried(client: &Client, manifest: &Value) -> Result<(), String> {
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    match api(client, manifest).create(&dry, &object(manifest)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(other) => panic!("no answer: {other}"),
    }
}

/// `manifest` with the value at a JSON pointer; a null takes it away, a last `-` stands for one more.
fn edited(manifest: &Value, edits: &[(&str, Value)]) -> Value {
    let mut result = manifest.clone();
    for (pointer, value) in edits {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match result.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")) {
            Value::Object(map) if value.is_null() => {
                map.remove(name).unwrap();
            }
            Value::Object(map) => {
                map.insert(name.to_owned(), value.clone());
            }
            Value::Array(list) if name == "-" => list.push(value.clone()),
            Value::Array(list) => list[name.parse::<usize>().unwrap()] = value.clone(),
            other => panic!("{other} has no {name}"),
        }
    }
    result
}
