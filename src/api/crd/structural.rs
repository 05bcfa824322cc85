//! A schema as an API server wants it: structural, with the keys of lists, without what it does not
//! know.
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>

use serde_json::{Map, Value, json};

/// Formats that an API server knows; it warns of others at each `apply`.
const FORMATS: [&str; 5] = ["date-time", "double", "float", "int32", "int64"];

/// A spec: `schema` is the definition's, `source` the same with the extensions of
/// [`crate::core::fields`].
pub(super) fn spec(schema: &mut Value, source: &Value) {
    let source = present(source);
    plain(schema);
    tell_variants(schema, source);
    if let Some(keys) = source["x-aci-key"].as_array() {
        keyed(schema, keys, source);
    }
    let Some(map) = schema.as_object_mut() else { return };
    for (name, property) in properties(map) {
        spec(property, &source["properties"][name]);
    }
    for name in ["items", "additionalProperties"] {
        if let Some(inner) = map.get_mut(name).filter(|inner| inner.is_object()) {
            spec(inner, &source[name]);
            without_defaults(inner);
        }
    }
}

/// Clients that compare a manifest with the object that is stored take an element of a list as a
/// whole: a default that the API server wrote into it would be a difference each time.
fn without_defaults(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    map.remove("default");
    for (_, property) in properties(map) {
        without_defaults(property);
    }
}

fn properties(map: &mut Map<String, Value>) -> impl Iterator<Item = (&String, &mut Value)> {
    map.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten()
}

/// A status. It is written by the operator alone, so that neither words nor needed fields are held
/// there: a definition that is older or newer than the operator must not refuse its status.
pub(super) fn status(schema: &mut Value) {
    lenient(schema);
    schema["description"] = json!("What the operator knows of the object; nobody else writes it.");
    let Some(properties) = schema["properties"].as_object_mut() else { return };
    if let Some(conditions) = properties.get_mut("conditions") {
        conditions["x-kubernetes-list-type"] = json!("map");
        conditions["x-kubernetes-list-map-keys"] = json!(["type"]);
        conditions["items"]["required"] = json!(["type", "status"]);
    }
    properties.insert("claim".to_owned(), claim());
    properties.insert("memory".to_owned(), memory());
}

/// How far the operator has taken possession of the thing in Azure.
fn claim() -> Value {
    json!({
        "description": "How far the operator owns the thing in Azure.",
        "type": "object",
        "properties": {
            "phase": {
                "description": "`Seen`, `Claimed` (before the first write) or `Made` (its mark was seen in Azure).",
                "type": "string",
            },
            "pinned": {
                "description": "What the first claim fixed that the spec leaves open, such as `subscriptionId`.",
                "type": "object",
                "maxProperties": 16,
                "additionalProperties": {"type": "string", "maxLength": 1024},
            },
            "uid": {
                "description": "The object's uid in the home that it was brought from; the mark in Azure names it.",
                "type": "string",
            },
        },
    })
}

/// What the last pass left for the next. A text, so that the API server keeps no track of who wrote which
/// field of it.
fn memory() -> Value {
    json!({
        "description": "What the operator remembers between two passes, as JSON: attempts, waits, drawn times. Losing it costs a wait.",
        "type": "string",
    })
}

fn lenient(schema: &mut Value) {
    plain(schema);
    let Some(map) = schema.as_object_mut() else { return };
    for name in ["enum", "required", "default"] {
        map.remove(name);
    }
    for (_, property) in properties(map) {
        lenient(property);
    }
    for name in ["items", "additionalProperties"] {
        if let Some(inner) = map.get_mut(name).filter(|inner| inner.is_object()) {
            lenient(inner);
        }
    }
}

/// What holds for every schema. A null counts as a field that is left out: the API server drops it,
/// unless the field is `nullable`.
fn plain(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    map.remove("nullable");
    if map.get("format").and_then(Value::as_str).is_some_and(|format| !FORMATS.contains(&format)) {
        map.remove("format");
    }
    // JSON has one kind of number, and 65535.0 is a strange port.
    for name in ["minimum", "maximum"] {
        if let Some(whole) = map.get(name).and_then(Value::as_f64).and_then(whole) {
            map.insert(name.to_owned(), Value::from(whole));
        }
    }
    one_line(map);
}

fn whole(number: f64) -> Option<i64> {
    // Bounds of the schema are small; a larger one stays as it is.
    #[expect(clippy::cast_possible_truncation, reason = "in the range, and compared")]
    (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
}

/// `kubectl explain` fills lines itself.
fn one_line(map: &mut Map<String, Value>) {
    if let Some(text) = map.get("description").and_then(Value::as_str) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        map.insert("description".to_owned(), Value::from(text));
    }
}

/// The meaning of each word of an enumeration; the definition's schema has lost it.
fn tell_variants(schema: &mut Value, source: &Value) {
    let mut text = schema["description"].as_str().unwrap_or_default().to_owned();
    for variant in source["oneOf"].as_array().into_iter().flatten() {
        let word = variant["enum"][0].as_str();
        if let (Some(word), Some(meaning)) = (word, variant["description"].as_str())
            && meaning.trim_end_matches('.') != word
        {
            let meaning = meaning.split_whitespace().collect::<Vec<_>>().join(" ");
            text = format!("{text} `{word}`: {meaning}");
        }
    }
    if !text.is_empty() {
        schema["description"] = Value::from(text.trim_start());
    }
}

/// A list whose elements have a key is merged by it, and no key may be there twice: for an API server
/// one that is always given.
fn keyed(schema: &mut Value, keys: &[Value], source: &Value) {
    let needed = source["items"]["required"].as_array();
    if keys.iter().all(|key| needed.is_some_and(|names| names.contains(key))) {
        schema["x-kubernetes-list-type"] = json!("map");
        schema["x-kubernetes-list-map-keys"] = Value::from(keys);
    }
}

/// The schema of a value that is there: one that may be left out is `anyOf` it and null.
fn present(schema: &Value) -> &Value {
    schema["anyOf"].get(0).unwrap_or(schema)
}
