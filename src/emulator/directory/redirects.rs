//! What may be a redirect URI.
//!
//! Source: learn.microsoft.com/entra/identity-platform/reply-url: https, http for `localhost` and
//! `127.0.0.1` alone, at most 256 in an application of organisations and 100 of personal accounts, 256
//! characters each, none of `! $ ' ( ) , ;`. Other schemes are for public clients.

use std::collections::BTreeSet;

use url::{Host, Url};

use super::application::{ApplicationProperties, SignInAudience};
use super::error::Error;
use super::rules::invalid;

/// The longest URI.
const LENGTH: usize = 256;

pub(super) fn check(properties: &ApplicationProperties) -> Result<(), Error> {
    let platforms = [
        ("web.redirectUris", &properties.web.redirect_uris, false),
        ("spa.redirectUris", &properties.spa.redirect_uris, false),
        ("publicClient.redirectUris", &properties.public_client.redirect_uris, true),
    ];
    for (property, uris, public) in platforms {
        if uris.iter().any(|uri| !is_allowed(uri, public)) {
            return Err(invalid(property));
        }
    }
    let all: Vec<&String> = properties.redirect_uris().collect();
    let most = match properties.sign_in_audience {
        SignInAudience::AzureADMyOrg | SignInAudience::AzureADMultipleOrgs => 256,
        _ => 100,
    };
    if all.len() > most {
        let message = format!("The number of redirect URIs exceeds the limit of {most}.");
        return Err(Error::bad(message).about("MaximumValueExceeded", "redirectUris"));
    }
    // Across platforms too: MicrosoftDocs/azure-docs #89929.
    if all.iter().collect::<BTreeSet<_>>().len() < all.len() {
        return Err(Error::bad("Redirect URIs must have distinct values."));
    }
    Ok(())
}

fn is_allowed(uri: &str, public: bool) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.octets() == [127, 0, 0, 1],
        _ => false,
    };
    let scheme = match url.scheme() {
        "https" => true,
        "http" => loopback,
        _ => public,
    };
    scheme
        && url.fragment().is_none()
        && uri.len() <= LENGTH
        && !uri.contains(['!', '$', '\'', '(', ')', ',', ';', '*', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_one() {
        for (uri, web, public) in [
            ("https://a.example/oauth2-redirect", true, true),
            ("https://20.1.2.3/oauth2-redirect", true, true),
            ("http://localhost:8000", true, true),
            ("http://127.0.0.1/x", true, true),
            ("http://a.example", false, false),
            ("http://[::1]/x", false, false),
            ("myapp://auth", false, true),
            ("https://a.example/#x", false, false),
            ("https://*.example/", false, false),
            ("https://a.example/(x)", false, false),
            ("localhost", false, false),
            ("", false, false),
        ] {
            assert_eq!([is_allowed(uri, false), is_allowed(uri, true)], [web, public], "{uri}");
        }
    }

    #[test]
    fn how_many_and_distinct() {
        let uris = |from: usize, to: usize| -> Vec<String> {
            (from..to).map(|n| format!("https://a.example/{n}")).collect()
        };
        let mut properties = ApplicationProperties::default();
        properties.web.redirect_uris = uris(0, 200);
        properties.spa.redirect_uris = uris(200, 256);
        assert_eq!(check(&properties), Ok(()));
        properties.spa.redirect_uris = uris(200, 257);
        assert!(check(&properties).unwrap_err().message.contains("256"));
        properties.spa.redirect_uris = uris(199, 201);
        assert!(check(&properties).unwrap_err().message.contains("distinct"));
    }
}
