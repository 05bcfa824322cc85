//! Local Azure over its real wire: HTTPS verified by its own CA, no containers.

mod applications;
mod blob_home;
mod exec;
mod graph;
pub(crate) mod local;
pub(crate) mod rights;
mod sign_in;
pub(super) mod storage;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use aci_operator::emulator::faults::Operation;
use aci_operator::emulator::{Client, Error, environment, serve};

use self::local::{Arm, Local, VERSION, answer, clock, config, group, injection, split};

#[tokio::test]
async fn the_life_of_a_group() {
    let local = Local::start().await;
    let arm = local.signed_in().await;
    assert_eq!(arm.get(&group("web")).await.1["error"]["code"], "ResourceGroupNotFound");
    arm.make_resource_group().await;

    let created = arm.put("web").await;
    assert_eq!(created.status(), 201);
    assert!(created.headers().contains_key("x-ms-request-id"));
    assert!(created.headers().contains_key("x-ms-ratelimit-remaining-subscription-writes"));
    assert_eq!(arm.follow(&created, "azure-asyncoperation").await.1["status"], "Succeeded");
    assert_eq!(split(created).await.1["properties"]["provisioningState"], "Pending");

    let shown = arm.settled("web").await;
    let first_ip = shown["properties"]["ipAddress"]["ip"].clone();
    assert!(first_ip.as_str().unwrap().starts_with("127."));
    assert!(!shown.to_string().contains("hunter2"));

    let started = arm.put("web").await;
    assert_eq!(started.status(), 200);
    arm.settled("web").await;

    assert_eq!(arm.send(Method::POST, &format!("{}/stop", group("web")), json!({})).await.0, 204);
    while arm.settled("web").await["properties"]["instanceView"]["state"] != "Stopped" {}
    let request = arm.request(Method::POST, &format!("{}/start", group("web")));
    let starting = request.header("content-length", "0").send().await.unwrap();
    assert_eq!(starting.status(), 202);
    assert_eq!(arm.follow(&starting, "location").await.0, 204);
    assert_ne!(arm.settled("web").await["properties"]["ipAddress"]["ip"], first_ip);

    let (status, logs) = arm.get(&format!("{}/containers/app/logs?tail=5", group("web"))).await;
    assert_eq!((status, logs), (StatusCode::OK, json!({"content": ""})));

    let deleting = arm.request(Method::DELETE, &group("web")).send().await.unwrap();
    assert_eq!(deleting.status(), 202);
    assert_eq!(arm.follow(&deleting, "location").await.0, 204);
    assert_eq!(arm.send(Method::DELETE, &group("web"), json!(null)).await.0, 204);

    let counts = Client::open(local.dir.path()).unwrap().status().await.unwrap().requests;
    assert_eq!(counts[&Operation::Put], 2);
    assert_eq!(counts[&Operation::Delete], 2);
    let log = std::fs::read_to_string(local.dir.path().join("requests.jsonl")).unwrap();
    let puts = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(puts.filter(|line| line["operation"] == "put").count(), 2);
    local.stop().await;
}

#[tokio::test]
async fn subscriptions_providers_and_resource_groups() {
    let local = Local::start().await;
    let arm = local.signed_in().await;
    let metadata = local.http.get(format!("{}/metadata/endpoints?{VERSION}", local.endpoints.arm));
    let (status, body) = answer(metadata).await;
    assert_eq!(status, 200);
    assert_eq!(body["authentication"]["loginEndpoint"], local.endpoints.entra);

    assert_eq!(arm.get("").await.1["subscriptionId"], local.variable("AZURE_SUBSCRIPTION_ID"));
    assert!(arm.get("/locations").await.1["value"].as_array().unwrap().len() > 5);
    let provider = "/providers/Microsoft.ContainerInstance";
    assert_eq!(arm.get(provider).await.1["registrationState"], "Registered");
    arm.make_resource_group().await;
    arm.send(Method::POST, &format!("{provider}/unregister"), json!({})).await;
    let (status, refused) = split(arm.put("web").await).await;
    assert_eq!(
        (status.as_u16(), &refused["error"]["code"]),
        (409, &json!("MissingSubscriptionRegistration"))
    );
    arm.send(Method::POST, &format!("{provider}/register"), json!({})).await;

    for name in ["web-a", "web-b", "web-c"] {
        arm.make(name).await;
    }
    let (_, first) = arm.get("/providers/Microsoft.ContainerInstance/containerGroups").await;
    assert_eq!(first["value"].as_array().unwrap().len(), 2);
    let next = local.http.get(first["nextLink"].as_str().unwrap()).bearer_auth(&arm.token);
    let (_, second) = answer(next).await;
    assert_eq!(second["value"].as_array().unwrap().len(), 1);
    assert_eq!(second["value"][0]["properties"]["instanceView"], Value::Null);
    assert_eq!(second["nextLink"], Value::Null);

    let head = |path: &'static str| arm.request(Method::HEAD, path).send();
    assert_eq!(head("/resourceGroups/RG").await.unwrap().status(), 204);
    assert_eq!(head("/resourceGroups/none").await.unwrap().status(), 404);
    let deleting = arm.request(Method::DELETE, "/resourceGroups/rg").send().await.unwrap();
    assert_eq!(arm.follow(&deleting, "location").await.0, 204);
    assert_eq!(head("/resourceGroups/RG").await.unwrap().status(), 404);
    local.stop().await;
}

/// How far ahead the clock of the token test is, in seconds.
static AHEAD: AtomicI64 = AtomicI64::new(0);

fn moving_clock() -> DateTime<Utc> {
    clock() + TimeDelta::seconds(AHEAD.load(Ordering::SeqCst))
}

#[tokio::test]
async fn tokens_that_are_refused() {
    let local = Local::start_on(Arc::new(tempfile::tempdir().unwrap()), moving_clock).await;
    let scope = ("scope", "https://management.azure.com/.default");
    let federated = std::fs::read_to_string(&local.endpoints.federated_token).unwrap();
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let assertion = |token: &str| token.to_owned();
    let secret = local.variable("AZURE_CLIENT_SECRET");
    let forged = assertion(&local.token_for(scope.1).await);
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("client_secret", &secret), scope], ""),
        (&[("client_assertion", &federated), ("client_assertion_type", kind), scope], ""),
        (&[("client_secret", "wrong"), scope], "AADSTS7000215"),
        (&[scope], "AADSTS7000218"),
        (&[("client_assertion", &forged), ("client_assertion_type", kind), scope], "AADSTS700027"),
        (&[("client_secret", &secret), ("scope", "https://example.test/.default")], "AADSTS500011"),
    ];
    for (fields, refusal) in cases {
        let (status, body) = local.token_answer(fields).await;
        let said = body["error_description"].as_str().unwrap_or_default();
        assert!(said.starts_with(refusal) && status.is_success() == refusal.is_empty(), "{body}");
    }

    let arm = local.signed_in().await;
    let bare = |token: String| Arm { local: &local, token };
    let code = |answer: (StatusCode, Value)| {
        assert_eq!(answer.0, 401);
        answer.1["error"]["code"].as_str().unwrap().to_owned()
    };
    let missing = local.http.get(format!("{}/subscriptions?{VERSION}", local.endpoints.arm));
    assert_eq!(code(answer(missing).await), "AuthenticationFailed");
    assert_eq!(code(bare("no.such.token".to_owned()).get("").await), "InvalidAuthenticationToken");
    let unknown = bare(federated).request(Method::GET, "").send().await.unwrap();
    let challenge = unknown.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("insufficient_claims") && challenge.contains("claims=\""));
    assert_eq!(arm.get("").await.0, 200);
    AHEAD.store(3601, Ordering::SeqCst);
    assert_eq!(code(arm.get("").await), "ExpiredAuthenticationToken");
    local.stop().await;
}

#[tokio::test]
async fn the_managed_identity() {
    let local = Local::start().await;
    let installation = std::fs::read(local.dir.path().join("installation.json")).unwrap();
    let facts: Value = serde_json::from_slice(&installation).unwrap();
    let url = format!(
        "{}?api-version=2019-08-01&resource=https%3A%2F%2Fmanagement.azure.com%2F",
        local.endpoints.identity
    );
    let ask = |header: &str| local.http.get(&url).header("x-identity-header", header);
    assert_eq!(answer(ask("wrong")).await.0, 401);
    let (status, body) = answer(ask(facts["identityHeader"].as_str().unwrap())).await;
    assert_eq!(status, 200);
    assert!(body["expires_on"].as_str().unwrap().parse::<i64>().unwrap() > clock().timestamp());
    let arm = Arm { local: &local, token: body["access_token"].as_str().unwrap().to_owned() };
    assert_eq!(arm.get("").await.0, 200);
    local.stop().await;
}

#[tokio::test]
async fn injected_faults() {
    let local = Local::start().await;
    let arm = local.signed_in().await;
    let admin = Client::open(local.dir.path()).unwrap();
    arm.make_resource_group().await;
    arm.make("web").await;

    admin
        .inject(&injection(
            json!({"fault": "throttle", "retryAfter": 7, "operation": "get", "times": 1}),
        ))
        .await
        .unwrap();
    let throttled = arm.request(Method::GET, &group("web")).send().await.unwrap();
    assert_eq!(
        (throttled.status().as_u16(), &throttled.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    assert_eq!(arm.get(&group("web")).await.0, 200);

    admin.inject(&injection(json!({"fault": "reset", "times": 1}))).await.unwrap();
    assert!(arm.request(Method::GET, &group("web")).send().await.is_err());

    admin.inject(&injection(json!({"fault": "conflict"}))).await.unwrap();
    let (status, refused) = split(arm.put("web").await).await;
    assert_eq!(
        (status.as_u16(), &refused["error"]["code"]),
        (409, &json!("ContainerGroupTransitioning"))
    );
    assert_eq!(admin.status().await.unwrap().faults.len(), 1);
    admin.clear_faults().await.unwrap();

    let before = arm.settled("web").await;
    admin.inject(&injection(json!({"accident": "ip-change", "group": "web"}))).await.unwrap();
    let after = arm.settled("web").await;
    let ip = |shown: &Value| shown["properties"]["ipAddress"]["ip"].clone();
    let started = |shown: &Value| {
        shown["properties"]["containers"][0]["properties"]["instanceView"]["currentState"].clone()
    };
    assert_ne!(ip(&before), ip(&after));
    assert_eq!(started(&before), started(&after));
    admin
        .inject(&injection(json!({"accident": "crash", "group": "web", "container": "app"})))
        .await
        .unwrap();
    loop {
        let shown = arm.settled("web").await;
        if shown["properties"]["containers"][0]["properties"]["instanceView"]["restartCount"] == 1 {
            break;
        }
    }
    let nobody = injection(json!({"accident": "move-host", "group": "nobody"}));
    assert!(admin.inject(&nobody).await.is_err());

    admin.reset().await.unwrap();
    assert!(admin.status().await.unwrap().groups.is_empty());
    assert_eq!(arm.get(&group("web")).await.1["error"]["code"], "ResourceGroupNotFound");
    local.stop().await;
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let local = Local::start().await;
    let arm = local.signed_in().await;
    arm.make_resource_group().await;
    arm.make("web").await;
    let token = arm.token.clone();
    let (before, variables) = (local.endpoints.clone(), environment(local.dir.path()).unwrap());
    let twice = serve(config(local.dir.path(), clock), std::future::pending()).await;
    assert!(matches!(twice, Err(Error::Running(_))));

    let dir = local.stop().await;
    let local = Local::start_on(dir, clock).await;
    assert_eq!(local.endpoints, before);
    assert_eq!(environment(local.dir.path()).unwrap(), variables);
    let arm = Arm { local: &local, token };
    arm.settled("web").await;
    for secret in ["installation.json", "model.json", "ca-key.pem", "signing-key.pem", "lock"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = local.dir.path().join(secret).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    local.stop().await;
}

#[tokio::test]
async fn only_loopback() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path(), clock);
    config.address = "0.0.0.0".parse().unwrap();
    let refused = serve(config, std::future::pending()).await;
    assert!(matches!(refused, Err(Error::NotLoopback(_))));
}
