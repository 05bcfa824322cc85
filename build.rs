//! Tells the program which commit it is made of.
//!
//! Only where the build is meant to be kept (release, and profiles that inherit from it): to follow
//! git in every debug build would compile the crate again after each commit. `ACI_OPERATOR_COMMIT` says
//! it where there is no git, as in the build of the image.

use std::env;
use std::process::Command;

const COMMIT: &str = "ACI_OPERATOR_COMMIT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={COMMIT}");
    let given = env::var(COMMIT).ok().filter(|commit| !commit.is_empty());
    let kept = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = given.or_else(|| if kept { from_git() } else { None });
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    match commit {
        Some(commit) => {
            println!("cargo::rustc-env={COMMIT}={commit}");
            println!("cargo::rustc-env=ACI_OPERATOR_VERSION={version} ({commit})");
        }
        None => println!("cargo::rustc-env=ACI_OPERATOR_VERSION={version}"),
    }
}

/// The commit of the clone, and whether its files are other than that commit says.
fn from_git() -> Option<String> {
    for file in ["HEAD", "logs/HEAD"] {
        println!("cargo::rerun-if-changed={}", git(&["rev-parse", "--git-path", file])?);
    }
    // A change of these makes the crate anew, and may make it dirty.
    for path in ["src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    let dirty = if changed.is_empty() { "" } else { "-dirty" };
    Some(format!("{commit}{dirty}"))
}

/// What git says, where there is a git and a clone.
fn git(arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git").args(arguments).output().ok()?;
    answer.status.success().then(|| String::from_utf8_lossy(&answer.stdout).trim().to_owned())
}
