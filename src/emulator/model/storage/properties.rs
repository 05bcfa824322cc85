//! What an account's body may say.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::super::Error;
use super::super::event::timestamp;

const SKUS: [&str; 8] = [
    "Standard_LRS",
    "Standard_GRS",
    "Standard_RAGRS",
    "Standard_ZRS",
    "Standard_GZRS",
    "Standard_RAGZRS",
    "Premium_LRS",
    "Premium_ZRS",
];
const KINDS: [&str; 3] = ["StorageV2", "BlobStorage", "BlockBlobStorage"];

/// Properties that are kept as they are given, each with what it may be.
const KNOWN: [(&str, Shape); 11] = [
    ("accessTier", Shape::OneOf(&["Hot", "Cool", "Cold", "Premium"])),
    ("allowBlobPublicAccess", Shape::Flag),
    ("allowCrossTenantReplication", Shape::Flag),
    ("allowSharedKeyAccess", Shape::Flag),
    ("defaultToOAuthAuthentication", Shape::Flag),
    ("isHnsEnabled", Shape::Flag),
    ("minimumTlsVersion", Shape::OneOf(&["TLS1_0", "TLS1_1", "TLS1_2", "TLS1_3"])),
    ("networkAcls", Shape::Object),
    ("publicNetworkAccess", Shape::OneOf(&["Enabled", "Disabled", "SecuredByPerimeter"])),
    ("supportsHttpsTrafficOnly", Shape::Flag),
    ("encryption", Shape::Object),
];

enum Shape {
    Flag,
    OneOf(&'static [&'static str]),
    Object,
}

impl Shape {
    fn fits(&self, value: &Value) -> bool {
        match self {
            Self::Flag => value.is_boolean(),
            Self::OneOf(names) => value.as_str().is_some_and(|name| names.contains(&name)),
            Self::Object => value.is_object(),
        }
    }
}

/// The name of the SKU.
pub(super) fn sku(body: &Value) -> Result<String, Error> {
    let given = body["sku"]["name"].as_str().unwrap_or_default();
    let known = SKUS.iter().find(|sku| sku.eq_ignore_ascii_case(given));
    known.map(|sku| (*sku).to_owned()).ok_or_else(|| invalid("sku.name", &body["sku"]["name"]))
}

pub(super) fn sku_view(name: &str) -> Value {
    let tier = name.split('_').next().unwrap_or_default();
    json!({"name": name, "tier": tier})
}

/// The kind of the account; those that serve block blobs.
pub(super) fn kind(body: &Value) -> Result<String, Error> {
    let given = body["kind"].as_str().unwrap_or_default();
    let known = KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(given));
    known.map(|kind| (*kind).to_owned()).ok_or_else(|| invalid("kind", &body["kind"]))
}

/// `before` with what of the body's properties is known; the rest is ignored, as ARM ignores it.
pub(super) fn known(body: &Value, before: Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let mut properties = before;
    for (name, shape) in &KNOWN {
        let given = &body["properties"][*name];
        if given.is_null() {
            continue;
        }
        if !shape.fits(given) {
            return Err(invalid(name, given));
        }
        properties.insert((*name).to_owned(), given.clone());
    }
    Ok(properties)
}

/// The properties as they are shown: with what Azure assumes of those that nobody gave.
/// `allowSharedKeyAccess` has no default: absent, it counts as true.
pub(super) fn with_defaults(
    given: &Map<String, Value>,
    created: DateTime<Utc>,
) -> Map<String, Value> {
    let service =
        json!({"keyType": "Account", "enabled": true, "lastEnabledTime": timestamp(created)});
    let defaults = json!({
        "accessTier": "Hot",
        "allowBlobPublicAccess": false,
        "allowCrossTenantReplication": false,
        "minimumTlsVersion": "TLS1_0",
        "publicNetworkAccess": "Enabled",
        "supportsHttpsTrafficOnly": true,
        "networkAcls": {
            "bypass": "AzureServices",
            "defaultAction": "Allow",
            "ipRules": [],
            "virtualNetworkRules": [],
        },
        "encryption": {
            "keySource": "Microsoft.Storage",
            "services": {"blob": service, "file": service},
        },
    });
    let mut all = defaults.as_object().cloned().unwrap_or_default();
    for (name, value) in given {
        match (all.get_mut(name), value) {
            (Some(Value::Object(all)), Value::Object(value)) => all.extend(value.clone()),
            _ => drop(all.insert(name.clone(), value.clone())),
        }
    }
    all
}

fn invalid(name: &str, value: &Value) -> Error {
    let message = format!("Values for request parameters are invalid: {name} = {value}.");
    Error::bad("InvalidValuesForRequestParameters", message)
}
