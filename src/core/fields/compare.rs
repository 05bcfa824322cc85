//! Comparison of a wanted body with an observed one.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Number, Value};

use super::{Field, Shape, Spelling};
use crate::core::{Cost, names};

/// One field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Path in the body, such as `containers[my-api].image`.
    pub path: String,
    /// What changing it costs.
    pub cost: Cost,
    /// What is wanted; null where the field should not be there.
    pub want: Value,
    /// What is there; null where it is absent.
    pub have: Value,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.path, short(&self.have), short(&self.want))
    }
}

/// Longest value that is shown whole, in characters.
const SHORT: usize = 80;

fn short(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::Object(_) => "{…}".to_owned(),
        Value::Array(list) if list.iter().any(Value::is_object) => {
            format!("[{} items]", list.len())
        }
        other => {
            let text = other.to_string();
            match text.char_indices().nth(SHORT) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        }
    }
}

/// What of `want` is not so in `have`. A property that `want` does not state is no difference; a
/// list is stated whole, so a foreign element is one. Order, spelling, defaults that Azure fills in,
/// and 1 against 1.0 are none.
pub fn diff(field: &Field, want: &Value, have: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(field, want, have, &Path::Root, &mut changes);
    changes
}

fn compare(field: &Field, want: &Value, have: &Value, path: &Path<'_>, out: &mut Vec<Change>) {
    match (&field.shape, want, have) {
        (_, Value::Null, _) => {}
        // ARM shows that a secret volume is one (`"secret": {}`), but no secret text.
        _ if field.hidden => {
            if want.is_object() && have.is_null() {
                note(field, want, have, path, out);
            }
        }
        (Shape::Object(properties), Value::Object(want), Value::Object(have)) => {
            for (name, want) in want {
                let have = have.get(name).unwrap_or(&Value::Null);
                match properties.get(name) {
                    Some(field) => compare(field, want, have, &path.property(name), out),
                    None if want == have => {}
                    None => note(field, want, have, &path.property(name), out),
                }
            }
        }
        (Shape::Names, Value::Object(want), _) => {
            let empty = Map::new();
            compare_names(field, want, have.as_object().unwrap_or(&empty), path, out);
        }
        (Shape::List { key, item }, Value::Array(want), _) if !key.is_empty() => {
            let empty = Vec::new();
            compare_keyed(key, item, want, have.as_array().unwrap_or(&empty), path, out);
        }
        _ if same(field, want, have) => {}
        _ => note(field, want, have, path, out),
    }
}

/// A map is stated whole: a foreign name is a difference.
fn compare_names(
    field: &Field,
    want: &Map<String, Value>,
    have: &Map<String, Value>,
    path: &Path<'_>,
    out: &mut Vec<Change>,
) {
    let there = |map: &Map<String, Value>, name: &str| {
        let name = spelled(field.spelling, name);
        map.keys().any(|other| spelled(field.spelling, other) == name)
    };
    let nothing = Value::Object(Map::new());
    for name in want.keys().filter(|name| !there(have, name)) {
        note(field, &nothing, &Value::Null, &path.element(name), out);
    }
    for name in have.keys().filter(|name| !there(want, name)) {
        note(field, &Value::Null, &nothing, &path.element(name), out);
    }
}

fn compare_keyed(
    key: &[String],
    item: &Field,
    want: &[Value],
    have: &[Value],
    path: &Path<'_>,
    out: &mut Vec<Change>,
) {
    let mut foreign: BTreeMap<String, &Value> =
        have.iter().map(|element| (name_of(key, item, element), element)).collect();
    for element in want {
        let name = name_of(key, item, element);
        let have = foreign.remove(&name).unwrap_or(&Value::Null);
        let path = path.element(&name);
        match have {
            Value::Null => note(item, element, have, &path, out),
            have => compare(item, element, have, &path, out),
        }
    }
    for (name, element) in foreign {
        note(item, &Value::Null, element, &path.element(&name), out);
    }
}

/// Whatever names an element of a keyed list, defaults filled in.
fn name_of(key: &[String], item: &Field, element: &Value) -> String {
    let part = |name: &String| {
        let default = item.property(name).and_then(|field| field.default.as_ref());
        match element.get(name).filter(|v| !v.is_null()).or(default) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    };
    key.iter().map(part).collect::<Vec<_>>().join("/")
}

fn note(field: &Field, want: &Value, have: &Value, path: &Path<'_>, out: &mut Vec<Change>) {
    let path = path.to_string().trim_start_matches('.').to_owned();
    // A value below a field that is not shown may be secret: its presence is all that is told.
    let told = |value: &Value| match value {
        Value::Null => Value::Null,
        _ if field.hidden => Value::String("[elided]".to_owned()),
        other => canonical(field, other).unwrap_or(Value::Null),
    };
    out.push(Change { cost: dearest(field, want, have), want: told(want), have: told(have), path });
}

/// Adding or removing a whole part costs what its dearest field costs: a container that comes or
/// goes changes CPU and memory of the group.
fn dearest(field: &Field, want: &Value, have: &Value) -> Cost {
    let below = match (&field.shape, want, have) {
        (Shape::Object(properties), Value::Object(part), Value::Null)
        | (Shape::Object(properties), Value::Null, Value::Object(part)) => part
            .iter()
            .filter_map(|(name, value)| Some(dearest(properties.get(name)?, value, &Value::Null)))
            .max(),
        _ => None,
    };
    below.map_or(field.cost, |cost| cost.max(field.cost))
}

fn same(field: &Field, want: &Value, have: &Value) -> bool {
    // Nearly all is alike, and needs no spelling of its own to be seen so.
    want == have || canonical(field, want) == canonical(field, have)
}

/// Whether `value` states something that GET never shows: then nobody can see that it is as it should be.
pub fn states_hidden(field: &Field, value: &Value) -> bool {
    match (&field.shape, value) {
        (_, Value::Null) => false,
        _ if field.hidden => true,
        (Shape::Object(properties), Value::Object(map)) => map.iter().any(|(name, value)| {
            properties.get(name).is_some_and(|field| states_hidden(field, value))
        }),
        (Shape::List { item, .. }, Value::Array(list)) => {
            list.iter().any(|element| states_hidden(item, element))
        }
        _ => false,
    }
}

/// The one spelling of a value: keyed lists sorted, defaults left out, numbers alike, nulls and
/// empty parts dropped. `None` where nothing is left.
pub fn canonical(field: &Field, value: &Value) -> Option<Value> {
    let value = match (&field.shape, value) {
        (_, Value::Null) => return None,
        (Shape::Object(properties), Value::Object(map)) => {
            let keep = map.iter().filter_map(|(name, value)| {
                let kept = match properties.get(name) {
                    Some(field) => canonical(field, value)?,
                    None => value.clone(),
                };
                Some((name.clone(), kept))
            });
            Value::Object(keep.collect::<Map<_, _>>())
        }
        (Shape::Names, Value::Object(map)) if map.is_empty() => return None,
        (Shape::Names, Value::Object(map)) => {
            let names = map.keys().map(|name| spelled(field.spelling, name));
            Value::Object(names.map(|name| (name, Value::Object(Map::new()))).collect())
        }
        (Shape::List { key, item }, Value::Array(list)) => {
            let mut kept: Vec<_> = list.iter().filter_map(|e| canonical(item, e)).collect();
            if !key.is_empty() {
                kept.sort_by_cached_key(|element| name_of(key, item, element));
            }
            if kept.is_empty() {
                return None;
            }
            Value::Array(kept)
        }
        (_, Value::String(text)) => Value::String(spelled(field.spelling, text)),
        (_, Value::Number(number)) => float(number),
        (_, other) => other.clone(),
    };
    let default = field.default.as_ref().map(|default| match default {
        Value::Number(number) => float(number),
        other => other.clone(),
    });
    (default.as_ref() != Some(&value)).then_some(value)
}

fn spelled(spelling: Spelling, text: &str) -> String {
    match spelling {
        Spelling::Exact => text.to_owned(),
        Spelling::Region => names::region(text),
        Spelling::CaseInsensitive => text.to_lowercase(),
    }
}

/// 1 and 1.0 are one number.
fn float(number: &Number) -> Value {
    number.as_f64().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}

/// The way to a field. It is written out only where something differs.
enum Path<'a> {
    Root,
    Property(&'a Self, &'a str),
    Element(&'a Self, &'a str),
}

impl Path<'_> {
    fn property<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path::Property(self, name)
    }

    fn element<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path::Element(self, name)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Property(parent, name) => write!(f, "{parent}.{name}"),
            Self::Element(parent, name) => write!(f, "{parent}[{name}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields() -> Field {
        Field::from_schema(&json!({"properties": {
            "location": {"x-aci-cost": "Replace", "x-aci-spelling": "Region"},
            "scheme": {"x-aci-spelling": "CaseInsensitive", "x-aci-default": "http"},
            "cpu": {"x-aci-cost": "Replace"},
            "policy": {"x-aci-default": "Always", "x-aci-cost": "Replace"},
            "command": {"items": {}},
            "ports": {"x-aci-key": ["port", "protocol"], "items": {"properties": {
                "port": {}, "protocol": {"x-aci-default": "TCP"},
            }}},
            "containers": {"x-aci-key": ["name"], "items": {"properties": {
                "name": {}, "image": {}, "cpu": {"x-aci-cost": "Replace"},
                "key": {"x-aci-hidden": "key"},
            }}},
            "password": {"x-aci-hidden": "password"},
            "identities": {"x-aci-spelling": "CaseInsensitive", "additionalProperties": {}},
            "tls": {"x-aci-operator": true},
        }}))
    }

    /// The paths that differ, with what they cost.
    #[track_caller]
    fn check(want: &Value, have: &Value, expected: &[(&str, Cost)]) {
        let found = diff(&fields(), want, have);
        let found: Vec<_> = found.iter().map(|change| (&*change.path, change.cost)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_difference() {
        for (want, have) in [
            (json!({}), json!({"cpu": 3})),
            (json!({"cpu": null}), json!({"cpu": 3})),
            (json!({"cpu": 1}), json!({"cpu": 1.0})),
            (json!({"location": "West Europe"}), json!({"location": "westeurope"})),
            (json!({"scheme": "HTTP"}), json!({"scheme": "http"})),
            (json!({"scheme": "http"}), json!({})),
            (json!({"policy": "Always"}), json!({"policy": null})),
            (json!({"command": []}), json!({})),
            (json!({"ports": []}), json!({"ports": null})),
            (
                json!({"ports": [{"port": 2}, {"port": 1}]}),
                json!({"ports": [{"port": 1, "protocol": "TCP"}, {"port": 2, "protocol": "TCP"}]}),
            ),
            (json!({"password": "hunter2"}), json!({})),
            (json!({"identities": {"/RG/a": {}}}), json!({"identities": {"/rg/A": {"id": 7}}})),
            (json!({"identities": {}}), json!({})),
        ] {
            check(&want, &have, &[]);
        }
    }

    #[test]
    fn what_is_one_and_what_it_costs() {
        use Cost::{Replace, Restart};
        check(&json!({"cpu": 1}), &json!({"cpu": 2}), &[("cpu", Replace)]);
        check(&json!({"policy": "Never"}), &json!({}), &[("policy", Replace)]);
        check(
            &json!({"command": ["a", "b"]}),
            &json!({"command": ["b", "a"]}),
            &[("command", Restart)],
        );
        check(&json!({"ports": [{"port": 1}]}), &json!({}), &[("ports[1/TCP]", Restart)]);
        check(
            &json!({"ports": []}),
            &json!({"ports": [{"port": 1, "protocol": "UDP"}]}),
            &[("ports[1/UDP]", Restart)],
        );
        let containers = |image: &str| json!({"containers": [{"name": "a", "image": image}]});
        check(&containers("x"), &containers("y"), &[("containers[a].image", Restart)]);
        // A container that comes or goes changes the CPU of the group.
        let with_cpu = json!({"containers": [{"name": "a", "cpu": 1}]});
        check(&with_cpu, &json!({}), &[("containers[a]", Replace)]);
        check(&json!({"containers": []}), &with_cpu, &[("containers[a]", Replace)]);
        check(&json!({"future": 1}), &json!({"future": 2}), &[("future", Restart)]);
        check(
            &json!({"identities": {"a": {}, "b": {}}}),
            &json!({"identities": {"B": {}, "c": {}}}),
            &[("identities[a]", Restart), ("identities[c]", Restart)],
        );
        // That a secret is there is shown, its text is not.
        check(&json!({"password": {"file": "x"}}), &json!({}), &[("password", Restart)]);
    }

    #[test]
    fn a_difference_shows_no_secret() {
        let found = diff(&fields(), &json!({"password": {"file": "hunter2"}}), &json!({}));
        assert!(!format!("{found:?} {}", found[0]).contains("hunter2"));
    }

    #[test]
    fn what_nobody_can_see_is_known() {
        for (value, expected) in [
            (json!({"password": "x"}), true),
            (json!({"password": null}), false),
            (json!({"containers": [{"name": "a", "key": "x"}]}), true),
            (
                json!({"containers": [{"name": "a", "image": "x"}], "future": {"password": "x"}}),
                false,
            ),
        ] {
            assert_eq!(states_hidden(&fields(), &value), expected, "{value}");
        }
    }

    #[test]
    fn one_spelling_of_a_value() {
        let one =
            canonical(&fields(), &json!({"ports": [{"port": 2, "protocol": "TCP"}, {"port": 1}]}));
        let other =
            canonical(&fields(), &json!({"ports": [{"port": 1.0}, {"port": 2}], "scheme": "http"}));
        assert_eq!(one, other);
        let identities =
            |name: &str| canonical(&fields(), &json!({"identities": {name: {"x": 1}}}));
        assert_eq!(identities("/RG/a"), identities("/rg/A"));
        assert_ne!(identities("/rg/a"), identities("/rg/b"));
        assert_ne!(one, canonical(&fields(), &json!({"ports": [{"port": 3}]})));
    }
}
