//! What went wrong, in the service's words.

use azure_core::error::ErrorKind;
use azure_core::http::StatusCode;
use azure_storage_blob::StorageError;

use crate::core::Fault;
use crate::core::fault::describe;

const SERVICE: &str = "Azure Storage";
const REMEDY: &str = "the operator needs the role Storage Blob Data Contributor at both containers of \
                      its home, a reader Storage Blob Data Reader at the first";

/// No such blob. A container that is not there is another matter.
pub fn is_absent(e: &azure_core::Error) -> bool {
    e.http_status() == Some(StatusCode::NotFound) && code(e) == "BlobNotFound"
}

/// Somebody else was first: 412, and 409 where a blob was to be made that is there.
pub(super) fn is_conflict(e: &azure_core::Error) -> bool {
    match e.http_status() {
        Some(StatusCode::PreconditionFailed) => true,
        Some(StatusCode::Conflict) => code(e) == "BlobAlreadyExists",
        _ => false,
    }
}

/// The service's code of an error; empty where it has none.
pub fn code(e: &azure_core::Error) -> &str {
    match e.kind() {
        ErrorKind::HttpResponse { error_code: Some(code), .. } => code,
        _ => "",
    }
}

/// An error of the client as ours.
pub fn told(what: &str, e: azure_core::Error) -> Fault {
    let Some(status) = e.http_status() else {
        return Fault::Unreachable {
            service: SERVICE,
            problem: format!("{what}: {}", describe(&e)),
        };
    };
    let code = code(&e).to_owned();
    let words = StorageError::try_from(e).ok().and_then(|error| error.message);
    // After the first line come the request's id and time.
    let words = words.as_deref().and_then(|words| words.lines().next()).unwrap_or_default();
    let message = format!("{what}: {code}: {words}");
    match u16::from(status) {
        401 | 403 => Fault::NotGranted { service: SERVICE, message, remedy: REMEDY.to_owned() },
        404 if code == "ContainerNotFound" => {
            super::store(what, &"the container does not exist: make it first")
        }
        408 | 429 => Fault::Throttled { service: SERVICE, retry_after: None },
        409 => Fault::Busy { service: SERVICE, message, retry_after: None },
        500.. => Fault::Failing { service: SERVICE, message, retry_after: None },
        _ => Fault::Refused { service: SERVICE, code, message },
    }
}
