//! Manifests before they act: checked, compared, rendered.

use std::path::PathBuf;

use serde_json::Value;

use super::{App, Result, wire};
use crate::api::{self, Object};
use crate::core::Cost;
use crate::core::container_group::{Body, GroupId};
use crate::core::fields::{Change, Field, Shape};
use crate::ports::ObjectKey;

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
        let (kind, meta) = match &self.object {
            Object::ContainerGroup(group) => ("ContainerGroup", &group.metadata),
            Object::Issuer(issuer) => ("Issuer", &issuer.metadata),
        };
        ObjectKey::new(kind, meta.name.as_deref().unwrap_or_default())
    }
}

/// What a pass would do for a container group.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The group.
    pub id: GroupId,
    /// Whether it is there.
    pub exists: bool,
    /// What differs.
    pub changes: Vec<Change>,
    /// What the whole costs; none where nothing differs.
    pub cost: Option<Cost>,
    /// The wanted group, secrets included.
    pub body: Body,
}

/// What applying a manifest would change.
#[derive(Clone, Debug)]
pub enum Difference {
    /// Nothing.
    None,
    /// The object is new.
    New,
    /// These fields differ, at this cost.
    Changed(Vec<Change>, Cost),
    /// An issuer's manifest is another than the one in the home.
    Spec,
}

impl App {
    /// Reads manifests without asking anybody.
    pub fn read(&self, paths: &[PathBuf]) -> Result<Manifests> {
        wire::read_manifests(paths)
    }

    /// What applying each manifest would change.
    pub async fn diff(&self, manifests: &Manifests) -> Result<Vec<(ObjectKey, Difference)>> {
        let home = self.home()?;
        let operator = wire::Operator::new(self, &home, wire::azure(self, &home)?)?;
        let mut differences = Vec::new();
        for manifest in &manifests.objects {
            let difference = match &manifest.object {
                Object::ContainerGroup(_) => group(operator.preview(&manifest.object).await?),
                Object::Issuer(issuer) => {
                    let known = home.ledger.entry(&manifest.key()).await?;
                    let spec = serde_json::to_value(&issuer.spec).unwrap_or_default();
                    match known {
                        None => Difference::New,
                        Some(entry) if entry.manifest["spec"] == spec => Difference::None,
                        Some(_) => Difference::Spec,
                    }
                }
            };
            differences.push((manifest.key(), difference));
        }
        Ok(differences)
    }

    /// The YAML that `az container create --file` takes, of each container group.
    pub async fn render(&self, manifests: &Manifests, reveal: bool) -> Result<Vec<String>> {
        let home = self.home()?;
        let operator = wire::Operator::new(self, &home, wire::azure(self, &home)?)?;
        let mut documents = Vec::new();
        for manifest in &manifests.objects {
            if let Object::ContainerGroup(_) = manifest.object {
                let Preview { id, mut body, .. } = operator.preview(&manifest.object).await?;
                if !reveal {
                    elide(api::container_group::fields(), &mut body.properties);
                }
                documents.push(wire::render(&id, &body)?);
            }
        }
        Ok(documents)
    }
}

fn group(preview: Preview) -> Difference {
    match preview.cost {
        _ if !preview.exists => Difference::New,
        Some(cost) => Difference::Changed(preview.changes, cost),
        None => Difference::None,
    }
}

/// Replaces every text that Azure would never show.
fn elide(field: &Field, value: &mut Value) {
    if field.hidden {
        return blank(value);
    }
    match (&field.shape, value) {
        (Shape::Object(properties), Value::Object(map)) => {
            for (name, value) in map {
                if let Some(field) = properties.get(name) {
                    elide(field, value);
                }
            }
        }
        (Shape::List { item, .. }, Value::Array(list)) => {
            for value in list {
                elide(item, value);
            }
        }
        _ => {}
    }
}

fn blank(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(blank),
        Value::Array(list) => list.iter_mut().for_each(blank),
        Value::Null => {}
        scalar => *scalar = Value::String("[elided]".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_elided_where_the_vocabulary_hides_them() {
        let mut body = json!({
            "containers": [{"name": "a", "environmentVariables": [
                {"name": "PLAIN", "value": "shown"}, {"name": "PASS", "secureValue": "hidden-1"}]}],
            "volumes": [{"name": "certs", "secret": {"tls.key": "hidden-2"}}],
            "imageRegistryCredentials": [{"server": "r", "username": "u", "password": "hidden-3"}],
        });
        elide(api::container_group::fields(), &mut body);
        let text = body.to_string();
        assert!(!text.contains("hidden-"), "{text}");
        assert!(text.contains("shown") && text.contains("tls.key"), "{text}");
    }
}
