//! Two teams, each with rights on one resource group, and an operator that has none of its own.

use std::fs;

use aci_operator::emulator::environment;
use reqwest::Method;
use serde_json::json;

use super::{World, condition, group};
use crate::emulator::local::Local;
use crate::emulator::rights::{Somebody, access};

const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";
const PUT: &str = "Microsoft.ContainerInstance/containerGroups/write";

/// A group in a resource group, by the identity of a secret.
fn of_team(name: &str, resource_group: &str, secret: &str) -> String {
    let place = format!("  resourceGroup: {resource_group}\n  identityRef: {{name: {secret}}}\n");
    group(name, "1").replace("  resourceGroup: rg\n", &place)
}

impl World {
    /// Local Azure's, of which the operator has the address and nothing to sign in with.
    fn beside(local: &Local) -> Self {
        let mut world = Self::without_azure();
        let variables = environment(local.dir.path()).unwrap();
        world.environment = variables.into_iter().collect();
        for (name, value) in &mut world.environment {
            if name == "AZURE_CLIENT_SECRET" {
                "none-of-its-own".clone_into(value);
            }
        }
        world
    }

    fn identify(&self, secret: &str, somebody: &Somebody, local: &Local) {
        for (key, value) in [
            ("AZURE_TENANT_ID", local.variable("AZURE_TENANT_ID")),
            ("AZURE_CLIENT_ID", somebody.app_id.clone()),
            ("AZURE_CLIENT_SECRET", somebody.secret.clone()),
            ("AZURE_SUBSCRIPTION_ID", local.variable("AZURE_SUBSCRIPTION_ID")),
        ] {
            self.secret(secret, key, &value);
        }
    }
}

/// A team with a resource group of its own.
async fn team(local: &Local, resource_group: &str) -> Somebody {
    let admin = local.signed_in().await;
    let somebody = Somebody::register(local).await;
    let path = format!("/resourcegroups/{resource_group}");
    let made = admin.send(Method::PUT, &path, json!({"location": "westeurope"})).await;
    assert!(made.0.is_success());
    let at = format!("/resourceGroups/{resource_group}");
    assert_eq!(somebody.assign(&admin, &at, CONTRIBUTOR).await.0, 201);
    somebody
}

// The commands block their thread, and local Azure goes on in another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_group_is_made_by_its_own_identity_and_one_without_rights_disturbs_none() {
    let local = Local::start().await;
    let (a, b) = (team(&local, "rg-a").await, team(&local, "rg-b").await);
    let mut world = World::beside(&local);
    world.identify("team-a", &a, &local);
    world.identify("team-b", &b, &local);
    world.write("a.yaml", &of_team("a", "rg-a", "team-a"));
    world.write("b.yaml", &of_team("b", "rg-b", "team-b"));
    world.write("c.yaml", &of_team("c", "rg-b", "team-a"));
    world.write("d.yaml", &of_team("d", "rg-a", "team-d"));
    world.start(&[]);
    world.ready("a");
    world.ready("b");
    let reason = |name: &str, reason: &str| {
        world.until(name, reason, |object| condition(object, "Ready").1 == reason)
    };
    let refused = condition(&reason("c", "Forbidden"), "Ready").2;
    assert!(refused.contains("AuthorizationFailed") || refused.contains(&a.app_id), "{refused}");
    let missing = condition(&reason("d", "ReferenceMissing"), "Ready").2;
    assert!(missing.contains("secret `team-d`"), "{missing}");

    for somebody in [&a, &b] {
        assert_eq!(access(&local, &somebody.object).await.allowed[PUT], 1);
    }
    assert!(!access(&local, &a.object).await.refused.contains_key(PUT));

    // Azure itself is asked as they ask, and who cannot be asked is named.
    let live = world.run(&["get", "--live", "-o", "name"]);
    assert_eq!(live.out.lines().count(), 2, "{live:?}");
    assert!(live.out.contains("rg-a") && live.out.contains("rg-b"), "{live:?}");
    assert!(live.err.contains("AADSTS") && live.err.contains("team-d"), "{live:?}");
    world.run(&["logs", "b"]).done();
    let none = world.run(&["logs", "d"]);
    assert_ne!(none.code, 0, "{none:?}");

    // The subscription was pinned, so a Secret that names none is enough from now on.
    world.run(&["secret", "delete", "team-b", "AZURE_SUBSCRIPTION_ID"]).done();
    world.write("b.yaml", &of_team("b", "rg-b", "team-b").replace("\"1\"", "\"2\""));
    world.until("b", "of the second manifest", |object| {
        object["status"]["observedGeneration"] == 2 && super::is_ready(object)
    });
    assert_eq!(world.terminate(), Some(0));
    let log = fs::read_to_string(world.log()).unwrap();
    assert!([&a, &b].iter().all(|somebody| !log.contains(&somebody.secret)), "{log}");
    local.stop().await;
}
