//! `appRoleAssignedTo` and `appRoleAssignments`: who has which role of a resource.
//!
//! Source: learn.microsoft.com/graph/api/resources/approleassignment.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer::Reply;
use super::application::time;
use super::error::Error;
use super::grants::text;
use super::{Context, Directory, body};

const KIND: &str = "appRoleAssignment";

/// One role that one principal has.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Assignment {
    /// Names it.
    pub id: String,
    /// The role; zero is access without a role.
    pub app_role_id: Uuid,
    /// Object id of the user or service principal that has it.
    pub principal_id: Uuid,
    /// `User` or `ServicePrincipal`.
    pub principal_type: String,
    /// Object id of the resource's service principal.
    pub resource_id: Uuid,
    /// When it was made; none for what is always there.
    pub created: Option<DateTime<Utc>>,
}

impl Assignment {
    /// A role of `resource` for the service principal `principal`, from the start.
    pub(super) fn to_application(principal: Uuid, role: Uuid, resource: Uuid) -> Self {
        Self {
            id: assignment_id(principal, role, resource),
            app_role_id: role,
            principal_id: principal,
            principal_type: "ServicePrincipal".to_owned(),
            resource_id: resource,
            created: None,
        }
    }
}

impl Directory {
    /// The values of the roles of `resource` (an `appId`) that the principal with this object id has.
    pub fn roles(&self, resource: Uuid, principal: Uuid) -> Vec<String> {
        let Some(resource) = self.service_principal(&resource.to_string()) else {
            return Vec::new();
        };
        let Some(application) = self.resource(resource.app_id) else { return Vec::new() };
        let held = self
            .assignments
            .latest()
            .filter(|held| held.principal_id == principal && held.resource_id == resource.id);
        let ids: Vec<Uuid> = held.map(|held| held.app_role_id).collect();
        let roles = application.properties.app_roles.into_iter();
        let enabled = roles.filter(|role| role.is_enabled && ids.contains(&role.id));
        enabled.filter_map(|role| role.value).collect()
    }

    /// `owner` is the object id in the path: the resource's under `appRoleAssignedTo`, else the
    /// principal's.
    pub(super) fn on_assignments(
        &mut self,
        context: &Context,
        method: &str,
        owner: &str,
        side: &str,
        id: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        let to = side == "approleassignedto";
        match (method, id) {
            ("GET", None) => {
                let of = self.assignments.shown(context.now).filter(|held| {
                    super::is_id(owner, if to { held.resource_id } else { held.principal_id })
                });
                let objects = of.map(|held| self.assignment_shown(context, held)).collect();
                let collection = if to { "appRoleAssignedTo" } else { "appRoleAssignments" };
                self.page(context, collection, KIND, objects)
            }
            ("POST", None) => self.assign(context, owner, to, body),
            ("DELETE", Some(id)) => {
                context.caller.check_owner()?;
                self.assignments.get(context.now, id).ok_or_else(|| Error::not_found(id))?;
                let shows = self.shows(context.now);
                self.assignments.remove(context.now, shows, id);
                Ok(Reply::empty())
            }
            _ => Err(Error::method()),
        }
    }

    fn assign(
        &mut self,
        context: &Context,
        owner: &str,
        to: bool,
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        context.caller.check_owner()?;
        let body = body::object(body)?;
        let (principal, resource) = (uuid(&body, "principalId")?, uuid(&body, "resourceId")?);
        let role = uuid(&body, "appRoleId")?;
        if !super::is_id(owner, if to { resource } else { principal }) {
            return Err(Error::bad("Not a valid reference update."));
        }
        self.check_role(resource, role)?;
        let principal_type = self.principal_type(context, principal)?;
        let assignment = Assignment {
            id: assignment_id(principal, role, resource),
            principal_type: principal_type.to_owned(),
            created: Some(context.now),
            ..Assignment::to_application(principal, role, resource)
        };
        if self.assignments.last(&assignment.id).is_some() {
            let message = "Permission being assigned already exists on the object";
            return Err(Error::bad(message).about("InvalidUpdate", "appRoleAssignment"));
        }
        let body = self.assignment_shown(context, &assignment);
        let body = self.one(context, "appRoleAssignments", KIND, body)?;
        let shows = self.shows(context.now);
        self.assignments.put(context.now, shows, &assignment.id.clone(), assignment);
        Ok(Reply::created(body))
    }

    fn check_role(&self, resource: Uuid, role: Uuid) -> Result<(), Error> {
        let principal = self.last_service_principal(&resource.to_string())?;
        let known = self.resource(principal.app_id).is_some_and(|application| {
            application.properties.app_roles.iter().any(|of| of.id == role && of.is_enabled)
        });
        if known || role.is_nil() {
            return Ok(());
        }
        let app_id = principal.app_id;
        let message = format!("Permission being assigned was not found on application '{app_id}'.");
        Err(Error::bad(message).about("InvalidUpdate", "appRoleAssignment"))
    }

    fn principal_type(&self, context: &Context, id: Uuid) -> Result<&'static str, Error> {
        let text = id.to_string();
        if self.known_user(&text).is_some() {
            return Ok("User");
        }
        let found = self.service_principals.get(context.now, &text);
        found.map(|_| "ServicePrincipal").ok_or_else(|| Error::not_found(&text))
    }

    fn assignment_shown(&self, context: &Context, held: &Assignment) -> Value {
        json!({
            "id": held.id,
            "appRoleId": held.app_role_id,
            "principalId": held.principal_id,
            "principalType": held.principal_type,
            "principalDisplayName": self.name_of(context, held.principal_id),
            "resourceId": held.resource_id,
            "resourceDisplayName": self.name_of(context, held.resource_id),
            "createdDateTime": held.created.map(time),
            "deletedDateTime": null,
        })
    }

    fn name_of(&self, context: &Context, id: Uuid) -> Option<String> {
        let text = id.to_string();
        if let Some(user) = self.known_user(&text) {
            return Some(user.display_name.clone());
        }
        let principal = self.service_principals.last(&text)?;
        Some(principal.name(self.backing(context.now, principal.app_id).as_ref()))
    }
}

fn assignment_id(principal: Uuid, role: Uuid, resource: Uuid) -> String {
    URL_SAFE_NO_PAD.encode([principal, role, resource].map(|id| id.to_bytes_le()).concat())
}

fn uuid(body: &Map<String, Value>, name: &str) -> Result<Uuid, Error> {
    let text = text(body, name)?;
    text.parse().map_err(|_| Error::bad(format!("Invalid value specified for property '{name}'.")))
}
