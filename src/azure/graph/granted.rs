//! Whether the operator's identity may make applications, and how an administrator lets it.

use async_trait::async_trait;

use super::grant::{self, APPLICATIONS};
use super::{Caller, Graph, Transport, below};
use crate::core::Fault;
use crate::ports::Grants;

#[async_trait]
impl<T: Transport> Grants for Graph<T> {
    async fn may_own_applications(&self, principal: &str) -> Result<bool, Fault> {
        // <https://learn.microsoft.com/graph/api/serviceprincipal-list-approleassignments>
        let path = format!("{}/appRoleAssignments", below("servicePrincipals", principal)?);
        let held = "servicePrincipals.appRoleAssignments";
        let granted = self.find(held, path, grant::READING, |one| APPLICATIONS.is(one)).await?;
        Ok(granted.is_some())
    }

    async fn grant(&self, principal: &str) -> String {
        let graph = self.transport.caller().await.map(|caller| caller.graph);
        let caller = Caller {
            tenant: String::new(),
            object_id: principal.to_owned(),
            authority: String::new(),
            graph: graph.unwrap_or_else(|_| grant::PUBLIC.to_owned()),
        };
        grant::remedy(APPLICATIONS, Some(&caller))
    }
}
