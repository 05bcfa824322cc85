//! `ContainerGroup`: what we want, what ARM shows, and the one step between them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::Value;

mod body;
mod changes;
mod desired;
mod memory;
pub mod origins;
mod plan;
mod rotation;

pub use body::{attach, body, digest};
pub use changes::{Difference, Digest, difference};
pub use desired::{
    Desired, Hidden, IssuerView, Observed, Served, Step, StoredLeaf, TlsDesired, tags,
};
pub use memory::{Effect, Memory, settle};
pub use origins::Follower;
pub use plan::{Decision, Pending, plan};
pub use rotation::{baked, sidecar_start};

/// Names a container group in ARM.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GroupId {
    /// Subscription.
    pub subscription: String,
    /// Resource group.
    pub resource_group: String,
    /// Name.
    pub name: String,
}

/// What the name of a group ends with in which an image is tried.
pub const TRIAL: &str = "-trial";

impl GroupId {
    /// The group in which a new image for this one is tried.
    #[must_use]
    pub fn trial(&self) -> Self {
        Self { name: format!("{}{TRIAL}", self.name), ..self.clone() }
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.ContainerInstance/containerGroups/{}",
            self.subscription, self.resource_group, self.name
        )
    }
}

/// Where groups are listed.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// A whole subscription.
    Subscription(String),
    /// One resource group.
    ResourceGroup {
        /// Subscription.
        subscription: String,
        /// Resource group.
        name: String,
    },
}

/// A whole group to be put: ACI's vocabulary in the manifest's shape (the properties of a container
/// beside its name, secret files as plain text), secrets resolved.
#[derive(Clone, PartialEq)]
pub struct Body {
    /// Region.
    pub location: String,
    /// All tags.
    pub tags: BTreeMap<String, String>,
    /// All else; secret values are in here.
    pub properties: Value,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { location, tags, properties: _ } = self;
        f.debug_struct("Body")
            .field("location", location)
            .field("tags", tags)
            .field("properties", &"[elided]")
            .finish()
    }
}

/// A group as ARM shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// ARM's spelling of the id.
    pub id: String,
    /// Name.
    pub name: String,
    /// All tags, ours and others'.
    pub tags: BTreeMap<String, String>,
    /// Location and properties in the manifest's shape; never with secret values.
    pub properties: Value,
    /// `properties.provisioningState`.
    pub provisioning: Provisioning,
    /// `instanceView.state`: `Running`, `Stopped`, `Succeeded`, `Failed`, …; only in GET.
    pub state: Option<String>,
    /// Assigned address: never 0.0.0.0.
    pub ip: Option<IpAddr>,
    /// Assigned name.
    pub fqdn: Option<String>,
    /// Containers in ARM's order; states only in GET.
    pub containers: Vec<ContainerFacts>,
    /// The newest messages of the instance view's events, when there are any.
    pub events: Vec<String>,
}

/// How the last write is doing.
/// <https://learn.microsoft.com/azure/container-instances/container-state>
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Provisioning {
    /// Done.
    Succeeded,
    /// Could not be done.
    Failed,
    /// At work: `Pending`, `Creating`, `Updating`, …
    Busy(String),
}

impl fmt::Display for Provisioning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Busy(word) => word,
        })
    }
}

/// What ARM's instance view says of a container.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ContainerFacts {
    /// Name.
    pub name: String,
    /// `Running`, `Waiting`, `Terminated`; absent without instance view.
    pub state: Option<String>,
    /// Start of the present run.
    pub started: Option<DateTime<Utc>>,
    /// Restarts.
    pub restart_count: i64,
}

#[cfg(test)]
mod tests;
