//! The operator's own installation in Azure: what it consists of, and what of it is not there yet.
//!
//! Everything has a name that follows from what was asked for, so that a second run finds what the first
//! has made, however far that came. What we make says so in a tag; what says nothing is somebody
//! else's and is neither changed nor deleted. A role is given at the resource groups that are named and on the
//! identities that are named, never at the subscription: writing container groups there is a shell in
//! every group of it, with every identity that they carry.

use serde_json::{Value, json};

mod compare;
pub mod cost;
mod group;
mod names;
pub mod rights;
mod storage;

#[cfg(test)]
mod tests;

pub use compare::{Action, action, marked};
pub use group::{SELF, TRIAL_COMMAND, body as group_body, spec, trial_of};
pub use names::{account_name, check, guid};
pub use storage::home_url;

/// The tag on everything that an installation has made; its value is [`Wanted::installation`].
pub const TAG: &str = "aci-operator-install";

/// Version of the resource groups' API.
const RESOURCE_GROUPS_API: &str = "2021-04-01";
/// <https://learn.microsoft.com/rest/api/managedidentity/user-assigned-identities>
const IDENTITY_API: &str = "2023-01-31";

/// What is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// Subscription.
    pub subscription: String,
    /// The resource group of everything that is made.
    pub resource_group: String,
    /// Region.
    pub location: String,
    /// Name of identity and container group.
    pub name: String,
    /// The storage account.
    pub account: String,
    /// Resource groups in which container groups may be made.
    pub manage: Vec<String>,
    /// Resource ids of the managed identities that container groups may carry.
    pub identities: Vec<String>,
    /// Object ids of those that may read manifests and status.
    pub readers: Vec<String>,
    /// Object ids of those that may write manifests, and with them all that the operator may do.
    pub writers: Vec<String>,
    /// The operator's image, best by digest.
    pub image: String,
    /// The operator may put another image into its own container group: who writes manifests then writes
    /// the operator.
    pub self_update: bool,
    /// Environment variables of the operator's container that name another cloud than the public one.
    pub environment: Vec<(String, String)>,
}

/// What is known once the resources that say it are there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// Object id of the identity's service principal.
    pub principal: Option<String>,
    /// Its client id.
    pub client: Option<String>,
    /// The account's blob endpoint.
    pub blob: Option<String>,
}

/// What kind of thing a resource is, in the order in which they are made.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Sort {
    /// A resource group.
    ResourceGroup,
    /// The managed identity.
    Identity,
    /// The custom role.
    Role,
    /// A role given to the identity, or to a reader.
    Assignment,
    /// The storage account.
    Account,
    /// Settings of the account: they go with it.
    AccountSetting,
    /// A blob container: it goes with its account.
    BlobContainer,
    /// The operator's container group.
    Group,
}

/// One resource of the installation.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// What kind of thing.
    pub sort: Sort,
    /// Its id in ARM. Of an assignment to an identity that is not there yet: its scope alone.
    pub id: String,
    /// The version of its API.
    pub api_version: &'static str,
    /// What is put.
    pub body: Value,
    /// What it is for.
    pub purpose: String,
    /// Facts that the body lacks: it cannot be put yet.
    pub waiting: bool,
}

impl Wanted {
    /// Names this installation, in its tags: the same for the same resource group and name.
    pub fn installation(&self) -> String {
        guid(&[&self.scope(&self.resource_group), &self.name])
    }

    /// The id of a resource group.
    pub fn scope(&self, resource_group: &str) -> String {
        format!("/subscriptions/{}/resourceGroups/{resource_group}", self.subscription)
    }

    fn resource(&self, kind: &str, name: &str) -> String {
        format!("{}/providers/{kind}/{name}", self.scope(&self.resource_group))
    }

    /// The id of the managed identity.
    pub fn identity(&self) -> String {
        self.resource("Microsoft.ManagedIdentity/userAssignedIdentities", &self.name)
    }

    /// The id of the operator's container group.
    pub fn group(&self) -> String {
        self.resource("Microsoft.ContainerInstance/containerGroups", &self.name)
    }

    /// The id of the storage account.
    pub fn account_id(&self) -> String {
        self.resource("Microsoft.Storage/storageAccounts", &self.account)
    }

    fn tags(&self) -> Value {
        json!({ TAG: self.installation() })
    }
}

/// Everything that the installation consists of, in the order in which it is made.
pub fn resources(wanted: &Wanted, facts: &Facts) -> Vec<Resource> {
    let mut all =
        vec![resource_group(wanted, &wanted.resource_group, "what the installation makes")];
    let managed = wanted.manage.iter().filter(|name| !same(name, &wanted.resource_group));
    all.extend(
        managed
            .map(|name| resource_group(wanted, name, "container groups that the operator makes")),
    );
    all.push(Resource {
        sort: Sort::Identity,
        id: wanted.identity(),
        api_version: IDENTITY_API,
        body: json!({"location": wanted.location, "tags": wanted.tags()}),
        purpose: "who the operator is".to_owned(),
        waiting: false,
    });
    all.push(rights::role(wanted));
    all.extend(rights::on_groups_and_identities(wanted, facts));
    all.extend(storage::resources(wanted));
    all.extend(rights::on_blobs(wanted, facts));
    all.push(group::resource(wanted, facts));
    all
}

fn resource_group(wanted: &Wanted, name: &str, purpose: &str) -> Resource {
    Resource {
        sort: Sort::ResourceGroup,
        id: wanted.scope(name),
        api_version: RESOURCE_GROUPS_API,
        body: json!({"location": wanted.location, "tags": wanted.tags()}),
        purpose: purpose.to_owned(),
        waiting: false,
    }
}

impl Facts {
    /// Takes from a resource, as ARM shows it, what others need to know.
    pub fn learn(&mut self, sort: Sort, seen: &Value) {
        let text = |path: &str| seen.pointer(path).and_then(Value::as_str).map(str::to_owned);
        match sort {
            Sort::Identity => {
                self.principal = text("/properties/principalId");
                self.client = text("/properties/clientId");
            }
            Sort::Account => self.blob = text("/properties/primaryEndpoints/blob"),
            _ => {}
        }
    }
}

/// Names in ARM are compared without case.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
