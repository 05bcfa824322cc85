//! JSON bodies: read strictly, merged as PATCH merges.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::Error;

/// The object of a body, without OData's annotations.
pub(super) fn object(body: Option<&Value>) -> Result<Map<String, Value>, Error> {
    match body {
        Some(Value::Object(object)) => Ok(plain(object.clone())),
        _ => Err(Error::new(400, "BadRequest", "Empty Payload. JSON content expected.")),
    }
}

/// What `properties` become under `change`: objects are merged, all else is replaced, and null is a
/// property's default (OData 4.01, part 1, section 11.4.3).
pub(super) fn merge<T: Serialize + DeserializeOwned>(
    properties: &T,
    change: Map<String, Value>,
) -> Result<T, Error> {
    let mut merged = serde_json::to_value(properties).map_err(|error| invalid(&error))?;
    for (name, value) in change {
        // The type's own fields are all there, null or not.
        if merged.get(&name).is_none() {
            return Err(Error::bad(format!("Invalid property '{name}'.")));
        }
        patch(&mut merged, name, value);
    }
    prune(&mut merged);
    serde_json::from_value(merged).map_err(|error| invalid(&error))
}

fn patch(target: &mut Value, name: String, value: Value) {
    match value {
        Value::Object(inner) if target[&name].is_object() => {
            for (key, value) in inner {
                patch(&mut target[&name], key, value);
            }
        }
        other => target[name] = other,
    }
}

/// Leaves out nulls, so that defaults apply.
fn prune(value: &mut Value) {
    if let Value::Object(object) = value {
        object.retain(|_, value| !value.is_null());
        object.values_mut().for_each(prune);
    }
}

/// microsoftgraph/microsoft-graph-docs-contrib #2406: what Graph says of a property that a nested
/// object does not have. The reason goes with it: Graph keeps it to itself.
fn invalid(error: &serde_json::Error) -> Error {
    Error::bad(format!("Unexpected contents in request body. ({error})"))
}

fn plain(object: Map<String, Value>) -> Map<String, Value> {
    let kept = object.into_iter().filter(|(name, _)| !name.contains("@odata."));
    kept.map(|(name, value)| (name, strip(value))).collect()
}

fn strip(value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(plain(object)),
        Value::Array(list) => Value::Array(list.into_iter().map(strip).collect()),
        other => other,
    }
}
