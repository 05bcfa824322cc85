//! Any resource by its id: <https://learn.microsoft.com/rest/api/resources/resources>.

use async_trait::async_trait;
use azure_core::http::Method;
use serde_json::Value;

use super::Azure;
use super::arm::{Call, Failure, or_absent};
use super::fault::{ARM, Refusal};
use super::limits::Quota;
use crate::core::Fault;
use crate::ports::Resources;

/// Codes with which providers say that the resource itself, or what it belongs to, is not there.
const ABSENT: [&str; 7] = [
    "ContainerNotFound",
    "ManagementPolicyNotFound",
    "ParentResourceNotFound",
    "ResourceGroupNotFound",
    "ResourceNotFound",
    "RoleAssignmentNotFound",
    "RoleDefinitionDoesNotExist",
];

#[async_trait]
impl Resources for Azure {
    async fn get(&self, id: &str, api_version: &str) -> Result<Option<Value>, Fault> {
        let call = self.resource_call(Method::Get, id, api_version, None)?;
        or_absent(self.arm.json(&call).await, says_absent)
    }

    async fn list(&self, id: &str, api_version: &str) -> Result<Vec<Value>, Fault> {
        let call = self.resource_call(Method::Get, id, api_version, None)?;
        Ok(or_absent(self.arm.list(call).await, says_absent)?.unwrap_or_default())
    }

    async fn put(&self, id: &str, api_version: &str, body: &Value) -> Result<(), Fault> {
        let call = self.resource_call(Method::Put, id, api_version, Some(body))?;
        match self.create(&call, provider(id).unwrap_or_default()).await {
            // It has the name that follows from scope, principal and role: another one with the same
            // three gives the same right.
            Err(Failure::Refused(refusal)) if refusal.code == "RoleAssignmentExists" => Ok(()),
            done => Ok(done?),
        }
    }

    async fn delete(&self, id: &str, api_version: &str) -> Result<(), Fault> {
        let call = self.resource_call(Method::Delete, id, api_version, None)?;
        or_absent(self.arm.call(&call).await, says_absent)?;
        Ok(())
    }
}

impl Azure {
    fn resource_call<'a>(
        &self,
        method: Method,
        id: &'a str,
        api_version: &str,
        body: Option<&'a Value>,
    ) -> Result<Call<'a>, Fault> {
        let segments: Vec<&str> = id.trim_start_matches('/').split('/').collect();
        let subscription = match segments[..] {
            [first, subscription, ..] if first.eq_ignore_ascii_case("subscriptions") => {
                subscription
            }
            _ => {
                let message = format!("{id:?} is in no subscription");
                return Err(Fault::Refused { service: ARM, code: "InvalidId".to_owned(), message });
            }
        };
        let (operation, quotas): (_, &[Quota]) = match method {
            Method::Get => ("resources.get", &[Quota::Read]),
            Method::Delete => ("resources.delete", &[Quota::Delete]),
            _ => ("resources.put", &[Quota::Write]),
        };
        let url = self.arm.url(&segments, &[("api-version", api_version)])?;
        Ok(Call { operation, method, url, subscription, quotas, body })
    }
}

fn says_absent(refusal: &Refusal) -> bool {
    refusal.status == 404 && ABSENT.contains(&refusal.code.as_str())
}

/// The namespace of the resource's own provider: the last one, for assignments stand below others.
fn provider(id: &str) -> Option<&str> {
    let segments: Vec<&str> = id.split('/').collect();
    let at = segments.iter().rposition(|part| part.eq_ignore_ascii_case("providers"))?;
    segments.get(at + 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_is_the_last_one() {
        let account =
            "/subscriptions/s/resourceGroups/r/providers/Microsoft.Storage/storageAccounts/a";
        assert_eq!(provider(account), Some("Microsoft.Storage"));
        let given = format!("{account}/providers/Microsoft.Authorization/roleAssignments/x");
        assert_eq!(provider(&given), Some("Microsoft.Authorization"));
        assert_eq!(provider("/subscriptions/s/resourceGroups/r"), None);
    }
}
