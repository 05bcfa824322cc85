//! The home in memory: ledger, secrets and requests, which outlive the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use futures::channel::mpsc;
use futures::stream::BoxStream;
use serde_json::Value;

use aci_operator::core::certificate::Pair;
use aci_operator::core::outcome::Event;
use aci_operator::core::requests::Requests;
use aci_operator::core::{Fault, Secret};
use aci_operator::ports::{CountedEvent, Entry, Ledger, ObjectKey, RequestBox, Secrets};

use super::gate::Gate;
use super::world::World;

/// A home.
pub(crate) struct Home {
    world: Arc<World>,
    state: Mutex<Kept>,
}

/// All that a home keeps.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) entries: BTreeMap<ObjectKey, Entry>,
    pub(crate) memory: BTreeMap<ObjectKey, Value>,
    pub(crate) status: BTreeMap<ObjectKey, Value>,
    pub(crate) events: Vec<CountedEvent>,
    pub(crate) problems: Vec<String>,
    pub(crate) secrets: BTreeMap<String, BTreeMap<String, Secret>>,
    /// How often a secret was read.
    pub(crate) secret_reads: u32,
    pub(crate) pairs: BTreeMap<ObjectKey, Pair>,
    pub(crate) digest_key: String,
    pub(crate) requests: BTreeMap<ObjectKey, Requests>,
    listeners: Vec<mpsc::UnboundedSender<ObjectKey>>,
}

impl Home {
    /// An empty home with its own digest key.
    pub(crate) fn new(world: Arc<World>, digest_key: &str) -> Self {
        let kept = Kept { digest_key: digest_key.to_owned(), ..Kept::default() };
        Self { world, state: Mutex::new(kept) }
    }

    /// What is kept, seen from outside the process.
    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks something of an object, as the CLI does.
    pub(crate) fn ask(&self, key: &ObjectKey, change: impl FnOnce(&mut Requests)) {
        let mut kept = self.kept();
        change(kept.requests.entry(key.clone()).or_default());
        kept.listeners.retain(|listener| listener.unbounded_send(key.clone()).is_ok());
    }

    fn call<T>(&self, effect: impl FnOnce(&mut Kept) -> T) -> Result<T, Fault> {
        self.gate().around(|| Ok(effect(&mut self.kept())))
    }

    fn gate(&self) -> &Gate {
        &self.world.gate
    }
}

#[async_trait]
impl Ledger for Home {
    async fn entry(&self, key: &ObjectKey) -> Result<Option<Entry>, Fault> {
        self.call(|kept| kept.entries.get(key).cloned())
    }

    async fn entries(&self) -> Result<Vec<Entry>, Fault> {
        self.call(|kept| kept.entries.values().cloned().collect())
    }

    async fn beside(&self, _: &ObjectKey, kind: &str) -> Result<Vec<Entry>, Fault> {
        self.call(|kept| kept.entries.values().filter(|e| e.key.kind == kind).cloned().collect())
    }

    async fn record(&self, entry: &Entry) -> Result<(), Fault> {
        self.call(|kept| drop(kept.entries.insert(entry.key.clone(), entry.clone())))
    }

    async fn release(&self, key: &ObjectKey) -> Result<(), Fault> {
        self.call(|kept| {
            kept.entries.remove(key);
            kept.memory.remove(key);
            kept.status.remove(key);
            kept.requests.remove(key);
            kept.pairs.remove(key);
        })
    }

    async fn memory(&self, key: &ObjectKey) -> Result<Option<Value>, Fault> {
        self.call(|kept| kept.memory.get(key).cloned())
    }

    async fn remember(&self, key: &ObjectKey, memory: &Value) -> Result<(), Fault> {
        self.call(|kept| drop(kept.memory.insert(key.clone(), memory.clone())))
    }

    async fn status(&self, key: &ObjectKey) -> Result<Option<Value>, Fault> {
        self.call(|kept| kept.status.get(key).cloned())
    }

    async fn publish(&self, key: &ObjectKey, status: &Value) -> Result<(), Fault> {
        self.call(|kept| drop(kept.status.insert(key.clone(), status.clone())))
    }

    async fn emit(&self, key: &ObjectKey, event: &Event, now: DateTime<Utc>) -> Result<(), Fault> {
        let (object, event) = (key.clone(), event.clone());
        self.call(|kept| {
            kept.events.push(CountedEvent { object, event, count: 1, first: now, last: now });
        })
    }

    async fn events(&self, key: Option<&ObjectKey>) -> Result<Vec<CountedEvent>, Fault> {
        let wanted = |event: &&CountedEvent| key.is_none_or(|key| event.object == *key);
        self.call(|kept| kept.events.iter().filter(wanted).cloned().collect())
    }

    async fn set_problems(&self, problems: &[String]) -> Result<(), Fault> {
        self.call(|kept| kept.problems = problems.to_vec())
    }

    async fn problems(&self) -> Result<Vec<String>, Fault> {
        self.call(|kept| kept.problems.clone())
    }
}

#[async_trait]
impl Secrets for Home {
    async fn secret(
        &self,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<BTreeMap<String, Secret>>, Fault> {
        let name = namespace.map_or_else(|| name.to_owned(), |space| format!("{space}/{name}"));
        self.call(|kept| {
            kept.secret_reads += 1;
            kept.secrets.get(&name).cloned()
        })
    }

    async fn set_secret(&self, name: &str, key: &str, value: &Secret) -> Result<(), Fault> {
        self.call(|kept| {
            let secret = kept.secrets.entry(name.to_owned()).or_default();
            secret.insert(key.to_owned(), value.clone());
        })
    }

    async fn delete_secret(&self, name: &str, key: Option<&str>) -> Result<bool, Fault> {
        self.call(|kept| match key {
            None => kept.secrets.remove(name).is_some(),
            Some(key) => {
                kept.secrets.get_mut(name).is_some_and(|secret| secret.remove(key).is_some())
            }
        })
    }

    async fn secret_names(&self) -> Result<BTreeMap<String, Vec<String>>, Fault> {
        self.call(|kept| {
            let names = kept.secrets.iter();
            names.map(|(name, keys)| (name.clone(), keys.keys().cloned().collect())).collect()
        })
    }

    async fn pair(&self, key: &ObjectKey) -> Result<Option<Pair>, Fault> {
        self.call(|kept| kept.pairs.get(key).cloned())
    }

    async fn set_pair(&self, key: &ObjectKey, pair: &Pair) -> Result<(), Fault> {
        self.call(|kept| {
            self.world.note(if key.kind == "Issuer" { "CreateRoot" } else { "StoreLeaf" });
            kept.pairs.insert(key.clone(), pair.clone());
        })
    }

    async fn digest_key(&self) -> Result<Secret, Fault> {
        self.call(|kept| Secret::new(kept.digest_key.clone()))
    }
}

#[async_trait]
impl RequestBox for Home {
    async fn requests(&self, key: &ObjectKey) -> Result<Requests, Fault> {
        self.call(|kept| kept.requests.get(key).cloned().unwrap_or_default())
    }

    async fn set_requests(&self, key: &ObjectKey, requests: &Requests) -> Result<(), Fault> {
        self.call(|kept| drop(kept.requests.insert(key.clone(), requests.clone())))
    }

    fn changes(&self) -> BoxStream<'static, ObjectKey> {
        let (sender, receiver) = mpsc::unbounded();
        self.kept().listeners.push(sender);
        receiver.boxed()
    }
}
