//! `local fault`: what goes wrong on request.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::print::{self, plain};
use super::{Output, Result, Session};
use crate::core::names;

/// Which requests a fault meets.
#[derive(Args, Debug)]
pub(super) struct Filter {
    /// Only this operation; without, those that the fault is about
    #[arg(long, value_parser = OPERATIONS)]
    operation: Option<String>,
    /// Only this container group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Only what is in this blob container
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// So many times; without, until cleared
    #[arg(long, value_name = "COUNT")]
    times: Option<u32>,
}

const OPERATIONS: [&str; 24] = [
    "put",
    "patch",
    "get",
    "list",
    "delete",
    "start",
    "stop",
    "restart",
    "logs",
    "exec",
    "poll",
    "resource-group",
    "role-assignment",
    "other",
    "blob-read",
    "blob-write",
    "blob-list",
    "blob-lease",
    "graph-read",
    "graph-write",
    "entra-keys",
    "entra-sign-in",
    "entra-token",
    "identity",
];

/// What `fault blob` may answer.
const STATUSES: [&str; 4] = ["409", "412", "429", "503"];

#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "\
Examples:
  aci-operator local fault throttle --retry-after 7s --operation put --times 1
  aci-operator local fault ip-change app-with-ssl
  aci-operator local fault list
  aci-operator local fault clear"
)]
pub(super) enum FaultCommand {
    /// Shows the faults that wait
    #[command(after_help = "Example:\n  aci-operator local fault list")]
    List,
    /// Removes all faults
    #[command(after_help = "Example:\n  aci-operator local fault clear")]
    Clear,
    /// 429 with Retry-After
    #[command(
        after_help = "Example:\n  aci-operator local fault throttle --retry-after 7s --operation put --times 1"
    )]
    Throttle {
        /// What the header asks
        #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = names::duration)]
        retry_after: Duration,
        #[command(flatten)]
        filter: Filter,
    },
    /// 409, another operation is going on
    #[command(after_help = "Example:\n  aci-operator local fault conflict --times 2")]
    Conflict(Filter),
    /// 500, Azure is broken
    #[command(after_help = "Example:\n  aci-operator local fault error --operation list --times 3")]
    Error(Filter),
    /// The answer comes late
    #[command(after_help = "Example:\n  aci-operator local fault latency 2s --operation get")]
    Latency {
        /// By how much
        #[arg(value_parser = names::duration)]
        by: Duration,
        #[command(flatten)]
        filter: Filter,
    },
    /// The connection drops without an answer
    #[command(after_help = "Example:\n  aci-operator local fault reset --times 1")]
    Reset(Filter),
    /// The Blob service refuses: 409 conflict, 412 condition not met, 429 throttled, 503 busy
    #[command(after_help = "\
Examples:
  aci-operator local fault blob 412 --times 1
  aci-operator local fault blob 503 --retry-after 2s --operation blob-write --container home")]
    Blob {
        /// The status
        #[arg(value_parser = STATUSES)]
        status: String,
        /// What the header Retry-After asks; without, it is not sent
        #[arg(long, value_name = "DURATION", value_parser = names::duration)]
        retry_after: Option<Duration>,
        #[command(flatten)]
        filter: Filter,
    },
    /// A blob is written, and the connection drops before that is said
    #[command(after_help = "Example:\n  aci-operator local fault blob-answer-lost --times 1")]
    BlobAnswerLost(Filter),
    /// The WebSocket of an exec session is refused
    #[command(
        after_help = "Example:\n  aci-operator local fault exec-refused --group app-with-ssl"
    )]
    ExecRefused(Filter),
    /// An exec session dies
    #[command(after_help = "Example:\n  aci-operator local fault exec-dies --after 4096 --times 1")]
    ExecDies {
        /// After so many bytes of input
        #[arg(long, value_name = "BYTES")]
        after: u64,
        #[command(flatten)]
        filter: Filter,
    },
    /// The value of a PUT at a path is not taken over
    #[command(
        after_help = "Example:\n  aci-operator local fault ignore-field 'properties.containers[0].properties.image'"
    )]
    IgnoreField {
        /// Such as properties.containers[0].properties.image
        path: String,
        #[command(flatten)]
        filter: Filter,
    },
    /// The value of a PUT at a path is stored as another
    #[command(
        after_help = "Example:\n  aci-operator local fault normalise-field properties.restartPolicy Always"
    )]
    NormaliseField {
        /// Such as properties.containers[0].properties.image
        path: String,
        /// JSON, or else a text
        value: String,
        #[command(flatten)]
        filter: Filter,
    },
    /// A policy adds a tag to every group that is written
    #[command(after_help = "Example:\n  aci-operator local fault policy-tag costCentre 4711")]
    PolicyTag {
        /// Name of the tag
        name: String,
        /// Its value
        value: String,
        #[command(flatten)]
        filter: Filter,
    },
    /// After a write, reads show for a while what was before it
    #[command(after_help = "\
Examples:
  aci-operator local fault reads-lag 5s --times 1
  aci-operator local fault reads-lag 0s --operation graph-write")]
    ReadsLag {
        /// How long
        #[arg(value_parser = names::duration)]
        by: Duration,
        #[command(flatten)]
        filter: Filter,
    },
    /// Graph refuses everything with 403
    #[command(after_help = "Example:\n  aci-operator local fault graph-denied")]
    GraphDenied(Filter),
    /// In Graph, the caller may only change the applications that it owns
    #[command(after_help = "Example:\n  aci-operator local fault graph-owned-by")]
    GraphOwnedBy(Filter),
    /// A new role assignment counts only after a while
    #[command(after_help = "Example:\n  aci-operator local fault rbac-delay 2m")]
    RbacDelay {
        /// How long
        #[arg(value_parser = names::duration)]
        by: Duration,
        #[command(flatten)]
        filter: Filter,
    },
    /// A group's metadata service has tokens only a while after its containers' start
    #[command(after_help = "Example:\n  aci-operator local fault identity-late 30s")]
    IdentityLate {
        /// How long
        #[arg(value_parser = names::duration)]
        by: Duration,
        #[command(flatten)]
        filter: Filter,
    },
    /// Entra signs with a new key
    #[command(after_help = "\
Examples:
  aci-operator local fault rotate-keys
  aci-operator local fault rotate-keys --drop-old")]
    RotateKeys {
        /// Publish the old keys no longer: tokens that they signed are good for nothing
        #[arg(long)]
        drop_old: bool,
    },
    /// The public address changes
    #[command(after_help = "Example:\n  aci-operator local fault ip-change app-with-ssl")]
    IpChange {
        /// Name of the container group
        group: String,
    },
    /// The platform moves a group: containers anew, another address
    #[command(after_help = "Example:\n  aci-operator local fault move-host app-with-ssl")]
    MoveHost {
        /// Name of the container group
        group: String,
    },
    /// A container's main process dies
    #[command(after_help = "Example:\n  aci-operator local fault crash app-with-ssl my-api")]
    Crash {
        /// Name of the container group
        group: String,
        /// Name of the container
        container: String,
    },
}

impl Session {
    pub(super) async fn fault(&self, command: &FaultCommand) -> Result<()> {
        match command {
            FaultCommand::List => {
                let faults = self.app.local_status().await?.faults;
                if let Output::Json | Output::Yaml = self.output {
                    return self.print_document(&json!(faults));
                }
                if faults.is_empty() {
                    self.screen.note("No faults wait");
                }
                for fault in faults {
                    print::line(&plain(&fault.to_string()))?;
                }
            }
            FaultCommand::Clear => self.app.clear_faults().await?,
            other => self.app.inject(injection(other)).await?,
        }
        Ok(())
    }
}

/// A fault as the admin listener of local Azure takes it.
fn injection(command: &FaultCommand) -> Value {
    use FaultCommand as F;
    let (effect, filter) = match command {
        F::Throttle { retry_after, filter } => {
            (json!({"fault": "throttle", "retryAfter": retry_after.as_secs()}), filter)
        }
        F::Conflict(filter) => (json!({"fault": "conflict"}), filter),
        F::Error(filter) => (json!({"fault": "error"}), filter),
        F::Latency { by, filter } => {
            let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
            (json!({"fault": "latency", "millis": millis}), filter)
        }
        F::Reset(filter) => (json!({"fault": "reset"}), filter),
        F::Blob { status, retry_after, filter } => {
            let status: Option<u16> = status.parse().ok();
            let retry_after = retry_after.map(|after| after.as_secs());
            let effect =
                json!({"fault": "blob-refused", "status": status, "retryAfter": retry_after});
            (effect, filter)
        }
        F::BlobAnswerLost(filter) => (json!({"fault": "blob-answer-lost"}), filter),
        F::ExecRefused(filter) => (json!({"fault": "exec-refused"}), filter),
        F::ExecDies { after, filter } => {
            (json!({"fault": "exec-dies-after", "bytes": after}), filter)
        }
        F::IgnoreField { path, filter } => (json!({"fault": "ignore-field", "path": path}), filter),
        F::NormaliseField { path, value, filter } => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            (json!({"fault": "normalise-field", "path": path, "value": value}), filter)
        }
        F::PolicyTag { name, value, filter } => {
            (json!({"fault": "policy-tag", "name": name, "value": value}), filter)
        }
        F::ReadsLag { by, filter } => {
            (json!({"fault": "reads-lag", "seconds": by.as_secs()}), filter)
        }
        F::GraphDenied(filter) => (json!({"fault": "graph-denied"}), filter),
        F::GraphOwnedBy(filter) => (json!({"fault": "graph-owned-by"}), filter),
        F::RbacDelay { by, filter } => {
            (json!({"fault": "rbac-delay", "seconds": by.as_secs()}), filter)
        }
        F::IdentityLate { by, filter } => {
            (json!({"fault": "identity-late", "seconds": by.as_secs()}), filter)
        }
        F::RotateKeys { drop_old } => {
            return json!({"accident": "rotate-keys", "dropOld": drop_old});
        }
        F::IpChange { group } => return json!({"accident": "ip-change", "group": group}),
        F::MoveHost { group } => return json!({"accident": "move-host", "group": group}),
        F::Crash { group, container } => {
            return json!({"accident": "crash", "group": group, "container": container});
        }
        F::List | F::Clear => return Value::Null,
    };
    let mut injection = effect;
    injection["operation"] = json!(filter.operation);
    injection["group"] = json!(filter.group);
    injection["container"] = json!(filter.container);
    injection["times"] = json!(filter.times);
    injection
}
