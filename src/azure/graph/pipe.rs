//! The transport over the network: the pipeline that ARM's requests take, to another address.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::http::headers::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use azure_core::http::{
    Context, HttpClient, Method, Pipeline, PipelineSendOptions, Request as HttpRequest,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tokio::sync::OnceCell;
use url::Url;

use super::{Answer, Caller, Request, Transport};
use crate::azure::arm;
use crate::azure::fault::{self, ENTRA, GRAPH};
use crate::azure::limits::{self, Limits, Quota};
use crate::azure::{Cloud, Error, Observer};
use crate::core::Fault;

/// Graph of a cloud.
#[derive(Clone)]
pub struct Pipe {
    endpoint: Url,
    authority_host: Url,
    scope: String,
    credential: Arc<dyn TokenCredential>,
    pipeline: Pipeline,
    limits: Arc<Mutex<Limits>>,
    observer: Observer,
    /// A process keeps its identity.
    caller: Arc<OnceCell<Caller>>,
}

impl Pipe {
    /// Graph of `cloud`.
    pub(in crate::azure) fn new(
        cloud: &Cloud,
        client: Arc<dyn HttpClient>,
        credential: Arc<dyn TokenCredential>,
        observer: Observer,
    ) -> Result<Self, Error> {
        let endpoint = arm::https(&cloud.graph)?;
        let scope = format!("{}/.default", endpoint.as_str().trim_end_matches('/'));
        Ok(Self {
            pipeline: arm::pipeline(client, credential.clone(), scope.clone()),
            endpoint,
            authority_host: cloud.authority_host.clone(),
            scope,
            credential,
            limits: Arc::new(Mutex::new(cloud.limits.clone())),
            observer,
            caller: Arc::default(),
        })
    }
}

#[async_trait]
impl Transport for Pipe {
    async fn send(&self, request: &Request) -> Result<Answer, Fault> {
        let method = match request.method {
            "POST" => Method::Post,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            _ => Method::Get,
        };
        let quota = if method == Method::Get { Quota::GraphRead } else { Quota::GraphWrite };
        limits::admit(&self.limits, "", "", &[quota], "our own budget for Graph").await?;
        let url = self.endpoint.join(&request.path).map_err(|_| Fault::Refused {
            service: GRAPH,
            code: "InvalidName".to_owned(),
            message: "a name cannot be part of an address".to_owned(),
        })?;
        let mut http = HttpRequest::new(url, method);
        http.insert_header(ACCEPT, "application/json");
        for (name, value) in &request.headers {
            http.insert_header(*name, *value);
        }
        if let Some(body) = &request.body {
            http.insert_header(CONTENT_TYPE, "application/json");
            http.set_body(body.to_string().into_bytes());
        } else if method == Method::Post {
            http.insert_header(CONTENT_LENGTH, "0");
        }
        let skip = PipelineSendOptions { skip_checks: true, ..PipelineSendOptions::default() };
        let answer = self.pipeline.send(&Context::default(), &mut http, Some(skip)).await;
        let status = answer.as_ref().map_or(0, |answer| answer.status().into());
        (self.observer)(request.operation, status);
        tracing::debug!(operation = request.operation, status, "asked Graph");
        let answer = answer.map_err(|error| fault::lost(GRAPH, &error))?;
        let (status, headers, body) = answer.deconstruct();
        let text = |part: &str| part.to_owned();
        let headers = headers.iter().map(|(n, v)| (text(n.as_str()), text(v.as_str()))).collect();
        Ok(Answer { status: status.into(), headers, body: body.as_ref().to_vec() })
    }

    async fn caller(&self) -> Result<Caller, Fault> {
        let ask = || async {
            let token = self.credential.get_token(&[self.scope.as_str()], None).await;
            let token = token.map_err(|error| fault::lost(GRAPH, &error))?;
            let claims = claims(token.token.secret()).ok_or_else(|| Fault::Forbidden {
                service: ENTRA,
                message: "the token for Graph does not say whose it is".to_owned(),
            })?;
            let host = self.authority_host.as_str().trim_end_matches('/');
            Ok(Caller {
                authority: format!("{host}/{}", claims.tid),
                tenant: claims.tid,
                object_id: claims.oid,
                graph: self.endpoint.as_str().trim_end_matches('/').to_owned(),
            })
        };
        self.caller.get_or_try_init(ask).await.cloned()
    }
}

/// What an access token says of its owner.
/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
#[derive(Debug, Deserialize, Eq, PartialEq)]
struct Claims {
    tid: String,
    oid: String,
}

/// Reads a token of our own, which its audience checks: here it only says who we are.
fn claims(token: &str) -> Option<Claims> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_whose_it_is() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"tid":"t","oid":"o","aud":"x"}"#);
        let want = Claims { tid: "t".to_owned(), oid: "o".to_owned() };
        assert_eq!(claims(&format!("e30.{payload}.sig")), Some(want));
        assert_eq!(claims("opaque"), None);
    }
}
