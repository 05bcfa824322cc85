//! The two containers of a home in Azure.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::cached::{OURS, Remote};
use super::fault;
use super::lease::BlobLease;
use crate::blobs::{Access, Container, Expected, Read, Version};
use crate::core::Fault;
use crate::ports::{Fence, Lease};

/// What the second container is called: the first one's name, and this.
const SECRETS_SUFFIX: &str = "-secrets";
/// First segments of what is in the second container.
const SECRET: [&str; 3] = ["secrets", "pairs", "digest-key"];
/// The blob whose lease says who works on the home. It has no content.
const LEASE: &str = "lease";

/// A home's containers: one that may be read by who may see status, and one for secrets.
pub(super) struct Containers {
    plain: Container,
    secret: Container,
    /// Whether this process may write what only the daemon writes.
    fence: Fence,
}

impl Containers {
    /// The container at `url` and the one beside it; nothing is asked yet.
    pub(super) fn open(url: &Url, access: &Access, fence: Fence) -> Result<Self, Fault> {
        let secret = beside(url).ok_or_else(|| fault(url.to_string(), &"is no container"))?;
        let (plain, secret) = (Container::open(url, access)?, Container::open(&secret, access)?);
        Ok(Self { plain, secret, fence })
    }

    /// Does a write. One of the daemon's begins, and is repeated, only as long as it has leave.
    async fn write<T>(
        &self,
        name: &str,
        write: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, Fault> {
        if !OURS.contains(&name.split('/').next().unwrap_or_default()) {
            return write.await;
        }
        self.fence.check(Instant::now())?;
        let Some(end) = self.fence.end() else { return write.await };
        match timeout_at(end, write).await {
            Ok(written) => written,
            Err(_) => Err(fault(self.place(name), &"was not written before the lease ran out")),
        }
    }

    /// Where a blob is.
    fn of(&self, name: &str) -> &Container {
        let room = name.split('/').next().unwrap_or_default();
        if SECRET.contains(&room) { &self.secret } else { &self.plain }
    }
}

#[async_trait]
impl Remote for Containers {
    async fn get(&self, name: &str, known: Option<&Version>) -> Result<Read, Fault> {
        self.of(name).get(name, known).await
    }

    async fn put(
        &self,
        name: &str,
        content: Vec<u8>,
        expected: &Expected,
    ) -> Result<Option<Version>, Fault> {
        self.write(name, self.of(name).put(name, content, expected)).await
    }

    async fn delete(&self, name: &str, expected: &Expected) -> Result<bool, Fault> {
        self.write(name, self.of(name).delete(name, expected)).await
    }

    async fn list(&self, prefix: &str) -> Result<BTreeMap<String, Version>, Fault> {
        self.of(prefix).list(prefix).await
    }

    fn place(&self, name: &str) -> String {
        self.of(name).place(name)
    }

    async fn take(&self) -> Result<Option<Box<dyn Lease>>, Fault> {
        BlobLease::take(self.plain.blob(LEASE), self.place(LEASE)).await
    }

    async fn is_taken(&self) -> Result<bool, Fault> {
        BlobLease::is_taken(&self.plain.blob(LEASE), self.place(LEASE)).await
    }
}

/// The URL of the container for secrets.
fn beside(url: &Url) -> Option<Url> {
    let name = url.path_segments()?.next_back().filter(|name| !name.is_empty())?;
    let name = format!("{name}{SECRETS_SUFFIX}");
    let mut url = url.clone();
    url.path_segments_mut().ok()?.pop().push(&name);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_for_secrets_is_beside_the_other() {
        for (url, expected) in [
            (
                "https://a.blob.core.windows.net/home",
                "https://a.blob.core.windows.net/home-secrets",
            ),
            ("https://localhost:1/a/home", "https://localhost:1/a/home-secrets"),
        ] {
            assert_eq!(beside(&url.parse().unwrap()).unwrap().as_str(), expected);
        }
        assert_eq!(beside(&"https://a.blob.core.windows.net/".parse().unwrap()), None);
    }
}
