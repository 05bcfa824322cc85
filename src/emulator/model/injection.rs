//! Injected faults where they change what is stored, and accidents that happen to a running group.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::group::{Group, TransitionKind};
use super::view::Detail;
use super::{Azure, Error, GroupId, Now, Work};
use crate::emulator::faults::{Effect, Operation};

/// Something that happens to a container group by itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "accident", rename_all = "kebab-case")]
pub enum Accident {
    /// The public address changes, nothing restarts.
    IpChange {
        /// Name of the container group.
        group: String,
    },
    /// The platform moves the group: containers anew, `emptyDir` lost, another address.
    MoveHost {
        /// Name of the container group.
        group: String,
    },
    /// A container's main process dies.
    Crash {
        /// Name of the container group.
        group: String,
        /// Name of the container.
        container: String,
    },
}

/// What reads show instead of the truth, until then.
#[derive(Deserialize, Serialize)]
pub(super) struct Lag {
    pub(super) until: DateTime<Utc>,
    /// The whole resource before the write; none where there was none.
    pub(super) view: Option<Value>,
}

impl Azure {
    /// Lets an accident happen.
    pub fn happen(&mut self, now: Now, accident: &Accident) -> Result<(), Error> {
        self.advance(now);
        let (Accident::IpChange { group }
        | Accident::MoveHost { group }
        | Accident::Crash { group, .. }) = accident;
        let (id, key, public) = self
            .groups
            .iter()
            .find(|(_, stored)| stored.name.eq_ignore_ascii_case(group) && stored.runs())
            .map(|(id, stored)| (id.clone(), stored.key.clone(), stored.is_public()))
            .ok_or_else(|| {
                Error::new(404, "NotRunning", format!("no container group '{group}' runs"))
            })?;
        match accident {
            Accident::IpChange { .. } if !public => {
                let message = format!("the container group '{group}' has no public address");
                return Err(Error::bad("NoPublicAddress", message));
            }
            Accident::IpChange { .. } => {
                if let Some(ip) = self.readdress(&key) {
                    self.work.push(Work::Publish { group: key, ip });
                }
            }
            Accident::MoveHost { .. } => {
                if public {
                    let ip = self.next_address();
                    self.groups.entry(id.clone()).and_modify(|stored| stored.next_ip = Some(ip));
                }
                self.transit(now, &id, TransitionKind::Move);
            }
            Accident::Crash { container, .. } => {
                let stored = self.groups.get(&id);
                if !stored.is_some_and(|stored| stored.has_container(container)) {
                    return Err(Error::container_not_found(group, container));
                }
                self.work.push(Work::Kill { group: key, container: container.clone() });
            }
        }
        Ok(())
    }

    /// Applies the faults of a write: to its body, and to the reads that follow it.
    pub(super) fn interfere(
        &mut self,
        now: Now,
        operation: Operation,
        id: &GroupId,
        body: &mut Value,
    ) {
        for effect in self.faults.inward(operation, Some(&id.1)) {
            match effect {
                Effect::IgnoreField { path } => {
                    let stored = self.groups.get(id).map(Group::document);
                    let kept = stored.as_ref().and_then(|stored| at(stored, &path)).cloned();
                    put_at(body, &path, kept);
                }
                Effect::NormaliseField { path, value } => put_at(body, &path, Some(value)),
                Effect::PolicyTag { name, value } => {
                    if !body["tags"].is_object() {
                        body["tags"] = Value::Object(Map::new());
                    }
                    body["tags"][name] = Value::String(value);
                }
                Effect::ReadsLag { seconds } => {
                    let until = now + TimeDelta::seconds(i64::from(seconds));
                    let stored = self.groups.get(id);
                    let view = stored.map(|group| self.resource(now, group, Detail::Full));
                    self.lags.insert(id.clone(), Lag { until, view });
                }
                _ => (),
            }
        }
    }
}

/// The value at a dotted path.
fn at<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    document.pointer(&pointer(path))
}

/// Sets or removes the value at a dotted path whose parent exists.
fn put_at(document: &mut Value, path: &str, value: Option<Value>) {
    let pointer = pointer(path);
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    match (document.pointer_mut(parent), value) {
        (Some(Value::Object(map)), Some(value)) => {
            map.insert(name.to_owned(), value);
        }
        (Some(Value::Object(map)), None) => {
            map.remove(name);
        }
        (Some(Value::Array(list)), Some(value)) => {
            if let Some(slot) = name.parse::<usize>().ok().and_then(|index| list.get_mut(index)) {
                *slot = value;
            }
        }
        _ => (),
    }
}

/// `a.b[0].c` and `a.b.0.c` as an RFC 6901 pointer.
fn pointer(path: &str) -> String {
    let dotted = path.replace('[', ".").replace(']', "");
    format!("/{}", dotted.replace('.', "/"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_reach_into_documents() {
        let mut document = json!({"a": {"b": [{"c": 1}]}});
        assert_eq!(at(&document, "a.b[0].c"), Some(&json!(1)));
        put_at(&mut document, "a.b.0.c", Some(json!(2)));
        put_at(&mut document, "a.x", Some(json!(3)));
        put_at(&mut document, "no.such.parent", Some(json!(4)));
        assert_eq!(document, json!({"a": {"b": [{"c": 2}], "x": 3}}));
        put_at(&mut document, "a.b[0].c", None);
        assert_eq!(document["a"]["b"][0], json!({}));
    }
}
