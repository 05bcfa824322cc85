//! What the operator knows of its objects.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Edit, Expected, Store, names, secrets};
use crate::core::Fault;
use crate::core::outcome::Event;
use crate::ports::{CountedEvent, Entry, Ledger, ObjectKey};

const LEDGER: &str = "ledger";
const MEMORY: &str = "memory";
const STATUS: &str = "status";
const EVENTS: &str = "events";
const REQUESTS: &str = "requests";
const PROBLEMS: &str = "problems";

/// Most events kept of an object.
const MOST_EVENTS: usize = 50;

#[async_trait]
impl Ledger for Store {
    async fn entry(&self, key: &ObjectKey) -> Result<Option<Entry>, Fault> {
        self.read(&names::of(LEDGER, key)).await
    }

    async fn entries(&self) -> Result<Vec<Entry>, Fault> {
        Ok(self.of_all(LEDGER).await?.into_values().collect())
    }

    async fn beside(&self, _: &ObjectKey, kind: &str) -> Result<Vec<Entry>, Fault> {
        let room = format!("{LEDGER}/{}", names::escape(kind));
        Ok(self.of_all(&room).await?.into_values().collect())
    }

    async fn record(&self, entry: &Entry) -> Result<(), Fault> {
        self.update(&names::of(LEDGER, &entry.key), |before: Option<Entry>| match before {
            Some(before) if before == *entry => Edit::Keep,
            Some(before) => Edit::Write(join(before, entry)),
            None => Edit::Write(entry.clone()),
        })
        .await
    }

    async fn release(&self, key: &ObjectKey) -> Result<(), Fault> {
        // The entry goes last: after a crash between, the object is still known and released again.
        for room in [MEMORY, STATUS, REQUESTS] {
            self.blobs.delete(&names::of(room, key), Expected::Anything).await?;
        }
        self.blobs.delete(&secrets::pair(key), Expected::Anything).await?;
        self.blobs.delete(&names::of(LEDGER, key), Expected::Anything).await.map(drop)
    }

    async fn memory(&self, key: &ObjectKey) -> Result<Option<Value>, Fault> {
        self.read(&names::of(MEMORY, key)).await
    }

    async fn remember(&self, key: &ObjectKey, memory: &Value) -> Result<(), Fault> {
        self.write(&names::of(MEMORY, key), memory).await
    }

    async fn status(&self, key: &ObjectKey) -> Result<Option<Value>, Fault> {
        self.read(&names::of(STATUS, key)).await
    }

    async fn publish(&self, key: &ObjectKey, status: &Value) -> Result<(), Fault> {
        self.write(&names::of(STATUS, key), status).await
    }

    async fn emit(&self, key: &ObjectKey, event: &Event, now: DateTime<Utc>) -> Result<(), Fault> {
        self.update(&names::of(EVENTS, key), |events| {
            Edit::Write(counted(events.unwrap_or_default(), key, event, now))
        })
        .await
    }

    async fn events(&self, key: Option<&ObjectKey>) -> Result<Vec<CountedEvent>, Fault> {
        let mut events: Vec<CountedEvent> = if let Some(key) = key {
            self.read(&names::of(EVENTS, key)).await?.unwrap_or_default()
        } else {
            let all: BTreeMap<_, Vec<_>> = self.of_all(EVENTS).await?;
            all.into_values().flatten().collect()
        };
        events.sort_by_key(|event| event.last);
        Ok(events)
    }

    async fn set_problems(&self, problems: &[String]) -> Result<(), Fault> {
        if self.problems().await? == problems {
            return Ok(());
        }
        self.write(PROBLEMS, &problems).await
    }

    async fn problems(&self) -> Result<Vec<String>, Fault> {
        Ok(self.read(PROBLEMS).await?.unwrap_or_default())
    }
}

/// An entry has two writers, the source and the loop, and each may have read it before the other
/// wrote. A claim never shrinks, and an older manifest never replaces a newer one.
fn join(before: Entry, new: &Entry) -> Entry {
    if before.uid != new.uid {
        return new.clone();
    }
    let phase = before.phase.max(new.phase);
    let mut pinned = before.pinned.clone();
    pinned.extend(new.pinned.clone());
    let deletion = before.deletion.or(new.deletion);
    let newest = if new.generation < before.generation { before } else { new.clone() };
    Entry { phase, deletion, pinned, ..newest }
}

/// The events with one more; an event that is the last one's repetition is counted.
fn counted(
    mut events: Vec<CountedEvent>,
    key: &ObjectKey,
    event: &Event,
    now: DateTime<Utc>,
) -> Vec<CountedEvent> {
    match events.iter().position(|known| known.event == *event) {
        Some(known) => {
            let mut known = events.remove(known);
            known.count = known.count.saturating_add(1);
            known.last = now;
            events.push(known);
        }
        None => events.push(CountedEvent {
            object: key.clone(),
            event: event.clone(),
            count: 1,
            first: now,
            last: now,
        }),
    }
    let surplus = events.len().saturating_sub(MOST_EVENTS);
    events.drain(..surplus);
    events
}
