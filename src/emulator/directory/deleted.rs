//! `/directory/deletedItems`: what was deleted in the last 30 days.
//!
//! Sources: learn.microsoft.com/graph/api/directory-deleteditems-{list,get,restore,delete}. Restoring an
//! application does not restore its service principal.

use serde_json::Value;

use super::answer::Reply;
use super::error::Error;
use super::service_principal::ServicePrincipal;
use super::service_principals::no_backing;
use super::{Application, Context, Directory, users};

const COLLECTION: &str = "directoryObjects";

impl Directory {
    /// `words` follow `deletedItems`, in lower case.
    pub(super) fn on_deleted(
        &mut self,
        context: &Context,
        method: &str,
        words: &[&str],
    ) -> Result<Reply, Error> {
        match (method, words) {
            ("GET", ["microsoft.graph.application"]) => {
                let shown = self.applications.shown(context.now);
                let deleted = shown.filter(|application| application.deleted.is_some());
                let objects = deleted.map(|found| found.shown(users::DOMAIN)).collect();
                self.page(context, COLLECTION, "application", objects)
            }
            ("GET", ["microsoft.graph.serviceprincipal"]) => {
                let shown = self.service_principals.shown(context.now);
                let deleted = shown.filter(|principal| principal.deleted.is_some());
                let objects = deleted.map(|found| self.principal_shown(context, found)).collect();
                self.page(context, COLLECTION, "servicePrincipal", objects)
            }
            (_, [id]) if id.parse::<uuid::Uuid>().is_ok() => self.on_item(context, method, id),
            ("POST", [id, "restore"]) => self.restore_item(context, id),
            // The cast is a required part of a list's URI.
            (_, [other, ..]) => Err(Error::segment(other)),
            (_, []) => Err(Error::segment("deletedItems")),
        }
    }

    fn on_item(&mut self, context: &Context, method: &str, id: &str) -> Result<Reply, Error> {
        let (shows, now) = (self.shows(context.now), context.now);
        if let Some(found) = self.deleted_application(context, id) {
            return match method {
                "GET" => self.item(context, "application", found.shown(users::DOMAIN)),
                "DELETE" => {
                    self.check_owns(context.caller, &found.owners)?;
                    self.applications.remove(now, shows, id);
                    Ok(Reply::empty())
                }
                _ => Err(Error::method()),
            };
        }
        let found = self.deleted_principal(context, id).ok_or_else(|| Error::not_found(id))?;
        match method {
            "GET" => self.item(context, "servicePrincipal", self.principal_shown(context, &found)),
            "DELETE" => {
                self.check_owns(context.caller, &found.owners)?;
                self.service_principals.remove(now, shows, id);
                Ok(Reply::empty())
            }
            _ => Err(Error::method()),
        }
    }

    fn restore_item(&mut self, context: &Context, id: &str) -> Result<Reply, Error> {
        if let Some(found) = self.deleted_application(context, id) {
            self.check_owns(context.caller, &found.owners)?;
            let restored = Application { deleted: None, ..found };
            self.check_application(None, Some(&restored), &restored)?;
            let shown = restored.shown(users::DOMAIN);
            self.put_application(context, restored);
            return self.item(context, "application", shown);
        }
        let found = self.deleted_principal(context, id).ok_or_else(|| Error::not_found(id))?;
        self.check_owns(context.caller, &found.owners)?;
        let app_id = found.app_id.to_string();
        if self.backing(context.now, found.app_id).is_none() {
            return Err(no_backing(&app_id));
        }
        if self.service_principal(&app_id).is_some() {
            return Err(Error::name_in_use(&app_id));
        }
        let restored = ServicePrincipal { deleted: None, ..found };
        let shown = self.principal_shown(context, &restored);
        self.put_service_principal(context, restored);
        self.item(context, "servicePrincipal", shown)
    }

    fn item(&self, context: &Context, kind: &str, mut shown: Value) -> Result<Reply, Error> {
        shown["@odata.type"] = Value::from(format!("#microsoft.graph.{kind}"));
        Ok(Reply::ok(self.one(context, COLLECTION, kind, shown)?))
    }

    /// A deleted application that reads show as deleted, and that still is.
    fn deleted_application(&self, context: &Context, id: &str) -> Option<Application> {
        self.applications.get(context.now, id)?.deleted?;
        self.applications.last(id).filter(|last| last.deleted.is_some()).cloned()
    }

    fn deleted_principal(&self, context: &Context, id: &str) -> Option<ServicePrincipal> {
        self.service_principals.get(context.now, id)?.deleted?;
        self.service_principals.last(id).filter(|last| last.deleted.is_some()).cloned()
    }
}
