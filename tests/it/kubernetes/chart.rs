//! The chart as a user's values render it, judged by helm and by the API server.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use aci_operator::core::Reason;
use aci_operator::metrics::{Metrics, Series};
use chrono::DateTime;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{Patch, PatchParams};

use super::clients::server;
use super::server::Server;
use crate::generated::assert_generated;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/aci-operator");
const VALUES: [&str; 5] = ["minimal", "ha", "monitored", "namespaced", "off"];

fn values(name: &str) -> String {
    format!("{}/tests/kubernetes/values/{name}.yaml", env!("CARGO_MANIFEST_DIR"))
}

impl Server {
    /// What helm says of a call that fails.
    fn helm_refuses(&self, arguments: &[&str]) -> String {
        let output = self.tool("helm", arguments, "");
        assert!(!output.status.success(), "helm {arguments:?} succeeds");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Definitions of the Prometheus operator, by which its objects are judged.
    async fn monitoring(&self, client: &kube::Client) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let folder = folder.join("tools/kubernetes/monitoring");
        let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
        for file in fs::read_dir(folder).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            let crd: CustomResourceDefinition = serde_saphyr::from_str(&text).unwrap();
            let name = crd.metadata.name.clone().unwrap();
            let apply = PatchParams::apply("tests");
            crds.patch(&name, &apply, &Patch::Apply(&crd)).await.unwrap();
            let name = format!("crd/{name}");
            self.kubectl_done(&["wait", "--for=condition=Established", "--timeout=60s", &name]);
        }
    }
}

#[test]
fn the_chart_is_clean_and_says_what_is_wrong_with_values() {
    let server = server();
    for name in VALUES {
        server.helm_done(&["lint", "--strict", CHART, "--values", &values(name)]);
    }
    let minimal = values("minimal");
    let template = ["template", "x", CHART, "--values", &minimal, "--set"];
    for (set, words) in [
        ("image.repository=", "image.repository: name the operator's image"),
        ("watchNamespace=a", "additional properties 'watchNamespace' not allowed"),
        ("replicas=-1", "minimum: got -1, want 0"),
        ("azure.clientId=me", "does not match pattern"),
        ("azure.cloud=moon", "value must be one of"),
        (
            "workloadIdentity.enabled=true",
            "azure.clientId: the identity that workloadIdentity stands for",
        ),
        (
            "serviceAccount.create=false",
            "serviceAccount.name: the name of an account that is there",
        ),
    ] {
        let said = server.helm_refuses(&[&template[..], &[set]].concat());
        assert!(said.contains(words), "{words} is not in: {said}");
    }
}

/// What a change of the chart changes for whom shows in these files; the server takes all of it.
#[tokio::test]
async fn five_users_values_render_what_the_server_takes() {
    let server = server();
    let client = server.namespace("rendered").await;
    for namespace in ["team-a", "team-a-staging"] {
        server.namespace(namespace).await;
    }
    server.monitoring(&client).await;
    for name in VALUES {
        let file = values(name);
        let text = server.helm_done(&[
            "template",
            "aci-operator",
            CHART,
            "--namespace",
            "rendered",
            "--values",
            &file,
            "--set",
            "crds.install=false",
        ]);
        assert_generated(&format!("tests/kubernetes/rendered/{name}.yaml"), &text);
        let taken = server.kubectl(&["apply", "--dry-run=server", "-f", "-"], &text);
        let errors = String::from_utf8_lossy(&taken.stderr);
        assert!(taken.status.success() && errors.is_empty(), "{name}: {errors}");
    }
}

/// `kubectl apply -k manifests/kubernetes`.
#[test]
fn plain_manifests_are_what_the_chart_makes() {
    let server = server();
    let text = server.helm_done(&[
        "template",
        "aci-operator",
        CHART,
        "--namespace",
        "aci-operator",
        "--skip-tests",
        "--set",
        "crds.install=false,image.repository=aci-operator",
    ]);
    // What only Helm's own objects carry.
    let helms =
        |line: &&str| !line.contains("helm.sh/chart:") && !line.contains("managed-by: Helm");
    let head = "# Made from charts/aci-operator by tests/it/kubernetes/chart.rs; do not edit.";
    let lines = std::iter::once(head).chain(text.lines().filter(helms)).chain([""]);
    let text = lines.collect::<Vec<_>>().join("\n");
    assert_generated("manifests/kubernetes/operator.yaml", &text);

    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/kubernetes");
    let text = server.kubectl_done(&["kustomize", folder]);
    // A dry run makes no namespace for what stands in it.
    let (crds, rest): (Vec<_>, Vec<_>) =
        text.split("\n---\n").partition(|one| one.contains("\nkind: CustomResourceDefinition\n"));
    assert_eq!(crds.len(), 3);
    assert!(rest.iter().any(|one| one.contains("\nkind: Namespace\n")));
    server.kubectl_done(&["create", "namespace", "aci-operator"]);
    let taken = server.kubectl(&["apply", "--dry-run=server", "-f", "-"], &rest.join("\n---\n"));
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
}

/// An alert on a metric that nobody exports would never fire.
#[test]
fn alerts_and_dashboard_name_metrics_that_there_are() {
    let metrics = Metrics::new();
    let time = DateTime::UNIX_EPOCH;
    let series = Series { namespace: Some("app"), kind: "ContainerGroup", name: "web" };
    metrics.certificate(series, time, time);
    metrics.ready(series, true);
    metrics.reconciled(series.kind, Reason::InSync, Duration::ZERO);
    metrics.azure_request("put", "200");
    let exported = metrics.encode();
    let mut named = BTreeSet::new();
    for file in ["files/dashboard.json", "templates/prometheusrule.yaml"] {
        let text = fs::read_to_string(format!("{CHART}/{file}")).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        named.extend(words.filter(|word| word.starts_with("aci_operator_")).map(str::to_owned));
    }
    assert!(named.len() >= 5, "{named:?}");
    for name in named {
        let exported = exported.lines().any(|line| line.starts_with(&format!("{name}{{")));
        assert!(exported, "{name} is exported by nobody");
    }
}
