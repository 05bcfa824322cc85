//! A client of the cloud for each identity.
//!
//! All share the network: connections, the fence, and the limits that Azure counts for a subscription,
//! whoever asks. Tokens, and limits that it counts for a principal, are each one's own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::http::ClientOptions;
use rustls::ClientConfig;
use tokio::time::Instant;

use super::fenced::Fenced;
use super::limits::Limits;
use super::{Azure, Cloud, Environment, Error, Observer, arm, credential, exec, graph};
use crate::core::Credential;
use crate::core::fault::describe;
use crate::ports::{self, Fence};
use crate::tls;

/// For how long a client that nobody asks for is kept.
const UNUSED: Duration = Duration::from_hours(1);

/// What the clients of a cloud share.
pub(super) struct Shared {
    cloud: Cloud,
    tls: Arc<ClientConfig>,
    client: Arc<Fenced>,
    limits: Arc<Mutex<Limits>>,
    observer: Observer,
    fence: Fence,
}

impl Shared {
    pub(super) fn new(cloud: &Cloud, observer: Observer, fence: &Fence) -> Result<Self, Error> {
        let tls = tls::client_config(&cloud.ca_pem)?;
        Ok(Self {
            client: Arc::new(Fenced::new(&tls, fence.clone())?),
            limits: Arc::new(Mutex::new(cloud.limits.clone())),
            cloud: cloud.clone(),
            tls,
            observer,
            fence: fence.clone(),
        })
    }

    /// A client that signs in with `credential`, which is that of `principal`.
    pub(super) fn sign_in(
        &self,
        principal: &str,
        credential: Arc<dyn TokenCredential>,
    ) -> Result<Azure, Error> {
        let Self { cloud, client, observer, .. } = self;
        Ok(Azure {
            directory: graph::Graph::new(graph::Pipe::new(
                cloud,
                client.clone(),
                credential.clone(),
                observer.clone(),
            )?),
            arm: Arc::new(arm::Arm::new(
                cloud,
                client.clone(),
                credential,
                observer.clone(),
                (self.limits.clone(), principal),
            )?),
            dialer: exec::Dialer::new(
                self.tls.clone(),
                cloud.exec_domains.clone(),
                self.fence.clone(),
            ),
            registered: Arc::default(),
        })
    }
}

/// A client for each identity.
pub struct Clients {
    shared: Shared,
    environment: Environment,
    options: ClientOptions,
    own: ports::Azure,
    others: Mutex<HashMap<Credential, Kept>>,
}

/// A client, and when it was asked for.
struct Kept {
    azure: ports::Azure,
    used: Instant,
}

impl Clients {
    /// Clients of `cloud`; the operator's own identity is that of `environment`, see [`credential::chain`].
    /// No write begins without leave of `fence`.
    ///
    /// # Errors
    /// The cloud, or what the environment configures, cannot be used.
    pub fn new(
        cloud: &Cloud,
        environment: Environment,
        observer: Observer,
        fence: &Fence,
    ) -> Result<Self, Error> {
        let shared = Shared::new(cloud, observer, fence)?;
        let options = credential::options(cloud, &environment)?;
        let own = shared.sign_in("", credential::chain_with(&environment, &options)?)?;
        let subscription = credential::default_subscription(&environment)?;
        Ok(Self {
            own: port(own, String::new(), subscription),
            options,
            shared,
            environment,
            others: Mutex::default(),
        })
    }
}

impl ports::Clients for Clients {
    fn own(&self) -> ports::Azure {
        self.own.clone()
    }

    fn of(&self, credential: &Credential) -> Result<ports::Azure, String> {
        let now = Instant::now();
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = others.get_mut(credential) {
            kept.used = now;
            return Ok(kept.azure.clone());
        }
        let told = |error: Error| describe(&error);
        let principal = credential.principal();
        let token = credential::of(credential, &self.environment, &self.options)?;
        let azure = self.shared.sign_in(&principal, token).map_err(told)?;
        let azure = port(azure, principal, credential.subscription.clone());
        others.retain(|_, kept| now.duration_since(kept.used) < UNUSED);
        others.insert(credential.clone(), Kept { azure: azure.clone(), used: now });
        Ok(azure)
    }
}

fn port(azure: Azure, principal: String, subscription: Option<String>) -> ports::Azure {
    let directory = Arc::new(azure.directory());
    let azure = Arc::new(azure);
    ports::Azure {
        principal,
        groups: azure.clone(),
        resource_groups: azure,
        directory,
        subscription,
    }
}
