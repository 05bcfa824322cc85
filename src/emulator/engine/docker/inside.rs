//! What local Azure offers inside the groups: listeners in their network namespaces, and trust.
//!
//! Local Azure listens on the host's loopback, and a group has a loopback of its own. So a thread of
//! this process enters the group's namespace for a moment and binds there; the sockets, once made, belong to
//! that namespace and are served from here. No relay, no other address, the same URL on both sides. It
//! takes an engine on this machine and the right to enter its namespaces (root).

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::image::Image;
use super::loopback;
use super::{ContainerRun, Door, GroupRun, Inside, MountRun, VolumeRun};

/// The volume with the certificates that containers should trust: no name that ACI allows.
const VOLUME: &str = "local.azure";
const FOLDER: &str = "/etc/local-azure";
const FILE: &str = "trusted.pem";
/// What tells OpenSSL, and all that is built on it, of them.
const VARIABLE: &str = "SSL_CERT_FILE";

/// What is offered, and the doors that are open.
#[derive(Default)]
pub(super) struct Premises {
    inside: OnceLock<Inside>,
    /// By group; dropping one closes its doors.
    open: Mutex<HashMap<String, DropGuard>>,
}

impl Premises {
    /// Says what is offered, once.
    pub(super) fn offer(&self, inside: Inside) {
        // A second local Azure on one engine value does not exist.
        let _ = self.inside.set(inside);
    }

    /// Opens the doors of a group whose holder runs as `pid`.
    pub(super) async fn open(&self, group: &str, pid: i64) {
        let Some(inside) = self.inside.get() else { return };
        let addresses = inside.addresses.clone();
        let bound = tokio::task::spawn_blocking(move || listen(pid, &addresses)).await;
        let bound = match bound.map_err(io::Error::other).flatten() {
            Ok(bound) => bound,
            Err(error) => {
                tracing::warn!(group, %error, "its containers cannot reach local Azure");
                return;
            }
        };
        let closed = CancellationToken::new();
        for (address, bound) in inside.addresses.iter().zip(bound) {
            match bound {
                Ok(listener) => {
                    let (group, closed) = (group.to_owned(), closed.clone());
                    // Nobody receives any more where local Azure is going down.
                    let _ = inside.opened.send(Door { group, listener, closed });
                }
                Err(error) => {
                    tracing::warn!(group, %address, %error, "its containers find nobody there");
                }
            }
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(group.to_owned(), closed.drop_guard());
    }

    /// Closes the doors of a group: an open socket would keep its namespace.
    pub(super) fn close(&self, group: &str) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(group);
    }

    /// Closes all doors.
    pub(super) fn close_all(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The group with a volume that holds the certificates, in each of its containers.
    pub(super) fn furnish(&self, run: &GroupRun) -> GroupRun {
        let mut run = run.clone();
        let Some(inside) = self.inside.get() else { return run };
        let files = [(FILE.to_owned(), inside.trusted.clone())];
        run.volumes.insert(VOLUME.to_owned(), VolumeRun::Secret(files.into()));
        for container in run.init_containers.iter_mut().chain(&mut run.containers) {
            let (volume, path) = (VOLUME.to_owned(), FOLDER.to_owned());
            container.mounts.push(MountRun { volume, path, read_only: true });
        }
        run
    }

    /// Makes a container trust them, unless it has been told what to trust.
    pub(super) fn trust(&self, container: &mut ContainerRun, image: &Image) {
        let set = container.environment.iter().any(|(name, _)| name == VARIABLE);
        if self.inside.get().is_some() && !set && !image.sets(VARIABLE) {
            container.environment.push((VARIABLE.to_owned(), format!("{FOLDER}/{FILE}")));
        }
    }
}

/// Binds each of `addresses` in the network namespace of the process `pid`.
fn listen(pid: i64, addresses: &[SocketAddr]) -> io::Result<Vec<io::Result<TcpListener>>> {
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    // A thread of its own, which ends there: none of the others may ever be in a group's namespace.
    std::thread::scope(|scope| {
        let entered = scope.spawn(|| {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(addresses.iter().map(bind).collect())
        });
        entered.join().unwrap_or_else(|_| Err(io::Error::other("the thread has failed")))
    })
}

/// Binds an address, which the loopback interface is given first unless it has it from the start.
fn bind(address: &SocketAddr) -> io::Result<TcpListener> {
    if let SocketAddr::V4(address) = address
        && !address.ip().is_loopback()
    {
        loopback::add(*address.ip())?;
    }
    TcpListener::bind(address)
}
