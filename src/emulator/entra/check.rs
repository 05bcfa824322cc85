//! Tokens that come back: to ARM, to Graph, to Storage.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Entra;
use super::resource::{is_graph, is_management, is_storage};
use crate::emulator::model::Principal;

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::emulator) enum Refusal {
    /// Not a token of ours at all: signed by a key that is not known (any more).
    UnknownKey,
    /// Past its end.
    Expired(DateTime<Utc>),
    /// Made for another service.
    Audience(String),
}

impl Entra {
    /// Whose a bearer token is that is good for ARM now.
    pub(in crate::emulator) fn check_management(&self, token: &str) -> Result<Principal, Refusal> {
        let claims = self.check(token, |audience| is_management(&self.facts, audience))?;
        principal(&claims).ok_or(Refusal::UnknownKey)
    }

    /// The client that a bearer token for Graph is of; none where it acts for a user, whose rights
    /// in the directory are those of every user: none.
    pub(in crate::emulator) fn check_graph(&self, token: &str) -> Result<Option<Uuid>, Refusal> {
        let claims = self.check(token, |audience| is_graph(&self.facts, audience))?;
        Ok(client_of(&claims))
    }

    /// Whose a bearer token is that is good for the storage account `account` now.
    pub(in crate::emulator) fn check_storage(
        &self,
        token: &str,
        account: &str,
    ) -> Result<Principal, Refusal> {
        let claims = self.check(token, |audience| is_storage(audience, Some(account)))?;
        principal(&claims).ok_or(Refusal::UnknownKey)
    }

    /// The claims of a token of ours that is good now for an audience that is `meant`.
    fn check(&self, token: &str, meant: impl Fn(&str) -> bool) -> Result<Value, Refusal> {
        let claims = self.signing.open_token(token).ok_or(Refusal::UnknownKey)?;
        if claims["iss"] != json!(self.issuer()) {
            return Err(Refusal::UnknownKey);
        }
        let end = end_of(&claims).ok_or(Refusal::UnknownKey)?;
        if end <= (self.clock)() {
            return Err(Refusal::Expired(end));
        }
        let audience = claims["aud"].as_str().unwrap_or_default();
        if meant(audience) {
            return Ok(claims);
        }
        Err(Refusal::Audience(audience.to_owned()))
    }
}

/// Whose a token is, as refusals call it.
fn principal(claims: &Value) -> Option<Principal> {
    let object = claims["oid"].as_str()?.parse().ok()?;
    let name = client_of(claims).map(|client| client.to_string());
    let name = name.or_else(|| claims["preferred_username"].as_str().map(str::to_owned));
    Some(Principal { object, name: name.unwrap_or_else(|| object.to_string()) })
}

/// The client of a token that is of an application itself.
fn client_of(claims: &Value) -> Option<Uuid> {
    let of_application = claims["idtyp"] == "app";
    claims["appid"].as_str().filter(|_| of_application)?.parse().ok()
}

/// When a token ends.
pub(super) fn end_of(claims: &Value) -> Option<DateTime<Utc>> {
    claims["exp"].as_i64().and_then(|exp| DateTime::from_timestamp(exp, 0))
}
