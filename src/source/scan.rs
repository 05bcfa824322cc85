//! The manifests of files and directories, as they are now.
//!
//! Directories are read with all below them: files named `*.yaml`, `*.yml` or `*.json`, but none that
//! is hidden or an editor's (`.x`, `#x`, `x~`). Links are followed wherever they lead, since a
//! mounted `ConfigMap` is made of them and whoever owns the directory says what is in it; each
//! directory is read once, so that a loop of links ends. A path that is given by name is read whatever
//! it is called.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::api::ObjectKey;
use crate::api::parse::{Parsed, Problem, parse};

/// Largest manifest file in bytes, that of a `ConfigMap`.
const LARGEST: u64 = 1 << 20;

/// What was found at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The files by place: a path, or a blob's URL.
    pub files: BTreeMap<String, Arc<Parsed>>,
    /// What could not be read: what is missing may be there.
    pub unreadable: Vec<String>,
}

impl Snapshot {
    /// All problems, files in order.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.files.values().flat_map(|parsed| &parsed.problems)
    }

    /// The names of all good documents.
    pub fn keys(&self) -> BTreeSet<&ObjectKey> {
        self.files.values().flat_map(|p| p.documents.iter().map(|d| &d.key)).collect()
    }
}

/// Reads `paths` once.
pub fn scan(paths: &[PathBuf]) -> Snapshot {
    Scanner::default().scan(paths)
}

/// Reads again and again, and parses only what is new.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    known: BTreeMap<PathBuf, (Vec<u8>, Arc<Parsed>)>,
}

impl Scanner {
    /// The files that `paths` hold, as they are.
    pub(super) fn read(mut self, paths: &[PathBuf]) -> impl Iterator<Item = (PathBuf, Vec<u8>)> {
        self.scan(paths);
        self.known.into_iter().map(|(path, (content, _))| (path, content))
    }

    /// What `paths` hold now.
    pub(super) fn scan(&mut self, paths: &[PathBuf]) -> Snapshot {
        let mut look = Look { before: std::mem::take(&mut self.known), ..Look::default() };
        for path in paths {
            match fs::metadata(path) {
                Ok(found) if found.is_dir() => look.directory(path),
                Ok(_) => look.file(path),
                Err(e) => look.unreadable(path, &e),
            }
        }
        self.known = look.now;
        let place = |path: &PathBuf| path.display().to_string();
        let files = self.known.iter().map(|(path, (_, parsed))| (place(path), Arc::clone(parsed)));
        Snapshot { files: files.collect(), unreadable: look.unreadable }
    }
}

#[derive(Default)]
struct Look {
    before: BTreeMap<PathBuf, (Vec<u8>, Arc<Parsed>)>,
    now: BTreeMap<PathBuf, (Vec<u8>, Arc<Parsed>)>,
    /// Directories that were read, by their real path.
    seen: BTreeSet<PathBuf>,
    unreadable: Vec<String>,
}

impl Look {
    fn directory(&mut self, path: &Path) {
        let names = fs::canonicalize(path).and_then(|real| {
            let new = self.seen.insert(real);
            if new { names(path) } else { Ok(Vec::new()) }
        });
        let names = match names {
            Ok(names) => names,
            Err(e) => return self.unreadable(path, &e),
        };
        for path in names.iter().map(|name| path.join(name)) {
            match fs::metadata(&path) {
                Ok(found) if found.is_dir() => self.directory(&path),
                Ok(found) if found.is_file() && is_manifest(&path) => self.file(&path),
                Ok(_) => {}
                // A link to nowhere that is none of ours, such as an editor's lock.
                Err(e) if e.kind() == ErrorKind::NotFound && !is_manifest(&path) => {}
                Err(e) if is_gone(&path, &e) => {}
                Err(e) => self.unreadable(&path, &e),
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let content = match content(path) {
            Ok(content) => content,
            Err(e) if is_gone(path, &e) => return,
            Err(e) => return self.unreadable(path, &e),
        };
        let known = self.before.remove(path).filter(|(before, _)| *before == content);
        let (content, parsed) = known.unwrap_or_else(|| {
            let parsed = Arc::new(parsed(&content, &path.display().to_string()));
            (content, parsed)
        });
        self.now.insert(path.to_owned(), (content, parsed));
    }

    fn unreadable(&mut self, path: &Path, e: &io::Error) {
        self.unreadable.push(format!("{}: cannot be read: {e}", path.display()));
    }
}

/// Renamed or removed since the directory was read; a link that leads nowhere is still there.
fn is_gone(path: &Path, e: &io::Error) -> bool {
    e.kind() == ErrorKind::NotFound && !path.is_symlink()
}

/// The names in a directory that may be of interest, sorted.
fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        if let Ok(name) = entry?.file_name().into_string()
            && !name.starts_with(['.', '#'])
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

pub(super) fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str());
    extension.is_some_and(|e| ["yaml", "yml", "json"].contains(&e))
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// What a file says; one that is no text, or too large, is a problem.
pub(super) fn parsed(content: &[u8], file: &str) -> Parsed {
    let message = match std::str::from_utf8(content) {
        _ if content.len() as u64 > LARGEST => format!("is larger than {LARGEST} bytes"),
        Ok(text) => return parse(text, file),
        Err(_) => "is not UTF-8 text".to_owned(),
    };
    let (line, column) = (1, 1);
    let problem = Problem { file: file.to_owned(), line, column, path: None, message, key: None };
    Parsed { documents: Vec::new(), problems: vec![problem] }
}
