//! Names and labels of what is made in the engine.
//!
//! Names from outside (groups, containers, volumes) are not trusted to be engine names: a digest
//! makes the name unique and safe, a slug makes it readable, a label keeps the original.

use std::collections::HashMap;

use aws_lc_rs::digest::{Context, SHA256};

/// Label: the state directory's id. Everything made here carries it.
pub(super) const HOME: &str = "io.aci-operator.local";
/// Label: the group's key.
pub(super) const GROUP: &str = "io.aci-operator.group";
/// Label: the container's name in its group; the holder has none.
pub(super) const CONTAINER: &str = "io.aci-operator.container";
/// Label: how the container is kept running ([`super::supervisor::Supervision`], JSON); init
/// containers have none.
pub(super) const SUPERVISION: &str = "io.aci-operator.supervision";

/// Longest readable part of a name.
const SLUG: usize = 32;

/// Names of one state directory's objects.
#[derive(Clone, Debug)]
pub(super) struct Names {
    home: String,
}

impl Names {
    pub(super) fn new(home: &str) -> Self {
        Self { home: home.to_owned() }
    }

    /// The container that holds a group's network namespace.
    pub(super) fn holder(&self, group: &str) -> String {
        self.name(group, "holder", "holder")
    }

    /// A container of a group.
    pub(super) fn container(&self, group: &str, container: &str) -> String {
        self.name(group, "container", container)
    }

    /// A volume of a group.
    pub(super) fn volume(&self, group: &str, volume: &str) -> String {
        self.name(group, "volume", volume)
    }

    /// The image of the holder that runs `program`; one for a state directory, so that `reset` may
    /// remove it.
    pub(super) fn holder_image(&self, program: &[u8]) -> String {
        let tag = short_digest(&[self.home.as_bytes(), program]);
        format!("localhost/aci-operator-holder:{tag}")
    }

    fn name(&self, group: &str, kind: &str, part: &str) -> String {
        let slug: String = part
            .chars()
            .take(SLUG)
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .collect();
        let parts = [&self.home, group, kind, part].map(str::as_bytes);
        format!("aci-{}-{slug}", short_digest(&parts))
    }

    /// The labels of everything.
    pub(super) fn labels(&self) -> HashMap<String, String> {
        HashMap::from([(HOME.to_owned(), self.home.clone())])
    }

    /// The labels of a group's objects.
    pub(super) fn group_labels(&self, group: &str) -> HashMap<String, String> {
        let mut labels = self.labels();
        labels.insert(GROUP.to_owned(), group.to_owned());
        labels
    }
}

/// A list filter of the engine API: objects of one state directory.
///
/// Only one label: of several, Docker wants all and Podman, for volumes, any (seen with 4.3). What
/// is listed is therefore checked with [`carries`].
pub(super) fn filter(labels: &HashMap<String, String>) -> HashMap<String, Vec<String>> {
    let home = labels.get(HOME).map(|home| format!("{HOME}={home}"));
    HashMap::from([("label".to_owned(), home.into_iter().collect())])
}

/// Whether an object with the labels `found` has all of `wanted`.
pub(super) fn carries(found: &HashMap<String, String>, wanted: &HashMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| found.get(key) == Some(value))
}

/// 16 hexadecimal digits of the parts' digest; lengths are hashed too, so that no two lists of
/// parts read alike.
fn short_digest(parts: &[&[u8]]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&context.finish().as_ref()[..8]);
    format!("{:016x}", u64::from_be_bytes(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_distinct() {
        let names = Names::new("home");
        let hostile = names.container("g/../..?x=1", "Api\n$(rm)");
        assert!(hostile.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        assert!(hostile.len() <= 63, "{hostile}");
        assert_ne!(names.container("a", "bc"), names.container("ab", "c"));
        assert_ne!(names.container("a", "holder"), names.holder("a"));
        assert_ne!(names.volume("a", "b"), names.container("a", "b"));
        assert_ne!(names.holder("a"), Names::new("other").holder("a"));
    }
}
