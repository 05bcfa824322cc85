//! Faults that local Azure injects on request: a pure list, taken from as requests come.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a request is, for faults and for counting.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// PUT of a container group.
    Put,
    /// PATCH of a container group.
    Patch,
    /// GET of a container group.
    Get,
    /// LIST of container groups.
    List,
    /// DELETE of a container group.
    Delete,
    /// POST start.
    Start,
    /// POST stop.
    Stop,
    /// POST restart.
    Restart,
    /// GET logs.
    Logs,
    /// POST exec.
    Exec,
    /// GET of an operation's status or result.
    Poll,
    /// Anything on resource groups.
    ResourceGroup,
    /// Anything on role assignments.
    RoleAssignment,
    /// Anything else that ARM answers.
    Other,
    /// GET and HEAD of a blob.
    BlobRead,
    /// PUT and DELETE of a blob or container.
    BlobWrite,
    /// LIST of blobs or containers.
    BlobList,
    /// Anything on leases of blobs and containers.
    BlobLease,
    /// GET of Microsoft Graph.
    GraphRead,
    /// Anything else of Microsoft Graph.
    GraphWrite,
    /// What Entra publishes: the OpenID document and the signing keys.
    EntraKeys,
    /// The pages of Entra where one signs in.
    EntraSignIn,
    /// A token of Entra.
    EntraToken,
    /// A token of a group's metadata service.
    Identity,
}

impl Operation {
    /// Whether it is of the Blob service.
    fn is_blob(self) -> bool {
        matches!(self, Self::BlobRead | Self::BlobWrite | Self::BlobList | Self::BlobLease)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One injected fault.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// What happens.
    #[serde(flatten)]
    pub effect: Effect,
    /// Only to this operation; none: to those that the effect names by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Only to this container group, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Only to what is in this blob container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// So many times; none: until cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// What a fault does.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Effect {
    /// 429 with `Retry-After`.
    Throttle {
        /// Seconds in the header.
        retry_after: u32,
    },
    /// 409 `ContainerGroupTransitioning`.
    Conflict,
    /// The Blob service refuses: 409, 412, 429 or 503 with the code that it has for it.
    BlobRefused {
        /// The status.
        status: u16,
        /// Seconds in the header `Retry-After`, if it is sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
    },
    /// A blob is written or deleted, and the connection ends before that is said.
    BlobAnswerLost,
    /// 500 `InternalServerError`.
    Error,
    /// The answer comes late.
    Latency {
        /// By so many milliseconds.
        millis: u64,
    },
    /// The connection is dropped without an answer.
    Reset,
    /// POST exec answers, its WebSocket refuses the handshake.
    ExecRefused,
    /// The exec session is cut.
    ExecDiesAfter {
        /// After so many bytes of input.
        bytes: u64,
    },
    /// A PUT's value at this path is not taken over.
    IgnoreField {
        /// Dotted path from the resource's top: `properties.containers.0.properties.image`.
        path: String,
    },
    /// A PUT's value at this path is stored as another.
    NormaliseField {
        /// Dotted path, as above.
        path: String,
        /// The stored value.
        value: serde_json::Value,
    },
    /// A policy adds this tag to every group that is written.
    PolicyTag {
        /// Name of the tag.
        name: String,
        /// Its value.
        value: String,
    },
    /// For a while after a write, reads show what was there before it. Graph's are late anyway: there
    /// it says by how much, for `graph-write` alone.
    ReadsLag {
        /// How long, in seconds.
        seconds: u32,
    },
    /// The caller has no right in Graph: 403 `Authorization_RequestDenied`.
    GraphDenied,
    /// The caller has `Application.ReadWrite.OwnedBy` in Graph and no more.
    GraphOwnedBy,
    /// A new role assignment counts only after a while; real ones take minutes.
    RbacDelay {
        /// How long, in seconds.
        seconds: u32,
    },
    /// The metadata service of a group answers its containers only a while after their start.
    IdentityLate {
        /// How long, in seconds.
        seconds: u32,
    },
}

impl Fault {
    /// Whether it is about this operation in this place: a container group, or a blob container.
    fn meets(&self, operation: Operation, place: Option<&str>) -> bool {
        let here = match self.operation {
            Some(only) => only == operation,
            None => self.effect.applies_to(operation),
        };
        let only = if operation.is_blob() { &self.container } else { &self.group };
        let meant = |only: &str| place.is_some_and(|place| place.eq_ignore_ascii_case(only));
        here && only.as_deref().is_none_or(meant)
    }
}

impl Effect {
    /// What the effect applies to where the fault does not say.
    fn applies_to(&self, operation: Operation) -> bool {
        use Operation::{
            BlobLease, BlobWrite, Delete, EntraKeys, EntraSignIn, EntraToken, Exec, GraphRead,
            GraphWrite, Identity, Patch, Poll, Put, Restart, RoleAssignment, Start, Stop,
        };
        match self {
            // Entra fails by itself: without it nobody gets as far as ARM. So does storage.
            Self::Throttle { .. } | Self::Error | Self::Latency { .. } | Self::Reset => {
                !matches!(operation, EntraKeys | EntraSignIn | EntraToken | Identity)
                    && !operation.is_blob()
            }
            Self::BlobRefused { status: 409 | 412, .. } => matches!(operation, BlobWrite),
            Self::BlobRefused { .. } => operation.is_blob(),
            Self::BlobAnswerLost => matches!(operation, BlobWrite | BlobLease),
            Self::Conflict => matches!(operation, Put | Delete | Start | Stop | Restart),
            Self::ExecRefused | Self::ExecDiesAfter { .. } => operation == Exec,
            Self::IgnoreField { .. } | Self::NormaliseField { .. } => operation == Put,
            Self::PolicyTag { .. } => matches!(operation, Put | Patch),
            Self::ReadsLag { .. } => matches!(operation, Put | Patch | Delete) && operation != Poll,
            Self::RbacDelay { .. } => operation == RoleAssignment,
            Self::IdentityLate { .. } => operation == Identity,
            Self::GraphDenied | Self::GraphOwnedBy => matches!(operation, GraphRead | GraphWrite),
        }
    }

    /// Whether the effect replaces or delays the answer, rather than changing what is stored.
    fn is_outward(&self) -> bool {
        matches!(
            self,
            Self::Throttle { .. }
                | Self::Conflict
                | Self::Error
                | Self::Latency { .. }
                | Self::Reset
                | Self::BlobRefused { .. }
                | Self::BlobAnswerLost
        )
    }
}

/// The list of injected faults, in the order in which they were given.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds a fault.
    pub fn add(&mut self, fault: Fault) {
        if fault.times != Some(0) {
            self.0.push(fault);
        }
    }

    /// Removes every fault.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// All of them.
    pub fn list(&self) -> &[Fault] {
        &self.0
    }

    /// What replaces or delays the answer to a request: at most one refusal, and all latencies
    /// before it. `place` is the container group, or the blob container.
    pub fn outward(&mut self, operation: Operation, place: Option<&str>) -> Vec<Effect> {
        let mut refused = false;
        self.take(operation, place, |effect| {
            let wanted = effect.is_outward() && !refused;
            refused |= wanted && !matches!(effect, Effect::Latency { .. });
            wanted
        })
    }

    /// What changes the meaning of a request that is served.
    pub fn inward(&mut self, operation: Operation, group: Option<&str>) -> Vec<Effect> {
        self.take(operation, group, |effect| !effect.is_outward())
    }

    /// The effects on an operation that are not used up by it: how long something takes.
    pub fn standing(&self, operation: Operation, group: Option<&str>) -> Vec<Effect> {
        let here = self.0.iter().filter(|fault| fault.meets(operation, group));
        here.map(|fault| fault.effect.clone()).collect()
    }

    fn take(
        &mut self,
        operation: Operation,
        place: Option<&str>,
        mut wanted: impl FnMut(&Effect) -> bool,
    ) -> Vec<Effect> {
        let mut taken = Vec::new();
        for fault in &mut self.0 {
            if fault.meets(operation, place) && wanted(&fault.effect) {
                taken.push(fault.effect.clone());
                if let Some(times) = &mut fault.times {
                    *times -= 1;
                }
            }
        }
        self.0.retain(|fault| fault.times != Some(0));
        taken
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(value: serde_json::Value) -> Fault {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_fault_with_a_count_is_used_up() {
        let mut faults = Faults::default();
        faults.add(fault(json!({"fault": "throttle", "retryAfter": 7, "times": 2})));
        for expected in [1, 1, 0] {
            assert_eq!(faults.outward(Operation::Get, None).len(), expected);
        }
        assert!(faults.list().is_empty());
    }

    #[test]
    fn filters_hold() {
        let mut faults = Faults::default();
        faults.add(fault(json!({"fault": "error", "operation": "put", "group": "a"})));
        faults.add(fault(json!({"fault": "exec-dies-after", "bytes": 9})));
        for (operation, group, outward, inward) in [
            (Operation::Put, Some("A"), 1, 0),
            (Operation::Put, Some("b"), 0, 0),
            (Operation::Get, Some("a"), 0, 0),
            (Operation::Exec, Some("a"), 0, 1),
        ] {
            assert_eq!(faults.outward(operation, group).len(), outward);
            assert_eq!(faults.inward(operation, group).len(), inward);
        }
    }

    #[test]
    fn one_refusal_is_spent_at_a_time() {
        let mut faults = Faults::default();
        faults.add(fault(json!({"fault": "latency", "millis": 1, "times": 1})));
        faults.add(fault(json!({"fault": "reset", "times": 1})));
        faults.add(fault(json!({"fault": "error", "times": 1})));
        assert_eq!(faults.outward(Operation::Get, None).len(), 2);
        assert_eq!(faults.outward(Operation::Get, None), [Effect::Error]);
    }
}
