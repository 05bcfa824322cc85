//! The events of `instanceView`, counted as the service counts them.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Events kept for one container; older ones leave.
const KEPT: usize = 20;

/// Events by container; those of the group itself are under the empty name.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(super) struct Events(BTreeMap<String, Vec<Event>>);

#[derive(Clone, Deserialize, Serialize)]
struct Event {
    count: u32,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    name: String,
    message: String,
    warning: bool,
}

impl Events {
    /// Adds one, or counts it on where the same was seen before.
    pub(super) fn add(
        &mut self,
        now: DateTime<Utc>,
        container: &str,
        name: &str,
        message: String,
        warning: bool,
    ) {
        let list = self.0.entry(container.to_owned()).or_default();
        if let Some(same) = list.iter_mut().find(|e| e.name == name && e.message == message) {
            same.count += 1;
            same.last = now;
            return;
        }
        if list.len() == KEPT {
            list.remove(0);
        }
        list.push(Event {
            count: 1,
            first: now,
            last: now,
            name: name.to_owned(),
            message,
            warning,
        });
    }

    /// The events of one container as answers show them.
    pub(super) fn view(&self, container: &str) -> Value {
        let list = self.0.get(container).into_iter().flatten();
        list.map(|event| {
            json!({
                "count": event.count,
                "firstTimestamp": timestamp(event.first),
                "lastTimestamp": timestamp(event.last),
                "name": event.name,
                "message": event.message,
                "type": if event.warning { "Warning" } else { "Normal" },
            })
        })
        .collect()
    }
}

/// A time on the wire.
pub(super) fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
