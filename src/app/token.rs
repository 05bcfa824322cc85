//! Access tokens for a protected API, and its Swagger page.

use std::time::Duration;

use serde_json::Value;

use super::view::{Item, Kind};
use super::{App, CloudName, Error, Result, wire};
use crate::core::{Fault, Secret};
use crate::ports::ObjectKey;

/// For how long a person may take to sign in: as long as Entra's code lasts.
const PATIENCE: Duration = Duration::from_mins(15);

impl App {
    /// An access token for the API of an app registration, as its Swagger page would get one. Where a
    /// person must do something for it, `ask` is told what.
    ///
    /// # Errors
    /// The registration has no Swagger application yet, or the person is refused.
    pub async fn token(
        &self,
        registration: &str,
        user: Option<&str>,
        ask: impl Fn(&str),
    ) -> Result<Secret> {
        let home = self.home().await?;
        let key = ObjectKey::new(Kind::AppRegistration.as_str(), registration);
        let item = self.item(&home, &key).await?;
        let field = |name: &'static str| {
            let text = item.status[name].as_str().map(str::to_owned);
            text.ok_or_else(|| Error::NotPublished { key: key.clone(), field: name })
        };
        let scope = field("scope")?;
        let (authority, client) = (field("authority")?, field("swaggerAppId")?);
        let entra = wire::device_code(self, &home, &authority, &client).await?;
        let mut invitation = entra.begin(&scope, user).await?;
        let signed_in = async {
            loop {
                match entra.poll(&mut invitation).await {
                    Ok(Some(token)) => return Ok(token),
                    // The code outlasts a network that does not (RFC 8628 section 3.5).
                    Ok(None) | Err(Fault::Unreachable { .. }) => {}
                    Err(refused) => return Err(refused.into()),
                }
                ask(&invitation.message);
                tokio::time::sleep(invitation.interval).await;
            }
        };
        let ended = tokio::time::timeout(PATIENCE, signed_in).await;
        ended.unwrap_or(Err(Error::NotSignedIn))
    }

    /// Where the Swagger page of a container group is: at its name, or on local Azure, whose names
    /// nobody resolves, at its address.
    ///
    /// # Errors
    /// The group serves under no public origin yet.
    pub async fn swagger(&self, group: &str) -> Result<String> {
        let home = self.home().await?;
        let key = ObjectKey::new(Kind::ContainerGroup.as_str(), group);
        let item = self.item(&home, &key).await?;
        let local = self.cloud_of(&home).await? == CloudName::Local;
        let origin = origin(&item, local);
        let origin = origin.ok_or(Error::NotPublished { key, field: "origins" })?;
        Ok(format!("{origin}/docs"))
    }
}

fn origin(item: &Item, local: bool) -> Option<String> {
    let host = if local { &item.status["ip"] } else { &item.status["fqdn"] };
    let preferred = host.as_str().map(|host| format!("https://{host}"));
    let origins =
        || item.status["origins"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let found = origins().find(|origin| preferred.as_deref() == Some(*origin));
    found.or_else(|| origins().next()).map(str::to_owned)
}
