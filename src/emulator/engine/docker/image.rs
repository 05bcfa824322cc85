//! Finding images: what is there is used, what is not is pulled.

use bollard::auth::DockerCredentials;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::TryStreamExt as _;

use super::{EngineError, RegistryCredential};

/// The registry of references that name none.
const DEFAULT_REGISTRY: &str = "docker.io";

/// An image that the engine has.
pub(super) struct Image {
    /// The engine's id.
    pub(super) id: String,
    environment: Vec<String>,
}

impl Image {
    fn of(found: ImageInspect) -> Option<Self> {
        let environment = found.config.and_then(|config| config.env).unwrap_or_default();
        Some(Self { id: found.id?, environment })
    }

    /// Whether its environment has the variable.
    pub(super) fn sets(&self, variable: &str) -> bool {
        self.environment.iter().any(|set| set.split('=').next() == Some(variable))
    }
}

/// An image, pulled if it is not there.
///
/// # Errors
/// `Image` where the reference is malformed or the image can neither be found nor pulled.
pub(super) async fn ensure(
    api: &bollard::Docker,
    image: &str,
    registries: &[RegistryCredential],
) -> Result<Image, EngineError> {
    let failed = |problem: String| EngineError::Image { image: image.to_owned(), problem };
    if !is_reference(image) {
        return Err(failed("not an image reference".to_owned()));
    }
    // Any failure here shows again, with a cause, in the pull.
    if let Ok(found) = api.inspect_image(image).await {
        return Image::of(found).ok_or_else(|| failed("the engine gives it no id".to_owned()));
    }
    let options = CreateImageOptionsBuilder::default().from_image(&tagged(image)).build();
    api.create_image(Some(options), None, credentials(image, registries))
        .try_collect::<Vec<_>>()
        .await
        .map_err(|error| failed(error.to_string()))?;
    let pulled = api.inspect_image(image).await.map_err(|error| failed(error.to_string()))?;
    Image::of(pulled).ok_or_else(|| failed("the engine gives it no id".to_owned()))
}

/// Whether the text can stand in a URL of the engine as it is: references have no other characters.
fn is_reference(image: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-:/@".contains(c);
    image.starts_with(|c: char| c.is_ascii_alphanumeric())
        && image.chars().all(allowed)
        && !image.contains("..")
}

/// With the tag that a reference without tag and digest means; else Docker pulls every tag.
fn tagged(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

/// The host of the reference's registry, by Docker's rule: a first part with a dot or a port, or
/// `localhost`.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => DEFAULT_REGISTRY,
    }
}

fn credentials(image: &str, registries: &[RegistryCredential]) -> Option<DockerCredentials> {
    let wanted = registry(image);
    let given = registries.iter().find(|credential| match credential.server.as_str() {
        "index.docker.io" => wanted == DEFAULT_REGISTRY,
        server => server.eq_ignore_ascii_case(wanted),
    })?;
    Some(DockerCredentials {
        username: Some(given.username.clone()),
        password: Some(given.password.clone()),
        serveraddress: Some(given.server.clone()),
        ..DockerCredentials::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_docker_reads_them() {
        for (image, host, full) in [
            ("nginx", "docker.io", "nginx:latest"),
            ("team/app:1", "docker.io", "team/app:1"),
            ("docker.io/library/nginx:1.30", "docker.io", "docker.io/library/nginx:1.30"),
            ("r.example.com:5000/a/b", "r.example.com:5000", "r.example.com:5000/a/b:latest"),
            ("localhost/a@sha256:00", "localhost", "localhost/a@sha256:00"),
        ] {
            assert!(is_reference(image));
            assert_eq!((registry(image), tagged(image).as_str()), (host, full));
        }
        for hostile in ["", "../containers", "a?fromSrc=x", "a#b", "a b", "-v", "a/../../b"] {
            assert!(!is_reference(hostile), "{hostile:?}");
        }
    }

    #[test]
    fn credentials_go_to_their_registry_only() {
        let registries = [RegistryCredential {
            server: "r.example.com".to_owned(),
            username: "u".to_owned(),
            password: "p".to_owned(),
        }];
        assert!(credentials("R.example.com/a:1", &registries).is_some());
        assert!(credentials("r.example.com.evil.example/a:1", &registries).is_none());
        assert!(credentials("a:1", &registries).is_none());
    }
}
