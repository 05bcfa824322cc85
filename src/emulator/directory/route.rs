//! Paths of Graph: `/v1.0/COLLECTION`, then `/KEY` or `(name='KEY')`, then what is below the object.

use super::error::Error;

/// A place in Graph.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Route {
    /// In lower case: `applications`.
    pub(super) collection: String,
    pub(super) key: Option<Key>,
    /// What follows the key.
    pub(super) rest: Vec<String>,
}

/// How an object is named.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    Id(String),
    /// An alternate key: its property, in lower case, and the value.
    Alternate(String, String),
}

impl Route {
    /// What follows the key, in lower case.
    pub(super) fn words(&self) -> Vec<String> {
        self.rest.iter().map(|part| part.to_ascii_lowercase()).collect()
    }
}

/// The route of an encoded path.
pub(super) fn parse(path: &str) -> Result<Route, Error> {
    let mut parts = path.split('/').filter(|part| !part.is_empty()).map(decode);
    let version = parts.next().unwrap_or_default();
    if version != "v1.0" {
        let message = format!("Invalid version: {version}");
        return Err(Error::new(400, "BadRequest", message));
    }
    let first = parts.next().unwrap_or_default();
    let (collection, key) = match first.split_once('(') {
        Some((name, key)) => (name.to_owned(), Some(alternate(&first, key)?)),
        None => (first, parts.next().map(Key::Id)),
    };
    Ok(Route { collection: collection.to_ascii_lowercase(), key, rest: parts.collect() })
}

/// `name='value')`; a quote inside the value is doubled.
fn alternate(segment: &str, key: &str) -> Result<Key, Error> {
    let inner = key.strip_suffix(')').and_then(|key| key.split_once('='));
    let value = inner.and_then(|(name, value)| {
        Some((name, value.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'")))
    });
    let (name, value) = value.ok_or_else(|| Error::segment(segment))?;
    Ok(Key::Alternate(name.to_ascii_lowercase(), value))
}

/// Percent-decodes; what is no escape stays, what is no UTF-8 is replaced.
fn decode(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match tail {
            [high, low, after @ ..] if *first == b'%' => {
                hex(*high).zip(hex(*low)).map(|(high, low)| (16 * high + low, after))
            }
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_rest() {
        let route = |collection: &str, key: Option<Key>, rest: &[&str]| Route {
            collection: collection.to_owned(),
            key,
            rest: rest.iter().map(|part| (*part).to_owned()).collect(),
        };
        let id = |text: &str| Some(Key::Id(text.to_owned()));
        let alternate =
            |name: &str, value: &str| Some(Key::Alternate(name.to_owned(), value.to_owned()));
        for (path, expected) in [
            ("/v1.0/applications", route("applications", None, &[])),
            (
                "/v1.0//Applications/x/owners/$ref",
                route("applications", id("x"), &["owners", "$ref"]),
            ),
            ("/v1.0/applications(appId='x')", route("applications", alternate("appid", "x"), &[])),
            (
                "/v1.0/applications(uniqueName='a%2Fb%20%27%27c')/addPassword",
                route("applications", alternate("uniquename", "a/b 'c"), &["addPassword"]),
            ),
        ] {
            assert_eq!(parse(path).unwrap(), expected, "{path}");
        }
        for path in ["/", "/beta/applications", "/v1.0/applications(appId=x)", "/v1.0/a('x'"] {
            assert!(parse(path).is_err(), "{path}");
        }
    }
}
