//! What Graph answers when it refuses, in its words where they are known.
//!
//! Source of the shape: learn.microsoft.com/graph/errors.

use serde_json::{Value, json};

/// A refusal: an HTTP status and the body `{"error": {"code", "message", "innerError"}}`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub struct Error {
    /// HTTP status.
    pub status: u16,
    /// Machine-readable code.
    pub code: String,
    /// Text for people.
    pub message: String,
    /// A finer code and the property that it is about.
    details: Option<(&'static str, String)>,
}

impl Error {
    /// A refusal with a status, a code and a message.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), details: None }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "Request_BadRequest", message)
    }

    /// The same with a finer code.
    pub(super) fn about(self, code: &'static str, target: &str) -> Self {
        Self { details: Some((code, target.to_owned())), ..self }
    }

    pub(super) fn not_found(id: &str) -> Self {
        let message = format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are not \
             present."
        );
        Self::new(404, "Request_ResourceNotFound", message)
    }

    /// learn.microsoft.com/graph/resolve-auth-errors.
    pub(super) fn denied() -> Self {
        let message = "Insufficient privileges to complete the operation.";
        Self::new(403, "Authorization_RequestDenied", message)
    }

    pub(super) fn segment(name: &str) -> Self {
        let message = format!("Resource not found for the segment '{name}'.");
        Self::new(400, "BadRequest", message)
    }

    pub(super) fn method() -> Self {
        let message = "Specified HTTP method is not allowed for the request target.";
        Self::new(405, "Request_BadRequest", message)
    }

    /// A value that must be unique is taken: microsoftgraph/msgraph-bicep-types #137 for `uniqueName`,
    /// Azure/go-autorest #308 for `identifierUris` and the finer code.
    pub(super) fn taken(property: &str) -> Self {
        let message =
            format!("Another object with the same value for property {property} already exists.");
        Self::bad(message).about("ObjectConflict", property)
    }

    /// A service principal's names are taken: KelvinTegelaar/CIPP #1142.
    pub(super) fn name_in_use(name: &str) -> Self {
        let message = format!(
            "The service principal cannot be created, updated, or restored because the service \
             principal name {name} is already in use."
        );
        Self::new(409, "Request_MultipleObjectsWithSameKeyValue", message)
    }

    pub(super) fn read_only(property: &str) -> Self {
        Self::bad(format!("Property '{property}' is read-only and cannot be set."))
    }

    pub(super) fn missing(property: &str, resource: &str) -> Self {
        let message =
            format!("A value is required for property '{property}' of resource '{resource}'.");
        Self::bad(message)
    }

    /// The object inside `error`, but for `innerError`.
    pub(super) fn body(&self) -> Value {
        let mut body = json!({"code": self.code, "message": self.message});
        if let Some((code, target)) = &self.details {
            body["details"] = json!([{"code": code, "message": self.message, "target": target}]);
        }
        body
    }
}
