//! What other processes know of a local Azure and ask of it: its directory is the way in.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::access::Accesses;
use super::admin::{Injection, Status};
use super::installation::Installation;
use crate::files;

/// Where a running local Azure listens; kept in `endpoints.json` while it runs.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// Azure Resource Manager.
    pub arm: String,
    /// Entra ID, the authority host.
    pub entra: String,
    /// Microsoft Graph.
    pub graph: String,
    /// Blob service of the storage accounts, each at `/NAME`.
    pub blob: String,
    /// `IDENTITY_ENDPOINT` of the managed identity, plain HTTP.
    pub identity: String,
    /// Faults, status, reset.
    pub admin: String,
    /// The CA certificate of all of them, a PEM file.
    pub ca: PathBuf,
    /// A federated token of the registered client, kept fresh: `AZURE_FEDERATED_TOKEN_FILE`.
    pub federated_token: PathBuf,
    /// Name of the container engine.
    pub engine: String,
    /// Process id.
    pub pid: u32,
}

/// Why a local Azure cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing runs on the directory.
    #[error("local Azure does not run in {0}")]
    NotRunning(PathBuf),
    /// The files of the directory.
    #[error("cannot read local Azure's files: {0}")]
    Files(#[from] io::Error),
    /// No connection.
    #[error("local Azure does not answer")]
    Unreachable(#[from] reqwest::Error),
    /// It answered with an error.
    #[error("local Azure refused: {0}")]
    Refused(String),
}

/// The endpoints of the local Azure on `dir`, `None` where it does not run. After a crash the file
/// may name a process that is gone: [`Client::status`] tells.
pub fn endpoints(dir: &Path) -> io::Result<Option<Endpoints>> {
    let bytes = files::read(&endpoints_file(dir))?;
    bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::from)).transpose()
}

/// Names this local Azure among those of one machine: the label of all that it makes in an engine.
pub fn identity(dir: &Path) -> io::Result<String> {
    Ok(Installation::open(dir)?.seed.to_string())
}

pub(super) fn endpoints_file(dir: &Path) -> PathBuf {
    dir.join("endpoints.json")
}

/// Variables after which aci-operator, `az`, Azure's SDKs and curl talk to the local Azure on `dir`,
/// which need not run. The client secret is among them.
pub fn environment(dir: &Path) -> io::Result<Vec<(String, String)>> {
    let facts = Installation::open(dir)?;
    let file = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let bundle = file(BUNDLE);
    let mut variables = vec![
        ("ACI_OPERATOR_CLOUD", "local".to_owned()),
        ("ACI_OPERATOR_RESOURCE_MANAGER_URL", facts.arm_url()),
        ("ACI_OPERATOR_GRAPH_URL", facts.graph_url()),
        ("AZURE_AUTHORITY_HOST", facts.entra_url()),
        ("AZURE_TENANT_ID", facts.tenant.to_string()),
        ("AZURE_CLIENT_ID", facts.client_id.to_string()),
        ("AZURE_CLIENT_SECRET", facts.client_secret.clone()),
        ("AZURE_SUBSCRIPTION_ID", facts.subscription.to_string()),
        // Alone, for browsers: their stores take one certificate, not a bundle.
        ("ACI_OPERATOR_LOCAL_CA", file("ca.pem")),
        ("AZURE_CONFIG_DIR", file("azure")),
        ("AZURE_CORE_INSTANCE_DISCOVERY", "false".to_owned()),
        ("AZURE_CORE_COLLECT_TELEMETRY", "no".to_owned()),
    ];
    variables.extend(TRUST.map(|name| (name, bundle.clone())));
    Ok(variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The bundle of the system's roots and ours.
pub(super) const BUNDLE: &str = "bundle.pem";
/// Every variable that names a CA bundle to somebody.
const TRUST: [&str; 5] = [
    "REQUESTS_CA_BUNDLE",
    "WEBSOCKET_CLIENT_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
];

/// A client of the admin listener.
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    /// A client of the local Azure that runs on `dir`.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let not_running = || Error::NotRunning(dir.to_owned());
        let endpoints = endpoints(dir)?.ok_or_else(not_running)?;
        let ca = files::read(&endpoints.ca)?.ok_or_else(not_running)?;
        let http = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&ca)?])
            .no_proxy()
            .build()?;
        Ok(Self { http, url: endpoints.admin, token: Installation::open(dir)?.admin_token })
    }

    /// How it is.
    pub async fn status(&self) -> Result<Status, Error> {
        let body = self.send(self.http.get(self.at("status"))).await?;
        serde_json::from_str(&body).map_err(|e| Error::Refused(e.to_string()))
    }

    /// What each principal asked for since the start, and whether it might.
    pub async fn accesses(&self) -> Result<Accesses, Error> {
        let body = self.send(self.http.get(self.at("access"))).await?;
        serde_json::from_str(&body).map_err(|e| Error::Refused(e.to_string()))
    }

    /// Injects a fault, or lets an accident happen.
    pub async fn inject(&self, injection: &Injection) -> Result<(), Error> {
        let body = serde_json::to_string(injection).map_err(io::Error::from)?;
        let request = self.http.post(self.at("faults"));
        self.send(request.header("content-type", "application/json").body(body)).await.map(drop)
    }

    /// Removes every fault.
    pub async fn clear_faults(&self) -> Result<(), Error> {
        self.send(self.http.delete(self.at("faults"))).await.map(drop)
    }

    /// Removes all container groups, resource groups, faults, and what was made in the directory.
    pub async fn reset(&self) -> Result<(), Error> {
        self.send(self.http.post(self.at("reset"))).await.map(drop)
    }

    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<String, Error> {
        let response = request.bearer_auth(&self.token).send().await?;
        let refused = !response.status().is_success();
        let body = response.text().await?;
        if refused { Err(Error::Refused(body)) } else { Ok(body) }
    }
}
