//! An application as the directory keeps it, and as Graph shows it.
//!
//! Source: learn.microsoft.com/graph/api/resources/application.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// One app registration.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Application {
    /// Object id.
    pub id: Uuid,
    /// Client id.
    pub app_id: Uuid,
    /// Alternate key; never changes.
    pub unique_name: Option<String>,
    /// When it was made; none for what is always there.
    pub created: Option<DateTime<Utc>>,
    /// When it was deleted; it can be restored for 30 days.
    pub deleted: Option<DateTime<Utc>>,
    /// What PATCH may change.
    pub properties: ApplicationProperties,
    /// Client secrets.
    pub passwords: Vec<Password>,
    /// Trust in tokens of other issuers.
    pub federated_credentials: Vec<FederatedCredential>,
    /// Object ids of the principals that own it.
    pub owners: BTreeSet<Uuid>,
}

/// The properties that a client may write.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ApplicationProperties {
    /// Name for people.
    pub display_name: String,
    /// `AzureADMyOrg` and so on; empty in a body means that.
    pub sign_in_audience: SignInAudience,
    /// URIs that name the application as a resource.
    pub identifier_uris: Vec<String>,
    /// What the application is as a resource.
    pub api: Api,
    /// Roles that it declares.
    pub app_roles: Vec<AppRole>,
    /// Web platform.
    pub web: Web,
    /// Single-page platform.
    pub spa: RedirectUris,
    /// Mobile and desktop platform.
    pub public_client: RedirectUris,
    /// Permissions of other resources that it asks for.
    pub required_resource_access: Vec<RequiredResource>,
    /// Whether flows without a secret are taken as a public client's.
    pub is_fallback_public_client: Option<bool>,
    /// Free texts.
    pub tags: Vec<String>,
    /// Text for people.
    pub description: Option<String>,
    /// Text for administrators.
    pub notes: Option<String>,
    #[doc(hidden)]
    pub add_ins: Vec<Value>,
    #[doc(hidden)]
    pub default_redirect_uri: Option<String>,
    #[doc(hidden)]
    pub group_membership_claims: Option<String>,
    #[doc(hidden)]
    pub info: Option<Value>,
    #[doc(hidden)]
    pub is_device_only_auth_supported: Option<bool>,
    #[doc(hidden)]
    pub key_credentials: Vec<Value>,
    #[doc(hidden)]
    pub optional_claims: Option<Value>,
    #[doc(hidden)]
    pub parental_control_settings: Option<Value>,
    #[doc(hidden)]
    pub request_signature_verification: Option<Value>,
    #[doc(hidden)]
    pub saml_metadata_url: Option<String>,
    #[doc(hidden)]
    pub service_management_reference: Option<String>,
    #[doc(hidden)]
    pub service_principal_lock_configuration: Option<Value>,
    #[doc(hidden)]
    pub token_encryption_key_id: Option<String>,
}

/// Who may sign in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum SignInAudience {
    /// Accounts of this tenant, guests included.
    #[default]
    AzureADMyOrg,
    /// Accounts of any tenant.
    AzureADMultipleOrgs,
    /// Those and personal accounts.
    AzureADandPersonalMicrosoftAccount,
    /// Personal accounts only.
    PersonalMicrosoftAccount,
}

/// What an application is as a resource: learn.microsoft.com/graph/api/resources/apiapplication.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Api {
    /// 1 or 2; none is 1.
    pub requested_access_token_version: Option<u8>,
    /// Delegated permissions that it has to give.
    pub oauth2_permission_scopes: Vec<Scope>,
    /// Clients that need no consent of their users.
    pub pre_authorized_applications: Vec<PreAuthorized>,
    #[doc(hidden)]
    pub accept_mapped_claims: Option<bool>,
    #[doc(hidden)]
    pub known_client_applications: Vec<Uuid>,
}

/// A delegated permission: learn.microsoft.com/graph/api/resources/permissionscope.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scope {
    /// The same for life.
    pub id: Uuid,
    /// What stands in a token's `scp`.
    #[serde(default)]
    pub value: Option<String>,
    /// Whether it can be asked for.
    #[serde(default = "yes")]
    pub is_enabled: bool,
    /// Who may consent.
    #[serde(default, rename = "type")]
    pub kind: ScopeType,
    /// For the administrator who consents for all.
    #[serde(default)]
    pub admin_consent_display_name: Option<String>,
    /// The same at length.
    #[serde(default)]
    pub admin_consent_description: Option<String>,
    /// For the user who consents.
    #[serde(default)]
    pub user_consent_display_name: Option<String>,
    /// The same at length.
    #[serde(default)]
    pub user_consent_description: Option<String>,
}

/// Who may consent to a scope.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum ScopeType {
    /// Every user.
    #[default]
    User,
    /// Administrators.
    Admin,
}

/// A client that needs no consent: learn.microsoft.com/graph/api/resources/preauthorizedapplication.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreAuthorized {
    /// The client's `appId`.
    pub app_id: Uuid,
    /// Ids of scopes.
    pub delegated_permission_ids: Vec<Uuid>,
}

/// A role that an application declares: learn.microsoft.com/graph/api/resources/approle.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppRole {
    /// The same for life.
    pub id: Uuid,
    /// What stands in a token's `roles`.
    #[serde(default)]
    pub value: Option<String>,
    /// Name for people.
    pub display_name: String,
    /// The same at length.
    #[serde(default)]
    pub description: Option<String>,
    /// Whether it can be assigned.
    #[serde(default = "yes")]
    pub is_enabled: bool,
    /// To whom it can be assigned.
    pub allowed_member_types: Vec<MemberType>,
    #[doc(hidden)]
    #[serde(default, skip_serializing)]
    pub origin: Option<String>,
}

/// To whom a role can be assigned.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum MemberType {
    /// Users and groups.
    User,
    /// Applications.
    Application,
}

/// The web platform: learn.microsoft.com/graph/api/resources/webapplication.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Web {
    /// Where codes may go.
    pub redirect_uris: Vec<String>,
    /// Page for people.
    pub home_page_url: Option<String>,
    /// Where a sign-out is told.
    pub logout_url: Option<String>,
    /// The implicit flow.
    pub implicit_grant_settings: ImplicitGrant,
}

/// The implicit flow: learn.microsoft.com/graph/api/resources/implicitgrantsettings.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ImplicitGrant {
    /// Whether it gives access tokens.
    pub enable_access_token_issuance: bool,
    /// Whether it gives ID tokens.
    pub enable_id_token_issuance: bool,
}

/// A platform that is no more than its redirect URIs.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RedirectUris {
    /// Where codes may go.
    pub redirect_uris: Vec<String>,
}

/// Permissions of one resource: learn.microsoft.com/graph/api/resources/requiredresourceaccess.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequiredResource {
    /// The resource's `appId`.
    pub resource_app_id: Uuid,
    /// What of it.
    pub resource_access: Vec<ResourceAccess>,
}

/// One permission.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceAccess {
    /// Id of a scope or an app role.
    pub id: Uuid,
    /// `Scope` or `Role`.
    #[serde(rename = "type")]
    pub kind: AccessType,
}

/// Of whom a permission is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum AccessType {
    /// Delegated by a user.
    Scope,
    /// The application's own.
    Role,
}

/// A client secret: learn.microsoft.com/graph/api/resources/passwordcredential.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Password {
    /// Names it.
    pub key_id: Uuid,
    /// Name for people.
    pub display_name: Option<String>,
    /// From when it is good.
    pub start: DateTime<Utc>,
    /// Until when it is good.
    pub end: DateTime<Utc>,
    /// Its first three characters.
    pub hint: String,
    /// SHA-256 of it, in hex.
    pub digest: String,
}

/// Trust in tokens of another issuer:
/// learn.microsoft.com/graph/api/resources/federatedidentitycredential.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FederatedCredential {
    /// Drawn by the directory.
    #[serde(default)]
    pub id: Uuid,
    /// Unique in its application; never changes.
    pub name: String,
    /// Whose tokens.
    pub issuer: String,
    /// The `sub` that they must have.
    pub subject: String,
    /// The `aud` that they must have: one.
    pub audiences: Vec<String>,
    /// Text for people.
    #[serde(default)]
    pub description: Option<String>,
}

const fn yes() -> bool {
    true
}

impl Application {
    /// As Graph shows it.
    pub(super) fn shown(&self, domain: &str) -> Value {
        let mut shown = serde_json::to_value(&self.properties).unwrap_or_default();
        let passwords: Vec<Value> = self.passwords.iter().map(Password::shown).collect();
        let own = json!({
            "id": self.id,
            "appId": self.app_id,
            "uniqueName": self.unique_name,
            "createdDateTime": self.created.map(time),
            "deletedDateTime": self.deleted.map(time),
            "publisherDomain": domain,
            "passwordCredentials": passwords,
            "applicationTemplateId": null,
            "certification": null,
            "disabledByMicrosoftStatus": null,
            "verifiedPublisher":
                {"displayName": null, "verifiedPublisherId": null, "addedDateTime": null},
        });
        if let (Value::Object(shown), Value::Object(own)) = (&mut shown, own) {
            shown.extend(own);
        }
        shown
    }

    /// The scopes that can be asked for.
    pub fn enabled_scopes(&self) -> impl Iterator<Item = &Scope> {
        self.properties.api.oauth2_permission_scopes.iter().filter(|scope| scope.is_enabled)
    }
}

impl ApplicationProperties {
    /// The redirect URIs of every platform.
    pub fn redirect_uris(&self) -> impl Iterator<Item = &String> {
        let others = self.spa.redirect_uris.iter().chain(&self.public_client.redirect_uris);
        self.web.redirect_uris.iter().chain(others)
    }
}

impl Password {
    fn shown(&self) -> Value {
        json!({
            "keyId": self.key_id,
            "displayName": self.display_name,
            "startDateTime": time(self.start),
            "endDateTime": time(self.end),
            "hint": self.hint,
            "secretText": null,
            "customKeyIdentifier": null,
        })
    }
}

/// A time as Graph writes it.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
