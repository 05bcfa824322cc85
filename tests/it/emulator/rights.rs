//! Roles, assignments and managed identities over ARM's real wire.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use aci_operator::emulator::{Access, Client};

use super::local::{Arm, Local, answer, body, group, injection};

const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const IDENTITY_OPERATOR: &str = "f1a07417-d97a-45cb-824c-7a7467783830";
const IDENTITY: &str =
    "/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mine";

/// An application with a service principal and no role.
pub(crate) struct Somebody {
    pub(crate) app_id: String,
    pub(crate) object: String,
    pub(crate) secret: String,
}

impl Somebody {
    pub(crate) async fn register(local: &Local) -> Self {
        let token = local.token_for(&format!("{}/.default", local.endpoints.graph)).await;
        let fault = json!({"fault": "reads-lag", "seconds": 0, "operation": "graph-write"});
        Client::open(local.dir.path()).unwrap().inject(&injection(fault)).await.unwrap();
        let post = async |path: &str, body: Value| {
            let url = format!("{}/v1.0/{path}", local.endpoints.graph);
            let request = local.http.post(url).bearer_auth(&token).body(body.to_string());
            let (status, body) = answer(request).await;
            assert!(status.is_success(), "{body}");
            body
        };
        let application = post("applications", json!({"displayName": "somebody"})).await;
        let id = application["id"].as_str().unwrap();
        let password = post(&format!("applications/{id}/addPassword"), json!({})).await;
        let principal = post("servicePrincipals", json!({"appId": application["appId"]})).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            app_id: text(&application["appId"]),
            object: text(&principal["id"]),
            secret: text(&password["secretText"]),
        }
    }

    async fn arm<'a>(&self, local: &'a Local) -> Arm<'a> {
        let form = [
            ("client_secret", self.secret.as_str()),
            ("scope", "https://management.azure.com/.default"),
        ];
        let (status, body) = local.token_answer_to(&self.app_id, &form).await;
        assert_eq!(status, 200, "{body}");
        Arm { local, token: body["access_token"].as_str().unwrap().to_owned() }
    }

    /// Gives a role at a place below the subscription.
    pub(crate) async fn assign(
        &self,
        admin: &Arm<'_>,
        at: &str,
        role: &str,
    ) -> (StatusCode, Value) {
        let definition = format!("/x/roleDefinitions/{role}");
        let body =
            json!({"properties": {"roleDefinitionId": definition, "principalId": self.object}});
        let name = Uuid::new_v4();
        let path = format!("{at}/providers/Microsoft.Authorization/roleAssignments/{name}");
        admin.send(Method::PUT, &path, body).await
    }
}

fn code(answer: &(StatusCode, Value)) -> (u16, &str) {
    (answer.0.as_u16(), answer.1["error"]["code"].as_str().unwrap_or_default())
}

pub(crate) async fn access(local: &Local, principal: &str) -> Access {
    let all = Client::open(local.dir.path()).unwrap().accesses().await.unwrap();
    all.get(&principal.parse().unwrap()).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_principal_may_what_its_roles_give_and_no_more() {
    let local = Local::start().await;
    let admin = local.signed_in().await;
    let somebody = Somebody::register(&local).await;
    admin.make_resource_group().await;
    let elsewhere = json!({"location": "westeurope"});
    admin.send(Method::PUT, "/resourcegroups/elsewhere", elsewhere).await;
    admin.make("web").await;

    let arm = somebody.arm(&local).await;
    let scope = format!(
        "/subscriptions/{}/resourceGroups/RG/providers/Microsoft.ContainerInstance/containerGroups/web",
        local.variable("AZURE_SUBSCRIPTION_ID")
    );
    let refused = arm.get(&group("web")).await;
    assert_eq!(code(&refused), (403, "AuthorizationFailed"));
    let text = format!(
        "The client '{}' with object id '{}' does not have authorization to perform action \
         'Microsoft.ContainerInstance/containerGroups/read' over scope '{scope}' or the scope is \
         invalid. If access was recently granted, please refresh your credentials.",
        somebody.app_id, somebody.object
    );
    assert_eq!(refused.1["error"]["message"], text);
    let subscriptions = format!("{}/subscriptions?api-version=2022-12-01", local.endpoints.arm);
    let seen = async || answer(local.http.get(&subscriptions).bearer_auth(&arm.token)).await.1;
    assert_eq!(seen().await["value"], json!([]));

    assert_eq!(somebody.assign(&admin, "/resourceGroups/rg", READER).await.0, 201);
    let twice = somebody.assign(&admin, "/resourceGroups/rg", READER).await;
    assert_eq!(code(&twice), (409, "RoleAssignmentExists"));
    assert_eq!(seen().await["value"].as_array().unwrap().len(), 1);
    assert_eq!(arm.get(&group("web")).await.0, 200);
    assert_eq!(arm.get("/resourcegroups/elsewhere").await.0, 403);
    let write = arm.send(Method::PUT, &group("web"), body("web")).await;
    assert_eq!(code(&write), (403, "AuthorizationFailed"));
    // Nobody gives himself more than he has.
    let own = somebody.assign(&arm, "/resourceGroups/rg", READER).await;
    assert_eq!(code(&own), (403, "AuthorizationFailed"));
    // A LIST shows what one may read.
    let names = |listed: (StatusCode, Value)| -> Vec<String> {
        let found = listed.1["value"].as_array().unwrap().iter();
        found.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(arm.get("/resourcegroups").await), ["rg"]);
    assert_eq!(names(admin.get("/resourcegroups").await), ["elsewhere", "rg"]);
    let groups = "/providers/Microsoft.ContainerInstance/containerGroups";
    assert_eq!(names(arm.get(groups).await), ["web"]);

    let seen = access(&local, &somebody.object).await;
    assert_eq!(seen.name, somebody.app_id);
    assert_eq!(seen.refused["Microsoft.ContainerInstance/containerGroups/write"], 1);
    assert_eq!(seen.refused["Microsoft.Authorization/roleAssignments/write"], 1);
    assert!(seen.allowed["Microsoft.ContainerInstance/containerGroups/read"] >= 2, "{seen:?}");
    local.stop().await;
}

#[tokio::test]
async fn a_custom_role_and_a_late_assignment() {
    let local = Local::start().await;
    let admin = local.signed_in().await;
    let somebody = Somebody::register(&local).await;
    admin.make_resource_group().await;
    admin.make("web").await;
    let subscription = local.variable("AZURE_SUBSCRIPTION_ID");
    let role = Uuid::new_v4();
    let path = format!("/providers/Microsoft.Authorization/roleDefinitions/{role}");
    let definition = json!({"properties": {
        "roleName": "Stopper",
        "type": "CustomRole",
        "permissions": [{"actions": ["Microsoft.ContainerInstance/containerGroups/stop/action"]}],
        "assignableScopes": [format!("/subscriptions/{subscription}")],
    }});
    assert_eq!(admin.send(Method::PUT, &path, definition).await.0, 201);
    let fault = json!({"fault": "rbac-delay", "seconds": 1, "times": 1});
    Client::open(local.dir.path()).unwrap().inject(&injection(fault)).await.unwrap();
    assert_eq!(somebody.assign(&admin, "/resourceGroups/rg", &role.to_string()).await.0, 201);

    let arm = somebody.arm(&local).await;
    let stop = format!("{}/stop", group("web"));
    assert_eq!(arm.send(Method::POST, &stop, json!({})).await.0, 403, "it counts later");
    while arm.send(Method::POST, &stop, json!({})).await.0 != 204 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(arm.get(&group("web")).await.0, 403);
    let held = admin.send(Method::DELETE, &path, json!({})).await;
    assert_eq!(code(&held), (400, "RoleDefinitionHasAssignments"));

    // All of it outlives a restart, and nothing a reset.
    let local = Local::start_on(local.stop().await, super::clock).await;
    let arm = somebody.arm(&local).await;
    assert_eq!(arm.send(Method::POST, &stop, json!({})).await.0, 204);
    Client::open(local.dir.path()).unwrap().reset().await.unwrap();
    let admin = local.signed_in().await;
    assert_eq!(code(&admin.get(&path).await), (404, "RoleDefinitionDoesNotExist"));
    let list = admin.get("/providers/Microsoft.Authorization/roleAssignments").await.1;
    let kept = list["value"].as_array().unwrap();
    assert_eq!(kept.len(), 2, "the owners of the subscription stay");
    local.stop().await;
}

/// A user-assigned identity, as `az identity create` makes it.
async fn make_identity(admin: &Arm<'_>) -> Value {
    let (status, made) = admin.send(Method::PUT, IDENTITY, json!({"location": "westeurope"})).await;
    assert_eq!(status, 201, "{made}");
    made
}

#[tokio::test]
async fn identities_of_a_group() {
    let local = Local::start().await;
    let admin = local.signed_in().await;
    admin.make_resource_group().await;
    let made = make_identity(&admin).await;
    let (id, ids) = (made["id"].as_str().unwrap(), &made["properties"]);
    assert_eq!(made["type"], "Microsoft.ManagedIdentity/userAssignedIdentities");
    assert_eq!(ids["tenantId"], local.variable("AZURE_TENANT_ID"));
    assert_eq!(admin.send(Method::PUT, IDENTITY, json!({"location": "westeurope"})).await.0, 200);

    let with = |identity: Value| {
        let mut body = body("web");
        body["identity"] = identity;
        body
    };
    let assigned = |id: &str| json!({"type": "UserAssigned", "userAssignedIdentities": {id: {}}});
    for (identity, expected) in [
        (assigned(&id.replace("/mine", "/nobody")), "FailedIdentityOperation"),
        (assigned("mine"), "LinkedInvalidPropertyId"),
        (json!({"type": "UserAssigned"}), "FailedIdentityOperation"),
        (
            json!({"type": "SystemAssigned", "userAssignedIdentities": {id: {}}}),
            "FailedIdentityOperation",
        ),
        (json!({"type": "Mine"}), "InvalidIdentityType"),
    ] {
        let refused = admin.send(Method::PUT, &group("web"), with(identity.clone())).await;
        assert_eq!(code(&refused), (400, expected), "{identity}");
    }
    let both = json!({"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {id: {}}});
    let (status, shown) = admin.send(Method::PUT, &group("web"), with(both)).await;
    assert_eq!(status, 201, "{shown}");
    let identity = &shown["identity"];
    assert_eq!(identity["type"], "SystemAssigned, UserAssigned");
    assert_eq!(
        identity["userAssignedIdentities"][id],
        json!({"principalId": ids["principalId"], "clientId": ids["clientId"]})
    );
    let own = identity["principalId"].clone();
    assert!(own.as_str().is_some_and(|own| own != ids["principalId"]));
    // The group's own identity stays the same, and goes when it is not asked for.
    let shown = admin.settled("web").await;
    assert_eq!(shown["identity"]["principalId"], own);
    admin.put("web").await;
    assert_eq!(admin.settled("web").await["identity"], Value::Null);
    local.stop().await;
}

#[tokio::test]
async fn who_gives_a_group_an_identity_must_be_allowed_to() {
    let local = Local::start().await;
    let admin = local.signed_in().await;
    let somebody = Somebody::register(&local).await;
    admin.make_resource_group().await;
    let made = make_identity(&admin).await;
    let id = made["id"].as_str().unwrap();
    let subscription = local.variable("AZURE_SUBSCRIPTION_ID");
    let role = Uuid::new_v4();
    let definition = json!({"properties": {
        "roleName": "Writer",
        "permissions": [{"actions": ["Microsoft.ContainerInstance/containerGroups/*"]}],
        "assignableScopes": [format!("/subscriptions/{subscription}")],
    }});
    let path = format!("/providers/Microsoft.Authorization/roleDefinitions/{role}");
    admin.send(Method::PUT, &path, definition).await;
    somebody.assign(&admin, "/resourceGroups/rg", &role.to_string()).await;

    let arm = somebody.arm(&local).await;
    let mut body = body("web");
    body["identity"] = json!({"type": "UserAssigned", "userAssignedIdentities": {id: {}}});
    let refused = arm.send(Method::PUT, &group("web"), body.clone()).await;
    assert_eq!(code(&refused), (403, "LinkedAuthorizationFailed"));
    let text = refused.1["error"]["message"].as_str().unwrap();
    assert!(
        text.contains(
            "has permission to perform action 'Microsoft.ContainerInstance/containerGroups/write'"
        ),
        "{text}"
    );
    assert!(text.contains(&format!("on the linked scope(s) '{id}'")), "{text}");

    // On this one identity, and on no other.
    assert_eq!(somebody.assign(&admin, IDENTITY, IDENTITY_OPERATOR).await.0, 201);
    assert_eq!(arm.send(Method::PUT, &group("web"), body).await.0, 201);
    let seen = access(&local, &somebody.object).await;
    let assign = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";
    assert_eq!((seen.refused[assign], seen.allowed[assign]), (1, 1));
    local.stop().await;
}

#[tokio::test]
async fn an_identity_is_a_principal_of_the_directory() {
    let local = Local::start().await;
    let admin = local.signed_in().await;
    admin.make_resource_group().await;
    let made = make_identity(&admin).await;
    let principal = made["properties"]["principalId"].as_str().unwrap();
    let token = local.token_for(&format!("{}/.default", local.endpoints.graph)).await;
    let look = async || {
        let url = format!("{}/v1.0/servicePrincipals/{principal}", local.endpoints.graph);
        answer(local.http.get(url).bearer_auth(&token)).await
    };
    // The directory is late, so that a role cannot be given at once unless one says what it is.
    let role = format!(
        "/resourceGroups/rg/providers/Microsoft.Authorization/roleAssignments/{}",
        Uuid::new_v4()
    );
    let mut body = json!({"properties": {"roleDefinitionId": READER, "principalId": principal}});
    let early = admin.send(Method::PUT, &role, body.clone()).await;
    assert_eq!(code(&early), (400, "PrincipalNotFound"));
    body["properties"]["principalType"] = json!("ServicePrincipal");
    assert_eq!(admin.send(Method::PUT, &role, body).await.0, 201);
    let shown = loop {
        let (status, shown) = look().await;
        if status == 200 {
            break shown;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(shown["servicePrincipalType"], "ManagedIdentity");
    assert_eq!(
        (&shown["displayName"], &shown["appId"]),
        (&json!("mine"), &made["properties"]["clientId"])
    );
    assert_eq!(shown["alternativeNames"][1], made["id"]);

    let url = format!("{}/v1.0/directoryObjects/getByIds", local.endpoints.graph);
    let ids = json!({"ids": [principal, Uuid::new_v4()], "types": ["user", "servicePrincipal"]});
    let (_, found) = answer(local.http.post(url).bearer_auth(&token).body(ids.to_string())).await;
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
    assert_eq!(found["value"][0]["@odata.type"], "#microsoft.graph.servicePrincipal");

    assert_eq!(admin.send(Method::DELETE, IDENTITY, json!({})).await.0, 200);
    assert_eq!(admin.send(Method::DELETE, IDENTITY, json!({})).await.0, 204);
    while look().await.0 != 404 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    local.stop().await;
}
