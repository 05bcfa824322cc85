//! Azure Resource Manager over HTTP: the model's answers in ARM's envelope.

mod access;
mod answer;
mod authorize;
mod exec;
mod limits;
mod rights;
mod route;
mod storage;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use serde_json::{Value, json};

use self::answer::Answer;
use self::authorize::Demand;
use self::limits::Limits;
use self::route::{Route, Verb};
use super::directory::Directory;
use super::entra::Entra;
use super::faults::{Effect, Operation};
use super::installation::Installation;
use super::kept::Kept;
use super::model::{Azure, Error, Principal, Reply};
use super::requests::Requests;
use super::storage::Storage;
use super::world::World;

pub(super) use self::access::challenge;
pub(super) use self::exec::{Sessions, routes as exec_routes};

/// Largest request body: ARM's own limit is 4 MB.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// What serving ARM takes.
pub(super) struct Arm {
    pub(super) world: Arc<World>,
    pub(super) entra: Arc<Entra>,
    pub(super) directory: Arc<Kept<Directory>>,
    pub(super) facts: Installation,
    pub(super) requests: Arc<Requests>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) storage: Arc<Storage>,
    limits: Limits,
}

impl Arm {
    /// ARM over `world`.
    pub(super) fn new(
        world: Arc<World>,
        entra: Arc<Entra>,
        directory: Arc<Kept<Directory>>,
        facts: Installation,
        requests: Arc<Requests>,
        sessions: Arc<Sessions>,
        storage: Arc<Storage>,
    ) -> Self {
        let limits = Limits::default();
        Self { world, entra, directory, facts, requests, sessions, storage, limits }
    }

    /// Every path of ARM.
    pub(super) fn routes(self) -> Router {
        Router::new().fallback(serve).with_state(Arc::new(self))
    }
}

/// Answers one request, and notes it.
async fn serve(State(arm): State<Arc<Arm>>, request: Request) -> Response {
    let arrived = (arm.world.clock)();
    let (parts, body) = request.into_parts();
    let route = route::parse(&parts.method, parts.uri.path());
    let operation = route.as_ref().map_or(Operation::Other, |route| route.operation(&parts.method));
    let answer = arm.answer(&parts, body, route, operation).await;
    arm.requests.note(arrived, parts.method.as_str(), parts.uri.path(), operation, answer.status());
    let remaining = arm.limits.take(&parts.method, arrived);
    let subscription = format!("{}/subscriptions/{}", base(&parts.headers), arm.facts.subscription);
    answer.into_response(&subscription, &parts.headers, remaining)
}

impl Arm {
    async fn answer(
        &self,
        parts: &Parts,
        body: Body,
        route: Option<Route>,
        operation: Operation,
    ) -> Answer {
        if matches!(route, Some(Route::Metadata)) {
            return Answer::from(Reply { status: 200, body: Some(self.metadata()), poll: None });
        }
        let caller = match access::caller(&self.entra, &parts.headers) {
            Ok(caller) => caller,
            Err(refused) => return *refused,
        };
        let group = route.as_ref().and_then(Route::group);
        let effects = self.world.outward(operation, group);
        for effect in effects {
            match effect {
                Effect::Latency { millis } => {
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                }
                other => return Answer::fault(&other, group.unwrap_or_default()),
            }
        }
        let result = async {
            let body = read(&parts.method, body).await?;
            let route = route.ok_or_else(|| not_found(parts))?;
            if query(parts, "api-version").is_none() {
                return Err(missing_api_version());
            }
            self.check_subscription(&route)?;
            let demand = route.demand(&parts.method);
            self.authorize(&caller, &demand)?;
            if matches!(route, Route::Group(..)) && parts.method == Method::PUT {
                self.authorize_links(&caller, &demand, &Azure::links(&body))?;
            }
            let mut reply = self.dispatch(parts, &caller, route, body).await?;
            if let (Demand::Listed(action, _), Some(body)) = (&demand, &mut reply.body) {
                self.keep_readable(&caller, action, &mut body["value"]);
            }
            Ok(Answer::from(reply))
        };
        result.await.unwrap_or_else(Answer::from)
    }

    async fn dispatch(
        &self,
        parts: &Parts,
        caller: &Principal,
        route: Route,
        body: Value,
    ) -> Result<Reply, Error> {
        let get = parts.method == Method::GET;
        let world = &self.world;
        Ok(match route {
            Route::Metadata => Reply { status: 200, body: Some(self.metadata()), poll: None },
            Route::Subscriptions => found(world.look(|azure, now| {
                let known = azure.is_known(now, caller.object);
                json!({"value": known.then(|| azure.subscription()).as_slice()})
            })),
            Route::Subscription(_) => found(world.look(|azure, _| azure.subscription())),
            Route::Locations(_) => found(world.look(|azure, _| azure.locations())),
            Route::Provider(_, namespace) => world.look(|azure, _| azure.provider(&namespace)),
            Route::Register(_, namespace, registered) => {
                world.with(|azure, _| azure.register(&namespace, registered))
            }
            Route::ResourceGroups(_) => {
                found(json!({"value": world.read(Azure::list_resource_groups)}))
            }
            Route::ResourceGroup(_, name) => self.resource_group(&parts.method, &name, &body)?,
            Route::Contents(_, name) => {
                let all = world.read(|azure, now| azure.list_resources(now, &name))?;
                found(json!({ "value": all }))
            }
            Route::Groups(_, home) => self.list(parts, home.as_deref())?,
            Route::Group(_, home, name) if get => self.get(&home, &name).await?,
            Route::Group(_, home, name) => self.write(&parts.method, &home, &name, body)?,
            Route::Act(_, home, name, verb) => world.with(|azure, now| match verb {
                Verb::Start => azure.start(now, &home, &name),
                Verb::Stop => azure.stop(now, &home, &name),
                Verb::Restart => azure.restart(now, &home, &name),
            })?,
            Route::Logs(_, home, name, container) => {
                self.logs(parts, &home, &name, &container).await?
            }
            Route::Exec(_, home, name, container) => {
                self.exec(parts, &home, &name, &container, &body)?
            }
            Route::Identities(_, home) => {
                let all = world.read(|azure, now| azure.list_identities(now, home.as_deref()))?;
                found(json!({ "value": all }))
            }
            Route::Identity(_, home, name) => {
                self.on_identity(&parts.method, &home, &name, &body)?
            }
            Route::Assignments(_) | Route::Assignment(..) | Route::Roles(_) | Route::Role(..) => {
                self.on_rights(parts, caller, &route, &body)?
            }
            Route::OperationStatus(_, id) => {
                world.read(|azure, now| azure.operation_status(now, &id))?
            }
            Route::Storage(_, place) => self.account(&parts.method, &place, &body).await?,
            Route::OperationResult(_, id) => {
                world.read(|azure, now| azure.operation_result(now, &id))?
            }
        })
    }

    fn resource_group(&self, method: &Method, name: &str, body: &Value) -> Result<Reply, Error> {
        self.world.on(method, |azure, now| match *method {
            Method::PUT => azure.put_resource_group(now, name, body),
            Method::DELETE => azure.delete_resource_group(now, name),
            Method::HEAD => {
                let found = azure.get_resource_group(now, name);
                Ok(Reply { status: if found.is_ok() { 204 } else { 404 }, body: None, poll: None })
            }
            _ => azure.get_resource_group(now, name),
        })
    }

    fn list(&self, parts: &Parts, home: Option<&str>) -> Result<Reply, Error> {
        let skip =
            query(parts, "$skiptoken").and_then(|text| text.parse().ok()).unwrap_or_default();
        let page = self.world.read(|azure, now| azure.list(now, home, skip))?;
        let mut body = json!({"value": page.value});
        if let Some(next) = page.next {
            let version = query(parts, "api-version").unwrap_or_default();
            let pairs = [("api-version", version), ("$skiptoken", next.to_string())];
            let query =
                url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            body["nextLink"] =
                json!(format!("{}{}?{query}", base(&parts.headers), parts.uri.path()));
        }
        Ok(found(body))
    }

    async fn get(&self, home: &str, name: &str) -> Result<Reply, Error> {
        if let Some(key) = self.world.read(|azure, now| azure.key_of(now, home, name)) {
            match self.world.engine.inspect(&key).await {
                Ok(states) => self.world.read(|azure, _| azure.observe(&key, states)),
                Err(error) => tracing::warn!(name, %error, "cannot ask how the containers are"),
            }
        }
        self.world.read(|azure, now| azure.get(now, home, name))
    }

    fn write(&self, method: &Method, home: &str, name: &str, body: Value) -> Result<Reply, Error> {
        self.world.with(|azure, now| match *method {
            Method::PUT => azure.put(now, home, name, body),
            Method::PATCH => azure.patch(now, home, name, body),
            _ => azure.delete(now, home, name),
        })
    }

    async fn logs(
        &self,
        parts: &Parts,
        home: &str,
        name: &str,
        container: &str,
    ) -> Result<Reply, Error> {
        let key = self.world.read(|azure, now| azure.logs_of(now, home, name, container))?;
        let tail = query(parts, "tail").and_then(|text| text.parse().ok());
        let timestamps = query(parts, "timestamps").is_some_and(|text| text == "true");
        let logs = self.world.engine.logs(&key, container, tail, timestamps).await;
        let content =
            logs.map_err(|e| Error::new(404, "ContainerLogNotAvailable", e.to_string()))?;
        Ok(found(json!({"content": content})))
    }

    fn check_subscription(&self, route: &Route) -> Result<(), Error> {
        let known = self.facts.subscription.to_string();
        match route.subscription() {
            Some(asked) if !asked.eq_ignore_ascii_case(&known) => {
                Err(Error::subscription_not_found(asked))
            }
            _ => Ok(()),
        }
    }

    /// What `az cloud register` asks for: one object, not a list.
    fn metadata(&self) -> Value {
        json!({
            "name": "LocalAzure",
            "authentication": {
                "loginEndpoint": self.facts.entra_url(),
                "audiences":
                    ["https://management.core.windows.net/", "https://management.azure.com/"],
                "tenant": self.facts.tenant,
                "identityProvider": "AAD",
            },
            "resourceManager": self.facts.arm_url(),
            "microsoftGraphResourceId": self.facts.graph_url(),
            "suffixes": {},
        })
    }
}

fn found(body: Value) -> Reply {
    Reply { status: 200, body: Some(body), poll: None }
}

/// The scheme and authority that the client used, for absolute URLs.
fn base(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    format!("https://{}", host.unwrap_or("localhost"))
}

fn query(parts: &Parts, name: &str) -> Option<String> {
    let text = parts.uri.query().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
}

async fn read(method: &Method, body: Body) -> Result<Value, Error> {
    let invalid = |what: &str| {
        let message =
            format!("The request content was invalid and could not be deserialized: {what}.");
        Error::new(400, "InvalidRequestContent", message)
    };
    let bytes = to_bytes(body, BODY_LIMIT).await.map_err(|_| invalid("it cannot be read"))?;
    if bytes.is_empty() || *method == Method::GET {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|_| invalid("it is no JSON"))
}

fn not_found(parts: &Parts) -> Error {
    let message = format!("No resource or operation is at {} {}.", parts.method, parts.uri.path());
    Error::new(404, "InvalidResourceType", message)
}

fn missing_api_version() -> Error {
    let message = "The api-version query parameter (?api-version=) is required for all requests.";
    Error::new(400, "MissingApiVersionParameter", message)
}
