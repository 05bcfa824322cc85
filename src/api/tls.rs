//! `spec.tls`: TLS in front of the containers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ObjectReference;
use super::container::Resources;

/// TLS in front of the containers.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// The issuer that signs the leaf.
    pub issuer_ref: ObjectReference,
    /// DNS names of the user's; FQDN, public IP and localhost are added by the operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 90), inner(length(max = 253)))]
    pub hosts: Vec<String>,
    /// Where the sidecar sends requests.
    pub upstream: Upstream,
    /// Life of a leaf, such as `90d` or `12h`.
    #[serde(default = "default_duration")]
    #[schemars(length(max = 40))]
    pub duration: String,
    /// Key of the leaf.
    #[serde(default)]
    pub private_key: PrivateKey,
    /// How a new leaf reaches the sidecar.
    #[serde(default)]
    pub rotation: Rotation,
    /// The nginx container.
    #[serde(default)]
    pub sidecar: SidecarSpec,
}

fn default_duration() -> String {
    "90d".to_owned()
}

/// The port behind the sidecar, on 127.0.0.1 of the group.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Upstream {
    /// Number; not 443.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
}

/// Algorithm of the leaf's key; a new key is made at each issue.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct PrivateKey {
    /// Algorithm.
    #[serde(default)]
    pub algorithm: KeyAlgorithm,
}

/// Algorithm of a key.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum KeyAlgorithm {
    /// ECDSA on P-256.
    #[default]
    Ecdsa,
    /// RSA with 2048 bits.
    Rsa,
}

/// How a new leaf reaches the sidecar.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// Method.
    #[serde(default)]
    pub method: RotationMethod,
    /// When the volume's own leaf, which serves after the containers are made anew, is refreshed.
    #[serde(default)]
    pub refresh_volume: RefreshVolume,
}

/// Method of rotation.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum RotationMethod {
    /// Into the running sidecar, through exec.
    #[default]
    HotReload,
    /// By an in-place update.
    Restart,
}

/// When the volume's leaf is refreshed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum RefreshVolume {
    /// With the next update that happens anyway.
    #[default]
    WithNextChange,
    /// By an in-place update of its own before the leaf expires: one restart a lifetime.
    BeforeExpiry,
}

/// The nginx container.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SidecarSpec {
    /// Image with nginx 1.27.4 or later; `docs/manifests.md` names the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub image: Option<String>,
    /// CPU and memory of the sidecar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}
