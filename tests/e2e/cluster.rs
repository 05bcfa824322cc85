//! The same in a cluster: a real API server with the chart in it, and the daemon as the chart's service
//! account. All that a user does here is done by kubectl.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::arm::Arm;
use super::client::Endpoint;
use super::figures::{count, measured, spread};
use super::home::{GROUP, HOST, Home, SAMPLE, Status};
use super::kubernetes::Server;
use super::load::{Load, Style};
use super::provided::Root;

const OBJECT: &str = "acg/app-with-ssl";

struct Cluster {
    home: Home,
    server: Server,
}

impl Cluster {
    /// The daemon at work, and no object.
    async fn start() -> Self {
        let mut home = Home::start().await;
        let server = Server::with_chart("");
        let kubeconfig = home.dir().join("kubeconfig");
        std::fs::write(&kubeconfig, server.of_the_operator(server.port())).unwrap();
        home.run_daemon_in_cluster(&kubeconfig).await;
        let greeting = "--from-literal=greeting=hello from the secret";
        let cluster = Self { home, server };
        cluster.kubectl(&["create", "secret", "generic", "demo", greeting]);
        cluster
    }

    /// What kubectl prints in the objects' namespace, where it does well.
    fn kubectl(&self, arguments: &[&str]) -> String {
        self.fed(arguments, "")
    }

    /// The same with `input` on standard input.
    fn fed(&self, arguments: &[&str], input: &str) -> String {
        let output = self.server.kubectl(&[&["-n", "app"], arguments].concat(), input);
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {problem}\n{}", self.home.logs());
        String::from_utf8(output.stdout).unwrap()
    }

    fn apply(&self, manifest: &str) {
        self.fed(&["apply", "-f", "-"], manifest);
    }

    fn wait_until_ready(&self) {
        self.kubectl(&["wait", "--for=condition=Ready", OBJECT, "--timeout=3m"]);
    }

    fn status(&self) -> Status {
        let text = self.kubectl(&["get", OBJECT, "-o", "json"]);
        Status::of(serde_json::from_str::<Value>(&text).unwrap()["status"].take())
    }

    /// The root of the issuer, as whoever may read its Secret finds it.
    fn root(&self) -> String {
        let root = "secret/aci-operator-root.local-ca";
        let path = "-o=go-template={{index .data \"tls.crt\" | base64decode}}";
        self.kubectl(&["get", root, path])
    }

    fn endpoint(&self, root: &str) -> Endpoint {
        Endpoint::new((self.status().ip(), 443).into(), HOST, root)
    }

    /// The message that the application answers with.
    async fn message(&self, endpoint: &Endpoint) -> Option<String> {
        let mut connection = endpoint.connect().await.ok()?;
        let answer = connection.get("/", &format!("Host: {HOST}\r\n")).await.ok()?;
        let body: Value = serde_json::from_str(&answer.body).ok()?;
        assert_eq!(body["greeting"], "hello from the secret");
        Some(body["message"].as_str().unwrap().to_owned())
    }
}

#[expect(clippy::disallowed_methods, reason = "what a person types")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_apply_to_delete_by_kubectl_alone() {
    let cluster = Cluster::start().await;
    let arm = Arm::sign_in(&cluster.home).await;
    cluster.apply(SAMPLE);
    cluster.wait_until_ready();
    let endpoint = cluster.endpoint(&cluster.root());
    assert_eq!(cluster.message(&endpoint).await.as_deref(), Some("1.0"));
    assert_eq!(endpoint.connect().await.unwrap().serial(), cluster.status().serial());
    let table = cluster.kubectl(&["get", "acg"]);
    let row: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..3], [GROUP, "True", &cluster.status().ip().to_string()], "{table}");

    rotations(&cluster, &endpoint, &arm).await;
    foreign_edit(&cluster, &endpoint, &arm).await;

    let puts = cluster.home.puts().await;
    cluster.apply(&SAMPLE.replace("value: \"1.0\"", "value: \"2.0\""));
    let changed = async || (cluster.message(&endpoint).await? == "2.0").then_some(());
    cluster.home.until("the edit", changed).await;
    cluster.wait_until_ready();
    assert_eq!(cluster.home.puts().await, puts + 1);

    let told = cluster.kubectl(&["describe", OBJECT]);
    let events = told.split_once("\nEvents:").unwrap_or_else(|| panic!("{told}")).1;
    for reason in ["Creating", "InSync", "Rotating", "Drifted"] {
        assert!(events.contains(reason), "no {reason}: {events}");
    }

    // Returns when the finalizer is gone, and with it the group.
    cluster.kubectl(&["delete", OBJECT, "--timeout=2m"]);
    assert_eq!(arm.groups().await, 0);
    cluster.kubectl(&["delete", "aciissuer/local-ca", "--timeout=1m"]);
    let secrets = cluster.kubectl(&["get", "secrets", "-o", "name"]);
    assert_eq!(secrets.trim(), "secret/demo", "no key is left behind");
}

/// As the docs say: an annotation with the time. No request is lost, nothing restarts.
async fn rotations(cluster: &Cluster, endpoint: &Endpoint, arm: &Arm) {
    let (runs, puts) = (arm.runs().await, cluster.home.puts().await);
    let load = Load::start(endpoint, &[Style::Busy, Style::Idling, Style::Fresh, Style::Slow]);
    let mut took = Vec::new();
    for _ in 0..count("ACI_OPERATOR_TEST_SECONDS", 9) / 3 {
        let before = cluster.status().serial().to_owned();
        let asked = Instant::now();
        let time = now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let renew = format!("aci-operator.io/renew-requested-at={time}");
        cluster.kubectl(&["annotate", "--overwrite", OBJECT, &renew]);
        let rotated = cluster.home.until("the rotation", async || {
            let serial = endpoint.connect().await.unwrap().serial();
            (serial != before).then_some(serial)
        });
        let rotated = rotated.await;
        took.push(asked.elapsed());
        let status = cluster.home.until("the status", async || {
            Some(cluster.status()).filter(|status| status.ready() && status.serial() == rotated)
        });
        assert_eq!(status.await.served(), Some(rotated.as_str()));
        // The annotation's time has whole seconds.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let clients = load.stop().await;
    assert!(clients.iter().all(|(_, requests, _)| *requests > 0), "{clients:?}");
    assert!(clients.iter().all(|(.., failures)| failures.is_empty()), "{clients:?}");
    assert_eq!((arm.runs().await, cluster.home.puts().await), (runs, puts));
    spread("cluster.renew", &took);
    measured("cluster.requests", clients.iter().map(|(_, n, _)| n).sum::<usize>());
}

/// Somebody reads the group, changes a value, and puts it back: without our tags, and without the secrets,
/// which ARM does not show.
async fn foreign_edit(cluster: &Cluster, endpoint: &Endpoint, arm: &Arm) {
    let puts = cluster.home.puts().await;
    let mut body = arm.get().await;
    body["tags"] = json!({});
    body["properties"]["containers"][0]["properties"]["environmentVariables"][0]["value"] =
        json!("not ours");
    let edited = Instant::now();
    arm.send(Method::PUT, "", Some(&body)).await;
    let repaired = async || (cluster.home.puts().await == puts + 2).then_some(());
    cluster.home.until("the repair", repaired).await;
    spread("cluster.foreign_edit", &[edited.elapsed()]);
    let back = async || (cluster.message(endpoint).await? == "1.0").then_some(());
    cluster.home.until("the value", back).await;
    cluster.wait_until_ready();
    assert_eq!(cluster.home.puts().await, puts + 2);
}

/// As cert-manager writes it.
fn certificate(root: &Root) -> String {
    let (chain, key) = root.issue();
    json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "mine", "annotations": {"cert-manager.io/certificate-name": "mine"}},
        "stringData": {"tls.crt": chain, "tls.key": key, "ca.crt": root.pem}})
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_cert_manager_is_served_and_its_renewal_follows_hot() {
    let cluster = Cluster::start().await;
    let arm = Arm::sign_in(&cluster.home).await;
    let root = Root::new();
    cluster.apply(&certificate(&root));
    cluster.apply(&SAMPLE.replace(
        "localCA: {permittedDomains: [mon-fqdn.westeurope.azurecontainer.io, mon-dns.com], \
         ipAddresses: true}",
        "provided: {secretRef: {name: mine}}",
    ));
    cluster.wait_until_ready();
    let endpoint = cluster.endpoint(&root.pem);
    let first = endpoint.connect().await.unwrap().serial();
    assert_eq!(cluster.status().serial(), first);

    let (runs, puts) = (arm.runs().await, cluster.home.puts().await);
    let replaced = Instant::now();
    cluster.apply(&certificate(&root));
    let second = cluster.home.until("the new leaf", async || {
        let serial = endpoint.connect().await.ok()?.serial();
        (serial != first).then_some(serial)
    });
    let second = second.await;
    spread("cluster.provided_replaced", &[replaced.elapsed()]);
    let status = cluster.home.until("the status", async || {
        Some(cluster.status()).filter(|status| status.ready() && status.serial() == second)
    });
    assert_eq!(status.await.served(), Some(second.as_str()));
    assert_eq!((arm.runs().await, cluster.home.puts().await), (runs, puts));
}
