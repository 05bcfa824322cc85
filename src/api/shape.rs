//! Whether a value has the shape that a schema asks for: all that is wrong, not only the first.
//!
//! No text of the value is repeated in a problem: it may be a secret in the wrong place.

use regex::Regex;
use serde_json::{Map, Value};

use super::hints;
use super::parse::child;
use crate::core::Invalid;

/// Everything in `value` that is not as `schema` says; paths begin with `path`.
pub(super) fn problems(schema: &Value, value: &Value, path: &str) -> Vec<Invalid> {
    let mut found = Vec::new();
    walk(schema, value, path, &mut found);
    found
}

fn walk(schema: &Value, value: &Value, path: &str, found: &mut Vec<Invalid>) {
    let (schema, nullable) = concrete(schema);
    if value.is_null() && nullable {
        return;
    }
    if let Some(choices) = choices(schema) {
        return choice(&choices, value, path, found);
    }
    let Some(expected) = schema["type"].as_str() else { return };
    match (expected, value) {
        ("object", Value::Object(map)) => object(schema, map, path, found),
        ("array", Value::Array(list)) => array(schema, list, path, found),
        ("string", Value::String(text)) => string(schema, text, path, found),
        ("number", Value::Number(_)) => range(schema, value, path, found),
        ("integer", Value::Number(number)) if number.is_i64() || number.is_u64() => {
            range(schema, value, path, found);
        }
        ("boolean", Value::Bool(_)) => {}
        _ => found.push(Invalid::new(path, mismatch(expected, value))),
    }
}

/// The schema of an optional field is the field's own beside null.
fn concrete(schema: &Value) -> (&Value, bool) {
    let Some(options) = schema["anyOf"].as_array() else {
        return (schema, schema["nullable"] == Value::Bool(true));
    };
    let is_null = |option: &&Value| option["enum"] == Value::Array(vec![Value::Null]);
    let own = options.iter().find(|option| !is_null(option));
    (own.unwrap_or(schema), options.iter().any(|option| is_null(&option)))
}

/// The words of an enumeration.
fn choices(schema: &Value) -> Option<Vec<&str>> {
    if let Some(list) = schema["enum"].as_array() {
        return Some(list.iter().filter_map(Value::as_str).collect());
    }
    let options = schema["oneOf"].as_array()?;
    let all = options.iter().filter_map(|option| option["enum"].as_array());
    Some(all.flatten().filter_map(Value::as_str).collect())
}

fn choice(choices: &[&str], value: &Value, path: &str, found: &mut Vec<Invalid>) {
    let problem = match value.as_str() {
        Some(text) if choices.contains(&text) => return,
        Some(text) => {
            let meant = hints::nearest(text, choices.iter().copied());
            format!("expected {}{}", choices.join(" or "), hints::did_you_mean(meant))
        }
        None => format!("expected {}, found {}", choices.join(" or "), kind(value)),
    };
    found.push(Invalid::new(path, problem));
}

fn object(schema: &Value, map: &Map<String, Value>, path: &str, found: &mut Vec<Invalid>) {
    if schema["maxProperties"].as_u64().is_some_and(|most| map.len() as u64 > most) {
        let text = format!("has {}; {} are allowed", map.len(), schema["maxProperties"]);
        found.push(Invalid::new(path, text));
    }
    if schema["additionalProperties"].is_object() {
        for (name, value) in map {
            walk(&schema["additionalProperties"], value, &child(path, name), found);
        }
        return;
    }
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    for (name, value) in map {
        match properties.get(name) {
            Some(schema) => walk(schema, value, &child(path, name), found),
            None => found.push(hints::unknown(path, name, properties.keys().map(String::as_str))),
        }
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !map.contains_key(name) {
            found.push(Invalid::new(path, format!("the field `{name}` is missing")));
        }
    }
}

fn array(schema: &Value, list: &[Value], path: &str, found: &mut Vec<Invalid>) {
    let count = list.len() as u64;
    if schema["minItems"].as_u64().is_some_and(|least| count < least) {
        found.push(Invalid::new(path, format!("needs at least {}", schema["minItems"])));
    }
    if schema["maxItems"].as_u64().is_some_and(|most| count > most) {
        found.push(Invalid::new(path, format!("has {count}; {} are allowed", schema["maxItems"])));
    }
    for (index, value) in list.iter().enumerate() {
        walk(&schema["items"], value, &format!("{path}[{index}]"), found);
    }
}

fn string(schema: &Value, text: &str, path: &str, found: &mut Vec<Invalid>) {
    let length = text.chars().count() as u64;
    let short = schema["minLength"].as_u64().is_some_and(|least| length < least);
    let long = schema["maxLength"].as_u64().is_some_and(|most| length > most);
    if short || long {
        let bound = |name: &str| schema[name].as_u64();
        let wanted = match (bound("minLength"), bound("maxLength")) {
            (Some(1), None) => "must not be empty".to_owned(),
            (Some(least), Some(most)) => format!("must have {least} to {most} characters"),
            (Some(least), None) => format!("must have at least {least} characters"),
            (None, most) => format!("may have {} characters", most.unwrap_or_default()),
        };
        found.push(Invalid::new(path, wanted));
    } else if let Some(pattern) = schema["pattern"].as_str()
        && Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text))
    {
        found.push(Invalid::new(path, hints::pattern(pattern)));
    }
}

fn range(schema: &Value, value: &Value, path: &str, found: &mut Vec<Invalid>) {
    let bound = |name: &str| schema[name].as_f64();
    let number = value.as_f64().unwrap_or(f64::NAN);
    let (least, most) = (bound("minimum"), bound("maximum"));
    if least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most) {
        return;
    }
    let wanted = match (least, most) {
        (Some(least), Some(most)) => format!("must be {least} to {most}"),
        (Some(least), None) => format!("must be at least {least}"),
        (None, most) => format!("must be at most {}", most.unwrap_or_default()),
    };
    found.push(Invalid::new(path, wanted));
}

fn mismatch(expected: &str, value: &Value) -> String {
    let wanted = match expected {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        _ => "true or false",
    };
    let remedy = match (expected, value) {
        (_, Value::Null) => "; give it one, or leave the field out",
        ("string", Value::Number(_) | Value::Bool(_)) => "; put it in quotes",
        ("integer" | "number" | "boolean", Value::String(_)) => "; write it without quotes",
        ("array", _) => "; begin each element with `- `",
        _ => "",
    };
    format!("expected {wanted}, found {}{remedy}", kind(value))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
