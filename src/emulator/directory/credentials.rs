//! Client secrets and federated credentials of an application.
//!
//! Sources: learn.microsoft.com/graph/api/application-{addpassword,removepassword},
//! learn.microsoft.com/graph/api/resources/federatedidentitycredentials-overview.

use std::fmt::Write as _;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Months, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Reply;
use super::application::{Application, FederatedCredential, Password, time};
use super::error::Error;
use super::{Context, Directory, body};

/// Life of a secret where the body does not say.
const LIFE: Months = Months::new(24);
/// Characters of a secret.
const LENGTH: usize = 40;
/// Federated credentials of one application.
const FEDERATED: usize = 20;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Wanted {
    display_name: Option<String>,
    start_date_time: Option<DateTime<Utc>>,
    end_date_time: Option<DateTime<Utc>>,
}

impl Application {
    /// Whether `secret` is one of its client secrets and good at `now`.
    pub fn accepts_secret(&self, now: DateTime<Utc>, secret: &str) -> bool {
        let given = hash(secret);
        let good = self.passwords.iter().filter(|known| known.start <= now && now < known.end);
        good.fold(false, |found, known| {
            found | verify_slices_are_equal(known.digest.as_bytes(), given.as_bytes()).is_ok()
        })
    }
}

impl Directory {
    /// The only answer that ever has the secret.
    pub(super) fn add_password(
        &mut self,
        context: &Context,
        id: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        let mut body = body.map(|body| body::object(Some(body))).transpose()?.unwrap_or_default();
        let wanted = match body.remove("passwordCredential") {
            Some(Value::Null) | None => Wanted::default(),
            Some(given) => serde_json::from_value(given).map_err(|error| {
                Error::bad(format!("Unexpected contents in request body. ({error})"))
            })?,
        };
        let mut application = self.last_application(id)?.clone();
        self.check_owns(context.caller, &application.owners)?;
        let start = wanted.start_date_time.unwrap_or(context.now);
        let end = wanted.end_date_time.or_else(|| start.checked_add_months(LIFE));
        let end = end.filter(|end| *end > start);
        let end = end.ok_or_else(|| Error::bad("Key credential end date is invalid."))?;
        let key_id = self.next_id();
        let secret = self.secret(key_id);
        let password = Password {
            key_id,
            display_name: wanted.display_name,
            start,
            end,
            hint: secret.chars().take(3).collect(),
            digest: hash(&secret),
        };
        let shown = json!({
            "@odata.context":
                format!("{}/v1.0/$metadata#microsoft.graph.passwordCredential", self.settings.base_url),
            "keyId": key_id,
            "displayName": password.display_name,
            "startDateTime": time(start),
            "endDateTime": time(end),
            "hint": password.hint,
            "secretText": secret,
            "customKeyIdentifier": null,
        });
        application.passwords.push(password);
        self.put_application(context, application);
        Ok(Reply::ok(shown))
    }

    pub(super) fn remove_password(
        &mut self,
        context: &Context,
        id: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        let body = body::object(body)?;
        let given = body.get("keyId").and_then(Value::as_str).unwrap_or_default();
        let mut application = self.last_application(id)?.clone();
        self.check_owns(context.caller, &application.owners)?;
        let before = application.passwords.len();
        application.passwords.retain(|password| !super::is_id(given, password.key_id));
        if application.passwords.len() == before {
            return Err(Error::bad(format!("No password credential found with keyId {given}.")));
        }
        self.put_application(context, application);
        Ok(Reply::empty())
    }

    /// `name` is a federated credential's id or name.
    pub(super) fn on_federated(
        &mut self,
        context: &Context,
        method: &str,
        id: &str,
        name: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        let collection = format!("applications('{id}')/federatedIdentityCredentials");
        let kind = "federatedIdentityCredential";
        if method == "GET" {
            let shown =
                self.applications.get(context.now, id).ok_or_else(|| Error::not_found(id))?;
            let mut all = shown.federated_credentials.iter();
            let Some(name) = name else {
                return self.page(context, &collection, kind, all.map(|one| json!(one)).collect());
            };
            let found =
                all.find(|one| is_called(one, name)).ok_or_else(|| Error::not_found(name))?;
            return Ok(Reply::ok(self.one(context, &collection, kind, json!(found))?));
        }
        let mut application = self.last_application(id)?.clone();
        self.check_owns(context.caller, &application.owners)?;
        let all = &mut application.federated_credentials;
        let at = name.map(|name| {
            let at = all.iter().position(|one| is_called(one, name));
            at.ok_or_else(|| Error::not_found(name))
        });
        let reply = match (method, at.transpose()?) {
            ("POST", None) => {
                let new = self.new_federated(body)?;
                all.push(new.clone());
                Reply::created(self.one(context, &collection, kind, json!(new))?)
            }
            ("PATCH", Some(at)) => {
                let after = body::merge(&all[at], body::object(body)?)?;
                let before = std::mem::replace(&mut all[at], after);
                if (&before.id, &before.name) != (&all[at].id, &all[at].name) {
                    return Err(Error::read_only("name"));
                }
                Reply::empty()
            }
            ("DELETE", Some(at)) => {
                all.remove(at);
                Reply::empty()
            }
            _ => return Err(Error::method()),
        };
        check_federated(&application.federated_credentials)?;
        self.put_application(context, application);
        Ok(reply)
    }

    fn new_federated(&mut self, body: Option<&Value>) -> Result<FederatedCredential, Error> {
        let body = Value::Object(body::object(body)?);
        let new: FederatedCredential = serde_json::from_value(body).map_err(|error| {
            Error::bad(format!("Unexpected contents in request body. ({error})"))
        })?;
        Ok(FederatedCredential { id: self.next_id(), ..new })
    }

    fn secret(&self, key_id: Uuid) -> String {
        let text = format!("{}/password/{key_id}", self.settings.secret_seed);
        let mut secret = URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
        secret.truncate(LENGTH);
        secret
    }
}

/// Names are unique, and issuer and subject together; one audience each.
fn check_federated(all: &[FederatedCredential]) -> Result<(), Error> {
    if all.len() > FEDERATED {
        let message =
            format!("The limit of {FEDERATED} federated identity credentials is exceeded.");
        return Err(Error::bad(message));
    }
    for (at, one) in all.iter().enumerate() {
        if one.audiences.len() != 1 {
            return Err(Error::bad("Invalid value specified for property 'audiences'."));
        }
        let same = all[..at].iter().any(|other| {
            other.name == one.name || (other.issuer == one.issuer && other.subject == one.subject)
        });
        if same {
            let code = "Request_MultipleObjectsWithSameKeyValue";
            let message =
                format!("FederatedIdentityCredential with name {} already exists.", one.name);
            return Err(Error::new(409, code, message));
        }
    }
    Ok(())
}

fn is_called(one: &FederatedCredential, name: &str) -> bool {
    one.name == name || super::is_id(name, one.id)
}

fn hash(secret: &str) -> String {
    digest(&SHA256, secret.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
