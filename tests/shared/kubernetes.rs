//! A real API server. It ends with the process that started it, however that ends: it serves as long
//! as its standard input is open.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/aci-operator");

/// A server for as long as this value lives.
pub(crate) struct Server {
    kubeconfig: PathBuf,
    /// Its standard input is open as long as this process lives.
    _process: Child,
}

fn tools() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let bin = target.join("tools/kubernetes/bin");
    assert!(
        bin.join("helm").exists(),
        "no Kubernetes in {}: `scripts/test cargo` builds it",
        bin.display()
    );
    bin
}

impl Server {
    /// A server with the chart's release in the namespace `ops` and an empty namespace `app`. No Pod
    /// runs: there is no node.
    pub(crate) fn with_chart(flags: &str) -> Self {
        let server = Self::start(flags);
        for namespace in ["ops", "app"] {
            server.kubectl_done(&["create", "namespace", namespace]);
        }
        let image = "image.repository=registry.example.org/aci-operator";
        server.helm_done(&["install", "aci-operator", CHART, "-n", "ops", "--set", image]);
        let crds = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
        server.kubectl_done(&crds);
        server
    }

    /// An empty server, with `flags` for kube-apiserver.
    pub(crate) fn start(flags: &str) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kubernetes/server");
        let (process, number) = (std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kubernetes-{process}-{number}"));
        let mut child = Command::new(program)
            .arg(&folder)
            .env("KUBERNETES_BIN", tools())
            .env("API_SERVER_FLAGS", flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the logs are in {}", folder.display());
        Self { kubeconfig: folder.join("kubeconfig"), _process: child }
    }

    /// Of a cluster administrator.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// What kubectl says.
    pub(crate) fn kubectl(&self, arguments: &[&str], input: &str) -> Output {
        self.tool("kubectl", arguments, input)
    }

    /// What a program of the tools says; `input` is its standard input.
    pub(crate) fn tool(&self, name: &str, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(tools().join(name))
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig())
            .env("KUBECACHEDIR", self.kubeconfig().with_file_name("cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Standard output of a kubectl that succeeds.
    pub(crate) fn kubectl_done(&self, arguments: &[&str]) -> String {
        let output = self.kubectl(arguments, "");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Standard output of a helm that succeeds.
    pub(crate) fn helm_done(&self, arguments: &[&str]) -> String {
        let output = self.tool("helm", arguments, "");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "helm {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Where it listens on loopback.
    pub(crate) fn port(&self) -> u16 {
        let kubeconfig = std::fs::read_to_string(self.kubeconfig()).unwrap();
        between(&kubeconfig, "https://127.0.0.1:", "\n").parse().unwrap()
    }

    /// A kubeconfig of the chart's service account, which finds the server at `port`.
    pub(crate) fn of_the_operator(&self, port: u16) -> String {
        let admin = std::fs::read_to_string(self.kubeconfig()).unwrap();
        let token = ["create", "token", "aci-operator", "-n", "ops", "--duration", "12h"];
        let token = self.kubectl_done(&token);
        admin
            .replace(&format!(":{}\n", self.port()), &format!(":{port}\n"))
            .replace(between(&admin, "{token: ", "}"), token.trim())
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}
