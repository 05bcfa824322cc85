//! Which redirect URIs follow from the group, and what somebody else added.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::memory::Origin;
use super::wanted::{Context, ROLE, SCOPE};
use super::{Desired, Memory, Properties, Which};
use crate::core::names::{origin_address, origin_host};

/// Where Swagger's page takes tokens.
pub const SWAGGER_PATH: &str = "/oauth2-redirect";

/// The origin of a URL: scheme, host and port.
pub fn origin_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    url.get(..scheme.len() + 3 + host)
}

/// Origins that should be redirect URIs now; what the group serves no more goes into the memory. A
/// name that the user owns stays for its grace, since whoever comes there finds the user; a name or
/// address that Azure gave may be anybody's, and goes at once.
pub(super) fn origins(
    desired: &Desired,
    memory: &mut Memory,
    now: DateTime<Utc>,
) -> BTreeSet<String> {
    let group = desired.group.clone().unwrap_or_default();
    let grace = TimeDelta::from_std(desired.grace).unwrap_or(TimeDelta::MAX);
    let served = group
        .origins
        .into_iter()
        .filter(|origin| desired.ip_redirect_uris || origin_address(origin).is_none());
    let mut wanted: BTreeSet<String> = served.collect();
    for origin in &wanted {
        let host = group.hosts.contains(origin_host(origin));
        memory.origins.insert(origin.clone(), Origin { host, lost: None });
    }
    for (origin, known) in &mut memory.origins {
        if wanted.contains(origin) {
            continue;
        }
        let lost = *known.lost.get_or_insert(now);
        if known.host && now < lost.checked_add_signed(grace).unwrap_or(DateTime::<Utc>::MAX_UTC) {
            wanted.insert(origin.clone());
        }
    }
    wanted
}

/// When the first grace ends, from now.
pub(super) fn grace_ends(
    desired: &Desired,
    memory: &Memory,
    now: DateTime<Utc>,
) -> Option<TimeDelta> {
    let grace = TimeDelta::from_std(desired.grace).ok()?;
    let ends =
        memory.origins.values().filter(|origin| origin.host).filter_map(|origin| origin.lost);
    ends.map(|lost| lost + grace - now).filter(|left| *left > TimeDelta::zero()).min()
}

/// Whether an origin is a redirect URI.
pub(super) fn is_registered(origin: &str, uris: &BTreeSet<String>) -> bool {
    uris.contains(origin) || uris.contains(&format!("{origin}{SWAGGER_PATH}"))
}

/// How a redirect URI of somebody else's is told.
fn told(uri: &str) -> String {
    format!("redirect URI {uri}")
}

/// Whether `additions`, which were told before, name the redirect URI.
pub fn is_foreign(uri: &str, additions: &[String]) -> bool {
    additions.contains(&told(uri))
}

/// What somebody else added to an application, for people.
pub(super) fn additions(
    context: &Context<'_>,
    which: Which,
    have: &Properties,
    placed: &BTreeSet<String>,
    clients: &BTreeSet<&str>,
) -> Vec<String> {
    let wanted = context.redirect_uris(which);
    let uris = have.redirect_uris().into_iter();
    let mut found: Vec<String> = uris
        .filter(|uri| !placed.contains(uri) && !wanted.contains(uri))
        .map(|uri| told(&uri))
        .collect();
    for (id, scope) in have.scopes.iter().flatten() {
        let ours = context.is_ours(SCOPE, id, Some(&scope.value));
        if !ours && context.wanted_scope(&scope.value).is_none() {
            found.push(format!("scope {}", scope.value));
        }
    }
    for (id, role) in have.app_roles.iter().flatten() {
        let value = role.value.as_deref();
        if !context.is_ours(ROLE, id, value) && context.wanted_role(value).is_none() {
            found.push(format!("role {}", value.unwrap_or(&role.display_name)));
        }
    }
    let others = have.pre_authorized.iter().flatten().map(|(app_id, _)| app_id.as_str());
    let others = others.filter(|app_id| !clients.contains(app_id));
    found.extend(others.map(|app_id| format!("pre-authorised client {app_id}")));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_of_urls() {
        assert_eq!(origin_of("http://localhost:8000/a"), Some("http://localhost:8000"));
        assert_eq!(origin_of("https://a.b"), Some("https://a.b"));
        assert_eq!(origin_of("a.b"), None);
    }
}
