//! Azure, as somebody sees it: what one may do there, and how much, depends on who asks.

use std::sync::Arc;

use super::{ContainerGroups, Directory, ResourceGroups};
use crate::core::Credential;

/// Azure, as one identity sees it. A clone is cheap.
#[derive(Clone)]
pub struct Azure {
    /// The principal: [`Credential::principal`], or empty for the operator's own.
    pub principal: String,
    /// Container groups in ARM.
    pub groups: Arc<dyn ContainerGroups>,
    /// Resource groups in ARM.
    pub resource_groups: Arc<dyn ResourceGroups>,
    /// Applications in the directory.
    pub directory: Arc<dyn Directory>,
    /// Subscription of manifests that name none.
    pub subscription: Option<String>,
}

/// Azure, for each identity.
pub trait Clients: Send + Sync {
    /// Azure as the operator itself sees it.
    fn own(&self) -> Azure;
    /// Azure as `credential` sees it. For the same credential it is the same client: connections, tokens
    /// and request limits are shared.
    ///
    /// # Errors
    /// The credential cannot be used here; why, for people, without its secret.
    fn of(&self, credential: &Credential) -> Result<Azure, String>;
}
