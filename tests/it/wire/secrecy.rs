//! Everything at the finest log level, then a search for every secret that was used, in every
//! spelling in which one could leak.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{TLS, World, group};

/// Not of base64's, hex' or JSON's alphabets alone, so that each spelling differs.
const PASSWORD: &str = "pa\"ss\\wört-7f3e91-of-the-wire";

/// The spellings of a secret that are searched for.
fn spellings(secret: &[u8]) -> Vec<String> {
    let mut all = vec![
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        secret.iter().map(|byte| format!("{byte:02x}")).collect(),
        secret.iter().map(|byte| format!("{byte:02X}")).collect(),
        format!("{secret:?}"),
    ];
    if let Ok(text) = std::str::from_utf8(secret) {
        all.push(text.to_owned());
        all.push(serde_json::to_string(text).unwrap().trim_matches('"').to_owned());
        all.push(text.escape_debug().to_string());
        all.push(url::form_urlencoded::byte_serialize(secret).collect());
    }
    // What is inside base64 of something longer starts at one of three places.
    for skip in 0..3 {
        let padded: Vec<u8> = vec![b' '; skip].into_iter().chain(secret.iter().copied()).collect();
        let whole = STANDARD.encode(padded);
        let inner = whole.len().saturating_sub(4);
        if inner > 12 {
            all.push(whole[4..inner].to_owned());
        }
    }
    all
}

/// Which secrets a text has, by name.
fn found_in<'a>(text: &str, secrets: &'a BTreeMap<String, Vec<u8>>) -> Vec<&'a str> {
    let has = |secret: &[u8]| spellings(secret).iter().any(|spelling| text.contains(spelling));
    secrets.iter().filter(|(_, secret)| has(secret)).map(|(name, _)| name.as_str()).collect()
}

/// All files below a directory.
fn files(dir: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((super::text(&path), fs::read(&path).unwrap_or_default()));
        }
    }
}

/// The lines of a key's PEM: the first of them are the same for all keys of a kind.
fn pem_secret(pem: &str) -> Option<Vec<u8>> {
    let lines: Vec<_> = pem.lines().filter(|line| !line.contains("-----")).collect();
    let body = STANDARD.decode(lines.concat()).ok()?;
    Some(body[body.len() / 3..body.len() / 3 + 24].to_vec())
}

#[test]
fn a_planted_secret_is_found_in_every_spelling() {
    let secrets = BTreeMap::from([("password".to_owned(), PASSWORD.as_bytes().to_vec())]);
    for spelling in spellings(PASSWORD.as_bytes()) {
        assert_eq!(found_in(&format!("x{spelling}x"), &secrets), ["password"], "{spelling}");
    }
    for before in ["", "a", "ab", "abc"] {
        let whole = STANDARD.encode(format!("{before}{PASSWORD} and more"));
        assert_eq!(found_in(&whole, &secrets), ["password"], "{before}");
    }
    assert!(found_in("nothing here", &secrets).is_empty());
}
