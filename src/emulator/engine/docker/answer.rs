//! What the engine's answers mean here.

use std::time::Duration;

use bollard::errors::Error;

use super::EngineError;

/// How often an answer that cannot be understood is asked for again.
const SETTLING_TRIES: u32 = 200;
/// Pause between two of those.
const SETTLING_PAUSE: Duration = Duration::from_millis(25);

/// Asks until bollard understands the answer, for a while.
///
/// Podman shows states that Docker does not have (`stopped`, between a process's end and the end of
/// its clean-up), for which bollard refuses the whole answer. They pass.
pub(super) async fn settled<T, F>(ask: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    for _ in 0..SETTLING_TRIES {
        match ask().await {
            Err(Error::JsonDataError { .. }) => tokio::time::sleep(SETTLING_PAUSE).await,
            answer => return answer,
        }
    }
    ask().await
}

/// A bollard error about `what`.
pub(super) fn fault(error: Error, what: &str) -> EngineError {
    match error {
        Error::DockerResponseServerError { status_code: 404, .. } => {
            EngineError::NotFound(what.to_owned())
        }
        Error::DockerResponseServerError { message, .. } => EngineError::Refused(message),
        Error::DockerStreamError { error } => EngineError::Refused(error),
        Error::IOError { .. }
        | Error::HyperResponseError { .. }
        | Error::HyperLegacyError { .. }
        | Error::RequestTimeoutError => EngineError::Unreachable(error.to_string()),
        other => EngineError::Refused(other.to_string()),
    }
}

pub(super) fn fault_of_container(error: Error, container: &str) -> EngineError {
    fault(error, &format!("container `{container}`"))
}

pub(super) fn missing(container: &str) -> EngineError {
    EngineError::NotFound(format!("container `{container}`"))
}

/// Whether a removal left nothing behind: what is not there, or goes already, is no error.
pub(super) fn gone(removed: Result<(), Error>, what: &str) -> Result<(), EngineError> {
    match removed.map_err(|error| fault(error, what)) {
        Err(EngineError::NotFound(_)) => Ok(()),
        other => other,
    }
}
