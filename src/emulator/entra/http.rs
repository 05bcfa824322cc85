//! Entra's endpoints.

mod pages;
mod watch;

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde_json::{Value, json};
use uuid::Uuid;

use super::authorize::Fields;
use super::claims::{Client, Proof};
use super::refused::{self, Refused};
use super::{Entra, TOKEN_SECONDS};
use crate::emulator::installation::same_secret;
use crate::emulator::requests::Requests;
use crate::emulator::world::World;

/// What serving Entra takes.
pub(in crate::emulator) struct Site {
    pub(in crate::emulator) entra: Arc<Entra>,
    /// Has the clock and the faults.
    pub(in crate::emulator) world: Arc<World>,
    pub(in crate::emulator) requests: Arc<Requests>,
}

impl Site {
    /// The routes under the authority's host.
    pub(in crate::emulator) fn routes(self) -> Router {
        let entra = Arc::clone(&self.entra);
        let shared = Router::new()
            .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery))
            .route("/{tenant}/discovery/v2.0/keys", get(keys))
            .route("/{tenant}/oauth2/v2.0/token", post(token).options(preflight))
            .layer(middleware::map_response(share));
        let site = Arc::new(self);
        shared
            .route("/{tenant}/oauth2/v2.0/devicecode", post(device_code))
            .merge(pages::routes())
            .layer(middleware::from_fn_with_state(Arc::clone(&site), watch::watch))
            .with_state(entra)
    }
}

/// The managed identity endpoint, in App Service's form.
pub(in crate::emulator) fn identity_routes(entra: Arc<Entra>) -> Router {
    Router::new().route("/msi/token", get(managed_identity)).with_state(entra)
}

/// Lets pages of every origin read the answer. No cookie is ever looked at, so that it gives nothing
/// away that the page does not have.
async fn share(mut response: Response) -> Response {
    let any = HeaderValue::from_static("*");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    response
}

/// Swagger UI sends `X-Requested-With`, MSAL its own headers; `*` does not cover `Authorization`.
async fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*, authorization, content-type, x-requested-with"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

async fn discovery(State(entra): State<Arc<Entra>>, Path(tenant): Path<String>) -> Response {
    if let Err(refused) = entra.check_tenant(&tenant) {
        return entra.refuse(&refused);
    }
    let base = entra.authority();
    Json(json!({
        "issuer": entra.issuer(),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported":
            ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
    }))
    .into_response()
}

async fn keys(State(entra): State<Arc<Entra>>, Path(tenant): Path<String>) -> Response {
    match entra.check_tenant(&tenant) {
        Ok(()) => Json(entra.signing.jwks(&entra.issuer())).into_response(),
        Err(refused) => entra.refuse(&refused),
    }
}

async fn token(
    State(entra): State<Arc<Entra>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Form(mut form): Form<Fields>,
) -> Response {
    if let Some((client, secret)) = basic(&headers) {
        form.entry("client_id".to_owned()).or_insert(client);
        form.entry("client_secret".to_owned()).or_insert(secret);
    }
    let cross_origin = headers.contains_key(header::ORIGIN);
    let outcome = entra.check_tenant(&tenant).and_then(|()| entra.token(&form, cross_origin));
    entra.answer(outcome)
}

async fn device_code(
    State(entra): State<Arc<Entra>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Response {
    let outcome = entra.check_tenant(&tenant).and_then(|()| {
        // Not for browsers: any page could sign itself in with a hint.
        if headers.contains_key(header::ORIGIN) {
            return Err(refused::not_cross_origin());
        }
        entra.device_code(&form)
    });
    entra.answer(outcome)
}

/// `client_secret_basic`: both halves are form-encoded first (RFC 6749, section 2.3.1).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    use base64::Engine as _;
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, value) = given.split_once(' ')?;
    let value = Some(value).filter(|_| scheme.eq_ignore_ascii_case("Basic"))?;
    let text = base64::engine::general_purpose::STANDARD.decode(value.trim()).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (client, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        let pair = format!("x={text}");
        let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
        decoded.map(|(_, value)| value.into_owned())
    };
    Some((decode(client)?, decode(secret)?))
}

async fn managed_identity(
    State(entra): State<Arc<Entra>>,
    headers: HeaderMap,
    Query(query): Query<Fields>,
) -> Response {
    entra.answer(entra.managed_identity(&headers, &query))
}

impl Entra {
    fn check_tenant(&self, tenant: &str) -> Result<(), Refused> {
        if tenant.eq_ignore_ascii_case(&self.facts.tenant.to_string()) {
            return Ok(());
        }
        Err(refused::tenant(tenant))
    }

    fn answer(&self, outcome: Result<Value, Refused>) -> Response {
        match outcome {
            Ok(body) => ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response(),
            Err(refused) => self.refuse(&refused),
        }
    }

    fn refuse(&self, refused: &Refused) -> Response {
        let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_REQUEST);
        let body = refused.body((self.clock)(), Uuid::new_v4());
        (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }

    fn managed_identity(&self, headers: &HeaderMap, query: &Fields) -> Result<Value, Refused> {
        let header = headers.get("x-identity-header").and_then(|value| value.to_str().ok());
        if !header.is_some_and(|given| same_secret(given, &self.facts.identity_header)) {
            let text = "the X-IDENTITY-HEADER is missing or wrong";
            return Err(Refused { status: 401, ..Refused::new("invalid_client", 50_012, text) });
        }
        let app_id = self.facts.identity_client_id;
        if query.get("client_id").is_some_and(|asked| *asked != app_id.to_string()) {
            return Err(refused::application(query.get("client_id").map_or("", String::as_str)));
        }
        let resource = query.get("resource").map(String::as_str).unwrap_or_default();
        self.of_identity(app_id, resource)
    }

    /// A token of a managed identity, as the platform's services give it.
    fn of_identity(&self, app_id: Uuid, resource: &str) -> Result<Value, Refused> {
        let mut granted =
            self.for_application(Client { app_id, proof: Proof::Assertion }, resource)?;
        let end = (self.clock)().timestamp() + TOKEN_SECONDS;
        granted["expires_on"] = json!(end.to_string());
        granted["resource"] = json!(resource);
        granted["client_id"] = json!(app_id);
        Ok(granted)
    }

    /// The same as the instance metadata service words it: every value is a text.
    pub(in crate::emulator) fn metadata_token(
        &self,
        app_id: Uuid,
        resource: &str,
    ) -> Result<Value, (StatusCode, Value)> {
        let mut granted = self.of_identity(app_id, resource).map_err(|refused| {
            let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, refused.body((self.clock)(), Uuid::new_v4()))
        })?;
        for name in ["expires_in", "ext_expires_in"] {
            granted[name] = json!(granted[name].to_string());
        }
        granted["not_before"] = json!((self.clock)().timestamp().to_string());
        Ok(granted)
    }
}
