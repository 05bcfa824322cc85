//! The kinds as Kubernetes' `CustomResourceDefinition`s.
//!
//! Shape, bounds, descriptions and columns come from the Rust types. What is added here is what an
//! API server asks of a schema beyond that: structure, the keys of lists, and the rules across
//! fields in CEL (`rules`), so that `kubectl apply` refuses at once what the operator would refuse
//! later. [`super::check`] stays the judge: a rule here refuses nothing that it lets through.
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>

use kube::CustomResourceExt;
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::container_group::schema;
use super::{
    AppRegistration, AppRegistrationSpec, ContainerGroup, ContainerGroupSpec, Issuer, IssuerSpec,
};
use rules::Rule;

mod rules;
mod structural;

/// The definitions of all kinds, as JSON.
///
/// # Errors
/// A definition that serde cannot write: none of this release.
pub fn all() -> serde_json::Result<Vec<Value>> {
    Ok(vec![
        definition::<AppRegistration, AppRegistrationSpec>(rules::APP_REGISTRATION)?,
        definition::<ContainerGroup, ContainerGroupSpec>(rules::CONTAINER_GROUP)?,
        definition::<Issuer, IssuerSpec>(rules::ISSUER)?,
    ])
}

fn definition<K: CustomResourceExt, S: JsonSchema>(rules: &[Rule]) -> serde_json::Result<Value> {
    let mut definition = serde_json::to_value(K::crd())?;
    let root = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    structural::spec(&mut root["properties"]["spec"], &schema::<S>());
    structural::status(&mut root["properties"]["status"]);
    for rule in rules.iter().chain(rules::EVERY_KIND) {
        if let Some(place) = find(root, rule.at) {
            add(place, rule);
        }
    }
    Ok(definition)
}

/// The schema at a path such as `spec.containers[].ports[]`; nothing where there is none.
fn find<'a>(root: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let mut at = root;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        let (name, is_element) = match name.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (name, false),
        };
        at = at.get_mut("properties")?.get_mut(name)?;
        if is_element {
            at = at.get_mut("items")?;
        }
    }
    Some(at)
}

fn add(schema: &mut Value, rule: &Rule) {
    let mut entry = json!({"rule": rule.holds, "message": rule.message});
    if !rule.field.is_empty() {
        entry["fieldPath"] = Value::from(rule.field);
    }
    match schema["x-kubernetes-validations"].as_array_mut() {
        Some(entries) => entries.push(entry),
        None => schema["x-kubernetes-validations"] = Value::from(vec![entry]),
    }
}

#[cfg(test)]
mod tests;
