//! Faults, status and reset: on a listener of their own, for who can read the state directory.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::access::Accesses;
use super::directory::Directory;
use super::entra::Entra;
use super::faults::{Fault, Operation};
use super::installation::same_secret;
use super::kept::Kept;
use super::model::Accident;
use super::requests::Requests;
use super::storage::Storage;
use super::world::World;

/// What can be injected: a fault that waits for requests, or an accident that happens now.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Injection {
    /// Waits for requests.
    Fault(Fault),
    /// Happens at once, to a container group.
    Accident(Accident),
    /// Happens at once, to Entra.
    Keys(KeyAccident),
}

/// What happens to Entra's signing keys.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "accident", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum KeyAccident {
    /// A new key signs from now on.
    RotateKeys {
        /// Whether the old ones are published no longer.
        #[serde(default)]
        drop_old: bool,
    },
}

/// How a running local Azure is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Status {
    /// Name of the container engine.
    pub engine: String,
    /// Process id.
    pub pid: u32,
    /// Container groups, as `resource group/name`.
    pub groups: Vec<String>,
    /// Requests to ARM, Graph and Entra since the start, by operation.
    pub requests: BTreeMap<Operation, u64>,
    /// Injected faults that still wait.
    pub faults: Vec<Fault>,
}

/// What the routes act on.
pub(super) struct Admin {
    pub(super) world: Arc<World>,
    pub(super) directory: Arc<Kept<Directory>>,
    pub(super) entra: Arc<Entra>,
    pub(super) storage: Arc<Storage>,
    pub(super) requests: Arc<Requests>,
    pub(super) engine: String,
    pub(super) token: String,
}

impl Admin {
    /// The routes, closed to who has not the token.
    pub(super) fn routes(self) -> Router {
        let admin = Arc::new(self);
        Router::new()
            .route("/status", get(status))
            .route("/access", get(access))
            .route("/faults", post(inject).delete(clear))
            .route("/reset", post(reset))
            .layer(middleware::from_fn_with_state(Arc::clone(&admin), authorize))
            .with_state(admin)
    }
}

async fn authorize(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match given.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(token) if same_secret(token, &admin.token) => next.run(request).await,
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn status(State(admin): State<Arc<Admin>>) -> Json<Status> {
    let (groups, faults) =
        admin.world.with(|azure, _| (azure.names(), azure.faults().list().to_vec()));
    Json(Status {
        engine: admin.engine.clone(),
        pid: std::process::id(),
        groups: groups.into_iter().map(|(home, name)| format!("{home}/{name}")).collect(),
        requests: admin.requests.counts(),
        faults,
    })
}

async fn access(State(admin): State<Arc<Admin>>) -> Json<Accesses> {
    Json(admin.world.access.all())
}

async fn inject(State(admin): State<Arc<Admin>>, Json(injection): Json<Injection>) -> Response {
    let outcome = admin.world.with(|azure, now| match injection {
        Injection::Fault(fault) => {
            azure.faults().add(fault);
            Ok(())
        }
        Injection::Accident(accident) => azure.happen(now, &accident).map_err(|e| e.message),
        Injection::Keys(KeyAccident::RotateKeys { drop_old }) => {
            admin.entra.rotate_keys(drop_old).map_err(|error| error.to_string())
        }
    });
    match outcome {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(message) => (StatusCode::BAD_REQUEST, message).into_response(),
    }
}

async fn clear(State(admin): State<Arc<Admin>>) -> StatusCode {
    admin.world.with(|azure, _| azure.faults().clear());
    StatusCode::NO_CONTENT
}

async fn reset(State(admin): State<Arc<Admin>>) -> Response {
    admin.directory.with(Directory::wipe);
    admin.entra.wipe();
    admin.world.access.clear();
    let emptied = admin.world.reset().await.map_err(|error| error.to_string());
    match emptied.and(admin.storage.reset().await.map_err(|error| error.to_string())) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error).into_response(),
    }
}
