//! `/directoryObjects/getByIds`: what an object id is, and of which kind.
//!
//! Source: learn.microsoft.com/graph/api/directoryobject-getbyids.

use serde_json::{Value, json};

use super::answer::Reply;
use super::error::Error;
use super::users::DOMAIN;
use super::{Context, Directory, body};

/// Ids in one request.
const MOST: usize = 1000;

impl Directory {
    pub(super) fn objects_by_id(
        &self,
        context: &Context,
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        let body = body::object(body)?;
        let list = |name: &str| -> Vec<&str> {
            let values = body.get(name).and_then(Value::as_array).into_iter().flatten();
            values.filter_map(Value::as_str).collect()
        };
        let (ids, types) = (list("ids"), list("types"));
        if ids.is_empty() || ids.len() > MOST {
            return Err(Error::bad("Invalid value specified for property 'ids' of resource."));
        }
        let wanted = |kind: &str| {
            types.is_empty()
                || types.iter().any(|one| {
                    one.eq_ignore_ascii_case(kind) || one.eq_ignore_ascii_case("directoryObject")
                })
        };
        let found = ids.iter().filter_map(|id| self.object_by_id(context, id, &wanted));
        Ok(Reply::ok(json!({"value": found.collect::<Vec<_>>()})))
    }

    fn object_by_id(
        &self,
        context: &Context,
        id: &str,
        wanted: &impl Fn(&str) -> bool,
    ) -> Option<Value> {
        let typed = |kind: &str, mut shown: Value| {
            shown["@odata.type"] = json!(format!("#microsoft.graph.{kind}"));
            wanted(kind).then_some(shown)
        };
        let id = id.to_ascii_lowercase();
        if let Some(user) = self.known_user(&id) {
            return typed("user", user.shown());
        }
        if let Some(found) = self.service_principals.get(context.now, &id) {
            let shown = self.principal_shown(context, found);
            return typed("servicePrincipal", shown).filter(|_| found.deleted.is_none());
        }
        let found = self.applications.get(context.now, &id)?;
        let living = found.deleted.is_none();
        typed("application", found.shown(DOMAIN)).filter(|_| living)
    }
}
