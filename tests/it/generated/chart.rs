//! `charts/aci-operator/README.md`: every value, from the comments of `values.yaml` and the types of
//! `values.schema.json`.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/aci-operator");

const HEAD: &str = "\
# aci-operator: the Helm chart

<!-- Made from values.yaml by tests/it/generated.rs; do not edit. -->

The operator in a cluster: [docs/kubernetes.md](../../docs/kubernetes.md) says how to install it, what it may do and what a first object looks like.

```sh
helm install aci-operator charts/aci-operator --namespace aci-operator --create-namespace \\
  --set image.repository=REGISTRY/aci-operator
```

| value | type | default | meaning |
|---|---|---|---|
";

/// A value with its comment.
struct Told {
    path: Vec<String>,
    meaning: String,
}

pub(super) fn readme() -> String {
    let (values, schema) = (values(), schema());
    let mut page = HEAD.to_owned();
    for Told { path, meaning } in told() {
        let pointer = format!("/{}", path.join("/"));
        let default = values.pointer(&pointer).unwrap_or_else(|| panic!("no value {pointer}"));
        let kind = kind(at(&schema, &path));
        let _ = writeln!(page, "| `{}` | {kind} | `{default}` | {meaning} |", path.join("."));
    }
    page
}

/// Values without a comment, or unknown to the schema, and what the schema has that no value shows.
pub(super) fn faults() -> Vec<String> {
    let (values, schema, told) = (values(), schema(), told());
    let mut faults = Vec::new();
    walk(&values, &schema, &mut Vec::new(), &told, &mut faults);
    faults
}

fn walk(
    value: &Value,
    schema: &Value,
    path: &mut Vec<String>,
    told: &[Told],
    faults: &mut Vec<String>,
) {
    if told.iter().any(|told| told.path == *path) {
        return;
    }
    let (Some(map), Some(properties)) = (value.as_object(), schema["properties"].as_object())
    else {
        return faults.push(format!("{} has no comment that begins with `# --`", path.join(".")));
    };
    // `global` is Helm's own.
    for name in properties.keys().filter(|name| !map.contains_key(*name) && *name != "global") {
        faults.push(format!("{} is in the schema alone: {name}", path.join(".")));
    }
    for (name, value) in map {
        path.push(name.clone());
        match properties.get(name) {
            Some(schema) => walk(value, schema, path, told, faults),
            None => faults.push(format!("{} is not in the schema", path.join("."))),
        }
        path.pop();
    }
}

fn told() -> Vec<Told> {
    let text = fs::read_to_string(format!("{FOLDER}/values.yaml")).unwrap();
    let (mut told, mut path, mut meaning) = (Vec::new(), Vec::<String>::new(), None::<String>);
    for line in text.lines() {
        let trimmed = line.trim_start();
        if let Some(first) = trimmed.strip_prefix("# -- ") {
            meaning = Some(first.to_owned());
        } else if let (Some(more), Some(meaning)) = (trimmed.strip_prefix("# "), &mut meaning) {
            let _ = write!(meaning, " {more}");
        } else if let Some((key, _)) = trimmed.split_once(':')
            && !trimmed.starts_with('-')
        {
            path.truncate((line.len() - trimmed.len()) / 2);
            path.push(key.to_owned());
            if let Some(meaning) = meaning.take() {
                told.push(Told { path: path.clone(), meaning });
            }
        }
    }
    told
}

fn values() -> Value {
    serde_saphyr::from_str(&fs::read_to_string(format!("{FOLDER}/values.yaml")).unwrap()).unwrap()
}

fn schema() -> Value {
    let text = fs::read_to_string(format!("{FOLDER}/values.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn at<'a>(schema: &'a Value, path: &[String]) -> &'a Value {
    path.iter().fold(schema, |schema, name| &schema["properties"][name])
}

fn kind(schema: &Value) -> String {
    match (schema["type"].as_str(), schema["enum"].as_array()) {
        (_, Some(words)) => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ")
        }
        (Some("array"), _) => format!("list of {}", schema["items"]["type"].as_str().unwrap()),
        (Some(kind), _) => kind.to_owned(),
        (None, None) => panic!("no type: {schema}"),
    }
}
