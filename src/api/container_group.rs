//! `ContainerGroup`: one ACI container group behind a TLS sidecar.
//!
//! Below the operator's own fields the vocabulary is ACI's, so that the `az` YAML reads the same:
//! <https://learn.microsoft.com/azure/container-instances/container-instances-reference-yaml>.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kube::CustomResource;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};

use super::status::ContainerGroupStatus;
use super::{ObjectReference, SecretSource};
use crate::core::Cost;
use crate::core::fields::Field;

/// What a container group should be.
#[derive(Clone, CustomResource, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "aci-operator.io",
    version = "v1alpha1",
    kind = "ContainerGroup",
    namespaced,
    status = "ContainerGroupStatus",
    shortname = "acg",
    category = "aci-operator"
)]
#[serde(rename_all = "camelCase")]
pub struct ContainerGroupSpec {
    /// Subscription; else `AZURE_SUBSCRIPTION_ID`, else az's default. Pinned at the first claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aci-operator" = true))]
    pub subscription_id: Option<String>,
    /// Resource group; created when missing, never deleted.
    #[schemars(length(min = 1, max = 90), regex(pattern = r"^[-\w._()]*[-\w_()]$"))]
    #[schemars(extend("x-aci-operator" = true))]
    pub resource_group: String,
    /// How far the operator may go alone.
    #[serde(default)]
    #[schemars(extend("x-aci-operator" = true))]
    pub update_policy: UpdatePolicy,
    /// Take over a group that somebody else made.
    #[serde(default)]
    #[schemars(extend("x-aci-operator" = true))]
    pub adopt: bool,
    /// Region, in any of Azure's spellings.
    #[schemars(length(min = 1), extend("x-aci-cost" = "Replace", "x-aci-spelling" = "Region"))]
    pub location: String,
    /// Tags of the group; tags of others are left alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-aci-operator" = true))]
    pub tags: BTreeMap<String, String>,
    /// The user's containers; the TLS sidecar is added by the operator.
    #[schemars(length(min = 1, max = 59), extend("x-aci-key" = ["name"]))]
    pub containers: Vec<Container>,
    /// Public or private address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<IpAddress>,
    /// Volumes that containers mount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 18), extend("x-aci-key" = ["name"]))]
    pub volumes: Vec<Volume>,
    /// Credentials of private image registries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-aci-key" = ["server"]))]
    pub image_registry_credentials: Vec<RegistryCredential>,
    /// When a container that ended is started again.
    #[serde(default)]
    #[schemars(extend("x-aci-cost" = "Replace", "x-aci-default" = "Always"))]
    pub restart_policy: RestartPolicy,
    /// Operating system of the containers.
    #[serde(default)]
    #[schemars(extend("x-aci-cost" = "Replace"))]
    pub os_type: OsType,
    /// TLS in front of the containers; without it the group serves what its containers serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aci-operator" = true))]
    pub tls: Option<Tls>,
}

/// How far the operator may go without asking; see [`Cost`].
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum UpdatePolicy {
    /// Only what restarts nothing.
    Hot,
    /// In-place updates, which restart the containers.
    #[default]
    Restart,
    /// Deleting the group and making it anew.
    Replace,
}

impl UpdatePolicy {
    /// The highest cost that needs no approval.
    pub fn allows(self) -> Cost {
        match self {
            Self::Hot => Cost::Hot,
            Self::Restart => Cost::Restart,
            Self::Replace => Cost::Replace,
        }
    }
}

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
    #[schemars(extend("x-aci-key" = ["port", "protocol"]))]
    pub ports: Vec<Port>,
    /// Environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-aci-key" = ["name"]))]
    pub environment_variables: Vec<EnvironmentVariable>,
    /// CPU and memory.
    pub resources: Resources,
    /// Where volumes appear.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-aci-key" = ["name", "mountPath"]))]
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

/// An environment variable: exactly one of `value` and `secureValueFrom`.
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
    /// Value that Azure never shows again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aci-hidden" = "secureValue"))]
    pub secure_value_from: Option<SecretSource>,
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
    #[schemars(length(min = 1))]
    pub name: String,
    /// Absolute path in the container.
    #[schemars(regex(pattern = "^/[^:]*$"))]
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

/// Address of the group.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IpAddress {
    /// Reachable from the internet, or from a virtual network.
    #[serde(rename = "type")]
    #[schemars(extend("x-aci-cost" = "Replace"))]
    pub kind: IpAddressType,
    /// Published ports; with `tls` the sidecar's 443 alone, and this stays empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), extend("x-aci-key" = ["port", "protocol"]))]
    pub ports: Vec<Port>,
    /// First label of the FQDN.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 63), regex(pattern = "^[a-z][-a-z0-9]*[a-z0-9]$"))]
    pub dns_name_label: Option<String>,
    /// Who may use the label again; `TenantReuse` for groups that the operator creates.
    /// <https://learn.microsoft.com/azure/container-instances/how-to-reuse-dns-names>
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aci-cost" = "Replace"))]
    pub auto_generated_domain_name_label_scope: Option<LabelScope>,
}

/// Kind of address.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum IpAddressType {
    /// From the internet.
    Public,
    /// From a virtual network.
    Private,
}

/// Reuse scope of a DNS name label.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum LabelScope {
    /// Anybody may take a freed label: sub-domain take-over is possible.
    Unsecure,
    /// The same tenant.
    TenantReuse,
    /// The same subscription.
    SubscriptionReuse,
    /// The same resource group.
    ResourceGroupReuse,
    /// Nobody.
    NoReuse,
}

/// A volume: exactly one of `emptyDir` and `secret`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Name, unique in the group.
    #[schemars(length(min = 5, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Empty at each start of the group; kept over a container's crash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_dir: Option<EmptyDir>,
    /// Files by name, memory-backed; never shown again by Azure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aci-hidden" = "secret"))]
    pub secret: Option<BTreeMap<String, SecretSource>>,
}

/// An empty directory; it has no settings.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct EmptyDir {}

/// Credentials of an image registry.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryCredential {
    /// Host name, without scheme.
    #[schemars(length(min = 1), regex(pattern = "^[^/]+$"))]
    pub server: String,
    /// User name.
    #[schemars(length(min = 1))]
    pub username: String,
    /// Password.
    #[schemars(extend("x-aci-hidden" = "password"))]
    pub password_from: SecretSource,
}

/// Restart policy of all containers of the group.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum RestartPolicy {
    /// A service.
    #[default]
    Always,
    /// A job that is tried again.
    OnFailure,
    /// A job.
    Never,
}

/// Operating system.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum OsType {
    /// Linux.
    #[default]
    Linux,
    /// Windows; without `tls`, whose sidecar needs Linux.
    Windows,
}

/// TLS in front of the containers.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// The issuer that signs the leaf.
    pub issuer_ref: ObjectReference,
    /// DNS names of the user's; FQDN, public IP and localhost are added by the operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 90))]
    pub hosts: Vec<String>,
    /// Where the sidecar sends requests.
    pub upstream: Upstream,
    /// Life of a leaf, such as `90d` or `12h`.
    #[serde(default = "default_duration")]
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
    /// Image with nginx 1.27.4 or later; the documentation names the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub image: Option<String>,
    /// CPU and memory of the sidecar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// What the planner knows of each field of ACI's vocabulary, read from the schema of this module.
pub fn fields() -> &'static Field {
    static FIELDS: LazyLock<Field> =
        LazyLock::new(|| Field::from_schema(&schema::<ContainerGroupSpec>()));
    &FIELDS
}

/// The schema of `T` with its parts written in place.
pub(super) fn schema<T: JsonSchema>() -> serde_json::Value {
    SchemaSettings::openapi3()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}
