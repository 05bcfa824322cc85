//! `owners` of applications and service principals.
//!
//! Sources: learn.microsoft.com/graph/api/application-{list,post,delete}-owners.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Reply;
use super::error::Error;
use super::service_principal::ServicePrincipal;
use super::{Application, Context, Directory};

impl Directory {
    pub(super) fn on_owners_of_application(
        &mut self,
        context: &Context,
        method: &str,
        id: &str,
        rest: &[&str],
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        if (method, rest) == ("GET", &[]) {
            let shown = self.applications.get(context.now, id);
            let owners = shown.map(|found| found.owners.clone()).unwrap_or_default();
            return self.list_owners(context, &owners);
        }
        let before = self.last_application(id)?.clone();
        self.check_owns(context.caller, &before.owners)?;
        let owners = self.change_owners(context, &before.owners, method, rest, body)?;
        self.put_application(context, Application { owners, ..before });
        Ok(Reply::empty())
    }

    pub(super) fn on_owners_of_service_principal(
        &mut self,
        context: &Context,
        method: &str,
        id: &str,
        rest: &[&str],
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        if (method, rest) == ("GET", &[]) {
            let shown = self.service_principals.get(context.now, id);
            let owners = shown.map(|found| found.owners.clone()).unwrap_or_default();
            return self.list_owners(context, &owners);
        }
        let before = self.last_service_principal(id)?.clone();
        self.check_owns(context.caller, &before.owners)?;
        let owners = self.change_owners(context, &before.owners, method, rest, body)?;
        self.put_service_principal(context, ServicePrincipal { owners, ..before });
        Ok(Reply::empty())
    }

    /// The owners after `POST owners/$ref` or `DELETE owners/ID/$ref`.
    fn change_owners(
        &self,
        context: &Context,
        before: &BTreeSet<Uuid>,
        method: &str,
        rest: &[&str],
        body: Option<&Value>,
    ) -> Result<BTreeSet<Uuid>, Error> {
        let mut owners = before.clone();
        match (method, rest) {
            ("POST", ["$ref"]) => {
                let owner = self.referenced(context, body)?;
                if !owners.insert(owner) {
                    return Err(Error::bad(
                        "One or more added object references already exist for the following modified \
                         properties: 'owners'.",
                    ));
                }
            }
            ("DELETE", [id, "$ref"]) => {
                let owner = id.parse().map_err(|_| Error::not_found(id))?;
                if !owners.remove(&owner) {
                    return Err(Error::not_found(id));
                }
            }
            _ => return Err(Error::method()),
        }
        Ok(owners)
    }

    /// The user or service principal that `@odata.id` names, by the last part of its URL.
    fn referenced(&self, context: &Context, body: Option<&Value>) -> Result<Uuid, Error> {
        let url = body.and_then(|body| body["@odata.id"].as_str()).unwrap_or_default();
        let last = url.rsplit('/').next().unwrap_or_default();
        let id: Uuid = last.parse().map_err(|_| Error::bad("Invalid entity reference URL."))?;
        let text = id.to_string();
        let principal = self.service_principals.get(context.now, &text);
        if principal.is_none_or(|found| found.deleted.is_some()) && self.known_user(&text).is_none()
        {
            return Err(Error::not_found(&text));
        }
        Ok(id)
    }

    fn list_owners(&self, context: &Context, owners: &BTreeSet<Uuid>) -> Result<Reply, Error> {
        let objects = owners.iter().filter_map(|id| self.owner_shown(context, *id)).collect();
        self.page(context, "directoryObjects", "directoryObject", objects)
    }

    fn owner_shown(&self, context: &Context, id: Uuid) -> Option<Value> {
        let text = id.to_string();
        if let Some(user) = self.known_user(&text) {
            let mut shown = user.shown();
            shown["@odata.type"] = json!("#microsoft.graph.user");
            return Some(shown);
        }
        let principal = self.service_principals.get(context.now, &text)?;
        let mut shown = self.principal_shown(context, principal);
        shown["@odata.type"] = json!("#microsoft.graph.servicePrincipal");
        Some(shown)
    }
}
