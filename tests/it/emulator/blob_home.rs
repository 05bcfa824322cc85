//! The home in a blob container of local Azure: real blobs, tokens, rights and faults.

use std::collections::BTreeMap;
use std::sync::Arc;

use aci_operator::api::{Object, annotations};
use aci_operator::blobs::{Access, Container};
use aci_operator::core::certificate::Pair;
use aci_operator::core::outcome::{Event, EventType};
use aci_operator::core::{Fault, Reason, Secret};
use aci_operator::emulator::Client;
use aci_operator::emulator::faults::Operation;
use aci_operator::ports::{
    Change, Entry, Fence, Ledger as _, ObjectKey, OsRandom, Phase, RequestBox as _, Requests, Seat,
    Secrets as _, SystemClock,
};
use aci_operator::source::{Bucket, Keep, Options};
use aci_operator::store::Store;
use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::{Duration, OffsetDateTime};
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt as _;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::local::{Arm, Local, injection};
use super::storage::{
    CONTRIBUTOR, READER, STORAGE, account, assign, assign_to, make_account, object_id, start,
};

/// A token that is there already.
#[derive(Debug)]
struct Given(String);

#[async_trait]
impl TokenCredential for Given {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let end = OffsetDateTime::now_utc() + Duration::minutes(50);
        Ok(AccessToken::new(self.0.clone(), end))
    }
}

/// An account with the two containers of a home.
async fn make_home(arm: &Arm<'_>) {
    arm.make_resource_group().await;
    make_account(arm, "keep1").await;
    for name in ["home", "home-secrets"] {
        let (status, _) = arm.send(Method::PUT, &container(name), json!({})).await;
        assert_eq!(status, 201);
    }
}

fn container(name: &str) -> String {
    format!("{}/blobServices/default/containers/{name}", account("keep1"))
}

fn access(local: &Local, token: &str) -> Access {
    let ca = std::fs::read(&local.endpoints.ca).unwrap();
    Access::new(Arc::new(Given(token.to_owned())), &ca).unwrap()
}

async fn open(local: &Local, token: &str) -> Result<Store, Fault> {
    let url = format!("{}/keep1/home", local.endpoints.blob).parse().unwrap();
    Store::open_container(&url, &access(local, token), Fence::open(), Arc::new(OsRandom)).await
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("ContainerGroup", name)
}

fn entry(name: &str) -> Entry {
    Entry {
        key: key(name),
        uid: "u1".to_owned(),
        generation: 1,
        created: at(0),
        manifest: json!({"spec": {"a": 1}}),
        place: None,
        phase: Phase::Seen,
        deletion: None,
        orphaned: false,
        invalid: None,
        pinned: BTreeMap::new(),
    }
}

fn event() -> Event {
    Event { kind: EventType::Normal, reason: Reason::Available, message: "it goes on".to_owned() }
}

async fn assign_both(arm: &Arm<'_>) {
    assign(arm, CONTRIBUTOR, &account("keep1"), "00000000-0000-4000-8000-00000000000a").await;
}

#[tokio::test]
async fn all_that_is_kept_comes_back() {
    let local = start().await;
    let arm = local.signed_in().await;
    make_home(&arm).await;
    let token = local.token_for(STORAGE).await;
    let refused = open(&local, &token).await.err().unwrap().to_string();
    assert!(refused.contains("Storage Blob Data Contributor"), "{refused}");
    assert!(refused.contains("/keep1/home/home: AuthorizationPermissionMismatch"), "{refused}");
    assign_both(&arm).await;

    let opened = join_all((0..4).map(|_| open(&local, &token))).await;
    let opened: Vec<Store> = opened.into_iter().map(Result::unwrap).collect();
    assert!(opened.iter().all(|store| store.id() == opened[0].id()));
    let [first, second] = [&opened[0], &opened[1]];
    first.pin_cloud("public").await.unwrap();
    assert!(second.pin_cloud("local").await.unwrap_err().to_string().contains("belongs to"));

    first.record(&entry("a/../b%")).await.unwrap();
    first.remember(&key("a"), &json!({"n": 1})).await.unwrap();
    first.publish(&key("a"), &json!({"ready": true})).await.unwrap();
    first.set_secret("db", "password", &Secret::new("hunter2")).await.unwrap();
    let pair = Pair { chain_pem: "chain".to_owned(), key_pem: Secret::new("key"), generation: 7 };
    first.set_pair(&key("a"), &pair).await.unwrap();
    let digest = first.digest_key().await.unwrap();

    assert_eq!(second.entries().await.unwrap(), [entry("a/../b%")]);
    assert_eq!(second.entry(&key("a/../b%")).await.unwrap(), Some(entry("a/../b%")));
    assert_eq!(second.memory(&key("a")).await.unwrap(), Some(json!({"n": 1})));
    assert_eq!(second.status(&key("a")).await.unwrap(), Some(json!({"ready": true})));
    assert_eq!(second.secret_names().await.unwrap()["db"], ["password"]);
    let secret = second.secret(None, "db").await.unwrap().unwrap();
    assert_eq!(secret["password"].reveal(), "hunter2");
    assert_eq!(second.pair(&key("a")).await.unwrap().unwrap().generation, 7);
    assert_eq!(second.digest_key().await.unwrap().reveal(), digest.reveal());

    first.release(&key("a/../b%")).await.unwrap();
    let third = open(&local, &token).await.unwrap();
    assert!(third.entries().await.unwrap().is_empty());
    local.stop().await;
}

#[tokio::test]
async fn who_may_read_status_may_not_read_keys() {
    let local = start().await;
    let arm = local.signed_in().await;
    make_home(&arm).await;
    assign_both(&arm).await;
    let daemon = open(&local, &local.token_for(STORAGE).await).await.unwrap();
    daemon.record(&entry("a")).await.unwrap();
    daemon.publish(&key("a"), &json!({"ready": true})).await.unwrap();
    daemon.emit(&key("a"), &event(), at(1)).await.unwrap();
    daemon.set_secret("db", "password", &Secret::new("hunter2")).await.unwrap();

    let token = identity_token(&local).await;
    let scope = container("home");
    let name = "00000000-0000-4000-8000-00000000000c";
    assign_to(&arm, &object_id(&token), READER, &scope, name).await;
    let reader = open(&local, &token).await.unwrap();
    assert_eq!(reader.id(), daemon.id());
    assert_eq!(reader.entries().await.unwrap(), [entry("a")]);
    assert_eq!(reader.status(&key("a")).await.unwrap(), Some(json!({"ready": true})));
    assert_eq!(reader.events(None).await.unwrap().len(), 1);
    assert_eq!(reader.requests(&key("a")).await.unwrap(), Requests::default());
    assert!(!reader.is_taken().await.unwrap());
    let lease = daemon.take().await.unwrap().unwrap();
    assert!(reader.is_taken().await.unwrap());
    lease.release().await;

    let denied = |fault: Fault| matches!(fault, Fault::NotGranted { .. });
    assert!(denied(reader.secret(None, "db").await.unwrap_err()));
    assert!(denied(reader.pair(&key("a")).await.unwrap_err()));
    assert!(denied(reader.digest_key().await.unwrap_err()));
    assert!(denied(reader.publish(&key("a"), &json!({})).await.unwrap_err()));
    assert!(denied(reader.take().await.err().unwrap()));
    local.stop().await;
}

/// A token of the managed identity.
async fn identity_token(local: &Local) -> String {
    let facts = std::fs::read(local.dir.path().join("installation.json")).unwrap();
    let facts: Value = serde_json::from_slice(&facts).unwrap();
    let url = format!(
        "{}?api-version=2019-08-01&resource=https://storage.azure.com",
        local.endpoints.identity
    );
    let request = local.http.get(url);
    let request = request.header("x-identity-header", facts["identityHeader"].as_str().unwrap());
    let answer = request.send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn two_writers_lose_nothing_whatever_the_service_answers() {
    let local = start().await;
    let arm = local.signed_in().await;
    make_home(&arm).await;
    assign_both(&arm).await;
    let token = local.token_for(STORAGE).await;
    let stores = [open(&local, &token).await.unwrap(), open(&local, &token).await.unwrap()];
    let admin = Client::open(local.dir.path()).unwrap();
    for (status, times) in [(409, 1), (412, 3), (429, 2), (503, 2)] {
        let fault = json!({"fault": "blob-refused", "status": status, "retryAfter": 0,
            "times": times, "container": "home", "operation": "blob-write"});
        admin.inject(&injection(fault)).await.unwrap();
    }
    join_all(stores.iter().enumerate().flat_map(|(writer, store)| {
        (0..6).map(move |i| async move {
            store.emit(&key("a"), &event(), at(1)).await.unwrap();
            let mut requests = store.requests(&key("a")).await.unwrap();
            match writer {
                0 => requests.renew = Some(at(i)),
                _ => requests.suspended = true,
            }
            store.set_requests(&key("a"), &requests).await.unwrap();
        })
    }))
    .await;
    assert!(admin.status().await.unwrap().faults.is_empty());
    let fresh = open(&local, &token).await.unwrap();
    assert_eq!(fresh.events(None).await.unwrap()[0].count, 12);
    let asked = fresh.requests(&key("a")).await.unwrap();
    assert!(asked.renew.is_some() && asked.suspended, "{asked:?}");

    // A write that happened and was not answered is found, not repeated.
    let lost = json!({"fault": "blob-answer-lost", "times": 1, "operation": "blob-write"});
    admin.inject(&injection(lost)).await.unwrap();
    stores[0].record(&entry("b")).await.unwrap();
    assert_eq!(fresh.entry(&key("b")).await.unwrap(), Some(entry("b")));
    local.stop().await;
}

#[tokio::test]
async fn one_daemon_at_a_time() {
    let local = start().await;
    let arm = local.signed_in().await;
    make_home(&arm).await;
    assign_both(&arm).await;
    let token = local.token_for(STORAGE).await;
    let stores = join_all((0..4).map(|_| open(&local, &token))).await;
    let stores: Vec<Store> = stores.into_iter().map(Result::unwrap).collect();
    let admin = Client::open(local.dir.path()).unwrap();
    // The answer to the first request is lost; repeated, it gets the same lease.
    let lost = json!({"fault": "blob-answer-lost", "times": 1, "operation": "blob-lease"});
    admin.inject(&injection(lost)).await.unwrap();
    let answers = join_all(stores.iter().map(Seat::take)).await;
    let mut leases: Vec<_> = answers.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(leases.len(), 1);
    let mut lease = leases.remove(0);
    assert_eq!(lease.term(), Some(std::time::Duration::from_secs(15)));
    assert!(lease.renew().await.unwrap());
    assert!(stores[3].is_taken().await.unwrap());
    lease.release().await;
    assert!(!stores[3].is_taken().await.unwrap());

    let mut lease = stores[0].take().await.unwrap().unwrap();
    let url = format!("{}/keep1/home/lease?comp=lease", local.endpoints.blob);
    let breaking = local.http.put(url).bearer_auth(&token).header("x-ms-version", "2024-11-04");
    let breaking =
        breaking.header("x-ms-lease-action", "break").header("x-ms-lease-break-period", "0");
    assert_eq!(breaking.header("content-length", "0").send().await.unwrap().status(), 202);
    let next = stores[1].take().await.unwrap().unwrap();
    assert!(!lease.renew().await.unwrap());
    next.release().await;
    local.stop().await;
}

#[tokio::test]
async fn a_daemon_of_many_objects_begins_with_few_requests() {
    const OBJECTS: usize = 60;
    let local = start().await;
    let arm = local.signed_in().await;
    make_home(&arm).await;
    assign_both(&arm).await;
    let token = local.token_for(STORAGE).await;
    let store = open(&local, &token).await.unwrap();
    let names: Vec<String> = (0..OBJECTS).map(|i| format!("o{i}")).collect();
    join_all(names.iter().map(|name| async {
        store.record(&entry(name)).await.unwrap();
        store.publish(&key(name), &json!({"ready": true})).await.unwrap();
    }))
    .await;

    let admin = Client::open(local.dir.path()).unwrap();
    let counts = || async {
        let counts = admin.status().await.unwrap().requests;
        let of = |operation| counts.get(&operation).copied().unwrap_or_default();
        [Operation::BlobRead, Operation::BlobList, Operation::BlobWrite].map(of)
    };
    let daemon = open(&local, &token).await.unwrap();
    let lease = daemon.take().await.unwrap().unwrap();
    let before = counts().await;
    assert_eq!(daemon.entries().await.unwrap().len(), OBJECTS);
    let pass = |name: String| {
        let daemon = &daemon;
        async move {
            let key = key(&name);
            assert!(daemon.entry(&key).await.unwrap().is_some());
            assert_eq!(daemon.requests(&key).await.unwrap(), Requests::default());
            assert_eq!(daemon.memory(&key).await.unwrap(), None);
            let status = daemon.status(&key).await.unwrap().unwrap();
            daemon.publish(&key, &status).await.unwrap();
            assert!(daemon.pair(&key).await.unwrap().is_none());
        }
    };
    join_all(names.iter().cloned().map(pass)).await;
    let after = counts().await;
    let spent: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    // Two blobs an object, and a few looks at requests before all of them are listed.
    let reads = u64::try_from(2 * OBJECTS).unwrap();
    assert!(spent[0] >= reads && spent[0] < reads + 20, "{spent:?}");
    assert_eq!(spent[1..], [5, 0]);
    lease.release().await;
    local.stop().await;
}

#[tokio::test]
async fn requests_wake() {
    let local = start().await;
    let arm = local.signed_in().await;
    make_home(&arm).await;
    assign_both(&arm).await;
    let token = local.token_for(STORAGE).await;
    let daemon = open(&local, &token).await.unwrap();
    let mut changes = daemon.changes();
    let person = open(&local, &token).await.unwrap();
    let asked = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let requests = Requests { suspended: true, ..Requests::default() };
        person.set_requests(&key("a"), &requests).await.unwrap();
    };
    let (woken, ()) = tokio::join!(changes.next(), asked);
    assert_eq!(woken, Some(key("a")));
    assert!(daemon.requests(&key("a")).await.unwrap().suspended);
    local.stop().await;
}

fn issuer(name: &str, domain: &str) -> String {
    format!(
        "apiVersion: aci-operator.io/v1alpha1\nkind: Issuer\nmetadata: {{name: {name}}}\nspec:\n  \
         localCA: {{permittedDomains: [{domain}]}}\n"
    )
}

/// A person with a token who edits manifests.
struct Editor<'a>(&'a Local, String);

impl Editor<'_> {
    fn request(&self, method: Method, name: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/keep1/home/manifests/{name}", self.0.endpoints.blob);
        let request = self.0.http.request(method, url).bearer_auth(&self.1);
        request.header("x-ms-version", "2024-11-04")
    }

    async fn write(&self, name: &str, text: String) {
        let request = self.request(Method::PUT, name).header("x-ms-blob-type", "BlockBlob");
        assert_eq!(request.body(text).send().await.unwrap().status(), 201);
    }

    async fn remove(&self, name: &str) {
        assert_eq!(self.request(Method::DELETE, name).send().await.unwrap().status(), 202);
    }
}

fn applied(change: Option<Change>) -> Object {
    match change {
        Some(Change::Apply(object)) => *object,
        other => panic!("no object: {other:?}"),
    }
}

#[tokio::test]
async fn manifests_in_the_container_are_followed() {
    let local = start().await;
    let arm = local.signed_in().await;
    make_home(&arm).await;
    assign_both(&arm).await;
    let token = local.token_for(STORAGE).await;
    let store = Arc::new(open(&local, &token).await.unwrap());
    let url = format!("{}/keep1/home", local.endpoints.blob).parse().unwrap();
    let container = Container::open(&url, &access(&local, &token)).unwrap();
    let keep = Keep {
        ledger: store.clone(),
        requests: store.clone(),
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
        options: Options { prune: true },
    };
    // As the daemon, which needs no LIST of the ledger.
    let lease = store.take().await.unwrap().unwrap();
    let editor = Editor(&local, token.clone());
    editor.write("team/a.yaml", issuer("a", "a.example")).await;
    editor.write("b.yaml", issuer("b", "b.example")).await;
    editor.write("notes.txt", "no manifest".to_owned()).await;

    let mut changes = Box::pin(Bucket { container, keep }.watch());
    let first = [applied(changes.next().await), applied(changes.next().await)];
    let named = first.each_ref().map(|object| object.meta().name.clone().unwrap());
    assert_eq!(named, ["a", "b"]);
    assert!(matches!(changes.next().await, Some(Change::Listed)));
    let place = store.entries().await.unwrap()[0].place.clone().unwrap();
    assert_eq!(place, format!("{url}/manifests/team/a.yaml:1"));

    editor.write("b.yaml", issuer("b", "other.example")).await;
    assert_eq!(applied(changes.next().await).meta().generation, Some(2));
    editor.write("b.yaml", "kind: [".to_owned()).await;
    let broken = applied(changes.next().await);
    let problem = &broken.meta().annotations.as_ref().unwrap()[annotations::INVALID];
    assert!(problem.contains("/keep1/home/manifests/b.yaml:1"), "{problem}");
    editor.write("b.yaml", issuer("b", "other.example")).await;
    applied(changes.next().await);

    // A container that cannot be listed deletes nothing, however long.
    let admin = Client::open(local.dir.path()).unwrap();
    let away = json!({"fault": "blob-refused", "status": 412, "operation": "blob-list"});
    admin.inject(&injection(away)).await.unwrap();
    editor.remove("team/a.yaml").await;
    let quiet = tokio::time::timeout(std::time::Duration::from_secs(7), changes.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    let problems = store.problems().await.unwrap();
    let about = |problem: &String| problem.contains("/keep1/home/manifests/: ConditionNotMet");
    assert!(problems.iter().any(about), "{problems:?}");
    admin.clear_faults().await.unwrap();
    let orphan = applied(changes.next().await);
    assert_eq!(orphan.meta().name.as_deref(), Some("a"));
    let deleted = loop {
        let object = applied(changes.next().await);
        if object.meta().deletion_timestamp.is_some() {
            break object;
        }
    };
    assert_eq!(deleted.meta().name.as_deref(), Some("a"));
    // The last one is not pruned: an empty container may be a mistake.
    editor.remove("b.yaml").await;
    let quiet = tokio::time::timeout(std::time::Duration::from_secs(9), changes.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    lease.release().await;
    local.stop().await;
}
