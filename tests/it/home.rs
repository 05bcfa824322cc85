//! The home in a directory: what is kept, who may read it, and what breaks it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aci_operator::core::certificate::Pair;
use aci_operator::core::outcome::{Event, EventType};
use aci_operator::core::{Fault, Reason, Secret};
use aci_operator::ports::{
    Entry, Ledger as _, ObjectKey, OsRandom, Phase, RequestBox as _, Requests, Seat as _,
    Secrets as _,
};
use aci_operator::store::Store;
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt as _;
use serde_json::json;

async fn open(dir: &Path) -> Store {
    Store::open(dir, Arc::new(OsRandom)).await.unwrap()
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("ContainerGroup", name)
}

fn entry(name: &str, generation: i64, phase: Phase) -> Entry {
    Entry {
        key: key(name),
        uid: "u1".to_owned(),
        generation,
        created: at(0),
        manifest: json!({"spec": {"n": generation}}),
        place: Some("a.yaml:1".to_owned()),
        phase,
        deletion: None,
        orphaned: false,
        invalid: None,
        pinned: BTreeMap::new(),
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

#[tokio::test]
async fn a_home_keeps_its_id_and_its_cloud() {
    let dir = tempfile::tempdir().unwrap();
    let opened = futures::future::join_all((0..8).map(|_| open(dir.path()))).await;
    let id = opened[0].id();
    assert_eq!(id.len(), 36);
    assert!(opened.iter().all(|store| store.id() == id));
    opened[0].pin_cloud("local").await.unwrap();
    opened[1].pin_cloud("local").await.unwrap();
    let again = open(dir.path()).await;
    assert_eq!(again.id(), id);
    let refused = again.pin_cloud("public").await.unwrap_err().to_string();
    assert!(refused.contains("belongs to the cloud `local`, not to `public`"), "{refused}");
    assert_eq!(again.pinned_cloud().await.unwrap().as_deref(), Some("local"));
    assert_eq!(again.heartbeat().await.unwrap(), None);
    again.beat(at(5)).await.unwrap();
    assert_eq!(opened[0].heartbeat().await.unwrap(), Some(at(5)));
}

#[tokio::test]
async fn one_process_at_a_time_runs_the_loop() {
    let dir = tempfile::tempdir().unwrap();
    let (daemon, other) = (open(dir.path()).await, open(dir.path()).await);
    let lock = daemon.take().await.unwrap();
    assert!(lock.is_some());
    assert!(other.take().await.unwrap().is_none());
    drop(lock);
    assert!(other.take().await.unwrap().is_some());
}

#[tokio::test]
async fn everything_is_private_and_no_name_climbs() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let store = open(&home).await;
    let hostile = "../../../outside";
    store.set_secret(hostile, "..", &Secret::new("geheim")).await.unwrap();
    store.set_secret("db", "password", &Secret::new("geheim")).await.unwrap();
    let pair = Pair { chain_pem: "chain".to_owned(), key_pem: Secret::new("key"), generation: 7 };
    store.set_pair(&key(hostile), &pair).await.unwrap();
    store.record(&entry(hostile, 1, Phase::Seen)).await.unwrap();
    store.digest_key().await.unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let all = files(&home);
    assert!(all.len() >= 6, "{all:?}");
    for file in all {
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
    assert_eq!(store.pair(&key(hostile)).await.unwrap(), Some(pair));
    assert_eq!(store.entries().await.unwrap()[0].key.name, hostile);
    let value = store.secret(None, hostile).await.unwrap().unwrap();
    assert_eq!(value[".."].reveal(), "geheim");
    let names = store.secret_names().await.unwrap();
    assert_eq!(names.keys().collect::<Vec<_>>(), [hostile, "db"]);
}

#[tokio::test]
async fn secrets_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    assert_eq!(store.secret(None, "db").await.unwrap(), None);
    for key in ["a", "b", "c"] {
        store.set_secret("db", key, &Secret::new(key)).await.unwrap();
    }
    assert!(store.delete_secret("db", Some("b")).await.unwrap());
    assert!(!store.delete_secret("db", Some("b")).await.unwrap());
    assert_eq!(store.secret_names().await.unwrap()["db"], ["a", "c"]);
    assert!(store.delete_secret("db", None).await.unwrap());
    assert_eq!(store.secret(None, "db").await.unwrap(), None);
    let first = store.digest_key().await.unwrap();
    assert_eq!(first.reveal().len(), 64);
    assert_eq!(open(dir.path()).await.digest_key().await.unwrap(), first);
}

#[tokio::test]
async fn a_broken_file_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store.record(&entry("app", 1, Phase::Made)).await.unwrap();
    let file = dir.path().join("ledger/ContainerGroup/app");
    fs::write(&file, "{\"key\": geheim").unwrap();
    for fault in [
        store.entries().await.unwrap_err(),
        store.record(&entry("app", 2, Phase::Seen)).await.unwrap_err(),
    ] {
        let text = fault.to_string();
        assert!(matches!(fault, Fault::Store { .. }));
        assert!(text.contains("ledger/ContainerGroup/app") && text.contains("line 1"), "{text}");
        assert!(!text.contains("geheim"), "{text}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "{\"key\": geheim");
}

#[tokio::test]
async fn a_claim_never_shrinks_and_an_old_manifest_never_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let seen = entry("app", 1, Phase::Seen);
    store.record(&seen).await.unwrap();
    let pinned = BTreeMap::from([("subscriptionId".to_owned(), "s".to_owned())]);
    let claimed = Entry { phase: Phase::Made, pinned: pinned.clone(), ..seen.clone() };
    let edited = entry("app", 2, Phase::Seen);
    store.record(&edited).await.unwrap();
    store.record(&claimed).await.unwrap();
    let want = Entry { phase: Phase::Made, pinned, ..edited.clone() };
    assert_eq!(store.entry(&key("app")).await.unwrap(), Some(want.clone()));
    store.record(&edited).await.unwrap();
    assert_eq!(store.entry(&key("app")).await.unwrap(), Some(want));
    let anew = Entry { uid: "u2".to_owned(), ..seen };
    store.record(&anew).await.unwrap();
    assert_eq!(store.entry(&key("app")).await.unwrap(), Some(anew));
}

#[tokio::test]
async fn a_released_object_is_forgotten_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let app = key("app");
    store.record(&entry("app", 1, Phase::Made)).await.unwrap();
    store.remember(&app, &json!(1)).await.unwrap();
    store.publish(&app, &json!(2)).await.unwrap();
    let asked = Requests { suspended: true, ..Requests::default() };
    store.set_requests(&app, &asked).await.unwrap();
    assert_eq!(store.requests(&app).await.unwrap(), asked);
    assert_eq!(store.memory(&app).await.unwrap(), Some(json!(1)));
    assert_eq!(store.status(&app).await.unwrap(), Some(json!(2)));
    store.release(&app).await.unwrap();
    store.release(&app).await.unwrap();
    assert_eq!(store.entries().await.unwrap(), []);
    assert_eq!(store.memory(&app).await.unwrap(), None);
    assert_eq!(store.status(&app).await.unwrap(), None);
    assert_eq!(store.requests(&app).await.unwrap(), Requests::default());
}

#[tokio::test]
async fn events_are_counted_and_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let event = |message: &str| Event {
        kind: EventType::Normal,
        reason: Reason::Creating,
        message: message.to_owned(),
    };
    for minute in 0..3 {
        store.emit(&key("app"), &event("same"), at(minute)).await.unwrap();
    }
    let events = store.events(Some(&key("app"))).await.unwrap();
    assert_eq!((events.len(), events[0].count), (1, 3));
    assert_eq!((events[0].first, events[0].last), (at(0), at(2)));
    for minute in 3..63 {
        store.emit(&key("app"), &event(&minute.to_string()), at(minute)).await.unwrap();
    }
    store.emit(&key("other"), &event("other"), at(1)).await.unwrap();
    let events = store.events(None).await.unwrap();
    assert_eq!(events.len(), 51);
    assert_eq!(events[0].object, key("other"));
    assert_eq!(events[50].event.message, "62");
}

#[tokio::test]
async fn what_another_process_asks_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (daemon, cli) = (open(dir.path()).await, open(dir.path()).await);
    let suspend = Requests { suspended: true, ..Requests::default() };
    cli.set_requests(&key("old"), &suspend).await.unwrap();
    let mut changes = daemon.changes();
    // Nothing is asked anew, and the stream has had its first look.
    let quiet = tokio::time::timeout(Duration::from_millis(300), changes.next()).await;
    assert!(quiet.is_err());
    cli.set_requests(&key("app"), &suspend).await.unwrap();
    assert_eq!(changes.next().await, Some(key("app")));
    assert_eq!(daemon.requests(&key("app")).await.unwrap(), suspend);
    cli.set_requests(&key("old"), &Requests::default()).await.unwrap();
    assert_eq!(changes.next().await, Some(key("old")));
}

#[tokio::test]
async fn a_reader_never_sees_half_of_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, reader) = (open(dir.path()).await, open(dir.path()).await);
    let long = |n: usize| Pair {
        chain_pem: n.to_string().repeat(20_000),
        key_pem: Secret::new(n.to_string().repeat(5_000)),
        generation: i64::try_from(n).unwrap(),
    };
    writer.set_pair(&key("app"), &long(0)).await.unwrap();
    let write = async {
        for n in 0..10 {
            writer.set_pair(&key("app"), &long(n)).await.unwrap();
        }
    };
    let read = async {
        for _ in 0..50 {
            let pair = reader.pair(&key("app")).await.unwrap().unwrap();
            assert_eq!(pair, long(usize::try_from(pair.generation).unwrap()));
        }
    };
    tokio::join!(write, read);
}
