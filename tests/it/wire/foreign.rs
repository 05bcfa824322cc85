//! Local Azure in the hands of a client that others wrote: `azure_mgmt_containerinstance`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use azure_core_0_21::auth::{AccessToken, TokenCredential};
use azure_core_0_21::error::ErrorKind;
use azure_core_0_21::headers::{HeaderName, HeaderValue, Headers};
use azure_core_0_21::{
    Body, BytesStream, Error, HttpClient, Request, Response, Result, RetryOptions, StatusCode,
    TransportOptions, Url,
};
use azure_mgmt_containerinstance::package_preview_2024_05 as legacy;
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::json;

use super::World;
use super::owner::Owner;

/// Transport that trusts local Azure's CA alone.
#[derive(Debug)]
struct Transport(reqwest::Client);

fn failed(error: reqwest::Error) -> Error {
    Error::new(ErrorKind::Io, error)
}

#[async_trait::async_trait]
impl HttpClient for Transport {
    async fn execute_request(&self, request: &Request) -> Result<Response> {
        let method = request.method().as_ref().parse().unwrap();
        let mut builder = self.0.request(method, request.url().clone());
        for (name, value) in request.headers().iter() {
            builder = builder.header(name.as_str(), value.as_str());
        }
        if let Body::Bytes(bytes) = request.body() {
            builder = builder.body(bytes.clone());
        }
        let answer = builder.send().await.map_err(failed)?;
        let status = StatusCode::try_from(answer.status().as_u16()).unwrap();
        let header =
            |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
                let value = HeaderValue::from(value.to_str().unwrap().to_owned());
                (HeaderName::from(name.as_str().to_owned()), value)
            };
        let headers: HashMap<_, _> = answer.headers().iter().map(header).collect();
        let body = answer.bytes().await.map_err(failed)?;
        Ok(Response::new(status, Headers::from(headers), Box::pin(BytesStream::new(body))))
    }
}

#[derive(Debug)]
struct Token(String);

#[async_trait::async_trait]
impl TokenCredential for Token {
    async fn get_token(&self, _: &[&str]) -> Result<AccessToken> {
        let expires_on = std::time::UNIX_EPOCH + Duration::from_hours(1_000_000);
        Ok(AccessToken::new(self.0.clone(), expires_on.into()))
    }

    async fn clear_cache(&self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_generated_rust_client_makes_shows_lists_and_deletes() {
    let world = World::new();
    let owner = Owner::of(&world);
    let (subscription, arm) = (
        &owner.variables["AZURE_SUBSCRIPTION_ID"],
        &owner.variables["ACI_OPERATOR_RESOURCE_MANAGER_URL"],
    );
    let body = json!({"location": "westeurope"});
    let made = owner.arm(Method::PUT, "/resourcegroups/rg", "2021-04-01", Some(&body)).await;
    assert_eq!(made.0, 201);

    let groups = legacy::Client::builder(Arc::new(Token(owner.token().await)))
        .endpoint(Url::parse(arm).unwrap())
        .scopes(&["s"])
        .transport(TransportOptions::new(Arc::new(Transport(owner.http.clone()))))
        .retry(RetryOptions::none())
        .build()
        .unwrap()
        .container_groups_client();
    let body: legacy::models::ContainerGroup = serde_json::from_value(json!({
        "location": "westeurope",
        "properties": {
            "osType": "Linux",
            "containers": [{"name": "web", "properties": {
                "image": "registry.example.org/web:1",
                "resources": {"requests": {"cpu": 1.0, "memoryInGB": 1.5}}}}],
        },
    }))
    .unwrap();
    // One request each: awaiting the builder would send the PUT again and again.
    let sent = groups.create_or_update(subscription, "rg", "theirs", body).send().await.unwrap();
    assert_eq!(u16::from(sent.as_raw_response().status()), 201);
    let shown = loop {
        let shown = groups.get(subscription, "rg", "theirs").send().await.unwrap();
        let shown: legacy::models::ContainerGroup = shown.into_body().await.unwrap();
        let properties = &shown.container_group_properties.properties;
        match properties.provisioning_state.as_deref() {
            Some("Succeeded") => break shown,
            Some("Failed") => panic!("{shown:?}"),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let properties = &shown.container_group_properties.properties;
    assert_eq!(properties.containers[0].name, "web");
    assert!(properties.instance_view.is_some(), "{properties:?}");
    let pages: Vec<_> = groups.list(subscription).into_stream().collect().await;
    let listed: Vec<_> = pages.into_iter().flat_map(|page| page.unwrap().value).collect();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].container_group_properties.properties.instance_view.is_none());
    let deleted = groups.delete(subscription, "rg", "theirs").send().await.unwrap();
    assert!(matches!(u16::from(deleted.as_raw_response().status()), 200 | 202));
    assert_eq!(world.writes(), (1, 0, 1));
}
