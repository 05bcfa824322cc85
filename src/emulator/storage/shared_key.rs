//! Requests signed with an account key. Pure.
//!
//! Source: learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key (2015-02-21 and
//! later).

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, Method, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Standard headers whose values are signed, in this order.
const SIGNED: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// A key of an account, derived from a secret of local Azure: made again, it is the same.
#[derive(Clone)]
pub(super) struct AccountKey([u8; 64]);

impl AccountKey {
    /// The key called `name` of `account`.
    pub(super) fn derive(secret: &str, account: &str, name: &str) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA512, secret.as_bytes());
        let tag = hmac::sign(&secret, format!("{account}/{name}").as_bytes());
        let mut key = [0; 64];
        key.copy_from_slice(tag.as_ref());
        Self(key)
    }

    /// As ARM shows it.
    pub(super) fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// The value of `Authorization` for a request to `account` in path style.
    pub(super) fn authorization(
        &self,
        account: &str,
        (method, uri): (&Method, &Uri),
        headers: &HeaderMap,
    ) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let signature = hmac::sign(&key, string_to_sign(account, method, uri, headers).as_bytes());
        format!("SharedKey {account}:{}", STANDARD.encode(signature))
    }
}

fn string_to_sign(account: &str, method: &Method, uri: &Uri, headers: &HeaderMap) -> String {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut lines = vec![method.as_str().to_owned()];
    for name in SIGNED {
        let value = match (name, value(name).unwrap_or_default()) {
            ("content-length", "0") => "",
            // Not signed where the other one is given.
            ("date", _) if value("x-ms-date").is_some() => "",
            (_, value) => value,
        };
        lines.push(value.to_owned());
    }
    let own = headers.iter().filter(|(name, _)| name.as_str().starts_with("x-ms-"));
    let own: BTreeMap<&str, &str> =
        own.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default())).collect();
    lines.extend(own.iter().map(|(name, value)| format!("{name}:{}", value.trim())));
    lines.push(format!("/{account}{}", uri.path()));
    let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        query.entry(name.to_lowercase()).or_default().push(value.into_owned());
    }
    for (name, mut values) in query {
        values.sort();
        lines.push(format!("{name}:{}", values.join(",")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn the_documented_string() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-ms-version", "2015-02-21"),
            ("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"),
            ("content-length", "0"),
            ("accept", "application/xml"),
        ] {
            let name = HeaderName::from_static(name);
            headers.insert(name, HeaderValue::from_static(value));
        }
        let uri = "/mycontainer?restype=container&comp=metadata&timeout=20".parse().unwrap();
        let text = string_to_sign("myaccount", &Method::GET, &uri, &headers);
        let expected = "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n\
                        x-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\n\
                        restype:container\ntimeout:20";
        assert_eq!(text, expected);
    }

    #[test]
    fn keys_differ_and_stay() {
        let key = |account, name| AccountKey::derive("secret", account, name).to_base64();
        assert_eq!(key("a", "key1"), key("a", "key1"));
        assert_ne!(key("a", "key1"), key("a", "key2"));
        assert_ne!(key("a", "key1"), key("b", "key1"));
    }
}
