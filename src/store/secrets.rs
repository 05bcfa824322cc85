//! Secret texts and key pairs.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Expected, Store, fault, names};
use crate::core::certificate::{Pair, hex};
use crate::core::{Fault, Secret};
use crate::ports::{ObjectKey, Secrets};

const SECRETS: &str = "secrets";
const DIGEST_KEY: &str = "digest-key";

fn dir(name: &str) -> String {
    format!("{SECRETS}/{}", names::escape(name))
}

fn blob(name: &str, key: &str) -> String {
    format!("{}/{}", dir(name), names::escape(key))
}

/// The blob of a key pair.
pub(super) fn pair(key: &ObjectKey) -> String {
    names::of("pairs", key)
}

/// A pair as it is kept.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    generation: i64,
    chain: String,
    key: String,
}

#[async_trait]
impl Secrets for Store {
    async fn secret(
        &self,
        _: Option<&str>,
        name: &str,
    ) -> Result<Option<BTreeMap<String, Secret>>, Fault> {
        let mut values = BTreeMap::new();
        for segment in self.blobs.list(&dir(name)).await? {
            let Some(key) = names::unescape(&segment) else { continue };
            if let Some(text) = self.text(&blob(name, &key)).await? {
                values.insert(key, text);
            }
        }
        Ok(Some(values).filter(|values| !values.is_empty()))
    }

    async fn set_secret(&self, name: &str, key: &str, value: &Secret) -> Result<(), Fault> {
        let content = value.reveal().as_bytes().to_vec();
        self.blobs.put(&blob(name, key), content, Expected::Anything).await.map(drop)
    }

    async fn delete_secret(&self, name: &str, key: Option<&str>) -> Result<bool, Fault> {
        let there = self.blobs.list(&dir(name)).await?;
        let wanted = key.map(names::escape);
        let mut any = false;
        for segment in there {
            if wanted.as_ref().is_none_or(|wanted| *wanted == segment) {
                let name = format!("{}/{segment}", dir(name));
                self.blobs.delete(&name, Expected::Anything).await?;
                any = true;
            }
        }
        Ok(any)
    }

    async fn secret_names(&self) -> Result<BTreeMap<String, Vec<String>>, Fault> {
        let mut all = BTreeMap::new();
        for segment in self.blobs.list(SECRETS).await? {
            let Some(name) = names::unescape(&segment) else { continue };
            let keys = self.blobs.list(&dir(&name)).await?;
            let keys: Vec<_> = keys.iter().filter_map(|key| names::unescape(key)).collect();
            if !keys.is_empty() {
                all.insert(name, keys);
            }
        }
        Ok(all)
    }

    async fn pair(&self, key: &ObjectKey) -> Result<Option<Pair>, Fault> {
        let kept: Option<Kept> = self.read(&pair(key)).await?;
        Ok(kept.map(|Kept { generation, chain, key }| Pair {
            chain_pem: chain,
            key_pem: Secret::new(key),
            generation,
        }))
    }

    async fn set_pair(&self, key: &ObjectKey, pair: &Pair) -> Result<(), Fault> {
        let kept = Kept {
            generation: pair.generation,
            chain: pair.chain_pem.clone(),
            key: pair.key_pem.reveal().to_owned(),
        };
        self.write(&self::pair(key), &kept).await
    }

    async fn digest_key(&self) -> Result<Secret, Fault> {
        if let Some(key) = self.text(DIGEST_KEY).await? {
            return Ok(key);
        }
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes)?;
        let content = hex(&bytes).into_bytes();
        self.blobs.put(DIGEST_KEY, content, Expected::Nothing).await?;
        // Whoever was first.
        let key = self.text(DIGEST_KEY).await?;
        key.ok_or_else(|| fault(self.blobs.place(DIGEST_KEY), &"went away"))
    }
}

impl Store {
    /// Replaces the key of the digests.
    pub(super) async fn set_digest_key(&self, key: &Secret) -> Result<(), Fault> {
        let content = key.reveal().as_bytes().to_vec();
        self.blobs.put(DIGEST_KEY, content, Expected::Anything).await.map(drop)
    }

    async fn text(&self, name: &str) -> Result<Option<Secret>, Fault> {
        let Some(found) = self.blobs.get(name).await? else { return Ok(None) };
        String::from_utf8(found.content)
            .map(|text| Some(Secret::new(text)))
            .map_err(|_| fault(self.blobs.place(name), &"is no text; it is left as it is"))
    }
}
