//! Who may ask: the bearer token's signature, end and audience.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::answer::Answer;
use crate::emulator::entra::{Entra, Refusal};
use crate::emulator::model::{Error, Principal};

/// Who asks; or the refusal of a request whose token is missing or no good, the way ARM words it.
pub(super) fn caller(entra: &Entra, headers: &HeaderMap) -> Result<Principal, Box<Answer>> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"));
    let Some((_, token)) = token else {
        let message = "Authentication failed. The 'Authorization' header is missing.";
        return Err(Box::new(refuse(entra, "AuthenticationFailed", message.to_owned(), None)));
    };
    entra.check_management(token.trim()).map_err(|refusal| Box::new(refused(entra, refusal)))
}

fn refused(entra: &Entra, refusal: Refusal) -> Answer {
    match refusal {
        Refusal::UnknownKey => {
            let message = "The access token is invalid: its signing key is not known.".to_owned();
            refuse(entra, "InvalidAuthenticationToken", message, Some(challenge()))
        }
        Refusal::Expired(end) => {
            let message = format!("The access token expiry UTC time '{end}' has passed.");
            refuse(entra, "ExpiredAuthenticationToken", message, None)
        }
        Refusal::Audience(audience) => {
            let message = format!(
                "The access token has been obtained for wrong audience or resource '{audience}'. It \
                 should exactly match with one of the allowed audiences \
                 'https://management.core.windows.net/','https://management.core.windows.net',\
                 'https://management.azure.com/','https://management.azure.com'."
            );
            refuse(entra, "InvalidAuthenticationTokenAudience", message, None)
        }
    }
}

fn refuse(entra: &Entra, code: &str, message: String, challenge: Option<String>) -> Answer {
    let authority = entra.authority();
    let more = challenge.unwrap_or_else(|| "error=\"invalid_token\"".to_owned());
    let value = format!("Bearer authorization_uri=\"{authority}\", {more}");
    Answer::from(Error::new(401, code, message)).with_header(header::WWW_AUTHENTICATE, &value)
}

/// Makes clients fetch a new token instead of sending the old one until it ends (continuous access
/// evaluation: learn.microsoft.com/entra/identity-platform/claims-challenge).
pub(in crate::emulator) fn challenge() -> String {
    let claims = json!({"access_token": {"xms_cc": {"values": ["CP1"]}}}).to_string();
    format!("error=\"insufficient_claims\", claims=\"{}\"", STANDARD.encode(claims))
}
