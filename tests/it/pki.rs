//! Certificates of the local authority, in the hands of rustls and of OpenSSL.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use aci_operator::core::Secret;
use aci_operator::core::certificate::{
    Check, Desired, KeyAlgorithm, LeafFacts, LeafRequest, Names, Observed, Pair, RootRequest,
    check_provided, check_root, key_matches, violation,
};
use aci_operator::core::issuer::Constraints;
use aci_operator::pki::LocalAuthority;
use aci_operator::ports::{Authority as _, Clock as _, SystemClock};
use aci_operator::tls;

const DAY: Duration = Duration::from_hours(24);

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

fn constraints(domains: &[&str], ip_addresses: bool) -> Constraints {
    let permitted_domains = domains.iter().map(|&domain| domain.to_owned()).collect();
    Constraints { permitted_domains, ip_addresses }
}

/// A root of ten days.
pub(crate) fn root(constraints: Constraints) -> Pair {
    let common_name = "aci-operator test (0b51c0de)".to_owned();
    let request = RootRequest { common_name, constraints, now: now(), life: DAY * 10 };
    LocalAuthority.root(&request).unwrap()
}

/// A leaf of one day; names that are addresses become addresses.
pub(crate) fn leaf(root: &Pair, names: &[&str]) -> Pair {
    leaf_at(root, names, KeyAlgorithm::EcdsaP256, now(), DAY)
}

fn leaf_at(
    root: &Pair,
    names: &[&str],
    algorithm: KeyAlgorithm,
    now: DateTime<Utc>,
    life: Duration,
) -> Pair {
    let names = self::names(names);
    LocalAuthority.leaf(root, &LeafRequest { names, algorithm, now, life }).unwrap()
}

fn names(all: &[&str]) -> Names {
    let mut names = Names::default();
    for name in all {
        match name.parse() {
            Ok(address) => drop(names.ip.insert(address)),
            Err(_) => drop(names.dns.insert((*name).to_owned())),
        }
    }
    names
}

/// A handshake for `name` between a client that trusts the root only and a server with the leaf.
async fn handshake(root: &Pair, leaf: &Pair, name: &str) -> std::io::Result<()> {
    tls::install_provider();
    let key = leaf.key_pem.reveal().as_bytes();
    let server = tls::server_config(leaf.chain_pem.as_bytes(), key).unwrap();
    let client = tls::client_config_only(root.chain_pem.as_bytes()).unwrap();
    let (near, far) = tokio::io::duplex(16_384);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let accept = TlsAcceptor::from(Arc::new(server)).accept(far);
    let connect = TlsConnector::from(client).connect(name, near);
    let (client, _) = tokio::join!(connect, accept);
    client.map(drop)
}

/// What `openssl verify` says of the leaf under the root, for the name.
fn openssl_verify(root: &Pair, leaf: &Pair, name: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let [ca, crt] = [("ca.pem", root), ("leaf.pem", leaf)].map(|(file, pair)| {
        let path = dir.path().join(file);
        std::fs::write(&path, &pair.chain_pem).unwrap();
        path
    });
    let kind =
        if name.parse::<std::net::IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
    let output = Command::new("openssl")
        .args(["verify", "-x509_strict", "-purpose", "sslserver", "-no-CApath", "-CAfile"])
        .arg(&ca)
        .args([kind, name])
        .arg(&crt)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

fn openssl(dir: &Path, pem: &str, args: &[&str]) -> String {
    let path: PathBuf = dir.join("input.pem");
    std::fs::write(&path, pem).unwrap();
    let output = Command::new("openssl").args(args).arg("-in").arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn both_verifiers_honour_the_name_constraints() {
    let domains = ["mon-dns.com", "mon-fqdn.westeurope.azurecontainer.io"];
    let (bound, bound_to_names, free) = (
        root(constraints(&domains, false)),
        root(constraints(&domains, true)),
        root(constraints(&[], true)),
    );
    let only_addresses = root(constraints(&[], false));
    for (name, want) in [
        // Permitted by: bound, bound_to_names, only_addresses.
        ("mon-dns.com", [true, true, true]),
        ("www.mon-dns.com", [true, true, true]),
        ("mon-fqdn.westeurope.azurecontainer.io", [true, true, true]),
        ("localhost", [true, true, true]),
        ("xmon-dns.com", [false, false, true]),
        ("example.org", [false, false, true]),
        ("127.0.0.1", [true, true, true]),
        ("127.10.0.5", [true, true, true]),
        ("::1", [true, true, true]),
        ("20.50.60.70", [false, true, false]),
        ("::2", [false, true, false]),
    ] {
        let roots = [&bound, &bound_to_names, &only_addresses].into_iter().zip(want);
        for (root, want) in roots.chain([(&free, true)]) {
            let leaf = leaf(root, &[name]);
            let rustls = handshake(root, &leaf, name).await;
            assert_eq!(rustls.is_ok(), want, "rustls, {name}: {rustls:?}");
            let openssl = openssl_verify(root, &leaf, name);
            assert_eq!(openssl.is_ok(), want, "openssl, {name}: {openssl:?}");
        }
    }
}

#[tokio::test]
async fn a_leaf_of_either_algorithm_serves_all_its_names() {
    let root = root(constraints(&["mon-dns.com"], true));
    let all = ["mon-dns.com", "*.mon-dns.com", "localhost", "127.0.0.1", "::1", "20.50.60.70"];
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa2048] {
        let leaf = leaf_at(&root, &all, algorithm, now(), DAY);
        assert!(leaf.key_pem.reveal().starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(key_matches(&leaf).unwrap());
        for name in ["mon-dns.com", "a.mon-dns.com", "localhost", "127.0.0.1", "::1", "20.50.60.70"]
        {
            handshake(&root, &leaf, name).await.unwrap();
            openssl_verify(&root, &leaf, name).unwrap();
        }
        assert!(handshake(&root, &leaf, "a.b.mon-dns.com").await.is_err());
        assert_eq!(Observed::of(&leaf).unwrap().leaf.algorithm, Some(algorithm));
        let dir = tempfile::tempdir().unwrap();
        let text = openssl(dir.path(), &leaf.chain_pem, &["x509", "-noout", "-text"]);
        let bits = if algorithm == KeyAlgorithm::Rsa2048 { "(2048 bit)" } else { "P-256" };
        assert!(text.contains(bits), "{text}");
    }
    let other = self::root(constraints(&["mon-dns.com"], true));
    let leaf = leaf(&root, &["mon-dns.com"]);
    assert!(handshake(&other, &leaf, "mon-dns.com").await.is_err());
}

#[test]
fn a_root_is_what_it_should_be() {
    let made = root(constraints(&["mon-dns.com"], false));
    let dir = tempfile::tempdir().unwrap();
    let text = openssl(dir.path(), &made.chain_pem, &["x509", "-noout", "-text"]);
    for part in [
        "CA:TRUE, pathlen:0",
        "Key Usage: critical\n                Certificate Sign, CRL Sign\n",
        "Name Constraints: critical",
        "DNS:mon-dns.com",
        "DNS:localhost",
        "IP:127.0.0.0/255.0.0.0",
        "NIST CURVE: P-256",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let free = root(constraints(&[], true));
    let text = openssl(dir.path(), &free.chain_pem, &["x509", "-noout", "-text"]);
    assert!(!text.contains("Name Constraints"), "{text}");

    let facts = check_root(&made, now()).unwrap();
    assert_eq!(facts.constraints, constraints(&["mon-dns.com"], false));
    assert_eq!(facts.serial.len(), 32);
    assert!(facts.subject_key.is_some() && facts.subject_key == facts.authority_key);
    assert_ne!(facts.serial, check_root(&free, now()).unwrap().serial);
    let late = now() + TimeDelta::days(10);
    assert_eq!(check_root(&made, late).unwrap_err().check, Check::NotExpired);
}

#[test]
fn constraints_are_read_back() {
    for domains in [&[][..], &["a.b"], &["a.b", "c.d"], &["localhost"]] {
        for addresses in [true, false] {
            let wanted = constraints(domains, addresses);
            let facts = check_root(&root(wanted.clone()), now()).unwrap();
            assert_eq!(facts.constraints, wanted);
        }
    }
}

/// What the authority makes is what the policy finds as wanted.
#[test]
fn a_new_leaf_satisfies_the_policy() {
    let root = root(constraints(&["mon-dns.com"], true));
    let leaf = leaf(&root, &["mon-dns.com", "localhost", "127.0.0.1"]);
    let mut desired = Desired {
        names: names(&["mon-dns.com", "localhost", "127.0.0.1"]),
        issuer_key: check_root(&root, now()).unwrap().subject_key,
        algorithm: KeyAlgorithm::EcdsaP256,
        life: DAY,
        uid: "0b51".to_owned(),
        renew_requested: None,
    };
    let observed = Observed::of(&leaf).unwrap();
    assert_eq!(violation(&desired, Some(&observed), now()), None);
    desired.issuer_key =
        check_root(&self::root(Constraints::default()), now()).unwrap().subject_key;
    assert!(violation(&desired, Some(&observed), now()).unwrap().message.contains("another root"));
    let mixed = Pair { key_pem: root.key_pem, ..leaf };
    assert!(!Observed::of(&mixed).unwrap().key_matches);
}

#[test]
fn what_is_no_domain_is_refused() {
    for domain in ["münchen.de", "a b", "10.0.0.0", "https://a.b", "*.a.b"] {
        let request = RootRequest {
            common_name: "test".to_owned(),
            constraints: constraints(&[domain], true),
            now: now(),
            life: DAY,
        };
        let fault = LocalAuthority.root(&request).unwrap_err();
        assert!(fault.to_string().contains(domain), "{fault}");
    }
}

#[test]
fn a_leaf_is_backdated_and_never_outlives_its_root() {
    let root = root(constraints(&[], true));
    let root_facts = check_root(&root, now()).unwrap();
    let at = now() + TimeDelta::days(3);
    let made = leaf_at(&root, &["a.b"], KeyAlgorithm::EcdsaP256, at, DAY * 90);
    let facts = LeafFacts::from_pem(&made.chain_pem).unwrap().remove(0);
    assert_eq!(facts.not_after, root_facts.not_after);
    assert_eq!(facts.not_before.timestamp(), at.timestamp() - 60);
    assert_eq!(made.generation, at.timestamp());
    assert_eq!(facts.authority_key, root_facts.subject_key);
    assert!(!facts.is_ca);
    let short = leaf_at(&root, &["a.b"], KeyAlgorithm::EcdsaP256, at, DAY);
    let facts = LeafFacts::from_pem(&short.chain_pem).unwrap().remove(0);
    assert_eq!(facts.not_after.timestamp(), (at + TimeDelta::days(1)).timestamp());
}

#[test]
fn a_leaf_without_a_name_is_refused() {
    let request = LeafRequest {
        names: Names::default(),
        algorithm: KeyAlgorithm::EcdsaP256,
        now: now(),
        life: DAY,
    };
    let root = root(constraints(&[], true));
    assert!(LocalAuthority.leaf(&root, &request).unwrap_err().to_string().contains("a name"));
}

/// A chain of root, intermediate and leaf, as a user may bring; made by OpenSSL.
struct Own {
    root: String,
    intermediate: String,
    leaf: String,
    key: Secret,
}

impl Own {
    fn make() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script = r"
            set -e
            signed() { openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                       -keyout $1.key -out $1.csr -subj /CN=$1 -config empty
                       openssl x509 -req -in $1.csr -CA $2.crt -CAkey $2.key -CAcreateserial \
                       -days 5 -out $1.crt -extfile $1.ext; }
            printf '[req]\ndistinguished_name=dn\n[dn]\n' > empty
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 5 \
                -keyout root.key -out root.crt -subj /CN=root -config empty \
                -addext basicConstraints=critical,CA:TRUE
            echo basicConstraints=critical,CA:TRUE > intermediate.ext
            echo subjectAltName=DNS:*.mon-dns.com,DNS:mon-dns.com,IP:127.0.0.1 > leaf.ext
            signed intermediate root
            signed leaf intermediate
        ";
        let output =
            Command::new("sh").args(["-c", script]).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let read = |file: &str| std::fs::read_to_string(dir.path().join(file)).unwrap();
        Self {
            root: read("root.crt"),
            intermediate: read("intermediate.crt"),
            leaf: read("leaf.crt"),
            key: Secret::new(read("leaf.key")),
        }
    }
}

#[test]
fn each_check_of_a_provided_pair() {
    let own = Own::make();
    let Own { root, intermediate, leaf, key } = &own;
    let good = format!("{leaf}{intermediate}{root}");
    let wanted = names(&["mon-dns.com", "a.mon-dns.com", "127.0.0.1"]);
    let at = now() + TimeDelta::minutes(1);
    let facts = check_provided(&good, key, &wanted, at).unwrap();
    assert!(facts.subject.contains("leaf"));
    for chain in [leaf.clone(), format!("{leaf}{intermediate}")] {
        check_provided(&chain, key, &wanted, at).unwrap();
    }

    let namesake = format!("{leaf}{}", Own::make().intermediate);
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let other_key = self::root(constraints(&[], true)).key_pem;
    let junk = Secret::new("hunter2");
    let (early, late) = (now() - TimeDelta::days(1), now() + TimeDelta::days(6));
    let other = names(&["a.b.mon-dns.com", "20.50.60.70"]);
    for (chain, key, wanted, at, want, part) in [
        ("", key, &wanted, at, Check::Readable, "CERTIFICATE"),
        (pem, key, &wanted, at, Check::Readable, "not a certificate"),
        (&good, &junk, &wanted, at, Check::Readable, "key"),
        (&good, &other_key, &wanted, at, Check::KeyMatches, "does not belong"),
        (&good, key, &wanted, early, Check::NotYetValid, "CN=leaf"),
        (&good, key, &wanted, late, Check::NotExpired, "CN=leaf"),
        (&format!("{leaf}{root}{intermediate}"), key, &wanted, at, Check::Order, "CN=leaf"),
        (&namesake, key, &wanted, at, Check::Order, "not signed by"),
        (&format!("{leaf}{leaf}"), key, &wanted, at, Check::Order, "no authority"),
        (&good, key, &other, at, Check::NamesCovered, "a.b.mon-dns.com, 20.50.60.70"),
    ] {
        let failed = check_provided(chain, key, wanted, at).unwrap_err();
        assert_eq!(failed.check, want, "{failed}");
        assert!(failed.message.contains(part), "{failed}");
        assert!(!failed.message.contains("hunter2"));
    }
    let authority = self::root(constraints(&[], true));
    let failed = check_provided(&authority.chain_pem, &authority.key_pem, &names(&[]), at);
    assert_eq!(failed.unwrap_err().check, Check::Order);
}
