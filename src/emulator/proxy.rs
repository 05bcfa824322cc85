//! The public addresses of local Azure: a loopback address per group, forwarded to its containers.
//!
//! A container engine publishes a group's ports on `127.0.0.1` at random ports; here the group's
//! own address listens on the ports that the group declares. Real Azure gives a group a new
//! address when it is stopped and started or moved to another host, and everything connected to the
//! old one is cut: so it is here.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use super::engine::Endpoints;

/// Pause after a failed accept (out of file descriptors, say), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// All public addresses. Dropping it closes every listener and cuts every connection.
#[derive(Default)]
pub struct Proxy {
    groups: Mutex<HashMap<String, Public>>,
}

/// One group's address and what listens on it, by port.
struct Public {
    ip: IpAddr,
    listeners: BTreeMap<u16, Forwarder>,
}

impl Proxy {
    /// A proxy that listens nowhere yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `group` reachable at `ip`, on each port of `endpoints`, and nowhere else.
    ///
    /// Listeners that the group has on that address already stay, with their connections; new
    /// connections go to the new endpoint. Every other listener of the group is closed and its
    /// connections are cut. On an error the group keeps what it had.
    ///
    /// # Errors
    /// `InvalidInput` where `ip` is not a loopback address; else what `bind(2)` says.
    pub async fn set(&self, group: &str, ip: IpAddr, endpoints: &Endpoints) -> io::Result<()> {
        if !ip.is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{ip} is not a loopback address"),
            ));
        }
        let mut groups = self.groups.lock().await;
        let kept = groups.get(group).filter(|public| public.ip == ip);
        let mut opened = BTreeMap::new();
        for (&port, &target) in endpoints {
            if !kept.is_some_and(|public| public.listeners.contains_key(&port)) {
                let listener = TcpListener::bind((ip, port)).await?;
                opened.insert(port, Forwarder::new(listener, target));
            }
        }
        let mut old = groups.remove(group);
        if let Some(public) = old.as_mut().filter(|public| public.ip == ip) {
            for (&port, &target) in endpoints {
                if let Some(forwarder) = public.listeners.remove(&port) {
                    forwarder.target.send_replace(target);
                    opened.insert(port, forwarder);
                }
            }
        }
        groups.insert(group.to_owned(), Public { ip, listeners: opened });
        close(old).await;
        Ok(())
    }

    /// Closes the group's listeners and cuts its connections; none is success.
    pub async fn remove(&self, group: &str) {
        close(self.groups.lock().await.remove(group)).await;
    }
}

/// Returns when the sockets are closed.
async fn close(public: Option<Public>) {
    for mut forwarder in public.into_iter().flat_map(|public| public.listeners.into_values()) {
        forwarder.task.shutdown().await;
    }
}

/// A listener and its connections.
struct Forwarder {
    target: watch::Sender<SocketAddr>,
    /// The accept loop, which owns the connections.
    task: JoinSet<()>,
}

impl Forwarder {
    fn new(listener: TcpListener, target: SocketAddr) -> Self {
        let (target, current) = watch::channel(target);
        let mut task = JoinSet::new();
        task.spawn(accept(listener, current));
        Self { target, task }
    }
}

async fn accept(listener: TcpListener, target: watch::Receiver<SocketAddr>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(forward(client, *target.borrow()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries bytes both ways until both ends are closed; a target that refuses closes the client.
async fn forward(mut client: TcpStream, target: SocketAddr) {
    let carried = async {
        let mut server = TcpStream::connect(target).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        tokio::io::copy_bidirectional(&mut client, &mut server).await
    };
    if let Err(error) = carried.await {
        tracing::debug!(%target, %error, "connection cut");
    }
}
