//! What tokens say. Pure.
//!
//! Sources: learn.microsoft.com/entra/identity-platform/{access-token-claims-reference,
//! id-token-claims-reference,optional-claims-reference}.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::TOKEN_SECONDS;
use super::resource::{Form, Resource};
use crate::emulator::directory::{User, UserType};

/// What every token of one answer has in common.
pub(super) struct Stamp {
    /// Seconds since the epoch.
    pub(super) now: i64,
    /// Where the tenant is, without `/v2.0`.
    pub(super) authority: String,
    pub(super) tenant: Uuid,
    /// Names the token.
    pub(super) id: String,
}

/// The client that a token is given to.
#[derive(Clone, Copy)]
pub(super) struct Client {
    pub(super) app_id: Uuid,
    /// How it proved itself.
    pub(super) proof: Proof,
}

/// How a client proved itself: `azpacr`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Proof {
    /// Not at all.
    Public,
    /// With a secret.
    Secret,
    /// With an assertion.
    Assertion,
}

impl Proof {
    fn number(self) -> &'static str {
        match self {
            Self::Public => "0",
            Self::Secret => "1",
            Self::Assertion => "2",
        }
    }
}

/// An access token of a user, with `scopes` of `resource`.
pub(super) fn user(
    stamp: &Stamp,
    resource: &Resource,
    client: Client,
    user: &User,
    (scopes, roles): (&[String], &[String]),
) -> Value {
    let mut claims = common(stamp, resource, client);
    claims["oid"] = json!(user.id);
    claims["sub"] = json!(pairwise(user.id, resource.app_id().unwrap_or(client.app_id)));
    claims["name"] = json!(user.display_name);
    claims["scp"] = json!(scopes.join(" "));
    if resource.form == Form::One {
        claims["given_name"] = json!(user.given_name);
        claims["family_name"] = json!(user.surname);
        claims["unique_name"] = json!(user.mail);
        claims["upn"] = json!(user.user_principal_name);
    } else {
        claims["preferred_username"] = json!(user.mail);
    }
    if !roles.is_empty() {
        claims["roles"] = json!(roles);
    }
    guest(&mut claims, user);
    if resource.wants("acct") {
        claims["acct"] = json!(u8::from(user.user_type == Some(UserType::Guest)));
    }
    if resource.wants("email") {
        claims["email"] = json!(user.mail);
    }
    claims
}

/// An access token of an application itself; `object` is its service principal.
pub(super) fn application(
    stamp: &Stamp,
    resource: &Resource,
    client: Client,
    object: Uuid,
    roles: &[String],
) -> Value {
    let mut claims = common(stamp, resource, client);
    claims["oid"] = json!(object);
    claims["sub"] = json!(object);
    if !roles.is_empty() {
        claims["roles"] = json!(roles);
    }
    if resource.form == Form::Opaque || resource.wants("idtyp") {
        claims["idtyp"] = json!("app");
    }
    claims
}

/// Who a user is, for the client itself.
pub(super) fn identity(
    stamp: &Stamp,
    client: Client,
    user: &User,
    nonce: Option<&str>,
    openid: &[String],
) -> Value {
    let mut claims = json!({
        "aud": client.app_id,
        "iss": format!("{}/v2.0", stamp.authority),
        "iat": stamp.now,
        "nbf": stamp.now,
        "exp": stamp.now + TOKEN_SECONDS,
        "ver": "2.0",
        "tid": stamp.tenant,
        "sub": pairwise(user.id, client.app_id),
        "uti": stamp.id,
    });
    if let Some(nonce) = nonce {
        claims["nonce"] = json!(nonce);
    }
    if openid.iter().any(|scope| scope == "profile") {
        claims["oid"] = json!(user.id);
        claims["name"] = json!(user.display_name);
        claims["preferred_username"] = json!(user.mail);
    }
    if openid.iter().any(|scope| scope == "email") {
        claims["email"] = json!(user.mail);
    }
    guest(&mut claims, user);
    claims
}

fn common(stamp: &Stamp, resource: &Resource, client: Client) -> Value {
    let mut claims = json!({
        "aud": resource.audience(),
        "iss": format!("{}/v2.0", stamp.authority),
        "iat": stamp.now,
        "nbf": stamp.now,
        "exp": stamp.now + TOKEN_SECONDS,
        "ver": "2.0",
        "tid": stamp.tenant,
        "uti": stamp.id,
    });
    if resource.form != Form::One {
        claims["azp"] = json!(client.app_id);
        claims["azpacr"] = json!(client.proof.number());
    }
    if resource.form != Form::Two {
        claims["appid"] = json!(client.app_id);
        claims["appidacr"] = json!(client.proof.number());
    }
    if resource.form == Form::One {
        claims["iss"] = json!(format!("{}/", stamp.authority));
        claims["ver"] = json!("1.0");
    }
    claims
}

/// Who has an account elsewhere came through that tenant.
fn guest(claims: &mut Value, user: &User) {
    if user.user_type == Some(UserType::Guest) {
        claims["idp"] = json!(format!("https://sts.windows.net/{}/", user.home_tenant));
    }
}

/// A name that is the same for one user and one application, and tells nothing to another.
fn pairwise(user: Uuid, application: Uuid) -> String {
    let text = format!("{user}/{application}");
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}
