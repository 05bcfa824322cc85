//! Faults of Entra, and the log of its requests.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Site;
use crate::emulator::entra::refused::Refused;
use crate::emulator::faults::{Effect, Operation};
use crate::emulator::http;

/// Injects faults, and notes the request.
pub(super) async fn watch(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    // A browser asks before its request, not instead of it.
    if request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    let arrived = (site.world.clock)();
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let operation = operation(&path);
    let answer = match site.fault(operation).await {
        None => Some(next.run(request).await),
        Some(fault) => fault.ok(),
    };
    let status = answer.as_ref().map(|answer| answer.status().as_u16());
    site.requests.note(arrived, &method, &path, operation, status);
    answer.unwrap_or_else(http::reset)
}

fn operation(path: &str) -> Operation {
    match path.rsplit('/').next() {
        Some("token" | "devicecode") => Operation::EntraToken,
        Some("authorize" | "deviceauth") => Operation::EntraSignIn,
        _ => Operation::EntraKeys,
    }
}

/// The connection is to end without an answer.
struct Silence;

impl Site {
    /// What an injected fault answers with; none where there is no such fault.
    async fn fault(&self, operation: Operation) -> Option<Result<Response, Silence>> {
        let effects = self.world.outward(operation, None);
        for effect in effects {
            let (status, retry) = match effect {
                Effect::Latency { millis } => {
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    continue;
                }
                Effect::Reset => return Some(Err(Silence)),
                Effect::Throttle { retry_after } => (429, Some(retry_after)),
                _ => (503, None),
            };
            let text = "The service is temporarily unavailable.";
            let refused =
                Refused { status, ..Refused::new("temporarily_unavailable", 90_006, text) };
            let mut answer = self.entra.refuse(&refused);
            if let Some(seconds) = retry {
                answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            return Some(Ok(answer));
        }
        None
    }
}
