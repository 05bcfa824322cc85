//! The pages: what a browser sends to them, and the headers that they come with.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Form, Router};

use crate::emulator::entra::Entra;
use crate::emulator::entra::authorize::Fields;
use crate::emulator::entra::page::Language;
use crate::emulator::entra::refused::{self, Refused};
use crate::emulator::entra::sign_in::{Shown, refusal};

pub(super) fn routes() -> Router<Arc<Entra>> {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/authorize", get(ask_user).post(hear_user))
        .route("/{tenant}/oauth2/deviceauth", get(ask_device).post(hear_device))
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
    let checked = entra.check_tenant(tenant).and_then(|()| check_form(entra, headers));
    let shown = match checked {
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
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        put(&mut response, name, value);
    }
    response
}

/// Only our own pages' forms count, or those of who is no browser: else any page that is open could
/// sign somebody in, and consent.
fn check_form(entra: &Entra, headers: &HeaderMap) -> Result<(), Refused> {
    let own = entra.facts.entra_url();
    let foreign = headers.get(header::ORIGIN).is_some_and(|origin| origin != own.as_str());
    if foreign { Err(refused::foreign_form()) } else { Ok(()) }
}

fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
