//! NSS databases: Chromium's (and Chrome's) of the user, and one in each Firefox profile.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::{Anchor, Runner, TrustStores};

/// Chromium's databases, below the home directory.
const DATABASES: [&str; 2] = [".pki/nssdb", "snap/chromium/current/.pki/nssdb"];
/// Directories of Firefox profiles, below the home directory.
const PROFILES: [&str; 3] = [
    ".mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
];

pub(super) fn install<R: Runner>(
    stores: &TrustStores<R>,
    anchor: &Anchor<'_>,
) -> Vec<Result<String, String>> {
    let name = anchor.name;
    let add = |database: &Path| {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(anchor.pem.as_bytes())?;
        let file = file.path().to_string_lossy();
        // `C,,`: it may sign servers, and neither mail nor code.
        let args = ["-A", "-t", "C,,", "-n", &anchor.label, "-i", &file];
        certutil(&stores.runner, database, &args)?;
        Ok(format!("{} trusts `{name}`", database.display()))
    };
    each(&stores.home, |database| {
        add(database).map_err(|e: io::Error| {
            format!("{} does not trust `{name}`: {}", database.display(), remedy(&e))
        })
    })
}

pub(super) fn uninstall<R: Runner>(
    stores: &TrustStores<R>,
    anchor: &Anchor<'_>,
) -> Vec<Result<String, String>> {
    let name = anchor.name;
    let remove = |database: &Path| {
        let all = certutil(&stores.runner, database, &["-L"])?;
        if !all.contains(&anchor.label) {
            return Ok(format!("{} did not trust `{name}`", database.display()));
        }
        certutil(&stores.runner, database, &["-D", "-n", &anchor.label])?;
        Ok(format!("{} no longer trusts `{name}`", database.display()))
    };
    each(&stores.home, |database| {
        remove(database).map_err(|e: io::Error| {
            format!("{} may still trust `{name}`: {}", database.display(), remedy(&e))
        })
    })
}

fn each(
    home: &Path,
    action: impl Fn(&Path) -> Result<String, String>,
) -> Vec<Result<String, String>> {
    databases(home).iter().map(|database| action(database)).collect()
}

/// The databases that are there, sorted.
fn databases(home: &Path) -> Vec<PathBuf> {
    let profiles = PROFILES.iter().filter_map(|dir| fs::read_dir(home.join(dir)).ok());
    let profiles = profiles.flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut found: Vec<_> = DATABASES.iter().map(|dir| home.join(dir)).chain(profiles).collect();
    found.retain(|dir| dir.join("cert9.db").is_file());
    found.sort();
    found
}

fn certutil(runner: &impl Runner, database: &Path, args: &[&str]) -> io::Result<String> {
    let database = format!("sql:{}", database.display());
    // A database with a password would ask for it: the empty one is given, so it fails instead.
    let all: Vec<_> = ["-d", &database, "-f", "/dev/null"].iter().chain(args).copied().collect();
    runner.run("certutil", &all)
}

fn remedy(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "`certutil` is not installed: install `libnss3-tools` (Debian, \
                                Ubuntu), `nss-tools` (Fedora, RHEL), `mozilla-nss-tools` \
                                (openSUSE) or `nss` (Arch)"
            .to_owned(),
        _ => error.to_string(),
    }
}
