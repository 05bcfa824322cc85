//! Roles, assignments and managed identities over HTTP.

use axum::http::Method;
use axum::http::request::Parts;
use serde_json::Value;

use super::route::Route;
use super::{Arm, query};
use crate::emulator::model::{Error, Principal, Reply, Right, within};

impl Arm {
    /// Answers on roles and assignments.
    pub(super) fn on_rights(
        &self,
        parts: &Parts,
        caller: &Principal,
        route: &Route,
        body: &Value,
    ) -> Result<Reply, Error> {
        let filter = query(parts, "$filter").unwrap_or_default();
        let by = caller.object;
        let directory = &self.directory;
        self.world.on(&parts.method, |azure, now| match (route, &parts.method) {
            (Route::Assignments(scope), _) => Ok(azure.list_assignments(scope, &filter)),
            (Route::Assignment(scope, name), &Method::PUT) => {
                let id = body["properties"]["principalId"].as_str().and_then(|id| id.parse().ok());
                let found = id.and_then(|id| directory.look(|known| known.principal_of(now, id)));
                azure.put_assignment(now, by, (scope, name), body, found)
            }
            (Route::Assignment(scope, name), &Method::DELETE) => {
                azure.delete_assignment(scope, name)
            }
            (Route::Assignment(scope, name), _) => azure.get_assignment(scope, name),
            (Route::Role(_, name), &Method::PUT) => azure.put_role(now, by, name, body),
            (Route::Role(_, name), &Method::DELETE) => azure.delete_role(name),
            (Route::Role(_, name), _) => azure.get_role(name),
            (Route::Roles(scope), _) => Ok(azure.list_roles(scope, &filter)),
            _ => Err(super::not_found(parts)),
        })
    }

    /// One user-assigned identity.
    pub(super) fn on_identity(
        &self,
        method: &Method,
        home: &str,
        name: &str,
        body: &Value,
    ) -> Result<Reply, Error> {
        self.world.on(method, |azure, now| match *method {
            Method::PUT => azure.put_identity(now, home, name, body),
            Method::DELETE => azure.delete_identity(now, home, name),
            _ => azure.get_identity(now, home, name),
        })
    }

    /// Leaves of a LIST what the caller may read.
    pub(super) fn keep_readable(&self, caller: &Principal, action: &str, listed: &mut Value) {
        let Some(resources) = listed.as_array_mut() else { return };
        let right = Right::Action(action);
        let scopes = self.world.look(|azure, now| azure.scopes(now, caller.object, right));
        resources.retain(|resource| {
            let id = resource["id"].as_str().unwrap_or_default();
            scopes.iter().any(|scope| within(id, scope))
        });
    }
}
