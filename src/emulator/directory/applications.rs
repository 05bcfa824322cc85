//! `/applications`.
//!
//! Sources: learn.microsoft.com/graph/api/application-{list,post-applications,get,update,upsert,delete}.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::answer::Reply;
use super::application::{Application, ApplicationProperties};
use super::error::Error;
use super::route::Key;
use super::{Context, Directory, body, users};

const COLLECTION: &str = "applications";
const KIND: &str = "application";

/// What the directory alone writes. A body may carry it as it is, as a read gave it.
const READ_ONLY: [&str; 11] = [
    "id",
    "appId",
    "createdDateTime",
    "deletedDateTime",
    "publisherDomain",
    "passwordCredentials",
    "applicationTemplateId",
    "certification",
    "disabledByMicrosoftStatus",
    "verifiedPublisher",
    "uniqueName",
];

impl Directory {
    pub(super) fn list_applications(&self, context: &Context) -> Result<Reply, Error> {
        let shown = self.applications.shown(context.now);
        let living = shown.filter(|application| application.deleted.is_none());
        let objects = living.map(|application| application.shown(users::DOMAIN)).collect();
        self.page(context, COLLECTION, KIND, objects)
    }

    pub(super) fn show_application(&self, context: &Context, id: &str) -> Result<Reply, Error> {
        let found = self.applications.get(context.now, id).ok_or_else(|| Error::not_found(id))?;
        let body = self.one(context, COLLECTION, KIND, found.shown(users::DOMAIN))?;
        Ok(Reply::ok(body))
    }

    pub(super) fn create_application(
        &mut self,
        context: &Context,
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        let mut body = body::object(body)?;
        let unique_name = match body.remove("uniqueName") {
            Some(Value::String(name)) => Some(name),
            Some(Value::Null) | None => None,
            Some(_) => return Err(Error::bad("Unexpected contents in request body.")),
        };
        self.create(context, unique_name, body)
    }

    /// PATCH: an upsert where it names `uniqueName` and prefers `create-if-missing`.
    pub(super) fn patch_application(
        &mut self,
        context: &Context,
        key: &Key,
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        let body = body::object(body)?;
        let prefer = context.headers.get("prefer").map(String::as_str).unwrap_or_default();
        let upsert = prefer.split([',', ';']).any(|part| part.trim() == "create-if-missing");
        match (self.find_application(context, "PATCH", key), key) {
            (Err(_), Key::Alternate(property, name)) if upsert && property == "uniquename" => {
                let mut body = body;
                body.remove("uniqueName");
                self.create(context, Some(name.clone()), body)
            }
            (found, _) => self.update(context, &found?, body),
        }
    }

    /// Deletes it and its service principal; both can be restored.
    pub(super) fn delete_application(
        &mut self,
        context: &Context,
        id: &str,
    ) -> Result<Reply, Error> {
        let mut application = self.last_application(id)?.clone();
        self.check_owns(context.caller, &application.owners)?;
        application.deleted = Some(context.now);
        let principal = self.service_principal(&application.app_id.to_string()).cloned();
        self.put_application(context, application);
        if let Some(mut principal) = principal {
            principal.deleted = Some(context.now);
            self.put_service_principal(context, principal);
        }
        Ok(Reply::empty())
    }

    /// The id of a living application that reads show. A write by object id needs no more than that
    /// it was made: `az ad sp create-for-rbac` adds a secret at once.
    pub(super) fn find_application(
        &self,
        context: &Context,
        method: &str,
        key: &Key,
    ) -> Result<String, Error> {
        if let Key::Id(given) = key
            && method != "GET"
        {
            let id = given.to_ascii_lowercase();
            return self
                .last_application(&id)
                .map(|_| id.clone())
                .map_err(|_| Error::not_found(given));
        }
        let mut living = self.applications.shown(context.now).filter(|a| a.deleted.is_none());
        let (found, given) = match key {
            Key::Id(given) => (living.find(|a| super::is_id(given, a.id)), given),
            Key::Alternate(name, given) if name == "appid" => {
                (living.find(|a| super::is_id(given, a.app_id)), given)
            }
            Key::Alternate(name, given) if name == "uniquename" => {
                (living.find(|a| a.unique_name.as_ref() == Some(given)), given)
            }
            Key::Alternate(name, _) => return Err(Error::segment(name)),
        };
        found.map(|application| application.id.to_string()).ok_or_else(|| Error::not_found(given))
    }

    /// A living application as last written: what a write begins with.
    pub(super) fn last_application(&self, id: &str) -> Result<&Application, Error> {
        let last = self.applications.last(id).filter(|application| application.deleted.is_none());
        last.ok_or_else(|| Error::not_found(id))
    }

    pub(super) fn put_application(&mut self, context: &Context, application: Application) {
        let shows = self.shows(context.now);
        self.applications.put(context.now, shows, &application.id.to_string(), application);
    }

    fn create(
        &mut self,
        context: &Context,
        unique_name: Option<String>,
        body: Map<String, Value>,
    ) -> Result<Reply, Error> {
        if let Some(name) = READ_ONLY.iter().find(|name| body.contains_key(**name)) {
            return Err(Error::read_only(name));
        }
        let properties = body::merge(&ApplicationProperties::default(), body)?;
        let (id, app_id) = (self.next_id(), self.next_id());
        let application = Application {
            id,
            app_id,
            unique_name,
            created: Some(context.now),
            deleted: None,
            properties,
            passwords: Vec::new(),
            federated_credentials: Vec::new(),
            owners: self.first_owners(context.caller),
        };
        self.check_unique_name(&application)?;
        self.check_application(None, None, &application)?;
        let body = self.one(context, COLLECTION, KIND, application.shown(users::DOMAIN))?;
        self.put_application(context, application);
        Ok(Reply::created(body))
    }

    fn update(
        &mut self,
        context: &Context,
        id: &str,
        body: Map<String, Value>,
    ) -> Result<Reply, Error> {
        let before = self.last_application(id)?;
        self.check_owns(context.caller, &before.owners)?;
        let mut body = body;
        let shown = before.shown(users::DOMAIN);
        for name in READ_ONLY {
            if body.remove(name).is_some_and(|value| value != shown[name]) {
                return Err(Error::read_only(name));
            }
        }
        let after =
            Application { properties: body::merge(&before.properties, body)?, ..before.clone() };
        let seen = self.applications.get(context.now, id);
        self.check_application(Some(before), seen, &after)?;
        self.put_application(context, after);
        Ok(Reply::empty())
    }

    /// A deleted application holds its name for 30 days (msgraph-bicep-types #137).
    fn check_unique_name(&self, new: &Application) -> Result<(), Error> {
        let Some(name) = &new.unique_name else { return Ok(()) };
        let names: BTreeSet<_> =
            self.applications.latest().filter_map(|other| other.unique_name.as_ref()).collect();
        if names.contains(name) { Err(Error::taken("uniqueName")) } else { Ok(()) }
    }
}
