//! `ContainerGroup`: one ACI container group behind a TLS sidecar.
//!
//! Below the operator's own fields the vocabulary is ACI's, so that the `az` YAML reads the same:
//! <https://learn.microsoft.com/azure/container-instances/container-instances-reference-yaml>.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kube::CustomResource;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};

pub use super::container::*;
pub use super::identity::*;
use super::status::ContainerGroupStatus;
pub use super::tls::*;
use super::{ObjectReference, SecretSource};
use crate::core::Cost;
use crate::core::fields::Field;

/// Azure's limit, less the operator's own.
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources>
const MOST_TAGS: usize = 50 - 4;

/// What a container group should be.
#[derive(Clone, CustomResource, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "aci-operator.io",
    version = "v1alpha1",
    kind = "ContainerGroup",
    namespaced,
    status = "ContainerGroupStatus",
    shortname = "acg",
    category = "aci",
    doc = "An ACI container group, with TLS in front of it where `spec.tls` is there.",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name": "IP", "type": "string", "jsonPath": ".status.ip"}"#,
    printcolumn = r#"{"name": "FQDN", "type": "string", "jsonPath": ".status.fqdn"}"#,
    printcolumn = r#"{"name": "Expires", "type": "string", "jsonPath": ".status.certificate.notAfter"}"#,
    printcolumn = r#"{"name": "Renews", "type": "string", "jsonPath": ".status.certificate.renewalTime"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "State", "type": "string", "jsonPath": ".status.provisioningState", "priority": 1}"#,
    printcolumn = r#"{"name": "Serial", "type": "string", "jsonPath": ".status.certificate.serialNumber", "priority": 1}"#,
    printcolumn = r#"{"name": "Served", "type": "string", "jsonPath": ".status.certificate.servedSerialNumber", "priority": 1}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].message", "priority": 1}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ContainerGroupSpec {
    /// Subscription; else that of its identity: `AZURE_SUBSCRIPTION_ID`, else az's default. Pinned at the
    /// first claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36), extend("x-aci-operator" = true))]
    pub subscription_id: Option<String>,
    /// Resource group; created when missing, never deleted.
    #[schemars(length(min = 1, max = 90), regex(pattern = r"^[-\w._()]*[-\w_()]$"))]
    #[schemars(extend("x-aci-operator" = true))]
    pub resource_group: String,
    /// The secret with the identity that works for this group: keys `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`,
    /// `AZURE_CLIENT_SECRET` (without it the operator's federated token) and `AZURE_SUBSCRIPTION_ID`. Else
    /// the secret `aci-operator-identity` of the namespace, else the operator's own identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aci-operator" = true))]
    pub identity_ref: Option<ObjectReference>,
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
    #[schemars(extend("x-aci-operator" = true, "maxProperties" = MOST_TAGS))]
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
    /// Managed identities that the containers may be. Whoever may exec into one of them, and all code in
    /// them, may do what these may.
    /// <https://learn.microsoft.com/azure/container-instances/container-instances-managed-identity>
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
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
    #[schemars(extend("x-aci-cost" = "Replace", "x-aci-default" = "TenantReuse"))]
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
    #[schemars(extend("x-aci-hidden" = "secret", "maxProperties" = 50))]
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

/// What the planner knows of each field of ACI's vocabulary, read from the schema of this module.
pub fn fields() -> &'static Field {
    static FIELDS: LazyLock<Field> =
        LazyLock::new(|| Field::from_schema(&schema::<ContainerGroupSpec>()));
    &FIELDS
}

/// The schema of `T` with its parts written in place.
pub fn schema<T: JsonSchema>() -> serde_json::Value {
    SchemaSettings::openapi3()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A misspelt extension would be a field whose cost nobody knows.
    #[test]
    fn every_extension_is_one_that_the_core_reads() {
        fn walk(schema: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
            match schema {
                serde_json::Value::Object(map) => {
                    found.extend(map.keys().filter(|key| key.starts_with("x-aci-")).cloned());
                    map.values().for_each(|value| walk(value, found));
                }
                serde_json::Value::Array(list) => list.iter().for_each(|value| walk(value, found)),
                _ => {}
            }
        }
        let mut found = std::collections::BTreeSet::new();
        walk(&schema::<ContainerGroupSpec>(), &mut found);
        let known = ["cost", "default", "hidden", "key", "operator", "spelling"];
        assert_eq!(found, known.map(|name| format!("x-aci-{name}")).into());
    }
}
