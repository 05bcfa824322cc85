//! Secret values that manifests name.

use std::collections::BTreeMap;

use super::{App, Result};
use crate::core::Secret;

impl App {
    /// Stores one value.
    pub async fn set_secret(&self, name: &str, key: &str, value: &Secret) -> Result<()> {
        Ok(self.home().await?.secrets.set_secret(name, key, value).await?)
    }

    /// Deletes one key of a secret, or all of it; says whether there was one.
    pub async fn delete_secret(&self, name: &str, key: Option<&str>) -> Result<bool> {
        Ok(self.home().await?.secrets.delete_secret(name, key).await?)
    }

    /// Names and keys; never values.
    pub async fn secret_names(&self) -> Result<BTreeMap<String, Vec<String>>> {
        Ok(self.home().await?.secrets.secret_names().await?)
    }
}
