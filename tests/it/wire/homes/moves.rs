//! A home moves from the laptop to Azure and on to a cluster: nothing restarts, no root is lost.

use std::process::Command;

use serde_json::Value;

use super::{Account, Daemon, Duration, TLS, World, ended, free_address, is_ready, pause};
use crate::kubernetes::server::Server;

/// Longer than a look of the drift monitor's takes to cause a pass.
const A_WHILE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn a_home_moves_and_nothing_restarts() {
    let mut world = World::new();
    let account = Account::new(&world).await;
    world.secret("db", "password", "p");
    world.write("tls.yaml", TLS);
    world.start(&[]);
    let here = world.ready("tls");
    let root = world.run(&["ca", "export"]).done();
    let running = world.run(&["home", "copy", "--to", &account.url]).complaint(2);
    assert!(running.contains("a daemon holds the home"), "{running}");
    assert_eq!(world.terminate(), Some(0));
    let writes = world.writes();

    world.run(&["home", "copy", "--to", &account.url]).done();
    let moved = world.apply().complaint(2);
    assert!(moved.contains("has moved to"), "{moved}");
    let daemon = account.daemon(&world, "azure.log");
    account.run(&world, &["reconcile", "tls"]).done();
    pause(A_WHILE);
    let there = account.until(&world, "tls", "ready in Azure", is_ready);
    assert_eq!(there["status"]["certificate"], here["status"]["certificate"]);
    assert_eq!(account.run(&world, &["ca", "export"]).done(), root);
    assert_eq!(world.writes(), writes, "nothing restarts");
    assert_eq!(daemon.terminate(), Some(0));

    on_to_a_cluster(&world, &account, &here, &root);
}

fn on_to_a_cluster(world: &World, account: &Account, here: &Value, root: &str) {
    let writes = world.writes();
    let server = Server::start("");
    for namespace in ["ops", "app"] {
        server.kubectl_done(&["create", "namespace", namespace]);
    }
    server.kubectl_done(&["apply", "-k", concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/crds")]);
    server.kubectl_done(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    let command = |arguments: &[&str]| -> Command {
        let mut command = account.command(world, arguments);
        command.env("KUBECONFIG", server.kubeconfig());
        command
    };
    let copy = ["home", "copy", "--to", "kubernetes://ops", "-n", "app"];
    ended(&mut command(&copy)).done();
    let mut run = command(&["run", "--listen", &free_address()]);
    let daemon = Daemon::start(run.env("ACI_OPERATOR_HOME", "kubernetes://ops"));
    let object = || -> Value {
        let output = server.kubectl(&["get", "acg/tls", "-n", "app", "-o", "json"], "");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    };
    world.eventually("the daemon's lease", || {
        let lease = ["get", "lease", "aci-operator", "-n", "ops", "-o"];
        let times = [&lease[..], &["jsonpath={.spec.leaseTransitions}"]].concat();
        (server.kubectl_done(&times) == "2").then_some(())
    });
    pause(A_WHILE);
    let there = world.eventually("ready in the cluster", || Some(object()).filter(is_ready));
    assert_eq!(there["status"]["certificate"], here["status"]["certificate"]);
    assert_eq!(world.writes(), writes, "nothing restarts");
    // An edit there is one PUT of the same group.
    let edit = r#"[{"op": "replace", "path": "/spec/containers/0/image", "value": "registry.example.org/web:2"}]"#;
    server.kubectl_done(&["patch", "acg/tls", "-n", "app", "--type=json", "-p", edit]);
    world.eventually("one PUT", || (world.writes().0 == writes.0 + 1).then_some(()));
    assert_eq!(daemon.terminate(), Some(0));

    // And back to a laptop, with the identity of the namespace.
    let secret = ["create", "secret", "generic", "aci-operator-identity", "-n", "app"];
    server.kubectl_done(&[&secret[..], &["--from-literal=AZURE_CLIENT_ID=c"]].concat());
    let laptop = world.dir.path().join("laptop").display().to_string();
    let back = ["--home", "kubernetes://ops", "home", "copy", "--to", &laptop, "-n", "app"];
    ended(&mut command(&back)).done();
    let kept = world.run(&["--home", &laptop, "secret", "list"]).done();
    assert!(kept.contains("aci-operator-identity") && kept.contains("db"), "{kept}");
    let group = world.run(&["--home", &laptop, "get", "acg", "tls", "-o", "json"]).done();
    let group: Value = serde_json::from_str(&group).unwrap();
    assert_eq!(group["spec"]["identityRef"]["name"], "aci-operator-identity");
    assert_eq!(world.run(&["--home", &laptop, "ca", "export"]).done(), root);
}

#[test]
fn a_root_is_put_by_and_comes_back() {
    let world = World::new();
    world.secret("db", "password", "p");
    world.write("tls.yaml", TLS);
    world.apply().done();
    let root = world.run(&["ca", "export"]).done();
    let backup = world.dir.path().join("root.pem");
    let file = backup.display().to_string();
    world.run(&["ca", "backup", "--to", &file]).done();
    let mode = std::os::unix::fs::PermissionsExt::mode(&backup.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let again = world.run(&["ca", "backup", "--to", &file]).complaint(2);
    assert!(again.contains("is there already"), "{again}");

    // A home that has lost its keys.
    std::fs::remove_dir_all(world.home().join("pairs/Issuer")).unwrap();
    std::fs::write(world.dir.path().join("leaf.pem"), &root).unwrap();
    let leaf = world.dir.path().join("leaf.pem").display().to_string();
    let wrong = world.run(&["ca", "restore", "--from", &leaf]).complaint(2);
    assert!(wrong.contains("holds no private key"), "{wrong}");
    world.run(&["ca", "restore", "--from", &file]).done();
    world.apply().done();
    assert_eq!(world.run(&["ca", "export"]).done(), root);
    world.run(&["ca", "restore", "--from", &file]).done();
    let other = std::fs::read_to_string(&backup).unwrap();
    std::fs::remove_dir_all(world.home().join("pairs/Issuer")).unwrap();
    world.apply().done();
    assert_ne!(world.run(&["ca", "export"]).done(), root);
    std::fs::write(&backup, other).unwrap();
    let refused = world.run(&["ca", "restore", "--from", &file]).complaint(2);
    assert!(refused.contains("has another root"), "{refused}");
}
