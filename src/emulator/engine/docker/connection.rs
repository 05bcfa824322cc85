//! Finding the engine's socket.

use std::env;
use std::path::{Path, PathBuf};

use bollard::API_DEFAULT_VERSION;

use super::EngineError;

/// Seconds that the engine may take to begin an answer.
const TIMEOUT: u64 = 120;

/// A client that the engine answers, and the path of its socket.
pub(super) async fn find(socket: Option<&str>) -> Result<(bollard::Docker, PathBuf), EngineError> {
    let given = socket.map(str::to_owned).or_else(|| env::var("DOCKER_HOST").ok());
    let candidates = match given.filter(|given| !given.is_empty()) {
        Some(given) => vec![path_of(&given)?],
        None => usual(),
    };
    let mut problems = Vec::new();
    for path in candidates {
        match connect(&path).await {
            Ok(api) => return Ok((api, path)),
            Err(error) => problems.push(format!("{}: {error}", path.display())),
        }
    }
    Err(EngineError::Unreachable(problems.join("; ")))
}

/// Docker's socket, Podman's, and Podman's of this user.
fn usual() -> Vec<PathBuf> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map_or_else(
        || PathBuf::from(format!("/run/user/{}", rustix::process::getuid().as_raw())),
        PathBuf::from,
    );
    vec![
        "/var/run/docker.sock".into(),
        "/run/podman/podman.sock".into(),
        runtime.join("podman/podman.sock"),
    ]
}

fn path_of(given: &str) -> Result<PathBuf, EngineError> {
    let path = given.strip_prefix("unix://").unwrap_or(given);
    if path.starts_with('/') {
        return Ok(path.into());
    }
    Err(EngineError::Unreachable(format!("`{given}` is not a Unix socket on this machine")))
}

async fn connect(path: &Path) -> Result<bollard::Docker, bollard::errors::Error> {
    let path = path.to_string_lossy();
    let api = bollard::Docker::connect_with_unix(&path, TIMEOUT, API_DEFAULT_VERSION)?;
    api.negotiate_version().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_of_this_machine() {
        assert_eq!(path_of("unix:///run/x.sock").unwrap(), Path::new("/run/x.sock"));
        assert_eq!(path_of("/run/x.sock").unwrap(), Path::new("/run/x.sock"));
        for remote in ["tcp://192.0.2.1:2375", "ssh://host", "https://host", "x.sock"] {
            assert!(path_of(remote).is_err(), "{remote}");
        }
    }

    #[tokio::test]
    async fn a_silent_socket_is_named() {
        let Err(error) = find(Some("/nonexistent/engine.sock")).await else { panic!("an engine") };
        assert!(error.to_string().contains("/nonexistent/engine.sock"), "{error}");
    }
}
