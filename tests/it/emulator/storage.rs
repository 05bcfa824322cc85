//! Storage accounts of local Azure: ARM's side, and blobs with tokens, rights and faults.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use aci_operator::emulator::Client;
use aci_operator::emulator::faults::Operation;

use super::local::{Arm, Local, clock, config, injection, split};

pub(crate) const STORAGE: &str = "https://storage.azure.com/.default";
pub(crate) const CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
pub(crate) const READER: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";

/// Where `scripts/test` installs Azurite.
pub(crate) fn azurite() -> PathBuf {
    let installed =
        concat!(env!("CARGO_MANIFEST_DIR"), "/target/azurite/node_modules/.bin/azurite-blob");
    std::env::var_os("ACI_OPERATOR_AZURITE").map_or_else(|| installed.into(), PathBuf::from)
}

pub(crate) async fn start() -> Local {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let mut config = config(dir.path(), clock);
    config.azurite = azurite();
    Local::start_with(dir, config).await
}

pub(crate) fn account(name: &str) -> String {
    format!("/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/{name}")
}

fn body() -> Value {
    json!({
        "location": "westeurope",
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "properties": {"minimumTlsVersion": "TLS1_2", "allowSharedKeyAccess": false},
    })
}

pub(crate) async fn make_account(arm: &Arm<'_>, name: &str) -> Value {
    let request = arm.request(Method::PUT, &account(name)).body(body().to_string());
    let making = request.send().await.unwrap();
    assert_eq!(making.status(), 202);
    let url = making.headers()["location"].to_str().unwrap();
    loop {
        let asked = arm.local.http.get(url).bearer_auth(&arm.token);
        match split(asked.send().await.unwrap()).await {
            (StatusCode::ACCEPTED, _) => tokio::time::sleep(Duration::from_millis(10)).await,
            (status, made) => {
                assert_eq!(status, 200, "{made}");
                return made;
            }
        }
    }
}

/// The object id in a token.
pub(crate) fn object_id(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["oid"].clone()
}

pub(crate) async fn assign(arm: &Arm<'_>, role: &str, scope: &str, name: &str) {
    assign_to(arm, &object_id(&arm.token), role, scope, name).await;
}

pub(crate) async fn assign_to(
    arm: &Arm<'_>,
    principal: &Value,
    role: &str,
    scope: &str,
    name: &str,
) {
    let subscription = arm.local.variable("AZURE_SUBSCRIPTION_ID");
    let definitions = "providers/Microsoft.Authorization/roleDefinitions";
    let body = json!({"properties": {
        "principalId": principal,
        "principalType": "ServicePrincipal",
        "roleDefinitionId": format!("/subscriptions/{subscription}/{definitions}/{role}"),
    }});
    let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
    let (status, answer) = arm.send(Method::PUT, &path, body).await;
    assert_eq!(status, 201, "{answer}");
}

/// Blobs, with one token.
struct Blobs<'a> {
    local: &'a Local,
    base: String,
    token: String,
}

impl<'a> Blobs<'a> {
    fn new(local: &'a Local, account: &str, token: String) -> Self {
        Self { local, base: format!("{}/{account}", local.endpoints.blob), token }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.local.http.request(method, format!("{}{path}", self.base));
        request.bearer_auth(&self.token).header("x-ms-version", "2026-02-06")
    }

    fn put(&self, path: &str, content: &'static str) -> reqwest::RequestBuilder {
        self.request(Method::PUT, path).header("x-ms-blob-type", "BlockBlob").body(content)
    }
}

/// The status and the code in the header.
async fn outcome(request: reqwest::RequestBuilder) -> (StatusCode, String) {
    let response = request.send().await.unwrap();
    let code = response.headers().get("x-ms-error-code");
    (response.status(), code.map_or("", |code| code.to_str().unwrap()).to_owned())
}

fn refused(status: u16, code: &str) -> (StatusCode, String) {
    (StatusCode::from_u16(status).unwrap(), code.to_owned())
}

#[tokio::test]
async fn an_account_and_what_hangs_below_it() {
    let local = start().await;
    let arm = local.signed_in().await;
    arm.make_resource_group().await;
    let (status, answer) = arm.send(Method::PUT, &account("No"), body()).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (400, &json!("AccountNameInvalid")));

    let made = make_account(&arm, "keep1").await;
    let properties = &made["properties"];
    assert_eq!(properties["provisioningState"], "Succeeded");
    assert_eq!(properties["minimumTlsVersion"], "TLS1_2");
    assert_eq!(properties["allowSharedKeyAccess"], false);
    assert_eq!(properties["allowBlobPublicAccess"], false);
    assert_eq!(properties["publicNetworkAccess"], "Enabled");
    assert_eq!(properties["encryption"]["keySource"], "Microsoft.Storage");
    let blob = format!("{}/keep1/", local.endpoints.blob);
    assert_eq!(properties["primaryEndpoints"]["blob"], blob);

    let again = arm.send(Method::PUT, &account("keep1"), body()).await;
    assert_eq!(again.0, 200);
    let (_, answer) =
        arm.send(Method::PUT, "/resourceGroups/other", json!({"location": "westeurope"})).await;
    assert_eq!(answer["name"], "other");
    let elsewhere = account("keep1").replace("/rg/", "/other/");
    let (status, answer) = arm.send(Method::PUT, &elsewhere, body()).await;
    assert_eq!(status, 409);
    assert_eq!(answer["error"]["code"], "StorageAccountInAnotherResourceGroup");
    let check = "/providers/Microsoft.Storage/checkNameAvailability";
    let (_, answer) = arm.send(Method::POST, check, json!({"name": "keep1"})).await;
    assert_eq!(answer["reason"], "AlreadyExists");

    let service = format!("{}/blobServices/default", account("keep1"));
    let versions = json!({"properties": {"isVersioningEnabled": true}});
    let (status, answer) = arm.send(Method::PUT, &service, versions).await;
    assert_eq!(
        (status.as_u16(), &answer["properties"]["isVersioningEnabled"]),
        (200, &json!(true))
    );
    let policy = format!("{}/managementPolicies/default", account("keep1"));
    assert_eq!(arm.get(&policy).await.1["error"]["code"], "ManagementPolicyNotFound");
    let rules = json!({"properties": {"policy": {"rules": [
        {"name": "old", "enabled": true, "type": "Lifecycle", "definition": {
            "filters": {"blobTypes": ["blockBlob"]},
            "actions": {"version": {"delete": {"daysAfterCreationGreaterThan": 30}}}}}
    ]}}});
    assert_eq!(arm.send(Method::PUT, &policy, rules.clone()).await.0, 200);
    assert_eq!(arm.get(&policy).await.1["properties"]["policy"], rules["properties"]["policy"]);

    let container = format!("{service}/containers/home");
    assert_eq!(arm.send(Method::PUT, &container, json!({})).await.0, 201);
    assert_eq!(arm.send(Method::PUT, &container, json!({})).await.0, 200);
    let (_, listed) = arm.get(&format!("{service}/containers")).await;
    assert_eq!(listed["value"][0]["name"], "home");
    assert_eq!(arm.send(Method::DELETE, &container, json!(null)).await.0, 200);
    assert_eq!(arm.get(&container).await.1["error"]["code"], "ContainerNotFound");

    let tags = json!({"tags": {"a": "b"}, "properties": {"publicNetworkAccess": "Disabled"}});
    let (status, patched) = arm.send(Method::PATCH, &account("keep1"), tags).await;
    assert_eq!((status.as_u16(), &patched["tags"]["a"]), (200, &json!("b")));
    let (_, patched) = arm.send(Method::PATCH, &account("KEEP1"), json!({})).await;
    assert_eq!((&patched["name"], &patched["tags"]["a"]), (&json!("keep1"), &json!("b")));
    let blobs = Blobs::new(&local, "keep1", local.token_for(STORAGE).await);
    let read = outcome(blobs.request(Method::GET, "/home/a")).await;
    assert_eq!(read, refused(403, "AuthorizationFailure"));
    assert_eq!(arm.send(Method::DELETE, &account("keep1"), json!(null)).await.0, 200);
    assert_eq!(arm.send(Method::DELETE, &account("keep1"), json!(null)).await.0, 204);
    let read = outcome(blobs.request(Method::GET, "/home/a")).await;
    assert_eq!(read, refused(404, "ResourceNotFound"));
    local.stop().await;
}

#[tokio::test]
async fn without_azurite_an_account_says_what_to_install() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let mut config = config(dir.path(), clock);
    config.azurite = dir.path().join("nowhere");
    let local = Local::start_with(dir, config).await;
    let arm = local.signed_in().await;
    arm.make_resource_group().await;
    let (status, answer) = arm.send(Method::PUT, &account("keep1"), body()).await;
    assert_eq!(status, 503);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("npm install --global azurite"), "{message}");
    assert!(message.contains("ACI_OPERATOR_AZURITE"), "{message}");
    assert_eq!(arm.get(&account("keep1")).await.0, 404);
    local.stop().await;
}

#[tokio::test]
async fn blobs_take_a_token_and_a_right() {
    let local = start().await;
    let arm = local.signed_in().await;
    arm.make_resource_group().await;
    make_account(&arm, "keep1").await;
    for name in ["open", "secret"] {
        let path = format!("{}/blobServices/default/containers/{name}", account("keep1"));
        assert_eq!(arm.send(Method::PUT, &path, json!({})).await.0, 201);
    }
    let good = Blobs::new(&local, "keep1", local.token_for(STORAGE).await);

    // The owner of a subscription has no right to data.
    assert_eq!(
        outcome(good.put("/open/a", "1")).await,
        refused(403, "AuthorizationPermissionMismatch")
    );
    let open = format!("{}/blobServices/default/containers/open", account("keep1"));
    assign(&arm, CONTRIBUTOR, &open, "00000000-0000-4000-8000-00000000000a").await;
    assert_eq!(outcome(good.put("/open/a", "1")).await, refused(201, ""));
    let read = good.request(Method::GET, "/open/a").send().await.unwrap();
    assert_eq!((read.status().as_u16(), read.text().await.unwrap().as_str()), (200, "1"));
    for path in ["/secret/a", "/secret?restype=container&comp=list"] {
        let read = outcome(good.request(Method::GET, path)).await;
        assert_eq!(read, refused(403, "AuthorizationPermissionMismatch"), "{path}");
    }
    assign(&arm, READER, &account("keep1"), "00000000-0000-4000-8000-00000000000b").await;
    let read = outcome(good.request(Method::GET, "/secret/a")).await;
    assert_eq!(read, refused(404, "BlobNotFound"));
    let write = outcome(good.put("/secret/a", "1")).await;
    assert_eq!(write, refused(403, "AuthorizationPermissionMismatch"));

    let anonymous = local.http.get(format!("{}/open/a", good.base));
    let answer = anonymous.send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("resource_id=https://storage.azure.com"), "{challenge}");
    for (token, code) in [
        (arm.token.clone(), "InvalidAuthenticationInfo"),
        (format!("{}x", good.token), "InvalidAuthenticationInfo"),
        // What Azurite itself would take: anybody can write it.
        (unsigned(&good.token), "InvalidAuthenticationInfo"),
    ] {
        let other = Blobs::new(&local, "keep1", token);
        assert_eq!(outcome(other.put("/open/a", "2")).await, refused(401, code));
    }
    let key = local.http.get(format!("{}/open/a", good.base));
    let key = key.header("authorization", "SharedKey keep1:AAAA");
    assert_eq!(outcome(key).await, refused(403, "KeyBasedAuthenticationNotPermitted"));
    let unknown = outcome(good.request(Method::GET, "/open/a?snapshot=x")).await;
    assert_eq!(unknown, refused(501, "NotImplemented"));
    local.stop().await;
}

/// The claims of a token under `alg: none`.
fn unsigned(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap();
    format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#))
}

#[tokio::test]
async fn conditions_faults_and_a_restart() {
    let local = start().await;
    let arm = local.signed_in().await;
    arm.make_resource_group().await;
    make_account(&arm, "keep1").await;
    assign(&arm, CONTRIBUTOR, &account("keep1"), "00000000-0000-4000-8000-00000000000a").await;
    let token = local.token_for(STORAGE).await;
    let blobs = Blobs::new(&local, "keep1", token.clone());
    let made = blobs.request(Method::PUT, "/home?restype=container");
    assert_eq!(outcome(made.header("content-length", "0")).await, refused(201, ""));
    // Known to ARM, too.
    let containers = format!("{}/blobServices/default/containers", account("keep1"));
    assert_eq!(arm.get(&containers).await.1["value"][0]["name"], "home");

    let create = || blobs.put("/home/a", "1").header("if-none-match", "*");
    assert_eq!(outcome(create()).await, refused(201, ""));
    assert_eq!(outcome(create()).await, refused(409, "BlobAlreadyExists"));
    let stale = blobs.put("/home/a", "2").header("if-match", "\"0x1\"");
    assert_eq!(outcome(stale).await, refused(412, "ConditionNotMet"));

    let admin = Client::open(local.dir.path()).unwrap();
    let busy = json!({"fault": "blob-refused", "status": 503, "retryAfter": 1, "times": 1,
        "operation": "blob-write", "container": "home"});
    admin.inject(&injection(busy)).await.unwrap();
    assert_eq!(outcome(blobs.request(Method::GET, "/home/a")).await, refused(200, ""));
    let answer = blobs.put("/home/a", "3").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    let lost = json!({"fault": "blob-answer-lost", "times": 1});
    admin.inject(&injection(lost)).await.unwrap();
    assert!(blobs.put("/home/a", "4").send().await.is_err());
    let read = |blobs: &Blobs<'_>| blobs.request(Method::GET, "/home/a");
    assert_eq!(read(&blobs).send().await.unwrap().text().await.unwrap(), "4");
    let counts = admin.status().await.unwrap().requests;
    assert_eq!((counts[&Operation::BlobRead], counts[&Operation::BlobWrite]), (2, 6));

    // A second account takes another Azurite; what the first one had is still there.
    make_account(&arm, "keep2").await;
    assert_eq!(read(&blobs).send().await.unwrap().text().await.unwrap(), "4");

    let mut config = config(local.dir.path(), clock);
    config.azurite = azurite();
    let local = Local::start_with(local.stop().await, config).await;
    let blobs = Blobs::new(&local, "keep1", token);
    assert_eq!(read(&blobs).send().await.unwrap().text().await.unwrap(), "4");
    Client::open(local.dir.path()).unwrap().reset().await.unwrap();
    assert_eq!(outcome(read(&blobs)).await, refused(404, "ResourceNotFound"));
    local.stop().await;
}
