//! Local Azure's owner, over its real wire: what tests prepare, and what they see behind the operator's
//! back.

use std::collections::BTreeMap;

use reqwest::{Client, Method};
use serde_json::Value;

use super::World;

/// The audience of ARM's tokens.
const ARM: &str = "https://management.azure.com";

/// The owner of a subscription of local Azure.
pub(super) struct Owner {
    pub(super) http: Client,
    /// As `local env` sets them.
    pub(super) variables: BTreeMap<String, String>,
}

impl Owner {
    pub(super) fn of(world: &World) -> Self {
        aci_operator::tls::install_provider();
        let variables = world.variables();
        let ca = std::fs::read(&variables["ACI_OPERATOR_LOCAL_CA"]).unwrap();
        let roots = [reqwest::Certificate::from_pem(&ca).unwrap()];
        let http = Client::builder().tls_certs_only(roots).no_proxy().build().unwrap();
        Self { http, variables }
    }

    /// The id of the subscription, as ARM's paths begin.
    pub(super) fn subscription(&self) -> String {
        format!("/subscriptions/{}", self.variables["AZURE_SUBSCRIPTION_ID"])
    }

    /// A token for ARM.
    pub(super) async fn token(&self) -> String {
        self.token_for(ARM).await
    }

    async fn token_for(&self, audience: &str) -> String {
        let variables = &self.variables;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &variables["AZURE_CLIENT_ID"])
            .append_pair("client_secret", &variables["AZURE_CLIENT_SECRET"])
            .append_pair("scope", &format!("{audience}/.default"))
            .finish();
        let authority = variables["AZURE_AUTHORITY_HOST"].trim_end_matches('/');
        let url = format!("{authority}/{}/oauth2/v2.0/token", variables["AZURE_TENANT_ID"]);
        let request =
            self.http.post(url).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// A request to ARM, at a path with or without the subscription: the status, and what was said.
    pub(super) async fn arm(
        &self,
        method: Method,
        path: &str,
        version: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let endpoint = self.variables["ACI_OPERATOR_RESOURCE_MANAGER_URL"].trim_end_matches('/');
        let scope = self.subscription();
        let path = path.strip_prefix(&scope).unwrap_or(path);
        let url = format!("{endpoint}{scope}{path}?api-version={version}");
        self.send(method, &url, ARM, body).await
    }

    /// A request with a token for `audience`.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        audience: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let mut request =
            self.http.request(method, url).bearer_auth(self.token_for(audience).await);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_default())
    }
}
