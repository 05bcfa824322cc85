//! What an administrator has to do for the operator to be let in.

use serde_json::Value;

use super::Caller;

/// A right in Graph.
#[derive(Clone, Copy, Debug)]
pub(super) struct Right {
    name: &'static str,
    /// Graph's id of the application permission.
    /// <https://learn.microsoft.com/graph/permissions-reference>
    id: &'static str,
}

impl Right {
    /// Whether this is what an assignment of an app role gives.
    pub(super) fn is(self, assignment: &Value) -> bool {
        assignment["appRoleId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(self.id))
    }
}

/// Making applications, and changing those that one owns.
pub(super) const APPLICATIONS: Right =
    Right { name: "Application.ReadWrite.OwnedBy", id: "18a4783c-866b-4cc7-a460-3d5e5662c884" };
/// Finding out what holds a name in the recycle bin.
pub(super) const READING: Right =
    Right { name: "Application.Read.All", id: "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30" };
/// Consenting for others.
pub(super) const CONSENTS: Right = Right {
    name: "DelegatedPermissionGrant.ReadWrite.All",
    id: "8e8e4742-1d95-4f68-9d56-6ee75648c72a",
};

/// Graph of the public cloud.
pub(super) const PUBLIC: &str = "https://graph.microsoft.com";
/// Graph's own application id, the same in every tenant.
const GRAPH_APP: &str = "00000003-0000-0000-c000-000000000000";

/// The administrator's command.
/// <https://learn.microsoft.com/graph/api/serviceprincipal-post-approleassignments>
pub(super) fn remedy(right: Right, caller: Option<&Caller>) -> String {
    let (principal, graph) = caller.map_or(("OBJECT_ID_OF_THE_OPERATOR", PUBLIC), |caller| {
        (caller.object_id.as_str(), caller.graph.as_str())
    });
    let Right { name, id } = right;
    format!(
        "a Privileged Role Administrator grants {name} with: az rest --method POST --url \
         {graph}/v1.0/servicePrincipals/{principal}/appRoleAssignments --body \
         '{{\"principalId\":\"{principal}\",\"appRoleId\":\"{id}\",\"resourceId\":\"'$(az ad sp show \
         --id {GRAPH_APP} --query id --output tsv)'\"}}'; of an application that somebody else made \
         the operator must be an owner: az ad app owner add --id APP_ID --owner-object-id {principal}"
    )
}
