//! Microsoft Graph over HTTP: the directory's answers, to who has a token for Graph.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use chrono::TimeDelta;
use serde_json::Value;

use super::directory::{Caller, Directory, Error, GraphAnswer, GraphRequest, LAG};
use super::entra::{Entra, Refusal};
use super::faults::{Effect, Operation};
use super::http::reset;
use super::kept::Kept;
use super::requests::Requests;
use super::world::World;

/// Largest request body: 4 MB (learn.microsoft.com/graph/use-the-api).
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// What serving Graph takes.
pub(super) struct Graph {
    /// Has the clock and the faults.
    pub(super) world: Arc<World>,
    pub(super) entra: Arc<Entra>,
    pub(super) directory: Arc<Kept<Directory>>,
    pub(super) requests: Arc<Requests>,
}

impl Graph {
    /// Every path of Graph.
    pub(super) fn routes(self) -> Router {
        Router::new().fallback(serve).with_state(Arc::new(self))
    }
}

/// Answers one request, and notes it.
async fn serve(State(graph): State<Arc<Graph>>, request: Request) -> Response {
    let arrived = (graph.world.clock)();
    let (parts, body) = request.into_parts();
    let operation =
        if parts.method == Method::GET { Operation::GraphRead } else { Operation::GraphWrite };
    let answer = graph.answer(&parts, body, operation).await;
    let status = answer.as_ref().map(|answer| answer.status);
    graph.requests.note(arrived, parts.method.as_str(), parts.uri.path(), operation, status);
    answer.map_or_else(reset, response)
}

impl Graph {
    /// None where the connection is to end without an answer.
    async fn answer(&self, parts: &Parts, body: Body, operation: Operation) -> Option<GraphAnswer> {
        let mut request = GraphRequest {
            method: parts.method.to_string(),
            path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            headers: texts(&parts.headers),
            body: None,
            caller: Caller::None,
        };
        let client = match self.client(&parts.headers) {
            Ok(client) => client,
            Err(refusal) => return Some(self.unauthorized(&request, refusal.as_ref())),
        };
        let effects = self.world.outward(operation, None);
        for effect in effects {
            match effect {
                Effect::Latency { millis } => {
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                }
                Effect::Reset => return None,
                other => return Some(self.fault(&request, &other)),
            }
        }
        match read(body).await {
            Ok(body) => request.body = body,
            Err(error) => return Some(self.refuse(&request, error)),
        }
        let effects = self.world.inward(operation, None);
        let now = (self.world.clock)();
        let handle = |directory: &mut Directory| {
            request.caller = client.map_or(Caller::None, |client| directory.caller(client));
            let mut lag = LAG;
            for effect in effects {
                match effect {
                    Effect::ReadsLag { seconds } => lag = TimeDelta::seconds(seconds.into()),
                    Effect::GraphDenied => request.caller = Caller::None,
                    Effect::GraphOwnedBy => {
                        request.caller = client.map_or(Caller::None, Caller::OwnedBy);
                    }
                    _ => (),
                }
            }
            directory.set_lag(lag);
            directory.handle(now, &request)
        };
        Some(match operation {
            Operation::GraphRead => self.directory.look(handle),
            _ => self.directory.with(handle),
        })
    }

    /// The client that the bearer token is of; none where it is of a user.
    fn client(&self, headers: &HeaderMap) -> Result<Option<uuid::Uuid>, Option<Refusal>> {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = given
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"));
        let (_, token) = token.ok_or(None)?;
        self.entra.check_graph(token.trim()).map_err(Some)
    }

    /// Texts: learn.microsoft.com/graph/resolve-auth-errors.
    fn unauthorized(&self, request: &GraphRequest, refusal: Option<&Refusal>) -> GraphAnswer {
        let message = match refusal {
            None => "Access token is empty.",
            Some(Refusal::UnknownKey) => "Access token validation failure. Invalid signature.",
            Some(Refusal::Expired(_)) => "Lifetime validation failed, the token is expired.",
            Some(Refusal::Audience(_)) => "Access token validation failure. Invalid audience.",
        };
        let mut answer =
            self.refuse(request, Error::new(401, "InvalidAuthenticationToken", message));
        let challenge = match refusal {
            Some(Refusal::UnknownKey) => super::arm::challenge(),
            _ => "error=\"invalid_token\"".to_owned(),
        };
        let authority = self.entra.authority();
        let value = format!("Bearer authorization_uri=\"{authority}\", {challenge}");
        answer.headers.push(("WWW-Authenticate".to_owned(), value));
        answer
    }

    /// Shape of a 429: learn.microsoft.com/graph/throttling.
    fn fault(&self, request: &GraphRequest, effect: &Effect) -> GraphAnswer {
        if let Effect::Throttle { retry_after } = effect {
            let error = Error::new(429, "TooManyRequests", "Please retry again later.");
            let mut answer = self.refuse(request, error);
            answer.headers.push(("Retry-After".to_owned(), retry_after.to_string()));
            return answer;
        }
        let message = "The server encountered an internal error. Please retry.";
        self.refuse(request, Error::new(500, "InternalServerError", message))
    }

    fn refuse(&self, request: &GraphRequest, error: Error) -> GraphAnswer {
        let now = (self.world.clock)();
        self.directory.look(|directory| directory.refuse(now, request, error))
    }
}

/// The headers that are texts.
fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let texts = headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    texts.filter(|(name, _)| name != header::AUTHORIZATION.as_str()).collect()
}

async fn read(body: Body) -> Result<Option<Value>, Error> {
    let invalid = |what: &str| Error::new(400, "BadRequest", what);
    let bytes = to_bytes(body, BODY_LIMIT).await;
    let bytes = bytes.map_err(|_| invalid("The request body cannot be read."))?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let read = serde_json::from_slice(&bytes).map(Some);
    read.map_err(|_| invalid("Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."))
}

fn response(answer: GraphAnswer) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
        {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(body) = answer.body {
        let json = "application/json;odata.metadata=minimal;odata.streaming=true;\
                    IEEE754Compatible=false;charset=utf-8";
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(json));
        *response.body_mut() = Body::from(body.to_string());
    }
    response
}
