//! Microsoft Graph in memory: the operator's own client over the emulator's directory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::{Value, json};

use aci_operator::azure::graph::{Answer, Caller, Request, Transport};
use aci_operator::core::Fault;
use aci_operator::emulator::directory::{
    self, Directory, DirectorySettings, GraphAnswer, GraphRequest,
};
use aci_operator::ports::Clock as _;

use super::world::{World, unreachable};

/// The tenant of a world.
pub(crate) struct Tenant {
    pub(crate) directory: Directory,
    /// As whom the operator asks.
    pub(crate) caller: directory::Caller,
    /// What happens to the next requests of ours, one each.
    pub(crate) mishaps: VecDeque<Mishap>,
    /// Every write that Graph answered, in order: operation, path, body, status.
    pub(crate) log: Vec<(&'static str, String, Value, u16)>,
}

/// What may happen to a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mishap {
    /// Nothing.
    None,
    /// Graph says 429, and to wait so many seconds.
    Throttled(u32),
    /// Graph is broken: 503.
    Broken,
    /// It happens, and the answer is lost.
    Lost,
}

impl Default for Tenant {
    fn default() -> Self {
        let settings = DirectorySettings::default();
        let caller = directory::Caller::OwnedBy(settings.client);
        Self {
            directory: Directory::new(settings),
            caller,
            mishaps: VecDeque::new(),
            log: Vec::new(),
        }
    }
}

/// The operator's way to Graph.
pub(crate) struct Wire {
    pub(crate) world: Arc<World>,
    /// Whose tenant, where it is not that of the world.
    pub(crate) tenant: Option<String>,
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: &Request) -> Result<Answer, Fault> {
        let world = &self.world;
        world.gate.around(|| {
            let now = world.now();
            let mut state = world.state();
            let mishap = state.tenant.mishaps.pop_front().unwrap_or(Mishap::None);
            if let Mishap::Throttled(seconds) = mishap {
                return Ok(refusal(429, "TooManyRequests", Some(seconds)));
            }
            if mishap == Mishap::Broken {
                return Ok(refusal(503, "ServiceNotAvailable", None));
            }
            let caller = state.tenant.caller;
            let headers = request.headers.iter().map(|(n, v)| (n.to_string(), v.to_string()));
            let asked = GraphRequest {
                method: request.method.to_owned(),
                path: request.path.clone(),
                headers: headers.collect(),
                body: request.body.clone(),
                caller,
            };
            let GraphAnswer { status, headers, body } = state.tenant.directory.handle(now, &asked);
            if request.method != "GET" {
                state.writes.push(request.operation);
                let body = request.body.clone().unwrap_or_default();
                state.tenant.log.push((request.operation, request.path.clone(), body, status));
            }
            if mishap == Mishap::Lost {
                return Err(unreachable("Microsoft Graph", "the connection was reset"));
            }
            let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
            Ok(Answer { status, headers, body })
        })
    }

    async fn caller(&self) -> Result<Caller, Fault> {
        let world = &self.world;
        world.gate.around(|| {
            let state = world.state();
            let settings = state.tenant.directory.settings();
            Ok(Caller {
                tenant: self.tenant.clone().unwrap_or_else(|| settings.tenant.to_string()),
                object_id: "the-operators-object-id".to_owned(),
                authority: format!("https://login.test/{}", settings.tenant),
                graph: settings.base_url.clone(),
            })
        })
    }
}

fn refusal(status: u16, code: &str, retry_after: Option<u32>) -> Answer {
    let body = json!({"error": {"code": code, "message": "Please retry again later."}});
    let wait = retry_after.map(|seconds| ("Retry-After".to_owned(), seconds.to_string()));
    Answer { status, headers: wait.into_iter().collect(), body: body.to_string().into_bytes() }
}

impl World {
    /// Something that somebody with all rights asks of Graph; nobody counts it.
    pub(crate) fn graph(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let now = self.now();
        let asked = GraphRequest {
            method: method.to_owned(),
            path: format!("/v1.0/{path}"),
            headers: BTreeMap::new(),
            body,
            caller: directory::Caller::Owner,
        };
        let answer = self.state().tenant.directory.handle(now, &asked);
        (answer.status, answer.body.unwrap_or_default())
    }

    /// How long a write takes to show.
    pub(crate) fn lag(&self, lag: Duration) {
        let lag = TimeDelta::from_std(lag).unwrap();
        self.state().tenant.directory.set_lag(lag);
    }

    /// All applications that Graph shows and the operator made.
    pub(crate) fn applications(&self) -> Vec<Value> {
        let (status, body) = self.graph("GET", "applications?$top=999", None);
        assert_eq!(status, 200, "{body}");
        let ours = |app: &Value| {
            let name = app["uniqueName"].as_str();
            name.is_some_and(|name| name.starts_with("aci-operator-"))
        };
        body["value"].as_array().unwrap().iter().filter(|app| ours(app)).cloned().collect()
    }
}
