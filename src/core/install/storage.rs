//! The operator's home in Azure Storage: an account of its own, two containers, what is kept how long.
//!
//! Who may read status may not read keys: those are in a container of their own. There are no account
//! keys that would open both. Versions of blobs belong to the whole account, so the rules say what is
//! kept of them: manifests for a while, all else, keys first, for a day.
//!
//! Sources: <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/create>,
//! <https://learn.microsoft.com/azure/storage/blobs/lifecycle-management-policy-structure>.

use serde_json::{Value, json};

use super::{Resource, Sort, Wanted};

const API: &str = "2023-05-01";

/// The container with manifests, status and ledger.
pub(super) const HOME: &str = "home";
/// The container with keys and secrets: the home's name and a suffix that the store adds.
pub(super) const SECRETS: &str = "home-secrets";
/// Days for which an older version of a manifest is kept.
const MANIFEST_DAYS: u32 = 90;
/// Days for which an older version of anything else is kept: the least that a rule knows.
const OTHER_DAYS: u32 = 1;
/// What is below the home's container, beside manifests.
const OTHER_BLOBS: [&str; 9] =
    ["events", "heartbeat", "home", "ledger", "lease", "memory", "problems", "requests", "status"];

/// The home's address at the account's blob endpoint.
pub fn home_url(blob: &str) -> String {
    format!("{}/{HOME}", blob.trim_end_matches('/'))
}

/// The id of a blob container.
pub(super) fn container_id(wanted: &Wanted, container: &str) -> String {
    format!("{}/blobServices/default/containers/{container}", wanted.account_id())
}

pub(super) fn resources(wanted: &Wanted) -> Vec<Resource> {
    let id = wanted.account_id();
    let resource = |sort: Sort, id: String, body: Value, purpose: &str| Resource {
        sort,
        id,
        api_version: API,
        body,
        purpose: purpose.to_owned(),
        waiting: false,
    };
    let setting = Sort::AccountSetting;
    let container = |name: &str, purpose: &str| {
        let body = json!({"properties": {"publicAccess": "None"}});
        resource(Sort::BlobContainer, container_id(wanted, name), body, purpose)
    };
    vec![
        resource(
            Sort::Account,
            id.clone(),
            account(wanted),
            "the operator's home: TLS 1.2, no public blobs, no account keys",
        ),
        resource(
            setting,
            format!("{id}/blobServices/default"),
            json!({"properties": {"isVersioningEnabled": true}}),
            "versions of blobs",
        ),
        resource(
            setting,
            format!("{id}/managementPolicies/default"),
            policy(),
            "versions of manifests go after 90 days, all others after 1",
        ),
        container(HOME, "manifests, status, ledger"),
        container(SECRETS, "keys and secrets, for the operator alone"),
    ]
}

fn account(wanted: &Wanted) -> Value {
    json!({
        "location": wanted.location,
        "tags": wanted.tags(),
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "properties": {
            "accessTier": "Hot",
            "allowBlobPublicAccess": false,
            "allowCrossTenantReplication": false,
            "allowSharedKeyAccess": false,
            "defaultToOAuthAuthentication": true,
            "minimumTlsVersion": "TLS1_2",
            "supportsHttpsTrafficOnly": true,
        },
    })
}

fn policy() -> Value {
    let rule = |name: &str, prefixes: Vec<String>, days: u32| {
        json!({
            "enabled": true,
            "name": name,
            "type": "Lifecycle",
            "definition": {
                "filters": {"blobTypes": ["blockBlob"], "prefixMatch": prefixes},
                "actions": {"version": {"delete": {"daysAfterCreationGreaterThan": days}}},
            },
        })
    };
    // A rule takes ten prefixes at most.
    let mut others: Vec<_> = OTHER_BLOBS.iter().map(|name| format!("{HOME}/{name}")).collect();
    others.push(format!("{SECRETS}/"));
    json!({"properties": {"policy": {"rules": [
        rule("versions-of-manifests", vec![format!("{HOME}/manifests/")], MANIFEST_DAYS),
        rule("versions-of-the-rest", others, OTHER_DAYS),
    ]}}})
}
