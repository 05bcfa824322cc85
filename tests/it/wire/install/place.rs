//! A local Azure to install into, and its owner.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::super::owner::Owner;
use super::super::{Ended, World};

pub(super) const IMAGE: &str = "registry.example/aci-operator@sha256:0000000000000000000000000000000000000000000000000000000000000000";
pub(super) const GROUP: &str = "operators";

/// A local Azure that can keep blobs, and an identity that container groups may carry.
pub(super) struct Place {
    pub(super) world: World,
    pub(super) identity: String,
    owner: Owner,
    /// These tests wait for one thing after the other.
    runtime: Runtime,
}

impl Place {
    pub(super) fn new() -> Self {
        let world = World::new();
        let owner = Owner::of(&world);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut place = Self { world, identity: String::new(), owner, runtime };
        place.put("/resourceGroups/web", "2021-04-01", &json!({"location": "westeurope"}));
        let identity =
            "/resourceGroups/web/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app";
        let made = place.put(identity, "2023-01-31", &json!({"location": "westeurope"}));
        place.identity = made["id"].as_str().unwrap().to_owned();
        place
    }

    pub(super) fn arguments<'a>(&'a self, verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut all = vec![verb, "azure", "-g", GROUP, "-l", "westeurope", "--manage", "web"];
        all.extend(["--identity", &self.identity, "--image", IMAGE]);
        all.extend(more);
        all
    }

    pub(super) fn install(&self, more: &[&str]) -> Ended {
        self.world.run(&self.arguments("install", more))
    }

    pub(super) fn uninstall(&self, more: &[&str]) -> Ended {
        let mut all = vec!["uninstall", "azure", "-g", GROUP];
        all.extend(more);
        self.world.run(&all)
    }

    /// What the plan says of each resource: its id, and what is to be done.
    pub(super) fn plan(&self) -> BTreeMap<String, String> {
        let plan: Value = serde_json::from_str(&self.install(&["-o", "json"]).done()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all = plan["resources"].as_array().unwrap().iter();
        all.map(|one| (text(&one["id"]), text(&one["action"]))).collect()
    }

    /// A request to ARM by the owner of the subscription.
    pub(super) fn arm(
        &self,
        method: Method,
        path: &str,
        version: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        self.runtime.block_on(self.owner.arm(method, path, version, body))
    }

    /// Variables of an application that owns these resource groups, and has no other right.
    pub(super) fn owner_of(&self, groups: &[&str]) -> BTreeMap<String, String> {
        let application = json!({"displayName": "somebody"});
        let application = self.graph("applications", &application);
        let id = application["id"].as_str().unwrap();
        let password = self.graph(&format!("applications/{id}/addPassword"), &json!({}));
        let client = application["appId"].as_str().unwrap();
        let principal = self.graph("servicePrincipals", &json!({"appId": client}));
        for (group, name) in groups.iter().zip(["a", "b"]) {
            let owner = "/x/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
            let name = format!("{name}0000000-0000-4000-8000-000000000000");
            let path = format!(
                "/resourceGroups/{group}/providers/Microsoft.Authorization/roleAssignments/{name}"
            );
            let body = json!({"properties": {
                "roleDefinitionId": owner,
                "principalId": principal["id"],
                "principalType": "ServicePrincipal",
            }});
            self.put(&path, "2022-04-01", &body);
        }
        let mut variables = self.owner.variables.clone();
        variables.insert("AZURE_CLIENT_ID".to_owned(), client.to_owned());
        let secret = password["secretText"].as_str().unwrap().to_owned();
        variables.insert("AZURE_CLIENT_SECRET".to_owned(), secret);
        variables
    }

    /// Gives a service principal an app role of Graph.
    pub(super) fn grant(&self, principal: &str, role: &str) {
        let app = "00000003-0000-0000-c000-000000000000";
        let path = format!("servicePrincipals(appId='{app}')");
        let (_, resource) = self.on_graph(Method::GET, &path, None);
        let body = json!({
            "principalId": principal, "appRoleId": role, "resourceId": resource["id"],
        });
        self.graph(&format!("servicePrincipals/{principal}/appRoleAssignments"), &body);
    }

    /// Posts to Graph; a new object shows at once.
    pub(super) fn graph(&self, path: &str, body: &Value) -> Value {
        let fault = ["local", "fault", "reads-lag", "0s", "--operation", "graph-write"];
        self.world.run(&fault).done();
        let (status, made) = self.on_graph(Method::POST, path, Some(body));
        assert!((200..300).contains(&status), "{path}: {made}");
        made
    }

    fn on_graph(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let graph = self.owner.variables["ACI_OPERATOR_GRAPH_URL"].trim_end_matches('/');
        let url = format!("{graph}/v1.0/{path}");
        self.runtime.block_on(self.owner.send(method, &url, graph, body))
    }

    pub(super) fn put(&self, path: &str, version: &str, body: &Value) -> Value {
        let (status, made) = self.arm(Method::PUT, path, version, Some(body));
        assert!((200..300).contains(&status), "{path}: {made}");
        made
    }

    pub(super) fn get(&self, path: &str, version: &str) -> Option<Value> {
        let (status, found) = self.arm(Method::GET, path, version, None);
        (status == 200).then_some(found)
    }

    /// Ids of all that is in the two resource groups, and of custom roles and role assignments.
    pub(super) fn everything(&self) -> Vec<String> {
        let mut all = Vec::new();
        for group in [GROUP, "web"] {
            let path = format!("/resourceGroups/{group}");
            let found = self.get(&path, "2021-04-01");
            all.extend(found.map(|group| group["id"].as_str().unwrap().to_owned()));
            all.extend(self.ids(&format!("{path}/resources"), "2021-04-01"));
        }
        let roles = "/providers/Microsoft.Authorization/roleDefinitions";
        let (_, roles) = self.arm(Method::GET, roles, "2022-04-01", None);
        let roles = roles["value"].as_array().unwrap().iter();
        let custom = roles.filter(|role| role["properties"]["type"] == "CustomRole");
        all.extend(custom.map(|role| role["id"].as_str().unwrap().to_owned()));
        all.extend(self.ids("/providers/Microsoft.Authorization/roleAssignments", "2022-04-01"));
        all.sort();
        all
    }

    pub(super) fn ids(&self, path: &str, version: &str) -> Vec<String> {
        let found = self.get(path, version).unwrap_or_default();
        let found = found["value"].as_array().cloned().unwrap_or_default();
        found.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }

    pub(super) fn group(&self) -> Value {
        let path = format!(
            "/resourceGroups/{GROUP}/providers/Microsoft.ContainerInstance/containerGroups/aci-operator"
        );
        self.get(&path, "2023-05-01").unwrap()
    }

    /// Writes to ARM since local Azure's start.
    pub(super) fn writes(&self) -> u64 {
        let text = self.world.run(&["local", "access", "-o", "json"]).done();
        let all: Value = serde_json::from_str(&text).unwrap();
        let counts = |one: &Value| -> u64 {
            let allowed = one["allowed"].as_object().unwrap().iter();
            allowed
                .filter(|(action, _)| !action.ends_with("/read"))
                .map(|(_, n)| n.as_u64().unwrap())
                .sum()
        };
        all.as_array().unwrap().iter().map(counts).sum()
    }
}
