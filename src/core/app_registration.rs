//! `AppRegistration`: what we want of the applications of a protected API, what Graph shows, and the
//! one step between them.
//!
//! Graph answers from replicas: a read may be older than a write of ours. What was written in the last
//! minute is therefore remembered, and a read is corrected by it ([`Memory`]); a plan starts from
//! what is so believed, and an old read leads to a wait and not to a second write.

use std::collections::BTreeSet;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

mod desired;
mod foreign;
mod memory;
mod plan;
mod properties;
mod wanted;

pub use desired::{
    Desired, GroupView, Holder, Observed, RoleWanted, ScopeWanted, Seen, Step, Swagger,
};
pub use foreign::{SWAGGER_PATH, is_foreign, origin_of};
pub use memory::{AppMemory, Effect, Memory, believed, settle};
pub use plan::{Facts, plan};
pub use properties::{AppRole, Properties, RequiredAccess, Scope};

/// One of the two applications.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Which {
    /// The API's.
    Api,
    /// Swagger's.
    Swagger,
}

impl Which {
    /// Both, the API's first.
    pub const ALL: [Self; 2] = [Self::Api, Self::Swagger];

    /// Name by which Graph finds the application of an owner, and of which there is one in a tenant.
    /// <https://learn.microsoft.com/graph/api/application-upsert>
    pub fn unique_name(self, owner: &str) -> String {
        let part = match self {
            Self::Api => "api",
            Self::Swagger => "swagger",
        };
        format!("aci-operator-{}-{part}", owner.replace('/', "-"))
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "the API's application",
            Self::Swagger => "Swagger's application",
        })
    }
}

/// An application as Graph shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// Id of the object in the directory.
    pub object_id: String,
    /// Application (client) id, the same in every tenant.
    pub app_id: String,
    /// What of it is of interest here; each is there.
    pub properties: Properties,
}

/// A deleted application, kept for 30 days.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deleted {
    /// Id of the object.
    pub object_id: String,
    /// Tags.
    pub tags: BTreeSet<String>,
}

/// Consent to scopes for all users.
/// <https://learn.microsoft.com/graph/api/resources/oauth2permissiongrant>
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Its id.
    pub id: String,
    /// Values of the scopes.
    pub scopes: BTreeSet<String>,
}

/// Who the operator is in the directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The tenant.
    pub tenant: String,
    /// Where its users sign in.
    pub authority: String,
}

/// What begins the tag that names an application's owner.
const OWNER_TAG: &str = "aci-operator-owner:";

/// The tag of an owner: home and object.
pub fn owner_tag(owner: &str) -> String {
    format!("{OWNER_TAG}{owner}")
}

/// The owner that tags name.
pub fn owner_of(tags: &BTreeSet<String>) -> Option<&str> {
    tags.iter().find_map(|tag| tag.strip_prefix(OWNER_TAG))
}

/// The id of a scope or role of ours: the same for life, for tokens and consents refer to it (a UUID
/// of RFC 9562 section 5.8).
pub fn derived_id(owner: &str, kind: &str, value: &str) -> String {
    let hash = digest(&SHA256, format!("{owner}\n{kind}\n{value}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests;
