//! Applications in Graph's spelling.
//! <https://learn.microsoft.com/graph/api/resources/application>

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::core::app_registration::{Application, Properties, RequiredAccess};

/// Reads an application; lists that are absent are empty.
pub(super) fn application(found: &Value) -> Option<Application> {
    let api = &found["api"];
    let version = api["requestedAccessTokenVersion"].as_u64().unwrap_or_default();
    let properties = Properties {
        display_name: Some(text(&found["displayName"])),
        sign_in_audience: Some(text(&found["signInAudience"])),
        token_version: u32::try_from(version).ok(),
        tags: Some(tags(found)),
        identifier_uris: Some(set(&found["identifierUris"])),
        web_redirect_uris: Some(set(&found["web"]["redirectUris"])),
        spa_redirect_uris: Some(set(&found["spa"]["redirectUris"])),
        // Null is no.
        fallback_public_client: Some(found["isFallbackPublicClient"] == true),
        scopes: Some(by_id(&api["oauth2PermissionScopes"])?),
        app_roles: Some(by_id(&found["appRoles"])?),
        pre_authorized: Some(pre_authorized(&api["preAuthorizedApplications"])),
        required_access: Some(required_access(&found["requiredResourceAccess"])),
    };
    Some(Application {
        object_id: found["id"].as_str()?.to_owned(),
        app_id: found["appId"].as_str()?.to_owned(),
        properties,
    })
}

/// What changes the properties that are there: the parts of `api`, `web` and `spa` that are not named
/// stay as they are.
pub(super) fn body(properties: &Properties) -> Value {
    let Properties {
        display_name,
        sign_in_audience,
        token_version,
        tags,
        identifier_uris,
        web_redirect_uris,
        spa_redirect_uris,
        fallback_public_client,
        scopes,
        app_roles,
        pre_authorized,
        required_access,
    } = properties;
    let mut api = Map::new();
    put(&mut api, "requestedAccessTokenVersion", token_version.map(|version| json!(version)));
    put(&mut api, "oauth2PermissionScopes", scopes.as_ref().map(list));
    let clients = |(app_id, ids): (&String, &BTreeSet<String>)| json!({ "appId": app_id, "delegatedPermissionIds": ids });
    let pre_authorized = pre_authorized.as_ref().map(|all| all.iter().map(clients).collect());
    put(&mut api, "preAuthorizedApplications", pre_authorized);
    let mut body = Map::new();
    put(&mut body, "displayName", display_name.as_ref().map(|name| json!(name)));
    put(&mut body, "signInAudience", sign_in_audience.as_ref().map(|audience| json!(audience)));
    put(&mut body, "tags", tags.as_ref().map(|tags| json!(tags)));
    put(&mut body, "identifierUris", identifier_uris.as_ref().map(|uris| json!(uris)));
    put(&mut body, "appRoles", app_roles.as_ref().map(list));
    let redirects = |uris: &BTreeSet<String>| json!({ "redirectUris": uris });
    put(&mut body, "web", web_redirect_uris.as_ref().map(redirects));
    put(&mut body, "spa", spa_redirect_uris.as_ref().map(redirects));
    put(&mut body, "isFallbackPublicClient", fallback_public_client.map(|public| json!(public)));
    put(&mut body, "api", (!api.is_empty()).then_some(Value::Object(api)));
    let access = |(app_id, access): (&String, &RequiredAccess)| {
        let one = |(id, kind): (&String, &String)| json!({ "id": id, "type": kind });
        json!({
            "resourceAppId": app_id,
            "resourceAccess": access.iter().map(one).collect::<Vec<_>>(),
        })
    };
    let required = required_access.as_ref().map(|all| all.iter().map(access).collect());
    put(&mut body, "requiredResourceAccess", required);
    Value::Object(body)
}

/// Tags of an object.
pub(super) fn tags(found: &Value) -> BTreeSet<String> {
    set(&found["tags"])
}

/// Scopes of a consent, which are one text.
pub(super) fn scopes(found: &Value) -> BTreeSet<String> {
    text(&found["scope"]).split_whitespace().map(str::to_owned).collect()
}

/// The same in one text.
pub(super) fn scope(scopes: &BTreeSet<String>) -> String {
    scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn put(map: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), value);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn set(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Elements by their id; `None` where one cannot be read, for it would be lost when the list is
/// written whole.
fn by_id<V: DeserializeOwned>(list: &Value) -> Option<BTreeMap<String, V>> {
    let all = list.as_array().into_iter().flatten();
    all.map(|one| Some((one["id"].as_str()?.to_owned(), V::deserialize(one).ok()?))).collect()
}

fn list<V: serde::Serialize>(all: &BTreeMap<String, V>) -> Value {
    let one = |(id, value): (&String, &V)| {
        let mut one = json!(value);
        one["id"] = json!(id);
        one
    };
    all.iter().map(one).collect()
}

fn pre_authorized(list: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let all = list.as_array().into_iter().flatten();
    all.map(|one| (text(&one["appId"]), set(&one["delegatedPermissionIds"]))).collect()
}

fn required_access(list: &Value) -> BTreeMap<String, RequiredAccess> {
    let access = |one: &Value| (text(&one["id"]), text(&one["type"]));
    let all = list.as_array().into_iter().flatten();
    all.map(|one| {
        let inner = one["resourceAccess"].as_array().into_iter().flatten().map(access);
        (text(&one["resourceAppId"]), inner.collect())
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_is_written() {
        let shown = json!({
            "id": "o", "appId": "a", "displayName": "n", "signInAudience": "AzureADMyOrg",
            "tags": ["t"], "identifierUris": ["api://a"],
            "web": {"redirectUris": ["https://w"], "logoutUrl": null},
            "spa": {"redirectUris": ["https://s/oauth2-redirect"]},
            "api": {
                "requestedAccessTokenVersion": 2,
                "acceptMappedClaims": null,
                "oauth2PermissionScopes": [{
                    "id": "s1", "value": "v", "type": "User", "isEnabled": true,
                    "adminConsentDisplayName": "d", "adminConsentDescription": "e",
                    "userConsentDisplayName": null, "userConsentDescription": null,
                }],
                "preAuthorizedApplications": [{"appId": "c", "delegatedPermissionIds": ["s1"]}],
            },
            "appRoles": [{
                "id": "r1", "value": "R", "displayName": "d", "description": "e",
                "isEnabled": true, "allowedMemberTypes": ["User"], "origin": "Application",
            }],
            "requiredResourceAccess": [
                {"resourceAppId": "x", "resourceAccess": [{"id": "p", "type": "Scope"}]},
            ],
            "uniqueName": "u",
        });
        let found = application(&shown).unwrap();
        let body = body(&found.properties);
        let mut again = body.clone();
        (again["id"], again["appId"]) = (json!("o"), json!("a"));
        assert_eq!(application(&again).unwrap(), found);
        assert_eq!(body["api"]["requestedAccessTokenVersion"], 2);
        assert_eq!(body["web"], json!({"redirectUris": ["https://w"]}));
        // Only what is said is sent.
        let one = Properties { token_version: Some(2), ..Properties::default() };
        assert_eq!(super::body(&one), json!({"api": {"requestedAccessTokenVersion": 2}}));
    }

    #[test]
    fn an_empty_application_has_empty_lists() {
        let found = application(&json!({"id": "o", "appId": "a", "displayName": null})).unwrap();
        assert_eq!(found.properties.token_version, Some(0));
        assert!(found.properties.redirect_uris().is_empty());
        let odd = json!({"id": "o", "appId": "a", "appRoles": [{"id": 7}]});
        assert!(application(&odd).is_none());
    }
}
