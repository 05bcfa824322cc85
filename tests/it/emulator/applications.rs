//! The operator's own Graph client against local Azure, over HTTPS and with Entra's tokens.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aci_operator::azure::{Azure, Cloud, Environment, credential};
use aci_operator::core::Fault;
use aci_operator::core::app_registration::Properties;
use aci_operator::emulator::Client;
use aci_operator::ports::{ApplicationKey, Directory, Fence, Named};
use serde_json::json;
use url::Url;

use super::local::{Local, injection};

/// What the client told of its requests: operation and status.
type Told = Arc<Mutex<Vec<(&'static str, u16)>>>;

fn directory(local: &Local) -> (impl Directory + use<>, Told) {
    let url = |name: &str| Url::parse(&local.variable(name)).unwrap();
    let ca = std::fs::read(&local.endpoints.ca).unwrap();
    let (arm, entra) = (url("ACI_OPERATOR_RESOURCE_MANAGER_URL"), url("AZURE_AUTHORITY_HOST"));
    let graph = url("ACI_OPERATOR_GRAPH_URL");
    let cloud = Cloud::custom(arm, "https://management.azure.com", entra, graph, ca);
    let environment = Environment::read(|name| match name {
        "AZURE_CLIENT_ID" | "AZURE_TENANT_ID" | "AZURE_CLIENT_SECRET" => Some(local.variable(name)),
        _ => None,
    });
    let credential = credential::chain(&cloud, &environment).unwrap();
    let told = Told::default();
    let teller = told.clone();
    let observer = Arc::new(move |operation, code| teller.lock().unwrap().push((operation, code)));
    (Azure::new(&cloud, credential, observer, &Fence::open()).unwrap().directory(), told)
}

fn named(name: &str) -> Properties {
    Properties { display_name: Some(name.to_owned()), ..Properties::default() }
}

/// Graph's replicas follow at once.
async fn without_lag(local: &Local) {
    let lag = json!({"fault": "reads-lag", "seconds": 0, "operation": "graph-write"});
    let client = Client::open(local.dir.path()).unwrap();
    client.inject(&injection(lag)).await.unwrap();
}

#[tokio::test]
async fn the_life_of_an_application() {
    let local = Local::start().await;
    without_lag(&local).await;
    let (graph, told) = directory(&local);
    let identity = graph.identity().await.unwrap();
    assert_eq!(identity.tenant, local.variable("AZURE_TENANT_ID"));
    let authority = local.variable("AZURE_AUTHORITY_HOST");
    assert_eq!(
        identity.authority,
        format!("{}/{}", authority.trim_end_matches('/'), identity.tenant)
    );

    let key = ApplicationKey::UniqueName("it's-ours".to_owned());
    assert_eq!(graph.application(&key).await.unwrap(), None);
    assert_eq!(graph.upsert("it's-ours", &named("a")).await.unwrap(), Named::Done);
    let made = graph.application(&key).await.unwrap().unwrap();
    let uris: BTreeSet<String> = ["https://mon-dns.com/oauth2-redirect".to_owned()].into();
    let change = Properties { spa_redirect_uris: Some(uris.clone()), ..Properties::default() };
    graph.update(&made.object_id, &change).await.unwrap();
    // The same name again is the same application.
    assert_eq!(graph.upsert("it's-ours", &named("b")).await.unwrap(), Named::Done);
    let by_id = ApplicationKey::AppId(made.app_id.clone());
    let now = graph.application(&by_id).await.unwrap().unwrap();
    assert_eq!((&now.object_id, &now.app_id), (&made.object_id, &made.app_id));
    assert_eq!(now.properties.display_name.as_deref(), Some("b"));
    assert_eq!(now.properties.spa_redirect_uris, Some(uris));

    assert_eq!(graph.principal(&made.app_id).await.unwrap(), None);
    graph.create_principal(&made.app_id).await.unwrap();
    let principal = graph.principal(&made.app_id).await.unwrap().unwrap();

    graph.delete(&made.object_id).await.unwrap();
    assert_eq!(graph.application(&key).await.unwrap(), None);
    assert_eq!(graph.upsert("it's-ours", &named("c")).await.unwrap(), Named::Taken);
    let deleted = graph.deleted_application("it's-ours").await.unwrap().unwrap();
    assert_eq!(deleted.object_id, made.object_id);
    graph.restore(&deleted.object_id).await.unwrap();
    let deleted = graph.deleted_principal(&made.app_id).await.unwrap();
    assert_eq!(deleted.as_ref(), Some(&principal));
    graph.restore(&principal).await.unwrap();
    assert_eq!(graph.principal(&made.app_id).await.unwrap(), Some(principal));

    let upserts = told.lock().unwrap().clone();
    let upserts = upserts.into_iter().filter(|(what, _)| *what == "applications.upsert");
    assert_eq!(upserts.map(|(_, status)| status).collect::<Vec<_>>(), [201, 204, 400]);
    local.stop().await;
}

#[tokio::test]
async fn consent_for_all_users() {
    let local = Local::start().await;
    without_lag(&local).await;
    let (graph, _) = directory(&local);
    let mut principals = Vec::new();
    for name in ["api", "page"] {
        graph.upsert(name, &named(name)).await.unwrap();
        let key = ApplicationKey::UniqueName(name.to_owned());
        let app_id = graph.application(&key).await.unwrap().unwrap().app_id;
        graph.create_principal(&app_id).await.unwrap();
        principals.push(graph.principal(&app_id).await.unwrap().unwrap());
    }
    let [api, page] = principals.try_into().unwrap();
    assert_eq!(graph.consent(&page, &api).await.unwrap(), None);
    let scopes = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<BTreeSet<_>>();
    graph.give_consent(&page, &api, &scopes(&["a"])).await.unwrap();
    let grant = graph.consent(&page, &api).await.unwrap().unwrap();
    assert_eq!(grant.scopes, scopes(&["a"]));
    graph.change_consent(&grant.id, &scopes(&["a", "b"])).await.unwrap();
    assert_eq!(graph.consent(&page, &api).await.unwrap().unwrap().scopes, scopes(&["a", "b"]));
    graph.revoke_consent(&grant.id).await.unwrap();
    graph.revoke_consent(&grant.id).await.unwrap();
    assert_eq!(graph.consent(&page, &api).await.unwrap(), None);
    local.stop().await;
}

#[tokio::test]
async fn faults_of_graph_are_told_apart() {
    let local = Local::start().await;
    let (graph, _) = directory(&local);
    let client = Client::open(local.dir.path()).unwrap();
    let key = ApplicationKey::UniqueName("x".to_owned());
    let fault = |what| injection(what);
    let throttle =
        json!({"fault": "throttle", "retryAfter": 7, "operation": "graph-read", "times": 1});
    client.inject(&fault(throttle)).await.unwrap();
    let Err(Fault::Throttled { retry_after, .. }) = graph.application(&key).await else {
        panic!("not throttled")
    };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
    client.inject(&fault(json!({"fault": "graph-denied", "times": 1}))).await.unwrap();
    let Err(Fault::NotGranted { remedy, .. }) = graph.application(&key).await else {
        panic!("not denied")
    };
    assert!(remedy.contains(&local.variable("ACI_OPERATOR_GRAPH_URL")), "{remedy}");
    assert_eq!(graph.application(&key).await.unwrap(), None);
    local.stop().await;
}
