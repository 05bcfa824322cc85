//! Group and registration name each other: the way of an address from ARM to the API's CORS origins.

use std::time::Duration;

use aci_operator::emulator::model::Accident;
use serde_json::{Value, json};

use super::bench::Bench;
use super::manifests::{group_key, local_ca, registration, registration_key, sample};
use super::world::GROUP;

/// Both, made and at rest; addresses are redirect URIs too.
async fn both() -> Bench {
    let mut bench = Bench::empty();
    bench.apply_issuer(local_ca());
    let mut group = sample();
    let api = &mut group.spec.containers[0];
    for (name, field) in [("APP_CLIENT_ID", "appId"), ("APP_SWAGGER_CLIENT_ID", "swaggerAppId")] {
        let source = json!({"appRegistration": {"name": "mon-api", "field": field}});
        let variable = json!({"name": name, "valueFrom": source});
        api.environment_variables.push(serde_json::from_value(variable).unwrap());
    }
    let mount = json!({"name": "aci-operator-origins", "mountPath": "/etc/origins"});
    api.volume_mounts.push(serde_json::from_value(mount).unwrap());
    bench.apply(group);
    let mut registration = registration();
    registration.spec.ip_redirect_uris = true;
    bench.apply_registration(registration);
    rest(&mut bench).await;
    bench.forget_writes();
    bench
}

/// Until nothing is written any more.
async fn rest(bench: &mut Bench) {
    bench.live_on(Duration::from_mins(5)).await;
    bench.settle().await;
    bench.wake();
    bench.live_on(Duration::from_mins(5)).await;
    bench.settle().await;
}

fn told(bench: &Bench) -> Value {
    let state = bench.world.state();
    let origins = state.engine.runs().next().unwrap().origins.clone().unwrap_or_default();
    origins.lines().collect()
}

fn address(bench: &Bench) -> String {
    format!("https://{}", bench.status()["ip"].as_str().unwrap())
}

/// Every link of the chain shows the same origins.
#[track_caller]
fn agree(bench: &Bench) {
    let group = bench.status()["origins"].clone();
    assert_eq!(group.as_array().map(Vec::len), Some(3), "{group}\n{}", bench.history());
    assert_eq!(bench.status_of(&registration_key())["origins"], group, "{}", bench.history());
    assert_eq!(told(bench), group);
    for app in bench.world.applications() {
        let platform =
            if app["uniqueName"].as_str().unwrap().ends_with("api") { "web" } else { "spa" };
        let uris = app[platform]["redirectUris"].to_string();
        for origin in group.as_array().unwrap() {
            assert!(uris.contains(origin.as_str().unwrap()), "{origin} is not in {uris}");
        }
    }
    bench.assert_condition("AppRegistrationReady", "True InSync");
    bench.assert_condition("OriginsCurrent", "True OriginsTold");
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn who_name_each_other_are_no_cycle() {
    let bench = both().await;
    agree(&bench);
    let shown = bench.world.shown(GROUP);
    let variables = &shown["properties"]["containers"][0]["properties"]["environmentVariables"];
    let value = |name: &str| {
        let all = variables.as_array().unwrap();
        all.iter().find(|v| v["name"] == name).unwrap()["value"].clone()
    };
    let status = bench.status_of(&registration_key());
    assert_eq!(value("APP_CLIENT_ID"), status["appId"]);
    assert_eq!(value("APP_SWAGGER_CLIENT_ID"), status["swaggerAppId"]);
}

#[tokio::test(start_paused = true)]
async fn a_moved_address_takes_redirect_uris_and_cors_along() {
    let mut bench = both().await;
    for _ in 0..3 {
        let old = address(&bench);
        let accident = Accident::IpChange { group: GROUP.to_owned() };
        bench.world.azure(|azure, now| azure.happen(now, &accident)).unwrap();
        bench.wake();
        rest(&mut bench).await;
        assert_ne!(address(&bench), old);
        agree(&bench);
        let everywhere = json!(bench.world.applications()).to_string();
        assert!(!everywhere.contains(&old), "{everywhere}");
    }
    assert_eq!(bench.count("Put"), 0, "{}", bench.history());
}

#[tokio::test(start_paused = true)]
async fn a_replaced_group_gives_no_address_away_that_tokens_are_sent_to() {
    let mut bench = both().await;
    let old = address(&bench);
    bench.edit(|spec| spec.containers[0].resources.requests.cpu = 2.0);
    bench.live_on(Duration::from_secs(30)).await;
    bench.approve();
    rest(&mut bench).await;
    let writes = bench.writes();
    let deletion = writes.iter().position(|write| *write == "Delete").expect("a deletion");
    let before = &writes[..deletion];
    let updates = before.iter().filter(|write| **write == "applications.update").count();
    assert_eq!(updates, 2, "both applications lost {old} first: {writes:?}");
    assert_eq!(bench.count("Put"), 1);
    agree(&bench);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_group_leaves_the_redirect_uris_first() {
    let mut bench = both().await;
    let name = bench.status()["fqdn"].as_str().unwrap().to_owned();
    bench.delete();
    bench.live_on(Duration::from_mins(10)).await;
    assert!(!bench.home.kept().entries.contains_key(&group_key()), "{}", bench.history());
    let everywhere = json!(bench.world.applications()).to_string();
    assert!(!everywhere.contains(&name), "{everywhere}");
    let writes = bench.writes();
    let deletion = writes.iter().position(|write| *write == "Delete").unwrap();
    assert_eq!(writes[..deletion].iter().filter(|w| **w == "applications.update").count(), 2);
    // The user's own name stays for its grace.
    assert!(everywhere.contains("mon-dns.com"));
    bench.live_on(Duration::from_hours(2)).await;
    assert!(!json!(bench.world.applications()).to_string().contains("mon-dns.com"));
}
