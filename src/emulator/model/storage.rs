//! Storage accounts as ARM serves them: what is told of them is kept here, the blobs themselves are
//! behind the blob endpoint.
//!
//! Sources: learn.microsoft.com/rest/api/storagerp/storage-accounts and
//! learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-storage-account-name.

mod children;
mod containers;
mod properties;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::containers::Container;
use super::event::timestamp;
use super::{Azure, Error, Now, Poll, Reply, normalise, validate};

/// The resource provider's namespace.
pub const STORAGE_NAMESPACE: &str = "Microsoft.Storage";
/// The resource type of a storage account.
pub const ACCOUNT_TYPE: &str = "Microsoft.Storage/storageAccounts";

/// A stored account; its name, which is global, is its key.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    name: String,
    /// As its resource group spells itself.
    resource_group: String,
    location: String,
    sku: String,
    kind: String,
    tags: Map<String, Value>,
    properties: Map<String, Value>,
    created: DateTime<Utc>,
    /// The operation that makes it, and its end.
    making: (String, DateTime<Utc>),
    versioning: bool,
    /// Rules of `managementPolicies/default`, and when they were written.
    policy: Option<(Value, DateTime<Utc>)>,
    containers: BTreeMap<String, Container>,
}

impl Azure {
    /// Whether an account of this name could be made: what `checkNameAvailability` answers.
    pub fn check_account_name(&self, name: &str) -> Reply {
        let problem = match check_name(name) {
            Err(error) => Some(("AccountNameInvalid", error.message)),
            Ok(()) if self.storage.contains_key(name) => Some(("AlreadyExists", taken(name))),
            Ok(()) => None,
        };
        Reply::new(
            200,
            match problem {
                None => json!({"nameAvailable": true}),
                Some((reason, message)) => {
                    json!({"nameAvailable": false, "reason": reason, "message": message})
                }
            },
        )
    }

    /// PUT: 202 with `Location` for a new account, 200 where it is there already. Says whether it
    /// is new.
    pub fn put_account(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
        body: &Value,
    ) -> Result<(Reply, bool), Error> {
        self.advance(now);
        self.check_registered(STORAGE_NAMESPACE)?;
        let home = self.open_resource_group(resource_group)?.name().to_owned();
        check_name(name)?;
        let sku = properties::sku(body)?;
        let kind = properties::kind(body)?;
        let given = body["location"].as_str().unwrap_or_default();
        let location = normalise::region(given).ok_or_else(|| no_location(given))?.to_owned();
        let properties = properties::known(body, Map::new())?;
        let tags = tags(body)?.unwrap_or_default();
        if let Some(old) = self.storage.get_mut(name) {
            old.check_home(&home)?;
            old.check_unchanged(&location, &kind)?;
            (old.sku, old.tags) = (sku, tags);
            old.properties.extend(properties);
            return Ok((
                Reply::new(200, self.account(resource_group, name)?.view(self, now)),
                false,
            ));
        }
        let operation = self.next_id();
        let end = now + self.settings.provisioning;
        let account = Account {
            name: name.to_owned(),
            resource_group: home,
            location,
            sku,
            kind,
            tags,
            properties,
            created: now,
            making: (operation.clone(), end),
            versioning: false,
            policy: None,
            containers: BTreeMap::new(),
        };
        self.storage.insert(name.to_owned(), account);
        Ok((Reply::empty(202).polled(Poll::Account(operation)), true))
    }

    /// PATCH: what is given replaces what was there.
    pub fn patch_account(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
        body: &Value,
    ) -> Result<Reply, Error> {
        let account = self.account_mut(now, resource_group, name)?;
        let sku = if body["sku"].is_null() { None } else { Some(properties::sku(body)?) };
        let properties = properties::known(body, account.properties.clone())?;
        let tags = tags(body)?;
        account.properties = properties;
        account.sku = sku.unwrap_or_else(|| account.sku.clone());
        account.tags = tags.unwrap_or_else(|| account.tags.clone());
        Ok(Reply::new(200, self.account(resource_group, name)?.view(self, now)))
    }

    /// GET.
    pub fn get_account(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
    ) -> Result<Reply, Error> {
        self.advance(now);
        Ok(Reply::new(200, self.account(resource_group, name)?.view(self, now)))
    }

    /// LIST of a resource group, or of the subscription.
    pub fn list_accounts(
        &mut self,
        now: Now,
        resource_group: Option<&str>,
    ) -> Result<Vec<Value>, Error> {
        self.advance(now);
        if let Some(name) = resource_group {
            self.resource_group(name)?;
        }
        let wanted = |account: &&Account| {
            resource_group.is_none_or(|home| account.resource_group.eq_ignore_ascii_case(home))
        };
        Ok(self.storage.values().filter(wanted).map(|one| one.view(self, now)).collect())
    }

    /// DELETE: 200, or 204 where there is none.
    pub fn delete_account(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
    ) -> Result<Reply, Error> {
        self.advance(now);
        self.resource_group(resource_group)?;
        let Ok(account) = self.account(resource_group, name) else {
            return Ok(Reply::empty(204));
        };
        let id = account.id(&self.settings.subscription);
        self.forget_scope(&id);
        self.storage.remove(&name.to_ascii_lowercase());
        Ok(Reply::empty(200))
    }

    /// How the making of an account goes on: 202, then 200 with the account.
    pub fn account_operation(&mut self, now: Now, id: &str) -> Result<Reply, Error> {
        self.advance(now);
        let found = self.storage.values().find(|account| account.making.0 == id);
        let account = found.ok_or_else(|| Error::operation_not_found(id))?;
        if account.making.1 > now {
            return Ok(Reply::empty(202).polled(Poll::Account(id.to_owned())));
        }
        Ok(Reply::new(200, account.view(self, now)))
    }

    /// Names of all accounts.
    pub fn account_names(&self) -> Vec<String> {
        self.storage.keys().cloned().collect()
    }

    /// What the blob endpoint asks of an account; none where it does not exist.
    pub fn account_facts(&self, name: &str) -> Option<AccountFacts> {
        let account = self.storage.get(name)?;
        Some(AccountFacts {
            id: account.id(&self.settings.subscription),
            shared_key: account.properties.get("allowSharedKeyAccess") != Some(&json!(false)),
            public: account.properties.get("publicNetworkAccess") != Some(&json!("Disabled")),
        })
    }

    pub(super) fn drop_accounts_of(&mut self, resource_group: &str) {
        self.storage
            .retain(|_, account| !account.resource_group.eq_ignore_ascii_case(resource_group));
    }

    fn account(&self, resource_group: &str, name: &str) -> Result<&Account, Error> {
        self.resource_group(resource_group)?;
        self.storage
            .get(&name.to_ascii_lowercase())
            .filter(|account| account.resource_group.eq_ignore_ascii_case(resource_group))
            .ok_or_else(|| Error::resource_not_found(ACCOUNT_TYPE, resource_group, name))
    }

    fn account_mut(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
    ) -> Result<&mut Account, Error> {
        self.advance(now);
        let key = self.account(resource_group, name)?.name.clone();
        let found = self.storage.get_mut(&key);
        found.ok_or_else(|| Error::resource_not_found(ACCOUNT_TYPE, resource_group, name))
    }
}

/// An account as the blob endpoint needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountFacts {
    /// ARM's id: the scope of rights in it.
    pub id: String,
    /// Requests may be signed with an account key.
    pub shared_key: bool,
    /// It answers at its public endpoint at all.
    pub public: bool,
}

impl Account {
    fn id(&self, subscription: &str) -> String {
        format!(
            "/subscriptions/{subscription}/resourceGroups/{}/providers/{ACCOUNT_TYPE}/{}",
            self.resource_group, self.name
        )
    }

    fn view(&self, azure: &Azure, now: Now) -> Value {
        let created = timestamp(self.created);
        let mut properties = properties::with_defaults(&self.properties, self.created);
        let ended = self.making.1 <= now;
        let more = json!({
            "provisioningState": if ended { "Succeeded" } else { "Creating" },
            "creationTime": created,
            "keyCreationTime": {"key1": created, "key2": created},
            "primaryLocation": self.location,
            "statusOfPrimary": "available",
            "privateEndpointConnections": [],
            "primaryEndpoints": {"blob": format!("{}/{}/", azure.settings.blob, self.name)},
        });
        properties.extend(more.as_object().cloned().unwrap_or_default());
        json!({
            "id": self.id(&azure.settings.subscription),
            "name": self.name,
            "type": ACCOUNT_TYPE,
            "location": self.location,
            "tags": self.tags,
            "sku": properties::sku_view(&self.sku),
            "kind": self.kind,
            "properties": properties,
        })
    }

    fn check_home(&self, resource_group: &str) -> Result<(), Error> {
        if self.resource_group.eq_ignore_ascii_case(resource_group) {
            return Ok(());
        }
        let message = format!(
            "The account {} is already in another resource group in this subscription.",
            self.name
        );
        Err(Error::new(409, "StorageAccountInAnotherResourceGroup", message))
    }

    fn check_unchanged(&self, location: &str, kind: &str) -> Result<(), Error> {
        if self.location != location {
            return Err(Error::moved(&self.name, &self.location, &self.resource_group, location));
        }
        if self.kind != kind {
            let message = format!("The kind of the storage account {} cannot change.", self.name);
            return Err(Error::new(409, "StorageAccountAlreadyExists", message));
        }
        Ok(())
    }
}

/// Source: learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules.
fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if (3..=24).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    let message = format!(
        "{name} is not a valid storage account name. Storage account name must be between 3 and 24 \
         characters in length and use numbers and lower-case letters only."
    );
    Err(Error::bad("AccountNameInvalid", message))
}

fn taken(name: &str) -> String {
    format!("The storage account named {name} is already taken.")
}

fn no_location(given: &str) -> Error {
    let message = format!(
        "The provided location '{given}' is not available for resource type '{ACCOUNT_TYPE}'. Please choose \
         another location."
    );
    Error::bad("LocationNotAvailableForResourceType", message)
}

fn tags(body: &Value) -> Result<Option<Map<String, Value>>, Error> {
    let tags = body["tags"].as_object().cloned();
    tags.as_ref().map_or(Ok(()), validate::tags)?;
    Ok(tags)
}
