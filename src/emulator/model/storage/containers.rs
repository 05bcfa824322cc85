//! Blob containers as ARM serves them.
//!
//! Source: learn.microsoft.com/rest/api/storagerp/blob-containers; names:
//! learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::event::timestamp;
use super::super::{Azure, Error, Now, Reply};
use super::{ACCOUNT_TYPE, Account};

/// A container that ARM knows of.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Container {
    modified: DateTime<Utc>,
    metadata: Map<String, Value>,
}

impl Azure {
    /// PUT: 201 when it is new, else 200.
    pub fn put_container(
        &mut self,
        now: Now,
        (resource_group, account): (&str, &str),
        name: &str,
        body: &Value,
    ) -> Result<Reply, Error> {
        let kept = self.account_mut(now, resource_group, account)?;
        check_name(name)?;
        let public = body["properties"]["publicAccess"].as_str().unwrap_or("None");
        if public != "None" {
            let message = "Public access is not permitted on this storage account.";
            return Err(Error::new(409, "PublicAccessNotPermitted", message));
        }
        let metadata = body["properties"]["metadata"].as_object().cloned();
        let status = if kept.containers.contains_key(name) { 200 } else { 201 };
        let container = kept
            .containers
            .entry(name.to_owned())
            .or_insert_with(|| Container { modified: now, metadata: Map::new() });
        if let Some(metadata) = metadata {
            (container.metadata, container.modified) = (metadata, now);
        }
        let account = self.account(resource_group, account)?;
        Ok(Reply::new(status, account.container_view(&self.settings.subscription, name)))
    }

    /// GET.
    pub fn get_container(
        &mut self,
        now: Now,
        (resource_group, account): (&str, &str),
        name: &str,
    ) -> Result<Reply, Error> {
        self.advance(now);
        let account = self.account(resource_group, account)?;
        if !account.containers.contains_key(name) {
            let message = "The specified container does not exist.";
            return Err(Error::new(404, "ContainerNotFound", message));
        }
        Ok(Reply::new(200, account.container_view(&self.settings.subscription, name)))
    }

    /// LIST.
    pub fn list_containers(
        &mut self,
        now: Now,
        resource_group: &str,
        account: &str,
    ) -> Result<Reply, Error> {
        self.advance(now);
        let account = self.account(resource_group, account)?;
        let subscription = &self.settings.subscription;
        let names = account.containers.keys();
        let views = names.map(|name| account.container_view(subscription, name));
        Ok(Reply::new(200, json!({"value": views.collect::<Vec<_>>()})))
    }

    /// DELETE: 200, or 204 where there is none.
    pub fn delete_container(
        &mut self,
        now: Now,
        (resource_group, account): (&str, &str),
        name: &str,
    ) -> Result<Reply, Error> {
        let kept = self.account_mut(now, resource_group, account)?;
        let was_there = kept.containers.remove(name).is_some();
        let account = self.account(resource_group, account)?;
        let id = account.container_id(&self.settings.subscription, name);
        self.forget_scope(&id);
        Ok(Reply::empty(if was_there { 200 } else { 204 }))
    }

    /// What came of a container at the blob endpoint: it was made there, or deleted.
    pub fn note_container(&mut self, now: Now, account: &str, name: &str, there: bool) {
        let Some(account) = self.storage.get_mut(account) else { return };
        if there {
            let new = || Container { modified: now, metadata: Map::new() };
            account.containers.entry(name.to_owned()).or_insert_with(new);
        } else {
            account.containers.remove(name);
            let id = account.container_id(&self.settings.subscription, name);
            self.forget_scope(&id);
        }
    }
}

impl Account {
    fn container_id(&self, subscription: &str, name: &str) -> String {
        format!("{}/blobServices/default/containers/{name}", self.id(subscription))
    }

    fn container_view(&self, subscription: &str, name: &str) -> Value {
        let container = self.containers.get(name);
        let modified = container.map(|container| container.modified).unwrap_or_default();
        json!({
            "id": self.container_id(subscription, name),
            "name": name,
            "type": format!("{ACCOUNT_TYPE}/blobServices/containers"),
            "etag": format!("\"0x8D{:X}\"", modified.timestamp_micros()),
            "properties": {
                "publicAccess": "None",
                "leaseStatus": "Unlocked",
                "leaseState": "Available",
                "lastModifiedTime": timestamp(modified),
                "metadata": container.map(|container| container.metadata.clone()),
                "hasImmutabilityPolicy": false,
                "hasLegalHold": false,
                "deleted": false,
                "remainingRetentionDays": 0,
                "defaultEncryptionScope": "$account-encryption-key",
                "denyEncryptionScopeOverride": false,
            },
        })
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let dashed = name.starts_with('-') || name.ends_with('-') || name.contains("--");
    if (3..=63).contains(&name.len()) && name.chars().all(allowed) && !dashed {
        return Ok(());
    }
    let message = "The specifed resource name contains invalid characters.";
    Err(Error::bad("InvalidResourceName", message))
}
