//! Uploading manifests to a blob container: only what differs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::bucket::{PREFIX, is_wanted};
use super::scan::Scanner;
use crate::blobs::{Container, Expected, Read};
use crate::core::Fault;
use crate::ports::{Entry, ObjectKey};

/// What became of one manifest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pushed {
    /// It is new there, or was other.
    Uploaded,
    /// It was the same.
    Unchanged,
    /// It is not among what was pushed.
    Deleted,
}

/// Makes the manifests in `container` those of files and directories, by their paths below what is given.
/// Others stay as they are, unless they are to be deleted (`prune`).
///
/// # Errors
/// Two files have one name there; somebody else writes the same blob; those of the container. What was
/// done before stays done: pushing again goes on.
pub async fn push(
    container: &Container,
    paths: &[PathBuf],
    prune: bool,
) -> Result<BTreeMap<String, Pushed>, Fault> {
    let files = files(paths)?;
    let there = container.list(PREFIX).await?;
    let mut done = BTreeMap::new();
    for (name, content) in &files {
        let expected = match container.get(name, None).await? {
            Read::Is(_, before) if before == *content => {
                done.insert(name.clone(), Pushed::Unchanged);
                continue;
            }
            Read::Is(version, _) => Expected::Same(version),
            Read::Absent | Read::Same => Expected::Nothing,
        };
        if container.put(name, content.clone(), &expected).await?.is_none() {
            return Err(meanwhile(container, name));
        }
        done.insert(name.clone(), Pushed::Uploaded);
    }
    for (name, version) in there {
        if prune && is_wanted(&name) && !files.contains_key(&name) {
            if !container.delete(&name, &Expected::Same(version)).await? {
                return Err(meanwhile(container, &name));
            }
            done.insert(name, Pushed::Deleted);
        }
    }
    Ok(done)
}

/// Puts the manifest of an object of another home into `container`, as a file of its own.
///
/// # Errors
/// Those of the container; a blob of that name that is there already.
pub async fn plant(container: &Container, entry: &Entry) -> Result<(), Fault> {
    let ObjectKey { kind, name, .. } = &entry.key;
    let mut manifest = entry.manifest.clone();
    if let Some(metadata) = manifest["metadata"].as_object_mut() {
        metadata.remove("namespace");
    }
    let name = format!("{PREFIX}{}-{name}.json", kind.to_lowercase());
    let content = serde_json::to_vec_pretty(&manifest).map_err(|problem| Fault::Store {
        what: container.place(&name),
        problem: problem.to_string(),
    })?;
    match container.put(&name, content, &Expected::Nothing).await? {
        Some(_) => Ok(()),
        None => Err(meanwhile(container, &name)),
    }
}

fn meanwhile(container: &Container, name: &str) -> Fault {
    let problem = "was written by somebody else meanwhile: look at it and push again";
    Fault::Store { what: container.place(name), problem: problem.to_owned() }
}

/// The files by their names in the container.
fn files(paths: &[PathBuf]) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
    let mut all: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for given in paths {
        for (path, content) in Scanner::default().read(std::slice::from_ref(given)) {
            let name = format!("{PREFIX}{}", below(given, &path).display());
            if all.insert(name.clone(), content).is_some() {
                let problem = format!("would be `{name}`, which another file is already");
                return Err(Fault::Store { what: path.display().to_string(), problem });
            }
        }
    }
    Ok(all)
}

/// The path below the directory that was given; of a file that was given, its name.
fn below<'a>(given: &Path, path: &'a Path) -> &'a Path {
    match path.strip_prefix(given) {
        Ok(below) if !below.as_os_str().is_empty() => below,
        _ => path.file_name().map_or(path, Path::new),
    }
}
