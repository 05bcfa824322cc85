//! The subscription, its regions and its resource providers.

use serde_json::{Value, json};

use super::{Azure, Error, IDENTITY_NAMESPACE, NAMESPACE, Reply, STORAGE_NAMESPACE, normalise};

impl Azure {
    /// The subscription's own resource.
    pub fn subscription(&self) -> Value {
        let id = &self.settings.subscription;
        json!({
            "id": format!("/subscriptions/{id}"),
            "subscriptionId": id,
            "tenantId": self.settings.tenant,
            "displayName": "Local Azure",
            "state": "Enabled",
            "authorizationSource": "RoleBased",
            "subscriptionPolicies": {"spendingLimit": "Off"},
        })
    }

    /// The regions that this subscription has.
    pub fn locations(&self) -> Value {
        let regions = normalise::REGIONS.iter().map(|(name, display)| {
            json!({
                "id": format!("/subscriptions/{}/locations/{name}", self.settings.subscription),
                "name": name,
                "type": "Region",
                "displayName": display,
                "regionalDisplayName": display,
                "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
            })
        });
        json!({"value": regions.collect::<Vec<_>>()})
    }

    /// GET of a resource provider.
    pub fn provider(&self, namespace: &str) -> Reply {
        let state = if self.is_registered(namespace) { "Registered" } else { "NotRegistered" };
        let displays: Vec<_> = normalise::REGIONS.iter().map(|(_, display)| *display).collect();
        let types = if namespace.eq_ignore_ascii_case(NAMESPACE) {
            json!([{"resourceType": "containerGroups", "locations": displays,
                "apiVersions": ["2025-09-01", "2024-05-01-preview", "2023-05-01"]}])
        } else if namespace.eq_ignore_ascii_case(STORAGE_NAMESPACE) {
            json!([{"resourceType": "storageAccounts", "locations": displays,
                "apiVersions": ["2025-06-01", "2024-01-01", "2023-05-01"]}])
        } else if namespace.eq_ignore_ascii_case(IDENTITY_NAMESPACE) {
            json!([{"resourceType": "userAssignedIdentities", "locations": displays,
                "apiVersions": ["2024-11-30", "2023-01-31"]}])
        } else {
            json!([])
        };
        let body = json!({
            "id": format!("/subscriptions/{}/providers/{namespace}", self.settings.subscription),
            "namespace": namespace,
            "registrationPolicy": "RegistrationRequired",
            "registrationState": state,
            "resourceTypes": types,
        });
        Reply::new(200, body)
    }

    /// POST `register` or `unregister`.
    pub fn register(&mut self, namespace: &str, registered: bool) -> Reply {
        let key = namespace.to_ascii_lowercase();
        if registered {
            self.providers.insert(key);
        } else {
            self.providers.remove(&key);
        }
        self.provider(namespace)
    }

    pub(super) fn check_registered(&self, namespace: &str) -> Result<(), Error> {
        if self.is_registered(namespace) { Ok(()) } else { Err(Error::not_registered(namespace)) }
    }

    fn is_registered(&self, namespace: &str) -> bool {
        self.providers.contains(&namespace.to_ascii_lowercase())
    }
}
