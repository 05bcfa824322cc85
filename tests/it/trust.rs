//! Trust stores, in a temporary root and home, with the real `certutil`.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Mutex;

use aci_operator::app::trust::{Processes, Report, Runner, TrustStores};
use aci_operator::core::certificate::LeafFacts;
use aci_operator::core::issuer::Constraints;

use crate::pki;

/// Runs `certutil` in truth, and notes the programs that would change this machine.
#[derive(Debug, Default)]
struct Noting {
    ran: Mutex<Vec<String>>,
}

impl Runner for &Noting {
    fn run(&self, program: &str, args: &[&str]) -> io::Result<String> {
        if program == "certutil" {
            return Processes.run(program, args);
        }
        self.ran.lock().unwrap().push([&[program], args].concat().join(" "));
        Ok(String::new())
    }
}

/// Has no program at all.
struct Bare;

impl Runner for Bare {
    fn run(&self, _: &str, _: &[&str]) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn database(dir: &Path) -> String {
    fs::create_dir_all(dir).unwrap();
    let name = format!("sql:{}", dir.display());
    Processes.run("certutil", &["-N", "-d", &name, "--empty-password"]).unwrap();
    name
}

fn trusted(database: &str, label: &str) -> bool {
    // `-u L`: as an authority of TLS servers.
    Processes.run("certutil", &["-V", "-d", database, "-u", "L", "-n", label]).is_ok()
}

#[track_caller]
fn fine(report: &Report, lines: usize) {
    assert_eq!((report.done.len(), report.problems.len()), (lines, 0), "{report:?}");
}

#[test]
fn all_stores_come_to_trust_a_root_and_cease_to() {
    let dir = tempfile::tempdir().unwrap();
    let (root, home) = (dir.path().join("root"), dir.path().join("home"));
    let anchors = root.join("usr/local/share/ca-certificates");
    fs::create_dir_all(&anchors).unwrap();
    let chromium = database(&home.join(".pki/nssdb"));
    let firefox = database(&home.join(".mozilla/firefox/x1.default"));
    fs::create_dir_all(home.join(".mozilla/firefox/Crash Reports")).unwrap();

    let pem = pki::root(Constraints::default()).chain_pem;
    let other = pki::root(Constraints::default()).chain_pem;
    let label =
        format!("aci-operator-{}", LeafFacts::from_pem(&pem).unwrap().remove(0).fingerprint);
    let file = anchors.join(format!("{label}.crt"));
    let noting = Noting::default();
    let stores = TrustStores { root, home, runner: &noting };

    fine(&stores.install(&other, "other-ca").unwrap(), 3);
    for _ in 0..2 {
        let report = stores.install(&pem, "local-ca").unwrap();
        fine(&report, 3);
        assert!(report.done.iter().all(|line| line.contains("trusts `local-ca`")), "{report:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), pem);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        assert!(trusted(&chromium, &label) && trusted(&firefox, &label));
    }
    for word in ["no longer trusts", "did not trust"] {
        let report = stores.uninstall(&pem, "local-ca").unwrap();
        fine(&report, 3);
        assert!(report.done.iter().all(|line| line.contains(word)), "{report:?}");
        assert!(!file.exists());
        assert!(!trusted(&chromium, &label) && !trusted(&firefox, &label));
    }
    let mut ran = vec!["update-ca-certificates"; 3];
    ran.push("update-ca-certificates --fresh");
    assert_eq!(*noting.ran.lock().unwrap(), ran);
    let left = LeafFacts::from_pem(&other).unwrap().remove(0).fingerprint;
    assert!(trusted(&chromium, &format!("aci-operator-{left}")));
}

#[test]
fn each_family_of_distributions_has_its_way() {
    let pem = pki::root(Constraints::default()).chain_pem;
    for (anchors, extension, command) in [
        ("etc/pki/ca-trust/source/anchors", "pem", "update-ca-trust extract"),
        ("etc/pki/trust/anchors", "pem", "update-ca-certificates"),
        ("etc/ca-certificates/trust-source/anchors", "crt", "trust extract-compat"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let anchors = dir.path().join(anchors);
        fs::create_dir_all(&anchors).unwrap();
        let noting = Noting::default();
        let (root, home) = (dir.path().to_owned(), dir.path().join("home"));
        let stores = TrustStores { root, home, runner: &noting };
        fine(&stores.install(&pem, "local-ca").unwrap(), 1);
        let file = fs::read_dir(&anchors).unwrap().next().unwrap().unwrap().path();
        assert_eq!(file.extension().unwrap(), extension);
        fine(&stores.uninstall(&pem, "local-ca").unwrap(), 1);
        assert_eq!(*noting.ran.lock().unwrap(), [command, command]);
    }
}

#[test]
fn what_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (root, home) = (dir.path().join("root"), dir.path().join("home"));
    let pem = pki::root(Constraints::default()).chain_pem;
    let stores = TrustStores { root: root.clone(), home: home.clone(), runner: Bare };
    let report = stores.install(&pem, "local-ca").unwrap();
    assert!(report.problems[0].contains("no trust store"), "{report:?}");

    fs::create_dir_all(root.join("usr/local/share/ca-certificates")).unwrap();
    database(&home.join(".pki/nssdb"));
    let report = stores.install(&pem, "local-ca").unwrap();
    assert_eq!(report.done, Vec::<String>::new());
    assert!(report.problems[0].contains("`update-ca-certificates` is not installed"));
    assert!(report.problems[1].contains("libnss3-tools"), "{report:?}");
    assert!(stores.install("no PEM", "local-ca").is_err());
}
