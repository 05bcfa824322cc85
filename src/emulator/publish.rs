//! Where the ports of container groups are published.

use std::io;
use std::net::IpAddr;

use async_trait::async_trait;

use super::engine::Endpoints;

/// Public addresses of container groups, each a loopback address of its own.
#[async_trait]
pub trait Publish: Send + Sync {
    /// Makes `group` reachable at `ip`, on each port of `endpoints`, and nowhere else.
    async fn set(&self, group: &str, ip: IpAddr, endpoints: &Endpoints) -> io::Result<()>;
    /// Closes the group's listeners and cuts its connections; none is success.
    async fn remove(&self, group: &str);
}

/// Publishes nothing: for an engine that runs nothing.
pub struct Nowhere;

#[async_trait]
impl Publish for Nowhere {
    async fn set(&self, _group: &str, _ip: IpAddr, _endpoints: &Endpoints) -> io::Result<()> {
        Ok(())
    }

    async fn remove(&self, _group: &str) {}
}
