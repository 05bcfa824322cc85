//! The repository, as a test: which room may name which, and the house rules that no lint holds.

use std::fs;
use std::path::{Path, PathBuf};

use rust::{is_word, rooms_named, tokens, without_tests};

#[path = "tidy/rust.rs"]
mod rust;

/// Rooms that every other room but `core` may name.
const BOTTOM: &[&str] = &["blobs", "core", "files", "metrics", "tls"];

/// Each top-level module and what it may name beside [`BOTTOM`].
const LAYERS: &[(&str, &[&str])] = &[
    ("blobs", &[]),
    ("core", &[]),
    ("files", &[]),
    ("metrics", &[]),
    ("tls", &[]),
    ("api", &[]),
    ("ports", &["api"]),
    ("reconcile", &["api", "ports"]),
    ("source", &["api", "ports"]),
    ("store", &["api", "ports"]),
    ("cluster", &["api", "ports"]),
    ("azure", &["api", "ports"]),
    ("pki", &["api", "ports"]),
    ("probe", &["api", "ports"]),
    ("http", &["ports"]),
    ("emulator", &[]),
    (
        "app",
        &[
            "api",
            "ports",
            "reconcile",
            "source",
            "store",
            "cluster",
            "azure",
            "pki",
            "probe",
            "http",
            "emulator",
        ],
    ),
    ("cli", &["api", "app"]),
    ("main", &["app", "cli"]),
];

/// Rooms whose share of [`BOTTOM`] is smaller: `core` names nothing of ours, and local Azure shares
/// no type with the operator, or a wrong spelling would agree with itself.
const BOTTOM_OF: &[(&str, &[&str])] = &[("core", &[]), ("emulator", &["files", "metrics", "tls"])];

/// Crates that have no place in `core`: no I/O, no runtime, no clock.
const NOT_IN_CORE: &[&str] = &[
    "async_trait",
    "azure_core",
    "azure_identity",
    "bollard",
    "futures",
    "kube",
    "reqwest",
    "tokio",
    "tokio_util",
    "tracing",
];

/// Lines that a file may have; none may have more, unless it stands in [`LONG`].
const MAX_LINES: usize = 450;

/// Longer files, each with its reason.
const LONG: &[(&str, &str)] = &[];

#[test]
fn the_repository_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut faults = Vec::new();
    let mut seen = 0;
    for file in files(root, &["src", "tests"], &["rs"]) {
        let text = fs::read_to_string(root.join(&file)).expect("a source file is readable");
        faults.extend(faults_of_text(&file, &text));
        // A `tests.rs` is the body of a `#[cfg(test)] mod tests;`.
        if file.starts_with("src/") && !file.ends_with("/tests.rs") {
            seen += 1;
            faults.extend(faults_of_layers(&file, &text));
        }
    }
    for file in files(root, WORDS_IN, &["md", "py", "sh", "yaml", "toml", ""]) {
        let text = fs::read_to_string(root.join(&file)).unwrap_or_default();
        faults.extend(unfinished(&file, &text));
    }
    assert!(seen >= LAYERS.len(), "only {seen} source files were found");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn there_are_samples_and_they_name_the_api() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let samples = files(root, &["manifests/samples"], &["yaml"]);
    assert!(!samples.is_empty(), "scripts/quickstart applies manifests/samples");
    for sample in samples {
        let text = fs::read_to_string(root.join(&sample)).expect("a sample is readable");
        for document in text.split("\n---\n") {
            assert!(document.contains("apiVersion: aci-operator.io/v1alpha1\n"), "{sample}");
        }
    }
}

// --- House rules ------------------------------------------------------------------------------

/// Folders whose other files are searched for unfinished work.
const WORDS_IN: &[&str] = &["scripts", "images", "manifests", "docs", "charts", ".ci"];

fn faults_of_text(file: &str, text: &str) -> Vec<String> {
    let mut faults = unfinished(file, text);
    let lines = text.lines().count();
    if lines > MAX_LINES && !LONG.iter().any(|(long, _)| *long == file) {
        faults.push(format!("{file} has {lines} lines: split it by ideas"));
    }
    if file.ends_with("/mod.rs") {
        faults.push(format!("{file}: a module is foo.rs beside foo/"));
    }
    let tokens = tokens(text);
    if tokens.windows(3).any(|w| w[0] == "#" && w[1] == "[" && w[2] == "ignore") {
        faults.push(format!("{file} ignores a test"));
    }
    faults
}

fn unfinished(file: &str, text: &str) -> Vec<String> {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let found = |word: &&str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| *part == **word)
    };
    words.iter().filter(|w| found(w)).map(|w| format!("{file} says {w}")).collect()
}

// --- Layers -----------------------------------------------------------------------------------

/// What a source file names that its room may not. `file` is its path from the repository's root.
fn faults_of_layers(file: &str, text: &str) -> Vec<String> {
    let module = module_path(file);
    let Some(room) = module.first() else { return Vec::new() };
    let Some((_, may)) = LAYERS.iter().find(|(name, _)| name == room) else {
        return vec![format!("{file}: `{room}` has no layer; give it one in tests/tidy.rs")];
    };
    let bottom =
        BOTTOM_OF.iter().find(|(name, _)| name == room).map_or(BOTTOM, |(_, bottom)| *bottom);
    let tokens = without_tests(&tokens(text));
    let mut faults = Vec::new();
    for named in rooms_named(&module, &tokens) {
        let allowed = named == *room || bottom.contains(&&*named) || may.contains(&&*named);
        if !allowed {
            faults.push(format!("{file} names crate::{named}"));
        }
    }
    if room == "core" {
        faults.extend(impurities(&tokens).into_iter().map(|what| format!("{file} names {what}")));
    }
    faults.sort();
    faults.dedup();
    faults
}

/// `src/core/names.rs` → `["core", "names"]`; the crate's root has no segment.
fn module_path(file: &str) -> Vec<String> {
    let inner = file.trim_start_matches("src/").trim_end_matches(".rs");
    if inner == "lib" { Vec::new() } else { inner.split('/').map(str::to_owned).collect() }
}

/// Crates and words that `core` may not use.
fn impurities(tokens: &[String]) -> Vec<String> {
    let crate_named = |at: usize| {
        let before = if at > 0 { tokens[at - 1].as_str() } else { "" };
        let after = tokens.get(at + 1).map_or("", String::as_str);
        let first = before != "::" || tokens.get(at.wrapping_sub(2)).is_none_or(|t| !is_word(t));
        first && (after == "::" || before == "use" || before == "crate")
    };
    let impure = |(at, token): (usize, &String)| match token.as_str() {
        "async" | "await" => Some(token.clone()),
        name if NOT_IN_CORE.contains(&name) && crate_named(at) => Some(token.clone()),
        _ => None,
    };
    tokens.iter().enumerate().filter_map(impure).collect()
}

/// Paths from the root of the files below the folders with one of the extensions ("" for none).
fn files(root: &Path, folders: &[&str], extensions: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(path) = open.pop() {
        if let Ok(entries) = fs::read_dir(&path) {
            open.extend(entries.flatten().map(|entry| entry.path()));
            continue;
        }
        let extension = path.extension().map_or("", |e| e.to_str().unwrap_or_default());
        if path.is_file() && extensions.contains(&extension) {
            let inner = path.strip_prefix(root).unwrap_or(&path);
            found.push(inner.to_string_lossy().into_owned());
        }
    }
    found.sort();
    found
}

// --- The test of the test: planted faults are found, look-alikes are not -------------------------

#[test]
fn planted_faults_are_found() {
    for (file, text, fault) in [
        ("src/core.rs", "use crate::api::Spec;", "names crate::api"),
        ("src/core/names.rs", "fn f() -> crate::files::Home { todo() }", "names crate::files"),
        ("src/core/names.rs", "use super::super::azure::Arm;", "names crate::azure"),
        ("src/core.rs", "use super::ports;", "names crate::ports"),
        ("src/core.rs", "mod inner { use super::super::ports; }", "names crate::ports"),
        (
            "src/azure/arm.rs",
            "use crate::{core::Plan, store::{Home, Lease}};",
            "names crate::store",
        ),
        ("src/azure.rs", "use crate::{\n    core::{Plan, leaf},\n    pki,\n};", "names crate::pki"),
        ("src/store.rs", "use crate::*;", "names crate::*"),
        ("src/store.rs", "use crate::{*};", "names crate::*"),
        (
            "src/store.rs",
            "use ::aci_operator::x; use aci_operator::reconcile;",
            "names crate::reconcile",
        ),
        ("src/emulator/arm.rs", "use crate::core::names;", "names crate::core"),
        (
            "src/emulator/arm.rs",
            "let x = crate :: azure :: wire :: Group {};",
            "names crate::azure",
        ),
        ("src/app.rs", "macro_rules! m { () => { $crate::cli::run() } }", "names crate::cli"),
        (
            "src/http.rs",
            "#[cfg(test)] mod tests { use crate::app; }\nuse crate::azure;",
            "names crate::azure",
        ),
        ("src/core.rs", "async fn f() {}", "names async"),
        ("src/core.rs", "use tokio::time;", "names tokio"),
        ("src/core.rs", "use {std::fmt, kube::Resource};", "names kube"),
        ("src/core.rs", "fn f() { ::tracing::info!(\"x\") }", "names tracing"),
        ("src/core.rs", "use azure_core as a;", "names azure_core"),
        ("src/new_room.rs", "", "has no layer"),
    ] {
        let faults = faults_of_layers(file, text);
        assert!(faults.iter().any(|f| f.contains(fault)), "{file} {text:?}: {faults:?}");
    }
}

#[test]
fn look_alikes_are_no_faults() {
    for (file, text) in [
        ("src/core.rs", "// use crate::azure;\n/* crate::api /* nested */ crate::app */"),
        ("src/core.rs", "//! [`crate::azure`] and tokio::time"),
        ("src/core.rs", "const A: &str = \"crate::azure\"; const B: &str = r#\"\"crate::azure\"#;"),
        (
            "src/core.rs",
            "#[cfg(test)]\nmod tests { use crate::api; fn f() { if a { tokio::run() } } }",
        ),
        ("src/core.rs", "#[cfg(test)]\nuse crate::api::Spec;\nuse crate::core::names;"),
        (
            "src/core/names.rs",
            "use super::leaf; use super::Plan; pub(crate) fn f<'a>(c: char) { c == '\"'; }",
        ),
        ("src/core.rs", "mod inner { use super::leaf; } fn tracing() {} x.tokio; my::tokio::x();"),
        ("src/azure/arm.rs", "use crate::{core::{Plan, store}, ports, azure::wire};"),
        ("src/reconcile.rs", "use crate::ports::{self, Store};"),
        ("src/lib.rs", "pub mod azure; pub mod core;"),
    ] {
        assert_eq!(faults_of_layers(file, text), Vec::<String>::new(), "{file} {text:?}");
    }
}

#[test]
fn house_rules_are_held() {
    let long = "\n".repeat(MAX_LINES + 1);
    let ignored = concat!("#[", "ignore = \"slow\"]\nfn f() {}");
    let unfinished = concat!("// TO", "DO: later");
    for (file, text) in [
        ("src/a.rs", long.as_str()),
        ("src/a/mod.rs", ""),
        ("tests/it/a.rs", ignored),
        ("src/a.rs", unfinished),
    ] {
        assert_eq!(faults_of_text(file, text).len(), 1, "{file} {text:?}");
    }
    assert!(faults_of_text("src/a.rs", "// TODOS, autodo; #[ignored] \"#[ignore]\"").is_empty());
}
