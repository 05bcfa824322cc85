//! A local Azure on a directory of its own, and a client of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use aci_operator::emulator::engine::none::Nothing;
use aci_operator::emulator::{Config, Endpoints, Error, Injection, endpoints, environment, serve};
use aci_operator::tls;

pub(crate) const VERSION: &str = "api-version=2023-05-01";

#[expect(clippy::disallowed_methods, reason = "the clock of these tests")]
pub(crate) fn clock() -> DateTime<Utc> {
    Utc::now()
}

/// A local Azure that runs on a directory.
pub(crate) struct Local {
    pub(crate) dir: Arc<TempDir>,
    pub(crate) endpoints: Endpoints,
    pub(crate) http: reqwest::Client,
    stop: oneshot::Sender<()>,
    server: JoinSet<Result<(), Error>>,
}

pub(crate) fn config(dir: &Path, clock: fn() -> DateTime<Utc>) -> Config {
    let engine = Arc::new(Nothing::new(clock));
    let mut config = Config::new(dir.to_owned(), engine, "none", clock);
    config.provisioning = Duration::from_millis(30);
    config.page = 2;
    config
}

impl Local {
    pub(crate) async fn start() -> Self {
        Self::start_on(Arc::new(tempfile::tempdir().unwrap()), clock).await
    }

    pub(crate) async fn start_on(dir: Arc<TempDir>, clock: fn() -> DateTime<Utc>) -> Self {
        let config = config(dir.path(), clock);
        Self::start_with(dir, config).await
    }

    pub(crate) async fn start_with(dir: Arc<TempDir>, config: Config) -> Self {
        tls::install_provider();
        let (stop, stopped) = oneshot::channel();
        let mut server = JoinSet::new();
        server.spawn(serve(config, async move {
            let _ = stopped.await;
        }));
        let endpoints = loop {
            if let Some(found) = endpoints(dir.path()).unwrap() {
                break found;
            }
            assert!(server.try_join_next().is_none(), "it ended instead of getting ready");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let ca = std::fs::read(&endpoints.ca).unwrap();
        let http = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
            .no_proxy()
            .build()
            .unwrap();
        Self { dir, endpoints, http, stop, server }
    }

    pub(crate) async fn stop(mut self) -> Arc<TempDir> {
        self.stop.send(()).unwrap();
        self.server.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!(endpoints(self.dir.path()).unwrap(), None);
        self.dir
    }

    pub(crate) fn variable(&self, name: &str) -> String {
        let variables = environment(self.dir.path()).unwrap();
        variables.into_iter().find(|(known, _)| known == name).unwrap().1
    }

    pub(crate) async fn token_answer(&self, fields: &[(&str, &str)]) -> (StatusCode, Value) {
        self.token_answer_to(&self.variable("AZURE_CLIENT_ID"), fields).await
    }

    /// What the token endpoint answers to a client of this id.
    pub(crate) async fn token_answer_to(
        &self,
        client: &str,
        fields: &[(&str, &str)],
    ) -> (StatusCode, Value) {
        let url = format!(
            "{}/{}/oauth2/v2.0/token",
            self.endpoints.entra,
            self.variable("AZURE_TENANT_ID")
        );
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", client)
            .extend_pairs(fields)
            .finish();
        let request =
            self.http.post(url).header("content-type", "application/x-www-form-urlencoded");
        answer(request.body(form)).await
    }

    pub(crate) async fn token_for(&self, scope: &str) -> String {
        let secret = self.variable("AZURE_CLIENT_SECRET");
        let (status, body) =
            self.token_answer(&[("client_secret", &secret), ("scope", scope)]).await;
        assert_eq!(status, 200, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn signed_in(&self) -> Arm<'_> {
        let token = self.token_for("https://management.core.windows.net//.default").await;
        Arm { local: self, token }
    }
}

/// ARM, as one principal.
pub(crate) struct Arm<'a> {
    pub(crate) local: &'a Local,
    pub(crate) token: String,
}

impl Arm<'_> {
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let subscription = self.local.variable("AZURE_SUBSCRIPTION_ID");
        let arm = &self.local.endpoints.arm;
        let mark = if path.contains('?') { '&' } else { '?' };
        let url = format!("{arm}/subscriptions/{subscription}{path}{mark}{VERSION}");
        self.local.http.request(method, url).bearer_auth(&self.token)
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        answer(self.request(method, path).body(body.to_string())).await
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn make_resource_group(&self) {
        let body = json!({"location": "westeurope"});
        let (status, _) = self.send(Method::PUT, "/resourcegroups/rg", body).await;
        assert!(status.is_success());
    }

    pub(crate) async fn put(&self, name: &str) -> reqwest::Response {
        let request = self.request(Method::PUT, &group(name)).body(body(name).to_string());
        request.send().await.unwrap()
    }

    /// PUTs and waits until it has gone well.
    pub(crate) async fn make(&self, name: &str) {
        assert!(self.put(name).await.status().is_success());
        self.settled(name).await;
    }

    pub(crate) async fn settled(&self, name: &str) -> Value {
        loop {
            let (status, shown) = self.get(&group(name)).await;
            assert_eq!(status, 200);
            match shown["properties"]["provisioningState"].as_str().unwrap() {
                "Succeeded" if shown["properties"]["instanceView"]["state"] != "Pending" => {
                    return shown;
                }
                "Failed" => panic!("{shown}"),
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Follows a polling URL to its end: the last answer.
    pub(crate) async fn follow(
        &self,
        response: &reqwest::Response,
        header: &str,
    ) -> (StatusCode, Value) {
        let url = response.headers()[header].to_str().unwrap();
        assert!(url.starts_with(&format!("{}/subscriptions/", self.local.endpoints.arm)), "{url}");
        loop {
            let request = self.local.http.get(url).bearer_auth(&self.token);
            let response = request.send().await.unwrap();
            if response.status() != 204 {
                assert_eq!(response.headers()["retry-after"], "1");
            }
            let (status, body) = split(response).await;
            if status != 202 && body["status"] != "InProgress" {
                return (status, body);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    split(request.send().await.unwrap()).await
}

pub(crate) async fn split(response: reqwest::Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default())
}

pub(crate) fn group(name: &str) -> String {
    // The spelling of `az container create --file`.
    format!("/resourcegroups/RG/providers/Microsoft.ContainerInstance//containerGroups/{name}")
}

pub(crate) fn body(name: &str) -> Value {
    json!({
        "location": "West Europe",
        "properties": {
            "osType": "Linux",
            "containers": [{"name": "app", "properties": {
                "image": "nginx",
                "environmentVariables": [{"name": "S", "secureValue": "hunter2"}]}}],
            "ipAddress": {"type": "Public", "ports": [{"port": 8080}], "dnsNameLabel": name}
        }
    })
}

pub(crate) fn injection(value: Value) -> Injection {
    serde_json::from_value(value).unwrap()
}
