//! What one local Azure draws at its first start and keeps: identifiers, secrets, ports.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::files;

/// Second octet of the first network of public addresses, and how many networks there are.
const NETWORKS_FROM: u8 = 10;
const NETWORKS: u8 = 200;

/// The facts, kept in `installation.json`. Secrets are in it.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Installation {
    pub(super) tenant: Uuid,
    pub(super) subscription: Uuid,
    /// The service principal that `local env` hands out.
    pub(super) client_id: Uuid,
    pub(super) client_secret: String,
    /// The managed identity.
    pub(super) identity_client_id: Uuid,
    /// `IDENTITY_HEADER`.
    pub(super) identity_header: String,
    pub(super) admin_token: String,
    /// Identifiers of ARM's objects are derived from it.
    pub(super) seed: Uuid,
    ports: Ports,
}

/// One port a listener; 0 until drawn.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(default)]
struct Ports {
    arm: u16,
    entra: u16,
    graph: u16,
    exec: u16,
    admin: u16,
    identity: u16,
    blob: u16,
}

/// The bound listeners.
pub(super) struct Listeners {
    pub(super) arm: TcpListener,
    pub(super) entra: TcpListener,
    pub(super) graph: TcpListener,
    pub(super) exec: TcpListener,
    pub(super) admin: TcpListener,
    pub(super) identity: TcpListener,
    pub(super) blob: TcpListener,
}

impl Installation {
    /// The facts of `dir`, drawn and kept there at first use.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        if let Some(kept) = files::read(&path(dir))? {
            return Ok(serde_json::from_slice(&kept)?);
        }
        let drawn = Self {
            tenant: Uuid::new_v4(),
            subscription: Uuid::new_v4(),
            client_id: Uuid::new_v4(),
            client_secret: secret()?,
            identity_client_id: Uuid::new_v4(),
            identity_header: secret()?,
            admin_token: secret()?,
            seed: Uuid::new_v4(),
            ports: Ports::default(),
        };
        drawn.keep(dir)?;
        Ok(drawn)
    }

    /// Binds every listener, on the ports of last time.
    pub(super) fn bind(&mut self, dir: &Path, address: IpAddr) -> io::Result<Listeners> {
        let bind = |port: &mut u16| -> io::Result<TcpListener> {
            let listener = TcpListener::bind(SocketAddr::new(address, *port))?;
            *port = listener.local_addr()?.port();
            Ok(listener)
        };
        let ports = &mut self.ports;
        let listeners = Listeners {
            arm: bind(&mut ports.arm)?,
            entra: bind(&mut ports.entra)?,
            graph: bind(&mut ports.graph)?,
            exec: bind(&mut ports.exec)?,
            admin: bind(&mut ports.admin)?,
            identity: bind(&mut ports.identity)?,
            blob: bind(&mut ports.blob)?,
        };
        self.keep(dir)?;
        Ok(listeners)
    }

    /// The /16 of loopback from which public addresses come: another for each installation, so that
    /// two on one machine seldom meet.
    pub(super) fn network(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, NETWORKS_FROM + self.seed.as_bytes()[0] % NETWORKS, 0, 0)
    }

    pub(super) fn arm_url(&self) -> String {
        format!("https://localhost:{}", self.ports.arm)
    }

    pub(super) fn entra_url(&self) -> String {
        format!("https://localhost:{}", self.ports.entra)
    }

    pub(super) fn graph_url(&self) -> String {
        format!("https://localhost:{}", self.ports.graph)
    }

    /// Where storage accounts are, each at `/NAME`.
    pub(super) fn blob_url(&self) -> String {
        format!("https://localhost:{}", self.ports.blob)
    }

    pub(super) fn exec_port(&self) -> u16 {
        self.ports.exec
    }

    pub(super) fn admin_url(&self) -> String {
        format!("https://localhost:{}", self.ports.admin)
    }

    /// Plain HTTP, as the metadata services of the platform are.
    pub(super) fn identity_url(&self) -> String {
        format!("http://127.0.0.1:{}/msi/token", self.ports.identity)
    }

    fn keep(&self, dir: &Path) -> io::Result<()> {
        files::write(&path(dir), &serde_json::to_vec_pretty(self)?)
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("installation.json")
}

/// 256 random bits, in letters and digits that need no quoting.
pub(super) fn secret() -> io::Result<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| io::Error::other("no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Compares secrets in a time that does not depend on where they differ.
pub(super) fn same_secret(given: &str, expected: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(given.as_bytes(), expected.as_bytes()).is_ok()
}
