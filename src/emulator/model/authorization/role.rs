//! A role: which actions it gives.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Right;
use crate::emulator::model::Now;

/// A role definition.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Role {
    /// Its name on the wire, a GUID.
    pub(super) id: Uuid,
    /// Its name for people.
    pub(super) name: String,
    pub(super) description: String,
    /// Made by people, and theirs to change.
    pub(super) custom: bool,
    pub(super) permissions: Vec<Permission>,
    pub(super) assignable_scopes: Vec<String>,
    pub(super) created: Now,
    pub(super) updated: Now,
    /// Object ids; none for what Azure made.
    pub(super) created_by: Option<Uuid>,
    pub(super) updated_by: Option<Uuid>,
}

/// Actions given, less some.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Permission {
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) actions: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) not_actions: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) data_actions: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) not_data_actions: Vec<String>,
}

impl Role {
    /// Whether one of its permissions gives the right.
    pub(super) fn gives(&self, right: Right<'_>) -> bool {
        let named = |list: &[String], action: &str| list.iter().any(|one| covers(one, action));
        self.permissions.iter().any(|permission| match right {
            Right::Action(action) => {
                named(&permission.actions, action) && !named(&permission.not_actions, action)
            }
            Right::Data(action) => {
                named(&permission.data_actions, action)
                    && !named(&permission.not_data_actions, action)
            }
        })
    }
}

/// Whether a pattern covers an action. `*` is any text; `A/*/read` covers `A/read` too, as the built-in
/// Managed Identity Operator shows, which reads identities by `userAssignedIdentities/*/read`.
pub(super) fn covers(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    matches(&pattern, &action) || matches(&pattern.replace("/*/", "/"), &action)
}

fn matches(pattern: &str, action: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == action };
    let Some(rest) = action.strip_prefix(head) else { return false };
    let ends = rest.char_indices().map(|(index, _)| index).chain([rest.len()]);
    tail.is_empty() || ends.into_iter().any(|index| matches(tail, &rest[index..]))
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
