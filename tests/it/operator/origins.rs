//! The group's public origins, and those who follow them. The registration here is what its kind
//! would have published.

use std::time::Duration;

use aci_operator::emulator::faults::{Effect, Operation};
use aci_operator::emulator::model::Accident;
use aci_operator::ports::{Clock as _, Entry, ObjectKey, Phase};
use serde_json::{Value, json};

use super::bench::Bench;
use super::engine::Exec;
use super::world::GROUP;

const HOST: &str = "https://mon-dns.com";

fn registration() -> ObjectKey {
    ObjectKey::new("AppRegistration", "mon-api")
}

/// What the registration's last pass left: it has these among its redirect URIs, and has seen the group's
/// present list.
fn publishes(bench: &Bench, origins: &Value) {
    let seen = bench.status()["originsRevision"].as_u64().unwrap_or_default();
    publishes_of(bench, origins, seen);
}

/// The same of a list of the group's that may be an older one.
fn publishes_of(bench: &Bench, origins: &Value, seen: u64) {
    let mut kept = bench.home.kept();
    let spec = json!({"containerGroupRef": {"name": GROUP}, "ipRedirectUris": true});
    let entry = Entry {
        key: registration(),
        uid: "uid-r".to_owned(),
        generation: 1,
        created: bench.world.now(),
        manifest: json!({"spec": spec}),
        place: None,
        phase: Phase::Made,
        deletion: None,
        orphaned: false,
        invalid: None,
        pinned: std::collections::BTreeMap::new(),
    };
    kept.entries.insert(registration(), entry);
    let status = json!({
        "appId": "the-app",
        "origins": origins,
        "held": origins,
        "seenOriginsRevision": seen,
    });
    kept.status.insert(registration(), status);
}

/// The sample with the volume that tells its API the origins, made and at rest.
async fn made() -> Bench {
    Bench::made_with(|spec| {
        let mount = json!({"name": "aci-operator-origins", "mountPath": "/etc/origins"});
        spec.containers[0].volume_mounts.push(serde_json::from_value(mount).unwrap());
    })
    .await
}

fn told(bench: &Bench) -> Vec<String> {
    let state = bench.world.state();
    let origins = state.engine.runs().next().unwrap().origins.clone().unwrap_or_default();
    origins.lines().map(str::to_owned).collect()
}

fn name(bench: &Bench) -> String {
    format!("https://{}", bench.status()["fqdn"].as_str().unwrap())
}

fn address(bench: &Bench) -> String {
    format!("https://{}", bench.status()["ip"].as_str().unwrap())
}

#[tokio::test(start_paused = true)]
async fn names_and_address_are_published_once_served() {
    let bench = made().await;
    let mut origins = vec![address(&bench), HOST.to_owned(), name(&bench)];
    origins.sort();
    assert_eq!(bench.status()["origins"], json!(origins));
    assert_eq!(told(&bench), origins);
    bench.assert_condition("OriginsCurrent", "True OriginsTold");
    assert_eq!(bench.condition("AppRegistrationReady"), "");
}

#[tokio::test(start_paused = true)]
async fn a_lost_address_leaves_at_once_and_the_new_one_joins_when_served() {
    let mut bench = made().await;
    let old = address(&bench);
    bench.world.state().engine.exec = Exec::Refuses;
    let accident = Accident::IpChange { group: GROUP.to_owned() };
    bench.world.azure(|azure, now| azure.happen(now, &accident)).unwrap();
    bench.live_on(Duration::from_secs(10)).await;
    bench.wake();
    bench.step().await;
    bench.step().await;
    let new = address(&bench);
    assert_ne!(old, new);
    // The leaf that names the new address cannot be served: nobody is sent there yet.
    bench.live_on(Duration::from_secs(30)).await;
    assert_eq!(bench.status()["origins"], json!([HOST, name(&bench)]));
    bench.world.state().engine.exec = Exec::Works;
    bench.live_on(Duration::from_mins(3)).await;
    let origins = bench.status()["origins"].clone();
    assert!(origins.as_array().unwrap().contains(&json!(new)), "{origins}");
    assert!(told(&bench).contains(&new) && !told(&bench).contains(&old));
    assert_eq!(bench.count("Put"), 0);
}

#[tokio::test(start_paused = true)]
async fn containers_are_told_what_the_registration_has() {
    let mut bench = made().await;
    publishes(&bench, &json!([name(&bench)]));
    bench.wake();
    bench.settle().await;
    assert_eq!(told(&bench), [name(&bench)]);
    bench.assert_condition("AppRegistrationReady", "False OriginsBehind");
    bench.assert_ready();
    publishes(&bench, &bench.status()["origins"]);
    bench.wake();
    bench.settle().await;
    assert_eq!(told(&bench).len(), 3);
    bench.assert_condition("AppRegistrationReady", "True InSync");
    bench.wrote(&["TellOrigins", "TellOrigins"]);
    // A name of the user's own stays for its grace; an address that is not the group's does not.
    let mut origins = bench.status()["origins"].as_array().unwrap().clone();
    for (more, expected) in [
        ("https://old-host.example.org", "True InSync"),
        ("https://20.9.9.9", "False OriginsBehind"),
    ] {
        origins.push(json!(more));
        publishes(&bench, &json!(origins));
        bench.wake();
        bench.settle().await;
        bench.assert_condition("AppRegistrationReady", expected);
    }
}

#[tokio::test(start_paused = true)]
async fn containers_made_anew_are_told_again() {
    let mut bench = made().await;
    bench.world.azure(|azure, now| azure.stop(now, "mon-groupe", GROUP)).unwrap();
    bench.live_on(Duration::from_secs(30)).await;
    bench.world.azure(|azure, now| azure.start(now, "mon-groupe", GROUP)).ok();
    bench.live_on(Duration::from_mins(5)).await;
    bench.wake();
    bench.settle().await;
    assert!(told(&bench).contains(&address(&bench)), "\n{}", bench.history());
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn no_address_is_given_away_while_a_registration_has_it() {
    let mut bench = made().await;
    publishes(&bench, &bench.status()["origins"]);
    let old = address(&bench);
    bench.edit(|spec| spec.containers[0].resources.requests.cpu = 2.0);
    bench.live_on(Duration::from_secs(10)).await;
    bench.approve();
    bench.live_on(Duration::from_mins(1)).await;
    bench.wrote(&[]);
    bench.assert_condition("Reconciling", "True OriginsBehind");
    assert!(bench.message("Ready").contains(&old), "{}", bench.message("Ready"));
    // The name stays ours (TenantReuse), and the user's host too.
    assert_eq!(bench.status()["origins"], json!([HOST, name(&bench)]));
    publishes(&bench, &json!([HOST, name(&bench)]));
    bench.wake();
    bench.live_on(Duration::from_mins(5)).await;
    bench.settle().await;
    assert_eq!((bench.count("Delete"), bench.count("Put")), (1, 1), "\n{}", bench.history());
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_group_that_goes_takes_its_name_along_first() {
    let mut bench = made().await;
    publishes(&bench, &bench.status()["origins"]);
    bench.delete();
    bench.live_on(Duration::from_mins(1)).await;
    assert_eq!(bench.count("Delete"), 0);
    assert!(bench.status().get("origins").is_none(), "{}", bench.status());
    publishes(&bench, &json!([name(&bench)]));
    bench.live_on(Duration::from_mins(1)).await;
    assert_eq!(bench.count("Delete"), 0);
    // The user's own name may stay for its grace.
    publishes(&bench, &json!([HOST]));
    bench.live_on(Duration::from_mins(5)).await;
    assert_eq!(bench.count("Delete"), 1);
    assert!(bench.world.state().azure.names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_published_field_is_waited_for_and_put_in() {
    let mut bench = Bench::empty();
    bench.apply_issuer(super::manifests::local_ca());
    let mut group = super::manifests::sample();
    let variable = json!({
        "name": "APP_CLIENT_ID",
        "valueFrom": {"appRegistration": {"name": "mon-api", "field": "appId"}},
    });
    let variables = &mut group.spec.containers[0].environment_variables;
    variables.push(serde_json::from_value(variable).unwrap());
    bench.apply(group);
    bench.live_on(Duration::from_mins(2)).await;
    bench.assert_condition("Reconciling", "True ReferenceMissing");
    assert!(bench.message("Ready").contains("`mon-api` has no `appId` yet"));
    publishes(&bench, &json!([]));
    bench.wake();
    bench.live_on(Duration::from_mins(3)).await;
    let shown = bench.world.shown(GROUP);
    let variables = &shown["properties"]["containers"][0]["properties"]["environmentVariables"];
    let found = variables.as_array().unwrap().iter().find(|v| v["name"] == "APP_CLIENT_ID");
    assert_eq!(found.unwrap()["value"], "the-app");
    assert_eq!(bench.count("Put"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_field_that_waits_for_itself_is_refused_with_the_way_round() {
    let mut bench = made().await;
    publishes(&bench, &bench.status()["origins"]);
    let variable = json!({
        "name": "APP_ORIGINS",
        "valueFrom": {"appRegistration": {"name": "mon-api", "field": "origins"}},
    });
    bench.edit(|spec| {
        let variables = &mut spec.containers[0].environment_variables;
        variables.push(serde_json::from_value(variable).unwrap());
    });
    bench.live_on(Duration::from_mins(5)).await;
    bench.assert_condition("Stalled", "True Invalid");
    let message = bench.message("Ready");
    let way = "ContainerGroup/app-with-ssl.origins waits for AppRegistration/mon-api.origins \
               waits for ContainerGroup/app-with-ssl.origins";
    assert!(message.contains(way), "{message}");
    assert!(message.contains("containers[0].environmentVariables[2]"), "{message}");
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn who_has_not_seen_that_an_address_leaves_may_be_registering_it() {
    let mut bench = made().await;
    publishes(&bench, &json!([]));
    bench.delete();
    bench.live_on(Duration::from_mins(1)).await;
    let revision = bench.status()["originsRevision"].as_u64().unwrap();
    publishes_of(&bench, &json!([]), revision - 1);
    bench.live_on(Duration::from_mins(1)).await;
    assert_eq!(bench.count("Delete"), 0, "{}", bench.history());
    publishes_of(&bench, &json!([]), revision);
    bench.live_on(Duration::from_mins(1)).await;
    assert_eq!(bench.count("Delete"), 1);
}

#[tokio::test(start_paused = true)]
async fn who_followed_earlier_is_waited_for_too() {
    let mut bench = made().await;
    publishes(&bench, &bench.status()["origins"]);
    let elsewhere = json!({"spec": {"containerGroupRef": {"name": "another"}}});
    bench.home.kept().entries.get_mut(&registration()).unwrap().manifest = elsewhere;
    bench.delete();
    bench.live_on(Duration::from_mins(1)).await;
    assert_eq!(bench.count("Delete"), 0, "{}", bench.history());
    publishes(&bench, &json!([]));
    bench.live_on(Duration::from_mins(1)).await;
    assert_eq!(bench.count("Delete"), 1);
}

/// Something keeps the group from being planned, or from being written; its address moves all the same.
#[tokio::test(start_paused = true)]
async fn a_lost_address_leaves_whatever_else_cannot_be_done() {
    for refused in [false, true] {
        let mut bench = made().await;
        let old = address(&bench);
        if refused {
            bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2".to_owned());
            bench.world.fault(Effect::Error, Some(Operation::Put), 1000);
        } else {
            bench.home.kept().secrets.clear();
        }
        bench.live_on(Duration::from_mins(1)).await;
        let accident = Accident::IpChange { group: GROUP.to_owned() };
        bench.world.azure(|azure, now| azure.happen(now, &accident)).unwrap();
        bench.live_on(Duration::from_mins(20)).await;
        let origins = bench.status()["origins"].clone();
        assert!(!origins.to_string().contains(&old), "{refused}: {origins} {}", bench.history());
        assert!(origins.to_string().contains(HOST), "{origins}");
    }
}
