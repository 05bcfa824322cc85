//! Names from outside, parsed: regions, DNS names, durations.

use std::net::IpAddr;
use std::time::Duration;

/// Azure answers `West Europe` for `westeurope`; one spelling inside.
pub fn region(raw: &str) -> String {
    raw.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// A DNS name as a certificate may carry it (RFC 1034 section 3.5, RFC 6125 section 6.4.3), in lower
/// case: labels of letters, digits and hyphens, a `*` as the whole first label at most.
///
/// # Errors
/// What is wrong with it.
pub fn dns_name(raw: &str) -> Result<String, String> {
    let name = raw.to_ascii_lowercase();
    if name.parse::<IpAddr>().is_ok() {
        return Err("is an IP address; addresses are added by the operator".to_owned());
    }
    if name.contains("://") || name.contains('/') {
        return Err("is a URL; give the host name alone".to_owned());
    }
    if name.is_empty() || name.len() > 253 {
        return Err("must have 1 to 253 characters".to_owned());
    }
    let plain = name.strip_prefix("*.").unwrap_or(&name);
    for label in plain.split('.') {
        let fine = !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !fine {
            return Err(format!("has the label `{label}`, which is not one of a DNS name"));
        }
    }
    Ok(name)
}

/// Subscription, resource group and name in the id of a resource of a type such as
/// `Microsoft.ContainerInstance/containerGroups`; ARM compares ids without case.
pub fn resource_id<'a>(id: &'a str, of_type: &str) -> Option<[&'a str; 3]> {
    let parts: Vec<_> = id.split('/').collect();
    let ["", subscriptions, subscription, groups, group, providers, space, kind, name] =
        parts.as_slice()
    else {
        return None;
    };
    let found = format!("{subscriptions}/{groups}/{providers}/{space}/{kind}");
    let wanted = format!("subscriptions/resourceGroups/providers/{of_type}");
    let named = [*subscription, *group, *name];
    (found.eq_ignore_ascii_case(&wanted) && named.iter().all(|part| !part.is_empty()))
        .then_some(named)
}

/// Whether a text is the resource id of a user-assigned managed identity.
pub fn is_identity_id(id: &str) -> bool {
    resource_id(id, "Microsoft.ManagedIdentity/userAssignedIdentities").is_some()
}

/// Whether `name` is `domain` or below it, as name constraints count it (RFC 5280 section 4.2.1.10).
pub fn is_within(name: &str, domain: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    let domain = domain.trim_start_matches('.');
    name == domain || name.strip_suffix(domain).is_some_and(|head| head.ends_with('.'))
}

/// The host of an origin such as `https://mon-dns.com` or `https://[2001:db8::1]`, without brackets.
pub fn origin_host(origin: &str) -> &str {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    host.trim_matches(['[', ']'])
}

/// The IP address that an origin has for a host.
pub fn origin_address(origin: &str) -> Option<IpAddr> {
    origin_host(origin).parse().ok()
}

/// A duration such as `90d`, `12h`, `1h30m` or `45s`.
///
/// # Errors
/// What is wrong with it.
pub fn duration(raw: &str) -> Result<Duration, String> {
    humantime::parse_duration(raw)
        .map_err(|_| "is no duration: write it as `90d` or `12h`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_names() {
        for good in ["mon-dns.com", "localhost", "*.mon-dns.com", "a1.b-c.d"] {
            assert_eq!(dns_name(good).unwrap(), good);
        }
        assert_eq!(dns_name("Mon-DNS.com").unwrap(), "mon-dns.com");
        for bad in ["", "10.0.0.1", "::1", "https://x.y", "x/y", "-a.b", "a..b", "a_b.c", "a.*.b"] {
            assert!(dns_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn constraints_count_labels() {
        assert!(is_within("a.b.c", "b.c"));
        assert!(is_within("b.c", "b.c"));
        assert!(is_within("*.b.c", "b.c"));
        assert!(!is_within("xb.c", "b.c"));
        assert!(!is_within("c", "b.c"));
    }

    #[test]
    fn hosts_of_origins() {
        for (origin, host, ip) in [
            ("https://20.1.2.3", "20.1.2.3", true),
            ("https://[2001:db8::1]", "2001:db8::1", true),
            ("https://mon-dns.com", "mon-dns.com", false),
        ] {
            assert_eq!((origin_host(origin), origin_address(origin).is_some()), (host, ip));
        }
    }

    #[test]
    fn ids_of_identities() {
        let id = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me";
        for (text, expected) in [
            (id, true),
            (&id.to_lowercase(), true),
            ("me", false),
            (&id[1..], false),
            (&format!("{id}/x"), false),
            (&id.replace("/me", "/"), false),
            (&id.replace("ManagedIdentity", "Storage"), false),
        ] {
            assert_eq!(is_identity_id(text), expected, "{text}");
        }
    }

    #[test]
    fn one_spelling_of_a_region() {
        assert_eq!(region("West Europe"), "westeurope");
    }
}
