//! The composed sidecar as a real container: real nginx, real shell, real terminal.
#![expect(clippy::print_stderr, reason = "figures for who runs a test by hand")]

#[path = "../shared/client.rs"]
mod client;
mod group;
#[path = "../shared/load.rs"]
mod load;
mod pki;

use std::time::Duration;

use aci_operator::core::certificate::Pair;
use aci_operator::core::secret::Secret;
use aci_operator::core::sidecar::{Composed, Outcome, Sidecar, publish, read_back, swap, trial};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::{sleep, timeout};

use self::client::Endpoint;
use self::group::{APPLICATION, Group, IMAGE};
use self::load::{Load, Style};
use self::pki::Authority;

fn compose(pair: &Pair) -> Composed {
    let sidecar =
        Sidecar { image: IMAGE.to_owned(), upstream_port: APPLICATION, ..Sidecar::default() };
    sidecar.compose(pair)
}

fn nonce() -> u128 {
    uuid::Uuid::new_v4().as_u128()
}

/// Waits until every new handshake shows `serial`.
async fn serves(endpoint: &Endpoint, serial: u32) {
    let serial = format!("{serial:x}");
    let (mut in_a_row, mut seen) = (0, Err(String::new()));
    let agreed = async {
        while in_a_row < 3 {
            let shown = endpoint.connect().await;
            seen = shown.map(|connection| connection.serial()).map_err(|e| e.to_string());
            in_a_row = if seen.as_ref() == Ok(&serial) { in_a_row + 1 } else { 0 };
            sleep(Duration::from_millis(50)).await;
        }
    };
    let agreed = timeout(Duration::from_secs(30), agreed).await;
    assert!(agreed.is_ok(), "{serial} is not served but {seen:?}");
}

async fn swap_in(group: &Group, pair: &Pair) {
    let (outcome, seen) = group.exec(swap(pair, nonce())).await;
    let Outcome::Live(live) = outcome else { panic!("{outcome:?}") };
    assert!(live.is(pair));
    assert_hidden(pair, &seen);
}

/// No part of the key, as PEM or as typed, is in what the terminal showed.
fn assert_hidden(pair: &Pair, seen: &[u8]) {
    let key = pair.key_pem.reveal();
    assert_eq!(shown(pair, seen), None);
    // The search finds a key that is there, in both forms.
    assert!(shown(pair, key.as_bytes()).is_some());
    assert!(shown(pair, STANDARD.encode(key).as_bytes()).is_some());
}

/// A part of the pair's private key that is in `text`. What the certificate shows as well (the public
/// key, which stands in the key's file too) is no secret.
fn shown(pair: &Pair, text: &[u8]) -> Option<String> {
    let joined = |text: &str| text.split_whitespace().collect::<String>();
    let text = joined(&String::from_utf8_lossy(text));
    let key = pair.key_pem.reveal().lines().filter(|line| !line.starts_with("-----"));
    let forms = [key.collect::<String>(), STANDARD.encode(pair.key_pem.reveal())];
    let public = joined(&pair.chain_pem) + &STANDARD.encode(&pair.chain_pem);
    let parts = forms.iter().flat_map(|form| form.as_bytes().chunks_exact(16));
    let mut parts = parts.map(|part| String::from_utf8_lossy(part).into_owned());
    parts.find(|part| text.contains(part) && !public.contains(part))
}

#[tokio::test]
async fn a_pair_is_swapped_without_a_restart() {
    let authority = Authority::new();
    let (first, second) = (authority.issue(1), authority.issue(2));
    let group = Group::start(&compose(&first), &[]).await;
    let endpoint = group.endpoint(&authority.pem);
    serves(&endpoint, 1).await;

    let (outcome, _) = group.exec(trial(nonce())).await;
    assert_eq!(outcome, Outcome::Available { lossless: true });
    swap_in(&group, &second).await;
    serves(&endpoint, 2).await;
    let (outcome, _) = group.exec(read_back(nonce())).await;
    assert!(matches!(outcome, Outcome::Live(live) if live.is(&second)));

    let modes = group.shell("cd /var/lib/aci-operator-tls; stat -c %a live/ live/tls.key").await;
    assert_eq!(modes, "700\n600\n");
}

#[tokio::test]
async fn origins_are_put_where_the_application_reads_them() {
    let authority = Authority::new();
    let group = Group::start(&compose(&authority.issue(1)), &[]).await;
    serves(&group.endpoint(&authority.pem), 1).await;
    let origins = "https://mon-dns.com\nhttps://20.1.2.3\n";

    // A group whose containers do not mount the volume has none.
    let (outcome, _) = group.exec(publish(origins, nonce())).await;
    assert!(matches!(&outcome, Outcome::Refused(why) if why.contains("volume")), "{outcome:?}");

    group.shell("mkdir -m 777 /var/lib/aci-operator-origins").await;
    for origins in [origins, "", &"https://a-long-name.example.org\n".repeat(200)] {
        let (outcome, _) = group.exec(publish(origins, nonce())).await;
        assert_eq!(outcome, Outcome::Published);
        let told = group.shell("cd /var/lib/aci-operator-origins; cat origins").await;
        assert_eq!(told, origins);
    }
    let modes = group.shell("cd /var/lib/aci-operator-origins; stat -c '%n %a' *").await;
    assert_eq!(modes, "origins 644\n");
}

#[tokio::test]
async fn the_application_sees_the_client_and_not_its_claims() {
    let authority = Authority::new();
    let group = Group::start(&compose(&authority.issue(1)), &[]).await;
    let endpoint = group.endpoint(&authority.pem);
    serves(&endpoint, 1).await;
    let mut connection = endpoint.connect().await.unwrap();
    let token = "t".repeat(12_000);
    let response = connection
        .get(
            "/",
            &format!(
                "Host: localhost:4430\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\n\
             X-Forwarded-Proto: http\r\nAuthorization: Bearer {token}\r\n\
             Upgrade: websocket\r\nConnection: Upgrade\r\n"
            ),
        )
        .await
        .unwrap();
    assert_eq!(response.status, "HTTP/1.1 200 OK");
    let told = &response.body;
    assert!(told.starts_with("host=localhost:4430 for="), "{told}");
    assert!(!told.contains("6.6.6.6") && !told.contains("evil"), "{told}");
    assert!(told.ends_with("proto=https fhost= upgrade=websocket connection=upgrade"), "{told}");

    // Only public names are told to insist on HTTPS, and only by the sidecar.
    for (host, insists) in [
        ("app.westeurope.azurecontainer.io", true),
        ("mon-dns.com:443", true),
        ("localhost", false),
        ("app.localhost", false),
        ("printer.local", false),
        ("127.0.0.1", false),
        ("[::1]:443", false),
    ] {
        let mut connection = endpoint.connect().await.unwrap();
        let response = connection.get("/", &format!("Host: {host}\r\n")).await.unwrap();
        let hsts: Vec<_> =
            response.headers.lines().filter(|line| line.starts_with("strict-")).collect();
        let expected: &[&str] =
            if insists { &["strict-transport-security: max-age=63072000"] } else { &[] };
        assert_eq!(hsts, expected, "{host}");
    }
    let mut connection = endpoint.connect().await.unwrap();
    connection.get("/oauth2-redirect?code=s3cr3t", "Host: localhost\r\n").await.unwrap();
    let logs = group.logs().await;
    assert!(logs.contains("/oauth2-redirect") && !logs.contains("s3cr3t"), "{logs}");
}

#[tokio::test]
async fn neither_a_crash_nor_a_redeploy_brings_an_old_pair_back() {
    let authority = Authority::new();
    let [one, two, three, four] = [1, 2, 3, 4].map(|serial| authority.issue(serial));
    let group = Group::start(&compose(&one), &[]).await;
    let endpoint = group.endpoint(&authority.pem);
    serves(&endpoint, 1).await;

    swap_in(&group, &two).await;
    for _ in 0..2 {
        group.crash().await;
        serves(&endpoint, 2).await;
    }
    group.write_volume(&compose(&three));
    group.crash().await;
    serves(&endpoint, 3).await;
    group.redeploy(&compose(&four)).await;
    serves(&endpoint, 4).await;
}

#[tokio::test]
async fn a_torn_pair_is_never_used() {
    let authority = Authority::new();
    let [one, two, three] = [1, 2, 3].map(|serial| authority.issue(serial));
    let group = Group::start(&compose(&one), &[]).await;
    let endpoint = group.endpoint(&authority.pem);
    serves(&endpoint, 1).await;

    for tear in ["echo > tls.key", "rm tls.crt", "head -c 200 tls.crt > x; mv x tls.crt"] {
        swap_in(&group, &two).await;
        serves(&endpoint, 2).await;
        group.shell(&format!("cd /var/lib/aci-operator-tls/live/ && {tear}")).await;
        group.crash().await;
        serves(&endpoint, 1).await;
    }
    swap_in(&group, &two).await;
    let torn = Pair { key_pem: one.key_pem.clone(), ..three };
    group.write_volume(&compose(&torn));
    group.crash().await;
    serves(&endpoint, 2).await;
    assert!(group.logs().await.contains("cannot be served"));
}

#[tokio::test]
async fn a_pair_that_does_not_match_is_refused() {
    let authority = Authority::new();
    let [one, two] = [1, 2].map(|serial| authority.issue(serial));
    let group = Group::start(&compose(&one), &[]).await;
    let endpoint = group.endpoint(&authority.pem);
    serves(&endpoint, 1).await;

    let mismatch = Pair { key_pem: one.key_pem.clone(), ..two };
    let (outcome, seen) = group.exec(swap(&mismatch, nonce())).await;
    assert!(matches!(&outcome, Outcome::Refused(why) if why.contains("mismatch")), "{outcome:?}");
    assert_hidden(&mismatch, &seen);
    let garbage = Pair { key_pem: Secret::new("garbage"), ..mismatch };
    let (outcome, _) = group.exec(swap(&garbage, nonce())).await;
    assert!(matches!(&outcome, Outcome::Refused(why) if why.contains("PEM")), "{outcome:?}");
    serves(&endpoint, 1).await;
    let (outcome, _) = group.exec(read_back(nonce())).await;
    assert!(matches!(outcome, Outcome::Live(live) if live.is(&one)));
}

#[tokio::test]
async fn a_swap_may_be_cut_anywhere() {
    let authority = Authority::new();
    let group = Group::start(&compose(&authority.issue(1)), &[]).await;
    let endpoint = group.endpoint(&authority.pem);
    serves(&endpoint, 1).await;

    let lengths = |pair: &Pair| -> Vec<usize> {
        swap(pair, 0).exchanges.iter().map(|exchange| exchange.send.reveal().len()).collect()
    };
    let mut serial = 1;
    for whole in 0..lengths(&authority.issue(2)).len() {
        for halves in [1, 2] {
            let pair = authority.issue(serial + 1);
            let lengths = lengths(&pair);
            let (before, part) = (lengths[..whole].iter().sum::<usize>(), lengths[whole]);
            let cut = before + part * halves / 2;
            assert!(group.exec_cut_after(cut, swap(&pair, nonce())).await);
            // All of it typed: the swap happened, though nobody heard of it.
            let serving = serial + u32::from(cut == lengths.iter().sum::<usize>());
            serves(&endpoint, serving).await;
            if halves == 1 {
                group.crash().await;
                serves(&endpoint, serving).await;
            }
            swap_in(&group, &pair).await;
            serial += 1;
            serves(&endpoint, serial).await;
        }
    }
    let pairs = group.shell("cd /var/lib/aci-operator-tls; ls").await;
    assert_eq!(pairs.lines().count(), 3, "live, its pair and the one before: {pairs}");
}

#[tokio::test]
async fn what_an_older_nginx_does_not_know_is_left_out() {
    let authority = Authority::new();
    let mut composed = compose(&authority.issue(1));
    let conf = composed.volumes[0]["secret"]["nginx.conf"].as_str().unwrap();
    let conf = conf
        .replace("keepalive_min_timeout 5s", "keepalive_of_tomorrow 5s")
        .replace("X25519MLKEM768", "X25519OFTOMORROW");
    composed.volumes[0]["secret"]["nginx.conf"] = conf.into();
    let group = Group::start(&composed, &[]).await;
    let endpoint = group.endpoint(&authority.pem);
    serves(&endpoint, 1).await;

    let served = group.shell("cat /var/lib/aci-operator-tls/live/nginx.conf").await;
    assert!(!served.contains("tomorrow") && !served.contains("TOMORROW"));
    assert!(served.contains("ssl_ecdh_curve X25519:") && served.contains("http2 on;"));
    let logs = group.logs().await;
    assert!(logs.contains("refuses: keepalive_of_tomorrow") && !logs.contains("refuses: http2"));
    let (outcome, _) = group.exec(trial(nonce())).await;
    assert_eq!(outcome, Outcome::Available { lossless: false });
    swap_in(&group, &authority.issue(2)).await;
    serves(&endpoint, 2).await;
}

#[tokio::test]
async fn busybox_will_do() {
    let authority = Authority::new();
    let applets = tempfile::tempdir().unwrap();
    let names = "base64 cat cp ln mkdir mktemp mv printf readlink rm sed stty tr wc";
    for name in names.split(' ') {
        std::os::unix::fs::symlink("/bin/busybox", applets.path().join(name)).unwrap();
    }
    let busybox = group::busybox().display();
    let options = [
        &format!("-v{busybox}:/bin/busybox:ro"),
        &format!("-v{busybox}:/bin/sh:ro"),
        &format!("-v{}:/applets:ro", applets.path().display()),
        "-ePATH=/applets:/usr/sbin",
    ];
    let group = Group::start(&compose(&authority.issue(1)), &options).await;
    let endpoint = group.endpoint(&authority.pem);
    serves(&endpoint, 1).await;
    let (outcome, _) = group.exec(trial(nonce())).await;
    assert_eq!(outcome, Outcome::Available { lossless: true });
    swap_in(&group, &authority.issue(2)).await;
    serves(&endpoint, 2).await;
    group.crash().await;
    serves(&endpoint, 2).await;
}

#[tokio::test]
async fn a_missing_tool_is_named() {
    let authority = Authority::new();
    let group = Group::start(&compose(&authority.issue(1)), &[]).await;
    let endpoint = group.endpoint(&authority.pem);
    serves(&endpoint, 1).await;
    for (path, tool) in [
        ("/usr/bin/readlink", "readlink"),
        ("/usr/bin/base64", "base64"),
        ("/usr/bin/stty", "stty"),
    ] {
        group.shell(&format!("rm {path}")).await;
        let (outcome, _) = group.exec(trial(nonce())).await;
        assert_eq!(outcome, Outcome::Missing(tool.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_loses_no_request() {
    let authority = Authority::new();
    let group = Group::start(&compose(&authority.issue(1)), &[]).await;
    let endpoint = group.endpoint(&authority.pem);
    serves(&endpoint, 1).await;
    let rotations = std::env::var("ROTATIONS").map_or(8, |count| count.parse().unwrap());
    let styles =
        [Style::Busy, Style::Idling, Style::Idling, Style::Fresh, Style::Slow, Style::Slow];
    let load = Load::start(&endpoint, &styles);
    for serial in 2..2 + rotations {
        swap_in(&group, &authority.issue(serial)).await;
        serves(&endpoint, serial).await;
    }
    for (style, requests, failures) in load.stop().await {
        eprintln!("{style:?}: {} of {requests} failed", failures.len());
        assert!(failures.is_empty() && requests > 0, "{style:?}: {failures:?} of {requests}");
    }
}
