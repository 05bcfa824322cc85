//! Who asks for a token, and how they prove it.
//!
//! Sources: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
//! learn.microsoft.com/entra/workload-id/workload-identity-federation.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::authorize::Fields;
use super::claims::{Client, Proof};
use super::key::Error;
use super::refused::{self, Refused};
use super::{EXCHANGE, Entra, FEDERATED};
use crate::emulator::directory::{Application, Directory};
use crate::emulator::installation::same_secret;

/// The assertion type of RFC 7523.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Entra {
    /// The client that a form is of. One that shows no credential is public.
    pub(super) fn client(
        &self,
        now: DateTime<Utc>,
        directory: &Directory,
        form: &Fields,
    ) -> Result<(Application, Client), Refused> {
        let id = form.get("client_id").ok_or_else(|| refused::missing("client_id"))?;
        let application = directory.application_by_app_id(id);
        let application = application.ok_or_else(|| refused::application(id))?;
        let principal = directory.service_principal(id);
        if principal.is_some_and(|principal| !principal.properties.account_enabled) {
            return Err(refused::disabled(id));
        }
        let proof = self.proof(now, application, form)?;
        let client = Client { app_id: application.app_id, proof };
        Ok((application.clone(), client))
    }

    fn proof(
        &self,
        now: DateTime<Utc>,
        application: &Application,
        form: &Fields,
    ) -> Result<Proof, Refused> {
        if let Some(secret) = form.get("client_secret") {
            let installed = application.app_id == self.facts.client_id
                && same_secret(secret, &self.facts.client_secret);
            let good = installed | application.accepts_secret(now, secret);
            return if good { Ok(Proof::Secret) } else { Err(refused::secret()) };
        }
        let Some(assertion) = form.get("client_assertion") else { return Ok(Proof::Public) };
        if form.get("client_assertion_type").is_none_or(|kind| kind != JWT_BEARER) {
            return Err(refused::missing("client_assertion_type"));
        }
        self.check_assertion(now, application, assertion)?;
        Ok(Proof::Assertion)
    }

    /// Whether `assertion` is a federated token that `application` trusts. `exp` may be fractional.
    fn check_assertion(
        &self,
        now: DateTime<Utc>,
        application: &Application,
        assertion: &str,
    ) -> Result<(), Refused> {
        if !self.federation.is_named_by(assertion) {
            return Err(refused::assertion_key());
        }
        let claims = self.federation.open_token(assertion);
        let claims = claims.ok_or_else(refused::assertion_signature)?;
        let end = claims["exp"].as_f64().map(seconds);
        if end.is_none_or(|end| end <= now.timestamp()) {
            return Err(refused::assertion_time());
        }
        let installed = application.app_id == self.facts.client_id
            && is_of(&claims, &self.federation_issuer(), &self.federated_subject(), EXCHANGE);
        let trusted = application.federated_credentials.iter().any(|trust| {
            let mut audiences = trust.audiences.iter();
            audiences.any(|audience| is_of(&claims, &trust.issuer, &trust.subject, audience))
        });
        if installed || trusted { Ok(()) } else { Err(refused::no_federation()) }
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

    fn federation_issuer(&self) -> String {
        format!("{}/federation", self.authority())
    }

    fn federated_subject(&self) -> String {
        format!("system:serviceaccount:default:{}", self.facts.client_id)
    }
}

fn is_of(claims: &Value, issuer: &str, subject: &str, audience: &str) -> bool {
    let for_us = match &claims["aud"] {
        Value::Array(list) => list.contains(&json!(audience)),
        one => *one == json!(audience),
    };
    for_us && claims["iss"] == json!(issuer) && claims["sub"] == json!(subject)
}

/// Whole seconds of a `NumericDate` (RFC 7519); beyond an `i64` is the far future.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, which is what is meant")]
fn seconds(date: f64) -> i64 {
    date as i64
}
