//! The envelope around what a handler says.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::error::Error;
use super::{GraphAnswer, GraphRequest};

/// An answer that is no refusal.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: 200, body: Some(body) }
    }

    pub(super) fn created(body: Value) -> Self {
        Self { status: 201, body: Some(body) }
    }

    pub(super) fn empty() -> Self {
        Self { status: 204, body: None }
    }
}

/// The answer with `request-id` and `client-request-id`, the latter as the client chose it.
pub(super) fn envelope(
    now: DateTime<Utc>,
    id: &str,
    request: &GraphRequest,
    outcome: Result<Reply, Error>,
) -> GraphAnswer {
    let client = request.headers.get("client-request-id").map_or(id, String::as_str);
    let headers = vec![
        ("request-id".to_owned(), id.to_owned()),
        ("client-request-id".to_owned(), client.to_owned()),
    ];
    let (status, body) = match outcome {
        Ok(reply) => (reply.status, reply.body),
        Err(error) => (error.status, Some(refusal(now, id, client, &error))),
    };
    GraphAnswer { status, headers, body }
}

fn refusal(now: DateTime<Utc>, id: &str, client: &str, error: &Error) -> Value {
    let mut body = error.body();
    body["innerError"] = json!({
        "date": now.format("%Y-%m-%dT%H:%M:%S").to_string(),
        "request-id": id,
        "client-request-id": client,
    });
    json!({"error": body})
}
