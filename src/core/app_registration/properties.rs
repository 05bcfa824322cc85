//! Properties of an application, and how two sets of them differ.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Properties of an application that the operator knows; those that are absent are not spoken of.
/// What Graph keeps as a list is keyed here, for its order means nothing.
/// <https://learn.microsoft.com/graph/api/resources/application>
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Properties {
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whose users may sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in_audience: Option<String>,
    /// Version of its access tokens; 0 where Graph shows none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_version: Option<u32>,
    /// Tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeSet<String>>,
    /// URIs that name it as a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier_uris: Option<BTreeSet<String>>,
    /// Redirect URIs of its pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_redirect_uris: Option<BTreeSet<String>>,
    /// Redirect URIs of a single-page application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spa_redirect_uris: Option<BTreeSet<String>>,
    /// Whether it may sign people in without a redirect URI, as by a device code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_public_client: Option<bool>,
    /// Scopes by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<BTreeMap<String, Scope>>,
    /// Roles by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_roles: Option<BTreeMap<String, AppRole>>,
    /// Ids of scopes by the id of the application that has them without consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_authorized: Option<BTreeMap<String, BTreeSet<String>>>,
    /// What it may ask for, by the id of the application that has the permission.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_access: Option<BTreeMap<String, RequiredAccess>>,
}

/// Permissions of one application: kinds (`Scope` or `Role`) by id.
pub type RequiredAccess = BTreeMap<String, String>;

/// A scope.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// Value in the token.
    pub value: String,
    /// `User` or `Admin`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it can be had.
    pub is_enabled: bool,
    /// Title for administrators.
    pub admin_consent_display_name: Option<String>,
    /// Explanation for administrators.
    pub admin_consent_description: Option<String>,
    /// Title for users.
    pub user_consent_display_name: Option<String>,
    /// Explanation for users.
    pub user_consent_description: Option<String>,
}

/// A role.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppRole {
    /// Value in the token; a role without one is in none.
    pub value: Option<String>,
    /// Title.
    pub display_name: String,
    /// Explanation.
    pub description: String,
    /// `User`, `Application`.
    pub allowed_member_types: BTreeSet<String>,
    /// Whether it can be given.
    pub is_enabled: bool,
}

impl Properties {
    /// What of these differs in `have`.
    #[must_use]
    pub fn differing_from(&self, have: &Self) -> Self {
        let have = tree(have);
        Self::of(tree(self).into_iter().filter(|(name, want)| have.get(name) != Some(want)))
    }

    /// Those of `other` that these speak of.
    #[must_use]
    pub fn of_same_names(&self, other: &Self) -> Self {
        let mine = tree(self);
        Self::of(tree(other).into_iter().filter(|(name, _)| mine.contains_key(name)))
    }

    /// These without those that are the same in `want` and `have` as when Graph kept its own.
    #[must_use]
    pub fn without_kept(&self, kept_want: &Self, kept_have: &Self, have: &Self) -> Self {
        let (kept_want, kept_have, have) = (tree(kept_want), tree(kept_have), tree(have));
        let is_kept = |name: &String, want: &Value| {
            kept_want.get(name) == Some(want) && kept_have.get(name) == have.get(name)
        };
        Self::of(tree(self).into_iter().filter(|(name, want)| !is_kept(name, want)))
    }

    /// These, as they are once a write is seen that took `before` to `after`: each part that is still
    /// as it was before becomes what was written, each other is somebody else's and stays.
    #[must_use]
    pub fn with_write(&self, before: &Self, after: &Self) -> Self {
        let (mut all, before) = (tree(self), tree(before));
        for (name, after) in tree(after) {
            let was = before.get(&name).cloned().unwrap_or_default();
            let is = all.remove(&name).unwrap_or_default();
            all.insert(name, merge(is, &was, &after));
        }
        Self::of(all)
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        tree(self).is_empty()
    }

    /// Names of what is said, for people.
    pub fn names(&self) -> String {
        tree(self).keys().cloned().collect::<Vec<_>>().join(", ")
    }

    /// The redirect URIs and nothing else.
    #[must_use]
    pub fn uris_alone(self) -> Self {
        let Self { web_redirect_uris, spa_redirect_uris, .. } = self;
        Self { web_redirect_uris, spa_redirect_uris, ..Self::default() }
    }

    /// The redirect URIs of either kind.
    pub fn redirect_uris(&self) -> BTreeSet<String> {
        let all = self.web_redirect_uris.iter().chain(&self.spa_redirect_uris);
        all.flatten().cloned().collect()
    }

    fn of(tree: impl IntoIterator<Item = (String, Value)>) -> Self {
        // What came from properties goes back to them.
        serde_json::from_value(Value::Object(tree.into_iter().collect())).unwrap_or_default()
    }
}

fn tree(properties: &Properties) -> Map<String, Value> {
    match serde_json::to_value(properties) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Merges one value, part by part: elements of sets, entries of maps.
fn merge(is: Value, before: &Value, after: &Value) -> Value {
    match (&is, after) {
        (Value::Array(list), Value::Array(wrote)) => {
            let was = before.as_array().map(Vec::as_slice).unwrap_or_default();
            let kept = list.iter().filter(|e| wrote.contains(e) || !was.contains(e));
            let added = wrote.iter().filter(|e| !list.contains(e) && !was.contains(e));
            kept.chain(added).cloned().collect()
        }
        (Value::Object(map), Value::Object(wrote)) => {
            let names = map.keys().chain(wrote.keys()).cloned().collect::<BTreeSet<_>>();
            let part = |name: String| {
                let (is, was) = (map.get(&name), before.get(&name));
                let value = if is == was { wrote.get(&name) } else { is };
                Some((name, value?.clone()))
            };
            Value::Object(names.into_iter().filter_map(part).collect())
        }
        _ if is == *before || is.is_null() => after.clone(),
        _ => is,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|&one| one.to_owned()).collect()
    }

    fn named(name: &str, uris: &[&str]) -> Properties {
        Properties {
            display_name: Some(name.to_owned()),
            spa_redirect_uris: Some(set(uris)),
            ..Properties::default()
        }
    }

    #[test]
    fn only_what_is_said_and_differs() {
        let want = named("a", &["x", "y"]);
        assert!(want.differing_from(&named("a", &["y", "x"])).is_empty());
        let found = want.differing_from(&named("a", &["x"]));
        assert_eq!(found.names(), "spaRedirectUris");
        assert!(Properties::default().differing_from(&want).is_empty());
    }

    #[test]
    fn a_read_is_corrected_part_by_part() {
        for (read, believed) in [
            // Older than the write.
            (["a", "b"].as_slice(), ["b", "c"].as_slice()),
            // It shows the write.
            (&["b", "c"], &["b", "c"]),
            // Somebody added one, before and after the write.
            (&["a", "b", "x"], &["b", "c", "x"]),
            (&["b", "c", "x"], &["b", "c", "x"]),
        ] {
            let found =
                named("n", read).with_write(&named("m", &["a", "b"]), &named("m", &["b", "c"]));
            assert_eq!(found.spa_redirect_uris, Some(set(believed)), "{read:?}");
            // A name that somebody else gave stays theirs.
            assert_eq!(found.display_name.as_deref(), Some("n"));
        }
    }

    #[test]
    fn entries_of_maps_are_parts() {
        let role = |text: &str| AppRole {
            value: Some("r".to_owned()),
            display_name: text.to_owned(),
            description: String::new(),
            allowed_member_types: BTreeSet::new(),
            is_enabled: true,
        };
        let roles = |all: &[(&str, &str)]| Properties {
            app_roles: Some(all.iter().map(|(id, t)| ((*id).to_owned(), role(t))).collect()),
            ..Properties::default()
        };
        let (before, after) = (roles(&[("1", "a"), ("2", "b")]), roles(&[("1", "A"), ("3", "c")]));
        let read = roles(&[("1", "a"), ("2", "b"), ("9", "x")]);
        let want = roles(&[("1", "A"), ("3", "c"), ("9", "x")]);
        assert_eq!(read.with_write(&before, &after), want);
        assert_eq!(want.with_write(&before, &after), want);
    }
}
