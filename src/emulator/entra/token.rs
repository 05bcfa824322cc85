//! Issuing access tokens, and checking those that come back.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::key::Error;
use super::{EXCHANGE, Entra, FEDERATED, TOKEN_SECONDS};

/// Audiences that are one service, whichever is asked for (`azure-cli` and the SDKs differ).
const MANAGEMENT: [&str; 2] =
    ["https://management.core.windows.net", "https://management.azure.com"];

/// Microsoft Graph, by its public address and by its `appId`.
const GRAPH: [&str; 2] = ["https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"];

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
    /// An access token of `client` for `audience`.
    pub(super) fn issue(&self, client: Uuid, audience: &str) -> Result<String, Error> {
        let now = (self.clock)().timestamp();
        self.signing.sign(&json!({
            "aud": audience,
            "iss": self.issuer(),
            "iat": now,
            "nbf": now,
            "exp": now + TOKEN_SECONDS,
            "ver": "2.0",
            "tid": self.facts.tenant,
            "oid": client,
            "sub": client,
            "azp": client,
            "appid": client,
            "azpacr": "1",
            "idtyp": "app",
            "uti": Uuid::new_v4().simple().to_string(),
        }))
    }

    /// Whether a bearer token is good for ARM now.
    pub(in crate::emulator) fn check_management(&self, token: &str) -> Result<(), Refusal> {
        self.check(token, |audience| self.is_management(audience)).map(drop)
    }

    /// The client that a bearer token for Graph is of.
    pub(in crate::emulator) fn check_graph(&self, token: &str) -> Result<Uuid, Refusal> {
        let claims = self.check(token, |audience| self.is_graph(audience))?;
        let client = claims["appid"].as_str().and_then(|id| id.parse().ok());
        client.ok_or(Refusal::UnknownKey)
    }

    /// The claims of a token of ours that is good now for an audience that is `meant`.
    fn check(&self, token: &str, meant: impl Fn(&str) -> bool) -> Result<Value, Refusal> {
        let claims = self.signing.open_token(token).ok_or(Refusal::UnknownKey)?;
        if claims["iss"] != json!(self.issuer()) {
            return Err(Refusal::UnknownKey);
        }
        let end = claims["exp"].as_i64().and_then(|exp| DateTime::from_timestamp(exp, 0));
        let end = end.ok_or(Refusal::UnknownKey)?;
        if end <= (self.clock)() {
            return Err(Refusal::Expired(end));
        }
        let audience = claims["aud"].as_str().unwrap_or_default();
        if meant(audience.trim_end_matches('/')) {
            return Ok(claims);
        }
        Err(Refusal::Audience(audience.to_owned()))
    }

    fn is_management(&self, bare: &str) -> bool {
        MANAGEMENT.contains(&bare) || bare == self.facts.arm_url()
    }

    fn is_graph(&self, bare: &str) -> bool {
        GRAPH.contains(&bare) || bare == self.facts.graph_url()
    }

    /// The audience of a token for `resource`, if it is one that this tenant knows.
    pub(super) fn audience(&self, resource: &str) -> Option<String> {
        let bare = resource.trim_end_matches('/');
        let known = self.is_management(bare) || self.is_graph(bare);
        known.then(|| resource.to_owned())
    }

    /// The content of the federated token file.
    pub(in crate::emulator) fn federated_token(&self) -> Result<String, Error> {
        let now = (self.clock)();
        self.federation.sign(&json!({
            "aud": [EXCHANGE],
            "iss": self.federation_issuer(),
            "sub": self.federated_subject(),
            "iat": now.timestamp(),
            "nbf": now.timestamp(),
            "exp": (now + FEDERATED).timestamp(),
        }))
    }

    /// Whether `assertion` is a federated token of the registered client. `exp` may be fractional.
    pub(super) fn accepts_assertion(&self, assertion: &str) -> Result<(), &'static str> {
        if !self.federation.is_named_by(assertion) {
            return Err("AADSTS700027: The certificate with identifier used to sign the client \
                assertion is not registered on application.");
        }
        let claims = self.federation.open_token(assertion);
        let claims = claims.ok_or("AADSTS50013: Assertion failed signature validation.")?;
        let audience = match &claims["aud"] {
            Value::Array(list) => list.contains(&json!(EXCHANGE)),
            one => *one == json!(EXCHANGE),
        };
        let end = claims["exp"].as_f64().map(|exp| TimeDelta::seconds(seconds(exp)));
        let now = TimeDelta::seconds((self.clock)().timestamp());
        if end.is_none_or(|end| end <= now) {
            return Err("AADSTS700024: Client assertion is not within its valid time range.");
        }
        let (issuer, subject) = (self.federation_issuer(), self.federated_subject());
        if claims["iss"] != json!(issuer) || claims["sub"] != json!(subject) || !audience {
            return Err("AADSTS700213: No matching federated identity record found for presented \
                assertion.");
        }
        Ok(())
    }

    fn federation_issuer(&self) -> String {
        format!("{}/federation", self.authority())
    }

    fn federated_subject(&self) -> String {
        format!("system:serviceaccount:default:{}", self.facts.client_id)
    }
}

/// Whole seconds of a `NumericDate` (RFC 7519); beyond an `i64` is the far future.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, which is what is meant")]
fn seconds(date: f64) -> i64 {
    date as i64
}
