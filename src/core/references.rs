//! Edges between published fields: what waits for what.
//!
//! Objects may name each other; only a field that waits for itself never comes. Identifiers of an app
//! registration wait for nothing, its origins for those of the container group that it follows, and a
//! group's origins for every field that its containers take.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// `object.field`, such as `AppRegistration/mon-api.origins`.
pub type Field = String;

/// Which fields each field waits for.
pub type Edges = BTreeMap<Field, Vec<Field>>;

/// The one field that waits for another object's.
const ORIGINS: &str = "origins";

fn field(kind: &str, name: &str, field: &str) -> Field {
    format!("{kind}/{name}.{field}")
}

/// The origins of a container group.
pub fn origins_of_group(name: &str) -> Field {
    field("ContainerGroup", name, ORIGINS)
}

/// Adds what the manifest of an object says, `spec` being its spec as JSON.
pub fn add(edges: &mut Edges, kind: &str, name: &str, spec: &Value) {
    let mut taken = Vec::new();
    match kind {
        "AppRegistration" => {
            let followed = spec["containerGroupRef"]["name"].as_str();
            taken.extend(followed.map(origins_of_group));
        }
        "ContainerGroup" => published(spec, &mut taken),
        _ => return,
    }
    edges.insert(field(kind, name, ORIGINS), taken);
}

/// The fields in `{appRegistration: {name, field}}`, at any depth.
fn published(tree: &Value, found: &mut Vec<Field>) {
    let source = &tree["appRegistration"];
    if let (Some(name), Some(of)) = (source["name"].as_str(), source["field"].as_str()) {
        found.push(field("AppRegistration", name, of));
    }
    match tree {
        Value::Object(map) => map.values().for_each(|value| published(value, found)),
        Value::Array(list) => list.iter().for_each(|value| published(value, found)),
        _ => {}
    }
}

/// A secret value that is named in place of a text: `{secret: {name, key}}` and nothing beside it; its
/// name and key.
pub fn secret(value: &Value) -> Option<(&str, &str)> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    let reference = map.get("secret")?.as_object().filter(|inner| inner.len() == 2)?;
    Some((reference.get("name")?.as_str()?, reference.get("key")?.as_str()?))
}

/// Names of all secrets in a spec, or a part of one: of values, of a provided chain (`secretRef`), of an
/// identity (`identityRef`).
pub fn secrets(tree: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect_secrets(tree, &mut names);
    names
}

fn collect_secrets(tree: &Value, names: &mut BTreeSet<String>) {
    if let Some((name, _)) = secret(tree) {
        names.insert(name.to_owned());
        return;
    }
    for field in ["secretRef", "identityRef"] {
        names.extend(tree[field]["name"].as_str().map(str::to_owned));
    }
    match tree {
        Value::Object(map) => map.values().for_each(|value| collect_secrets(value, names)),
        Value::Array(list) => list.iter().for_each(|value| collect_secrets(value, names)),
        _ => {}
    }
}

/// The way from `start` back to itself; `None` where there is none.
pub fn cycle(edges: &Edges, start: &str) -> Option<Vec<Field>> {
    let mut way = vec![start.to_owned()];
    let mut seen = Vec::new();
    walk(edges, start, &mut way, &mut seen).then_some(way)
}

fn walk(edges: &Edges, start: &str, way: &mut Vec<Field>, seen: &mut Vec<Field>) -> bool {
    let Some(next) = way.last().and_then(|last| edges.get(last)) else { return false };
    for field in next {
        if field == start {
            way.push(field.clone());
            return true;
        }
        if seen.contains(field) {
            continue;
        }
        seen.push(field.clone());
        way.push(field.clone());
        if walk(edges, start, way, seen) {
            return true;
        }
        way.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn group(edges: &mut Edges, name: &str, takes: &[(&str, &str)]) {
        let variable = |(name, field): &(&str, &str)| json!({"valueFrom": {"appRegistration": {"name": name, "field": field}}});
        let variables: Vec<_> = takes.iter().map(variable).collect();
        let spec = json!({"containers": [{"environmentVariables": variables}]});
        add(edges, "ContainerGroup", name, &spec);
    }

    fn registration(edges: &mut Edges, name: &str, follows: &str) {
        add(edges, "AppRegistration", name, &json!({"containerGroupRef": {"name": follows}}));
    }

    #[test]
    fn identifiers_make_no_cycle_and_origins_do() {
        let mut edges = Edges::new();
        registration(&mut edges, "r", "g");
        group(&mut edges, "g", &[("r", "appId"), ("r", "scope")]);
        assert_eq!(cycle(&edges, &origins_of_group("g")), None);
        group(&mut edges, "g", &[("r", "appId"), ("r", "origins")]);
        let way = cycle(&edges, &origins_of_group("g")).unwrap();
        assert_eq!(
            way.join(" "),
            "ContainerGroup/g.origins AppRegistration/r.origins ContainerGroup/g.origins"
        );
    }

    #[test]
    fn a_long_way_round_is_found_and_another_group_is_none() {
        let mut edges = Edges::new();
        registration(&mut edges, "a", "one");
        registration(&mut edges, "b", "two");
        group(&mut edges, "one", &[("b", "origins")]);
        group(&mut edges, "two", &[]);
        assert_eq!(cycle(&edges, &origins_of_group("one")), None);
        group(&mut edges, "two", &[("x", "origins"), ("a", "origins")]);
        assert_eq!(cycle(&edges, &origins_of_group("one")).unwrap().len(), 5);
        // Somebody else's cycle is not this one's.
        group(&mut edges, "three", &[("a", "origins")]);
        assert_eq!(cycle(&edges, &origins_of_group("three")), None);
    }
}
