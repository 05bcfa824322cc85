//! Everything at the finest log level, then a search for every secret that was used, in every
//! spelling in which one could leak.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{TLS, World, group, measured, pause};

/// Not of base64's, hex' or JSON's alphabets alone, so that each spelling differs.
const PASSWORD: &str = "pa\"ss\\wört-7f3e91-of-the-wire";

/// The spellings of a secret that are searched for.
fn spellings(secret: &[u8]) -> Vec<String> {
    let hex = secret.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let mut all = vec![
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        hex.to_uppercase(),
        hex,
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

/// Secret parts of the private keys in a file: their beginnings are the same for all keys of a kind.
fn pems(content: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(content).replace("\\n", "\n");
    let keys = text.split("-----BEGIN ").filter(|part| part.starts_with("PRIVATE KEY-----"));
    keys.filter_map(|key| {
        let lines = key.lines().skip(1).take_while(|line| !line.starts_with("-----"));
        let der = STANDARD.decode(lines.collect::<String>()).ok()?;
        // A P-256 key's secret scalar stands in PKCS #8 from byte 36 on.
        der.get(36..68).map(<[u8]>::to_vec)
    })
    .collect()
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

/// Every secret of a world, by name. Whatever lies in the home's `secrets` is one, values and keys.
fn secrets_of(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut secrets = BTreeMap::from([("password".to_owned(), PASSWORD.as_bytes().to_vec())]);
    let installation = fs::read(world.home().join("local/installation.json")).unwrap();
    let installation: serde_json::Value = serde_json::from_slice(&installation).unwrap();
    for name in ["clientSecret", "identityHeader", "adminToken"] {
        let secret = installation[name].as_str().unwrap();
        secrets.insert(name.to_owned(), secret.as_bytes().to_vec());
    }
    let digest_key = fs::read_to_string(world.home().join("digest-key")).unwrap();
    secrets.insert("digest key".to_owned(), digest_key.trim().as_bytes().to_vec());
    let mut found = Vec::new();
    files(&world.home(), &mut found);
    for (file, content) in found {
        for (index, pem) in pems(&content).into_iter().enumerate() {
            secrets.insert(format!("private key {index} of {file}"), pem);
        }
    }
    secrets
}

#[test]
fn no_secret_is_told_anywhere() {
    let mut world = World::new();
    world.secret("db", "password", PASSWORD);
    world.write("tls.yaml", TLS);
    let mut told = Vec::new();
    let mut ask = |world: &World, arguments: &[&str]| {
        let verbose: Vec<_> = ["-vvv"].into_iter().chain(arguments.iter().copied()).collect();
        for arguments in [arguments, &verbose] {
            let ended = world.run(arguments);
            told.push((format!("{arguments:?}"), format!("{}\n{}", ended.out, ended.err)));
        }
    };
    let path = super::text(&world.manifests());
    ask(&world, &["validate", "-f", &path]);
    ask(&world, &["diff", "-f", &path]);
    ask(&world, &["render", "-f", &path]);
    ask(&world, &["apply", "-f", &path, "--timeout", "15s"]);
    world.start(&["-vvv", "--log-format", "json"]);
    world.until("tls", "certified", |o| o["status"]["certificate"]["serialNumber"].is_string());
    for fault in ["error --operation get --times 2", "exec-refused", "exec-dies --after 40"] {
        let words: Vec<_> = ["local", "fault"].into_iter().chain(fault.split(' ')).collect();
        ask(&world, &words);
        world.run(&["renew", "tls", "--no-wait"]).done();
        pause(Duration::from_millis(500));
    }
    world.write("broken.yaml", &group("app", "1").replace("spec:", "spec: {password: hunter2"));
    for arguments in [
        &["get", "-o", "json"][..],
        &["get", "-o", "yaml"],
        &["get", "-o", "wide"],
        &["get", "--live"],
        &["get", "issuer", "-o", "json"],
        &["describe", "tls"],
        &["events", "-o", "json"],
        &["secret", "list", "-o", "json"],
        &["local", "status"],
        &["local", "logs"],
        &["logs", "tls"],
        &["ca", "export"],
        &["get", "nothing"],
    ] {
        ask(&world, arguments);
    }
    let metrics = metrics(&world);
    assert!(metrics.contains("aci_operator_"), "{metrics}");
    told.push(("metrics".to_owned(), metrics));
    world.terminate();
    world.start(&["-q"]);
    world.kill();

    let secrets = secrets_of(&world);
    for kind in ["pairs/ContainerGroup/tls", "pairs/Issuer/local-ca", "local/ca-key.pem"] {
        assert!(secrets.keys().any(|name| name.contains(kind)), "{kind}: {:?}", secrets.keys());
    }
    told.push(("log".to_owned(), fs::read_to_string(world.log()).unwrap()));
    let mut kept = Vec::new();
    files(&world.home(), &mut kept);
    let private = |file: &str| {
        let local =
            ["-key.pem", "model.json", "installation.json", "federated-token", "/digest-key"];
        file.contains("/home/secrets/")
            || file.contains("/home/pairs/")
            || local.iter().any(|name| file.ends_with(name))
    };
    kept.retain(|(file, _)| !private(file));
    assert!(kept.iter().any(|(file, _)| file.ends_with("requests.jsonl")));
    assert!(
        kept.iter().any(|(file, _)| file.contains("/status/")),
        "{:?}",
        kept.iter().map(|k| &k.0).collect::<Vec<_>>()
    );
    let kept =
        kept.iter().map(|(file, text)| (file.clone(), String::from_utf8_lossy(text).into_owned()));
    let mut searched = 0;
    for (place, text) in told.into_iter().chain(kept) {
        assert_eq!(found_in(&text, &secrets), [""; 0], "in {place}:\n{text}");
        // Whoever's token it is.
        for mark in ["Bearer ey", "eyJhbGciOi", "eyJ0eXAiOi", "PRIVATE KEY"] {
            assert!(!text.contains(mark), "{mark} in {place}:\n{text}");
        }
        searched += text.len();
    }
    let used = secrets.len();
    measured(&format!("{used} secrets, none in {searched} bytes of logs, answers and files"));
}

fn metrics(world: &World) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(&world.listen).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}
