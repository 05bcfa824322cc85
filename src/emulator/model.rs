//! What Azure Resource Manager keeps and how it changes: pure, and driven by the time it is given.
//!
//! No clock, no I/O: every method takes `now`, identifiers and addresses come from a seed and a
//! counter. What containers are to do comes out as [`Work`]; how it went goes back in through
//! [`Azure::report`]. Sources: the ACI pages under learn.microsoft.com/azure/container-instances.

mod address;
mod authorization;
mod body;
mod contents;
mod error;
mod event;
mod group;
mod groups;
mod identities;
mod identity;
mod injection;
mod lifecycle;
mod normalise;
mod operation;
mod replace;
mod resource_groups;
mod run;
mod settings;
mod storage;
mod subscription;
mod validate;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use self::authorization::Authorization;
use self::group::Group;
use self::identities::UserAssigned;
use self::injection::Lag;
use self::operation::StoredOperation;
use self::resource_groups::ResourceGroup;
use self::storage::Account;
use crate::emulator::engine::GroupRun;
use crate::emulator::faults::Faults;

pub use self::authorization::{FoundPrincipal, Principal, PrincipalType, Right, within};
pub use self::error::Error;
pub use self::group::Problem;
pub use self::groups::Page;
pub use self::identities::{IDENTITY_TYPE, IdentityIds, ManagedIdentity};
pub use self::identity::{Asked, NoIdentity};
pub use self::injection::Accident;
pub use self::lifecycle::Running;
pub use self::settings::Settings;
pub use self::storage::{ACCOUNT_TYPE, AccountFacts, STORAGE_NAMESPACE};

/// The resource type of a container group.
pub const GROUP_TYPE: &str = "Microsoft.ContainerInstance/containerGroups";
/// The resource provider of container groups.
pub const NAMESPACE: &str = "Microsoft.ContainerInstance";
/// The resource provider of managed identities.
pub const IDENTITY_NAMESPACE: &str = "Microsoft.ManagedIdentity";
/// What is registered from the start.
const PROVIDERS: [&str; 3] = [NAMESPACE, IDENTITY_NAMESPACE, STORAGE_NAMESPACE];

/// One subscription of Azure.
#[derive(Deserialize, Serialize)]
pub struct Azure {
    #[serde(skip)]
    settings: Settings,
    serial: u64,
    addresses: u16,
    /// Registered resource providers, in lower case.
    providers: BTreeSet<String>,
    /// By lower-case name.
    resource_groups: BTreeMap<String, ResourceGroup>,
    groups: BTreeMap<GroupId, Group>,
    operations: BTreeMap<String, StoredOperation>,
    lags: BTreeMap<GroupId, Lag>,
    /// Storage accounts by name.
    #[serde(default)]
    storage: BTreeMap<String, Account>,
    #[serde(default)]
    authorization: Authorization,
    #[serde(default)]
    identities: BTreeMap<GroupId, UserAssigned>,
    /// Managed identities may have come or gone.
    #[serde(skip)]
    principals_changed: bool,
    faults: Faults,
    #[serde(skip)]
    work: Vec<Work>,
}

/// An answer that is no refusal.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Body, if any.
    pub body: Option<Value>,
    /// Where the client is to ask how it goes on.
    pub poll: Option<Poll>,
}

/// The header that names an operation, by the operation's id.
#[derive(Clone, Debug, PartialEq)]
pub enum Poll {
    /// `Azure-AsyncOperation`.
    AsyncOperation(String),
    /// `Location`.
    Location(String),
    /// `Location` where the storage provider tells of an account that it makes.
    Account(String),
}

/// What is to be done with containers. Every [`Work::Start`] and [`Work::Remove`] is answered by one
/// [`Azure::report`] with its `group` and `operation`.
#[derive(Clone)]
pub enum Work {
    /// Make the group's containers anew and publish their ports on `run.ip`.
    Start {
        /// The engine's key of the group.
        group: String,
        /// The operation that asked.
        operation: String,
        /// What to run.
        run: Box<GroupRun>,
    },
    /// Stop the group's containers and close its ports.
    Remove {
        /// The engine's key of the group.
        group: String,
        /// The operation that asked.
        operation: String,
    },
    /// Publish the ports of a running group on another address.
    Publish {
        /// The engine's key of the group.
        group: String,
        /// The new address.
        ip: Ipv4Addr,
    },
    /// Kill a container's main process.
    Kill {
        /// The engine's key of the group.
        group: String,
        /// Its name.
        container: String,
    },
}

/// A resource's place: resource group and name, both in lower case.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(into = "String", try_from = "String")]
struct GroupId(String, String);

impl GroupId {
    fn new(resource_group: &str, name: &str) -> Self {
        Self(resource_group.to_ascii_lowercase(), name.to_ascii_lowercase())
    }
}

impl From<GroupId> for String {
    fn from(GroupId(resource_group, name): GroupId) -> Self {
        format!("{resource_group}/{name}")
    }
}

impl TryFrom<String> for GroupId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (resource_group, name) = text.split_once('/').ok_or("a group's place has two parts")?;
        Ok(Self(resource_group.to_owned(), name.to_owned()))
    }
}

impl Azure {
    /// An empty subscription with the resource providers registered.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            serial: 0,
            addresses: 0,
            providers: PROVIDERS.map(str::to_ascii_lowercase).into(),
            resource_groups: BTreeMap::new(),
            groups: BTreeMap::new(),
            operations: BTreeMap::new(),
            lags: BTreeMap::new(),
            storage: BTreeMap::new(),
            authorization: Authorization::default(),
            identities: BTreeMap::new(),
            principals_changed: true,
            faults: Faults::default(),
            work: Vec::new(),
        }
    }

    /// What was saved (an [`Azure`] is its own saved form), with the settings of now.
    pub fn restore(settings: Settings, saved: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(Self { settings, principals_changed: true, ..serde_json::from_slice(saved)? })
    }

    /// Forgets every resource group, resource, role, assignment and fault. Identifiers and addresses go on, so
    /// that nothing new is taken for something old.
    pub fn wipe(&mut self) {
        let new = Self::new(self.settings.clone());
        let (serial, addresses) = (self.serial, self.addresses);
        *self = Self { serial, addresses, ..new };
    }

    /// The fixed facts.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The injected faults.
    pub fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// Takes the work that has come up since the last call.
    pub fn take_work(&mut self) -> Vec<Work> {
        std::mem::take(&mut self.work)
    }

    /// A new identifier, the same for the same seed and history.
    fn next_id(&mut self) -> String {
        self.serial += 1;
        self.derived(&self.serial.to_string()).to_string()
    }

    /// An identifier that the seed and `name` determine.
    fn derived(&self, name: &str) -> Uuid {
        let text = format!("{}/{name}", self.settings.seed);
        let hash = digest(&SHA256, text.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_ref()[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// The subscription's own id as a resource.
    fn subscription_scope(&self) -> String {
        format!("/subscriptions/{}", self.settings.subscription)
    }

    /// A public address that no other group has.
    fn next_address(&mut self) -> Ipv4Addr {
        loop {
            let ip = address::nth(&self.settings, self.addresses);
            self.addresses = self.addresses.wrapping_add(1);
            let taken =
                self.groups.values().any(|group| [group.ip, group.next_ip].contains(&Some(ip)));
            if !taken {
                return ip;
            }
        }
    }
}

impl Reply {
    fn new(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), poll: None }
    }

    fn empty(status: u16) -> Self {
        Self { status, body: None, poll: None }
    }

    fn polled(self, poll: Poll) -> Self {
        Self { poll: Some(poll), ..self }
    }
}

/// The time of a call; what changes by time alone is settled first thing in every method.
type Now = DateTime<Utc>;

#[cfg(test)]
mod tests;
