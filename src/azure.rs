//! Azure Resource Manager and Container Instances, over the `azure_core` pipeline.
//!
//! [`Azure`] implements the ports [`ContainerGroups`](crate::ports::ContainerGroups) and
//! [`ResourceGroups`](crate::ports::ResourceGroups), and has a [`Directory`]; [`Clients`] has one of them for
//! each identity. It decides nothing and remembers next to
//! nothing: one call is one request (a list is one a page), no write is repeated, nothing is waited
//! for; what the service asks us to wait is in the [`Fault`](crate::core::Fault). Why this client is
//! our own: `docs/adr/0002-own-arm-client.md`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use azure_core::credentials::TokenCredential;

use crate::ports::{Directory, Fence, Grants};
use crate::tls;

pub mod cloud;
pub mod credential;
pub mod device_code;
pub mod graph;
pub mod wire;

mod arm;
mod clients;
mod container_groups;
mod exec;
mod fault;
mod fenced;
mod limits;
mod resource_groups;
mod resources;

pub use clients::Clients;
pub use cloud::Cloud;
pub use credential::Environment;

/// Told of every request: what it was for, such as `containerGroups.put`, and the status of the
/// answer, 0 where there was none.
pub type Observer = Arc<dyn Fn(&'static str, u16) + Send + Sync>;

/// Azure, as far as the operator uses it. A clone is cheap and shares connections and limits.
#[derive(Clone)]
pub struct Azure {
    arm: Arc<arm::Arm>,
    dialer: exec::Dialer,
    /// Microsoft Graph.
    directory: graph::Graph<graph::Pipe>,
    /// Subscriptions that were asked to register a resource provider, and which.
    registered: Arc<Mutex<HashSet<(String, String)>>>,
}

impl Azure {
    /// A client of `cloud` that signs in with `credential`; see [`credential::chain`]. No write begins
    /// without leave of `fence`.
    ///
    /// # Errors
    /// The cloud's endpoints or its CA cannot be used.
    pub fn new(
        cloud: &Cloud,
        credential: Arc<dyn TokenCredential>,
        observer: Observer,
        fence: &Fence,
    ) -> Result<Self, Error> {
        clients::Shared::new(cloud, observer, fence)?.sign_in("", credential)
    }
}

impl Azure {
    /// Rights in the directory.
    pub fn grants(&self) -> impl Grants + use<> {
        self.directory.clone()
    }

    /// Applications in the directory.
    pub fn directory(&self) -> impl Directory + use<> {
        self.directory.clone()
    }
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An endpoint that is no `https` URL; tokens are sent to no other.
    #[error("the endpoint `{0}` must be an https URL")]
    Endpoint(String),
    /// The cloud's CA.
    #[error("the TLS set-up cannot be made")]
    Tls(#[from] tls::Error),
    /// The HTTP client.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
    /// A credential that cannot be used as it is configured.
    #[error("a credential cannot be used")]
    Credential(#[from] azure_core::Error),
    /// az's profile.
    #[error("az's profile `{path}` cannot be read: {problem}")]
    Profile {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}
