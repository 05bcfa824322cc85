//! Container groups: <https://learn.microsoft.com/rest/api/container-instances/container-groups>.

use std::collections::{BTreeMap, HashSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::Method;
use serde_json::{Value, json};

use super::arm::{Call, Failure, or_absent};
use super::fault::{ARM, Refusal};
use super::limits::Quota;
use super::wire::{self, API_VERSION};
use super::{Azure, resource_groups};
use crate::core::Fault;
use crate::core::container_group::{Body, Group, GroupId, Scope};
use crate::ports::{ContainerGroups, ExecSession, TerminalSize};

/// The resource provider.
const PROVIDER: &str = "Microsoft.ContainerInstance";
/// A registration takes about a minute.
const REGISTRATION: Duration = Duration::from_secs(20);

#[async_trait]
impl ContainerGroups for Azure {
    async fn get(&self, id: &GroupId) -> Result<Option<Group>, Fault> {
        let call = self.group_call("containerGroups.get", Method::Get, id, &[], None)?;
        let resource = or_absent(self.arm.json(&call).await, Refusal::is_absence)?;
        let read = |resource| {
            wire::group(&resource).ok_or_else(|| unreadable("the answer is no container group"))
        };
        resource.map(read).transpose()
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Group>, Fault> {
        let (subscription, mut segments) = match scope {
            Scope::Subscription(subscription) => {
                (subscription, vec!["subscriptions", subscription])
            }
            Scope::ResourceGroup { subscription, name } => {
                (subscription, resource_groups::segments(subscription, name).to_vec())
            }
        };
        segments.extend(["providers", PROVIDER, "containerGroups"]);
        let call = Call {
            operation: "containerGroups.list",
            method: Method::Get,
            url: self.arm.url(&segments, &[("api-version", API_VERSION)])?,
            subscription,
            quotas: &[Quota::Read],
            body: None,
        };
        let resources = or_absent(self.arm.list(call).await, Refusal::is_absence)?;
        Ok(resources.iter().flatten().filter_map(wire::group).collect())
    }

    async fn put(&self, id: &GroupId, body: &Body) -> Result<(), Fault> {
        let body = wire::body(body);
        let call = self.group_call("containerGroups.put", Method::Put, id, &[], Some(&body))?;
        Ok(self.create(&call, PROVIDER).await?)
    }

    async fn tag(&self, id: &GroupId, tags: &BTreeMap<String, String>) -> Result<(), Fault> {
        let body = wire::tags(tags);
        let call = self.group_call("containerGroups.tag", Method::Patch, id, &[], Some(&body))?;
        self.arm.call(&call).await?;
        Ok(())
    }

    async fn delete(&self, id: &GroupId) -> Result<(), Fault> {
        let call = self.group_call("containerGroups.delete", Method::Delete, id, &[], None)?;
        or_absent(self.arm.call(&call).await, Refusal::is_absence)?;
        Ok(())
    }

    async fn logs(
        &self,
        id: &GroupId,
        container: &str,
        tail: Option<u32>,
        timestamps: bool,
    ) -> Result<String, Fault> {
        let below = ["containers", container, "logs"];
        let mut call = self.group_call("containers.logs", Method::Get, id, &below, None)?;
        if let Some(lines) = tail {
            call.url.query_pairs_mut().append_pair("tail", &lines.to_string());
        }
        if timestamps {
            call.url.query_pairs_mut().append_pair("timestamps", "true");
        }
        let answer = self.arm.json(&call).await?;
        Ok(answer["content"].as_str().unwrap_or_default().to_owned())
    }

    async fn exec(
        &self,
        id: &GroupId,
        container: &str,
        command: &str,
        size: TerminalSize,
    ) -> Result<Box<dyn ExecSession>, Fault> {
        let body = json!({
            "command": command,
            "terminalSize": {"rows": size.rows, "cols": size.cols},
        });
        let below = ["containers", container, "exec"];
        let call = self.group_call("containers.exec", Method::Post, id, &below, Some(&body))?;
        let invitation = serde_json::from_value(self.arm.json(&call).await?)
            .map_err(|_| unreadable("the answer is no exec session"))?;
        Ok(Box::new(self.dialer.open(invitation).await?))
    }
}

impl Azure {
    /// A request to a group, or to what is `below` it.
    fn group_call<'a>(
        &self,
        operation: &'static str,
        method: Method,
        id: &'a GroupId,
        below: &[&str],
        body: Option<&'a Value>,
    ) -> Result<Call<'a>, Fault> {
        let mut segments = resource_groups::segments(&id.subscription, &id.resource_group).to_vec();
        segments.extend(["providers", PROVIDER, "containerGroups", &id.name]);
        segments.extend(below);
        Ok(Call {
            operation,
            method,
            url: self.arm.url(&segments, &[("api-version", API_VERSION)])?,
            subscription: &id.subscription,
            quotas: match method {
                Method::Get => &[Quota::Read],
                Method::Put => &[Quota::Write, Quota::GroupCreate],
                Method::Delete => &[Quota::Delete, Quota::GroupDelete],
                _ => &[Quota::Write],
            },
            body,
        })
    }

    /// Puts the first resource of a `provider`, perhaps: the subscription may have yet to register it.
    pub(super) async fn create(&self, call: &Call<'_>, provider: &str) -> Result<(), Failure> {
        match self.arm.call(call).await {
            Err(Failure::Refused(refusal)) if refusal.lacks_registration() => {
                Err(self.register(call.subscription, provider).await.into())
            }
            done => done.map(drop),
        }
    }

    /// Asks, once, for what a subscription needs before its first resource of a `provider`; says to come
    /// again.
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types>
    async fn register(&self, subscription: &str, provider: &str) -> Fault {
        let both = (subscription.to_owned(), provider.to_owned());
        let asked = self.asked_to_register().contains(&both);
        if !asked && let Err(fault) = self.ask_to_register(subscription, provider).await {
            return fault;
        }
        self.asked_to_register().insert(both);
        Fault::Busy {
            service: ARM,
            message: format!("the subscription is registering {provider}"),
            retry_after: Some(REGISTRATION),
        }
    }

    fn asked_to_register(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask_to_register(&self, subscription: &str, provider: &str) -> Result<(), Fault> {
        let segments = ["subscriptions", subscription, "providers", provider, "register"];
        let call = Call {
            operation: "providers.register",
            method: Method::Post,
            url: self.arm.url(&segments, &[("api-version", resource_groups::API_VERSION)])?,
            subscription,
            quotas: &[Quota::Write],
            body: None,
        };
        self.arm.call(&call).await?;
        Ok(())
    }
}

fn unreadable(message: &str) -> Fault {
    Fault::Failing { service: ARM, message: message.to_owned(), retry_after: None }
}
