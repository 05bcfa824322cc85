//! App registrations: the pair, its redirect URIs, and what others do to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aci_operator::ports::{Clock as _, Entry, Phase};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::bench::Bench;
use super::graph::Mishap;
use super::manifests::{group_key, registration, registration_key, sample};

mod chain;
mod kills;
mod lifecycle;
mod others;
mod random;

const FQDN: &str = "https://mon-fqdn.westeurope.azurecontainer.io";
const HOST: &str = "https://mon-dns.com";
const IP: &str = "https://20.1.2.3";

/// The writes of a pair, in order.
const PAIR: [&str; 6] = [
    "applications.upsert",
    "applications.update",
    "servicePrincipals.create",
    "applications.upsert",
    "servicePrincipals.create",
    "applications.update",
];

impl Bench {
    /// The sample's registration, with a group that serves nothing yet, made and at rest.
    async fn registered() -> Self {
        let mut bench = Self::empty();
        bench.serve(&[]);
        bench.apply_registration(registration());
        bench.settle().await;
        bench.live_on(Duration::from_mins(2)).await;
        bench.settle().await;
        bench.forget_writes();
        bench
    }

    /// A group says under which origins it serves its current leaf.
    fn serve(&mut self, origins: &[&str]) {
        let now = self.world.now();
        let mut kept = self.home.kept();
        kept.entries.entry(group_key()).or_insert_with(|| Entry {
            key: group_key(),
            uid: "uid-group".to_owned(),
            generation: 1,
            created: now,
            manifest: serde_json::to_value(sample()).unwrap(),
            place: None,
            phase: Phase::Made,
            deletion: None,
            orphaned: false,
            invalid: None,
            pinned: BTreeMap::new(),
        });
        kept.status.insert(group_key(), json!({ "origins": origins }));
        drop(kept);
        self.wake_kind("AppRegistration");
    }

    fn registration(&self) -> Value {
        self.status_of(&registration_key())
    }

    fn delete_registration(&mut self) {
        let now = self.world.now();
        self.home.kept().entries.get_mut(&registration_key()).unwrap().deletion = Some(now);
        self.wake_kind("AppRegistration");
    }

    /// Truth and reason of a condition of the registration.
    #[track_caller]
    fn assert_registration(&self, kind: &str, expected: &str) {
        let key = registration_key();
        let found = self.condition_of(&key, kind);
        assert_eq!(found, expected, "{}\n{}", self.message_of(&key, kind), self.history());
    }

    fn origins(&self) -> BTreeSet<String> {
        texts(&self.registration()["origins"])
    }

    /// The application of this part, as Graph shows it to everybody.
    fn shown(&self, part: &str) -> Value {
        let apps = self.world.applications();
        let is = |app: &&Value| app["uniqueName"].as_str().is_some_and(|n| n.ends_with(part));
        apps.iter().find(is).cloned().unwrap_or_default()
    }

    fn redirects(&self, part: &str) -> BTreeSet<String> {
        let shown = self.shown(part);
        let platform = if part == "api" { "web" } else { "spa" };
        texts(&shown[platform]["redirectUris"])
    }

    /// Somebody changes an application.
    fn somebody_patches(&self, part: &str, body: Value) {
        let id = self.shown(part)["id"].as_str().unwrap().to_owned();
        let (status, answer) = self.world.graph("PATCH", &format!("applications/{id}"), Some(body));
        assert_eq!(status, 204, "{answer}");
    }
}

fn texts(list: &Value) -> BTreeSet<String> {
    let all = list.as_array().into_iter().flatten();
    all.map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|&one| one.to_owned()).collect()
}
