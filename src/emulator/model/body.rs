//! A container group's `properties`, as far as local Azure keeps them.
//!
//! Unknown fields are dropped and wrong types refused, as the service does. Source: the resource
//! reference of `Microsoft.ContainerInstance/containerGroups` (learn.microsoft.com/azure/templates).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// `properties` of a container group. Secret values are in here: it has no `Debug`.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Properties {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sku: Option<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) containers: Vec<Container>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub(super) image_registry_credentials: Vec<Registry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) restart_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ip_address: Option<IpAddress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) os_type: Option<String>,
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub(super) volumes: Vec<Volume>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) diagnostics: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subnet_ids: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dns_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) priority: Option<String>,
}

/// A container or an init container.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(super) struct Container {
    pub(super) name: String,
    #[serde(default)]
    pub(super) properties: ContainerProperties,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<String>,
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub(super) command: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) ports: Vec<Port>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) environment_variables: Vec<Variable>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resources: Option<Resources>,
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub(super) volume_mounts: Vec<Mount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) liveness_probe: Option<Probe>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) readiness_probe: Option<Probe>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security_context: Option<Value>,
}

#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub(super) struct Port {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) protocol: Option<String>,
    pub(super) port: u16,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Variable {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secure_value: Option<String>,
}

#[derive(Clone, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Resources {
    #[serde(default)]
    pub(super) requests: Amounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limits: Option<Amounts>,
}

#[derive(Clone, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Amounts {
    #[serde(rename = "memoryInGB", skip_serializing_if = "Option::is_none")]
    pub(super) memory_in_gb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gpu: Option<Value>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mount {
    pub(super) name: String,
    #[serde(rename = "mountPath")]
    pub(super) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read_only: Option<bool>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Probe {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exec: Option<ProbeExec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) http_get: Option<ProbeHttp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) initial_delay_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) period_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure_threshold: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) success_threshold: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timeout_seconds: Option<u32>,
}

#[derive(Clone, Deserialize, Serialize)]
pub(super) struct ProbeExec {
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) command: Vec<String>,
}

#[derive(Clone, Deserialize, Serialize)]
pub(super) struct ProbeHttp {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    pub(super) port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scheme: Option<String>,
}

#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Registry {
    pub(super) server: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<String>,
}

/// `ipAddress`; `ip` and `fqdn` are only ever answered.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IpAddress {
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) ports: Vec<Port>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(super) ip: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dns_name_label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auto_generated_domain_name_label_scope: Option<String>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(super) fqdn: Option<String>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Volume {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) empty_dir: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) azure_file: Option<AzureFile>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AzureFile {
    pub(super) share_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read_only: Option<bool>,
    pub(super) storage_account_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) storage_account_key: Option<String>,
}

fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
