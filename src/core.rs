//! The functional core: values in, values out.
//!
//! **Invariant:** nothing here awaits, reads a clock, draws a random number or does I/O. Time and
//! randomness are arguments; a decision is a value that the shell carries out.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub mod app_registration;
pub mod certificate;
pub mod container_group;
pub mod credential;
pub mod fault;
pub mod fields;
pub mod install;
pub mod issuer;
pub mod names;
pub mod outcome;
pub mod references;
pub mod requests;
pub mod secret;
pub mod sidecar;

pub use credential::Credential;
pub use fault::Fault;
pub use secret::Secret;

/// What is wanted of an object.
#[derive(Clone, Copy, Debug)]
pub enum Goal<D> {
    /// It exists, like this.
    Present(D),
    /// It is gone.
    Absent,
}

/// The decision of one pass: at most one write, why, and when to look again.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a plan does nothing until the shell performs it"]
pub struct Plan<S, M> {
    /// The one write, if any.
    pub step: Option<S>,
    /// The summary from which `Ready`, `Reconciling` and `Stalled` are made.
    pub health: Health,
    /// Why.
    pub reason: Reason,
    /// The same for people.
    pub message: String,
    /// The other conditions of this kind.
    pub conditions: Vec<Assertion>,
    /// What the next pass has to know.
    pub memory: M,
    /// Our mark was seen on the thing itself: the ledger's claim is now a proof.
    pub made: bool,
    /// When to look again.
    pub wake: Wake,
}

/// kstatus' summary of an object.
/// <https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md>
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Health {
    /// As wanted.
    Ready,
    /// On the way.
    Reconciling,
    /// Not before somebody does something.
    Stalled,
    /// Deleted, nothing is left to do.
    Gone,
}

/// When the next pass is due, if no event comes first; the soonest is the least.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Wake {
    /// After this time.
    After(Duration),
    /// Only on a change.
    OnChange,
}

/// What a change of a running group costs its users, cheapest first.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum Cost {
    /// Tags alone (PATCH).
    Tag,
    /// Nothing restarts.
    Hot,
    /// In-place update (PUT): every container restarts.
    Restart,
    /// Delete and create: the address may change.
    Replace,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why something is as it is: one closed list for conditions, events and metrics.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum Reason {
    /// A redirect URI leads to an address that is no longer ours: it leaves first.
    AddressLost,
    /// A step above `spec.updatePolicy` waits for `aci-operator approve`.
    ApprovalRequired,
    /// An issuer's root or a provided certificate is in place.
    Available,
    /// A certificate is wrong: the message says which check failed.
    BadCertificate,
    /// Something in Azure is going on; ARM asks us to wait.
    Busy,
    /// The containers were told their public origins, or are being told.
    OriginsTold,
    /// Something that follows the group's origins is behind.
    OriginsBehind,
    /// The leaf is valid and names all that it should.
    CertificateValid,
    /// The manifest changed.
    Changed,
    /// Creating what is not there.
    Creating,
    /// Gone, as wanted.
    Deleted,
    /// Deleting, as wanted.
    Deleting,
    /// Somebody else changed the resource.
    Drifted,
    /// The address is assigned.
    EndpointAssigned,
    /// Exec works: certificates rotate without a restart.
    ExecAvailable,
    /// Exec failed; the message says how.
    ExecFailed,
    /// A finished job.
    Finished,
    /// ARM says no: a right is missing.
    Forbidden,
    /// Somebody else added to an application, and `spec.foreign` refuses that.
    ForeignEdits,
    /// Graph says no: an administrator has to grant a right, with the command in the message.
    GraphNotGranted,
    /// As wanted.
    InSync,
    /// The manifest cannot be read or cannot be done.
    Invalid,
    /// A new leaf is being issued.
    Issuing,
    /// A deleted application that is not ours holds the name.
    NameInRecycleBin,
    /// Azure keeps another value than the one that was put.
    NotConverging,
    /// A resource of that name exists and is not ours.
    NotOwned,
    /// Nothing is known yet.
    Pending,
    /// The manifest went away; nothing is deleted.
    Orphaned,
    /// ARM is at work.
    Provisioning,
    /// ARM could not do it.
    ProvisioningFailed,
    /// ARM refuses the request.
    Refused,
    /// The addresses of the group are redirect URIs.
    Registered,
    /// Something that the manifest names is not there.
    ReferenceMissing,
    /// Deleted to be made anew.
    Replacing,
    /// The name constraints of the root exclude a wanted name.
    RootMustBeReplaced,
    /// A new leaf is on its way to the sidecar.
    Rotating,
    /// The operator runs in this container group, and would stop itself.
    SelfReplace,
    /// The stored leaf is the one served.
    Serving,
    /// Another leaf is served than the stored one.
    ServingOther,
    /// `aci-operator suspend`.
    Suspended,
    /// The containers ended and will not start again by themselves.
    Terminated,
    /// A request limit is reached.
    Throttled,
    /// A new image of the operator is tried beside it.
    Trial,
    /// It did not pass.
    TrialFailed,
    /// Something does not answer.
    Unreachable,
    /// Not looked at, because it does not apply or cannot be done from here.
    Unknown,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Truth of a condition.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody knows.
    Unknown,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Type of a condition.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum ConditionType {
    /// Everything is as wanted.
    Ready,
    /// On the way.
    Reconciling,
    /// Stuck until somebody does something.
    Stalled,
    /// The stored leaf is valid and complete.
    CertificateReady,
    /// The group has its address.
    EndpointAssigned,
    /// The stored leaf is the one that was seen served.
    ServingCurrent,
    /// The redirect URIs of the app registrations that follow the group are its public origins.
    AppRegistrationReady,
    /// The containers know the public origins (CORS).
    OriginsCurrent,
    /// A certificate can rotate without a restart.
    HotRotationAvailable,
    /// The addresses of the group are redirect URIs, and no lost one is.
    RedirectUrisCurrent,
    /// Somebody else changed the resource, and it is not repaired yet.
    Drifted,
    /// Azure keeps values other than those that were put.
    NotConverging,
    /// `aci-operator suspend`.
    Suspended,
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a plan says of one condition; when it last changed is added by [`outcome::conclude`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Assertion {
    /// Which condition.
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: Truth,
    /// Why.
    pub reason: Reason,
    /// The same for people.
    pub message: String,
}

impl Assertion {
    /// An assertion.
    pub fn new(
        kind: ConditionType,
        status: impl Into<Truth>,
        reason: Reason,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, status: status.into(), reason, message: message.into() }
    }
}

/// A condition in the shape of `metav1.Condition`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: Truth,
    /// Why.
    pub reason: Reason,
    /// The same for people.
    pub message: String,
    /// When `status` last changed.
    pub last_transition_time: DateTime<Utc>,
    /// Generation of the manifest that this speaks of.
    pub observed_generation: i64,
}

/// A manifest that can never succeed until its author edits it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{path}`: {problem}")]
pub struct Invalid {
    /// Field path, such as `spec.containers[2].image`.
    pub path: String,
    /// What is wrong with it and what to do.
    pub problem: String,
}

impl Invalid {
    /// A problem of the field at `path`.
    pub fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }
}
