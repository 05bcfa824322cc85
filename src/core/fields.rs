//! What the planner knows of each field of ACI's vocabulary, and the comparison that follows from
//! it.
//!
//! The knowledge is read once from the schema of the manifest kind: beside its type and bounds a
//! field may carry
//!
//! | extension | meaning |
//! |---|---|
//! | `x-aci-cost` | what a change costs, for it and all below; `Restart` where absent |
//! | `x-aci-default` | what Azure, or the operator, fills in where it is absent |
//! | `x-aci-key` | properties by which the elements of a list are told apart; order is then free |
//! | `x-aci-spelling` | `Region` or `CaseInsensitive`: which spellings mean the same; of a map, those of its names |
//! | `x-aci-hidden` | GET never shows the value; its name in the resolved body |
//! | `x-aci-operator` | the operator's own, not part of the body |

use std::collections::BTreeMap;

use serde_json::Value;

use super::Cost;

mod compare;

pub use compare::{Change, canonical, diff, states_hidden};

/// One field, with all below it.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// What a change costs.
    pub cost: Cost,
    /// What Azure fills in where it is absent.
    pub default: Option<Value>,
    /// Which spellings mean the same.
    pub spelling: Spelling,
    /// GET never shows its value.
    pub hidden: bool,
    /// What it is made of.
    pub shape: Shape,
}

/// What a field is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A scalar, or something that is compared as a whole.
    Leaf,
    /// Properties by name.
    Object(BTreeMap<String, Field>),
    /// A map whose names are all that counts: Azure fills in what stands below them.
    Names,
    /// Elements; with a key they are told apart by it and their order is free.
    List {
        /// Properties of an element that name it.
        key: Vec<String>,
        /// The element.
        item: Box<Field>,
    },
}

/// Which spellings of a text mean the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spelling {
    /// Only the same one.
    Exact,
    /// `West Europe` and `westeurope`.
    Region,
    /// Any case.
    CaseInsensitive,
}

impl Field {
    /// Reads a JSON schema whose parts are written in place.
    pub fn from_schema(schema: &Value) -> Self {
        read(schema, Cost::Restart)
    }

    /// What is known of the property `name`; an unknown one is compared as a whole.
    pub fn property(&self, name: &str) -> Option<&Self> {
        match &self.shape {
            Shape::Object(properties) => properties.get(name),
            Shape::Leaf | Shape::Names | Shape::List { .. } => None,
        }
    }
}

fn read(schema: &Value, inherited: Cost) -> Field {
    let cost = match schema["x-aci-cost"].as_str() {
        Some("Tag") => Cost::Tag,
        Some("Hot") => Cost::Hot,
        Some("Replace") => Cost::Replace,
        _ => inherited,
    };
    Field {
        cost,
        default: schema.get("x-aci-default").cloned(),
        spelling: match schema["x-aci-spelling"].as_str() {
            Some("Region") => Spelling::Region,
            Some("CaseInsensitive") => Spelling::CaseInsensitive,
            _ => Spelling::Exact,
        },
        hidden: schema.get("x-aci-hidden").is_some(),
        shape: shape(schema, cost),
    }
}

fn shape(schema: &Value, cost: Cost) -> Shape {
    if let Some(properties) = schema["properties"].as_object() {
        let body = properties.iter().filter(|(_, s)| s["x-aci-operator"] != Value::Bool(true));
        // A hidden field has another name in the resolved body than in the manifest.
        let named = body.map(|(name, schema)| {
            let name = schema["x-aci-hidden"].as_str().unwrap_or(name);
            (name.to_owned(), read(schema, cost))
        });
        return Shape::Object(named.collect());
    }
    if schema["additionalProperties"].is_object() && schema.get("x-aci-spelling").is_some() {
        return Shape::Names;
    }
    let Some(items) = schema.get("items") else { return Shape::Leaf };
    let key = schema["x-aci-key"].as_array().map_or_else(Vec::new, |names| {
        names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    });
    Shape::List { key, item: Box::new(read(items, cost)) }
}
