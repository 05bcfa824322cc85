//! The system's store: a directory of anchors, and a program that makes bundles of them.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{Anchor, Runner, TrustStores};

/// How a family of distributions does it.
struct Store {
    /// Directory of anchors, below the root; it is there where the store is.
    anchors: &'static str,
    extension: &'static str,
    /// What makes the bundles after a file was added, and after one was removed.
    added: &'static [&'static str],
    removed: &'static [&'static str],
}

/// Fedora and RHEL, openSUSE and SLES, Debian and Ubuntu, Arch: the first that is there.
const STORES: &[Store] = &[
    Store {
        anchors: "etc/pki/ca-trust/source/anchors",
        extension: "pem",
        added: &["update-ca-trust", "extract"],
        removed: &["update-ca-trust", "extract"],
    },
    Store {
        anchors: "etc/pki/trust/anchors",
        extension: "pem",
        added: &["update-ca-certificates"],
        removed: &["update-ca-certificates"],
    },
    Store {
        anchors: "usr/local/share/ca-certificates",
        extension: "crt",
        added: &["update-ca-certificates"],
        // Without this Debian's leaves dangling links behind.
        removed: &["update-ca-certificates", "--fresh"],
    },
    Store {
        anchors: "etc/ca-certificates/trust-source/anchors",
        extension: "crt",
        added: &["trust", "extract-compat"],
        removed: &["trust", "extract-compat"],
    },
];

pub(super) fn install<R: Runner>(
    stores: &TrustStores<R>,
    anchor: &Anchor<'_>,
) -> Result<String, String> {
    let (store, path) = find(&stores.root, anchor)?;
    let name = anchor.name;
    place(&path, anchor.pem)
        .and_then(|()| run(&stores.runner, store.added))
        .map_err(|e| format!("the system does not trust `{name}`: {}", remedy(&e, &path)))?;
    Ok(format!("the system trusts `{name}` ({})", path.display()))
}

pub(super) fn uninstall<R: Runner>(
    stores: &TrustStores<R>,
    anchor: &Anchor<'_>,
) -> Result<String, String> {
    let (store, path) = find(&stores.root, anchor)?;
    let name = anchor.name;
    let removed = match fs::remove_file(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Ok(format!("the system did not trust `{name}`"));
        }
        removed => removed,
    };
    removed
        .and_then(|()| run(&stores.runner, store.removed))
        .map_err(|e| format!("the system may still trust `{name}`: {}", remedy(&e, &path)))?;
    Ok(format!("the system no longer trusts `{name}`"))
}

fn find(root: &Path, anchor: &Anchor<'_>) -> Result<(&'static Store, PathBuf), String> {
    let store = STORES.iter().find(|store| root.join(store.anchors).is_dir()).ok_or_else(|| {
        "this system has no trust store that is known here: install its package \
         `ca-certificates`, or give programs the file of `aci-operator ca export`"
            .to_owned()
    })?;
    let file = format!("{}.{}", anchor.label, store.extension);
    Ok((store, root.join(store.anchors).join(file)))
}

/// Writes a file that everybody may read, whatever the umask.
fn place(path: &Path, pem: &str) -> io::Result<()> {
    fs::write(path, pem)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

fn run(runner: &impl Runner, command: &[&str]) -> io::Result<()> {
    let [program, args @ ..] = command else { return Ok(()) };
    runner.run(program, args).map(drop).map_err(|e| match e.kind() {
        ErrorKind::NotFound => io::Error::new(e.kind(), format!("`{program}` is not installed")),
        _ => e,
    })
}

fn remedy(error: &io::Error, path: &Path) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            format!("{} is root's: run this again with `sudo --preserve-env=HOME`", path.display())
        }
        _ => error.to_string(),
    }
}
