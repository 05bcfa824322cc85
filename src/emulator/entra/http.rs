//! Entra's endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde_json::{Value, json};

use super::{Entra, TOKEN_SECONDS};
use crate::emulator::installation::same_secret;

/// The assertion type of RFC 7523.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An OAuth error (RFC 6749, section 5.2) and its status.
type Refused = (StatusCode, &'static str, String);
type Fields = BTreeMap<String, String>;

/// The routes under the authority's host.
pub(in crate::emulator) fn routes(entra: Arc<Entra>) -> Router {
    Router::new()
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery))
        .route("/{tenant}/discovery/v2.0/keys", get(keys))
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .with_state(entra)
}

/// The managed identity endpoint, in App Service's form.
pub(in crate::emulator) fn identity_routes(entra: Arc<Entra>) -> Router {
    Router::new().route("/msi/token", get(managed_identity)).with_state(entra)
}

async fn discovery(State(entra): State<Arc<Entra>>, Path(tenant): Path<String>) -> Response {
    if let Err(refused) = entra.check_tenant(&tenant) {
        return answer(Err(refused));
    }
    let base = entra.authority();
    Json(json!({
        "issuer": entra.issuer(),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported":
            ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
    }))
    .into_response()
}

async fn keys(State(entra): State<Arc<Entra>>) -> Json<Value> {
    Json(json!({"keys": [entra.signing.jwk(&entra.issuer())]}))
}

async fn token(
    State(entra): State<Arc<Entra>>,
    Path(tenant): Path<String>,
    Form(form): Form<Fields>,
) -> Response {
    answer(entra.token(&tenant, &form))
}

async fn managed_identity(
    State(entra): State<Arc<Entra>>,
    headers: HeaderMap,
    Query(query): Query<Fields>,
) -> Response {
    answer(entra.managed_identity(&headers, &query))
}

fn answer(outcome: Result<Value, Refused>) -> Response {
    let no_store = [("cache-control", "no-store")];
    match outcome {
        Ok(body) => (no_store, Json(body)).into_response(),
        Err((status, error, description)) => {
            let body = json!({"error": error, "error_description": description});
            (status, no_store, Json(body)).into_response()
        }
    }
}

impl Entra {
    fn check_tenant(&self, tenant: &str) -> Result<(), Refused> {
        if tenant.eq_ignore_ascii_case(&self.facts.tenant.to_string()) {
            return Ok(());
        }
        let text = format!("AADSTS90002: Tenant '{tenant}' not found.");
        Err((StatusCode::BAD_REQUEST, "invalid_request", text))
    }

    fn token(&self, tenant: &str, form: &Fields) -> Result<Value, Refused> {
        self.check_tenant(tenant)?;
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if field("grant_type") != "client_credentials" {
            let text = format!(
                "AADSTS70003: The app requested an unsupported grant type '{}'.",
                field("grant_type")
            );
            return Err((StatusCode::BAD_REQUEST, "unsupported_grant_type", text));
        }
        let client = field("client_id");
        if !client.eq_ignore_ascii_case(&self.facts.client_id.to_string()) {
            let text = format!(
                "AADSTS700016: Application with identifier '{client}' was not found in the directory."
            );
            return Err((StatusCode::BAD_REQUEST, "unauthorized_client", text));
        }
        self.check_credential(form)?;
        let resource = field("scope").strip_suffix("/.default").unwrap_or_default();
        self.grant(self.facts.client_id, resource)
    }

    fn check_credential(&self, form: &Fields) -> Result<(), Refused> {
        let refused = |text: &str| (StatusCode::UNAUTHORIZED, "invalid_client", text.to_owned());
        match (form.get("client_secret"), form.get("client_assertion")) {
            (Some(secret), _) if same_secret(secret, &self.facts.client_secret) => Ok(()),
            (Some(_), _) => Err(refused(
                "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the \
                 request is the client secret value, not the client secret ID.",
            )),
            (None, Some(assertion))
                if form.get("client_assertion_type").is_some_and(|kind| kind == JWT_BEARER) =>
            {
                self.accepts_assertion(assertion).map_err(refused)
            }
            _ => Err(refused(
                "AADSTS7000218: The request body must contain the following parameter: \
                 'client_assertion' or 'client_secret'.",
            )),
        }
    }

    fn managed_identity(&self, headers: &HeaderMap, query: &Fields) -> Result<Value, Refused> {
        let header = headers.get("x-identity-header").and_then(|value| value.to_str().ok());
        if !header.is_some_and(|given| same_secret(given, &self.facts.identity_header)) {
            let text = "the X-IDENTITY-HEADER is missing or wrong".to_owned();
            return Err((StatusCode::UNAUTHORIZED, "invalid_client", text));
        }
        let client = self.facts.identity_client_id;
        if query.get("client_id").is_some_and(|asked| *asked != client.to_string()) {
            let text = "Identity not found".to_owned();
            return Err((StatusCode::BAD_REQUEST, "invalid_request", text));
        }
        let resource = query.get("resource").map(String::as_str).unwrap_or_default();
        let mut granted = self.grant(client, resource)?;
        let end = (self.clock)().timestamp() + TOKEN_SECONDS;
        granted["expires_on"] = json!(end.to_string());
        granted["resource"] = json!(resource);
        granted["client_id"] = json!(client);
        Ok(granted)
    }

    fn grant(&self, client: uuid::Uuid, resource: &str) -> Result<Value, Refused> {
        let audience = self.audience(resource).ok_or_else(|| {
            let text = format!(
                "AADSTS500011: The resource principal named {resource} was not found in the tenant."
            );
            (StatusCode::BAD_REQUEST, "invalid_resource", text)
        })?;
        let token = self.issue(client, &audience).map_err(|error| {
            (StatusCode::INTERNAL_SERVER_ERROR, "server_error", error.to_string())
        })?;
        Ok(json!({
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS - 1,
            "ext_expires_in": TOKEN_SECONDS - 1,
            "access_token": token,
        }))
    }
}
