//! What of the installation is there.

use serde_json::Value;

use super::{Resource, Sort, TAG, Wanted, rights};

/// What is to be done about one resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// It is not there.
    Create,
    /// It is ours and differs, in these places.
    Change(Vec<String>),
    /// It is as wanted.
    Keep,
    /// A resource of that name is there, and somebody else's.
    Refuse,
}

/// What is to be done about a resource that ARM shows like this.
pub fn action(wanted: &Wanted, resource: &Resource, seen: Option<&Value>) -> Action {
    let Some(seen) = seen else { return Action::Create };
    match resource.sort {
        // One that is there is used as it is: its tags may be somebody's.
        Sort::ResourceGroup => return Action::Keep,
        Sort::Identity | Sort::Account | Sort::Group if !marked(wanted, resource.sort, seen) => {
            return Action::Refuse;
        }
        _ => {}
    }
    let mut places = Vec::new();
    differences(&stated(resource), seen, "", &mut places);
    if resource.sort == Sort::Group && seen["properties"]["provisioningState"] == "Failed" {
        places.push("properties.provisioningState".to_owned());
    }
    if places.is_empty() { Action::Keep } else { Action::Change(places) }
}

/// Whether a resource says that this installation made it.
pub fn marked(wanted: &Wanted, sort: Sort, seen: &Value) -> bool {
    match sort {
        Sort::Role | Sort::Assignment => {
            seen["properties"]["description"] == rights::note(wanted).as_str()
        }
        _ => {
            let tags = seen["tags"].as_object().into_iter().flatten();
            tags.into_iter().any(|(name, value)| {
                name.eq_ignore_ascii_case(TAG) && *value == wanted.installation()
            })
        }
    }
}

/// What is compared: a place cannot be changed, and an assignment as a whole cannot.
fn stated(resource: &Resource) -> Value {
    let mut body = resource.body.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("location");
        body.remove("kind");
        if resource.sort == Sort::Assignment {
            body.remove("properties");
        }
    }
    body
}

/// Where `seen` is other than `want` states. ARM adds what was not stated, and compares names of properties
/// and ids without case. What has a name is found by it: ARM keeps no order among variables.
fn differences(want: &Value, seen: &Value, place: &str, found: &mut Vec<String>) {
    match (want, seen) {
        (Value::Object(want), Value::Object(seen)) => {
            for (name, want) in want {
                let inner = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                let seen = seen.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
                let seen = seen.map_or(&Value::Null, |(_, value)| value);
                differences(want, seen, &inner, found);
            }
        }
        (Value::Array(want), Value::Array(seen))
            if want.len() == seen.len() && want.iter().all(|one| one["name"].is_string()) =>
        {
            for one in want {
                let inner = format!("{place}[{}]", one["name"].as_str().unwrap_or_default());
                let seen = seen.iter().find(|other| other["name"] == one["name"]);
                differences(one, seen.unwrap_or(&Value::Null), &inner, found);
            }
        }
        (Value::Array(want), Value::Array(seen)) if want.len() == seen.len() => {
            for (index, (want, seen)) in want.iter().zip(seen).enumerate() {
                differences(want, seen, &format!("{place}[{index}]"), found);
            }
        }
        (Value::Number(want), Value::Number(seen)) if want.as_f64() == seen.as_f64() => {}
        (Value::String(want), Value::String(seen))
            if want.starts_with('/') && want.eq_ignore_ascii_case(seen) => {}
        // An empty list may not be shown at all.
        (Value::Array(want), Value::Null) if want.is_empty() => {}
        (want, seen) if want == seen => {}
        _ => found.push(place.to_owned()),
    }
}
