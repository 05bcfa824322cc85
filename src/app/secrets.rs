//! Secret values that manifests name.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{App, Home, Result};
use crate::core::Secret;

impl App {
    /// Stores one value, and asks for a look at the objects that name the secret.
    pub async fn set_secret(&self, name: &str, key: &str, value: &Secret) -> Result<()> {
        let home = self.home().await?;
        home.secrets.set_secret(name, key, value).await?;
        self.wake_users(&home, name).await
    }

    async fn wake_users(&self, home: &Home, secret: &str) -> Result<()> {
        for entry in home.ledger.entries().await? {
            if names(&entry.manifest["spec"], secret) {
                let mut requests = home.requests.requests(&entry.key).await?;
                requests.reconcile = Some(self.now());
                home.requests.set_requests(&entry.key, &requests).await?;
            }
        }
        Ok(())
    }

    /// Deletes one key of a secret, or all of it, and asks for a look at the objects that name it; says
    /// whether there was one.
    pub async fn delete_secret(&self, name: &str, key: Option<&str>) -> Result<bool> {
        let home = self.home().await?;
        let there = home.secrets.delete_secret(name, key).await?;
        self.wake_users(&home, name).await?;
        Ok(there)
    }

    /// Names and keys; never values.
    pub async fn secret_names(&self) -> Result<BTreeMap<String, Vec<String>>> {
        Ok(self.home().await?.secrets.secret_names().await?)
    }
}

/// Whether a manifest names a secret, in `secret: {name: …}` or `secretRef: {name: …}`.
fn names(tree: &Value, secret: &str) -> bool {
    match tree {
        Value::Object(fields) => fields.iter().any(|(field, value)| {
            matches!(field.as_str(), "secret" | "secretRef") && value["name"] == secret
                || names(value, secret)
        }),
        Value::Array(items) => items.iter().any(|item| names(item, secret)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn manifests_name_secrets_at_any_depth() {
        let issuer = json!({"provided": {"secretRef": {"name": "mine"}}});
        let reference = json!({"secret": {"name": "db", "key": "k"}});
        let group = json!({
            "containers": [{"environmentVariables": [{"name": "A", "secureValueFrom": reference}]}],
            "volumes": [{"name": "mine", "secret": {"name": reference}}],
        });
        assert!(names(&issuer, "mine") && !names(&issuer, "db"));
        assert!(names(&group, "db") && !names(&group, "mine"));
    }
}
