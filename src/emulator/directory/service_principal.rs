//! A service principal as the directory keeps it, and as Graph shows it.
//!
//! Source: learn.microsoft.com/graph/api/resources/serviceprincipal.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::application::{Application, ApplicationProperties, time};

/// An application's presence in the tenant.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ServicePrincipal {
    /// Object id: `oid` in tokens.
    pub id: Uuid,
    /// The application's client id.
    pub app_id: Uuid,
    /// What it stands for.
    pub kind: ServicePrincipalType,
    /// When it was made; none for what is always there.
    pub created: Option<DateTime<Utc>>,
    /// When it was deleted; it can be restored for 30 days.
    pub deleted: Option<DateTime<Utc>>,
    /// What PATCH may change.
    pub properties: ServicePrincipalProperties,
    /// Object ids of the principals that own it.
    pub owners: BTreeSet<Uuid>,
}

/// What a service principal stands for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ServicePrincipalType {
    /// An application.
    Application,
    /// A managed identity, which has no application object.
    ManagedIdentity,
}

/// The properties that a client may write.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ServicePrincipalProperties {
    /// Whether it can be signed in to, or with.
    pub account_enabled: bool,
    /// Whether only assigned users may sign in.
    pub app_role_assignment_required: bool,
    /// Name for people; as a rule the application's.
    pub display_name: Option<String>,
    /// Free texts.
    pub tags: Vec<String>,
    #[doc(hidden)]
    pub alternative_names: Vec<String>,
    #[doc(hidden)]
    pub description: Option<String>,
    #[doc(hidden)]
    pub homepage: Option<String>,
    #[doc(hidden)]
    pub login_url: Option<String>,
    #[doc(hidden)]
    pub logout_url: Option<String>,
    #[doc(hidden)]
    pub notes: Option<String>,
    #[doc(hidden)]
    pub notification_email_addresses: Vec<String>,
    #[doc(hidden)]
    pub preferred_single_sign_on_mode: Option<String>,
}

impl Default for ServicePrincipalProperties {
    fn default() -> Self {
        Self {
            account_enabled: true,
            app_role_assignment_required: false,
            display_name: None,
            tags: Vec::new(),
            alternative_names: Vec::new(),
            description: None,
            homepage: None,
            login_url: None,
            logout_url: None,
            notes: None,
            notification_email_addresses: Vec::new(),
            preferred_single_sign_on_mode: None,
        }
    }
}

impl ServicePrincipal {
    /// Its name for people, with `backing`, its application.
    pub(super) fn name(&self, backing: Option<&Application>) -> String {
        let own = self.properties.display_name.clone();
        own.or_else(|| Some(backing?.properties.display_name.clone())).unwrap_or_default()
    }

    /// As Graph shows it, with `backing`, its application.
    pub(super) fn shown(&self, backing: Option<&Application>, tenant: Uuid) -> Value {
        let nothing = ApplicationProperties::default();
        let properties = backing.map_or(&nothing, |application| &application.properties);
        let replies: Vec<&String> = properties.redirect_uris().collect();
        let names: Vec<String> = std::iter::once(self.app_id.to_string())
            .chain(properties.identifier_uris.iter().cloned())
            .collect();
        let mut shown = serde_json::to_value(&self.properties).unwrap_or_default();
        let own = json!({
            "id": self.id,
            "appId": self.app_id,
            "createdDateTime": self.created.map(time),
            "deletedDateTime": self.deleted.map(time),
            "servicePrincipalType": self.kind,
            "displayName": self.name(backing),
            "appDisplayName": backing.map(|application| &application.properties.display_name),
            "appDescription": properties.description,
            "appOwnerOrganizationId": backing.map(|_| tenant),
            "appRoles": properties.app_roles,
            "oauth2PermissionScopes": properties.api.oauth2_permission_scopes,
            "replyUrls": replies,
            "servicePrincipalNames": names,
            "signInAudience": backing.map(|application| application.properties.sign_in_audience),
            "keyCredentials": [],
            "passwordCredentials": [],
            "resourceSpecificApplicationPermissions": [],
            "applicationTemplateId": null,
            "disabledByMicrosoftStatus": null,
            "info": properties.info,
            "preferredTokenSigningKeyThumbprint": null,
            "samlSingleSignOnSettings": null,
            "tokenEncryptionKeyId": null,
            "verifiedPublisher":
                {"displayName": null, "verifiedPublisherId": null, "addedDateTime": null},
        });
        if let (Value::Object(shown), Value::Object(own)) = (&mut shown, own) {
            shown.extend(own);
        }
        shown
    }
}
