//! A real API server, one for all tests of a binary; each test takes a namespace of its own.
//!
//! It starts with the first test that asks for it and ends with the process, however that ends: it
//! serves as long as its standard input is open.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use aci_operator::tls;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::json;

/// The server that [`server`] starts.
pub(crate) struct Server {
    kubeconfig: PathBuf,
    /// Its standard input is open as long as this process lives.
    _process: Child,
}

/// The API server of this process, with the kinds in it.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::start();
        let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/crds");
        server.kubectl_done(&["apply", "-k", crds]);
        let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
        server.kubectl_done(&established);
        // Discovery and documentation follow a moment later; each look takes a while itself.
        let known = |name| server.kubectl(&["explain", name], "").status.success();
        while !["acg", "aciissuer", "apr"].into_iter().all(known) {}
        server
    })
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
    /// An empty server, for as long as this value lives.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// The same with more flags for kube-apiserver.
    pub(crate) fn start_with(flags: &str) -> Self {
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

    /// A client of this test's runtime, as administrator, whose namespace is `name`, made anew.
    pub(crate) async fn namespace(&self, name: &str) -> Client {
        let client = self.client(name, None).await;
        let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        client
    }

    /// A client of this test's runtime, as administrator or as somebody else.
    pub(crate) async fn client(&self, namespace: &str, who: Option<&str>) -> Client {
        tls::install_provider();
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        namespace.clone_into(&mut config.default_namespace);
        config.auth_info.impersonate = who.map(str::to_owned);
        Client::try_from(config).unwrap()
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
}
