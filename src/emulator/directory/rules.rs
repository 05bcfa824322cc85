//! What Graph checks of an application that is written.

use std::collections::BTreeSet;

use url::Url;
use uuid::Uuid;

use super::application::{Application, ApplicationProperties};
use super::error::Error;
use super::{Directory, redirects, users};

const RESOURCE: &str = "Application";

impl Directory {
    /// Whether `after` may be written over `before`, which reads show as `seen`.
    pub(super) fn check_application(
        &self,
        before: Option<&Application>,
        seen: Option<&Application>,
        after: &Application,
    ) -> Result<(), Error> {
        let properties = &after.properties;
        if properties.display_name.is_empty() {
            return Err(Error::missing("displayName", RESOURCE));
        }
        if properties.display_name.chars().count() > 256 {
            return Err(invalid("displayName"));
        }
        if !matches!(properties.api.requested_access_token_version, None | Some(1 | 2)) {
            return Err(invalid("requestedAccessTokenVersion"));
        }
        distinct_permissions(properties)?;
        if let Some(before) = before {
            enabled_permissions_stay(&before.properties, properties)?;
        }
        pre_authorized_exist(before, seen, after)?;
        redirects::check(properties)?;
        self.check_identifiers(before, after)
    }

    /// learn.microsoft.com/entra/identity-platform/identifier-uri-restrictions: applications with v2.0
    /// tokens are exempt from the pattern.
    fn check_identifiers(
        &self,
        before: Option<&Application>,
        after: &Application,
    ) -> Result<(), Error> {
        let free = after.properties.api.requested_access_token_version == Some(2);
        for uri in &after.properties.identifier_uris {
            if before.is_some_and(|before| before.properties.identifier_uris.contains(uri)) {
                continue;
            }
            let parsed = Url::parse(uri).map_err(|_| invalid("identifierUris"))?;
            if !free && !self.is_secure(&parsed, after.app_id) {
                return Err(unverified(uri));
            }
            let taken = self.applications.latest().any(|other| {
                other.id != after.id
                    && other.deleted.is_none()
                    && other.properties.identifier_uris.contains(uri)
            });
            if taken {
                return Err(Error::taken("identifierUris"));
            }
        }
        Ok(())
    }

    fn is_secure(&self, uri: &Url, app_id: Uuid) -> bool {
        let parts: Vec<&str> = uri.host_str().into_iter().chain(uri.path().split('/')).collect();
        let names = |id: Uuid| parts.iter().any(|part| super::is_id(part, id));
        let verified = parts.first().is_some_and(|host| {
            *host == users::DOMAIN || host.ends_with(&format!(".{}", users::DOMAIN))
        });
        names(app_id) || names(self.settings.tenant) || verified
    }
}

/// Ids and values of scopes and roles are unique in an application.
fn distinct_permissions(properties: &ApplicationProperties) -> Result<(), Error> {
    let scopes = &properties.api.oauth2_permission_scopes;
    let roles = &properties.app_roles;
    let scope_ids: BTreeSet<Uuid> = scopes.iter().map(|scope| scope.id).collect();
    let role_ids: BTreeSet<Uuid> = roles.iter().map(|role| role.id).collect();
    let unique =
        |values: Vec<&String>| values.iter().collect::<BTreeSet<_>>().len() == values.len();
    let values_differ = unique(scopes.iter().filter_map(|scope| scope.value.as_ref()).collect())
        && unique(roles.iter().filter_map(|role| role.value.as_ref()).collect());
    if scope_ids.len() == scopes.len() && role_ids.len() == roles.len() && values_differ {
        return Ok(());
    }
    Err(Error::bad("Request contains a property with duplicate values."))
}

/// An enabled scope or role cannot be removed, nor get another id
/// (Azure-Samples/azure-search-openai-demo #1601; msgraph-sdk-powershell #1054).
fn enabled_permissions_stay(
    before: &ApplicationProperties,
    after: &ApplicationProperties,
) -> Result<(), Error> {
    let scopes: BTreeSet<Uuid> =
        after.api.oauth2_permission_scopes.iter().map(|scope| scope.id).collect();
    let roles: BTreeSet<Uuid> = after.app_roles.iter().map(|role| role.id).collect();
    let mut enabled_scopes = before.api.oauth2_permission_scopes.iter().filter(|s| s.is_enabled);
    let mut enabled_roles = before.app_roles.iter().filter(|role| role.is_enabled);
    let target = if enabled_scopes.any(|scope| !scopes.contains(&scope.id)) {
        "api.oauth2PermissionScopes"
    } else if enabled_roles.any(|role| !roles.contains(&role.id)) {
        "appRoles"
    } else {
        return Ok(());
    };
    let code = "CannotDeleteOrUpdateEnabledEntitlement";
    let message = "Permission (scope or role) cannot be deleted or updated unless disabled first.";
    Err(Error::new(400, code, message).about(code, target))
}

/// A newly pre-authorised scope must exist, stay, and have been there before this request as reads show
/// it: microsoft-graph-docs #12675 for code and text, microsoft-graph-docs-contrib #1395 for "before".
fn pre_authorized_exist(
    before: Option<&Application>,
    seen: Option<&Application>,
    after: &Application,
) -> Result<(), Error> {
    let scopes = |application: &Application| -> BTreeSet<Uuid> {
        let scopes = &application.properties.api.oauth2_permission_scopes;
        scopes.iter().map(|scope| scope.id).collect()
    };
    let pairs = |application: &Application| -> BTreeSet<(Uuid, Uuid)> {
        let clients = &application.properties.api.pre_authorized_applications;
        let of = clients.iter().flat_map(|client| {
            client.delegated_permission_ids.iter().map(|id| (client.app_id, *id))
        });
        of.collect()
    };
    let (known, held) =
        (seen.map(scopes).unwrap_or_default(), before.map(pairs).unwrap_or_default());
    let kept = scopes(after);
    let holds = |pair: &(Uuid, Uuid)| {
        kept.contains(&pair.1) && (known.contains(&pair.1) || held.contains(pair))
    };
    if pairs(after).iter().all(holds) {
        return Ok(());
    }
    let target = "api.preAuthorizedApplications.delegatedPermissionIds";
    let message = format!(
        "Property {target} has a Permission Id that cannot be found in the AppPermissions sets."
    );
    Err(Error::new(400, "InvalidValue", message).about("InvalidValue", target))
}

fn unverified(uri: &str) -> Error {
    Error::bad(format!(
        "Failed to add identifier URI {uri}. All newly added URIs must contain a tenant verified domain, \
         tenant ID, or app ID, as per the default tenant policy of your organization. See \
         https://aka.ms/identifier-uri-addition-error for more information on this error."
    ))
}

/// A value that its property cannot have.
pub(super) fn invalid(property: &str) -> Error {
    let message =
        format!("Invalid value specified for property '{property}' of resource '{RESOURCE}'.");
    Error::bad(message).about("InvalidValue", property)
}
