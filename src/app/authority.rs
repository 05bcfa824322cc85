//! The roots of issuers, and who trusts them.

use super::trust::Report;
use super::view::Kind;
use super::{App, Error, Home, Result, wire};
use crate::core::certificate::Pair;
use crate::ports::ObjectKey;

impl App {
    /// The chain of an issuer as PEM; of the only one where none is named.
    pub async fn root(&self, issuer: Option<&str>) -> Result<String> {
        let home = self.home().await?;
        let (_, pair) = self.root_pair(&home, issuer).await?;
        Ok(pair.chain_pem)
    }

    /// The key pair of an issuer.
    pub(super) async fn root_pair(
        &self,
        home: &Home,
        issuer: Option<&str>,
    ) -> Result<(ObjectKey, Pair)> {
        let key = issuer_key(home, issuer).await?;
        let pair = home.secrets.pair(&key).await?.ok_or_else(|| Error::NoRoot(key.clone()))?;
        Ok((key, pair))
    }

    /// Makes this machine's and this user's stores trust an issuer's root, or not any more.
    pub async fn trust(&self, issuer: Option<&str>, wanted: bool) -> Result<Report> {
        let home = self.home().await?;
        let (key, pair) = self.root_pair(&home, issuer).await?;
        wire::trust(pair.chain_pem, key.name, wanted).await
    }
}

pub(super) async fn issuer_key(home: &Home, name: Option<&str>) -> Result<ObjectKey> {
    if let Some(name) = name {
        return Ok(ObjectKey::new(Kind::Issuer.as_str(), name));
    }
    let mut keys: Vec<_> = home.ledger.entries().await?.into_iter().map(|e| e.key).collect();
    keys.retain(|key| key.kind == Kind::Issuer.as_str());
    match keys.as_slice() {
        [] => Err(Error::NoIssuer),
        [key] => Ok(key.clone()),
        several => Err(Error::WhichIssuer(several.iter().map(|key| key.name.clone()).collect())),
    }
}
