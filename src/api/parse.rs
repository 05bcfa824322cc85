//! Text to kinds: parsed, not validated; every problem of a file with its place and a remedy.
//!
//! A text is read as YAML (JSON is YAML), its values are held against the schema of their kind, then
//! typed, then checked across fields. A document with a problem gives no object.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use kube::api::ObjectMeta;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::container_group::schema;
use super::{
    AppRegistration, AppRegistrationSpec, ContainerGroup, ContainerGroupSpec, GROUP, Issuer,
    IssuerSpec, Object, ObjectKey, VERSION, check, hints, shape,
};
use crate::core::Invalid;

mod places;
mod yaml;

use places::{Place, Places};

/// What a text holds.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The documents without a problem.
    pub documents: Vec<Document>,
    /// All problems, in the order of the text.
    pub problems: Vec<Problem>,
}

/// One good document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its object; the metadata holds name, labels and annotations.
    pub object: Object,
    /// Its name.
    pub key: ObjectKey,
    /// The line where it begins, from 1.
    pub line: usize,
}

/// A mistake, with its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// File, as it was named to [`parse`].
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Path of the field, such as `spec.containers[0].image`.
    pub path: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
    /// The object, where it could be read.
    pub key: Option<ObjectKey>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, path, message, key: _ } = self;
        write!(f, "{file}:{line}:{column}: ")?;
        match path {
            Some(path) => write!(f, "`{path}`: {message}"),
            None => f.write_str(message),
        }
    }
}

/// Reads all documents of `text`; `file` names it in problems.
pub fn parse(text: &str, file: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let values = match yaml::read(text) {
        Ok(values) => values,
        Err((place, message)) => {
            parsed.problems.push(problem(file, place, None, message, None));
            return parsed;
        }
    };
    let index = places::index(text);
    for (number, value) in values.iter().enumerate() {
        let places = index.get(number);
        match document(value) {
            Ok((key, object)) => {
                let line = places.map_or(1, |p| p.start.line);
                parsed.documents.push(Document { object, key, line });
            }
            Err((key, found)) => parsed.problems.extend(located(file, places, key.as_ref(), found)),
        }
    }
    parsed
}

fn located(
    file: &str,
    places: Option<&Places>,
    key: Option<&ObjectKey>,
    found: Vec<Invalid>,
) -> Vec<Problem> {
    let place = |path: &str| places.map_or(Place::START, |p| p.find(path));
    let mut problems: Vec<_> = found
        .into_iter()
        .map(|Invalid { path, problem: message }| {
            let at = place(&path);
            let path = Some(path).filter(|path| !path.is_empty());
            problem(file, at, path, message, key.cloned())
        })
        .collect();
    problems.sort_by_key(|p| (p.line, p.column));
    problems
}

fn problem(
    file: &str,
    Place { line, column }: Place,
    path: Option<String>,
    message: String,
    key: Option<ObjectKey>,
) -> Problem {
    Problem { file: file.to_owned(), line, column, path, message, key }
}

/// The path of the property `name` of `parent`.
pub(super) fn child(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// One document: its object, or all that is wrong with it.
fn document(value: &Value) -> Result<(ObjectKey, Object), (Option<ObjectKey>, Vec<Invalid>)> {
    let kind = value["kind"].as_str().unwrap_or_default();
    let name = value["metadata"]["name"].as_str().filter(|name| !name.is_empty());
    let key = name.map(|name| ObjectKey::new(kind, name));
    let object = envelope(value).and_then(|()| match kind {
        CONTAINER_GROUP => typed(value, &GROUPS).map(|(metadata, spec)| {
            Object::ContainerGroup(Box::new(ContainerGroup { metadata, spec, status: None }))
        }),
        ISSUER => typed(value, &ISSUERS).map(|(metadata, spec)| {
            Object::Issuer(Box::new(Issuer { metadata, spec, status: None }))
        }),
        _ => typed(value, &REGISTRATIONS).map(|(metadata, spec)| {
            Object::AppRegistration(Box::new(AppRegistration { metadata, spec, status: None }))
        }),
    });
    let checked = object.and_then(|object| match check::check(&object) {
        problems if problems.is_empty() => Ok(object),
        problems => Err(problems),
    });
    match (checked, key) {
        (Ok(object), Some(key)) => Ok((key, object)),
        (Ok(_), None) => Err((None, vec![Invalid::new("metadata", "the field `name` is missing")])),
        (Err(problems), key) => Err((key, problems)),
    }
}

const CONTAINER_GROUP: &str = "ContainerGroup";
const ISSUER: &str = "Issuer";
const APP_REGISTRATION: &str = "AppRegistration";
const KINDS: [&str; 3] = [CONTAINER_GROUP, ISSUER, APP_REGISTRATION];

/// Whether the document is one of ours.
fn envelope(value: &Value) -> Result<(), Vec<Invalid>> {
    let version = format!("{GROUP}/{VERSION}");
    let Some(map) = value.as_object() else {
        let text = format!("a manifest is a mapping that begins with `apiVersion: {version}`");
        return Err(vec![Invalid::new("", text)]);
    };
    let azure = |text: &str| text.eq_ignore_ascii_case(ARM_TYPE);
    if map.get("type").and_then(Value::as_str).is_some_and(azure) {
        let text = format!(
            "this is the YAML of `az container create`; write `apiVersion: {version}` and \
             `kind: ContainerGroup`, put the name under `metadata` and all that stands under \
             `properties` under `spec`"
        );
        return Err(vec![Invalid::new("type", text)]);
    }
    let mut problems = Vec::new();
    match map.get("apiVersion").and_then(Value::as_str) {
        Some(found) if found == version => {}
        _ => problems.push(Invalid::new("apiVersion", format!("write `apiVersion: {version}`"))),
    }
    match map.get("kind").and_then(Value::as_str) {
        Some(found) if KINDS.contains(&found) => {}
        found => {
            let meant = found.and_then(|found| hints::nearest(found, KINDS));
            let text = format!("expected {}{}", KINDS.join(" or "), hints::did_you_mean(meant));
            problems.push(Invalid::new("kind", text));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// ACI's resource type, with which the YAML of `az` begins.
const ARM_TYPE: &str = "Microsoft.ContainerInstance/containerGroups";

static GROUPS: LazyLock<Value> = LazyLock::new(schema::<Manifest<ContainerGroupSpec>>);
static ISSUERS: LazyLock<Value> = LazyLock::new(schema::<Manifest<IssuerSpec>>);
static REGISTRATIONS: LazyLock<Value> = LazyLock::new(schema::<Manifest<AppRegistrationSpec>>);

/// A document in the shape of its kind.
fn typed<S: DeserializeOwned>(
    value: &Value,
    schema: &Value,
) -> Result<(ObjectMeta, S), Vec<Invalid>> {
    let problems = shape::problems(schema, value, "");
    if !problems.is_empty() {
        return Err(problems);
    }
    // What the schema lets through and the type does not is told without serde's text, which
    // repeats values.
    let manifest: Manifest<S> = serde_path_to_error::deserialize(value)
        .map_err(|e| vec![Invalid::new(e.path().to_string(), "is not of the expected form")])?;
    let Manifest {
        metadata: Metadata { name, namespace, labels, mut annotations, .. }, spec, ..
    } = manifest;
    if namespace.is_some_and(|namespace| namespace != "default") {
        let text = "only a cluster has namespaces: leave the field out";
        return Err(vec![Invalid::new("metadata.namespace", text)]);
    }
    // Marks of the operator's own come from the ledger alone.
    annotations.retain(|name, _| !name.starts_with(GROUP));
    let some = |map: BTreeMap<_, _>| Some(map).filter(|map| !map.is_empty());
    let metadata = ObjectMeta {
        name: Some(name),
        labels: some(labels),
        annotations: some(annotations),
        ..ObjectMeta::default()
    };
    Ok((metadata, spec))
}

/// What a manifest is, around its spec. What `get -o yaml` adds is accepted, and ignored: whoever
/// applies that again means the rest.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "fields that only have to be there, or may be")]
struct Manifest<S> {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: S,
    #[serde(default)]
    status: Value,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "fields that may be there")]
struct Metadata {
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    name: String,
    namespace: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    uid: Value,
    #[serde(default)]
    generation: Value,
    #[serde(default)]
    creation_timestamp: Value,
}

#[cfg(test)]
mod tests;
