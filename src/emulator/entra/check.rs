//! Tokens that come back: to ARM, to Graph, to Storage.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Entra;
use super::resource::{is_graph, is_management, is_storage};

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::emulator) enum Refusal {
    /// Not a token of ours at all: signed by a key that is not known (any more).
    UnknownKey,
    /// Past its end.
    Expired(DateTime<Utc>),
    /// Made for another service.
    Audience(String),
    /// Good, but of somebody without a role in the subscription: the object id.
    NoRole(String),
}

impl Entra {
    /// Whether a bearer token is good for ARM now. The two identities that local Azure is made with
    /// have a role in the subscription, and nobody else.
    pub(in crate::emulator) fn check_management(&self, token: &str) -> Result<(), Refusal> {
        let claims = self.check(token, |audience| is_management(&self.facts, audience))?;
        if self.is_own(client_of(&claims)) {
            return Ok(());
        }
        Err(Refusal::NoRole(claims["oid"].as_str().unwrap_or_default().to_owned()))
    }

    /// The client that a bearer token for Graph is of; none where it acts for a user, whose rights
    /// in the directory are those of every user: none.
    pub(in crate::emulator) fn check_graph(&self, token: &str) -> Result<Option<Uuid>, Refusal> {
        let claims = self.check(token, |audience| is_graph(&self.facts, audience))?;
        Ok(client_of(&claims))
    }

    /// The object id of whom a bearer token for the storage account `account` is of, and its client
    /// where that is an application itself.
    pub(in crate::emulator) fn check_storage(
        &self,
        token: &str,
        account: &str,
    ) -> Result<(String, Option<Uuid>), Refusal> {
        let claims = self.check(token, |audience| is_storage(audience, Some(account)))?;
        let object = claims["oid"].as_str().unwrap_or_default().to_owned();
        Ok((object, client_of(&claims)))
    }

    /// Whether an application is one of the two that local Azure is made with.
    pub(in crate::emulator) fn is_own(&self, client: Option<Uuid>) -> bool {
        let known = [self.facts.client_id, self.facts.identity_client_id];
        client.is_some_and(|client| known.contains(&client))
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

/// The client of a token that is of an application itself.
fn client_of(claims: &Value) -> Option<Uuid> {
    let of_application = claims["idtyp"] == "app";
    claims["appid"].as_str().filter(|_| of_application)?.parse().ok()
}

/// When a token ends.
pub(super) fn end_of(claims: &Value) -> Option<DateTime<Utc>> {
    claims["exp"].as_i64().and_then(|exp| DateTime::from_timestamp(exp, 0))
}
