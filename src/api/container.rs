//! A container, in ACI's vocabulary.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretSource;

/// One container.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Name, unique in the group.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Image reference.
    #[schemars(length(min = 1))]
    pub image: String,
    /// Command in exec form; replaces entry point and arguments of the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Ports that the container listens on, inside the group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-aci-key" = ["port", "protocol"]))]
    pub ports: Vec<Port>,
    /// Environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-aci-key" = ["name"]))]
    pub environment_variables: Vec<EnvironmentVariable>,
    /// CPU and memory.
    pub resources: Resources,
    /// Where volumes appear.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-aci-key" = ["name", "mountPath"]))]
    pub volume_mounts: Vec<VolumeMount>,
    /// Restarts the container when it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Probe>,
    /// Keeps traffic away while it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<Probe>,
}

/// A port.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Number.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Transport protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aci-default" = "TCP"))]
    pub protocol: Option<Protocol>,
}

/// Transport protocol of a port.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// An environment variable: exactly one of `value`, `valueFrom` and `secureValueFrom`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentVariable {
    /// Name.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Value that everybody who may read the group may see.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aci-default" = ""))]
    pub value: Option<String>,
    /// Value that another object publishes; waited for until it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aci-operator" = true))]
    pub value_from: Option<ValueSource>,
    /// Value that Azure never shows again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aci-hidden" = "secureValue"))]
    pub secure_value_from: Option<SecretSource>,
}

/// Where a value comes from.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValueSource {
    /// A field that an `AppRegistration` publishes.
    pub app_registration: AppRegistrationField,
}

/// A published field of an `AppRegistration`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppRegistrationField {
    /// Name of the registration.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The field.
    pub field: PublishedField,
}

/// What an `AppRegistration` publishes. All but `origins` wait for no container group.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PublishedField {
    /// Application (client) id of the API.
    AppId,
    /// Tenant.
    TenantId,
    /// Application (client) id of the Swagger registration.
    SwaggerAppId,
    /// The first scope, in full: `api://{appId}/{value}`.
    Scope,
    /// Who issues the tokens: `https://login.microsoftonline.com/{tenantId}` in the public cloud.
    Authority,
    /// Origins of the container group that it follows, as far as they are redirect URIs, parted by
    /// commas: for other groups, whose containers a change of them restarts.
    Origins,
}

impl PublishedField {
    /// Its name in the registration's status.
    pub fn name(self) -> &'static str {
        match self {
            Self::AppId => "appId",
            Self::TenantId => "tenantId",
            Self::SwaggerAppId => "swaggerAppId",
            Self::Scope => "scope",
            Self::Authority => "authority",
            Self::Origins => "origins",
        }
    }
}

/// CPU and memory of a container.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What the container gets.
    pub requests: ResourceAmounts,
    /// What it may use at most; the requests where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceAmounts>,
}

/// Amounts of CPU and memory.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceAmounts {
    /// Cores.
    #[schemars(range(min = 0.01, max = 128), extend("x-aci-cost" = "Replace"))]
    pub cpu: f64,
    /// Memory in GB, as ACI counts it.
    #[serde(rename = "memoryInGB")]
    #[schemars(range(min = 0.1, max = 1024), extend("x-aci-cost" = "Replace"))]
    pub memory_in_gb: f64,
}

/// Where a volume appears in a container.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMount {
    /// Name of the volume.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Absolute path in the container.
    #[schemars(length(max = 256), regex(pattern = "^/[^:]*$"))]
    pub mount_path: String,
    /// Mount it read-only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aci-default" = false))]
    pub read_only: Option<bool>,
}

/// A probe: exactly one of `exec` and `httpGet`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Runs a command in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<ProbeExec>,
    /// Asks over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_get: Option<ProbeHttpGet>,
    /// Seconds before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), extend("x-aci-default" = 0))]
    pub initial_delay_seconds: Option<i32>,
    /// Seconds between two.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("x-aci-default" = 10))]
    pub period_seconds: Option<i32>,
    /// Failures in a row that count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("x-aci-default" = 3))]
    pub failure_threshold: Option<i32>,
    /// Successes in a row that count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("x-aci-default" = 1))]
    pub success_threshold: Option<i32>,
    /// Seconds after which one has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("x-aci-default" = 1))]
    pub timeout_seconds: Option<i32>,
}

/// A command of a probe.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeExec {
    /// Exec form.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
}

/// A request of a probe.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeHttpGet {
    /// Path.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aci-default" = "/"))]
    pub path: Option<String>,
    /// Port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Scheme.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aci-default" = "http", "x-aci-spelling" = "CaseInsensitive"))]
    pub scheme: Option<String>,
}
