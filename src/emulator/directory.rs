//! What Microsoft Entra keeps of one tenant, and Microsoft Graph v1.0 over it: pure, and driven by the
//! time it is given.
//!
//! No clock, no I/O. Identifiers and secrets come from seeds and a counter. Reads are eventually
//! consistent: each write shows only after [`DirectorySettings::lag`], so a new object is not found for
//! a while and a read may be older than the last write. Sources: the pages under
//! learn.microsoft.com/graph/api; each module names its own.

mod answer;
mod application;
mod applications;
mod assignments;
mod body;
mod consent;
mod credentials;
mod deleted;
mod dispatch;
mod error;
mod filter;
mod grants;
mod managed;
mod objects;
mod owners;
mod query;
mod redirects;
mod rights;
mod route;
mod rules;
mod service_principal;
mod service_principals;
mod settings;
mod store;
mod users;
mod well_known;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use self::answer::Reply;
use self::store::Store;

pub use self::application::{
    AccessType, Api, AppRole, Application, ApplicationProperties, FederatedCredential, MemberType,
    Password, PreAuthorized, RedirectUris, RequiredResource, ResourceAccess, Scope, ScopeType,
    SignInAudience, Web,
};
pub use self::assignments::Assignment;
pub use self::error::Error;
pub use self::grants::{ConsentType, Grant};
pub use self::rights::Caller;
pub use self::service_principal::{
    ServicePrincipal, ServicePrincipalProperties, ServicePrincipalType,
};
pub use self::settings::{DirectorySettings, LAG};
pub use self::users::{User, UserType};
pub use self::well_known::{GRAPH_APP_ID, app_roles};

/// How long a deleted application or service principal can be restored:
/// learn.microsoft.com/graph/api/directory-deleteditems-restore.
const RECYCLED: TimeDelta = TimeDelta::days(30);

/// One tenant.
#[derive(Deserialize, Serialize)]
pub struct Directory {
    #[serde(skip)]
    settings: DirectorySettings,
    serial: u64,
    /// Names requests; of no meaning after a restart.
    #[serde(skip)]
    requests: u64,
    applications: Store<Application>,
    service_principals: Store<ServicePrincipal>,
    grants: Store<Grant>,
    assignments: Store<Assignment>,
    #[serde(skip)]
    users: Vec<User>,
}

/// One request to Graph.
#[derive(Clone, Debug)]
pub struct GraphRequest {
    /// `GET`, `POST`, `PATCH`, `DELETE`.
    pub method: String,
    /// Path and query as sent, percent-encoded: `/v1.0/applications?$top=5`.
    pub path: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The JSON body, if any.
    pub body: Option<Value>,
    /// Whose token it carries.
    pub caller: Caller,
}

/// What Graph answers.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers beside the content type.
    pub headers: Vec<(String, String)>,
    /// The JSON body, if any.
    pub body: Option<Value>,
}

/// What every handler is told of its request.
struct Context {
    now: DateTime<Utc>,
    caller: Caller,
    headers: BTreeMap<String, String>,
    query: query::Query,
    /// The collection's path without a query, for `nextLink`.
    path: String,
}

impl Directory {
    /// A tenant with the clients of `settings`, Microsoft Graph and the test users.
    pub fn new(settings: DirectorySettings) -> Self {
        let mut new = Self {
            users: users::of_tenant(&settings),
            settings,
            serial: 0,
            requests: 0,
            applications: Store::default(),
            service_principals: Store::default(),
            grants: Store::default(),
            assignments: Store::default(),
        };
        new.furnish();
        new
    }

    /// What was saved (a [`Directory`] is its own saved form), with the settings of now.
    pub fn restore(settings: DirectorySettings, saved: &[u8]) -> Result<Self, serde_json::Error> {
        let users = users::of_tenant(&settings);
        Ok(Self { settings, users, ..serde_json::from_slice(saved)? })
    }

    /// Forgets all that was made. Identifiers go on, so that nothing new is taken for something old.
    pub fn wipe(&mut self) {
        let serial = self.serial;
        *self = Self { serial, ..Self::new(self.settings.clone()) };
    }

    /// The fixed facts.
    pub fn settings(&self) -> &DirectorySettings {
        &self.settings
    }

    /// How long a write from now on takes to show.
    pub fn set_lag(&mut self, lag: TimeDelta) {
        self.settings.lag = lag;
    }

    /// Answers one request at `now`.
    pub fn handle(&mut self, now: DateTime<Utc>, request: &GraphRequest) -> GraphAnswer {
        self.expire(now);
        let outcome = self.answer(now, request);
        self.envelope(now, request, outcome)
    }

    /// Answers one request with a refusal that is none of the directory's own.
    pub fn refuse(
        &mut self,
        now: DateTime<Utc>,
        request: &GraphRequest,
        error: Error,
    ) -> GraphAnswer {
        self.envelope(now, request, Err(error))
    }

    /// The application with this `appId` as last written; none where it is deleted.
    pub fn application_by_app_id(&self, app_id: &str) -> Option<&Application> {
        let mut latest = self.applications.latest();
        latest
            .find(|application| application.deleted.is_none() && is_id(app_id, application.app_id))
    }

    /// The service principal of this `appId` as last written; none where it is deleted.
    pub fn service_principal(&self, app_id: &str) -> Option<&ServicePrincipal> {
        let mut latest = self.service_principals.latest();
        latest.find(|principal| principal.deleted.is_none() && is_id(app_id, principal.app_id))
    }

    /// The users that may try to sign in, those of other tenants too.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    fn envelope(
        &mut self,
        now: DateTime<Utc>,
        request: &GraphRequest,
        outcome: Result<Reply, Error>,
    ) -> GraphAnswer {
        self.requests += 1;
        let id = self.derive("request", self.requests).to_string();
        answer::envelope(now, &id, request, outcome)
    }

    fn answer(&mut self, now: DateTime<Utc>, request: &GraphRequest) -> Result<Reply, Error> {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let context = Context {
            now,
            caller: request.caller,
            headers: request.headers.clone(),
            query: query::parse(query)?,
            path: path.to_owned(),
        };
        context.caller.check_any()?;
        let route = route::parse(path)?;
        self.dispatch(&context, &request.method, &route, request.body.as_ref())
    }

    /// Drops what was deleted 30 days ago.
    fn expire(&mut self, now: DateTime<Utc>) {
        let old = |deleted: Option<DateTime<Utc>>| deleted.is_some_and(|at| at + RECYCLED <= now);
        self.applications.retain(|application| !old(application.deleted));
        self.service_principals.retain(|principal| !old(principal.deleted));
    }

    /// When a write at `now` shows.
    fn shows(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.settings.lag
    }

    /// A new identifier, the same for the same seed and history.
    fn next_id(&mut self) -> Uuid {
        self.serial += 1;
        self.derive("object", self.serial)
    }

    fn derive(&self, kind: &str, number: u64) -> Uuid {
        derived(&self.settings.seed, &format!("{kind}/{number}"))
    }
}

/// An identifier that `seed` and `name` determine.
fn derived(seed: &str, name: &str) -> Uuid {
    let hash = digest(&SHA256, format!("{seed}/directory/{name}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

fn is_id(text: &str, id: Uuid) -> bool {
    text.parse().is_ok_and(|parsed: Uuid| parsed == id)
}

#[cfg(test)]
mod tests;
