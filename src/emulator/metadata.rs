//! The instance metadata service of a container group: tokens of the managed identities that it carries.
//!
//! It is at 169.254.169.254 in each group's network namespace, plain HTTP, as on the platform. Who may
//! open a connection there is in the group, and may be all that the group may be.
//! Sources: learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token and
//! learn.microsoft.com/azure/container-instances/container-instances-managed-identity.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::entra::Entra;
use super::faults::{Effect, Operation};
use super::http::reset;
use super::model::{Asked, NoIdentity};
use super::requests::Requests;
use super::world::World;

/// Where it is in every group.
pub(super) const ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);
const PATH: &str = "/metadata/identity/oauth2/token";

/// What serving it takes.
#[derive(Clone)]
pub(super) struct Metadata {
    pub(super) world: Arc<World>,
    pub(super) entra: Arc<Entra>,
    pub(super) requests: Arc<Requests>,
}

/// The service of one group, by its engine key.
#[derive(Clone)]
struct OfGroup(Metadata, String);

/// Status and body.
type Answer = (StatusCode, Value);

/// How far the service of a group is.
enum Readiness {
    Ready,
    /// Nobody answers.
    Absent,
    /// It answers that it is not ready.
    Updating,
}

impl Metadata {
    /// The routes in the group with this engine key.
    pub(super) fn routes(&self, group: String) -> Router {
        Router::new().route(PATH, get(token)).with_state(OfGroup(self.clone(), group))
    }
}

async fn token(
    State(OfGroup(service, group)): State<OfGroup>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let arrived = (service.world.clock)();
    let answer = match service.readiness(&group) {
        Readiness::Ready => Some(service.answer(&group, &headers, &query)),
        Readiness::Absent => None,
        Readiness::Updating => {
            let body =
                json!({"error": "not_found", "error_description": "IMDS endpoint is updating."});
            Some((StatusCode::NOT_FOUND, body))
        }
    };
    let status = answer.as_ref().map(|(status, _)| status.as_u16());
    service.requests.note(arrived, "GET", PATH, Operation::Identity, status);
    answer.map_or_else(reset, |(status, body)| (status, Json(body)).into_response())
}

impl Metadata {
    fn answer(&self, group: &str, headers: &HeaderMap, query: &BTreeMap<String, String>) -> Answer {
        let marked = headers.get("metadata").and_then(|value| value.to_str().ok());
        if !marked.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return refuse("Required metadata header not specified");
        }
        // What came through a proxy may not come from here.
        if headers.contains_key("x-forwarded-for") {
            return refuse("Requests with the header X-Forwarded-For are not accepted");
        }
        let field =
            |name: &str| query.get(name).map(String::as_str).filter(|text| !text.is_empty());
        for name in ["api-version", "resource"] {
            if field(name).is_none() {
                return refuse(&format!("Required query variable '{name}' is missing"));
            }
        }
        let named = [
            field("client_id").map(Asked::Client),
            field("object_id").or_else(|| field("principal_id")).map(Asked::Principal),
            field("msi_res_id").or_else(|| field("mi_res_id")).map(Asked::Resource),
        ];
        let named: Vec<_> = named.into_iter().flatten().collect();
        let asked = match named[..] {
            [] => Asked::Any,
            [one] => one,
            _ => return refuse("Only one of client_id, object_id and msi_res_id may be given"),
        };
        match self.world.look(|azure, _| azure.identity_in(group, asked)) {
            Ok(ids) => {
                let resource = field("resource").unwrap_or_default();
                let granted = self.entra.metadata_token(ids.client, resource);
                granted.map_or_else(|refused| refused, |body| (StatusCode::OK, body))
            }
            Err(NoIdentity::NotFound) => refuse("Identity not found"),
            Err(NoIdentity::Several) => refuse(
                "Multiple user assigned identities exist, please specify the clientId / resourceId of \
                 the identity in the token request",
            ),
        }
    }

    /// An injected fault keeps it back: at first nobody answers (azure-docs #61447), then it says that it
    /// is not ready, as the page lists it.
    fn readiness(&self, group: &str) -> Readiness {
        self.world.look(|azure, now| {
            let effects = azure.standing(Operation::Identity, group);
            let by = effects.into_iter().find_map(|effect| match effect {
                Effect::IdentityLate { seconds } => Some(TimeDelta::seconds(seconds.into())),
                _ => None,
            });
            let since = azure.started(group).map_or(TimeDelta::zero(), |started| now - started);
            match by {
                Some(by) if since < by / 2 => Readiness::Absent,
                Some(by) if since < by => Readiness::Updating,
                _ => Readiness::Ready,
            }
        })
    }
}

fn refuse(description: &str) -> Answer {
    let body = json!({"error": "invalid_request", "error_description": description});
    (StatusCode::BAD_REQUEST, body)
}
