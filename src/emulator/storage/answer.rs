//! What the Blob service answers when it refuses, and what of Azurite's answers is passed on.
//!
//! Sources: learn.microsoft.com/rest/api/storageservices/{blob-service-error-codes,common-rest-api-error-codes,
//! status-and-error-codes2,authorize-with-azure-active-directory}; details of tokens: Azure/azure-sdk-for-java
//! #8667, Azure/AzureStor #119.

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::operation::{Asked, What};
use super::{Passed, VERSION_HEADER};
use crate::emulator::entra::Refusal;
use crate::emulator::faults::Effect;

const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");

/// A refusal.
#[derive(Debug)]
pub(super) struct Refused {
    status: u16,
    code: &'static str,
    message: String,
    /// `AuthenticationErrorDetail`.
    detail: Option<String>,
    /// `WWW-Authenticate`.
    challenge: Option<String>,
    retry_after: Option<u32>,
}

impl Refused {
    fn new(status: u16, code: &'static str, message: &str) -> Self {
        let message = message.to_owned();
        Self { status, code, message, detail: None, challenge: None, retry_after: None }
    }

    /// Local Azure's own: Azure has more operations than these.
    pub(super) fn not_known(parts: &Parts) -> Self {
        let message = format!(
            "Local Azure does not have this operation of the Blob service: {} {}.",
            parts.method,
            parts.uri.path()
        );
        Self::new(501, "NotImplemented", &message)
    }

    pub(super) fn no_account() -> Self {
        Self::new(404, "ResourceNotFound", "The specified resource does not exist.")
    }

    pub(super) fn closed() -> Self {
        let message = "This request is not authorized to perform this operation.";
        Self::new(403, "AuthorizationFailure", message)
    }

    pub(super) fn no_keys() -> Self {
        let message = "Key based authentication is not permitted on this storage account.";
        Self::new(403, "KeyBasedAuthenticationNotPermitted", message)
    }

    pub(super) fn no_right() -> Self {
        let message =
            "This request is not authorized to perform this operation using this permission.";
        Self::new(403, "AuthorizationPermissionMismatch", message)
    }

    pub(super) fn bad_signature() -> Self {
        let message = "Server failed to authenticate the request. Make sure the value of Authorization \
                       header is formed correctly including the signature.";
        Self::new(403, "AuthenticationFailed", message)
    }

    pub(super) fn no_authorization(authority: &str) -> Self {
        Self::unauthorized("NoAuthenticationInformation", authority)
    }

    /// What is wrong with a bearer token.
    pub(super) fn token(refusal: &Refusal, authority: &str) -> Self {
        let detail = match refusal {
            Refusal::UnknownKey => "Signature validation failed. Signature key not found.",
            Refusal::Expired(_) => "Lifetime validation failed. The token is expired.",
            Refusal::Audience(_) => "Audience validation failed. Audience did not match.",
        };
        let refused = Self::unauthorized("InvalidAuthenticationInfo", authority);
        Self { detail: Some(detail.to_owned()), ..refused }
    }

    fn unauthorized(code: &'static str, authority: &str) -> Self {
        let message = "Server failed to authenticate the request. Please refer to the information in \
                       the www-authenticate header.";
        let challenge = format!(
            "Bearer authorization_uri={authority}/oauth2/authorize resource_id=https://storage.azure.com"
        );
        Self { challenge: Some(challenge), ..Self::new(401, code, message) }
    }

    pub(super) fn too_large() -> Self {
        let message = "The request body is too large and exceeds the maximum permissible limit.";
        Self::new(413, "RequestBodyTooLarge", message)
    }

    pub(super) fn busy(retry_after: Option<u32>) -> Self {
        let message =
            "The server is currently unable to receive requests. Please retry your request.";
        Self { retry_after, ..Self::new(503, "ServerBusy", message) }
    }

    /// The answer that an injected fault gives in place of the true one.
    pub(super) fn fault(effect: &Effect, asked: &Asked) -> Self {
        match effect {
            Effect::BlobRefused { status: 409, retry_after } => {
                let (code, message) = match asked.what {
                    What::Add => ("BlobAlreadyExists", "The specified blob already exists."),
                    _ => (
                        "LeaseIdMismatchWithBlobOperation",
                        "The lease ID specified did not match the lease ID for the blob.",
                    ),
                };
                Self { retry_after: *retry_after, ..Self::new(409, code, message) }
            }
            Effect::BlobRefused { status: 412, retry_after } => {
                let message =
                    "The condition specified using HTTP conditional header(s) is not met.";
                Self { retry_after: *retry_after, ..Self::new(412, "ConditionNotMet", message) }
            }
            Effect::BlobRefused { status: 429, retry_after } => Self::throttled(*retry_after),
            Effect::Throttle { retry_after } => Self::throttled(Some(*retry_after)),
            Effect::BlobRefused { retry_after, .. } => Self::busy(*retry_after),
            _ => {
                let message = "The server encountered an internal error. Please retry the request.";
                Self::new(500, "InternalError", message)
            }
        }
    }

    fn throttled(retry_after: Option<u32>) -> Self {
        let message = "The request is being throttled.";
        Self { retry_after, ..Self::new(429, "TooManyRequests", message) }
    }

    /// On the wire.
    pub(super) fn into_response(self, request: &HeaderMap, now: DateTime<Utc>) -> Response {
        let id = Uuid::new_v4().to_string();
        let detail = self.detail.map_or_else(String::new, |detail| {
            format!("<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail>")
        });
        let time = now.to_rfc3339_opts(SecondsFormat::Micros, true);
        let message = self.message.replace('&', "&amp;").replace('<', "&lt;");
        let body = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{}</Code><Message>{message}\n\
             RequestId:{id}\nTime:{time}</Message>{detail}</Error>",
            self.code
        );
        let mut response = Response::new(Body::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        headers.insert(ERROR_CODE, HeaderValue::from_static(self.code));
        super::insert(headers, REQUEST_ID, &id);
        if let Some(challenge) = self.challenge {
            super::insert(headers, header::WWW_AUTHENTICATE, &challenge);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        for name in [VERSION_HEADER, CLIENT_REQUEST_ID] {
            if let Some(echo) = request.get(&name) {
                headers.insert(name, echo.clone());
            }
        }
        response
    }
}

/// An answer of Azurite as it is passed on.
pub(super) fn passed(head: &Passed, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = head.status;
    let own = [header::CONNECTION, header::TRANSFER_ENCODING, header::SERVER];
    for (name, value) in &head.headers {
        if !own.contains(name) && !name.as_str().starts_with("keep-alive") {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    response
}
