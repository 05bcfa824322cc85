//! `Issuer`: who signs leaves.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ObjectReference;
use super::status::IssuerStatus;

/// Who signs leaves: exactly one of `localCA` and `provided`.
#[derive(Clone, CustomResource, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "aci-operator.io",
    version = "v1alpha1",
    kind = "Issuer",
    namespaced,
    status = "IssuerStatus",
    shortname = "aciissuer",
    category = "aci",
    doc = "Who signs the certificates of container groups.",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name": "Expires", "type": "string", "jsonPath": ".status.certificate.notAfter"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Serial", "type": "string", "jsonPath": ".status.certificate.serialNumber", "priority": 1}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].message", "priority": 1}"#
)]
#[serde(rename_all = "camelCase")]
pub struct IssuerSpec {
    /// A certificate authority that the operator makes and keeps.
    #[serde(rename = "localCA", skip_serializing_if = "Option::is_none")]
    pub local_ca: Option<LocalCa>,
    /// The user's own chain and key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provided: Option<Provided>,
}

/// A certificate authority that the operator makes; its name constraints are fixed for its life.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalCa {
    /// Domains, with all names below them, that the root may sign (RFC 5280 section 4.2.1.10); none
    /// given, none set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 253)))]
    pub permitted_domains: Vec<String>,
    /// Whether the root may sign IP addresses other than loopback.
    #[serde(default = "yes")]
    pub ip_addresses: bool,
}

fn yes() -> bool {
    true
}

/// The user's own chain and key.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Provided {
    /// Secret with the keys `tls.crt` (PEM, leaf first) and `tls.key` (PEM).
    pub secret_ref: ObjectReference,
}
