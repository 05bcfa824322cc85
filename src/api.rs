//! The kinds: their serde shape and schema, parsed into [`crate::core`].
//!
//! A field of ACI's vocabulary is declared once, in [`container_group`]: its shape is the Rust
//! type, its bounds are `schemars` attributes (so a CRD carries them too), and what the planner has
//! to know of it (cost of a change, default that Azure fills in, key of a list, spelling, whether
//! GET shows it) is an `x-aci-*` extension beside them, read by [`crate::core::fields`].

use kube::api::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub mod app_registration;
pub mod check;
mod container;
pub mod container_group;
pub mod crd;
mod hints;
mod identity;
pub mod issuer;
pub mod parse;
mod shape;
pub mod status;
mod tls;

pub use app_registration::{AppRegistration, AppRegistrationSpec};
pub use container_group::{ContainerGroup, ContainerGroupSpec};
pub use issuer::{Issuer, IssuerSpec};

/// API group of all kinds.
pub const GROUP: &str = "aci-operator.io";
/// Version of all kinds.
pub const VERSION: &str = "v1alpha1";

/// A reference to another object of the same home (or namespace), by name.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// One value of a named secret.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyReference {
    /// Name of the secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the secret.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// Where a secret value comes from.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretSource {
    /// A value that was stored with `aci-operator secret set NAME KEY`; in a cluster, a value of a
    /// Secret of the same namespace.
    pub secret: SecretKeyReference,
}

/// An object of any kind.
#[derive(Clone, Debug)]
pub enum Object {
    /// A container group.
    ContainerGroup(Box<ContainerGroup>),
    /// An issuer.
    Issuer(Box<Issuer>),
    /// An app registration.
    AppRegistration(Box<AppRegistration>),
}

impl Object {
    /// Names it.
    pub fn key(&self) -> ObjectKey {
        let kind = match self {
            Self::ContainerGroup(_) => "ContainerGroup",
            Self::Issuer(_) => "Issuer",
            Self::AppRegistration(_) => "AppRegistration",
        };
        ObjectKey::of(kind, self.meta())
    }

    /// Its manifest as JSON, in one spelling and without status.
    pub fn manifest(&self) -> Value {
        // An object that came from JSON goes back to it.
        let mut value = match self {
            Self::ContainerGroup(group) => serde_json::to_value(group),
            Self::Issuer(issuer) => serde_json::to_value(issuer),
            Self::AppRegistration(registration) => serde_json::to_value(registration),
        }
        .unwrap_or_default();
        if let Some(map) = value.as_object_mut() {
            map.remove("status");
        }
        value
    }

    /// Its metadata.
    pub fn meta(&self) -> &ObjectMeta {
        match self {
            Self::ContainerGroup(group) => &group.metadata,
            Self::Issuer(issuer) => &issuer.metadata,
            Self::AppRegistration(registration) => &registration.metadata,
        }
    }

    /// Its metadata, to be changed.
    pub fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::ContainerGroup(group) => &mut group.metadata,
            Self::Issuer(issuer) => &mut issuer.metadata,
            Self::AppRegistration(registration) => &mut registration.metadata,
        }
    }
}

/// Names an object of the home.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ObjectKey {
    /// Kind, such as `ContainerGroup`.
    pub kind: String,
    /// Namespace; only a cluster has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl ObjectKey {
    /// A key without a namespace.
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), namespace: None, name: name.into() }
    }

    /// The key of the object with this metadata.
    pub fn of(kind: impl Into<String>, meta: &ObjectMeta) -> Self {
        let name = meta.name.clone().unwrap_or_default();
        Self { kind: kind.into(), namespace: meta.namespace.clone(), name }
    }

    /// What an object means where it names another: references stay in its namespace.
    #[must_use]
    pub fn beside(&self, kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), namespace: self.namespace.clone(), name: name.into() }
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{namespace}/{}", self.kind, self.name),
            None => write!(f, "{}/{}", self.kind, self.name),
        }
    }
}

/// Marks on an object's metadata that the source of manifests sets and the loop reads.
pub mod annotations {
    /// The manifest went away; the object is kept by the ledger's copy.
    pub const ORPHANED: &str = "aci-operator.io/orphaned";
    /// The manifest cannot be read; the value says why and where, the object is the last good one.
    pub const INVALID: &str = "aci-operator.io/invalid";
}

/// The mark `name` of an object, where it is set.
pub fn annotation<'a>(meta: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(name).map(String::as_str)
}
