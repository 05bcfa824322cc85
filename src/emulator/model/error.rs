//! What ARM answers when it refuses, in its words where they are known.

use serde_json::{Value, json};

use super::GROUP_TYPE;

/// A refusal: an HTTP status and the body `{"error": {"code", "message"}}`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub struct Error {
    /// HTTP status.
    pub status: u16,
    /// Machine-readable code.
    pub code: String,
    /// Text for people.
    pub message: String,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u32>,
    details: Option<Value>,
}

impl Error {
    /// A refusal with a status, a code and a message.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            retry_after: None,
            details: None,
        }
    }

    /// The same, to be tried again after so many seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The body on the wire.
    pub fn body(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(details) = &self.details {
            error["details"] = details.clone();
        }
        json!({"error": error})
    }

    pub(super) fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// There is no such subscription.
    pub fn subscription_not_found(id: &str) -> Self {
        let message = format!("The subscription '{id}' could not be found.");
        Self::new(404, "SubscriptionNotFound", message)
    }

    pub(super) fn operation_not_found(id: &str) -> Self {
        Self::new(404, "OperationNotFound", format!("The operation '{id}' was not found."))
    }

    pub(super) fn resource_group_not_found(name: &str) -> Self {
        let message = format!("Resource group '{name}' could not be found.");
        Self::new(404, "ResourceGroupNotFound", message)
    }

    pub(super) fn group_not_found(resource_group: &str, name: &str) -> Self {
        Self::resource_not_found(GROUP_TYPE, resource_group, name)
    }

    pub(super) fn resource_not_found(kind: &str, resource_group: &str, name: &str) -> Self {
        let message = format!(
            "The Resource '{kind}/{name}' under resource group '{resource_group}' was not found. For \
             more details please go to https://aka.ms/ARMResourceNotFoundFix"
        );
        Self::new(404, "ResourceNotFound", message)
    }

    /// A resource cannot be put into another region.
    pub(super) fn moved(name: &str, location: &str, resource_group: &str, wanted: &str) -> Self {
        let message = format!(
            "The resource '{name}' already exists in location '{location}' in resource group \
             '{resource_group}'. A resource with the same name cannot be created in location \
             '{wanted}'. Please select a new resource name."
        );
        Self::new(409, "InvalidResourceLocation", message)
    }

    pub(super) fn container_not_found(group: &str, container: &str) -> Self {
        let message =
            format!("The container '{container}' in container group '{group}' is not found.");
        Self::new(404, "ContainerNotFound", message)
    }

    /// Source: the troubleshooting page "container group remains in a transitioning state".
    pub fn transitioning(group: &str) -> Self {
        let message =
            format!("The container group '{group}' is still transitioning, please retry later.");
        Self::new(409, "ContainerGroupTransitioning", message)
    }

    /// Source of code and text: MicrosoftDocs/azure-docs #38067.
    pub(super) fn replace_only(group: &str) -> Self {
        let message = format!(
            "The updates on container group '{group}' are invalid. If you are going to update the os \
             type, restart policy, network profile, CPU, memory or GPU resources for a container \
             group, you must delete it first and then create a new one."
        );
        Self::bad("InvalidContainerGroupUpdate", message)
    }

    /// Terminated groups cannot be updated (learn.microsoft.com/azure/container-instances/
    /// container-instances-update); the text is not documented.
    pub(super) fn terminated(group: &str) -> Self {
        let message = format!(
            "The updates on container group '{group}' are invalid. A terminated container group \
             cannot be updated: delete it first and then create a new one."
        );
        Self::bad("InvalidContainerGroupUpdate", message)
    }

    /// The details are what Azure's SDKs read before they register the provider by themselves.
    pub(super) fn not_registered(namespace: &str) -> Self {
        let message = format!(
            "The subscription is not registered to use namespace '{namespace}'. See \
             https://aka.ms/rps-not-found for how to register subscriptions."
        );
        let details = json!([{"code": "MissingSubscriptionRegistration", "target": namespace, "message": message}]);
        Self {
            details: Some(details),
            ..Self::new(409, "MissingSubscriptionRegistration", message)
        }
    }
}
