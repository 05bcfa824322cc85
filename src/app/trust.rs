//! Trust in a root of ours: the system's store, and the NSS databases of Chromium and Firefox.
//!
//! What `mkcert -install` does, on Linux; <https://github.com/FiloSottile/mkcert>. On macOS it is
//! `sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain FILE`, with
//! the file of `aci-operator ca export`.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use crate::core::certificate::{LeafFacts, Unreadable};

mod nss;
mod system;

/// Runs the programs that own a store.
pub trait Runner {
    /// Runs `program` to its end, and gives what it printed.
    ///
    /// # Errors
    /// It cannot be started ([`io::ErrorKind::NotFound`]: it is not installed), or ends with a
    /// failure, whose words are the error's.
    fn run(&self, program: &str, args: &[&str]) -> io::Result<String>;
}

/// Runs them in processes.
#[derive(Clone, Copy, Debug)]
pub struct Processes;

impl Runner for Processes {
    fn run(&self, program: &str, args: &[&str]) -> io::Result<String> {
        let output = Command::new(program).args(args).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("`{program}` failed: {}", said.trim())))
    }
}

/// What was done, and what could not be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// A line for each store that is now as wanted.
    pub done: Vec<String>,
    /// A line for each store that is not, with the remedy.
    pub problems: Vec<String>,
}

impl Report {
    fn add(&mut self, outcome: Result<String, String>) {
        match outcome {
            Ok(line) => self.done.push(line),
            Err(line) => self.problems.push(line),
        }
    }
}

/// The stores of one machine and one user. All of it blocks.
#[derive(Clone, Debug)]
pub struct TrustStores<R> {
    /// Where the file system begins: `/`.
    pub root: PathBuf,
    /// The user's home directory.
    pub home: PathBuf,
    /// Runs the programs that own a store.
    pub runner: R,
}

impl<R: Runner> TrustStores<R> {
    /// Makes all stores trust the first certificate of `pem`, which messages call `name`. Doing it
    /// again changes nothing.
    ///
    /// # Errors
    /// There is no certificate in `pem`. A store that fails is a line of the report.
    pub fn install(&self, pem: &str, name: &str) -> Result<Report, Unreadable> {
        let anchor = Anchor::new(pem, name)?;
        let mut report = Report::default();
        report.add(system::install(self, &anchor));
        for outcome in nss::install(self, &anchor) {
            report.add(outcome);
        }
        Ok(report)
    }

    /// Takes the trust in the first certificate of `pem` back. Where none is, nothing is changed.
    ///
    /// # Errors
    /// There is no certificate in `pem`. A store that fails is a line of the report.
    pub fn uninstall(&self, pem: &str, name: &str) -> Result<Report, Unreadable> {
        let anchor = Anchor::new(pem, name)?;
        let mut report = Report::default();
        report.add(system::uninstall(self, &anchor));
        for outcome in nss::uninstall(self, &anchor) {
            report.add(outcome);
        }
        Ok(report)
    }
}

/// A root to be trusted.
struct Anchor<'a> {
    pem: &'a str,
    /// What messages call it.
    name: &'a str,
    /// What stores call it; by its fingerprint, so that two roots of one name are two entries.
    label: String,
}

impl<'a> Anchor<'a> {
    fn new(pem: &'a str, name: &'a str) -> Result<Self, Unreadable> {
        let facts = LeafFacts::from_pem(pem)?;
        let fingerprint = facts.first().map_or("", |facts| facts.fingerprint.as_str());
        Ok(Self { pem, name, label: format!("aci-operator-{fingerprint}") })
    }
}
