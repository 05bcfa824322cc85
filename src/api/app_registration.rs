//! `AppRegistration`: the Microsoft Entra applications of a protected API.
//!
//! One application stands for the API. With `swagger` a second one, `NAME - OpenAPI`, stands for its
//! Swagger page: a single-page application that may ask for the API's scopes.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ObjectReference;
use super::status::AppRegistrationStatus;

/// The applications of a protected API: single tenant, access tokens of version 2.
#[derive(Clone, CustomResource, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "aci-operator.io",
    version = "v1alpha1",
    kind = "AppRegistration",
    namespaced,
    status = "AppRegistrationStatus",
    shortname = "apr",
    category = "aci",
    doc = "The Microsoft Entra applications of a protected API.",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name": "App-ID", "type": "string", "jsonPath": ".status.appId"}"#,
    printcolumn = r#"{"name": "Swagger-App-ID", "type": "string", "jsonPath": ".status.swaggerAppId"}"#,
    printcolumn = r#"{"name": "Origins", "type": "string", "jsonPath": ".status.origins"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Scope", "type": "string", "jsonPath": ".status.scope", "priority": 1}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].message", "priority": 1}"#
)]
#[serde(rename_all = "camelCase")]
pub struct AppRegistrationSpec {
    /// Name that people see when they sign in; Swagger's application is called `NAME - OpenAPI`.
    #[schemars(length(min = 1, max = 240))]
    pub display_name: String,
    /// The secret with the identity that works for the applications, as in a `ContainerGroup`; another one
    /// later must be of the same tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_ref: Option<ObjectReference>,
    /// Permissions that clients ask for on behalf of a user, as `api://{appId}/{value}`.
    #[serde(default = "default_scopes")]
    #[schemars(length(min = 1, max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["value"]))]
    pub scopes: Vec<Scope>,
    /// Redirect URIs of the API's own pages: `https`, or `http` on `localhost`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200), inner(length(max = 256)), extend("x-kubernetes-list-type" = "set"))]
    pub redirect_uris: Vec<String>,
    /// Roles that users and applications can be given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["value"]))]
    pub app_roles: Vec<AppRole>,
    /// The second application, for the Swagger page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swagger: Option<Swagger>,
    /// Consent to the scopes for all users of the tenant, in Swagger's name; needs the Graph
    /// permission `DelegatedPermissionGrant.ReadWrite.All`.
    #[serde(default)]
    pub admin_consent: bool,
    /// The container group whose https addresses become redirect URIs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_group_ref: Option<ObjectReference>,
    /// Whether its IP address does, too: an address that is given back may be anybody's tomorrow, so
    /// it leaves before the group gives it back.
    #[serde(default)]
    pub ip_redirect_uris: bool,
    /// How long a name of `spec.tls.hosts` stays registered after the group no longer serves it, such
    /// as `1h`; names and addresses that Azure gave leave at once.
    #[serde(default = "default_grace")]
    #[schemars(length(max = 40))]
    pub host_grace_period: String,
    /// What becomes of redirect URIs, scopes, roles and clients that somebody else added.
    #[serde(default)]
    pub foreign: Foreign,
    /// Take over applications that somebody else made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopt: Option<Adopt>,
}

fn default_scopes() -> Vec<Scope> {
    vec![Scope::named("user_impersonation")]
}

fn default_grace() -> String {
    "1h".to_owned()
}

/// A permission that clients ask for on behalf of a user.
/// <https://learn.microsoft.com/graph/api/resources/permissionscope>
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// Value, as it stands in the token's `scp`.
    #[schemars(length(min = 1, max = 120), regex(pattern = r"^[A-Za-z0-9_][-\w.:/]*$"))]
    pub value: String,
    /// Title for an administrator who consents for all; `Access NAME` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub admin_consent_display_name: Option<String>,
    /// Explanation for an administrator who consents for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 850))]
    pub admin_consent_description: Option<String>,
    /// Title for a user who consents; `Access NAME` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub user_consent_display_name: Option<String>,
    /// Explanation for a user who consents.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 850))]
    pub user_consent_description: Option<String>,
    /// Who may consent.
    #[serde(default, rename = "type")]
    pub kind: ScopeType,
}

impl Scope {
    /// A scope with the default texts.
    fn named(value: &str) -> Self {
        Self {
            value: value.to_owned(),
            admin_consent_display_name: None,
            admin_consent_description: None,
            user_consent_display_name: None,
            user_consent_description: None,
            kind: ScopeType::User,
        }
    }
}

/// Who may consent to a scope.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ScopeType {
    /// Each user for themselves.
    #[default]
    User,
    /// Administrators only.
    Admin,
}

/// A role that users or applications can be given.
/// <https://learn.microsoft.com/graph/api/resources/approle>
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppRole {
    /// Value, as it stands in the token's `roles`.
    #[schemars(length(min = 1, max = 120), regex(pattern = r"^[A-Za-z0-9_][-\w.:/]*$"))]
    pub value: String,
    /// Title.
    #[schemars(length(min = 1, max = 100))]
    pub display_name: String,
    /// Explanation.
    #[schemars(length(min = 1, max = 850))]
    pub description: String,
    /// Who can be given it.
    #[schemars(length(min = 1, max = 2), extend("x-kubernetes-list-type" = "set"))]
    pub allowed_member_types: Vec<MemberType>,
}

/// Who can be given a role.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum MemberType {
    /// Users and groups.
    User,
    /// Other applications.
    Application,
}

/// The application of the Swagger page.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Swagger {
    /// Whether it may have the scopes without asking each user.
    #[serde(default = "yes")]
    pub pre_authorized: bool,
    /// Whether people may sign in with a code typed elsewhere, as `aci-operator token` does: it makes
    /// the application a public client, of which anybody can ask a user for a sign-in.
    #[serde(default)]
    pub device_code: bool,
    /// Redirect URIs beside those that follow from `spec.redirectUris` on localhost and from the
    /// container group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 256)), extend("x-kubernetes-list-type" = "set"))]
    pub redirect_uris: Vec<String>,
}

fn yes() -> bool {
    true
}

/// What becomes of what somebody else added to an application.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Foreign {
    /// It stays, and shows in the status.
    #[default]
    Keep,
    /// It stays, and nothing is changed until somebody has decided what to do about it.
    Refuse,
}

/// Applications that somebody else made.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Adopt {
    /// Application (client) id of the API's.
    #[schemars(regex(pattern = GUID))]
    pub app_id: String,
    /// Application (client) id of Swagger's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = GUID))]
    pub swagger_app_id: Option<String>,
}

/// How an application id is written.
pub(super) const GUID: &str =
    "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";
