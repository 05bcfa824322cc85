//! One answer on ARM's wire: envelope, headers, polling URLs.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use uuid::Uuid;

use super::limits::Remaining;
use crate::emulator::faults::Effect;
use crate::emulator::http::{insert, reset};
use crate::emulator::model::{Error, NAMESPACE, Poll, Reply, STORAGE_NAMESPACE};

const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-ms-correlation-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
/// `az` and the SDKs wait as long as a poll's own answer says, and 30 s where it says nothing.
const POLL_SECONDS: u32 = 1;

/// What is sent back, if anything.
pub(super) struct Answer {
    outcome: Outcome,
    headers: HeaderMap,
}

enum Outcome {
    Reply(Reply),
    Refusal(Error),
    /// The connection ends without a byte.
    Reset,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self { outcome: Outcome::Reply(reply), headers: HeaderMap::new() }
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        Self { outcome: Outcome::Refusal(error), headers: HeaderMap::new() }
    }
}

impl Answer {
    /// The answer that an injected fault gives in place of the true one.
    pub(super) fn fault(effect: &Effect, group: &str) -> Self {
        match effect {
            Effect::Throttle { retry_after } => {
                let message = "The request is being throttled as the limit has been reached.";
                Self::from(Error::new(429, "TooManyRequests", message).retry_after(*retry_after))
            }
            Effect::Conflict => Self::from(Error::transitioning(group)),
            Effect::Reset => Self { outcome: Outcome::Reset, headers: HeaderMap::new() },
            _ => {
                let message = "The server encountered an internal error. Please retry.";
                Self::from(Error::new(500, "InternalServerError", message))
            }
        }
    }

    /// The same with one more header.
    pub(super) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        insert(&mut self.headers, name, value);
        self
    }

    /// The HTTP status; none where nothing is sent.
    pub(super) fn status(&self) -> Option<u16> {
        match &self.outcome {
            Outcome::Reply(reply) => Some(reply.status),
            Outcome::Refusal(error) => Some(error.status),
            Outcome::Reset => None,
        }
    }

    /// The response; polling URLs begin with `subscription`, an absolute URL.
    pub(super) fn into_response(
        mut self,
        subscription: &str,
        request: &HeaderMap,
        remaining: Remaining,
    ) -> Response<Body> {
        let headers = &mut self.headers;
        let (status, body) = match self.outcome {
            Outcome::Reply(reply) => {
                poll_headers(headers, subscription, &reply);
                (reply.status, reply.body)
            }
            Outcome::Refusal(error) => {
                if let Some(seconds) = error.retry_after {
                    headers.insert(header::RETRY_AFTER, seconds.into());
                }
                (error.status, Some(error.body()))
            }
            Outcome::Reset => return reset(),
        };
        let id = Uuid::new_v4().to_string();
        insert(headers, REQUEST_ID, &id);
        insert(headers, CORRELATION_ID, &id);
        headers.insert(remaining.header, remaining.count.into());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Some(echo) = request.get(CLIENT_REQUEST_ID) {
            headers.insert(CLIENT_REQUEST_ID, echo.clone());
        }
        let body = body.map_or_else(Body::empty, |body| {
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            headers.insert(header::CONTENT_TYPE, json);
            Body::from(body.to_string())
        });
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = self.headers;
        response
    }
}

fn poll_headers(headers: &mut HeaderMap, subscription: &str, reply: &Reply) {
    let going_on = reply.body.as_ref().is_some_and(|body| {
        let state = body["properties"]["provisioningState"].as_str();
        state.is_some_and(|state| !["Succeeded", "Failed"].contains(&state))
            || body["status"].is_string()
    });
    if going_on || reply.poll.is_some() || reply.status == 202 {
        headers.insert(header::RETRY_AFTER, POLL_SECONDS.into());
    }
    let version = "api-version=2023-05-01";
    match &reply.poll {
        Some(Poll::AsyncOperation(id)) => {
            let path = format!("providers/{NAMESPACE}/locations/local/operations/{id}");
            insert(headers, ASYNC_OPERATION, &format!("{subscription}/{path}?{version}"));
        }
        Some(Poll::Location(id)) => {
            insert(
                headers,
                header::LOCATION,
                &format!("{subscription}/operationresults/{id}?{version}"),
            );
        }
        Some(Poll::Account(id)) => {
            let path =
                format!("providers/{STORAGE_NAMESPACE}/locations/local/asyncoperations/{id}");
            let query = "monitor=true&api-version=2024-01-01";
            insert(headers, header::LOCATION, &format!("{subscription}/{path}?{query}"));
        }
        None => (),
    }
}
