//! `/token`: every grant.
//!
//! Sources: learn.microsoft.com/entra/identity-platform/v2-oauth2-{auth-code-flow,
//! client-creds-grant-flow,on-behalf-of-flow,device-code}.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::authorize::{Fields, Wanted, check_known, find_user};
use super::check::end_of;
use super::claims::{self, Client, Proof, Stamp};
use super::ledger::{Platform, Redemption, SignIn};
use super::refused::{self, Refused};
use super::resource::Resource;
use super::scope::Asked;
use super::{Entra, TOKEN_SECONDS};
use crate::emulator::directory::{Application, Directory};
use crate::emulator::installation::secret;

/// Of RFC 7523.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Of RFC 8628.
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// One request to `/token`, and when it came.
struct Asking<'a> {
    now: DateTime<Utc>,
    form: &'a Fields,
    application: Application,
    client: Client,
}

impl Asking<'_> {
    fn field(&self, name: &str) -> Result<&str, Refused> {
        self.form.get(name).map(String::as_str).ok_or_else(|| refused::missing(name))
    }
}

impl Entra {
    /// Answers a form. `cross_origin` says whether it came from a page of another origin.
    pub(super) fn token(&self, form: &Fields, cross_origin: bool) -> Result<Value, Refused> {
        let now = (self.clock)();
        let grant = form.get("grant_type").ok_or_else(|| refused::missing("grant_type"))?;
        let known = ["authorization_code", "refresh_token", "client_credentials"];
        if !known.contains(&grant.as_str()) && grant != JWT_BEARER && grant != DEVICE_CODE {
            return Err(refused::grant_type(grant));
        }
        let found = self.directory.look(|directory| self.client(now, directory, form));
        let (application, client) = found?;
        let asking = Asking { now, form, application, client };
        match grant.as_str() {
            "authorization_code" => self.redeem(&asking, cross_origin),
            "refresh_token" => self.refresh(&asking, cross_origin),
            "client_credentials" => self.of_itself(&asking),
            JWT_BEARER => self.on_behalf(&asking),
            _ => self.poll(&asking, cross_origin),
        }
    }

    fn redeem(&self, asking: &Asking<'_>, cross_origin: bool) -> Result<Value, Refused> {
        let code = asking.field("code")?;
        let by = Redemption {
            client: asking.client.app_id,
            redirect: asking.field("redirect_uri")?,
            verifier: asking.field("code_verifier")?,
            cross_origin,
            proven: asking.client.proof != Proof::Public,
        };
        let redeemed = self.ledger.with(|ledger| ledger.redeem(asking.now, code, &by));
        self.begin(asking, &redeemed?)
    }

    fn refresh(&self, asking: &Asking<'_>, cross_origin: bool) -> Result<Value, Refused> {
        let token = asking.field("refresh_token")?;
        let by = Redemption {
            client: asking.client.app_id,
            redirect: "",
            verifier: "",
            cross_origin,
            proven: asking.client.proof != Proof::Public,
        };
        let next = draw()?;
        let known = self.ledger.with(|ledger| ledger.refresh(asking.now, token, &by, &next));
        let mut sign_in = known?;
        if let Some(scope) = asking.form.get("scope").filter(|scope| !scope.trim().is_empty()) {
            sign_in.scope.clone_from(scope);
        }
        let mut answer = self.for_user(asking, &sign_in)?;
        answer["refresh_token"] = json!(next);
        Ok(answer)
    }

    fn of_itself(&self, asking: &Asking<'_>) -> Result<Value, Refused> {
        if asking.client.proof == Proof::Public {
            return Err(refused::no_credential());
        }
        let scope = asking.field("scope")?;
        let asked = Asked::parse(scope)?;
        let name = asked.resource.as_deref().filter(|_| asked.is_default());
        let name = name.ok_or_else(|| refused::not_default(scope))?;
        self.for_application(asking.client, name)
    }

    /// A token of an application itself.
    pub(super) fn for_application(&self, client: Client, name: &str) -> Result<Value, Refused> {
        let stamp = self.stamp()?;
        let claims = self.directory.look(|directory| {
            let resource = Resource::find(&self.facts, directory, name)?;
            let id = client.app_id.to_string();
            let principal = directory.service_principal(&id);
            let object = principal.ok_or_else(|| refused::application(&id))?.id;
            let app_id = resource.app_id();
            let roles = app_id.map(|app_id| directory.roles(app_id, object)).unwrap_or_default();
            Ok(claims::application(&stamp, &resource, client, object, &roles))
        });
        Ok(json!({
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS - 1,
            "ext_expires_in": TOKEN_SECONDS - 1,
            "access_token": self.sign(&claims?)?,
        }))
    }

    fn on_behalf(&self, asking: &Asking<'_>) -> Result<Value, Refused> {
        if asking.client.proof == Proof::Public {
            return Err(refused::no_credential());
        }
        if asking.field("requested_token_use")? != "on_behalf_of" {
            return Err(refused::grant_type(JWT_BEARER));
        }
        let scope = asking.field("scope")?.to_owned();
        let user = self.user_of(asking, asking.field("assertion")?)?;
        let client = asking.client.app_id;
        let platform = Platform::Web;
        self.begin(asking, &SignIn { client, user, scope, nonce: None, platform })
    }

    /// The user of an access token that was made for the client that presents it.
    fn user_of(&self, asking: &Asking<'_>, assertion: &str) -> Result<Uuid, Refused> {
        let claims = self.signing.open_token(assertion).ok_or_else(refused::user_assertion)?;
        let end = end_of(&claims).ok_or_else(refused::user_assertion)?;
        if end <= asking.now {
            return Err(refused::user_assertion_expired(asking.now, end));
        }
        let application = &asking.application;
        let audience = claims["aud"].as_str().unwrap_or_default();
        let for_client = audience == application.app_id.to_string()
            || application.properties.identifier_uris.iter().any(|uri| uri == audience);
        let user = claims["oid"].as_str().and_then(|oid| oid.parse().ok());
        let of_user = claims["scp"].is_string() && for_client;
        user.filter(|_| of_user).ok_or_else(refused::user_assertion)
    }

    fn poll(&self, asking: &Asking<'_>, cross_origin: bool) -> Result<Value, Refused> {
        if cross_origin {
            return Err(refused::not_cross_origin());
        }
        let public = asking.application.properties.is_fallback_public_client == Some(true);
        if !public && asking.client.proof == Proof::Public {
            return Err(refused::no_credential());
        }
        let code = asking.field("device_code")?;
        let client = asking.client.app_id;
        let approved = self.ledger.with(|ledger| ledger.poll(asking.now, code, client));
        self.begin(asking, &approved?)
    }

    /// The first answer for a sign-in, with a refresh token where one was asked for.
    fn begin(&self, asking: &Asking<'_>, sign_in: &SignIn) -> Result<Value, Refused> {
        let mut answer = self.for_user(asking, sign_in)?;
        if Asked::parse(&sign_in.scope)?.has("offline_access") {
            let token = draw()?;
            let kept = sign_in.clone();
            self.ledger.with(|ledger| ledger.give_refresh(asking.now, &token, kept));
            answer["refresh_token"] = json!(token);
        }
        Ok(answer)
    }

    fn for_user(&self, asking: &Asking<'_>, sign_in: &SignIn) -> Result<Value, Refused> {
        let asked = Asked::parse(&sign_in.scope)?;
        let stamp = self.stamp()?;
        let made = self
            .directory
            .with(|directory| self.tokens(directory, asking, (sign_in, &asked), &stamp));
        let (access, identity, scopes) = made?;
        let mut answer = json!({
            "token_type": "Bearer",
            "scope": scopes,
            "expires_in": TOKEN_SECONDS - 1,
            "ext_expires_in": TOKEN_SECONDS - 1,
            "access_token": self.sign(&access)?,
        });
        if asked.has("openid") {
            answer["id_token"] = json!(self.sign(&identity)?);
        }
        // What MSAL names an account after.
        if asking.form.get("client_info").is_some_and(|wanted| wanted == "1") {
            let info = json!({"uid": sign_in.user, "utid": self.facts.tenant}).to_string();
            answer["client_info"] = json!(URL_SAFE_NO_PAD.encode(info));
        }
        Ok(answer)
    }

    /// Claims of the access token and of the ID token, and the scopes that are given.
    fn tokens(
        &self,
        directory: &Directory,
        asking: &Asking<'_>,
        (sign_in, asked): (&SignIn, &Asked),
        stamp: &Stamp,
    ) -> Result<(Value, Value, String), Refused> {
        let user = find_user(directory, &sign_in.user.to_string()).ok_or_else(refused::grant)?;
        check_known(&self.facts, user, &asking.application)?;
        let wanted = Wanted::of(&self.facts, directory, &asking.application, asked, user)?;
        if !wanted.missing.is_empty() {
            return Err(refused::consent_missing(&asking.client.app_id.to_string()));
        }
        let values = wanted.values();
        let app_id = wanted.resource.app_id();
        let roles = app_id.map(|app_id| directory.roles(app_id, user.id)).unwrap_or_default();
        let client = asking.client;
        let access = claims::user(stamp, &wanted.resource, client, user, (&values, &roles));
        let nonce = sign_in.nonce.as_deref();
        let identity = claims::identity(stamp, client, user, nonce, &asked.openid);
        let given = values.iter().map(|value| match &asked.resource {
            Some(resource) => format!("{}/{value}", resource.trim_end_matches('/')),
            None => value.clone(),
        });
        Ok((access, identity, given.collect::<Vec<_>>().join(" ")))
    }

    fn stamp(&self) -> Result<Stamp, Refused> {
        Ok(Stamp {
            now: (self.clock)().timestamp(),
            authority: self.authority(),
            tenant: self.facts.tenant,
            id: draw()?.chars().take(22).collect(),
        })
    }

    fn sign(&self, claims: &Value) -> Result<String, Refused> {
        self.signing.sign(claims).map_err(|error| refused::broken(&error.to_string()))
    }
}

/// A code, a token: what nobody can guess.
pub(super) fn draw() -> Result<String, Refused> {
    secret().map_err(|error| refused::broken(&error.to_string()))
}
