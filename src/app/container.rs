//! Output of containers, and commands in them.

use std::sync::Arc;

use super::view::{Item, Kind};
use super::{App, Error, Result, live, wire};
use crate::core::container_group::GroupId;
use crate::metrics::Metrics;
use crate::ports::{ContainerGroups, ObjectKey};

pub use crate::ports::{ExecSession, TerminalSize};

/// One container of a group in Azure.
pub struct Container {
    groups: Arc<dyn ContainerGroups>,
    id: GroupId,
    /// Its name.
    pub name: String,
}

impl App {
    /// A container of a group; the only one of the manifest where none is named.
    pub async fn container(&self, group: &str, container: Option<String>) -> Result<Container> {
        let home = self.home().await?;
        let key = ObjectKey::new(Kind::ContainerGroup.as_str(), group);
        let item = self.item(&home, &key).await?;
        let id = item.status["id"].as_str().and_then(live::parse_id);
        let id = id.ok_or_else(|| Error::NotMade(key.clone()))?;
        let name = choose(&item, container)?;
        let identities = wire::identities(self, &home, &Metrics::new()).await?;
        let azure = live::seen_by(&item.entry, &identities).await?;
        let azure = azure.map_err(|problem| Error::NoIdentity { key, problem })?;
        Ok(Container { groups: azure.groups, id, name })
    }
}

/// The sidecar is never what is meant without its name.
fn choose(item: &Item, asked: Option<String>) -> Result<String> {
    let stated = item.entry.manifest["spec"]["containers"].as_array();
    let stated = stated.into_iter().flatten().filter_map(|c| c["name"].as_str());
    let mut containers: Vec<_> = stated.map(str::to_owned).collect();
    match (asked, containers.as_slice()) {
        (Some(asked), _) => Ok(asked),
        (None, [only]) => Ok(only.clone()),
        (None, _) => {
            for name in &item.facts.containers {
                if !containers.contains(name) {
                    containers.push(name.clone());
                }
            }
            Err(Error::WhichContainer { key: item.entry.key.clone(), containers })
        }
    }
}

impl Container {
    /// Its output: the newest `tail` lines, or all that Azure keeps.
    pub async fn logs(&self, tail: Option<u32>, timestamps: bool) -> Result<String> {
        Ok(self.groups.logs(&self.id, &self.name, tail, timestamps).await?)
    }

    /// Starts a process in it, on a terminal of this size.
    pub async fn exec(&self, command: &str, size: TerminalSize) -> Result<Box<dyn ExecSession>> {
        Ok(self.groups.exec(&self.id, &self.name, command, size).await?)
    }
}

/// What of `now` was not in `before`, both being the newest part of one growing text.
pub fn news<'a>(before: &str, now: &'a str) -> &'a str {
    if let Some(rest) = now.strip_prefix(before) {
        return rest;
    }
    // The beginning was dropped: the longest end of `before` with which `now` begins.
    let starts = before.match_indices('\n').map(|(at, _)| at + 1);
    let overlap =
        starts.map(|at| &before[at..]).find(|end| !end.is_empty() && now.starts_with(end));
    overlap.map_or(now, |end| &now[end.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_news_of_a_growing_text() {
        assert_eq!(news("", "a\n"), "a\n");
        assert_eq!(news("a\n", "a\n"), "");
        assert_eq!(news("a\nb\n", "a\nb\nc\n"), "c\n");
        assert_eq!(news("a\nb\n", "b\nc\n"), "c\n");
        assert_eq!(news("a\nb\n", "x\ny\n"), "x\ny\n");
    }
}
