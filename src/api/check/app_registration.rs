//! Rules across the fields of an app registration.

use std::time::Duration;

use url::{Host, Url};

use super::Found;
use crate::api::AppRegistration;
use crate::core::names;

/// Longest redirect URI.
/// <https://learn.microsoft.com/entra/identity-platform/reply-url>
const LONGEST_URI: usize = 256;
/// Longest time for which a name stays registered that is not served.
const LONGEST_GRACE: Duration = Duration::from_hours(24 * 30);

pub(super) fn check(registration: &AppRegistration, found: &mut Found) {
    let spec = &registration.spec;
    found.unique("spec.scopes", "scope's value", spec.scopes.iter().map(|s| &s.value));
    found.unique("spec.appRoles", "role's value", spec.app_roles.iter().map(|r| &r.value));
    // Scopes and roles of one application share their values.
    for (i, role) in spec.app_roles.iter().enumerate() {
        if spec.scopes.iter().any(|scope| scope.value == role.value) {
            found.add(format!("spec.appRoles[{i}].value"), "is the value of a scope already");
        }
        let list = format!("spec.appRoles[{i}].allowedMemberTypes");
        found.unique(&list, "member type", role.allowed_member_types.iter());
    }
    redirect_uris("spec.redirectUris", &spec.redirect_uris, found);
    if let Some(swagger) = &spec.swagger {
        redirect_uris("spec.swagger.redirectUris", &swagger.redirect_uris, found);
    }
    if spec.admin_consent && spec.swagger.is_none() {
        found.add("spec.adminConsent", "is given to Swagger's application: it needs `swagger`");
    }
    if let Some(adopt) = &spec.adopt
        && adopt.swagger_app_id.is_some()
        && spec.swagger.is_none()
    {
        found.add("spec.adopt.swaggerAppId", "needs `swagger`");
    }
    match names::duration(&spec.host_grace_period) {
        Ok(grace) if grace <= LONGEST_GRACE => {}
        Ok(_) => found.add("spec.hostGracePeriod", "may be 30 days"),
        Err(problem) => found.add("spec.hostGracePeriod", problem),
    }
}

fn redirect_uris(path: &str, uris: &[String], found: &mut Found) {
    found.unique(path, "redirect URI", uris.iter());
    for (i, uri) in uris.iter().enumerate() {
        if let Err(problem) = redirect_uri(uri) {
            found.add(format!("{path}[{i}]"), problem);
        }
    }
}

/// What Entra ID allows of a redirect URI, and what the operator allows of that.
/// <https://learn.microsoft.com/entra/identity-platform/reply-url>
fn redirect_uri(raw: &str) -> Result<(), &'static str> {
    let url = Url::parse(raw).map_err(|_| "is no URL: write it as `https://host/path`")?;
    let local = url.host() == Some(Host::Domain("localhost"));
    if raw.chars().count() > LONGEST_URI {
        return Err("may have 256 characters");
    }
    if raw.contains('*') {
        return Err("has a wildcard, with which tokens go to hosts that nobody named");
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("has a user or a fragment, which a redirect URI has not");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if local => Ok(()),
        "http" => Err("is not encrypted: write `https`; `http` is for localhost alone"),
        _ => Err("must begin with `https://`, or `http://localhost`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_are_https_or_localhost() {
        for good in [
            "https://mon-dns.com",
            "https://20.1.2.3/oauth2-redirect",
            "http://localhost:8000",
            "https://a.b/c?d=e",
        ] {
            assert_eq!(redirect_uri(good), Ok(()), "{good}");
        }
        for bad in [
            "mon-dns.com",
            "http://mon-dns.com",
            "http://127.0.0.1:8000",
            "http://localhost.evil.example",
            "https://*.mon-dns.com",
            "https://user@mon-dns.com",
            "https://mon-dns.com/#x",
            "javascript:alert(1)",
        ] {
            assert!(redirect_uri(bad).is_err(), "{bad}");
        }
        assert!(redirect_uri(&format!("https://a.b/{}", "x".repeat(250))).is_err());
    }
}
