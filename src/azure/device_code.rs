//! Signing a person in without a browser of ours: the device authorization grant (RFC 8628).
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>. On Entra the
//! application must allow public client flows for it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::arm::{http_client, https};
use super::{Cloud, Error};
use crate::core::{Fault, Secret};
use crate::tls;

/// Name of the service in faults.
const ENTRA: &str = "Entra ID";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Time between two polls where none is asked for (RFC 8628 section 3.2).
const INTERVAL: Duration = Duration::from_secs(5);

/// An application's way to sign somebody in.
pub struct DeviceCode {
    http: reqwest::Client,
    authority: Url,
    client_id: String,
}

/// What the person is asked to do, and what the answer is then asked for with.
#[derive(Debug)]
pub struct Invitation {
    /// For the person: where to go and what to type there.
    pub message: String,
    /// Time between two polls.
    pub interval: Duration,
    code: Secret,
}

#[derive(Deserialize)]
struct Device {
    #[serde(rename = "device_code")]
    secret: String,
    user_code: String,
    verification_uri: String,
    message: Option<String>,
    interval: Option<u64>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
}

impl DeviceCode {
    /// Signs in to the application `client_id` at `authority`, such as
    /// `https://login.microsoftonline.com/{tenant}`.
    ///
    /// # Errors
    /// The authority is no `https` URL, or the CA of `cloud` cannot be used.
    pub fn new(cloud: &Cloud, authority: &str, client_id: &str) -> Result<Self, Error> {
        let refused = |_| Error::Endpoint(authority.to_owned());
        let authority = https(&Url::parse(authority).map_err(refused)?)?;
        let tls = tls::client_config(&cloud.ca_pem)?;
        let http = http_client(&tls)?;
        Ok(Self { http, authority, client_id: client_id.to_owned() })
    }

    /// Begins. `user` is a hint for the sign-in page.
    pub async fn begin(&self, scope: &str, user: Option<&str>) -> Result<Invitation, Fault> {
        let mut form = vec![("client_id", self.client_id.as_str()), ("scope", scope)];
        form.extend(user.map(|user| ("login_hint", user)));
        let answer = self.post("devicecode", &form).await?;
        let device: Device = read(answer.map_err(Refusal::into_fault)?)?;
        let Device { secret, user_code, verification_uri, message, interval } = device;
        let message = message
            .unwrap_or_else(|| format!("open {verification_uri} and enter the code {user_code}"));
        let interval = interval.map_or(INTERVAL, |seconds| Duration::from_secs(seconds.max(1)));
        Ok(Invitation { message, interval, code: Secret::new(secret) })
    }

    /// Asks once; `None` where the person is not done yet.
    pub async fn poll(&self, invitation: &mut Invitation) -> Result<Option<Secret>, Fault> {
        let form = [
            ("client_id", self.client_id.as_str()),
            ("grant_type", GRANT),
            ("device_code", invitation.code.reveal()),
        ];
        match self.post("token", &form).await? {
            Ok(answer) => Ok(Some(Secret::new(read::<Granted>(answer)?.access_token))),
            Err(refusal) if refusal.error == "authorization_pending" => Ok(None),
            Err(refusal) if refusal.error == "slow_down" => {
                invitation.interval += INTERVAL;
                Ok(None)
            }
            Err(refusal) => Err(refusal.into_fault()),
        }
    }

    async fn post(
        &self,
        endpoint: &str,
        form: &[(&str, &str)],
    ) -> Result<Result<Value, Refusal>, Fault> {
        let mut url = self.authority.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["oauth2", "v2.0", endpoint]);
        }
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let unreachable = |problem: reqwest::Error| Fault::Unreachable {
            service: ENTRA,
            problem: problem.without_url().to_string(),
        };
        let request = self
            .http
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let answer = request.send().await.map_err(unreachable)?;
        let success = answer.status().is_success();
        let body = answer.bytes().await.map_err(unreachable)?;
        let body: Value = serde_json::from_slice(&body).map_err(|_| unreadable())?;
        Ok(if success { Ok(body) } else { Err(Refusal::read(&body)) })
    }
}

/// An OAuth error (RFC 6749 section 5.2).
struct Refusal {
    error: String,
    description: String,
}

impl Refusal {
    fn read(body: &Value) -> Self {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Self { error: text("error"), description: text("error_description") }
    }

    fn into_fault(self) -> Fault {
        Fault::Refused { service: ENTRA, code: self.error, message: self.description }
    }
}

fn read<T: for<'a> Deserialize<'a>>(answer: Value) -> Result<T, Fault> {
    serde_json::from_value(answer).map_err(|_| unreadable())
}

/// The text is not shown: there may be a token in it.
fn unreadable() -> Fault {
    Fault::Unreachable { service: ENTRA, problem: "the answer cannot be read".to_owned() }
}
