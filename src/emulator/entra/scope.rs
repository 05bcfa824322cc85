//! What a `scope` parameter asks for.
//!
//! Source: learn.microsoft.com/entra/identity-platform/scopes-oidc.

use super::refused::{self, Refused};

/// The scopes of OpenID Connect, which are of no resource.
const OPENID: [&str; 4] = ["openid", "profile", "email", "offline_access"];
/// What stands for all that is registered.
pub(super) const DEFAULT: &str = ".default";
/// Whose scopes need no prefix.
const GRAPH: &str = "https://graph.microsoft.com";

/// A parsed `scope`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Asked {
    /// Scopes of OpenID Connect.
    pub(super) openid: Vec<String>,
    /// Name of the resource as it was written: a URI or an `appId`.
    pub(super) resource: Option<String>,
    /// Scopes of the resource.
    pub(super) values: Vec<String>,
}

impl Asked {
    /// Scopes of one resource at most; some scope at least.
    pub(super) fn parse(scope: &str) -> Result<Self, Refused> {
        let mut asked = Self::default();
        for word in scope.split_whitespace() {
            if OPENID.contains(&word) {
                asked.openid.push(word.to_owned());
                continue;
            }
            let (resource, value) = word.rsplit_once('/').unwrap_or((GRAPH, word));
            if resource.is_empty() || value.is_empty() {
                return Err(refused::scope(word));
            }
            if asked.resource.as_deref().is_some_and(|known| !same(known, resource)) {
                return Err(refused::two_resources(scope));
            }
            asked.resource.get_or_insert_with(|| resource.to_owned());
            asked.values.push(value.to_owned());
        }
        if asked == Self::default() {
            return Err(refused::scope(scope));
        }
        Ok(asked)
    }

    /// Whether a scope of OpenID Connect is asked for.
    pub(super) fn has(&self, openid: &str) -> bool {
        self.openid.iter().any(|scope| scope == openid)
    }

    /// Whether it is `resource/.default` and nothing else of the resource.
    pub(super) fn is_default(&self) -> bool {
        self.values == [DEFAULT]
    }
}

fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked() {
        for (scope, openid, resource, values) in [
            ("api://a/x api://a/y openid", "openid", "api://a", "x y"),
            (
                "https://management.core.windows.net//.default",
                "",
                "https://management.core.windows.net/",
                ".default",
            ),
            ("User.Read offline_access", "offline_access", GRAPH, "User.Read"),
            ("openid profile", "openid profile", "", ""),
            (
                "a0000000-0000-4000-8000-000000000000/x",
                "",
                "a0000000-0000-4000-8000-000000000000",
                "x",
            ),
        ] {
            let asked = Asked::parse(scope).unwrap();
            assert_eq!(asked.openid.join(" "), openid, "{scope}");
            assert_eq!(asked.resource.unwrap_or_default(), resource, "{scope}");
            assert_eq!(asked.values.join(" "), values, "{scope}");
        }
    }

    #[test]
    fn what_cannot_be_asked() {
        for (scope, number) in [
            ("", 70_011),
            ("  ", 70_011),
            ("/x", 70_011),
            ("api://a/", 70_011),
            ("api://a/x api://b/y", 700_022),
        ] {
            assert_eq!(Asked::parse(scope).unwrap_err().number, number, "{scope}");
        }
    }
}
