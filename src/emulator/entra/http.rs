//! Entra's endpoints.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde_json::{Value, json};
use uuid::Uuid;

use super::authorize::Fields;
use super::claims::{Client, Proof};
use super::page::Language;
use super::refused::{self, Refused};
use super::sign_in::{Shown, refusal};
use super::{Entra, TOKEN_SECONDS};
use crate::emulator::faults::{Effect, Operation};
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
            .route("/{tenant}/oauth2/v2.0/devicecode", post(device_code).options(preflight))
            .layer(middleware::map_response(share));
        let pages = Router::new()
            .route("/{tenant}/oauth2/v2.0/authorize", get(ask_user).post(hear_user))
            .route("/{tenant}/oauth2/deviceauth", get(ask_device).post(hear_device));
        let site = Arc::new(self);
        shared
            .merge(pages)
            .layer(middleware::from_fn_with_state(Arc::clone(&site), watch))
            .with_state(entra)
    }
}

/// The managed identity endpoint, in App Service's form.
pub(in crate::emulator) fn identity_routes(entra: Arc<Entra>) -> Router {
    Router::new().route("/msi/token", get(managed_identity)).with_state(entra)
}

/// Injects faults, and notes the request.
async fn watch(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let arrived = (site.world.clock)();
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let operation = operation(&path);
    let answer = match site.fault(operation).await {
        None => Some(next.run(request).await),
        Some(fault) => fault.ok(),
    };
    let status = answer.as_ref().map(|answer| answer.status().as_u16());
    site.requests.note(arrived, &method, &path, operation, status);
    answer.unwrap_or_else(super::super::graph::reset)
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
        let effects = self.world.with(|azure, _| azure.faults().outward(operation, None));
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
        "response_modes_supported": ["query", "fragment"],
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
    Form(form): Form<Fields>,
) -> Response {
    let outcome = entra.check_tenant(&tenant).and_then(|()| entra.device_code(&form));
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

type Pages = (State<Arc<Entra>>, Path<String>, HeaderMap);

async fn ask_user(asked: Pages, Query(fields): Query<Fields>) -> Response {
    page(&asked, &fields, |entra, language| entra.authorize(language, &fields, false))
}

async fn hear_user(asked: Pages, Form(fields): Form<Fields>) -> Response {
    page(&asked, &fields, |entra, language| entra.authorize(language, &fields, true))
}

async fn ask_device(asked: Pages, Query(fields): Query<Fields>) -> Response {
    page(&asked, &fields, |entra, language| entra.approve_device(language, &fields, false))
}

async fn hear_device(asked: Pages, Form(fields): Form<Fields>) -> Response {
    page(&asked, &fields, |entra, language| entra.approve_device(language, &fields, true))
}

/// Shows a page, or sends the browser back. There is no `Cross-Origin-Opener-Policy`: it would take
/// the pop-up away from the page that opened it.
fn page(
    (State(entra), Path(tenant), headers): &Pages,
    fields: &Fields,
    show: impl FnOnce(&Entra, Language) -> Shown,
) -> Response {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let asked = fields.get("ui_locales").map(String::as_str);
    let language = Language::of(asked.or(accepted).unwrap_or_default());
    let shown = match entra.check_tenant(tenant) {
        Ok(()) => show(entra, language),
        Err(refused) => refusal(language, &refused),
    };
    let mut response = match shown {
        Shown::Page(status, page) => {
            let policy = page.policy();
            let mut response = Html(page.html).into_response();
            *response.status_mut() =
                StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            put(&mut response, header::CONTENT_SECURITY_POLICY, &policy);
            response
        }
        Shown::Redirect(to) => {
            // A form is answered with a redirect that is a GET.
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::SEE_OTHER;
            put(&mut response, header::LOCATION, &to);
            response
        }
    };
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        put(&mut response, name, value);
    }
    response
}

fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
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
        let body = refused.body((self.clock)(), Uuid::new_v4(), &self.facts.entra_url());
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
        let mut granted =
            self.for_application(Client { app_id, proof: Proof::Assertion }, resource)?;
        let end = (self.clock)().timestamp() + TOKEN_SECONDS;
        granted["expires_on"] = json!(end.to_string());
        granted["resource"] = json!(resource);
        granted["client_id"] = json!(app_id);
        Ok(granted)
    }
}
