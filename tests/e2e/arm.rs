//! Local Azure's Resource Manager, as somebody else uses it.

use std::path::Path;

use aci_operator::{emulator, tls};
use reqwest::{Certificate, Client, Method};
use serde_json::Value;

use super::home::{GROUP, Home};

pub(super) struct Arm {
    http: Client,
    token: String,
    group: String,
}

impl Arm {
    /// Signs in by client secret.
    pub(super) async fn sign_in(home: &Home) -> Self {
        tls::install_provider();
        let dir = home.dir().join("local");
        let endpoints = emulator::endpoints(&dir).unwrap().unwrap();
        let ca = Certificate::from_pem(&std::fs::read(&endpoints.ca).unwrap()).unwrap();
        let http = Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
        let url = format!("{}/{}/oauth2/v2.0/token", endpoints.entra, variable(&dir, "TENANT_ID"));
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &variable(&dir, "CLIENT_ID"))
            .append_pair("client_secret", &variable(&dir, "CLIENT_SECRET"))
            .append_pair("scope", "https://management.azure.com/.default")
            .finish();
        let request =
            http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer = json(request).await;
        let token = answer["access_token"].as_str().unwrap().to_owned();
        let subscription = variable(&dir, "SUBSCRIPTION_ID");
        let group = format!(
            "{}/subscriptions/{subscription}/resourceGroups/mon-groupe/providers/\
             Microsoft.ContainerInstance/containerGroups/{GROUP}",
            endpoints.arm
        );
        Self { http, token, group }
    }

    /// The group, or one of its verbs such as `/stop`.
    pub(super) async fn send(&self, method: Method, verb: &str, body: Option<&Value>) -> Value {
        let url = format!("{}{verb}?api-version=2023-05-01", self.group);
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = self.http.request(method, url).bearer_auth(&self.token);
        json(request.header("content-type", "application/json").body(body)).await
    }

    pub(super) async fn get(&self) -> Value {
        self.send(Method::GET, "", None).await
    }

    /// How many groups there are in the group's resource group.
    pub(super) async fn groups(&self) -> usize {
        let (list, _) = self.group.rsplit_once('/').unwrap();
        let url = format!("{list}?api-version=2023-05-01");
        let list = json(self.http.get(url).bearer_auth(&self.token)).await;
        list["value"].as_array().unwrap().len()
    }

    /// State of the group's containers as a whole.
    pub(super) async fn state(&self) -> String {
        let group = self.get().await;
        group["properties"]["instanceView"]["state"].as_str().unwrap_or_default().to_owned()
    }

    /// Name, number of restarts and start of each container.
    pub(super) async fn runs(&self) -> Vec<(String, u64, String)> {
        let group = self.get().await;
        let containers = group["properties"]["containers"].as_array().unwrap();
        let run = |container: &Value| {
            let view = &container["properties"]["instanceView"];
            let start = view["currentState"]["startTime"].as_str().unwrap_or_default();
            let restarts = view["restartCount"].as_u64().unwrap();
            (container["name"].as_str().unwrap().to_owned(), restarts, start.to_owned())
        };
        containers.iter().map(run).collect()
    }
}

fn variable(dir: &Path, name: &str) -> String {
    let variables = emulator::environment(dir).unwrap();
    let name = format!("AZURE_{name}");
    variables.into_iter().find(|(known, _)| *known == name).unwrap().1
}

async fn json(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap_or_default()
}
