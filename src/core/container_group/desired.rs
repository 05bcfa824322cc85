//! What is wanted of a group, what was seen of it, and the steps between the two.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Body, Follower, Group, Memory};
use crate::core::Cost;
use crate::core::certificate::{self, KeyAlgorithm, LeafRequest, Pair};
use crate::core::fields::Field;
use crate::core::issuer::Constraints;
use crate::core::requests::Requests;
use crate::core::sidecar::Sidecar;

/// Tags that the operator writes. ARM compares their names without case and forbids `/` in them;
/// others may write them too, so a tag is a claim and the ledger the proof.
pub mod tags {
    /// Home and object that keep the group.
    pub const OWNER: &str = "aci-operator-owner";
    /// Keyed digest of the user's part.
    pub const DIGEST: &str = "aci-operator-digest";
    /// Version of the sidecar's template.
    pub const SIDECAR: &str = "aci-operator-sidecar";
    /// Serial number and end of life of the leaf on the secret volume.
    pub const LEAF: &str = "aci-operator-leaf";

    /// The value of a tag, whatever case its name has.
    pub fn get<'a>(
        all: &'a std::collections::BTreeMap<String, String>,
        name: &str,
    ) -> Option<&'a str> {
        all.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// What is wanted of a group, parsed and resolved.
#[derive(Clone, Debug)]
pub struct Desired {
    /// Region.
    pub location: String,
    /// The user's part with its secrets: ACI's vocabulary without sidecar.
    pub user: Hidden,
    /// What a comparison with ARM starts from: the user's part with the sidecar, secrets or not.
    pub want: Hidden,
    /// The user's tags.
    pub tags: BTreeMap<String, String>,
    /// What is known of the fields.
    pub fields: &'static Field,
    /// Keyed digest of the user's part.
    pub digest: String,
    /// Keyed digest of the user's part without the first container's image: of the group that the operator runs
    /// in, what has to be as before when a new image is rolled out.
    pub frame: String,
    /// Highest cost that needs no approval.
    pub allowed: Cost,
    /// Take over a group that somebody else made.
    pub adopt: bool,
    /// Whether ended containers are meant to start again.
    pub service: bool,
    /// TLS in front of it.
    pub tls: Option<TlsDesired>,
    /// The object's identity, which spreads renewals.
    pub uid: String,
}

/// A tree that may hold secret values: elided in `Debug`.
#[derive(Clone, PartialEq)]
pub struct Hidden(pub Value);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[elided]")
    }
}

/// TLS that is wanted.
#[derive(Clone, Debug)]
pub struct TlsDesired {
    /// The sidecar.
    pub sidecar: Sidecar,
    /// DNS names that the user stated.
    pub hosts: BTreeSet<String>,
    /// Who signs.
    pub issuer: IssuerView,
    /// Key of the leaf.
    pub algorithm: KeyAlgorithm,
    /// Its life.
    pub life: Duration,
    /// New leaves go into the running sidecar; else by an in-place update.
    pub hot: bool,
    /// Refresh the volume's leaf by an update of its own before it expires.
    pub refresh_volume: bool,
}

/// Who signs, as far as the group must know.
#[derive(Clone, Debug)]
pub enum IssuerView {
    /// A root of ours.
    Local {
        /// What it may sign.
        constraints: Constraints,
        /// Key identifier of the root.
        key: Option<String>,
    },
    /// The user's own chain and key, and why they cannot be used.
    Provided {
        /// Chain and key.
        pair: Box<Pair>,
        /// SHA-256 of the leaf's DER form, hexadecimal.
        fingerprint: String,
        /// The check that failed, if one did.
        failed: Option<String>,
    },
}

/// What was seen of a group in one pass.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The group in ARM; `None` is a 404.
    pub group: Option<Group>,
    /// Whether the resource group exists; only looked at where the group does not.
    pub resource_group: bool,
    /// The stored leaf.
    pub leaf: Option<StoredLeaf>,
    /// What a handshake saw.
    pub served: Served,
    /// Whether the operator itself runs in it.
    pub own: bool,
    /// The group in which a new image of the operator is tried; only looked at where `own`.
    pub trial: Option<Group>,
    /// Value of our owner tag.
    pub owner: String,
    /// The ledger's proof that the group is ours.
    pub made: bool,
    /// What the last pass left.
    pub memory: Memory,
    /// What people ask.
    pub requests: Requests,
    /// Who follows the group's origins.
    pub followers: Vec<Follower>,
}

/// The stored leaf.
#[derive(Clone, Debug)]
pub struct StoredLeaf {
    /// Chain and key.
    pub pair: Pair,
    /// What it is.
    pub facts: certificate::Observed,
}

/// What a handshake with the group's address saw.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Served {
    /// There is no address yet, or no TLS.
    NotTried,
    /// It cannot be reached from here; why.
    Unreachable(String),
    /// A certificate.
    Leaf {
        /// SHA-256 of its DER form, hexadecimal.
        fingerprint: String,
        /// Serial number, hexadecimal.
        serial: String,
        /// End of its life.
        not_after: DateTime<Utc>,
    },
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Make the resource group.
    CreateResourceGroup,
    /// Sign a leaf and store it.
    IssueLeaf(LeafRequest),
    /// Store the user's own pair as the leaf.
    StoreLeaf(Box<Pair>),
    /// Show that exec works, changing nothing.
    TryExec,
    /// Put the stored leaf into the running sidecar.
    SwapLeaf(Box<Pair>),
    /// Tell the group's containers their public origins.
    TellOrigins(BTreeSet<String>),
    /// Replace the tags.
    Tag(BTreeMap<String, String>),
    /// Put the whole body.
    Put(Box<Body>),
    /// Delete the group.
    Delete,
    /// Try a new image of the operator in a group beside its own.
    PutTrial(Box<Body>),
    /// Delete that group.
    DeleteTrial,
}

impl Step {
    /// Whether containers of the group stop by it.
    pub fn stops_containers(&self) -> bool {
        matches!(self, Self::Put(_) | Self::Delete)
    }

    /// Name for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateResourceGroup => "CreateResourceGroup",
            Self::IssueLeaf(_) => "IssueLeaf",
            Self::StoreLeaf(_) => "StoreLeaf",
            Self::TryExec => "TryExec",
            Self::SwapLeaf(_) => "SwapLeaf",
            Self::TellOrigins(_) => "TellOrigins",
            Self::Tag(_) => "Tag",
            Self::Put(_) => "Put",
            Self::Delete => "Delete",
            Self::PutTrial(_) => "PutTrial",
            Self::DeleteTrial => "DeleteTrial",
        }
    }
}
