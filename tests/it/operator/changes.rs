//! What a change of the manifest costs.

use std::collections::BTreeSet;
use std::time::Duration;

use aci_operator::api::ContainerGroupSpec;
use aci_operator::api::container_group::UpdatePolicy;
use aci_operator::core::container_group::tags;
use serde_json::{Value, json};

use super::bench::Bench;
use super::world::{GROUP, RESOURCE_GROUP};

type Edit = fn(&mut ContainerGroupSpec);

fn cpu(spec: &mut ContainerGroupSpec, cores: f64) {
    spec.containers[0].resources.requests.cpu = cores;
}

#[tokio::test(start_paused = true)]
async fn what_changes_nothing_costs_nothing() {
    let edits: [(&str, Edit); 9] = [
        ("defaults spelled out", |spec| {
            for port in &mut spec.containers[0].ports {
                port.protocol = Some(aci_operator::api::container_group::Protocol::Tcp);
            }
            spec.containers[0].volume_mounts[0].read_only = Some(false);
        }),
        ("environment", |spec| spec.containers[0].environment_variables.reverse()),
        ("ports", |spec| spec.containers[0].ports.reverse()),
        ("containers", |spec| spec.containers.reverse()),
        ("volumes", |spec| spec.volumes.reverse()),
        ("region", |spec| spec.location = "West Europe".to_owned()),
        ("1 and 1.0", |spec| {
            let text = json!(spec).to_string().replace("\"cpu\":1.0", "\"cpu\":1");
            *spec = serde_json::from_str(&text).unwrap();
        }),
        ("scope spelled out", |spec| {
            let address = spec.ip_address.as_mut().unwrap();
            address.auto_generated_domain_name_label_scope =
                Some(aci_operator::api::container_group::LabelScope::TenantReuse);
        }),
        ("policy", |spec| spec.update_policy = UpdatePolicy::Hot),
    ];
    for (what, edit) in edits {
        let mut bench = Bench::made().await;
        bench.edit(edit);
        bench.settle().await;
        assert_eq!(bench.count("Put") + bench.count("Delete"), 0, "{what}\n{}", bench.history());
        // A tag may be stamped anew where the digest is of another spelling, and nothing else.
        assert!(bench.writes().len() <= 1, "{what}: {:?}", bench.writes());
        bench.assert_ready();
    }
}

#[tokio::test(start_paused = true)]
async fn a_visible_change_is_one_put() {
    let edits: [(&str, Edit); 8] = [
        ("identity", |spec| {
            let own = json!({"type": "SystemAssigned"});
            spec.identity = Some(serde_json::from_value(own).unwrap());
        }),
        ("image", |spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned()),
        ("value", |spec| {
            spec.containers[0].environment_variables[0].value = Some("live".to_owned());
        }),
        ("variable less", |spec| drop(spec.containers[0].environment_variables.remove(0))),
        ("command", |spec| spec.containers[1].command.push("now".to_owned())),
        ("order of the command", |spec| spec.containers[1].command.reverse()),
        ("upstream", |spec| spec.tls.as_mut().unwrap().upstream.port = 8080),
        ("sidecar", |spec| spec.tls.as_mut().unwrap().sidecar.image = Some("nginx:9".to_owned())),
    ];
    for (what, edit) in edits {
        let mut bench = Bench::made().await;
        bench.edit(edit);
        bench.settle().await;
        let puts: Vec<_> = bench.writes().into_iter().filter(|w| *w != "TryExec").collect();
        assert_eq!(puts, ["Put"], "{what}\n{}", bench.history());
        bench.assert_ready();
        bench.assert_condition("Drifted", "False InSync");
        bench.live_on(Duration::from_hours(2)).await;
        assert_eq!(bench.count("Put"), 1, "{what}");
    }
}

/// Azure fills in what an identity is, and compares its id without case.
#[tokio::test(start_paused = true)]
async fn an_identity_that_comes_is_one_put_and_its_spelling_none() {
    let mut bench = Bench::made().await;
    let made = bench.world.azure(|azure, now| {
        let body = json!({"location": "westeurope"});
        azure.put_identity(now, RESOURCE_GROUP, "mine", &body).unwrap().body.unwrap()
    });
    let id = made["id"].as_str().unwrap().to_owned();
    let identity = |id: &str| {
        let identity = json!({"type": "UserAssigned", "userAssignedIdentities": {id: {}}});
        serde_json::from_value(identity).unwrap()
    };
    bench.edit(|spec| spec.identity = Some(identity(&id)));
    bench.settle().await;
    assert_eq!((bench.count("Put"), bench.count("Delete")), (1, 0), "{}", bench.history());
    assert_eq!(
        bench.world.shown(GROUP)["identity"]["userAssignedIdentities"][&id]["clientId"],
        made["properties"]["clientId"]
    );
    bench.assert_ready();
    bench.edit(|spec| spec.identity = Some(identity(&id.to_uppercase())));
    bench.live_on(Duration::from_hours(2)).await;
    assert_eq!(bench.count("Put"), 1, "{}", bench.history());

    // Another that somebody else assigns is drift.
    let other = made["id"].as_str().unwrap().replace("mine", "other");
    bench.world.azure(|azure, now| {
        azure
            .put_identity(now, RESOURCE_GROUP, "other", &json!({"location": "westeurope"}))
            .unwrap();
    });
    bench.world.foreign_put(|body| body["identity"]["userAssignedIdentities"][&other] = json!({}));
    bench.live_on(Duration::from_mins(30)).await;
    assert_eq!(bench.count("Put"), 2, "{}", bench.history());
    let shown = bench.world.shown(GROUP);
    assert_eq!(shown["identity"]["userAssignedIdentities"].as_object().unwrap().len(), 1);
    bench.edit(|spec| spec.identity = None);
    bench.settle().await;
    assert_eq!(bench.world.shown(GROUP)["identity"], Value::Null);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_changed_is_one_put() {
    let mut bench = Bench::made().await;
    bench.set_secret("db", "password", "hunter3");
    bench.wake();
    bench.settle().await;
    bench.wrote(&["Put", "TryExec"]);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_changed_is_one_patch() {
    let mut bench = Bench::made().await;
    bench.edit(|spec| drop(spec.tags.insert("team".to_owned(), "api".to_owned())));
    bench.settle().await;
    bench.wrote(&["Tag"]);
    assert_eq!(bench.tag("TEAM").as_deref(), Some("api"));
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn more_cpu_waits_for_approval_and_is_then_one_delete_and_one_put() {
    let mut bench = Bench::made().await;
    bench.edit(|spec| cpu(spec, 2.0));
    bench.settle().await;
    bench.assert_condition("Stalled", "True ApprovalRequired");
    assert_eq!(bench.status()["pendingApproval"]["cost"], "Replace");
    bench.live_on(Duration::from_hours(1)).await;
    bench.wrote(&[]);

    bench.approve();
    bench.settle().await;
    bench.wrote(&["Delete", "Put", "StoreLeaf", "TryExec", "SwapLeaf"]);
    bench.assert_ready();
    assert!(bench.status()["pendingApproval"].is_null());

    // The same change once more needs leave once more.
    bench.edit(|spec| cpu(spec, 1.0));
    bench.settle().await;
    bench.wrote(&[]);
    bench.approve();
    bench.settle().await;
    bench.forget_writes();
    bench.edit(|spec| cpu(spec, 2.0));
    bench.settle().await;
    bench.assert_condition("Stalled", "True ApprovalRequired");
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn an_approval_is_of_one_plan() {
    let mut bench = Bench::made().await;
    bench.edit(|spec| cpu(spec, 2.0));
    bench.settle().await;
    bench.approve();
    bench.edit(|spec| cpu(spec, 4.0));
    bench.settle().await;
    bench.assert_condition("Stalled", "True ApprovalRequired");
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn the_policy_replace_asks_nobody() {
    let mut bench = Bench::made_with(|spec| spec.update_policy = UpdatePolicy::Replace).await;
    bench.edit(|spec| cpu(spec, 2.0));
    bench.settle().await;
    bench.wrote(&["Delete", "Put", "StoreLeaf", "TryExec", "SwapLeaf"]);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn the_policy_hot_restarts_nothing_unasked() {
    let mut bench = Bench::made_with(|spec| spec.update_policy = UpdatePolicy::Hot).await;
    bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned());
    bench.settle().await;
    bench.assert_condition("Stalled", "True ApprovalRequired");
    bench.wrote(&[]);
    bench.approve();
    bench.settle().await;
    bench.wrote(&["Put", "TryExec"]);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_container_that_comes_is_a_replacement() {
    let mut bench = Bench::made_with(|spec| drop(spec.containers.pop())).await;
    bench.edit(|spec| {
        spec.containers.push(super::manifests::sample().spec.containers.pop().unwrap());
    });
    bench.settle().await;
    bench.assert_condition("Stalled", "True ApprovalRequired");
    bench.wrote(&[]);
}

/// Another release composed its sidecar otherwise.
fn of_an_older_release(body: &mut Value) {
    body["tags"][tags::SIDECAR] = json!("0123456789abcdef");
    for container in body["properties"]["containers"].as_array_mut().unwrap() {
        if container["name"] == "aci-operator-tls" {
            container["properties"]["command"] = json!(["/bin/sh", "/old.sh"]);
            container["properties"]["ports"] = json!([{"port": 443}, {"port": 8443}]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_release_restarts_nobody() {
    let mut bench = Bench::empty();
    *bench.world.rewrite.lock().unwrap() = Some(of_an_older_release);
    bench.apply_issuer(super::manifests::local_ca());
    bench.apply(super::manifests::sample());
    bench.settle().await;
    bench.forget_writes();

    *bench.world.rewrite.lock().unwrap() = None;
    bench.restart();
    bench.live_on(Duration::from_hours(2)).await;
    bench.wrote(&[]);
    bench.assert_ready();
    // The next PUT that happens anyway brings the new template.
    bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned());
    bench.settle().await;
    bench.wrote(&["Put", "TryExec"]);
    assert_ne!(bench.tag(tags::SIDECAR).as_deref(), Some("0123456789abcdef"));
    bench.live_on(Duration::from_hours(2)).await;
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_digest_key_is_one_patch() {
    let mut bench = Bench::made().await;
    let started = bench.started();
    bench.home.kept().digest_key = "made anew".to_owned();
    bench.wake();
    bench.settle().await;
    bench.wrote(&["Tag"]);
    assert_eq!(bench.started(), started);
    bench.assert_ready();
}

#[tokio::test(start_paused = true)]
async fn a_field_that_azure_ignores_costs_one_put() {
    use aci_operator::emulator::faults::Effect;
    let path = "properties.containers[0].properties.image".to_owned();
    let effects = [
        Effect::IgnoreField { path: path.clone() },
        Effect::NormaliseField { path, value: json!("library/protected-api:2.0") },
    ];
    for effect in effects {
        let mut bench = Bench::made().await;
        bench.world.fault(effect.clone(), None, 100);
        bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned());
        bench.settle().await;
        bench.live_on(Duration::from_hours(2)).await;
        bench.wrote(&["Put", "TryExec"]);
        bench.assert_condition("NotConverging", "True NotConverging");
        assert!(bench.message("NotConverging").contains("containers[my-api].image"));

        // Another wish is tried again, and only it.
        bench.edit(|spec| spec.containers[0].image = "registry/protected-api:3.0".to_owned());
        bench.settle().await;
        bench.live_on(Duration::from_hours(2)).await;
        bench.wrote(&["Put", "TryExec"]);
        // Azure changes its mind: all is well.
        bench.world.azure(|azure, _| azure.faults().clear());
        bench.edit(|spec| spec.containers[0].image = "registry/protected-api:4.0".to_owned());
        bench.settle().await;
        bench.wrote(&["Put", "TryExec"]);
        bench.assert_condition("NotConverging", "False InSync");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_a_policy_overrides_costs_one_patch() {
    use aci_operator::emulator::faults::Effect;
    let mut bench = Bench::made().await;
    let (name, value) = ("team".to_owned(), "policy".to_owned());
    bench.world.fault(Effect::PolicyTag { name, value }, None, 10_000);
    bench.edit(|spec| drop(spec.tags.insert("team".to_owned(), "api".to_owned())));
    bench.settle().await;
    bench.live_on(Duration::from_hours(2)).await;
    bench.wrote(&["Tag"]);
    bench.assert_condition("NotConverging", "True NotConverging");
    bench.edit(|spec| drop(spec.tags.insert("team".to_owned(), "web".to_owned())));
    bench.settle().await;
    bench.live_on(Duration::from_hours(2)).await;
    bench.wrote(&["Tag"]);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_adds_its_tag_costs_nothing() {
    use aci_operator::emulator::faults::Effect;
    let mut bench = Bench::made().await;
    let (name, value) = ("cost-centre".to_owned(), "7".to_owned());
    bench.world.fault(Effect::PolicyTag { name, value }, None, 10_000);
    bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned());
    bench.settle().await;
    bench.edit(|spec| spec.containers[0].image = "registry/protected-api:3.0".to_owned());
    bench.settle().await;
    bench.wrote(&["Put", "TryExec", "Put", "TryExec"]);
    assert_eq!(bench.tag("cost-centre").as_deref(), Some("7"));
}

#[tokio::test(start_paused = true)]
async fn a_put_carries_the_present_leaf_and_names_it() {
    let mut bench = Bench::made().await;
    let stale = |bench: &Bench| bench.status()["bakedCertificate"]["stale"].clone();
    // The first PUT could not name the address yet.
    assert_eq!(stale(&bench), json!(true));
    bench.edit(|spec| spec.containers[0].image = "registry/protected-api:2.0".to_owned());
    bench.settle().await;
    assert_eq!(stale(&bench), json!(false));
    let baked = bench.tag(tags::LEAF).unwrap();
    assert!(baked.starts_with(&bench.leaf().serial));
    // The volume alone is never a difference.
    bench.forget_writes();
    bench.renew().await;
    bench.settle().await;
    bench.live_on(Duration::from_hours(2)).await;
    bench.wrote(&["StoreLeaf", "SwapLeaf"]);
    assert_eq!(stale(&bench), json!(true));
    let shown = bench.world.shown(GROUP);
    let names: BTreeSet<_> = shown["properties"]["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|volume| volume["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(names.contains("aci-operator-tls") && names.contains("aci-operator-tls-live"));
}
