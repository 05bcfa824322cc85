use std::sync::Arc;

use super::*;
use crate::api::parse::parse;

fn issuer(name: &str, domain: &str) -> String {
    format!(
        "apiVersion: aci-operator.io/v1alpha1\nkind: Issuer\nmetadata: {{name: {name}}}\nspec:\n  \
         localCA: {{permittedDomains: [{domain}]}}\n"
    )
}

fn snapshot(files: &[(&str, &str)]) -> Snapshot {
    let read = |(name, text): &(&str, &str)| ((*name).to_owned(), Arc::new(parse(text, name)));
    Snapshot { files: files.iter().map(read).collect(), unreadable: Vec::new() }
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

/// A ledger and its looks, one after the other.
#[derive(Default)]
struct Looks {
    entries: Vec<Entry>,
    absences: Absences,
    deletes: BTreeMap<ObjectKey, DateTime<Utc>>,
    problems: Vec<String>,
}

impl Looks {
    /// One look; returns how each object stands.
    fn look(&mut self, second: i64, prune: bool, snapshot: &Snapshot) -> Vec<String> {
        let extent = Extent::Whole(Options { prune });
        let mut minted = self.entries.len();
        let mut mint = || {
            minted += 1;
            Ok(format!("u{minted}"))
        };
        let (entries, absences) = (&self.entries, &self.absences);
        let merged =
            merge(entries, snapshot, extent, &self.deletes, absences, at(second), &mut mint);
        let Merged { entries, problems, absences, .. } = merged.unwrap();
        (self.entries, self.absences, self.problems) = (entries, absences, problems);
        self.entries.iter().map(stand).collect()
    }
}

fn stand(entry: &Entry) -> String {
    let flag = |on: bool, name: &str| if on { format!(" {name}") } else { String::new() };
    let Entry { key, generation, .. } = entry;
    [
        format!("{} g{generation}", key.name),
        flag(entry.orphaned, "orphaned"),
        flag(entry.invalid.is_some(), "invalid"),
        flag(entry.deletion.is_some(), "deleted"),
    ]
    .concat()
}

#[test]
fn a_spec_counts_by_value() {
    let mut looks = Looks::default();
    assert_eq!(looks.look(0, false, &snapshot(&[("a", &issuer("a", "x.y"))])), ["a g1"]);
    let reordered = "# why\nspec: {localCA: {ipAddresses: true, permittedDomains: ['x.y']}}\n\
                     metadata: {name: a, labels: {l: m}}\nkind: Issuer\n\
                     apiVersion: aci-operator.io/v1alpha1\n";
    assert_eq!(looks.look(1, false, &snapshot(&[("a", reordered)])), ["a g1"]);
    let object = object(&looks.entries[0]).unwrap();
    assert_eq!(object.meta().labels.as_ref().unwrap()["l"], "m");
    assert_eq!(looks.look(2, false, &snapshot(&[("a", &issuer("a", "z"))])), ["a g2"]);
    assert_eq!(looks.entries[0].uid, "u1");
    assert_eq!(looks.entries[0].created, at(0));
}

#[test]
fn nothing_is_deleted_before_it_is_certain() {
    let (a, b) = (issuer("a", "x.y"), issuer("b", "x.y"));
    let both = snapshot(&[("a", &a), ("b", &b)]);
    let only_a = snapshot(&[("a", &a)]);
    let unreadable = Snapshot { unreadable: vec!["b: no".to_owned()], ..only_a.clone() };
    let empty = Snapshot::default();

    let mut looks = Looks::default();
    assert_eq!(looks.look(0, true, &both), ["a g1", "b g1"]);
    assert_eq!(looks.look(10, true, &only_a), ["a g1", "b g1 orphaned"]);
    // A burst of events is one look.
    assert_eq!(looks.look(10, true, &only_a), ["a g1", "b g1 orphaned"]);
    assert_eq!(looks.look(10, true, &only_a), ["a g1", "b g1 orphaned"]);
    assert_eq!(looks.look(20, true, &only_a), ["a g1", "b g1 orphaned"]);
    // What cannot be read starts the count anew; what is there again ends it.
    assert_eq!(looks.look(30, true, &unreadable), ["a g1", "b g1 orphaned"]);
    assert_eq!(looks.problems, ["b: no"]);
    assert_eq!(looks.look(40, true, &only_a), ["a g1", "b g1 orphaned"]);
    assert_eq!(looks.look(50, true, &both), ["a g1", "b g1"]);
    assert_eq!(looks.look(60, true, &empty), ["a g1", "b g1"]);
    assert_eq!(looks.problems.len(), 1);
    for second in [70, 80] {
        assert_eq!(looks.look(second, true, &only_a), ["a g1", "b g1 orphaned"]);
    }
    assert_eq!(looks.look(90, true, &only_a), ["a g1", "b g1 orphaned deleted"]);
    // A deletion cannot be taken back.
    assert_eq!(looks.look(100, true, &both), ["a g1", "b g1 orphaned deleted"]);
}

#[test]
fn without_prune_only_a_request_deletes_an_orphan() {
    let (a, b) = (issuer("a", "x.y"), issuer("b", "x.y"));
    let (both, only_a) = (snapshot(&[("a", &a), ("b", &b)]), snapshot(&[("a", &a)]));
    let mut looks = Looks::default();
    looks.look(0, false, &both);
    looks.deletes.insert(ObjectKey::new("Issuer", "b"), at(1));
    assert_eq!(looks.look(10, false, &both), ["a g1", "b g1"]);
    looks.deletes.clear();
    for second in 20..30 {
        assert_eq!(looks.look(second, false, &only_a), ["a g1", "b g1 orphaned"]);
    }
    looks.deletes.insert(ObjectKey::new("Issuer", "b"), at(30));
    assert_eq!(looks.look(31, false, &only_a), ["a g1", "b g1 orphaned deleted"]);
    assert_eq!(looks.entries[1].deletion, Some(at(30)));
}

#[test]
fn a_mistake_keeps_the_last_good_version() {
    let (a, b) = (issuer("a", "x.y"), issuer("b", "x.y"));
    let good = snapshot(&[("f", &format!("{a}---\n{b}"))]);
    let mut looks = Looks::default();
    looks.look(0, true, &good);
    // No YAML at all: all objects of the file.
    let broken = snapshot(&[("f", "a: [")]);
    assert_eq!(looks.look(1, true, &broken), ["a g1 invalid", "b g1 invalid"]);
    assert!(looks.entries[0].invalid.as_ref().unwrap().starts_with("f:"));
    assert_eq!(looks.look(2, true, &good), ["a g1", "b g1"]);
    // One document: its own object.
    let one = snapshot(&[("f", &format!("{a}---\n{}", b.replace("x.y", "'x y'")))]);
    assert_eq!(looks.look(3, true, &one), ["a g1", "b g1 invalid"]);
    assert_eq!(looks.problems, [""; 0]);
    // A good and a bad document of one name are two of that name.
    let two = snapshot(&[("f", &format!("{a}---\n{b}")), ("g", &b.replace("x.y", "'x y'"))]);
    assert_eq!(looks.look(4, true, &two), ["a g1", "b g1 invalid"]);
    let told = looks.entries[1].invalid.as_ref().unwrap();
    assert!(told.contains("f:7 and g:5"), "{told}");
}
