//! `/oauth2PermissionGrants`: what users, or an administrator for all of them, have consented to.
//!
//! Source: learn.microsoft.com/graph/api/resources/oauth2permissiongrant.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer::Reply;
use super::error::Error;
use super::route::Key;
use super::{Context, Directory, body};

const COLLECTION: &str = "oauth2PermissionGrants";
const KIND: &str = "oAuth2PermissionGrant";

/// Delegated permissions of one resource that a client has.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Object id of the client's service principal.
    pub client_id: Uuid,
    /// For whom.
    pub consent_type: ConsentType,
    /// The user, where it is for one.
    pub principal_id: Option<Uuid>,
    /// Object id of the resource's service principal.
    pub resource_id: Uuid,
    /// Values of scopes, with spaces between.
    pub scope: String,
}

/// For whom a grant is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ConsentType {
    /// All users of the tenant.
    AllPrincipals,
    /// One user.
    Principal,
}

impl Grant {
    /// What identifies it: client, resource and, where there is one, user.
    pub(super) fn id(&self) -> String {
        let ids = [Some(self.client_id), Some(self.resource_id), self.principal_id];
        let bytes: Vec<u8> = ids.into_iter().flatten().flat_map(|id| id.to_bytes_le()).collect();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn shown(&self) -> Value {
        let mut shown = json!(self);
        shown["id"] = json!(self.id());
        shown
    }
}

impl Directory {
    pub(super) fn on_grants(
        &mut self,
        context: &Context,
        method: &str,
        key: Option<&Key>,
        words: &[&str],
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        if let Some(other) = words.first() {
            return Err(Error::segment(other));
        }
        match (method, key) {
            ("GET", None) => {
                let objects = self.grants.shown(context.now).map(Grant::shown).collect();
                self.page(context, COLLECTION, KIND, objects)
            }
            ("POST", None) => self.create_grant(context, body),
            ("GET", Some(Key::Id(id))) => {
                let shown = self.grants.get(context.now, id).map(Grant::shown);
                let shown = shown.ok_or_else(|| Error::not_found(id))?;
                Ok(Reply::ok(self.one(context, COLLECTION, KIND, shown)?))
            }
            ("PATCH" | "DELETE", Some(Key::Id(id))) => {
                context.caller.check_owner()?;
                let seen = self.grants.get(context.now, id);
                let last = seen.and_then(|_| self.grants.last(id));
                let mut grant = last.cloned().ok_or_else(|| Error::not_found(id))?;
                if method == "DELETE" {
                    let shows = self.shows(context.now);
                    self.grants.remove(context.now, shows, id);
                } else {
                    let body = body::object(body)?;
                    text(&body, "scope")?.clone_into(&mut grant.scope);
                    self.put_grant(context, grant);
                }
                Ok(Reply::empty())
            }
            _ => Err(Error::method()),
        }
    }

    /// The grants of a client or of a user.
    pub(super) fn list_grants_of(&self, context: &Context, id: &str) -> Result<Reply, Error> {
        let shown = self.grants.shown(context.now);
        let of = shown.filter(|grant| {
            super::is_id(id, grant.client_id)
                || grant.principal_id.is_some_and(|user| super::is_id(id, user))
        });
        self.page(context, COLLECTION, KIND, of.map(Grant::shown).collect())
    }

    fn create_grant(&mut self, context: &Context, body: Option<&Value>) -> Result<Reply, Error> {
        context.caller.check_owner()?;
        let mut body = body::object(body)?;
        // Of Azure AD Graph, without meaning; clients still send them.
        for name in ["startTime", "expiryTime"] {
            body.remove(name);
        }
        let grant: Grant = serde_json::from_value(Value::Object(body)).map_err(|error| {
            Error::bad(format!("Unexpected contents in request body. ({error})"))
        })?;
        if (grant.consent_type == ConsentType::Principal) != grant.principal_id.is_some() {
            return Err(Error::bad("Invalid value specified for property 'principalId'."));
        }
        for id in [grant.client_id, grant.resource_id] {
            self.find_service_principal(context, "GET", &Key::Id(id.to_string()))?;
        }
        if let Some(user) = grant.principal_id.map(|id| id.to_string())
            && self.known_user(&user).is_none()
        {
            return Err(Error::not_found(&user));
        }
        if self.grants.last(&grant.id()).is_some() {
            // hashicorp/terraform-provider-azuread #690.
            let code = "Request_MultipleObjectsWithSameKeyValue";
            return Err(Error::new(409, code, "Permission entry already exists."));
        }
        let shown = self.one(context, COLLECTION, KIND, grant.shown())?;
        self.put_grant(context, grant);
        Ok(Reply::created(shown))
    }

    pub(super) fn put_grant(&mut self, context: &Context, grant: Grant) {
        let shows = self.shows(context.now);
        self.grants.put(context.now, shows, &grant.id(), grant);
    }
}

/// A text that a body must have.
pub(super) fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a str, Error> {
    let value = body.get(name).and_then(Value::as_str);
    value.ok_or_else(|| Error::bad(format!("A value is required for property '{name}'.")))
}
