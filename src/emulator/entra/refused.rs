//! What Entra refuses, by its own numbers.
//!
//! Sources: learn.microsoft.com/entra/identity-platform/reference-error-codes; the few numbers that are
//! not on that page say where they are seen. The `error` values are RFC 6749's.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

/// A refusal, as `/token` and `/authorize` tell it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refused {
    /// HTTP status.
    pub(super) status: u16,
    /// RFC 6749's `error`.
    pub(super) error: &'static str,
    /// The number after `AADSTS`.
    pub(super) number: u32,
    /// What is said after it.
    pub(super) text: String,
}

impl Refused {
    /// A refusal with status 400.
    pub(super) fn new(error: &'static str, number: u32, text: impl Into<String>) -> Self {
        Self { status: 400, error, number, text: text.into() }
    }

    /// `AADSTS…: text`, as `error_description`.
    pub(super) fn description(&self) -> String {
        format!("AADSTS{}: {}", self.number, self.text)
    }

    /// The body that `/token` answers with; `trace` names this answer.
    pub(super) fn body(&self, now: DateTime<Utc>, trace: Uuid) -> Value {
        json!({
            "error": self.error,
            "error_description": self.description(),
            "error_codes": [self.number],
            "timestamp": now.to_rfc3339_opts(SecondsFormat::Secs, true).replace('T', " "),
            "trace_id": trace,
            "correlation_id": trace,
            // Microsoft's own page, for the developer who reads this.
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.number),
        })
    }

    fn unauthorized(self) -> Self {
        Self { status: 401, ..self }
    }
}

pub(super) fn tenant(given: &str) -> Refused {
    Refused::new("invalid_request", 90_002, format!("Tenant '{given}' not found."))
}

pub(super) fn application(given: &str) -> Refused {
    let text = format!("Application with identifier '{given}' was not found in the directory.");
    Refused::new("unauthorized_client", 700_016, text)
}

pub(super) fn disabled(given: &str) -> Refused {
    let text = format!("Application '{given}' is disabled.");
    Refused::new("unauthorized_client", 7_000_112, text)
}

pub(super) fn redirect(given: &str, client: &str) -> Refused {
    let text = format!(
        "The redirect URI '{given}' specified in the request does not match the redirect URIs \
         configured for the application '{client}'."
    );
    Refused::new("invalid_request", 50_011, text)
}

pub(super) fn response_type(given: &str) -> Refused {
    let text = format!("The provided response_type '{given}' is not supported.");
    Refused::new("unsupported_response_type", 70_005, text)
}

pub(super) fn response_mode(given: &str) -> Refused {
    let text = format!("'{given}' is not a supported value of response_mode.");
    Refused::new("invalid_request", 70_007, text)
}

/// One number for everything that is wrong with a challenge: local Azure takes S256 only.
pub(super) fn challenge() -> Refused {
    let text = "The code challenge is missing or its size is not valid: a S256 code_challenge is \
                required.";
    Refused::new("invalid_request", 50_147, text)
}

pub(super) fn missing(name: &str) -> Refused {
    let text = format!("The request body must contain the following parameter: '{name}'.");
    Refused::new("invalid_request", 900_144, text)
}

pub(super) fn grant_type(given: &str) -> Refused {
    let text = format!("The app requested an unsupported grant type '{given}'.");
    Refused::new("unsupported_grant_type", 70_003, text)
}

pub(super) fn scope(given: &str) -> Refused {
    let text =
        format!("The provided value for the input parameter 'scope' isn't valid. '{given}'.");
    Refused::new("invalid_scope", 70_011, text)
}

pub(super) fn two_resources(given: &str) -> Refused {
    let text = format!(
        "The provided value for the input parameter 'scope' isn't valid because it contains more \
         than one resource. Scope {given} is not valid."
    );
    Refused::new("invalid_scope", 700_022, text)
}

/// Not on the page; the text is that of Microsoft's samples (Azure-Samples,
/// active-directory-dotnetcore-daemon-v2).
pub(super) fn not_default(given: &str) -> Refused {
    let text = format!(
        "The provided value for scope {given} is not valid. Client credential flows must have a \
         scope value with /.default suffixed to the resource identifier (application ID URI)."
    );
    Refused::new("invalid_scope", 1_002_012, text)
}

/// Not on the page; learn.microsoft.com/power-query/power-query-troubleshooting shows it.
pub(super) fn no_such_scope(client: &str, value: &str, resource: &str) -> Refused {
    let text = format!(
        "The application '{client}' asked for scope '{value}' that doesn't exist on the resource \
         '{resource}'. Contact the app vendor."
    );
    Refused::new("invalid_client", 650_053, text)
}

pub(super) fn resource(given: &str, tenant: &str) -> Refused {
    let text = format!(
        "The resource principal named {given} was not found in the tenant named {tenant}. This can \
         happen if the application has not been installed by the administrator of the tenant or \
         consented to by any user in the tenant."
    );
    Refused::new("invalid_resource", 500_011, text)
}

pub(super) fn stranger(mail: &str, home: Uuid, tenant: Uuid, client: &str) -> Refused {
    let text = format!(
        "User account '{mail}' from identity provider '{home}' does not exist in tenant '{tenant}' \
         and cannot access the application '{client}' in that tenant. The account needs to be added \
         as an external user in the tenant first."
    );
    Refused::new("access_denied", 50_020, text)
}

pub(super) fn not_signed_in() -> Refused {
    let text = "Session information is not sufficient for single-sign-on.";
    Refused::new("login_required", 50_058, text)
}

pub(super) fn consent_missing(client: &str) -> Refused {
    let text = format!(
        "The user or administrator has not consented to use the application with ID '{client}'. Send \
         an interactive authorization request for this user and resource."
    );
    Refused::new("invalid_grant", 65_001, text)
}

pub(super) fn declined() -> Refused {
    Refused::new("access_denied", 65_004, "User declined to consent to access the app.")
}

pub(super) fn admin_consent(client: &str) -> Refused {
    let text = format!(
        "'{client}' needs permission to access resources in your organization that only an admin \
         can grant."
    );
    Refused::new("access_denied", 90_094, text)
}

pub(super) fn redeemed() -> Refused {
    let text = "OAuth2 Authorization code was already redeemed, please retry with a new valid code \
                or use an existing refresh token.";
    Refused::new("invalid_grant", 54_005, text)
}

pub(super) fn expired() -> Refused {
    let text = "The provided authorization code or refresh token has expired due to inactivity. Send \
                a new interactive authorization request for this user and resource.";
    Refused::new("invalid_grant", 70_008, text)
}

pub(super) fn grant() -> Refused {
    Refused::new("invalid_grant", 70_000, "The provided grant is invalid or malformed.")
}

/// The lifetime is that of refresh tokens of single-page applications.
pub(super) fn spa_expired() -> Refused {
    let text = "The refresh token was issued to a single page app (SPA), and therefore has a fixed, \
                limited lifetime of 1.00:00:00, which cannot be extended. It is now expired and a \
                new sign in request must be sent by the SPA to the sign in page.";
    Refused::new("invalid_grant", 700_084, text)
}

pub(super) fn verifier() -> Refused {
    let text = "The Code_Verifier does not match the code_challenge supplied in the authorization \
                request.";
    Refused::new("invalid_grant", 501_481, text)
}

/// Not on the page; learn.microsoft.com/entra/identity-platform/reply-url explains the type `spa`.
pub(super) fn only_cross_origin() -> Refused {
    let text = "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via \
                cross-origin requests.";
    Refused::new("invalid_request", 9_002_327, text)
}

/// The mirror image of [`only_cross_origin`].
pub(super) fn not_cross_origin() -> Refused {
    let text = "Cross-origin token redemption is permitted only for the 'Single-Page Application' \
                client-type.";
    Refused::new("invalid_request", 9_002_326, text)
}

pub(super) fn secret() -> Refused {
    let text = "Invalid client secret provided. Ensure the secret being sent in the request is the \
                client secret value, not the client secret ID, for a secret added to the app.";
    Refused::new("invalid_client", 7_000_215, text).unauthorized()
}

pub(super) fn no_credential() -> Refused {
    let text = "The request body must contain the following parameter: 'client_assertion' or \
                'client_secret'.";
    Refused::new("invalid_client", 7_000_218, text).unauthorized()
}

pub(super) fn public_client() -> Refused {
    let text =
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.";
    Refused::new("invalid_client", 700_025, text).unauthorized()
}

pub(super) fn assertion_key() -> Refused {
    let text = "The certificate with identifier used to sign the client assertion is not registered \
                on application.";
    Refused::new("invalid_client", 700_027, text).unauthorized()
}

pub(super) fn assertion_signature() -> Refused {
    let text = "Assertion failed signature validation.";
    Refused::new("invalid_client", 50_013, text).unauthorized()
}

/// Not on the page; learn.microsoft.com/troubleshoot/entra/entra-id/app-integration has it.
pub(super) fn assertion_time() -> Refused {
    let text = "Client assertion is not within its valid time range.";
    Refused::new("invalid_client", 700_024, text).unauthorized()
}

/// Not on the page; learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
/// tells when it comes.
pub(super) fn no_federation() -> Refused {
    let text = "No matching federated identity record found for presented assertion.";
    Refused::new("invalid_client", 700_213, text).unauthorized()
}

/// On-behalf-of: the user's token is none of ours, or not for this client.
pub(super) fn user_assertion() -> Refused {
    let text = "Assertion is not valid: its signature, its audience or its kind does not fit the \
                client that presents it.";
    Refused::new("invalid_grant", 50_013, text)
}

pub(super) fn user_assertion_expired(now: DateTime<Utc>, end: DateTime<Utc>) -> Refused {
    let text = format!(
        "Assertion is not within its valid time range. Ensure that the access token is not expired \
         before using it for user assertion, or request a new token. Current time: {now}, expiry \
         time of assertion {end}."
    );
    Refused::new("invalid_grant", 500_133, text)
}

pub(super) fn pending() -> Refused {
    let text = "OAuth 2.0 device flow error. Authorization is pending. Continue polling.";
    Refused::new("authorization_pending", 70_016, text)
}

pub(super) fn device_declined() -> Refused {
    Refused::new("authorization_declined", 65_004, "User declined to consent to access the app.")
}

pub(super) fn device_expired() -> Refused {
    Refused::new("expired_token", 70_019, "Verification code expired.")
}

pub(super) fn device_code() -> Refused {
    Refused::new("bad_verification_code", 70_018, "Invalid verification code.")
}

/// Of local Azure itself.
pub(super) fn broken(what: &str) -> Refused {
    Refused { status: 500, ..Refused::new("server_error", 50_000, what) }
}

pub(super) fn no_user(name: &str) -> Refused {
    let text = format!("The user account {name} does not exist in the directory.");
    Refused::new("invalid_request", 50_034, text)
}

/// A form that a page of another origin sent.
pub(super) fn foreign_form() -> Refused {
    let text = "The authentication service request isn't valid: the form is of another origin.";
    Refused::new("invalid_request", 90_023, text)
}
