//! Directories of manifests, edited as people and machines edit them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aci_operator::api::{Object, annotation, annotations};
use aci_operator::ports::{
    Change, Entry, Ledger as _, ObjectKey, OsRandom, Phase, RequestBox as _, Requests, SystemClock,
};
use aci_operator::source::{Directory, Keep, Options};
use aci_operator::store::Store;
use chrono::DateTime;
use futures::StreamExt as _;
use futures::stream::BoxStream;

fn issuer(name: &str, domain: &str) -> String {
    format!(
        "apiVersion: aci-operator.io/v1alpha1\nkind: Issuer\nmetadata: {{name: {name}}}\nspec:\n  \
         localCA: {{permittedDomains: [{domain}]}}\n"
    )
}

fn group(resource_group: &str) -> String {
    format!(
        "apiVersion: aci-operator.io/v1alpha1\nkind: ContainerGroup\nmetadata: {{name: app}}\n\
         spec:\n  resourceGroup: {resource_group}\n  location: westeurope\n  containers:\n  \
         - name: api\n    image: x.io/api:1\n    resources: {{requests: {{cpu: 1, memoryInGB: 1}}}}\n"
    )
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("Issuer", name)
}

/// A directory of manifests with a home, watched.
struct World {
    dir: tempfile::TempDir,
    store: Arc<Store>,
    changes: BoxStream<'static, Change>,
}

impl World {
    async fn new(files: &[(&str, String)], options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("manifests")).unwrap();
        for (name, text) in files {
            fs::write(dir.path().join("manifests").join(name), text).unwrap();
        }
        let home = dir.path().join("home");
        let store = Arc::new(Store::open(&home, Arc::new(OsRandom)).await.unwrap());
        let changes = source(&dir.path().join("manifests"), &store, options).watch().boxed();
        let mut world = Self { dir, store, changes };
        for _ in files {
            assert!(matches!(world.next().await, Change::Apply(_)));
        }
        assert!(matches!(world.next().await, Change::Listed));
        world
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("manifests").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    async fn next(&mut self) -> Change {
        let next = tokio::time::timeout(Duration::from_secs(30), self.changes.next());
        next.await.expect("a change comes").unwrap()
    }

    /// The next change, which is an object that is wanted.
    async fn applied(&mut self) -> Object {
        match self.next().await {
            Change::Apply(object) => *object,
            other => panic!("{other:?}"),
        }
    }

    /// Nothing is said, for longer than bad news waits.
    async fn is_quiet(&mut self) {
        let next = tokio::time::timeout(Duration::from_millis(700), self.changes.next()).await;
        assert!(next.is_err(), "{next:?}");
    }

    async fn entry(&self, key: &ObjectKey) -> Entry {
        self.store.entry(key).await.unwrap().unwrap()
    }

    /// Drives the source until the problems of its last look satisfy `wanted`.
    async fn problems(&mut self, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        for _ in 0..300 {
            let problems = self.store.problems().await.unwrap();
            if wanted(&problems) {
                return problems;
            }
            let next = tokio::time::timeout(Duration::from_millis(20), self.changes.next()).await;
            assert!(next.is_err(), "{next:?}");
        }
        panic!("{:?}", self.store.problems().await);
    }
}

fn source(manifests: &Path, store: &Arc<Store>, options: Options) -> Directory {
    Directory {
        paths: vec![manifests.to_owned()],
        keep: Keep {
            ledger: Arc::clone(store) as _,
            requests: Arc::clone(store) as _,
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            options,
        },
    }
}

fn mark<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    annotation(object.meta(), name)
}

#[tokio::test]
async fn an_edit_counts_once_and_a_comment_never() {
    let files = [("a.yaml", issuer("a", "x.y")), ("b.yml", issuer("b", "x.y"))];
    let mut world = World::new(&files, Options::default()).await;
    world.write("a.yaml", &format!("# a comment\n{}", issuer("a", "'x.y'")));
    world.is_quiet().await;
    world.write("a.yaml", &issuer("a", "other.y"));
    let object = world.applied().await;
    assert_eq!(object.meta().generation, Some(2));
    assert_eq!(object.meta().name.as_deref(), Some("a"));
    world.is_quiet().await;
    fs::create_dir(world.path("sub")).unwrap();
    world.write(
        "sub/c.json",
        &serde_json::json!({
            "apiVersion": "aci-operator.io/v1alpha1", "kind": "Issuer",
            "metadata": {"name": "c"}, "spec": {"localCA": {}},
        })
        .to_string(),
    );
    assert_eq!(world.applied().await.meta().name.as_deref(), Some("c"));
    for ignored in [".hidden.yaml", "#a.yaml", "a.yaml~", ".a.yaml.swp", "4913"] {
        world.write(ignored, "no: manifest");
    }
    world.is_quiet().await;
    assert_eq!(world.store.problems().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn an_object_outlives_a_restart() {
    let world = World::new(&[("a.yaml", issuer("a", "x.y"))], Options::default()).await;
    let before = world.entry(&key("a")).await;
    let mut again = source(&world.path(""), &world.store, Options::default()).watch().boxed();
    let Some(Change::Apply(object)) = again.next().await else { panic!() };
    assert_eq!(object.meta().uid.as_ref(), Some(&before.uid));
    assert_eq!(object.meta().generation, Some(1));
    assert!(matches!(again.next().await, Some(Change::Listed)));
}

#[tokio::test]
async fn an_editor_that_saves_by_renaming_is_not_noticed() {
    let mut world = World::new(
        &[("a.yaml", issuer("a", "x.y")), ("b.yaml", issuer("b", "x.y"))],
        Options::default(),
    )
    .await;
    fs::rename(world.path("a.yaml"), world.path("a.yaml~")).unwrap();
    tokio::time::timeout(Duration::from_millis(40), world.changes.next()).await.unwrap_err();
    world.write("a.yaml", &issuer("a", "x.y"));
    world.is_quiet().await;
    fs::rename(world.path("a.yaml"), world.path("renamed.yaml")).unwrap();
    world.is_quiet().await;
    assert!(world.entry(&key("a")).await.place.unwrap().ends_with("renamed.yaml:1"));
}

#[tokio::test]
async fn a_half_written_file_waits_and_a_broken_one_keeps_its_objects() {
    let mut world = World::new(
        &[("a.yaml", issuer("a", "x.y")), ("b.yaml", issuer("b", "x.y"))],
        Options::default(),
    )
    .await;
    let whole = issuer("a", "other.y");
    world.write("a.yaml", &whole[..whole.len() - 9]);
    tokio::time::timeout(Duration::from_millis(40), world.changes.next()).await.unwrap_err();
    world.write("a.yaml", &whole);
    let object = world.applied().await;
    assert_eq!((object.meta().generation, mark(&object, annotations::INVALID)), (Some(2), None));

    world.write("a.yaml", &whole[..whole.len() - 9]);
    let object = world.applied().await;
    let told = mark(&object, annotations::INVALID).unwrap();
    assert!(told.contains("a.yaml:5:"), "{told}");
    assert_eq!((object.meta().generation, mark(&object, annotations::ORPHANED)), (Some(2), None));
    world.write("a.yaml", &whole);
    assert_eq!(mark(&world.applied().await, annotations::INVALID), None);

    // A known object's mistake is its own; that of an unknown one belongs to nobody.
    world.write("a.yaml", &whole.replace("localCA", "localCa"));
    let object = world.applied().await;
    assert!(mark(&object, annotations::INVALID).unwrap().contains("did you mean `localCA`?"));
    assert_eq!(world.store.problems().await.unwrap(), [""; 0]);
    world.write("c.yaml", &issuer("c", "https://x.y"));
    let problems = world.problems(|problems| !problems.is_empty()).await;
    assert!(problems[0].contains("c.yaml:5:"), "{problems:?}");
}

#[tokio::test]
async fn a_removed_manifest_orphans_and_its_return_heals() {
    let mut world = World::new(
        &[("a.yaml", issuer("a", "x.y")), ("b.yaml", issuer("b", "x.y"))],
        Options::default(),
    )
    .await;
    let uid = world.entry(&key("a")).await.uid;
    fs::remove_file(world.path("a.yaml")).unwrap();
    let object = world.applied().await;
    assert!(mark(&object, annotations::ORPHANED).is_some());
    assert_eq!(object.meta().deletion_timestamp, None);
    world.write("a.yaml", &issuer("a", "x.y"));
    let object = world.applied().await;
    assert_eq!(mark(&object, annotations::ORPHANED), None);
    assert_eq!(object.meta().uid, Some(uid));
}

#[tokio::test]
async fn delete_ends_with_the_release() {
    let mut world = World::new(
        &[("a.yaml", issuer("a", "x.y")), ("b.yaml", issuer("b", "x.y"))],
        Options::default(),
    )
    .await;
    let asked = Requests { delete: Some(DateTime::UNIX_EPOCH), ..Requests::default() };
    world.store.set_requests(&key("a"), &asked).await.unwrap();
    world.is_quiet().await;
    fs::remove_file(world.path("a.yaml")).unwrap();
    let object = world.applied().await;
    assert!(object.meta().deletion_timestamp.is_some());
    world.store.release(&key("a")).await.unwrap();
    let Change::Delete(gone) = world.next().await else { panic!() };
    assert_eq!(gone, key("a"));
}

#[tokio::test]
async fn prune_deletes_after_three_looks_and_never_the_last() {
    let prune = Options { prune: true };
    let mut world =
        World::new(&[("a.yaml", issuer("a", "x.y")), ("b.yaml", issuer("b", "x.y"))], prune).await;
    fs::remove_file(world.path("a.yaml")).unwrap();
    let object = world.applied().await;
    assert!(mark(&object, annotations::ORPHANED).is_some());
    assert_eq!(object.meta().deletion_timestamp, None);
    let object = world.applied().await;
    assert_eq!(object.meta().name.as_deref(), Some("a"));
    assert!(object.meta().deletion_timestamp.is_some());
    world.store.release(&key("a")).await.unwrap();
    assert!(matches!(world.next().await, Change::Delete(_)));
    fs::remove_file(world.path("b.yaml")).unwrap();
    let problems = world.problems(|problems| !problems.is_empty()).await;
    assert!(problems[0].contains("no manifest is left"), "{problems:?}");
    tokio::time::timeout(Duration::from_secs(4), world.changes.next()).await.unwrap_err();
    assert!(!world.entry(&key("b")).await.orphaned);
}

#[tokio::test]
async fn a_directory_that_goes_away_deletes_nothing() {
    let mut world = World::new(&[("a.yaml", issuer("a", "x.y"))], Options { prune: true }).await;
    let before = world.entry(&key("a")).await;
    fs::rename(world.path(""), world.dir.path().join("elsewhere")).unwrap();
    let problems = world.problems(|problems| !problems.is_empty()).await;
    assert!(problems[0].contains("cannot be read"), "{problems:?}");
    assert_eq!(world.entry(&key("a")).await, before);
    fs::create_dir(world.path("")).unwrap();
    let empty = |problems: &[String]| problems.iter().any(|p| p.contains("no manifest is left"));
    world.problems(empty).await;
    assert_eq!(world.entry(&key("a")).await, before);
    world.write("a.yaml", &issuer("a", "new.y"));
    assert_eq!(world.applied().await.meta().generation, Some(2));
    assert_eq!(world.store.problems().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_orphans_nothing() {
    let mut world = World::new(
        &[("a.yaml", issuer("a", "x.y")), ("b.yaml", issuer("b", "x.y"))],
        Options { prune: true },
    )
    .await;
    fs::remove_file(world.path("a.yaml")).unwrap();
    // A link to itself cannot be read, whoever asks.
    symlink(world.path("a.yaml"), world.path("a.yaml")).unwrap();
    let problems = world.problems(|problems| !problems.is_empty()).await;
    assert!(problems[0].contains("a.yaml: cannot be read"), "{problems:?}");
    assert!(!world.entry(&key("a")).await.orphaned);
}

#[tokio::test]
async fn two_manifests_with_one_name_are_refused_with_both_places() {
    let mut world = World::new(&[("a.yaml", issuer("a", "x.y"))], Options::default()).await;
    world.write("b.yaml", &issuer("a", "other.y"));
    let object = world.applied().await;
    let told = mark(&object, annotations::INVALID).unwrap();
    assert!(told.contains("a.yaml:1 and ") && told.contains("b.yaml:1"), "{told}");
    assert_eq!(object.meta().generation, Some(1));
    fs::remove_file(world.path("b.yaml")).unwrap();
    assert_eq!(mark(&world.applied().await, annotations::INVALID), None);
    // Neither of two new ones is taken.
    world.write("c.yaml", &format!("{}---\n{}", issuer("c", "x.y"), issuer("c", "y.z")));
    let problems = world.problems(|problems| !problems.is_empty()).await;
    assert!(
        problems[0].contains("c.yaml:1 and ") && problems[0].contains("c.yaml:7"),
        "{problems:?}"
    );
    assert_eq!(world.store.entry(&key("c")).await.unwrap(), None);
}

#[tokio::test]
async fn a_mounted_config_map_is_read_once_and_swapped_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mount = dir.path().join("manifests");
    for (version, domain) in [("..v1", "x.y"), ("..v2", "other.y")] {
        fs::create_dir_all(mount.join(version)).unwrap();
        fs::write(mount.join(version).join("a.yaml"), issuer("a", domain)).unwrap();
    }
    symlink("..v1", mount.join("..data")).unwrap();
    symlink("..data/a.yaml", mount.join("a.yaml")).unwrap();
    symlink(&mount, mount.join("loop")).unwrap();
    let home = dir.path().join("home");
    let store = Arc::new(Store::open(&home, Arc::new(OsRandom)).await.unwrap());
    let mut changes = source(&mount, &store, Options::default()).watch().boxed();
    assert!(matches!(changes.next().await, Some(Change::Apply(_))));
    assert!(matches!(changes.next().await, Some(Change::Listed)));
    symlink("..v2", mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    let Some(Change::Apply(object)) = changes.next().await else { panic!() };
    assert_eq!(object.meta().generation, Some(2));
    assert_eq!(store.problems().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_claimed_object_cannot_move() {
    let mut world = World::new(&[("app.yaml", group("one"))], Options::default()).await;
    world.write("app.yaml", &group("two"));
    assert_eq!(world.applied().await.meta().generation, Some(2));
    let app = ObjectKey::new("ContainerGroup", "app");
    let claimed = Entry { phase: Phase::Claimed, ..world.entry(&app).await };
    world.store.record(&claimed).await.unwrap();
    world.write("app.yaml", &group("TWO"));
    assert_eq!(mark(&world.applied().await, annotations::INVALID), None);
    world.write("app.yaml", &group("three"));
    let object = world.applied().await;
    let told = mark(&object, annotations::INVALID).unwrap();
    assert!(told.contains("`spec.resourceGroup`") && told.contains("cannot change"), "{told}");
    let Object::ContainerGroup(group) = object else { panic!() };
    assert_eq!(group.spec.resource_group, "TWO");
}

#[tokio::test]
async fn apply_takes_what_it_names_and_nothing_else() {
    let world = World::new(
        &[("a.yaml", issuer("a", "x.y")), ("b.yaml", issuer("b", "x.y"))],
        Options::default(),
    )
    .await;
    let before = world.entry(&key("b")).await;
    let other = world.dir.path().join("one.txt");
    fs::write(&other, format!("{}---\n{}---\nkind: x\n", issuer("a", "new.y"), issuer("c", "x.y")))
        .unwrap();
    let applied = source(&other, &world.store, Options { prune: true }).apply().await.unwrap();
    assert_eq!(applied.keys, [key("a"), key("c")]);
    assert_eq!(applied.problems.len(), 2, "{:?}", applied.problems);
    assert_eq!(world.entry(&key("a")).await.generation, 2);
    assert_eq!(world.entry(&key("b")).await, before);
    assert_eq!(world.store.problems().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_broken_ledger_stops_the_source_and_is_told() {
    let mut world = World::new(&[("a.yaml", issuer("a", "x.y"))], Options::default()).await;
    let file = world.dir.path().join("home/ledger/Issuer/a");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, "{").unwrap();
    world.write("a.yaml", &issuer("a", "new.y"));
    let problems = world.problems(|problems| !problems.is_empty()).await;
    assert!(problems[0].contains("ledger/Issuer/a"), "{problems:?}");
    assert_eq!(fs::read(&file).unwrap(), b"{");
    fs::write(&file, whole).unwrap();
    assert_eq!(world.applied().await.meta().generation, Some(2));
}
