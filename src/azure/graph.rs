//! Microsoft Graph, as far as applications need it: <https://learn.microsoft.com/graph/api/overview>.
//!
//! [`Graph`] implements the port [`Directory`] over a [`Transport`], which
//! carries one request to Graph and its answer back. It decides nothing, repeats nothing and waits for
//! nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::headers::Headers;
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::fault::{GRAPH, Refusal};
use crate::core::Fault;
use crate::core::app_registration::{Application, Deleted, Grant, Identity, Properties};
use crate::ports::{ApplicationKey, Directory, Named};

mod grant;
mod granted;
mod pipe;
mod wire;

pub use pipe::Pipe;

/// Carries requests to Graph.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request, with a token, and brings the answer, whatever its status.
    ///
    /// # Errors
    /// There is no answer, or no token to ask with.
    async fn send(&self, request: &Request) -> Result<Answer, Fault>;
    /// Whose token that is.
    ///
    /// # Errors
    /// There is no token.
    async fn caller(&self) -> Result<Caller, Fault>;
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it is for: the label of metrics and logs.
    pub operation: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// Path and query, from `/v1.0`, percent-encoded.
    pub path: String,
    /// Headers beside those of every request, lower case.
    pub headers: Vec<(&'static str, &'static str)>,
    /// JSON.
    pub body: Option<Value>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body; empty where there is none.
    pub body: Vec<u8>,
}

/// Whose token we use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// Tenant.
    pub tenant: String,
    /// Object id of the user or service principal.
    pub object_id: String,
    /// Where users of the tenant sign in.
    pub authority: String,
    /// Graph's address, without a slash at the end.
    pub graph: String,
}

/// Graph over a transport.
#[derive(Clone, Debug)]
pub struct Graph<T> {
    transport: T,
}

/// After this time an object that was just made is tried again.
const REPLICATION: Duration = Duration::from_secs(5);
/// A list that goes on beyond so many pages goes in circles.
const MOST_PAGES: usize = 100;

impl<T: Transport> Graph<T> {
    /// A client.
    pub fn new(transport: T) -> Self {
        Self { transport }
    }

    async fn get(&self, operation: &'static str, path: String) -> Result<Option<Value>, Fault> {
        match self.send(operation, "GET", path, None).await? {
            Ok(found) => Ok(Some(found)),
            Err(refusal) if is_absence(&refusal) => Ok(None),
            Err(refusal) => Err(self.fault(refusal, grant::APPLICATIONS).await),
        }
    }

    async fn write(
        &self,
        operation: &'static str,
        method: &'static str,
        path: String,
        body: Option<Value>,
    ) -> Result<(), Fault> {
        match self.send(operation, method, path, body).await? {
            Ok(_) => Ok(()),
            Err(refusal) if method == "DELETE" && is_absence(&refusal) => Ok(()),
            Err(refusal) => {
                let consent = operation.starts_with("oauth2PermissionGrants");
                let right = if consent { grant::CONSENTS } else { grant::APPLICATIONS };
                Err(self.fault(refusal, right).await)
            }
        }
    }

    /// The first element of a list that is wanted, page after page.
    async fn find(
        &self,
        operation: &'static str,
        path: String,
        right: grant::Right,
        wanted: impl Fn(&Value) -> bool + Send + Sync,
    ) -> Result<Option<Value>, Fault> {
        let mut path = path;
        for _ in 0..MOST_PAGES {
            let mut page = match self.send(operation, "GET", path, None).await? {
                Ok(page) => page,
                Err(refusal) => return Err(self.fault(refusal, right).await),
            };
            let elements = match page["value"].take() {
                Value::Array(elements) => elements,
                _ => Vec::new(),
            };
            if let Some(found) = elements.into_iter().find(|element| wanted(element)) {
                return Ok(Some(found));
            }
            match page["@odata.nextLink"].as_str() {
                Some(link) => path = self.below(link).await?,
                None => return Ok(None),
            }
        }
        Err(unreadable("the list does not end"))
    }

    /// Path and query of a link that the server gave us: to Graph itself, or nowhere.
    async fn below(&self, link: &str) -> Result<String, Fault> {
        let graph = self.transport.caller().await?.graph;
        let path = link.strip_prefix(&graph).filter(|path| path.starts_with("/v1.0/"));
        path.map(str::to_owned).ok_or_else(|| Fault::Refused {
            service: GRAPH,
            code: "UntrustedAnswer".to_owned(),
            message: "a link leads away from Graph and is not followed".to_owned(),
        })
    }

    async fn send(
        &self,
        operation: &'static str,
        method: &'static str,
        path: String,
        body: Option<Value>,
    ) -> Result<Result<Value, Refusal>, Fault> {
        let upsert = operation == UPSERT;
        let headers = if upsert { vec![("prefer", "create-if-missing")] } else { Vec::new() };
        let request = Request { operation, method, path, headers, body };
        let Answer { status, headers, body } = self.transport.send(&request).await?;
        if (200..300).contains(&status) {
            if body.is_empty() {
                return Ok(Ok(Value::Null));
            }
            // The parser's words could quote the body.
            let value = serde_json::from_slice(&body);
            return value.map(Ok).map_err(|_| unreadable("the answer is not JSON"));
        }
        let mut all = Headers::new();
        for (name, value) in headers {
            all.insert(name.to_ascii_lowercase(), value);
        }
        Ok(Err(Refusal::read(status, &all, &body)))
    }

    /// What a refusal means for the next pass.
    async fn fault(&self, refusal: Refusal, right: grant::Right) -> Fault {
        let service = GRAPH;
        let Refusal { status, code, message, retry_after } = refusal;
        match status {
            403 if code == "Authorization_RequestDenied" => {
                // Without a token there would be no answer at all.
                let caller = self.transport.caller().await.ok();
                Fault::NotGranted {
                    service,
                    message,
                    remedy: grant::remedy(right, caller.as_ref()),
                }
            }
            401 | 403 => Fault::Forbidden { service, message },
            // What was just made, and is not there yet for whoever answers.
            404 | 409 => Fault::Busy { service, message, retry_after: Some(REPLICATION) },
            400 if message.contains("does not reference a valid application object") => {
                Fault::Busy { service, message, retry_after: Some(REPLICATION) }
            }
            429 => Fault::Throttled { service, retry_after },
            408 | 500.. => Fault::Failing { service, message, retry_after },
            _ if code.is_empty() => Fault::Refused { service, code: status.to_string(), message },
            _ => Fault::Refused { service, code, message },
        }
    }
}

/// The operation that wants a header of its own.
const UPSERT: &str = "applications.upsert";

#[async_trait]
impl<T: Transport> Directory for Graph<T> {
    async fn identity(&self) -> Result<Identity, Fault> {
        let Caller { tenant, authority, .. } = self.transport.caller().await?;
        Ok(Identity { tenant, authority })
    }

    async fn application(&self, key: &ApplicationKey) -> Result<Option<Application>, Fault> {
        let path = match key {
            ApplicationKey::UniqueName(name) => by("applications", "uniqueName", name),
            ApplicationKey::AppId(id) => by("applications", "appId", id),
        };
        let found = self.get("applications.get", path).await?;
        let read = |found| {
            wire::application(&found).ok_or_else(|| unreadable("the answer is no application"))
        };
        found.map(read).transpose()
    }

    async fn upsert(&self, unique_name: &str, properties: &Properties) -> Result<Named, Fault> {
        let path = by("applications", "uniqueName", unique_name);
        match self.send(UPSERT, "PATCH", path, Some(wire::body(properties))).await? {
            Ok(_) => Ok(Named::Done),
            Err(refusal) if is_taken(&refusal) => Ok(Named::Taken),
            Err(refusal) => Err(self.fault(refusal, grant::APPLICATIONS).await),
        }
    }

    async fn update(&self, object_id: &str, properties: &Properties) -> Result<(), Fault> {
        let path = below("applications", object_id)?;
        self.write("applications.update", "PATCH", path, Some(wire::body(properties))).await
    }

    async fn delete(&self, object_id: &str) -> Result<(), Fault> {
        let path = below("applications", object_id)?;
        self.write("applications.delete", "DELETE", path, None).await
    }

    async fn principal(&self, app_id: &str) -> Result<Option<String>, Fault> {
        let path = by("servicePrincipals", "appId", app_id);
        let found = self.get("servicePrincipals.get", path).await?;
        found.map(|found| id(&found)).transpose()
    }

    async fn create_principal(&self, app_id: &str) -> Result<(), Fault> {
        let (path, body) = ("/v1.0/servicePrincipals".to_owned(), json!({ "appId": app_id }));
        self.write("servicePrincipals.create", "POST", path, Some(body)).await
    }

    async fn deleted_application(&self, unique_name: &str) -> Result<Option<Deleted>, Fault> {
        let path = "/v1.0/directory/deletedItems/microsoft.graph.application".to_owned();
        let wanted = |found: &Value| found["uniqueName"] == unique_name;
        let found = self.find("deletedItems.list", path, grant::READING, wanted).await?;
        found
            .map(|found| Ok(Deleted { object_id: id(&found)?, tags: wire::tags(&found) }))
            .transpose()
    }

    async fn deleted_principal(&self, app_id: &str) -> Result<Option<String>, Fault> {
        let path = "/v1.0/directory/deletedItems/microsoft.graph.servicePrincipal".to_owned();
        let wanted = |found: &Value| found["appId"] == app_id;
        let found = self.find("deletedItems.list", path, grant::READING, wanted).await?;
        found.map(|found| id(&found)).transpose()
    }

    async fn restore(&self, object_id: &str) -> Result<(), Fault> {
        let path = format!("{}/restore", below("directory/deletedItems", object_id)?);
        self.write("deletedItems.restore", "POST", path, None).await
    }

    async fn consent(&self, client: &str, resource: &str) -> Result<Option<Grant>, Fault> {
        let filter = encode(&format!("clientId eq '{}'", quote(client)));
        let path = format!("/v1.0/oauth2PermissionGrants?$filter={filter}");
        let wanted = |found: &Value| {
            found["resourceId"] == resource && found["consentType"] == "AllPrincipals"
        };
        let found = self.find("oauth2PermissionGrants.list", path, grant::CONSENTS, wanted).await?;
        found.map(|found| Ok(Grant { id: id(&found)?, scopes: wire::scopes(&found) })).transpose()
    }

    async fn give_consent(
        &self,
        client: &str,
        resource: &str,
        scopes: &BTreeSet<String>,
    ) -> Result<(), Fault> {
        let body = json!({
            "clientId": client,
            "consentType": "AllPrincipals",
            "resourceId": resource,
            "scope": wire::scope(scopes),
        });
        let path = "/v1.0/oauth2PermissionGrants".to_owned();
        self.write("oauth2PermissionGrants.create", "POST", path, Some(body)).await
    }

    async fn change_consent(&self, id: &str, scopes: &BTreeSet<String>) -> Result<(), Fault> {
        let path = below("oauth2PermissionGrants", id)?;
        let body = json!({ "scope": wire::scope(scopes) });
        self.write("oauth2PermissionGrants.update", "PATCH", path, Some(body)).await
    }

    async fn revoke_consent(&self, id: &str) -> Result<(), Fault> {
        let path = below("oauth2PermissionGrants", id)?;
        self.write("oauth2PermissionGrants.delete", "DELETE", path, None).await
    }
}

/// Whether this is Graph saying that the object is not there; a 404 of a proxy is not.
fn is_absence(refusal: &Refusal) -> bool {
    refusal.status == 404 && refusal.code == "Request_ResourceNotFound"
}

/// Whether a deleted object holds the name: microsoftgraph/msgraph-bicep-types issue 137.
fn is_taken(refusal: &Refusal) -> bool {
    refusal.status == 400 && refusal.message.contains("property uniqueName already exists")
}

/// An object by another key than its id.
fn by(set: &str, key: &str, value: &str) -> String {
    format!("/v1.0/{set}({key}='{}')", encode(&quote(value)))
}

/// An object by its id, which came from Graph.
fn below(set: &str, id: &str) -> Result<String, Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.is_empty() || !id.chars().all(plain) {
        return Err(unreadable("an id is none"));
    }
    Ok(format!("/v1.0/{set}/{id}"))
}

/// A quote in a text of `OData` is doubled.
fn quote(text: &str) -> String {
    text.replace('\'', "''")
}

fn encode(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn id(found: &Value) -> Result<String, Fault> {
    let id = found["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| unreadable("an object has no id"))
}

fn unreadable(message: &str) -> Fault {
    Fault::Failing { service: GRAPH, message: message.to_owned(), retry_after: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        assert_eq!(
            by("applications", "uniqueName", "it's/../a b"),
            "/v1.0/applications(uniqueName='it%27%27s%2F..%2Fa%20b')"
        );
        assert!(below("applications", "../users").is_err() && below("applications", "").is_err());
        assert!(below("applications", "00000000-0000-0000-0000-000000000000").is_ok());
    }

    /// Answers everything in one way.
    struct Canned(u16, &'static str);

    #[async_trait]
    impl Transport for Canned {
        async fn send(&self, _: &Request) -> Result<Answer, Fault> {
            let headers = vec![("Retry-After".to_owned(), "2.128".to_owned())];
            Ok(Answer { status: self.0, headers, body: self.1.as_bytes().to_vec() })
        }

        async fn caller(&self) -> Result<Caller, Fault> {
            Ok(Caller {
                tenant: "t".to_owned(),
                object_id: "oid-1".to_owned(),
                authority: "https://login/t".to_owned(),
                graph: "https://graph".to_owned(),
            })
        }
    }

    #[tokio::test]
    async fn what_graph_says_is_told_apart() {
        let key = ApplicationKey::AppId("x".to_owned());
        let say = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"why"}}}}"#).leak();
        let absent = Graph::new(Canned(404, say("Request_ResourceNotFound")));
        assert_eq!(absent.application(&key).await, Ok(None));
        let proxy = Graph::new(Canned(404, "<html>no such host</html>"));
        assert!(matches!(proxy.application(&key).await, Err(Fault::Busy { .. })));
        let denied = Graph::new(Canned(403, say("Authorization_RequestDenied")));
        let Err(Fault::NotGranted { remedy, .. }) = denied.create_principal("x").await else {
            panic!("not denied")
        };
        assert!(remedy.contains("oid-1") && remedy.contains("18a4783c-866b-4cc7"), "{remedy}");
        let throttled = Graph::new(Canned(429, ""));
        let wait = Some(Duration::from_secs(3));
        let fault = Fault::Throttled { service: GRAPH, retry_after: wait };
        assert_eq!(throttled.restore("x").await, Err(fault));
        let taken = r#"{"error":{"code":"Request_BadRequest","message":"Another object with the same value for property uniqueName already exists."}}"#;
        let taken = Graph::new(Canned(400, taken));
        assert_eq!(taken.upsert("x", &Properties::default()).await, Ok(Named::Taken));
        let away = r#"{"value":[],"@odata.nextLink":"https://evil.example/v1.0/x"}"#;
        let away = Graph::new(Canned(200, away));
        assert!(matches!(away.deleted_principal("x").await, Err(Fault::Refused { .. })));
    }
}
