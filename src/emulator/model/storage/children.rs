//! What hangs below an account: its blob service and its management policy. Both are kept and shown;
//! the blob endpoint keeps no versions and deletes nothing by itself.
//!
//! Sources: learn.microsoft.com/rest/api/storagerp/{blob-services,management-policies}.

use serde_json::{Value, json};

use super::super::event::timestamp;
use super::super::{Azure, Error, Now, Reply};
use super::{ACCOUNT_TYPE, Account, properties};

impl Azure {
    /// GET of `blobServices/default`.
    pub fn get_blob_service(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
    ) -> Result<Reply, Error> {
        self.advance(now);
        let account = self.account(resource_group, name)?;
        Ok(Reply::new(200, account.service_view(&self.settings.subscription)))
    }

    /// PUT of `blobServices/default`.
    pub fn put_blob_service(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
        body: &Value,
    ) -> Result<Reply, Error> {
        let account = self.account_mut(now, resource_group, name)?;
        if let Some(versioning) = body["properties"]["isVersioningEnabled"].as_bool() {
            account.versioning = versioning;
        }
        self.get_blob_service(now, resource_group, name)
    }

    /// GET of `managementPolicies/default`.
    pub fn get_management_policy(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
    ) -> Result<Reply, Error> {
        self.advance(now);
        let account = self.account(resource_group, name)?;
        let Some((policy, modified)) = &account.policy else {
            let message = format!("No ManagementPolicy found for account {name}");
            return Err(Error::new(404, "ManagementPolicyNotFound", message));
        };
        let id = account.id(&self.settings.subscription);
        let view = json!({
            "id": format!("{id}/managementPolicies/default"),
            "name": "DefaultManagementPolicy",
            "type": format!("{ACCOUNT_TYPE}/managementPolicies"),
            "properties": {"policy": policy, "lastModifiedTime": timestamp(*modified)},
        });
        Ok(Reply::new(200, view))
    }

    /// PUT of `managementPolicies/default`.
    pub fn put_management_policy(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
        body: &Value,
    ) -> Result<Reply, Error> {
        let account = self.account_mut(now, resource_group, name)?;
        let policy = &body["properties"]["policy"];
        let rules = policy["rules"].as_array().filter(|rules| !rules.is_empty());
        let whole = |rule: &Value| rule["name"].is_string() && rule["definition"].is_object();
        if !rules.is_some_and(|rules| rules.iter().all(whole)) {
            let message = "The management policy needs rules, each with a name and a definition.";
            return Err(Error::bad("InvalidValuesForRequestParameters", message));
        }
        account.policy = Some((policy.clone(), now));
        self.get_management_policy(now, resource_group, name)
    }

    /// DELETE of `managementPolicies/default`: 200, or 204 where there is none.
    pub fn delete_management_policy(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
    ) -> Result<Reply, Error> {
        let account = self.account_mut(now, resource_group, name)?;
        let status = if account.policy.take().is_some() { 200 } else { 204 };
        Ok(Reply::empty(status))
    }
}

impl Account {
    fn service_view(&self, subscription: &str) -> Value {
        json!({
            "id": format!("{}/blobServices/default", self.id(subscription)),
            "name": "default",
            "type": format!("{ACCOUNT_TYPE}/blobServices"),
            "sku": properties::sku_view(&self.sku),
            "properties": {
                "cors": {"corsRules": []},
                "deleteRetentionPolicy": {"enabled": false},
                "isVersioningEnabled": self.versioning,
            },
        })
    }
}
