//! `/authorize`: from a request to a code, by way of a user and their consent. Pure.
//!
//! Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow.

use std::collections::BTreeMap;

use super::back::{Back, Mode};
use super::ledger::{Code, Platform, SignIn, is_challenge};
use super::refused::{self, Refused};
use super::resource::{Resource, is_of_users};
use super::scope::Asked;
use crate::emulator::directory::{Application, Directory, Scope, User};
use crate::emulator::installation::Installation;
use chrono::{DateTime, Utc};

/// The parameters of a request, by name.
pub(super) type Fields = BTreeMap<String, String>;

/// A request that is in order.
pub(super) struct Request {
    pub(super) client: Application,
    pub(super) back: Back,
    asked: Asked,
    scope: String,
    challenge: String,
    nonce: Option<String>,
    platform: Platform,
    always_ask: bool,
}

/// Why a request ends.
#[derive(Debug)]
pub(super) enum End {
    /// Shown to the user; the client is told nothing.
    Shown(Refused),
    /// Told to the client.
    Told(Back, Refused),
}

/// What comes after a user was picked.
pub(super) enum Next {
    /// The user is asked for what is missing.
    Ask(Vec<Scope>),
    /// An administrator would have to be asked.
    AskAdministrator,
    /// The client gets a code.
    Give(Code),
}

/// What a user said when asked for consent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    NotAsked,
    Accepted,
    Declined,
}

/// Checks a request. A client or redirect URI that is not known is never sent anywhere.
pub(super) fn parse(directory: &Directory, fields: &Fields) -> Result<Request, End> {
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let client = directory.application_by_app_id(field("client_id"));
    let client = client.ok_or_else(|| End::Shown(refused::application(field("client_id"))))?;
    let platform = platform(client, field("redirect_uri"))
        .ok_or_else(|| End::Shown(refused::redirect(field("redirect_uri"), field("client_id"))))?;
    let mode = Mode::parse(field("response_mode"));
    let redirect = field("redirect_uri").to_owned();
    let state = fields.get("state").cloned();
    let back = Back::new(redirect, mode.unwrap_or(Mode::Query), state);
    let told = |refused| End::Told(back.clone(), refused);

    let principal = directory.service_principal(field("client_id"));
    if principal.is_some_and(|principal| !principal.properties.account_enabled) {
        return Err(told(refused::disabled(field("client_id"))));
    }
    if field("response_type") != "code" {
        return Err(told(refused::response_type(field("response_type"))));
    }
    if mode.is_none() {
        return Err(told(refused::response_mode(field("response_mode"))));
    }
    if field("code_challenge_method") != "S256" || !is_challenge(field("code_challenge")) {
        return Err(told(refused::challenge()));
    }
    let asked = Asked::parse(field("scope")).map_err(&told)?;
    if field("prompt") == "none" {
        return Err(told(refused::not_signed_in()));
    }
    Ok(Request {
        client: client.clone(),
        asked,
        scope: field("scope").to_owned(),
        challenge: field("code_challenge").to_owned(),
        nonce: fields.get("nonce").cloned(),
        platform,
        always_ask: field("prompt") == "consent",
        back,
    })
}

/// On which platform a redirect URI is registered. They match letter by letter; the port of an http
/// address of `localhost` does not count (RFC 8252, section 7.3, and reply-url).
fn platform(client: &Application, redirect: &str) -> Option<Platform> {
    let properties = &client.properties;
    let platforms = [
        (Platform::Spa, &properties.spa.redirect_uris),
        (Platform::Web, &properties.web.redirect_uris),
        (Platform::Public, &properties.public_client.redirect_uris),
    ];
    let of = |matches: &dyn Fn(&String) -> bool| {
        let found = platforms.iter().find(|(_, uris)| uris.iter().any(matches));
        found.map(|(platform, _)| *platform)
    };
    let exact = of(&|uri| uri == redirect);
    exact.or_else(|| {
        let bare = without_local_port(redirect)?;
        of(&|uri| without_local_port(uri).is_some_and(|known| known == bare))
    })
}

fn without_local_port(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix("http://localhost")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (port, path) = rest.split_at(end);
    let digits = if port.is_empty() { port } else { port.strip_prefix(':')? };
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| path.to_owned())
}

/// The user that `name` means: an address, a name to sign in with, or an object id.
pub(super) fn find_user<'a>(directory: &'a Directory, name: &str) -> Option<&'a User> {
    let id = name.parse().ok();
    directory.users().iter().find(|user| {
        user.mail.eq_ignore_ascii_case(name)
            || user.user_principal_name.eq_ignore_ascii_case(name)
            || Some(user.id) == id
    })
}

impl Request {
    /// What comes after `user` was picked and has given `answer`.
    pub(super) fn next(
        &self,
        now: DateTime<Utc>,
        facts: &Installation,
        directory: &mut Directory,
        (user, answer): (&User, Answer),
    ) -> Result<Next, End> {
        let told = |refused| End::Told(self.back.clone(), refused);
        check_known(facts, user, &self.client).map_err(End::Shown)?;
        if answer == Answer::Declined {
            return Err(told(refused::declined()));
        }
        let wanted =
            Wanted::of(facts, directory, &self.client, &self.asked, user).map_err(&told)?;
        let ask = if self.always_ask { &wanted.all } else { &wanted.missing };
        if !ask.is_empty() && answer == Answer::NotAsked {
            let may = user.may_consent && wanted.missing.iter().all(is_of_users);
            return Ok(if may { Next::Ask(ask.clone()) } else { Next::AskAdministrator });
        }
        if !wanted.missing.is_empty() {
            wanted.grant(now, directory, user).map_err(&told)?;
        }
        Ok(Next::Give(Code {
            sign_in: SignIn {
                client: self.client.app_id,
                user: user.id,
                scope: self.scope.clone(),
                nonce: self.nonce.clone(),
                platform: self.platform,
            },
            redirect: self.back.redirect.clone(),
            challenge: self.challenge.clone(),
        }))
    }
}

/// Users whom the tenant does not know cannot sign in to it.
pub(super) fn check_known(
    facts: &Installation,
    user: &User,
    client: &Application,
) -> Result<(), Refused> {
    if user.user_type.is_some() {
        return Ok(());
    }
    let client = client.app_id.to_string();
    Err(refused::stranger(&user.mail, user.home_tenant, facts.tenant, &client))
}

/// The scopes of one resource that a client wants of a user.
pub(super) struct Wanted {
    pub(super) resource: Resource,
    client: Application,
    pub(super) all: Vec<Scope>,
    /// Those that nobody has consented to.
    pub(super) missing: Vec<Scope>,
}

impl Wanted {
    /// Of what is asked. A sign-in without a resource is one to Graph: its scopes have the names of
    /// OpenID Connect.
    pub(super) fn of(
        facts: &Installation,
        directory: &Directory,
        client: &Application,
        asked: &Asked,
        user: &User,
    ) -> Result<Self, Refused> {
        let asked = match asked.resource {
            Some(_) => asked.clone(),
            None => Asked {
                resource: Some(facts.graph_url()),
                values: asked.openid.clone(),
                ..asked.clone()
            },
        };
        let name = asked.resource.as_deref().unwrap_or_default();
        let resource = Resource::find(facts, directory, name)?;
        let app_id = resource.app_id();
        let app_id = app_id.ok_or_else(|| refused::resource(name, &facts.tenant.to_string()))?;
        let given = directory.consents(client.app_id, app_id, user.id);
        let all: Vec<Scope> =
            resource.scopes(client, &asked, &given)?.into_iter().cloned().collect();
        if all.is_empty() {
            return Err(refused::scope(&format!("{name}/.default")));
        }
        let mut missing = all.clone();
        missing.retain(|scope| scope.value.as_ref().is_none_or(|value| !given.contains(value)));
        Ok(Self { resource, client: client.clone(), all, missing })
    }

    /// What stands in a token's `scp`.
    pub(super) fn values(&self) -> Vec<String> {
        self.all.iter().filter_map(|scope| scope.value.clone()).collect()
    }

    /// Notes the user's consent to what is missing.
    pub(super) fn grant(
        &self,
        now: DateTime<Utc>,
        directory: &mut Directory,
        user: &User,
    ) -> Result<(), Refused> {
        if !user.may_consent || !self.missing.iter().all(is_of_users) {
            return Err(refused::admin_consent(&self.client.app_id.to_string()));
        }
        let values: Vec<String> =
            self.missing.iter().filter_map(|scope| scope.value.clone()).collect();
        if let Some(resource) = self.resource.app_id() {
            directory.grant_consent(now, self.client.app_id, resource, Some(user.id), &values);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_localhost_does_not_count() {
        for (uri, bare) in [
            ("http://localhost", Some("")),
            ("http://localhost:8400", Some("")),
            ("http://localhost:1/a", Some("/a")),
            ("http://localhost:1@evil.test/", None),
            ("http://localhost.evil.test/", None),
            ("https://localhost:1/a", None),
        ] {
            assert_eq!(without_local_port(uri).as_deref(), bare, "{uri}");
        }
    }
}
