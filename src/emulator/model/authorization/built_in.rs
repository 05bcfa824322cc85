//! Azure's own roles, those that this product and its tests name.
//!
//! Source: learn.microsoft.com/azure/role-based-access-control/built-in-roles.

use chrono::DateTime;
use uuid::Uuid;

use super::role::{Permission, Role};

/// Everything.
pub(super) const OWNER: Uuid = Uuid::from_u128(0x8e3af657_a8ff_443c_a75c_2fe8c4bcb635);

/// One role as the page lists it.
struct Row {
    id: u128,
    name: &'static str,
    description: &'static str,
    actions: &'static [&'static str],
    not_actions: &'static [&'static str],
    data_actions: &'static [&'static str],
}

const DELEGATE: &str =
    "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action";

const ROWS: [Row; 9] = [
    Row {
        id: OWNER.as_u128(),
        name: "Owner",
        description: "Everything, access for others too.",
        actions: &["*"],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: 0xb24988ac_6180_42a0_ab88_20f7382dd24c,
        name: "Contributor",
        description: "Everything but access for others.",
        actions: &["*"],
        not_actions: &[
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write",
            "Microsoft.Purview/consents/delete",
        ],
        data_actions: &[],
    },
    Row {
        id: 0xacdd72a7_3385_48ef_bd42_f606fba81ae7,
        name: "Reader",
        description: "Sees everything, changes nothing.",
        actions: &["*/read"],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: 0x18d7d88d_d35e_4fb5_a5c3_7773c20a72d9,
        name: "User Access Administrator",
        description: "Access for others.",
        actions: &["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: 0xf1a07417_d97a_45cb_824c_7a7467783830,
        name: "Managed Identity Operator",
        description: "Reads and assigns user-assigned identities.",
        actions: &[
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
            "Microsoft.Authorization/*/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Support/*",
        ],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: 0xe40ec5ca_96e0_45a2_b4ff_59039f2c2b59,
        name: "Managed Identity Contributor",
        description: "Makes, reads, changes and deletes user-assigned identities.",
        actions: &[
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/delete",
            "Microsoft.Authorization/*/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Support/*",
        ],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: 0xb7e6dc6d_f1e8_4753_8033_0f276bb0955b,
        name: "Storage Blob Data Owner",
        description: "Everything in containers and blobs.",
        actions: &["Microsoft.Storage/storageAccounts/blobServices/containers/*", DELEGATE],
        not_actions: &[],
        data_actions: &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"],
    },
    Row {
        id: 0xba92f5b4_2d11_453d_a403_e96b0029c9fe,
        name: "Storage Blob Data Contributor",
        description: "Reads, writes and deletes containers and blobs.",
        actions: &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/delete",
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/write",
            DELEGATE,
        ],
        not_actions: &[],
        data_actions: &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/move/action",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action",
        ],
    },
    Row {
        id: 0x2a2b9908_6ea1_4ae2_8e65_a410df84e7d1,
        name: "Storage Blob Data Reader",
        description: "Reads containers and blobs.",
        actions: &["Microsoft.Storage/storageAccounts/blobServices/containers/read", DELEGATE],
        not_actions: &[],
        data_actions: &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"],
    },
];

/// The built-in role with this id.
pub(super) fn role(id: Uuid) -> Option<Role> {
    ROWS.iter().find(|row| row.id == id.as_u128()).map(read)
}

/// All of them.
pub(super) fn roles() -> impl Iterator<Item = Role> {
    ROWS.iter().map(read)
}

fn read(row: &Row) -> Role {
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Role {
        id: Uuid::from_u128(row.id),
        name: row.name.to_owned(),
        description: row.description.to_owned(),
        custom: false,
        permissions: vec![Permission {
            actions: list(row.actions),
            not_actions: list(row.not_actions),
            data_actions: list(row.data_actions),
            not_data_actions: Vec::new(),
        }],
        assignable_scopes: vec!["/".to_owned()],
        created: DateTime::UNIX_EPOCH,
        updated: DateTime::UNIX_EPOCH,
        created_by: None,
        updated_by: None,
    }
}
