//! What is known of an object: the `status` of each kind.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::{Condition, Cost};

/// What the status of every kind says.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CommonStatus {
    /// Generation of the manifest that this speaks of.
    #[serde(default)]
    pub observed_generation: i64,
    /// Conditions; `Ready` is a summary of the others.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// When the facts beside these were read, at the last change of any of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<DateTime<Utc>>,
}

/// Status of a `ContainerGroup`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerGroupStatus {
    /// What every kind says.
    #[serde(flatten)]
    pub common: CommonStatus,
    /// ARM's resource id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// ARM's word for the last write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// Address, once assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Fully qualified domain name, once assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    /// Public origins under which the leaf is served: redirect URIs and CORS origins follow them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// Counts changes of that list, so that who follows it can say which one it has seen.
    #[serde(default)]
    pub origins_revision: u64,
    /// The stored leaf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateStatus>,
    /// The leaf on the secret volume: what serves after the containers are made anew, until the
    /// operator has swapped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baked_certificate: Option<BakedCertificate>,
    /// The containers, as ARM shows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerStatus>,
    /// The change that waits for `aci-operator approve`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_approval: Option<PendingApproval>,
}

/// A certificate's facts.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// Serial number in lower-case hexadecimal.
    pub serial_number: String,
    /// Start of its life.
    pub not_before: DateTime<Utc>,
    /// End of its life.
    pub not_after: DateTime<Utc>,
    /// When it will be renewed.
    pub renewal_time: DateTime<Utc>,
    /// DNS names.
    pub dns_names: Vec<String>,
    /// IP addresses.
    pub ip_addresses: Vec<String>,
    /// Serial number last seen served, in lower-case hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served_serial_number: Option<String>,
}

/// The leaf on the secret volume.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BakedCertificate {
    /// Serial number in lower-case hexadecimal.
    pub serial_number: String,
    /// End of its life.
    pub not_after: DateTime<Utc>,
    /// When it would have been renewed: a start after that serves what should be gone.
    pub renewal_time: DateTime<Utc>,
    /// A newer leaf is stored: a start without a running operator would serve this old one.
    pub stale: bool,
}

/// A container's state.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Name.
    pub name: String,
    /// `Running`, `Waiting`, `Terminated` or `Unknown`.
    pub state: String,
    /// Restarts that ARM counts.
    pub restart_count: i64,
}

/// A change that needs approval.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingApproval {
    /// Digest of the plan; an approval is good for this one only.
    pub digest: String,
    /// What the change costs.
    pub cost: Cost,
    /// The fields that differ.
    pub changes: Vec<String>,
}

/// Status of an `Issuer`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerStatus {
    /// What every kind says.
    #[serde(flatten)]
    pub common: CommonStatus,
    /// The root, or the provided leaf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<IssuerCertificate>,
}

/// Status of an `AppRegistration`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppRegistrationStatus {
    /// What every kind says.
    #[serde(flatten)]
    pub common: CommonStatus,
    /// Application (client) id of the API: the audience of its tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The tenant, which issues the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Application (client) id of the Swagger page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swagger_app_id: Option<String>,
    /// The first scope, as clients ask for it: `api://{appId}/{value}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Where users sign in: `{login endpoint}/{tenantId}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Object id of the API's application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// Object id of Swagger's application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swagger_object_id: Option<String>,
    /// Origins of the container group that are redirect URIs now of either application, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// Those, and the ones that are about to be registered: the group gives no address away that is
    /// in this list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
    /// Which revision of the group's origins this follows from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_origins_revision: Option<u64>,
    /// Redirect URIs of the API's application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// Redirect URIs of Swagger's application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub swagger_redirect_uris: Vec<String>,
    /// Redirect URIs, scopes, roles and clients that somebody else added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<String>,
}

/// The certificate of an issuer.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerCertificate {
    /// Serial number in lower-case hexadecimal.
    pub serial_number: String,
    /// End of its life.
    pub not_after: DateTime<Utc>,
    /// SHA-256 of the DER form, in lower-case hexadecimal.
    pub fingerprint: String,
}
