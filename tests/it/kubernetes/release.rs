//! A release from `helm install` to `helm uninstall`, on a server of its own.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::api;
use super::server::Server;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/aci-operator");
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/samples");
const OPERATOR: &str = "system:serviceaccount:ops:aci-operator";
const IMAGE: &str = "image.repository=registry.example/aci-operator";

fn can(server: &Server, who: &str, what: &[&str]) -> bool {
    let output = server.kubectl(&[&["auth", "can-i", "--as", who], what].concat(), "");
    String::from_utf8_lossy(&output.stdout).trim() == "yes"
}

#[tokio::test]
async fn a_release_is_installed_upgraded_and_uninstalled_without_its_objects() {
    let server = Server::start("");
    server.kubectl_done(&["create", "namespace", "ops"]);
    server.kubectl_done(&["create", "namespace", "app"]);
    let release = ["aci-operator", CHART, "--namespace", "ops", "--set", IMAGE];
    let notes = server.helm_done(&[&["install"], &release[..]].concat());
    assert!(notes.contains("reconciles all namespaces."), "{notes}");
    server.kubectl_done(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    server.kubectl_done(&["-n", "app", "apply", "-f", SAMPLES]);
    rights_of_the_operator(&server);
    status_is_the_operators(&server).await;

    server.helm_done(&[&["upgrade"], &release[..], &["--set", "replicas=3"]].concat());
    let replicas =
        ["-n", "ops", "get", "deployment/aci-operator", "-o", "jsonpath={.spec.replicas}"];
    assert_eq!(server.kubectl_done(&replicas), "3");
    server.helm_done(&["rollback", "aci-operator", "1", "--namespace", "ops"]);
    assert_eq!(server.kubectl_done(&replicas), "2");

    server.helm_done(&["uninstall", "aci-operator", "--namespace", "ops"]);
    let left =
        ["get", "deployment,role,clusterrole,serviceaccount,validatingadmissionpolicy", "-A"];
    let left = server.kubectl_done(&[&left[..], &["-o", "name"]].concat());
    assert!(!left.contains("aci-operator"), "{left}");
    let objects = server.kubectl_done(&["-n", "app", "get", "aci", "-o", "name"]);
    assert_eq!(objects.lines().count(), 3, "{objects}");

    // Somebody who wants nothing left says so.
    server.helm_done(
        &[&["install"], &release[..], &["--set", "crds.keep=false", "--take-ownership"]].concat(),
    );
    server.helm_done(&["uninstall", "aci-operator", "--namespace", "ops"]);
    server.kubectl_done(&["wait", "--for=delete", "crd", "--all", "--timeout=60s"]);
    assert_eq!(server.kubectl_done(&["get", "crd", "-o", "name"]), "");
}

/// The fewest rights: each that is missing here would be a write or a look that nobody expects.
fn rights_of_the_operator(server: &Server) {
    for what in [
        &["list", "containergroups.aci-operator.io", "-A"][..],
        &["watch", "appregistrations.aci-operator.io", "-n", "app"],
        &["patch", "issuers.aci-operator.io", "-n", "app"],
        &["patch", "containergroups.aci-operator.io", "--subresource=status", "-n", "app"],
        &["get", "secrets", "-n", "app"],
        &["create", "secrets", "-n", "app"],
        &["create", "events.events.k8s.io", "-n", "app"],
        &["create", "leases.coordination.k8s.io", "-n", "ops"],
        &["update", "leases.coordination.k8s.io", "-n", "ops"],
    ] {
        assert!(can(server, OPERATOR, what), "it needs to {what:?}");
    }
    for what in [
        &["list", "secrets", "-n", "app"][..],
        &["watch", "secrets", "-n", "ops"],
        &["create", "containergroups.aci-operator.io", "-n", "app"],
        &["delete", "containergroups.aci-operator.io", "-n", "app"],
        &["update", "containergroups.aci-operator.io", "-n", "app"],
        &["create", "leases.coordination.k8s.io", "-n", "app"],
        &["list", "pods", "-n", "ops"],
        &["get", "configmaps", "-n", "ops"],
        &["create", "serviceaccounts", "--subresource=token", "-n", "ops"],
        &["list", "namespaces"],
    ] {
        assert!(!can(server, OPERATOR, what), "nobody expects it to {what:?}");
    }
}

/// A claim in a status is what the operator deletes by: nobody else may write one.
async fn status_is_the_operators(server: &Server) {
    let patch = r#"{"status": {"claim": {"phase": "Made"}}}"#;
    let write = ["-n", "app", "patch", "acg/app-with-ssl", "--subresource=status", "--type=merge"];
    let write = [&write[..], &["--patch", patch]].concat();
    // A policy is in force a moment after it is there.
    let refused = loop {
        let output = server.kubectl(&[&write[..], &["--dry-run=server"]].concat(), "");
        if !output.status.success() {
            break String::from_utf8(output.stderr).unwrap();
        }
    };
    assert!(refused.contains("the status is the operator's alone"), "{refused}");
    // The operator itself sends the patch alone, and never gets a status.
    let group = json!({"kind": "ContainerGroup"});
    let groups = api(&server.client("app", Some(OPERATOR)).await, &group);
    let patch: Value = serde_json::from_str(patch).unwrap();
    let patch = Patch::Merge(&patch);
    groups.patch_status("app-with-ssl", &PatchParams::default(), &patch).await.unwrap();
    // The rest of the object is its users'.
    let annotate = ["-n", "app", "annotate", "acg/app-with-ssl", "example.com/a=b"];
    server.kubectl_done(&annotate);
}
