//! What the manifests that are there now mean for the objects that the ledger knows. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::Snapshot;
use crate::api::parse::Document;
use crate::api::{Object, annotations};
use crate::core::Fault;
use crate::ports::{Entry, ObjectKey, Phase};

/// How a source treats what is missing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// Objects without a manifest are deleted, once that is certain.
    pub prune: bool,
}

/// Scans in a row that must miss a manifest before its object is pruned.
const CERTAIN: u32 = 3;
/// How far apart two scans must be to count as two: a burst of events is one.
const APART: TimeDelta = TimeDelta::seconds(1);

/// How often in a row each object's manifest was missing, and when that was counted last.
pub type Absences = BTreeMap<ObjectKey, (u32, DateTime<Utc>)>;

/// What follows from a scan.
#[derive(Debug, Default)]
pub struct Merged {
    /// All objects, as they are now.
    pub entries: Vec<Entry>,
    /// Names of those that differ from the ledger.
    pub changed: BTreeSet<ObjectKey>,
    /// What belongs to no object.
    pub problems: Vec<String>,
    /// For the next merge.
    pub absences: Absences,
}

/// What is there and what is missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// The scan holds all manifests: others are missing.
    Whole(Options),
    /// The scan holds some: nothing follows for others.
    Part,
}

/// Joins the ledger's entries with a scan. `deletes` are the deletions that people asked for;
/// `mint` makes uids.
///
/// # Errors
/// Those of `mint`.
pub fn merge(
    entries: &[Entry],
    snapshot: &Snapshot,
    extent: Extent,
    deletes: &BTreeMap<ObjectKey, DateTime<Utc>>,
    absences: &Absences,
    now: DateTime<Utc>,
    mint: &mut dyn FnMut() -> Result<String, Fault>,
) -> Result<Merged, Fault> {
    let scan = Scan::of(snapshot);
    let known: BTreeMap<_, _> = entries.iter().map(|entry| (&entry.key, entry)).collect();
    let mut merged = Merged { problems: scan.unowned(snapshot, &known), ..Merged::default() };
    let certain = snapshot.unreadable.is_empty() && !scan.is_empty();
    if let Extent::Whole(_) = extent
        && scan.is_empty()
        && snapshot.unreadable.is_empty()
        && entries.iter().any(|entry| !entry.orphaned)
    {
        merged.problems.push(
            "no manifest is left, which may be a mistake: nothing is deleted; `aci-operator \
             delete` deletes what is no longer wanted"
                .to_owned(),
        );
    }
    for entry in entries {
        let mut now_is = match scan.find(entry) {
            // Its release may come at any time: nothing is written over it.
            _ if entry.deletion.is_some() => entry.clone(),
            Sight::Good(place, document) => updated(entry, place, document),
            Sight::Bad(problem) => Entry { invalid: Some(problem), ..entry.clone() },
            Sight::Missing => match extent {
                Extent::Whole(options) if certain => {
                    missing(entry, options, absences, now, &mut merged.absences)
                }
                Extent::Whole(_) | Extent::Part => entry.clone(),
            },
        };
        if now_is.orphaned && now_is.deletion.is_none() {
            now_is.deletion = deletes.get(&entry.key).copied();
        }
        if now_is != *entry {
            merged.changed.insert(entry.key.clone());
        }
        merged.entries.push(now_is);
    }
    for (key, sightings) in &scan.good {
        if let (false, [(place, document)]) = (scan.is_ambiguous(key), sightings.as_slice())
            && !known.contains_key(key)
        {
            merged.changed.insert(key.clone());
            merged.entries.push(new(key, place, document, now, mint()?));
        }
    }
    merged.entries.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(merged)
}

/// A scan by object.
struct Scan<'a> {
    /// Good documents with their places.
    good: BTreeMap<ObjectKey, Vec<(String, &'a Document)>>,
    /// Bad documents whose object could be read: one problem a file.
    bad: BTreeMap<ObjectKey, BTreeMap<String, String>>,
    /// Files with a problem: the first one.
    broken: BTreeMap<String, String>,
}

/// What a scan says of a known object.
enum Sight<'a> {
    Good(&'a str, &'a Document),
    Bad(String),
    Missing,
}

impl<'a> Scan<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let mut scan =
            Self { good: BTreeMap::new(), bad: BTreeMap::new(), broken: BTreeMap::new() };
        for (path, parsed) in &snapshot.files {
            for document in &parsed.documents {
                let place = format!("{path}:{}", document.line);
                scan.good.entry(document.key.clone()).or_default().push((place, document));
            }
        }
        for problem in snapshot.problems() {
            scan.broken.entry(problem.file.clone()).or_insert_with(|| problem.to_string());
            if let Some(key) = &problem.key {
                let files = scan.bad.entry(key.clone()).or_default();
                files.entry(problem.file.clone()).or_insert_with(|| problem.to_string());
            }
        }
        scan
    }

    fn is_empty(&self) -> bool {
        self.good.is_empty() && self.broken.is_empty()
    }

    /// All places where an object stands.
    fn places(&self, key: &ObjectKey) -> Vec<String> {
        let good = self.good.get(key).into_iter().flatten().map(|(place, _)| place.clone());
        let bad = self.bad.get(key).into_iter().flatten();
        // A problem's text begins with its file and line.
        let bad = bad.map(|(file, text)| {
            let line = text[file.len()..].split(':').nth(1).unwrap_or_default();
            format!("{file}:{line}")
        });
        good.chain(bad).collect()
    }

    fn is_ambiguous(&self, key: &ObjectKey) -> bool {
        self.places(key).len() > 1
    }

    fn ambiguity(&self, key: &ObjectKey) -> String {
        format!("{key} stands at {}: remove all but one", self.places(key).join(" and "))
    }

    fn find(&self, entry: &Entry) -> Sight<'_> {
        if self.is_ambiguous(&entry.key) {
            return Sight::Bad(self.ambiguity(&entry.key));
        }
        if let Some([(place, document)]) = self.good.get(&entry.key).map(Vec::as_slice) {
            return Sight::Good(place, document);
        }
        let named = self.bad.get(&entry.key).and_then(|files| files.values().next());
        let file = entry.place.as_deref().and_then(|place| Some(place.rsplit_once(':')?.0));
        match named.or_else(|| self.broken.get(file?)) {
            Some(problem) => Sight::Bad(problem.clone()),
            None => Sight::Missing,
        }
    }

    /// The problems that no known object carries.
    fn unowned(&self, snapshot: &Snapshot, known: &BTreeMap<&ObjectKey, &Entry>) -> Vec<String> {
        let is_known =
            |key: &Option<ObjectKey>| key.as_ref().is_some_and(|k| known.contains_key(k));
        let bad = snapshot.problems().filter(|p| !is_known(&p.key)).map(ToString::to_string);
        let new = self.good.keys().filter(|key| !known.contains_key(key));
        let twice = new.filter(|key| self.is_ambiguous(key)).map(|key| self.ambiguity(key));
        snapshot.unreadable.iter().cloned().chain(bad).chain(twice).collect()
    }
}

fn new(
    key: &ObjectKey,
    place: &str,
    document: &Document,
    created: DateTime<Utc>,
    uid: String,
) -> Entry {
    Entry {
        key: key.clone(),
        uid,
        generation: 1,
        created,
        manifest: document.object.manifest(),
        place: Some(place.to_owned()),
        phase: Phase::Seen,
        deletion: None,
        orphaned: false,
        invalid: None,
        pinned: BTreeMap::new(),
    }
}

fn updated(entry: &Entry, place: &str, document: &Document) -> Entry {
    let seen = Entry { place: Some(place.to_owned()), orphaned: false, ..entry.clone() };
    let manifest = document.object.manifest();
    if entry.phase != Phase::Seen
        && let Some(field) = moved(entry, &manifest)
    {
        let problem = format!(
            "{place}: `spec.{field}`: names the thing in Azure and cannot change: delete the object \
             and create it anew"
        );
        return Entry { invalid: Some(problem), ..seen };
    }
    let generation = entry.generation + i64::from(manifest["spec"] != entry.manifest["spec"]);
    Entry { generation, manifest, invalid: None, ..seen }
}

/// The field of the ARM id that another manifest changes; ARM compares without case.
fn moved(entry: &Entry, manifest: &Value) -> Option<&'static str> {
    ["resourceGroup", "subscriptionId"].into_iter().find(|field| {
        let text = |value: &Value| value["spec"][field].as_str().map(str::to_lowercase);
        let pinned = || entry.pinned.get(*field).map(|text| text.to_lowercase());
        let before = text(&entry.manifest).or_else(pinned);
        matches!((before, text(manifest)), (Some(before), Some(now)) if before != now)
    })
}

fn missing(
    entry: &Entry,
    options: Options,
    before: &Absences,
    now: DateTime<Utc>,
    absences: &mut Absences,
) -> Entry {
    let (times, at) = match before.get(&entry.key) {
        Some((times, at)) if now - at < APART => (*times, *at),
        Some((times, _)) => (times + 1, now),
        None => (1, now),
    };
    let mut orphan = Entry { orphaned: true, invalid: None, ..entry.clone() };
    if options.prune {
        absences.insert(entry.key.clone(), (times, at));
        if times >= CERTAIN {
            orphan.deletion = Some(now);
        }
    }
    orphan
}

/// The object of an entry, with what the ledger knows of it in its metadata.
///
/// # Errors
/// The manifest in the ledger is not one of this release.
pub fn object(entry: &Entry) -> Result<Object, serde_json::Error> {
    let manifest = entry.manifest.clone();
    let mut object = match entry.key.kind.as_str() {
        "Issuer" => Object::Issuer(serde_json::from_value(manifest)?),
        "AppRegistration" => Object::AppRegistration(serde_json::from_value(manifest)?),
        _ => Object::ContainerGroup(serde_json::from_value(manifest)?),
    };
    let meta = object.meta_mut();
    meta.uid = Some(entry.uid.clone());
    meta.generation = Some(entry.generation);
    meta.creation_timestamp = Some(time(entry.created));
    meta.deletion_timestamp = entry.deletion.map(time);
    let marks = meta.annotations.get_or_insert_default();
    if entry.orphaned {
        marks.insert(annotations::ORPHANED.to_owned(), "true".to_owned());
    }
    if let Some(problem) = &entry.invalid {
        marks.insert(annotations::INVALID.to_owned(), problem.clone());
    }
    Ok(object)
}

fn time(at: DateTime<Utc>) -> Time {
    Time(Timestamp::new(at.timestamp(), 0).unwrap_or_default())
}

#[cfg(test)]
mod tests;
