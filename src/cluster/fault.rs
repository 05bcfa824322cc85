//! What the API server's refusals mean.

use kube::core::Status;

use crate::core::Fault;
use crate::core::fault::describe;

/// So much of a refusal's text is told: some repeat what was sent.
const LONGEST: usize = 300;

/// How faults name the API server.
pub(super) const KUBERNETES: &str = "Kubernetes";

/// An error of the client as a fault.
pub(super) fn fault(error: &kube::Error) -> Fault {
    match error {
        kube::Error::Api(status) => refusal(status),
        kube::Error::SerdeError(problem) => Fault::Failing {
            service: KUBERNETES,
            // serde's text would repeat what stands there.
            message: format!("an answer of another form, at column {}", problem.column()),
            retry_after: None,
        },
        other => Fault::Unreachable { service: KUBERNETES, problem: describe(other) },
    }
}

/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#common-response-codes>: the code
/// decides, `retryAfterSeconds` says how long.
fn refusal(status: &Status) -> Fault {
    let message = shortened(&status.message, LONGEST);
    let wait = status.details.as_ref().map(|details| details.retry_after_seconds);
    let retry_after =
        wait.filter(|seconds| *seconds > 0).map(|s| std::time::Duration::from_secs(s.into()));
    match status.code {
        401 | 403 => Fault::Forbidden { service: KUBERNETES, message },
        409 => Fault::Busy { service: KUBERNETES, message, retry_after },
        429 => Fault::Throttled { service: KUBERNETES, retry_after },
        500.. => Fault::Failing { service: KUBERNETES, message, retry_after },
        _ => Fault::Refused { service: KUBERNETES, code: status.reason.clone(), message },
    }
}

/// An error of a request that had a secret in it, whose text may repeat it.
pub(super) fn veiled(error: &kube::Error) -> Fault {
    match error {
        kube::Error::Api(status) => {
            let words = format!("{} {}", status.code, status.reason);
            refusal(&Status { message: words, ..(**status).clone() })
        }
        other => fault(other),
    }
}

/// The beginning of a text, at most `most` bytes of it.
pub(super) fn shortened(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}

/// Whether the object is not there.
pub(super) fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Whether somebody was faster.
pub(super) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}
