//! `docs/manifests.md`: every field of every kind, read from the kinds' schemas.

use std::fmt::Write as _;

use aci_operator::api::container_group::{fields, schema};
use aci_operator::api::{AppRegistrationSpec, ContainerGroupSpec, IssuerSpec};
use aci_operator::core::fields::{Field, Shape};
use aci_operator::core::sidecar::DEFAULT_IMAGE;
use serde_json::Value;

const HEAD: &str = "\
# Manifests

<!-- Made from the schema by tests/it/generated.rs; do not edit. -->

One YAML file holds any number of documents, a directory any number of files below it. A document is an object of one of three kinds:

```yaml
apiVersion: aci-operator.io/v1alpha1
kind: ContainerGroup        # or Issuer, AppRegistration
metadata: {name: app-with-ssl}
spec: {…}
```

Unknown fields, wrong types and impossible values are refused with file, line, column and a remedy: `aci-operator validate -f PATH`.

- **Needed** fields are marked `*`. A default is what holds where the field is left out.
- **Cost** is what changing the field of a group that exists costs: `Tag` restarts nothing, `Restart` is an in-place update that restarts all
  containers, `Replace` deletes the group and makes it anew. A part that comes or goes costs what its dearest field costs.
  `spec.updatePolicy` says how far the operator goes without `aci-operator approve`. `–`: a setting of the operator itself.
- A value that Azure never shows again (`…From`) names a secret of the home: `aci-operator secret set NAME KEY`.
";

pub(super) fn page() -> String {
    let mut page = HEAD.to_owned();
    heading(
        &mut page,
        "ContainerGroup",
        "One ACI container group, with TLS in front of it where `spec.tls` is there.",
    );
    rows(&mut page, "spec", &schema::<ContainerGroupSpec>(), Some(fields()));
    let _ = write!(
        page,
        "\nThe sidecar's image is `{DEFAULT_IMAGE}` unless `spec.tls.sidecar.image` names another: nginx 1.27.4 or later, with a POSIX shell,\n\
         `base64`, `stty` and `mv -T`. Changing what is below `spec.tls.sidecar` or `spec.tls.upstream` changes the sidecar's container, at the cost of the\n\
         same field of `spec.containers[]`.\n"
    );
    heading(&mut page, "Issuer", "Who signs the certificates of container groups.");
    rows(&mut page, "spec", &schema::<IssuerSpec>(), None);
    heading(&mut page, "AppRegistration", "The Microsoft Entra applications of a protected API.");
    rows(&mut page, "spec", &schema::<AppRegistrationSpec>(), None);
    page
}

fn heading(page: &mut String, kind: &str, meaning: &str) {
    let _ = write!(page, "\n## {kind}\n\n{meaning}\n\n");
    page.push_str("| field | type | default | cost | meaning |\n|---|---|---|---|---|\n");
}

/// A row for each property of `schema`, those below a property after it. `known` is what the planner
/// knows of the same place; nothing where the field is the operator's own.
fn rows(page: &mut String, path: &str, schema: &Value, known: Option<&Field>) {
    let needed = schema["required"].as_array();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let own = property["x-aci-operator"] == true;
        let in_body = property["x-aci-hidden"].as_str().unwrap_or(name);
        let field = known.filter(|_| !own).and_then(|known| known.property(in_body));
        let needed = needed.is_some_and(|all| all.iter().any(|other| other == name));
        let path = format!("{path}.{name}");
        let mark = if needed { " *" } else { "" };
        let _ = writeln!(
            page,
            "| `{path}`{mark} | {} | {} | {} | {} |",
            cell(&kind(present(property))),
            cell(&default(property)),
            cost(name, field, known.is_some()),
            cell(&meaning(property)),
        );
        let (path, inner) = match property.get("items") {
            Some(items) => (format!("{path}[]"), items),
            None => (path, present(property)),
        };
        let inside = match field.map(|field| &field.shape) {
            Some(Shape::List { item, .. }) => Some(&**item),
            _ => field,
        };
        rows(page, &path, inner, inside);
    }
}

fn cost(name: &str, field: Option<&Field>, group: bool) -> String {
    match field {
        Some(field) => field.cost.to_string(),
        None if group && name == "tags" => "Tag".to_owned(),
        None => "–".to_owned(),
    }
}

fn kind(schema: &Value) -> String {
    if let Some(values) = values(schema) {
        return values.iter().map(|(value, _)| format!("`{value}`")).collect::<Vec<_>>().join(" ");
    }
    if let Some(items) = schema.get("items") {
        let of = match items["type"].as_str() {
            Some("object") | None => String::new(),
            Some(_) => format!(" of {}", kind(items)),
        };
        return format!("list{of}{}", range(schema, "minItems", "maxItems"));
    }
    if let Some(inner) = schema.get("additionalProperties").filter(|inner| inner.is_object()) {
        return match inner["type"].as_str() {
            Some("string") => "texts by name".to_owned(),
            _ if inner["properties"].is_null() => "`{}` by id".to_owned(),
            _ => "secrets by name".to_owned(),
        };
    }
    match schema["type"].as_str() {
        Some("string") => "text".to_owned(),
        Some("integer") => format!("whole number{}", range(schema, "minimum", "maximum")),
        Some("number") => format!("number{}", range(schema, "minimum", "maximum")),
        Some("boolean") => "`true` `false`".to_owned(),
        Some("object") => String::new(),
        other => panic!("no words for the type {other:?} of {schema}"),
    }
}

/// The values of an enumeration, each with its meaning where it has one.
fn values(schema: &Value) -> Option<Vec<(&str, Option<&str>)>> {
    if let Some(all) = schema["enum"].as_array() {
        return Some(all.iter().filter_map(|value| Some((value.as_str()?, None))).collect());
    }
    let value = |variant: &'_ Value| variant["enum"].get(0).and_then(Value::as_str).is_some();
    let variants = schema["oneOf"].as_array()?;
    assert!(variants.iter().all(value), "no words for {schema}");
    let told = |variant| {
        let variant: &Value = variant;
        Some((variant["enum"][0].as_str()?, variant["description"].as_str()))
    };
    Some(variants.iter().filter_map(told).collect())
}

/// The schema of a value that is there: one that may be left out is `anyOf` it and null.
fn present(schema: &Value) -> &Value {
    schema["anyOf"].get(0).unwrap_or(schema)
}

fn range(schema: &Value, least: &str, most: &str) -> String {
    let bound = |name: &str| schema[name].as_f64();
    match (bound(least), bound(most)) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", at least {least}"),
        (None, Some(most)) => format!(", at most {most}"),
        (None, None) => String::new(),
    }
}

fn default(schema: &Value) -> String {
    match schema.get("default").or_else(|| schema.get("x-aci-default")) {
        None | Some(Value::Null | Value::Object(_)) => String::new(),
        Some(Value::Array(list)) if list.is_empty() => String::new(),
        Some(Value::String(text)) if text.is_empty() => "empty".to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(other) => format!("`{other}`"),
    }
}

fn meaning(property: &Value) -> String {
    let mut text = property["description"].as_str().unwrap_or_default().to_owned();
    for (value, meaning) in values(present(property)).into_iter().flatten() {
        if let Some(meaning) = meaning.filter(|meaning| *meaning != format!("{value}.")) {
            let _ = write!(text, " `{value}`: {meaning}");
        }
    }
    text
}

/// A text that fits into a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
