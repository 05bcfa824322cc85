//! The instance metadata service as a container of a group sees it, and ARM with a token of it.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use aci_operator::azure::{Azure, Cloud, Environment, credential};
use aci_operator::core::Fault;
use aci_operator::core::container_group::{GroupId, Scope};
use aci_operator::emulator::{Client, Config};
use aci_operator::ports::{ContainerGroups as _, Fence};
use reqwest::Method;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::{Value, json};

use super::support::*;
use crate::emulator::local::{Arm, Local, clock, group as path, injection};

const IDENTITIES: &str =
    "/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";

/// A local Azure over containers.
async fn azure(id: &str) -> Local {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let engine = Arc::new(connect(id).await);
    let config = Config::new(dir.path().to_owned(), engine, "docker", clock);
    Local::start_with(dir, config).await
}

pub(super) async fn identity(arm: &Arm<'_>, name: &str) -> Value {
    let body = json!({"location": "westeurope"});
    let (status, made) = arm.send(Method::PUT, &format!("{IDENTITIES}/{name}"), body).await;
    assert_eq!(status, 201, "{made}");
    made
}

/// A group without an address that runs a script.
pub(super) async fn run(arm: &Arm<'_>, identities: &[&Value], script: &str) {
    let assigned: serde_json::Map<_, _> = identities
        .iter()
        .map(|identity| (identity["id"].as_str().unwrap().to_owned(), json!({})))
        .collect();
    let body = json!({
        "location": "westeurope",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": assigned},
        "properties": {
            "osType": "Linux",
            "containers": [{"name": "app", "properties": {
                "image": IMAGE, "command": ["/bin/bash", "-c", script],
                "resources": {"requests": {"cpu": 1, "memoryInGB": 0.25}}}}],
        },
    });
    let (status, answer) = arm.send(Method::PUT, &path("web"), body).await;
    assert!(status.is_success(), "{answer}");
    arm.settled("web").await;
}

/// What the container printed, once it printed `mark`.
pub(super) async fn printed(arm: &Arm<'_>, mark: &str) -> String {
    for _ in 0..600 {
        let (_, logs) = arm.get(&format!("{}/containers/app/logs", path("web"))).await;
        let text = logs["content"].as_str().unwrap_or_default().to_owned();
        if text.contains(mark) {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never printed {mark}");
}

/// `ask HEADERS QUERY` prints the answer of the metadata service.
pub(super) const ASK: &str = r#"
    ask() {
        exec 3<>/dev/tcp/169.254.169.254/80 || return
        printf 'GET /metadata/identity/oauth2/token?%b HTTP/1.1\r\nHost: x\r\n%bConnection: close\r\n\r\n' "$2" "$1" >&3
        cat <&3; echo
    }
    marked='Metadata: true\r\n'
    arm='api-version=2018-02-01&resource=https://management.azure.com/'
"#;

#[tokio::test]
async fn a_container_is_what_its_group_may_be() {
    with_id(async |id| {
        let local = azure(&id).await;
        let arm = local.signed_in().await;
        arm.make_resource_group().await;
        let (mine, other) = (identity(&arm, "mine").await, identity(&arm, "other").await);
        let (ids, theirs) = (&mine["properties"], other["properties"]["clientId"].as_str().unwrap());
        let role = format!("/resourceGroups/rg/providers/Microsoft.Authorization/roleAssignments/{}", uuid::Uuid::new_v4());
        let body = json!({"properties": {"roleDefinitionId": READER, "principalId": ids["principalId"], "principalType": "ServicePrincipal"}});
        assert_eq!(arm.send(Method::PUT, &role, body).await.0, 201);

        let host = local.endpoints.arm.strip_prefix("https://").unwrap();
        let subscription = local.variable("AZURE_SUBSCRIPTION_ID");
        let script = format!(
            r#"{ASK}
            echo "== bare";      ask "" "$arm"
            echo "== forwarded"; ask "${{marked}}X-Forwarded-For: 10.0.0.1\r\n" "$arm"
            echo "== nothing";   ask "$marked" "api-version=2018-02-01"
            echo "== other";     ask "$marked" "$arm&client_id={theirs}"
            echo "== mine";      ask "$marked" "$arm&object_id={mine}"
            token=$(ask "$marked" "$arm" | grep -o '"access_token":"[^"]*"' | cut -d'"' -f4)
            for where in resourcegroups/rg resourcegroups; do
                echo "== arm $where"
                printf "GET /subscriptions/{subscription}/$where?api-version=2022-12-01 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer $token\r\nConnection: close\r\n\r\n" |
                    openssl s_client -quiet -verify_return_error -verify_hostname localhost -connect {host} 2>/dev/null
                echo
            done
            echo "== delete"
            printf "DELETE /subscriptions/{subscription}/resourcegroups/rg?api-version=2022-12-01 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer $token\r\nConnection: close\r\n\r\n" |
                openssl s_client -quiet -verify_return_error -verify_hostname localhost -connect {host} 2>/dev/null
            echo; echo "== end"; sleep 9999"#,
            mine = ids["principalId"].as_str().unwrap()
        );
        run(&arm, &[&mine], &script).await;
        let seen = printed(&arm, "== end").await;
        let part = |name: &str| seen.split("== ").find(|part| part.starts_with(name)).unwrap().to_owned();
        for (name, status, text) in [
            ("bare", 400, "Required metadata header not specified"),
            ("forwarded", 400, "X-Forwarded-For"),
            ("nothing", 400, "'resource' is missing"),
            ("other", 400, "Identity not found"),
            ("mine", 200, "\"token_type\":\"Bearer\""),
            ("arm resourcegroups/rg", 200, "Microsoft.Resources/resourceGroups"),
            ("arm resourcegroups\n", 200, "Microsoft.Resources/resourceGroups"),
            ("delete", 403, "AuthorizationFailed"),
        ] {
            let answer = part(name);
            assert!(answer.contains(&format!("HTTP/1.1 {status} ")) && answer.contains(text), "{name}: {answer}");
        }
        let granted = part("mine");
        let granted: Value = serde_json::from_str(granted.rsplit("\r\n\r\n").next().unwrap().trim()).unwrap();
        let fields = ["access_token", "client_id", "expires_in", "expires_on", "ext_expires_in", "not_before", "resource", "token_type"];
        for field in fields {
            assert!(granted[field].is_string(), "{field}: {granted}");
        }
        assert_eq!(granted["client_id"], ids["clientId"]);
        local.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_service_is_late_when_told_to_be_and_wants_to_know_which_of_two() {
    with_id(async |id| {
        let local = azure(&id).await;
        let arm = local.signed_in().await;
        arm.make_resource_group().await;
        let (mine, other) = (identity(&arm, "mine").await, identity(&arm, "other").await);
        let fault = json!({"fault": "identity-late", "seconds": 4, "group": "web"});
        Client::open(local.dir.path()).unwrap().inject(&injection(fault)).await.unwrap();
        let script = format!(
            r#"{ASK}
            until [[ $seen == *"HTTP/1.1 400"* ]]; do
                seen=$(ask "$marked" "$arm" 2>&1); echo "[$(head -n1 <<<"$seen" | tr -d '\r')]"; sleep 0.2
            done
            echo "$seen"; echo "== end"; sleep 9999"#
        );
        run(&arm, &[&mine, &other], &script).await;
        let seen = printed(&arm, "== end").await;
        let mut lines: Vec<&str> = seen.lines().filter(|line| line.starts_with('[')).collect();
        lines.dedup();
        assert_eq!(lines, ["[]", "[HTTP/1.1 404 Not Found]", "[HTTP/1.1 400 Bad Request]"]);
        assert!(seen.contains("Multiple user assigned identities exist"), "{seen}");
        local.stop().await;
    })
    .await;
}

/// Does in the network of a process what `act` says, on a thread of its own.
fn inside<T: Send>(pid: i64, act: impl AsyncFnOnce() -> T + Send) -> T {
    let namespace = File::open(format!("/proc/{pid}/ns/net")).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(act())
        });
        thread.join().unwrap()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_is_the_identity_of_its_group_however_late() {
    with_id(async |id| {
        let local = azure(&id).await;
        let arm = local.signed_in().await;
        arm.make_resource_group().await;
        let (mine, other) = (identity(&arm, "mine").await, identity(&arm, "other").await);
        let role = format!("/resourceGroups/rg/providers/Microsoft.Authorization/roleAssignments/{}", uuid::Uuid::new_v4());
        let body = json!({"properties": {"roleDefinitionId": READER,
            "principalId": mine["properties"]["principalId"], "principalType": "ServicePrincipal"}});
        assert_eq!(arm.send(Method::PUT, &role, body).await.0, 201);
        let fault = json!({"fault": "identity-late", "seconds": 6});
        Client::open(local.dir.path()).unwrap().inject(&injection(fault)).await.unwrap();
        run(&arm, &[&mine, &other], "sleep 9999").await;

        let url = |text: &str| url::Url::parse(text).unwrap();
        let endpoints = &local.endpoints;
        let cloud = Cloud::custom(
            url(&endpoints.arm),
            "https://management.azure.com",
            url(&endpoints.entra),
            url(&endpoints.graph),
            std::fs::read(&endpoints.ca).unwrap(),
        );
        let subscription = local.variable("AZURE_SUBSCRIPTION_ID");
        let client = mine["properties"]["clientId"].as_str().unwrap().to_owned();
        let pid = process_of(&id, "app").await;
        let (listed, refused) = tokio::task::block_in_place(|| {
            inside(pid, async || {
                let set = |name: &str| (name == "AZURE_CLIENT_ID").then(|| client.clone());
                let chain = credential::chain(&cloud, &Environment::read(set)).unwrap();
                let azure = Azure::new(&cloud, chain, Arc::new(|_, _| {}), &Fence::open()).unwrap();
                let scope = Scope::Subscription(subscription.clone());
                let listed = azure.list(&scope).await.unwrap();
                let group = GroupId { subscription, resource_group: "rg".to_owned(), name: "web".to_owned() };
                (listed, azure.delete(&group).await.unwrap_err())
            })
        });
        assert_eq!(listed.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["web"]);
        assert!(matches!(refused, Fault::Forbidden { service: "ARM", .. }), "{refused}");
        assert!(refused.to_string().contains(&client), "{refused}");

        // Another process over the same group, which runs on, has its identities still.
        let dir = local.stop().await;
        let engine = Arc::new(connect(&id).await);
        let config = Config::new(dir.path().to_owned(), engine, "docker", clock);
        let local = Local::start_with(dir, config).await;
        let again = tokio::task::block_in_place(|| {
            inside(pid, async || {
                let set = |name: &str| (name == "AZURE_CLIENT_ID").then(|| client.clone());
                let chain = credential::chain(&cloud, &Environment::read(set)).unwrap();
                chain.get_token(&["https://management.azure.com/.default"], None).await.is_ok()
            })
        });
        assert!(again);
        local.stop().await;
    })
    .await;
}
