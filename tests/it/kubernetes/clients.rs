//! One API server for all tests that share it, and clients of it: each test takes a namespace of its
//! own.

use std::sync::OnceLock;

use aci_operator::tls;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::json;

use super::server::Server;

/// The API server of this process, with the kinds in it; it starts with the first test that asks for
/// it.
pub(super) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::start("");
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

impl Server {
    /// A client of this test's runtime, as administrator, whose namespace is `name`, made anew.
    pub(super) async fn namespace(&self, name: &str) -> Client {
        let client = self.client(name, None).await;
        let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        client
    }

    /// A client of this test's runtime, as administrator or as somebody else.
    pub(super) async fn client(&self, namespace: &str, who: Option<&str>) -> Client {
        tls::install_provider();
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig()).unwrap();
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        namespace.clone_into(&mut config.default_namespace);
        config.auth_info.impersonate = who.map(str::to_owned);
        Client::try_from(config).unwrap()
    }
}
