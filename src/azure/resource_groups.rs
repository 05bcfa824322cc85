//! Resource groups: <https://learn.microsoft.com/rest/api/resources/resource-groups>.

use async_trait::async_trait;
use azure_core::http::Method;
use serde_json::{Value, json};

use super::Azure;
use super::arm::{Call, or_absent};
use super::fault::Refusal;
use super::limits::Quota;
use crate::core::Fault;
use crate::ports::ResourceGroups;

/// The version of `Microsoft.Resources` that is spoken.
pub(super) const API_VERSION: &str = "2021-04-01";

#[async_trait]
impl ResourceGroups for Azure {
    async fn exists(&self, subscription: &str, name: &str) -> Result<bool, Fault> {
        let call = self.resource_group_call(Method::Get, subscription, name, None)?;
        Ok(or_absent(self.arm.call(&call).await, Refusal::is_absence)?.is_some())
    }

    async fn create(&self, subscription: &str, name: &str, location: &str) -> Result<(), Fault> {
        // A PUT would take the tags of one that exists.
        if self.exists(subscription, name).await? {
            return Ok(());
        }
        let body = json!({ "location": location });
        let call = self.resource_group_call(Method::Put, subscription, name, Some(&body))?;
        self.arm.call(&call).await?;
        Ok(())
    }
}

impl Azure {
    fn resource_group_call<'a>(
        &self,
        method: Method,
        subscription: &'a str,
        name: &str,
        body: Option<&'a Value>,
    ) -> Result<Call<'a>, Fault> {
        let (operation, quotas): (_, &[Quota]) = if method == Method::Get {
            ("resourceGroups.get", &[Quota::Read])
        } else {
            ("resourceGroups.put", &[Quota::Write])
        };
        let url = self.arm.url(&segments(subscription, name), &[("api-version", API_VERSION)])?;
        Ok(Call { operation, method, url, subscription, quotas, body })
    }
}

/// The address of a resource group.
pub(super) fn segments<'a>(subscription: &'a str, name: &'a str) -> [&'a str; 4] {
    ["subscriptions", subscription, "resourceGroups", name]
}
