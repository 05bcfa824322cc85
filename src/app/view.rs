//! The read side: what the ledger knows, in the shape that people and scripts read.

use std::net::IpAddr;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{App, Error, Home, Result};
use crate::api;
use crate::api::status::{AppRegistrationStatus, CommonStatus, ContainerGroupStatus, IssuerStatus};
use crate::core::{Condition, ConditionType, Reason, Truth, outcome};
use crate::ports::Entry;

pub use crate::ports::{CountedEvent, ObjectKey};

/// A kind of object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `ContainerGroup`.
    ContainerGroup,
    /// `Issuer`.
    Issuer,
    /// `AppRegistration`.
    AppRegistration,
}

impl Kind {
    /// As in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContainerGroup => "ContainerGroup",
            Self::Issuer => "Issuer",
            Self::AppRegistration => "AppRegistration",
        }
    }
}

impl FromStr for Kind {
    type Err = ();

    /// Reads a kind as people write it: `ContainerGroup`, `containergroups`, `acg`, `Issuers`, also
    /// with the API group behind it.
    fn from_str(raw: &str) -> Result<Self, ()> {
        let lower = raw.to_ascii_lowercase();
        let plain = lower
            .split_once('.')
            .map_or(lower.as_str(), |(kind, group)| if group == api::GROUP { kind } else { "" });
        match plain {
            "containergroup" | "containergroups" | "acg" => Ok(Self::ContainerGroup),
            "issuer" | "issuers" => Ok(Self::Issuer),
            "appregistration" | "appregistrations" | "apr" => Ok(Self::AppRegistration),
            _ => Err(()),
        }
    }
}

/// One object with all that is known of it.
#[derive(Clone, Debug)]
pub struct Item {
    /// What the ledger holds.
    pub entry: Entry,
    /// The published status, as it was published.
    pub status: Value,
    /// Its facts that tables show.
    pub facts: Facts,
}

/// What tables show of a status, whatever the kind.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What the status of every kind says.
    pub common: CommonStatus,
    /// Address.
    pub ip: Option<IpAddr>,
    /// Name.
    pub fqdn: Option<String>,
    /// ARM's word for the last write.
    pub provisioning_state: Option<String>,
    /// End of the certificate's life.
    pub expires: Option<DateTime<Utc>>,
    /// When the certificate will be renewed.
    pub renews: Option<DateTime<Utc>>,
    /// Serial number of the stored certificate.
    pub serial: Option<String>,
    /// Serial number last seen served.
    pub served_serial: Option<String>,
    /// Names of the containers.
    pub containers: Vec<String>,
    /// Digest of the change that waits for approval.
    pub pending: Option<String>,
    /// Application id of an API.
    pub app_id: Option<String>,
    /// Application id of its Swagger page.
    pub swagger_app_id: Option<String>,
    /// Origins that are redirect URIs.
    pub origins: Vec<String>,
    /// The scope that clients ask for.
    pub scope: Option<String>,
}

impl From<ContainerGroupStatus> for Facts {
    fn from(status: ContainerGroupStatus) -> Self {
        let certificate = status.certificate;
        Self {
            common: status.common,
            ip: status.ip.and_then(|ip| ip.parse().ok()),
            fqdn: status.fqdn,
            provisioning_state: status.provisioning_state,
            expires: certificate.as_ref().map(|c| c.not_after),
            renews: certificate.as_ref().map(|c| c.renewal_time),
            serial: certificate.as_ref().map(|c| c.serial_number.clone()),
            served_serial: certificate.and_then(|c| c.served_serial_number),
            containers: status.containers.into_iter().map(|c| c.name).collect(),
            pending: status.pending_approval.map(|pending| pending.digest),
            ..Self::default()
        }
    }
}

impl From<IssuerStatus> for Facts {
    fn from(status: IssuerStatus) -> Self {
        let certificate = status.certificate;
        Self {
            common: status.common,
            expires: certificate.as_ref().map(|c| c.not_after),
            serial: certificate.map(|c| c.serial_number),
            ..Self::default()
        }
    }
}

impl From<AppRegistrationStatus> for Facts {
    fn from(status: AppRegistrationStatus) -> Self {
        Self {
            common: status.common,
            app_id: status.app_id,
            swagger_app_id: status.swagger_app_id,
            origins: status.origins,
            scope: status.scope,
            ..Self::default()
        }
    }
}

/// How far an object is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Settled {
    /// As the present manifest wants it.
    Ready,
    /// Not before somebody does something.
    Stalled,
    /// On the way.
    NotYet,
}

impl Item {
    fn new(entry: Entry, status: Option<Value>) -> Self {
        let status = status.unwrap_or_else(|| json!({}));
        // A status of another release may have another shape: what cannot be read is not shown in
        // tables, and shown as it is in JSON.
        let facts = match entry.key.kind.as_str() {
            "Issuer" => facts::<IssuerStatus>(&status),
            "AppRegistration" => facts::<AppRegistrationStatus>(&status),
            _ => facts::<ContainerGroupStatus>(&status),
        };
        Self { facts: facts.unwrap_or_default(), entry, status }
    }

    /// Truth of a condition, for the present manifest: an older word does not count.
    pub fn truth(&self, kind: ConditionType) -> Truth {
        let current = |c: &&Condition| c.observed_generation >= self.entry.generation;
        let found = self.facts.common.conditions.iter().find(|c| c.kind == kind).filter(current);
        found.map_or(Truth::Unknown, |c| c.status)
    }

    /// How far it is.
    pub fn settled(&self) -> Settled {
        if self.truth(ConditionType::Ready) == Truth::True {
            Settled::Ready
        } else if self.truth(ConditionType::Stalled) == Truth::True {
            Settled::Stalled
        } else {
            Settled::NotYet
        }
    }

    /// The condition that sums the others up.
    pub fn ready(&self) -> Option<&Condition> {
        self.facts.common.conditions.iter().find(|c| c.kind == ConditionType::Ready)
    }

    /// Truth of `Ready`, as last said.
    pub fn ready_truth(&self) -> Truth {
        outcome::truth(&self.facts.common.conditions, ConditionType::Ready)
    }

    /// Why it is as it is, with what only the ledger knows before what the last pass said.
    pub fn reason(&self) -> Reason {
        if self.entry.invalid.is_some() {
            Reason::Invalid
        } else if self.entry.orphaned && self.entry.deletion.is_none() {
            Reason::Orphaned
        } else if self.truth(ConditionType::Suspended) == Truth::True {
            Reason::Suspended
        } else {
            self.ready().map_or(Reason::Pending, |ready| ready.reason)
        }
    }

    /// The same for people.
    pub fn message(&self) -> String {
        if let Some(invalid) = &self.entry.invalid {
            return invalid.clone();
        }
        if self.entry.orphaned && self.entry.deletion.is_none() {
            return "its manifest is gone; nothing is deleted".to_owned();
        }
        self.ready().map_or_else(String::new, |ready| ready.message.clone())
    }

    /// Manifest and status, as Kubernetes would show them.
    pub fn document(&self) -> Value {
        let Entry { key, uid, generation, created, manifest, deletion, .. } = &self.entry;
        let mut metadata = manifest["metadata"].as_object().cloned().unwrap_or_default();
        metadata.insert("name".to_owned(), json!(key.name));
        metadata.insert("uid".to_owned(), json!(uid));
        metadata.insert("generation".to_owned(), json!(generation));
        metadata.insert("creationTimestamp".to_owned(), json!(created));
        if let Some(deletion) = deletion {
            metadata.insert("deletionTimestamp".to_owned(), json!(deletion));
        }
        let mut document = Map::new();
        document.insert("apiVersion".to_owned(), json!(format!("{}/{}", api::GROUP, api::VERSION)));
        document.insert("kind".to_owned(), json!(key.kind));
        document.insert("metadata".to_owned(), Value::Object(metadata));
        document.insert("spec".to_owned(), manifest["spec"].clone());
        document.insert("status".to_owned(), self.status.clone());
        Value::Object(document)
    }
}

fn facts<S: DeserializeOwned + Into<Facts>>(status: &Value) -> Option<Facts> {
    S::deserialize(status).ok().map(Into::into)
}

/// One document for several: Kubernetes' `List`.
pub fn list(documents: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": documents})
}

/// What is known, and how well.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The objects, sorted by key.
    pub items: Vec<Item>,
    /// Problems of the last scan that belong to no object.
    pub problems: Vec<String>,
    /// Whether somebody keeps this true.
    pub freshness: Freshness,
}

/// Whether somebody keeps the facts true.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Freshness {
    /// A daemon runs.
    Kept,
    /// None runs; the facts are this old.
    Old(TimeDelta),
    /// None runs and none ever ran.
    Unknown,
}

impl App {
    /// All objects of a kind, or the one of that name.
    pub async fn snapshot(&self, home: &Home, kind: Kind, name: Option<&str>) -> Result<Snapshot> {
        let mut items = Vec::new();
        for entry in home.ledger.entries().await? {
            let namespace = entry.key.namespace.as_ref();
            if entry.key.kind == kind.as_str()
                && name.is_none_or(|name| name == entry.key.name)
                && self.namespace.as_ref().is_none_or(|wanted| namespace == Some(wanted))
            {
                let status = home.ledger.status(&entry.key).await?;
                items.push(Item::new(entry, status));
            }
        }
        if let (Some(name), true) = (name, items.is_empty()) {
            return Err(Error::NotFound(ObjectKey::new(kind.as_str(), name)));
        }
        let problems = home.ledger.problems().await?;
        let freshness = self.freshness(home, &items).await?;
        Ok(Snapshot { items, problems, freshness })
    }

    /// One object.
    pub async fn item(&self, home: &Home, key: &ObjectKey) -> Result<Item> {
        let entry = home.ledger.entry(key).await?.ok_or_else(|| Error::NotFound(key.clone()))?;
        Ok(Item::new(entry, home.ledger.status(key).await?))
    }

    /// Events of one object, or of all, oldest first.
    pub async fn events(&self, home: &Home, key: Option<&ObjectKey>) -> Result<Vec<CountedEvent>> {
        Ok(home.ledger.events(key).await?)
    }

    async fn freshness(&self, home: &Home, items: &[Item]) -> Result<Freshness> {
        if home.is_held().await? {
            return Ok(Freshness::Kept);
        }
        let observed = items.iter().filter_map(|item| item.facts.common.observed_at).max();
        let newest = home.seat.heartbeat().await?.max(observed);
        Ok(newest.map_or(Freshness::Unknown, |at| Freshness::Old(self.now() - at)))
    }
}
