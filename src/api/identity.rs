//! `identity` of a container group: who its containers may be.
//! <https://learn.microsoft.com/azure/container-instances/container-instances-managed-identity>

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Managed identities of a group, in the words of `az container create --file`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Its own, some that are assigned, or both.
    #[serde(rename = "type")]
    #[schemars(extend("x-aci-spelling" = "CaseInsensitive"))]
    pub kind: IdentityType,
    /// Those assigned, each by its resource id, `{}` after it. The operator's own identity needs
    /// `Microsoft.ManagedIdentity/userAssignedIdentities/assign/action` on each.
    #[expect(clippy::zero_sized_map_values, reason = "as az writes it; the values are read-only")]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-aci-spelling" = "CaseInsensitive", "maxProperties" = MOST_IDENTITIES))]
    pub user_assigned_identities: BTreeMap<String, AssignedIdentity>,
}

/// Identities of one group, so that rules over them are bounded.
const MOST_IDENTITIES: usize = 20;

/// Kind of a group's identities.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum IdentityType {
    /// Made and deleted with the group; its rights must be given after that.
    SystemAssigned,
    /// Made before, with rights of its own.
    UserAssigned,
    /// Both.
    #[serde(rename = "SystemAssigned, UserAssigned")]
    Both,
}

impl IdentityType {
    /// Whether identities are named.
    pub fn names_some(self) -> bool {
        self != Self::SystemAssigned
    }
}

/// An identity that is assigned; it has no settings.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct AssignedIdentity {}
