//! A tenant with an API and its single-page client, and a browser's and a client's part.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use aci_operator::emulator::Client;

use super::super::local::{Local, answer, injection};

/// RFC 7636, appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const ORIGIN: &str = "https://api.example.net";
pub(super) const BACK: &str = "https://api.example.net/oauth2-redirect";
const SCOPE: &str = "5c0be000-0000-4000-8000-000000000001";

pub(super) type Fields = Vec<(String, String)>;

/// A tenant of local Azure, seen from outside.
pub(super) struct Tenant<'a> {
    pub(super) local: &'a Local,
    /// Follows no redirect.
    pub(super) http: reqwest::Client,
    pub(super) authority: String,
    pub(super) api: Value,
    pub(super) spa: Value,
}

impl<'a> Tenant<'a> {
    /// As it is.
    pub(super) fn of(local: &'a Local) -> Self {
        let ca = std::fs::read(&local.endpoints.ca).unwrap();
        let http = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let authority = format!("{}/{}", local.endpoints.entra, local.variable("AZURE_TENANT_ID"));
        Self { local, http, authority, api: Value::Null, spa: Value::Null }
    }

    /// With an API that has one scope, and a client that needs no consent for it.
    pub(super) async fn furnish(local: &'a Local) -> Self {
        let mut tenant = Self::of(local);
        let prompt = json!({"fault": "reads-lag", "seconds": 0, "operation": "graph-write"});
        let admin = Client::open(local.dir.path()).unwrap();
        admin.inject(&injection(prompt)).await.unwrap();
        let scope = json!({
            "id": SCOPE,
            "value": "user_impersonation",
            "type": "User",
            "isEnabled": true,
            "adminConsentDisplayName": "Use the API",
            "adminConsentDescription": "Use the API as the user",
            "userConsentDisplayName": "Use the API as you",
            "userConsentDescription": "Use the API as you",
        });
        tenant.api = tenant
            .register(json!({
                "displayName": "API",
                "api": {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [scope]},
            }))
            .await;
        tenant.spa = tenant
            .register(json!({"displayName": "API - OpenAPI", "spa": {"redirectUris": [BACK]}}))
            .await;
        let allowed = json!([{"appId": tenant.spa["appId"], "delegatedPermissionIds": [SCOPE]}]);
        tenant.change_api(json!({"identifierUris": [tenant.uri()]})).await;
        tenant.change_api(json!({"api": {"preAuthorizedApplications": allowed}})).await;
        tenant
    }

    /// An application and its service principal (`principal`).
    pub(super) async fn register(&self, body: Value) -> Value {
        let mut made = self.graph(Method::POST, "applications", &body).await;
        let principal = json!({"appId": made["appId"]});
        made["principal"] = self.graph(Method::POST, "servicePrincipals", &principal).await;
        made
    }

    pub(super) async fn change_api(&self, body: Value) {
        let path = format!("applications/{}", self.api["id"].as_str().unwrap());
        self.graph(Method::PATCH, &path, &body).await;
    }

    pub(super) async fn graph(&self, method: Method, path: &str, body: &Value) -> Value {
        let token = self.local.token_for("https://graph.microsoft.com/.default").await;
        let url = format!("{}/v1.0/{path}", self.local.endpoints.graph);
        let mut request = self.http.request(method, url).bearer_auth(token);
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let (status, shown) = answer(request).await;
        assert!(status.is_success(), "{path}: {status} {shown}");
        shown
    }

    pub(super) async fn graph_get(&self, path: &str) -> Value {
        self.graph(Method::GET, path, &Value::Null).await
    }

    pub(super) async fn graph_delete(&self, path: &str) {
        self.graph(Method::DELETE, path, &Value::Null).await;
    }

    pub(super) async fn user(&self, name: &str) -> Value {
        self.graph_get(&format!("users/{name}")).await
    }

    pub(super) fn uri(&self) -> String {
        format!("api://{}", self.api["appId"].as_str().unwrap())
    }

    pub(super) fn scope(&self) -> String {
        format!("{}/user_impersonation", self.uri())
    }

    /// What the client asks at `/authorize`, with `changes`.
    pub(super) fn question(&self, changes: &[(&str, &str)]) -> Fields {
        let scope = format!("{} openid profile offline_access", self.scope());
        let mut asked = BTreeMap::from([
            ("client_id", self.spa["appId"].as_str().unwrap()),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("scope", &scope),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        asked.extend(changes.iter().copied());
        asked.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    pub(super) async fn ask(&self, asked: &Fields, language: &str) -> Response {
        let url = format!("{}/oauth2/v2.0/authorize?{}", self.authority, encoded(asked));
        self.http.get(url).header("accept-language", language).send().await.unwrap()
    }

    pub(super) async fn pick(&self, asked: &Fields, user: &str) -> Response {
        self.answer(asked, user, None).await
    }

    /// Posts the form of a page.
    pub(super) async fn answer(
        &self,
        asked: &Fields,
        user: &str,
        consent: Option<&str>,
    ) -> Response {
        let mut form = asked.clone();
        form.push(("user".to_owned(), user.to_owned()));
        form.extend(consent.map(|consent| ("consent".to_owned(), consent.to_owned())));
        self.post("oauth2/v2.0/authorize", &form, None).await
    }

    pub(super) fn redemption<'b>(&'b self, code: &'b str) -> Vec<(&'static str, &'b str)> {
        vec![
            ("grant_type", "authorization_code"),
            ("client_id", self.spa["appId"].as_str().unwrap()),
            ("redirect_uri", BACK),
            ("code", code),
            ("code_verifier", VERIFIER),
        ]
    }

    /// What the single-page client gets for a user.
    pub(super) async fn signed_in(&self, user: &str) -> Value {
        let sent = self.pick(&self.question(&[]), user).await;
        let code = pairs(sent.headers()["location"].to_str().unwrap())["code"].clone();
        let (status, answer) = self.token(&self.redemption(&code), Some(ORIGIN)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub(super) async fn token(&self, form: &[(&str, &str)], origin: Option<&str>) -> (u16, Value) {
        let form: Fields = form.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        self.answered("oauth2/v2.0/token", &form, origin).await
    }

    pub(super) async fn answered(
        &self,
        path: &str,
        form: &Fields,
        origin: Option<&str>,
    ) -> (u16, Value) {
        let response = self.post(path, form, origin).await;
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    pub(super) async fn post(&self, path: &str, form: &Fields, origin: Option<&str>) -> Response {
        let mut request = self
            .http
            .post(format!("{}/{path}", self.authority))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded(form));
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        request.send().await.unwrap()
    }

    /// The `kid` of every published key.
    pub(super) async fn keys(&self) -> Vec<String> {
        let set = self.key_set().await;
        set.keys.iter().map(|key| key.common.key_id.clone().unwrap()).collect()
    }

    /// The claims of a token that a published key signed.
    pub(super) async fn verified(&self, token: &str) -> Value {
        let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
        let set = self.key_set().await;
        let key = DecodingKey::from_jwk(set.find(&kid).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[self.api["appId"].as_str().unwrap()]);
        validation.set_issuer(&[format!("{}/v2.0", self.authority)]);
        jsonwebtoken::decode(token, &key, &validation).unwrap().claims
    }

    async fn key_set(&self) -> JwkSet {
        let (status, set) =
            answer(self.http.get(format!("{}/discovery/v2.0/keys", self.authority))).await;
        assert_eq!(status, 200);
        serde_json::from_value(set).unwrap()
    }
}

fn encoded(fields: &Fields) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// What a redirect tells.
pub(super) fn pairs(location: &str) -> BTreeMap<String, String> {
    let url = url::Url::parse(location).unwrap();
    let told = url.query().or_else(|| url.fragment()).unwrap_or_default().to_owned();
    url::form_urlencoded::parse(told.as_bytes()).into_owned().collect()
}

/// The claims of a token, unchecked.
pub(super) fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}
