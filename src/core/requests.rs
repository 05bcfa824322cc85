//! What a person asks of an object.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a person asked of an object; kept until it is asked otherwise. In a cluster these are
/// annotations.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// `renew`: leaves issued before are due.
    pub renew: Option<DateTime<Utc>>,
    /// `reconcile`: look now.
    pub reconcile: Option<DateTime<Utc>>,
    /// `approve`.
    pub approve: Option<Approval>,
    /// `suspend`: no step at all.
    #[serde(default)]
    pub suspended: bool,
    /// `delete`.
    pub delete: Option<DateTime<Utc>>,
}

/// Leave for one plan, once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Approval {
    /// Digest of the approved plan.
    pub digest: String,
    /// When it was given.
    pub at: DateTime<Utc>,
}
