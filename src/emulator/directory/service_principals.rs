//! `/servicePrincipals`.
//!
//! Sources: learn.microsoft.com/graph/api/serviceprincipal-{list,post-serviceprincipals,get,update,delete}.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::answer::Reply;
use super::application::Application;
use super::error::Error;
use super::route::Key;
use super::service_principal::{
    ServicePrincipal, ServicePrincipalProperties, ServicePrincipalType,
};
use super::{Caller, Context, Directory, GRAPH_APP_ID, body, well_known};

const COLLECTION: &str = "servicePrincipals";
const KIND: &str = "servicePrincipal";

impl Directory {
    pub(super) fn list_service_principals(&self, context: &Context) -> Result<Reply, Error> {
        let shown = self.service_principals.shown(context.now);
        let living = shown.filter(|principal| principal.deleted.is_none());
        let objects = living.map(|principal| self.principal_shown(context, principal)).collect();
        self.page(context, COLLECTION, KIND, objects)
    }

    pub(super) fn show_service_principal(
        &self,
        context: &Context,
        id: &str,
    ) -> Result<Reply, Error> {
        let found = self.service_principals.get(context.now, id);
        let found = found.ok_or_else(|| Error::not_found(id))?;
        let shown = self.principal_shown(context, found);
        Ok(Reply::ok(self.one(context, COLLECTION, KIND, shown)?))
    }

    pub(super) fn create_service_principal(
        &mut self,
        context: &Context,
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        let mut body = body::object(body)?;
        let given = body.remove("appId").and_then(|id| Some(id.as_str()?.to_owned()));
        let given = given.ok_or_else(|| Error::missing("appId", "ServicePrincipal"))?;
        let app_id: Uuid = given.parse().map_err(|_| no_backing(&given))?;
        let backing = self.backing(context.now, app_id).ok_or_else(|| no_backing(&given))?;
        if context.caller != Caller::Owner {
            self.check_owns(context.caller, &backing.owners)?;
        }
        if self.service_principal(&given).is_some() {
            return Err(Error::name_in_use(&given));
        }
        let properties = body::merge(&ServicePrincipalProperties::default(), own(body))?;
        let principal = self.new_service_principal(context.now, app_id, context.caller);
        let principal = ServicePrincipal { properties, ..principal };
        let shown = principal.shown(Some(&backing), self.settings.tenant);
        let body = self.one(context, COLLECTION, KIND, shown)?;
        self.put_service_principal(context, principal);
        Ok(Reply::created(body))
    }

    pub(super) fn patch_service_principal(
        &mut self,
        context: &Context,
        id: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        let body = body::object(body)?;
        let before = self.last_service_principal(id)?;
        self.check_owns(context.caller, &before.owners)?;
        let properties = body::merge(&before.properties, body)?;
        let after = ServicePrincipal { properties, ..before.clone() };
        self.put_service_principal(context, after);
        Ok(Reply::empty())
    }

    pub(super) fn delete_service_principal(
        &mut self,
        context: &Context,
        id: &str,
    ) -> Result<Reply, Error> {
        let before = self.last_service_principal(id)?;
        self.check_owns(context.caller, &before.owners)?;
        let after = ServicePrincipal { deleted: Some(context.now), ..before.clone() };
        self.put_service_principal(context, after);
        Ok(Reply::empty())
    }

    /// The id of a living service principal that reads show. A write by object id needs no more than
    /// that it was made.
    pub(super) fn find_service_principal(
        &self,
        context: &Context,
        method: &str,
        key: &Key,
    ) -> Result<String, Error> {
        if let Key::Id(given) = key
            && method != "GET"
        {
            let id = given.to_ascii_lowercase();
            let found = self.last_service_principal(&id).map(|_| id.clone());
            return found.map_err(|_| Error::not_found(given));
        }
        let shown = self.service_principals.shown(context.now);
        let mut living = shown.filter(|principal| principal.deleted.is_none());
        let (found, given) = match key {
            Key::Id(given) => (living.find(|p| super::is_id(given, p.id)), given),
            Key::Alternate(name, given) if name == "appid" => {
                (living.find(|p| super::is_id(given, p.app_id)), given)
            }
            Key::Alternate(name, _) => return Err(Error::segment(name)),
        };
        found.map(|principal| principal.id.to_string()).ok_or_else(|| Error::not_found(given))
    }

    /// A living service principal as last written: what a write begins with.
    pub(super) fn last_service_principal(&self, id: &str) -> Result<&ServicePrincipal, Error> {
        let last = self.service_principals.last(id).filter(|found| found.deleted.is_none());
        last.ok_or_else(|| Error::not_found(id))
    }

    pub(super) fn put_service_principal(&mut self, context: &Context, new: ServicePrincipal) {
        let shows = self.shows(context.now);
        self.service_principals.put(context.now, shows, &new.id.to_string(), new);
    }

    pub(super) fn new_service_principal(
        &mut self,
        now: DateTime<Utc>,
        app_id: Uuid,
        caller: Caller,
    ) -> ServicePrincipal {
        ServicePrincipal {
            id: self.next_id(),
            app_id,
            kind: ServicePrincipalType::Application,
            created: Some(now),
            deleted: None,
            properties: ServicePrincipalProperties::default(),
            owners: self.first_owners(caller),
        }
    }

    /// The living application of `app_id` that reads show.
    pub(super) fn backing(&self, now: DateTime<Utc>, app_id: Uuid) -> Option<Application> {
        if app_id == GRAPH_APP_ID {
            return Some(well_known::graph());
        }
        let mut living = self.applications.shown(now).filter(|found| found.deleted.is_none());
        living.find(|found| found.app_id == app_id).cloned()
    }

    /// The living application of `app_id` as last written.
    pub(super) fn resource(&self, app_id: Uuid) -> Option<Application> {
        if app_id == GRAPH_APP_ID {
            return Some(well_known::graph());
        }
        self.application_by_app_id(&app_id.to_string()).cloned()
    }

    pub(super) fn principal_shown(&self, context: &Context, principal: &ServicePrincipal) -> Value {
        let backing = self.backing(context.now, principal.app_id);
        principal.shown(backing.as_ref(), self.settings.tenant)
    }
}

/// Without what Graph takes from the application.
fn own(mut body: Map<String, Value>) -> Map<String, Value> {
    body.remove("servicePrincipalType");
    body
}

/// hashicorp/go-azure-sdk has the text, msgraph-sdk-powershell #846 the case; it is what follows when a
/// new application does not show yet.
pub(super) fn no_backing(app_id: &str) -> Error {
    let message = format!(
        "The appId '{app_id}' of the service principal does not reference a valid application object."
    );
    Error::bad(message).about("NoBackingApplicationObject", "appId")
}
