//! The chart's rights are the ones that are needed: no call is forbidden, and none is unused.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{ACCOUNT, Cluster};
use crate::wire::{TLS, is_ready};

/// `verb group/resource`, with `@namespace` where it is given in one alone.
type Right = String;

#[test]
fn each_right_of_the_chart_is_used_and_no_call_is_forbidden() {
    let mut cluster = Cluster::new("");
    cluster.replica();
    cluster
        .apply("{apiVersion: v1, kind: Secret, metadata: {name: db}, stringData: {password: p}}");
    cluster.apply(TLS);
    cluster.apply(
        "{apiVersion: aci-operator.io/v1alpha1, kind: AppRegistration, metadata: {name: api}, \
         spec: {displayName: api, scopes: [{value: use}], containerGroupRef: {name: tls}}}",
    );
    for name in ["acg/tls", "aciissuer/local-ca", "apr/api"] {
        cluster.until(name, "ready", is_ready);
    }
    cluster.server.kubectl_done(&["delete", "aci", "--all", "-n", "app", "--timeout=100s"]);
    cluster.replicas[0].signal(rustix::process::Signal::TERM);
    assert_eq!(cluster.replicas[0].process.wait().unwrap().code(), Some(0));

    let (used, forbidden) = asked(&cluster);
    assert_eq!(forbidden, BTreeSet::new());
    let granted = granted(&cluster);
    let unused: Vec<_> = granted.difference(&used).collect();
    assert!(unused.is_empty(), "granted and never used: {unused:?}\nused: {used:?}");
}

/// What the service account asked for, and what it was refused.
fn asked(cluster: &Cluster) -> (BTreeSet<Right>, BTreeSet<Right>) {
    let (mut used, mut forbidden) = (BTreeSet::new(), BTreeSet::new());
    for event in cluster.audited() {
        if event["user"]["username"] != ACCOUNT {
            continue;
        }
        let object = &event["objectRef"];
        let text = |name: &str| object[name].as_str().unwrap_or_default();
        let mut resource = format!("{}/{}", text("apiGroup"), text("resource"));
        if !text("subresource").is_empty() {
            resource = format!("{resource}/{}", text("subresource"));
        }
        let right = format!("{} {resource}", event["verb"].as_str().unwrap());
        if event["responseStatus"]["code"] == 403 {
            forbidden.insert(right.clone());
        }
        used.insert(format!("{right} @{}", text("namespace")));
        used.insert(right);
    }
    (used, forbidden)
}

/// What the roles give that are bound to it.
fn granted(cluster: &Cluster) -> BTreeSet<Right> {
    let bindings = ["get", "rolebindings,clusterrolebindings", "-A", "-o", "json"];
    let bindings: Value = serde_json::from_str(&cluster.server.kubectl_done(&bindings)).unwrap();
    let mut granted = BTreeSet::new();
    for binding in bindings["items"].as_array().unwrap() {
        let subjects = binding["subjects"].as_array().into_iter().flatten();
        let ours =
            |subject: &Value| subject["kind"] == "ServiceAccount" && subject["namespace"] == "ops";
        if !subjects.into_iter().any(ours) {
            continue;
        }
        let role = &binding["roleRef"];
        let kind = role["kind"].as_str().unwrap().to_lowercase();
        let name = role["name"].as_str().unwrap();
        let namespace = binding["metadata"]["namespace"].as_str().unwrap_or("ops");
        let role = ["get", &kind, name, "-n", namespace, "-o", "json"];
        let role: Value = serde_json::from_str(&cluster.server.kubectl_done(&role)).unwrap();
        for rule in role["rules"].as_array().unwrap() {
            let list = |name: &str| rule[name].as_array().cloned().unwrap_or_default();
            for (group, resource, verb) in list("apiGroups").iter().flat_map(|group| {
                let group = group.clone();
                list("resources").into_iter().flat_map(move |resource| {
                    let group = group.clone();
                    list("verbs")
                        .into_iter()
                        .map(move |verb| (group.clone(), resource.clone(), verb))
                })
            }) {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let right = format!("{} {}/{}", text(&verb), text(&group), text(&resource));
                granted.insert(match binding["metadata"]["namespace"].as_str() {
                    Some(namespace) => format!("{right} @{namespace}"),
                    None => right,
                });
            }
        }
    }
    granted
}
