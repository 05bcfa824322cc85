//! Manifests before they act: checked, compared, rendered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::{App, Error, Result, wire};
use crate::api::Object;
use crate::core::fields::Change;
use crate::core::{Cost, references};
use crate::ports::{Entry, ObjectKey};
use crate::reconcile::container_group::Preview;

/// Manifests that were read.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The good ones.
    pub objects: Vec<Manifest>,
    /// What is wrong, with file, line and column.
    pub problems: Vec<String>,
    /// What is allowed and unwise.
    pub warnings: Vec<String>,
}

/// One good manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its object.
    pub object: Object,
    /// File and line.
    pub place: String,
}

impl Manifest {
    /// Names the object.
    pub fn key(&self) -> ObjectKey {
        self.object.key()
    }
}

/// What applying a manifest would change.
#[derive(Clone, Debug)]
pub enum Difference {
    /// Nothing.
    None,
    /// The object is new.
    New,
    /// These fields differ, at this cost.
    Changed {
        /// The fields.
        changes: Vec<Change>,
        /// A value that Azure does not show differs.
        hidden: bool,
        /// What the whole costs.
        cost: Cost,
    },
    /// The manifest is another than the one in the home.
    Spec,
}

impl App {
    /// Reads manifests without asking anybody.
    ///
    /// # Errors
    /// A path cannot be read.
    pub fn read(&self, paths: &[PathBuf]) -> Result<Manifests> {
        let mut manifests = wire::read_manifests(paths)?;
        manifests.problems.extend(doubles(&manifests.objects));
        manifests.problems.extend(cycles(&manifests.objects));
        if manifests.objects.is_empty() && manifests.problems.is_empty() {
            let none = |path: &PathBuf| format!("{}: no manifest found", path.display());
            manifests.problems.extend(paths.iter().map(none));
        }
        Ok(manifests)
    }

    /// What applying each manifest would change.
    pub async fn diff(&self, manifests: &Manifests) -> Result<Vec<(ObjectKey, Difference)>> {
        let home = self.home().await?;
        let operator = wire::Operator::new(self, &home).await?;
        let mut differences = Vec::new();
        for manifest in &manifests.objects {
            let known = home.ledger.entry(&manifest.key()).await?;
            let difference = match &manifest.object {
                Object::ContainerGroup(group) => {
                    match (operator.preview(group).await, known) {
                        (Ok(preview), _) => of_group(preview),
                        // What it names comes with it: an issuer of the same file, a secret to be set.
                        (Err(Error::Preview(_)), None) => Difference::New,
                        (Err(problem), _) => return Err(problem),
                    }
                }
                Object::Issuer(_) | Object::AppRegistration(_) => {
                    of_spec(&manifest.object.manifest()["spec"], known)
                }
            };
            differences.push((manifest.key(), difference));
        }
        Ok(differences)
    }

    /// What `az container create --file` takes, of each container group.
    pub async fn render(&self, manifests: &Manifests, reveal: bool) -> Result<Vec<Rendered>> {
        let home = self.home().await?;
        let operator = wire::Operator::new(self, &home).await?;
        let mut documents = Vec::new();
        for manifest in &manifests.objects {
            if let Object::ContainerGroup(group) = &manifest.object {
                let Preview { id, body, lacks_sidecar, .. } = operator.preview(group).await?;
                let document = wire::render(&id, &body, reveal);
                documents.push(Rendered { name: id.name, document, lacks_sidecar });
            }
        }
        Ok(documents)
    }
}

/// A container group as `az container create --file` takes it.
#[derive(Debug)]
pub struct Rendered {
    /// Its name.
    pub name: String,
    /// The document.
    pub document: Value,
    /// TLS is wanted, but no certificate is stored yet.
    pub lacks_sidecar: bool,
}

/// Fields that wait for themselves are refused, with the way round.
fn cycles(manifests: &[Manifest]) -> Vec<String> {
    let mut edges = references::Edges::new();
    for manifest in manifests {
        let key = manifest.key();
        references::add(&mut edges, &key.kind, &key.name, &manifest.object.manifest()["spec"]);
    }
    let groups = manifests.iter().filter(|m| matches!(m.object, Object::ContainerGroup(_)));
    let told = groups.filter_map(|group| {
        let origins = references::origins_of_group(&group.key().name);
        let way = references::cycle(&edges, &origins)?;
        Some(format!("{}: waits for itself: {}", group.place, way.join(" waits for ")))
    });
    told.collect()
}

/// Two documents with one name are refused, naming both places.
fn doubles(manifests: &[Manifest]) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let mut problems = Vec::new();
    for manifest in manifests {
        if let Some(first) = seen.insert(manifest.key(), &manifest.place) {
            let Manifest { place, .. } = manifest;
            problems.push(format!("{place}: {} is at {first} already", manifest.key()));
        }
    }
    problems
}

fn of_spec(spec: &Value, known: Option<Entry>) -> Difference {
    match known {
        None => Difference::New,
        Some(entry) if entry.manifest["spec"] == *spec => Difference::None,
        Some(_) => Difference::Spec,
    }
}

fn of_group(preview: Preview) -> Difference {
    match preview.cost {
        _ if !preview.exists => Difference::New,
        Some(cost) => {
            Difference::Changed { changes: preview.changes, hidden: preview.hidden, cost }
        }
        None => Difference::None,
    }
}
