//! A process over a home and a world, driven pass by pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use aci_operator::api::{
    AppRegistration, AppRegistrationSpec, ContainerGroup, ContainerGroupSpec, Issuer, Object,
};
use aci_operator::core::certificate::{LeafFacts, Pair};
use aci_operator::core::container_group::tags;
use aci_operator::core::requests::Approval;
use aci_operator::core::{Fault, Health, Secret, Wake};
use aci_operator::metrics::Metrics;
use aci_operator::pki::LocalAuthority;
use aci_operator::ports::{Clock as _, Entry, ObjectKey, Phase};
use aci_operator::reconcile::{Ctx, Identities, Outcome, pass};

use super::home::Home;
use super::manifests::{group_key, local_ca, object, registration_key, sample};
use super::principals::Principals;
use super::world::{GROUP, World};

/// Lines of history that are shown.
const LINES: usize = 30;
/// Passes after which something goes round in circles.
const MOST_PASSES: usize = 600;

/// One process with its home and its world.
pub(crate) struct Bench {
    pub(crate) world: Arc<World>,
    pub(crate) home: Arc<Home>,
    pub(crate) ctx: Arc<Ctx>,
    home_id: String,
    /// The group that the process runs in.
    own_group: Option<String>,
    /// When each object is looked at next, and how it stood.
    due: BTreeMap<ObjectKey, (Option<Instant>, Health)>,
    /// Every pass that wrote or said something new.
    history: Vec<String>,
    last_reason: BTreeMap<ObjectKey, String>,
    minted: u32,
    /// Processes that were killed.
    pub(crate) kills: u32,
}

impl Bench {
    /// A process over an empty world; the secrets of the sample are stored.
    pub(crate) fn empty() -> Self {
        let world = World::new();
        let home = Arc::new(Home::new(world.clone(), "the first key"));
        let ctx = Arc::new(ctx(&world, &home, "home-1", None));
        let bench = Self {
            world,
            home,
            ctx,
            home_id: "home-1".to_owned(),
            own_group: None,
            due: BTreeMap::new(),
            history: Vec::new(),
            last_reason: BTreeMap::new(),
            minted: 0,
            kills: 0,
        };
        bench.set_secret("db", "password", "hunter2");
        bench.set_secret("db", "token", "letmein");
        bench
    }

    /// The sample, made and at rest.
    pub(crate) async fn made() -> Self {
        Self::made_with(|_| ()).await
    }

    /// The sample after a change, made and at rest.
    pub(crate) async fn made_with(change: impl FnOnce(&mut ContainerGroupSpec)) -> Self {
        let mut bench = Self::empty();
        bench.apply_issuer(local_ca());
        let mut group = sample();
        change(&mut group.spec);
        bench.apply(group);
        bench.settle().await;
        bench.forget_writes();
        bench
    }

    pub(crate) fn set_secret(&self, name: &str, key: &str, text: &str) {
        let mut kept = self.home.kept();
        let secret = kept.secrets.entry(name.to_owned()).or_default();
        secret.insert(key.to_owned(), Secret::new(text));
    }

    /// The source says what is wanted of a group.
    pub(crate) fn apply(&mut self, group: ContainerGroup) {
        let name = group.metadata.name.clone().unwrap();
        let key = ObjectKey::new("ContainerGroup", name);
        self.record(key, serde_json::to_value(group).unwrap());
    }

    pub(crate) fn apply_issuer(&mut self, issuer: Issuer) {
        let key = ObjectKey::new("Issuer", issuer.metadata.name.clone().unwrap());
        self.record(key, serde_json::to_value(issuer).unwrap());
    }

    pub(crate) fn apply_registration(&mut self, registration: AppRegistration) {
        self.record(registration_key(), serde_json::to_value(registration).unwrap());
    }

    /// The manifest of the registration is edited.
    pub(crate) fn edit_registration(&mut self, change: impl FnOnce(&mut AppRegistrationSpec)) {
        let manifest = self.home.kept().entries[&registration_key()].manifest.clone();
        let mut registration: AppRegistration = serde_json::from_value(manifest).unwrap();
        change(&mut registration.spec);
        self.apply_registration(registration);
    }

    /// The manifest of the group is edited.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut ContainerGroupSpec)) {
        let manifest = self.home.kept().entries[&group_key()].manifest.clone();
        let mut group: ContainerGroup = serde_json::from_value(manifest).unwrap();
        change(&mut group.spec);
        self.apply(group);
    }

    fn record(&mut self, key: ObjectKey, manifest: Value) {
        let now = self.world.now();
        self.minted += 1;
        let uid = format!("uid-{}", self.minted);
        let mut kept = self.home.kept();
        let entry = kept.entries.entry(key.clone()).or_insert_with(|| Entry {
            key: key.clone(),
            uid,
            generation: 0,
            created: now,
            manifest: Value::Null,
            place: None,
            phase: Phase::Seen,
            deletion: None,
            orphaned: false,
            invalid: None,
            pinned: BTreeMap::new(),
        });
        if entry.manifest != manifest {
            entry.generation += 1;
            entry.manifest = manifest;
        }
        drop(kept);
        self.due.insert(key, (Some(Instant::now()), Health::Reconciling));
    }

    /// The source marks the group's ledger entry.
    pub(crate) fn mark(&mut self, change: impl FnOnce(&mut Entry)) {
        change(self.home.kept().entries.get_mut(&group_key()).unwrap());
        self.wake();
    }

    /// `delete`, as the source carries it out.
    pub(crate) fn delete(&mut self) {
        let now = self.world.now();
        self.mark(|entry| entry.deletion = Some(now));
    }

    /// A person approves what is pending.
    pub(crate) fn approve(&mut self) {
        let digest = self.status()["pendingApproval"]["digest"].as_str().unwrap().to_owned();
        let at = self.world.now();
        self.home.ask(&group_key(), |requests| requests.approve = Some(Approval { digest, at }));
        self.wake();
    }

    /// A person asks for a renewal.
    pub(crate) async fn renew(&mut self) {
        self.live_on(Duration::from_secs(2)).await;
        let now = self.world.now();
        self.home.ask(&group_key(), |requests| requests.renew = Some(now));
        self.wake();
    }

    /// Every object is looked at now, as monitors and requests cause it.
    pub(crate) fn wake(&mut self) {
        for (due, _) in self.due.values_mut() {
            *due = Some(Instant::now());
        }
    }

    /// Another process over the same home.
    pub(crate) fn restart(&mut self) {
        self.world.gate.revive();
        let own_group = self.own_group.clone();
        self.ctx = Arc::new(ctx(&self.world, &self.home, &self.home_id, own_group));
        self.wake();
    }

    /// The process goes on in the sample's group.
    pub(crate) fn move_in(&mut self) {
        self.own_group = self.status()["id"].as_str().map(str::to_owned);
        self.restart();
    }

    /// Another home altogether, of which Azure knows nothing.
    pub(crate) fn move_house(&mut self) {
        self.home_id = "home-2".to_owned();
        self.home = Arc::new(Home::new(self.world.clone(), "another key"));
        self.set_secret("db", "password", "hunter2");
        self.set_secret("db", "token", "letmein");
        self.due.clear();
        self.restart();
    }

    /// One pass, in which there is at most one write.
    pub(crate) async fn pass(&mut self, key: &ObjectKey) -> Result<Outcome, Fault> {
        let Some(entry) = self.home.kept().entries.get(key).cloned() else {
            self.due.remove(key);
            return Ok(Outcome {
                wake: Wake::OnChange,
                changed: false,
                gone: true,
                health: Health::Gone,
            });
        };
        let before = self.world.state().writes.len();
        let outcome = match object(&entry) {
            Object::ContainerGroup(group) => pass(&*group, &self.ctx).await,
            Object::Issuer(issuer) => pass(&*issuer, &self.ctx).await,
            Object::AppRegistration(it) => Box::pin(pass(&*it, &self.ctx)).await,
        };
        let written = self.world.state().writes[before..].to_vec();
        assert!(written.len() <= 1, "one pass wrote {written:?}");
        self.tell(key, &written);
        outcome
    }

    fn tell(&mut self, key: &ObjectKey, written: &[&str]) {
        let status = self.home.kept().status.get(key).cloned().unwrap_or_default();
        let ready = ready(&status).unwrap_or_else(|| "Gone".to_owned());
        let news = self.last_reason.insert(key.clone(), ready.clone()) != Some(ready.clone());
        if news || !written.is_empty() {
            let at = self.world.elapsed().as_secs();
            let line = format!("{at} s {} {ready} {}", key.kind, written.join(" "));
            self.history.push(line.trim_end().to_owned());
        }
    }

    /// Passes, each when it is due, until every object is at rest.
    pub(crate) async fn settle(&mut self) {
        for _ in 0..MOST_PASSES {
            let now = Instant::now();
            let busy = |(due, health): &(Option<Instant>, Health)| {
                *health == Health::Reconciling || due.is_some_and(|due| due <= now)
            };
            if !self.due.values().any(busy) {
                return;
            }
            self.step().await;
        }
        panic!("no rest after {MOST_PASSES} passes:\n{}", self.history());
    }

    /// Passes, each when it is due, for so long.
    pub(crate) async fn live_on(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while self.is_due_by(end) {
            self.step().await;
        }
        sleep_until(end).await;
    }

    /// Whether a pass is due until then.
    pub(crate) fn is_due_by(&self, end: Instant) -> bool {
        self.due.values().any(|(due, _)| due.is_some_and(|due| due <= end))
    }

    /// The next pass.
    pub(crate) async fn step(&mut self) {
        let next = self.due.iter().filter_map(|(key, (due, _))| Some(((*due)?, key.clone())));
        let (at, key) = next.min().expect("something is due");
        sleep_until(at).await;
        let outcome = self.pass(&key).await;
        if self.world.gate.is_dead() {
            self.kills += 1;
            return self.restart();
        }
        let Ok(outcome) = outcome else {
            let due = Some(Instant::now() + Duration::from_secs(1));
            self.due.insert(key, (due, Health::Reconciling));
            return;
        };
        let due = match outcome.wake {
            Wake::After(wait) => Some(Instant::now() + wait.max(Duration::from_millis(1))),
            Wake::OnChange => None,
        };
        if outcome.gone {
            self.due.remove(&key);
        } else {
            self.due.insert(key.clone(), (due, outcome.health));
        }
        match key.kind.as_str() {
            "ContainerGroup" if outcome.changed => self.wake_kind("AppRegistration"),
            "Issuer" | "AppRegistration" if outcome.changed => self.wake_kind("ContainerGroup"),
            _ => {}
        }
    }

    /// Every object of a kind is looked at now.
    pub(crate) fn wake_kind(&mut self, kind: &str) {
        for (key, (due, _)) in &mut self.due {
            if key.kind == kind {
                *due = Some(Instant::now());
            }
        }
    }

    /// Writes since the last [`Self::forget_writes`].
    pub(crate) fn writes(&self) -> Vec<&'static str> {
        self.world.state().writes.clone()
    }

    pub(crate) fn forget_writes(&self) {
        self.world.state().writes.clear();
    }

    /// The group's writes since then, which are forgotten.
    #[track_caller]
    pub(crate) fn wrote(&self, expected: &[&str]) {
        assert_eq!(self.writes(), expected, "\n{}", self.history());
        self.forget_writes();
    }

    pub(crate) fn count(&self, write: &str) -> usize {
        self.writes().into_iter().filter(|done| *done == write).count()
    }

    /// What was said and done so far.
    pub(crate) fn history(&self) -> String {
        self.history[self.history.len().saturating_sub(LINES)..].join("\n")
    }

    /// The group's status.
    pub(crate) fn status(&self) -> Value {
        self.status_of(&group_key())
    }

    /// The status of an object.
    pub(crate) fn status_of(&self, key: &ObjectKey) -> Value {
        self.home.kept().status.get(key).cloned().unwrap_or_default()
    }

    /// Truth and reason of one of the group's conditions, as `True InSync`.
    pub(crate) fn condition(&self, kind: &str) -> String {
        self.condition_of(&group_key(), kind)
    }

    /// The same of another object.
    pub(crate) fn condition_of(&self, key: &ObjectKey, kind: &str) -> String {
        condition(&self.status_of(key), kind).unwrap_or_default()
    }

    /// Message of one of the group's conditions.
    pub(crate) fn message(&self, kind: &str) -> String {
        self.message_of(&group_key(), kind)
    }

    /// The same of another object.
    pub(crate) fn message_of(&self, key: &ObjectKey, kind: &str) -> String {
        let status = self.status_of(key);
        let all = status["conditions"].as_array().cloned().unwrap_or_default();
        let found = all.into_iter().find(|c| c["type"] == kind).unwrap_or_default();
        found["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The group is as wanted, and what is stored is what is served.
    #[track_caller]
    pub(crate) fn assert_ready(&self) {
        let ready = self.condition("Ready");
        assert!(ready.starts_with("True"), "{ready} {}\n{}", self.message("Ready"), self.history());
        if self.leaf_pair().is_some() {
            assert_eq!(self.world.live(), self.leaf_pair(), "\n{}", self.history());
        }
    }

    #[track_caller]
    pub(crate) fn assert_condition(&self, kind: &str, expected: &str) {
        let found = self.condition(kind);
        assert_eq!(found, expected, "{}\n{}", self.message(kind), self.history());
    }

    /// The stored leaf.
    pub(crate) fn leaf_pair(&self) -> Option<Pair> {
        self.home.kept().pairs.get(&group_key()).cloned()
    }

    /// Facts of the stored leaf.
    pub(crate) fn leaf(&self) -> LeafFacts {
        LeafFacts::from_pem(&self.leaf_pair().unwrap().chain_pem).unwrap().swap_remove(0)
    }

    /// The tag of the group in Azure.
    pub(crate) fn tag(&self, name: &str) -> Option<String> {
        let shown = self.world.shown(GROUP);
        let all = serde_json::from_value(shown["tags"].clone()).ok()?;
        tags::get(&all, name).map(str::to_owned)
    }

    /// When the group's containers were started.
    pub(crate) fn started(&self) -> Option<DateTime<Utc>> {
        self.world.state().engine.runs().next().and_then(super::engine::Run::sidecar_start)
    }
}

fn ctx(world: &Arc<World>, home: &Arc<Home>, home_id: &str, own_group: Option<String>) -> Ctx {
    Ctx {
        clock: world.clone(),
        random: world.clone(),
        identities: Arc::new(Identities::new(
            Arc::new(Principals::of(world)),
            home.clone(),
            world.clone(),
        )),
        probe: world.clone(),
        authority: Arc::new(LocalAuthority),
        ledger: home.clone(),
        secrets: home.clone(),
        requests: home.clone(),
        home_id: home_id.to_owned(),
        metrics: Metrics::new(),
        own_group,
        sightings: Arc::default(),
    }
}

fn condition(status: &Value, kind: &str) -> Option<String> {
    let found = status["conditions"].as_array()?.iter().find(|c| c["type"] == kind)?;
    Some(format!("{} {}", found["status"].as_str()?, found["reason"].as_str()?))
}

/// How the object stands: `Ready InSync`, `Stalled Invalid`, …
fn ready(status: &Value) -> Option<String> {
    let all = status["conditions"].as_array()?;
    let holds = |kind: &&str| all.iter().any(|c| c["type"] == **kind && c["status"] == "True");
    let state = ["Ready", "Reconciling", "Stalled"].into_iter().find(holds)?;
    let ready = all.iter().find(|c| c["type"] == "Ready")?;
    Some(format!("{state} {}", ready["reason"].as_str()?))
}
