//! The user's own chain and key.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::arm::Arm;
use super::client::Endpoint;
use super::home::{HOST, Home};

/// Somebody's root.
pub(super) struct Root {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

impl Root {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Chain and key.
    pub(super) fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([HOST.to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        (leaf.pem() + &self.pem, key.serialize_pem())
    }
}

async fn provide(home: &Home, root: &Root) {
    let (chain, key) = root.issue();
    home.set_secret("mine", "tls.crt", &chain).await;
    home.set_secret("mine", "tls.key", &key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provided_chain_is_served_and_a_new_one_follows_hot() {
    let mut home = Home::start().await;
    home.edit_manifest(
        "localCA: {permittedDomains: [mon-fqdn.westeurope.azurecontainer.io, mon-dns.com], \
         ipAddresses: true}",
        "provided: {secretRef: {name: mine}}",
    );
    let root = Root::new();
    provide(&home, &root).await;
    home.apply().await;
    let status = home.status().await;
    let endpoint = Endpoint::new((status.ip(), 443).into(), HOST, &root.pem);
    let first = endpoint.connect().await.unwrap().serial();
    assert_eq!(status.serial(), first);

    home.run_daemon().await;
    let arm = Arm::sign_in(&home).await;
    let (runs, puts) = (arm.runs().await, home.puts().await);
    provide(&home, &root).await;
    let second = home
        .until("the new leaf", async || {
            let serial = endpoint.connect().await.ok()?.serial();
            (serial != first).then_some(serial)
        })
        .await;
    let status = home.until_status("ready", |status| status.ready() && status.serial() == second);
    assert_eq!(status.await.served(), Some(second.as_str()));
    assert_eq!(home.puts().await, puts);
    assert_eq!(arm.runs().await, runs);
}
