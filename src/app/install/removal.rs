//! Taking an installation back: what it made, and nothing else.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::Value;

use super::patience::{Look, Patience};
use super::{Facts, Installation, News, Resource, Sort, Wanted};
use crate::app::{Error, Result};
use crate::core::Fault;
use crate::core::container_group::{Group, Scope, TRIAL, tags};
use crate::core::install::{marked, resources, trial_of};

/// Version of the API with which role assignments are listed.
const ASSIGNMENTS_API: &str = "2022-04-01";
/// Of the resources of a resource group.
const RESOURCES_API: &str = "2021-04-01";

/// What would be taken back, and what stays.
#[derive(Clone, Debug, Default)]
pub struct Removal {
    /// What is deleted, in this order: id, version of its API, what it is.
    pub deleted: Vec<(String, &'static str, String)>,
    /// Container groups that an operator keeps, by id: they run on, and nobody looks after them.
    pub groups: Vec<String>,
    /// Resource groups of ours that hold something of somebody else's.
    pub occupied: Vec<String>,
}

impl Installation {
    /// What taking the installation back would delete: reads alone.
    pub async fn removal(&self) -> Result<Removal> {
        let wanted = self.with_all_managed().await?;
        let mut facts = Facts::default();
        let mut ours = Vec::new();
        for index in 0.. {
            let Some(resource) = resources(&wanted, &facts).into_iter().nth(index) else { break };
            if resource.waiting || settled_with_another(resource.sort) {
                continue;
            }
            let Some(seen) = self.see(&resource).await? else { continue };
            facts.learn(resource.sort, &seen);
            if marked(&wanted, resource.sort, &seen) {
                ours.push(resource);
            }
        }
        let managed = &wanted.manage;
        let mut removal =
            Removal { groups: self.kept_groups(&wanted).await?, ..Removal::default() };
        let trial = trial_of(&wanted, &facts);
        if self.is_our_trial(&trial).await? == Some(true) {
            ours.push(trial);
        }
        let assignments = self.assignments(managed).await?;
        self.order(ours, assignments, &mut removal).await?;
        Ok(removal)
    }

    /// What is wanted, with the resource groups in which the role that is there can be given.
    async fn with_all_managed(&self) -> Result<Wanted> {
        let mut wanted = self.wanted.clone();
        let all = resources(&wanted, &Facts::default());
        if let Some(role) = all.iter().find(|resource| resource.sort == Sort::Role)
            && let Some(seen) = self.see(role).await?
        {
            wanted.manage.extend(assignable(&seen));
        }
        let manage = &mut wanted.manage;
        manage.retain(|name| !name.eq_ignore_ascii_case(&self.wanted.resource_group));
        manage.sort_by_key(|name| name.to_ascii_lowercase());
        manage.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
        Ok(wanted)
    }

    /// Deletes; each is gone before the next is asked for.
    pub async fn remove(
        &self,
        removal: &Removal,
        tell: &mut (dyn FnMut(News) + Send),
    ) -> Result<()> {
        let patience = &mut Patience::new(tell);
        for (id, api, what) in &removal.deleted {
            self.delete(id, api, what, patience).await?;
        }
        Ok(())
    }

    /// Deletes a resource, and waits until it is gone.
    pub(super) async fn delete(
        &self,
        id: &str,
        api: &str,
        what: &str,
        patience: &mut Patience<'_>,
    ) -> Result<()> {
        patience.tell(News::Doing(what.to_owned()));
        patience.with(async || self.resources.delete(id, api).await).await?;
        let look = |seen: Option<Value>| match seen {
            None => Look::Found(()),
            Some(_) => Look::Waiting(format!("{what} is being deleted"), None),
        };
        patience.until(async || self.resources.get(id, api).await, look).await?;
        patience.tell(News::Done(what.to_owned()));
        Ok(())
    }

    /// Whether a trial is there, and if so whether it is of this installation, or of the operator itself.
    pub(super) async fn is_our_trial(&self, trial: &Resource) -> Result<Option<bool>, Fault> {
        let Some(seen) = self.see(trial).await? else { return Ok(None) };
        let tags: BTreeMap<String, String> =
            BTreeMap::deserialize(&seen["tags"]).unwrap_or_default();
        let kept = tags::get(&tags, tags::OWNER).is_some();
        Ok(Some(kept || marked(&self.wanted, Sort::Group, &seen)))
    }

    /// Last what holds the others: a resource group takes along all that is in it, so it only goes where
    /// that is ours.
    async fn order(
        &self,
        ours: Vec<Resource>,
        assignments: Vec<String>,
        removal: &mut Removal,
    ) -> Result<()> {
        let entry = |resource: &Resource, what: &str| {
            (resource.id.clone(), resource.api_version, what.to_owned())
        };
        let of = |sort: Sort| ours.iter().filter(move |resource| resource.sort == sort);
        let deleted = &mut removal.deleted;
        deleted.extend(of(Sort::Group).map(|r| entry(r, "the operator's container group")));
        deleted.extend(
            assignments.into_iter().map(|id| (id, ASSIGNMENTS_API, "a role assignment".to_owned())),
        );
        deleted.extend(of(Sort::Role).map(|r| entry(r, "the custom role")));
        deleted
            .extend(of(Sort::Account).map(|r| {
                entry(r, "the storage account, with manifests, status, keys and secrets")
            }));
        deleted.extend(of(Sort::Identity).map(|r| entry(r, "the managed identity")));
        for group in of(Sort::ResourceGroup) {
            let inside =
                self.resources.list(&format!("{}/resources", group.id), RESOURCES_API).await?;
            let deleted = &removal.deleted;
            let known = |id: &str| deleted.iter().any(|(ours, _, _)| ours.eq_ignore_ascii_case(id));
            if inside.iter().all(|resource| resource["id"].as_str().is_some_and(known)) {
                removal.deleted.push(entry(group, "a resource group, empty by then"));
            } else {
                removal.occupied.push(group.id.clone());
            }
        }
        Ok(())
    }

    /// Container groups with an operator's tag in the managed resource groups, and in the operator's own: who
    /// may update itself may make some there.
    async fn kept_groups(&self, wanted: &Wanted) -> Result<Vec<String>> {
        let mut kept = Vec::new();
        for name in wanted.manage.iter().chain([&wanted.resource_group]) {
            let subscription = self.wanted.subscription.clone();
            let scope = Scope::ResourceGroup { subscription, name: name.clone() };
            let groups = self.groups.list(&scope).await?;
            let tagged = |group: &Group| tags::get(&group.tags, tags::OWNER).is_some();
            kept.extend(groups.into_iter().filter(tagged).map(|group| group.id));
        }
        let own = [wanted.group(), format!("{}{TRIAL}", wanted.group())];
        kept.retain(|id| !own.iter().any(|own| own.eq_ignore_ascii_case(id)));
        Ok(kept)
    }

    /// The role assignments that say they are ours: in the whole subscription, or, where our rights end
    /// before that, where such ones are given.
    async fn assignments(&self, managed: &[String]) -> Result<Vec<String>> {
        let everywhere = format!("/subscriptions/{}", self.wanted.subscription);
        let found = match self.assignments_at(&everywhere).await {
            Err(Fault::Forbidden { .. }) => {
                let groups = managed.iter().chain([&self.wanted.resource_group]);
                let mut scopes: Vec<_> = groups.map(|name| self.wanted.scope(name)).collect();
                scopes.extend(self.wanted.identities.iter().cloned());
                let mut found = Vec::new();
                for scope in scopes {
                    found.extend(self.assignments_at(&scope).await?);
                }
                found
            }
            found => found?,
        };
        let mut ids: Vec<String> = found;
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    async fn assignments_at(&self, scope: &str) -> Result<Vec<String>, Fault> {
        let list = format!("{scope}/providers/Microsoft.Authorization/roleAssignments");
        let all = self.resources.list(&list, ASSIGNMENTS_API).await?;
        let ours = all.iter().filter(|seen| marked(&self.wanted, Sort::Assignment, seen));
        Ok(ours.filter_map(|seen| seen["id"].as_str().map(str::to_owned)).collect())
    }
}

impl Removal {
    /// Refuses to leave container groups behind without a word.
    ///
    /// # Errors
    /// There are some, and nobody said that they may stay.
    pub fn check(&self, keep_groups: bool) -> Result<()> {
        if self.groups.is_empty() || keep_groups {
            return Ok(());
        }
        Err(Error::Install {
            problem: format!(
                "the operator keeps container groups, and nobody would renew their certificates: {}",
                self.groups.join(", ")
            ),
            remedy: "delete them first (`aci-operator delete`), or say --keep-groups".to_owned(),
        })
    }
}

/// What goes with what it belongs to, or is looked for otherwise.
fn settled_with_another(sort: Sort) -> bool {
    matches!(sort, Sort::AccountSetting | Sort::BlobContainer | Sort::Assignment)
}

/// The resource groups in which a role can be given.
fn assignable(role: &Value) -> Vec<String> {
    let scopes = role["properties"]["assignableScopes"].as_array().into_iter().flatten();
    let names = scopes.filter_map(|scope| scope.as_str()?.rsplit('/').next());
    names.map(str::to_owned).collect()
}
