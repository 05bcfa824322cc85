//! What every tenant of local Azure has: Microsoft Graph, the client of `local env`, the managed
//! identity.

use std::collections::BTreeSet;

use chrono::DateTime;
use uuid::Uuid;

use super::application::{
    AppRole, Application, ApplicationProperties, MemberType, Scope, ScopeType,
};
use super::assignments::Assignment;
use super::service_principal::{
    ServicePrincipal, ServicePrincipalProperties, ServicePrincipalType,
};
use super::{Directory, derived};

/// Microsoft Graph's `appId`: learn.microsoft.com/troubleshoot/entra/entra-id/governance/
/// verify-first-party-apps-sign-in.
pub const GRAPH_APP_ID: Uuid = Uuid::from_u128(0x0000_0003_0000_0000_c000_0000_0000_0000);

/// App roles of Microsoft Graph: learn.microsoft.com/graph/permissions-reference.
pub mod app_roles {
    use uuid::Uuid;

    /// Read and write every application.
    pub const APPLICATION_READ_WRITE_ALL: Uuid =
        Uuid::from_u128(0x1bfefb4e_e0b5_418b_a88f_73c46d2cc8e9);
    /// Read every application, write those that the caller owns.
    pub const APPLICATION_READ_WRITE_OWNED_BY: Uuid =
        Uuid::from_u128(0x18a4783c_866b_4cc7_a460_3d5e5662c884);
    /// Assign app roles.
    pub const APP_ROLE_ASSIGNMENT_READ_WRITE_ALL: Uuid =
        Uuid::from_u128(0x06b708a9_e830_4db3_a914_8e69da51d44f);
    /// Consent for others.
    pub const DELEGATED_PERMISSION_GRANT_READ_WRITE_ALL: Uuid =
        Uuid::from_u128(0x8e8e4742_1d95_4f68_9d56_6ee75648c72a);
}

/// What the roles of Graph that local Azure knows are called.
const ROLES: [(Uuid, &str); 4] = [
    (app_roles::APPLICATION_READ_WRITE_ALL, "Application.ReadWrite.All"),
    (app_roles::APPLICATION_READ_WRITE_OWNED_BY, "Application.ReadWrite.OwnedBy"),
    (app_roles::APP_ROLE_ASSIGNMENT_READ_WRITE_ALL, "AppRoleAssignment.ReadWrite.All"),
    (
        app_roles::DELEGATED_PERMISSION_GRANT_READ_WRITE_ALL,
        "DelegatedPermissionGrant.ReadWrite.All",
    ),
];

/// Delegated permissions of Graph that a sign-in asks for.
const SCOPES: [(u128, &str); 5] = [
    (0xe1fe6dd8_ba31_4d61_89e7_88639da4683d, "User.Read"),
    (0x37f7f235_527c_4136_accd_4a02d197296e, "openid"),
    (0x14dad69e_099b_42c9_810b_d002981feec1, "profile"),
    (0x64a6cdd6_aab1_4aaf_94b8_3cc8405e90d0, "email"),
    (0x7427e0e9_2fba_42fe_b0c0_848c9e6a8182, "offline_access"),
];

/// Microsoft Graph's application, which lives in Microsoft's tenant: no `/applications` has it.
pub(super) fn graph() -> Application {
    let mut properties =
        ApplicationProperties { display_name: "Microsoft Graph".to_owned(), ..Default::default() };
    properties.identifier_uris = vec!["https://graph.microsoft.com".to_owned()];
    properties.app_roles = ROLES.map(|(id, value)| role(id, value)).into();
    properties.api.oauth2_permission_scopes =
        SCOPES.map(|(id, value)| scope(Uuid::from_u128(id), value)).into();
    application(GRAPH_APP_ID, GRAPH_APP_ID, properties)
}

impl Directory {
    /// Puts in what is there from the start; it shows at once.
    pub(super) fn furnish(&mut self) {
        let client = self.settings.client;
        let name = |name: &str| ApplicationProperties {
            display_name: name.to_owned(),
            ..Default::default()
        };
        let own = application(self.known("client-application"), client, name("local-env"));
        let start = DateTime::UNIX_EPOCH;
        self.applications.put(start, start, &own.id.to_string(), own);
        let graph =
            self.furnish_principal("graph", GRAPH_APP_ID, ServicePrincipalType::Application);
        let client = self.furnish_principal("client", client, ServicePrincipalType::Application);
        let identity = self.settings.managed_identity;
        self.furnish_principal("identity", identity, ServicePrincipalType::ManagedIdentity);
        for (role, value) in ROLES {
            if value != "Application.ReadWrite.OwnedBy" {
                let assignment = Assignment::to_application(client, role, graph);
                self.assignments.put(start, start, &assignment.id.clone(), assignment);
            }
        }
    }

    fn furnish_principal(&mut self, name: &str, app_id: Uuid, kind: ServicePrincipalType) -> Uuid {
        let id = self.known(name);
        let display_name = (kind == ServicePrincipalType::ManagedIdentity).then(|| name.to_owned());
        let principal = ServicePrincipal {
            id,
            app_id,
            kind,
            created: None,
            deleted: None,
            properties: ServicePrincipalProperties { display_name, ..Default::default() },
            owners: BTreeSet::new(),
        };
        let start = DateTime::UNIX_EPOCH;
        self.service_principals.put(start, start, &id.to_string(), principal);
        id
    }

    fn known(&self, name: &str) -> Uuid {
        derived(&self.settings.seed, name)
    }
}

fn application(id: Uuid, app_id: Uuid, properties: ApplicationProperties) -> Application {
    Application {
        id,
        app_id,
        unique_name: None,
        created: None,
        deleted: None,
        properties,
        passwords: Vec::new(),
        federated_credentials: Vec::new(),
        owners: BTreeSet::new(),
    }
}

fn role(id: Uuid, value: &str) -> AppRole {
    AppRole {
        id,
        value: Some(value.to_owned()),
        display_name: value.to_owned(),
        description: Some(value.to_owned()),
        is_enabled: true,
        allowed_member_types: vec![MemberType::Application],
        origin: None,
    }
}

fn scope(id: Uuid, value: &str) -> Scope {
    Scope {
        id,
        value: Some(value.to_owned()),
        is_enabled: true,
        kind: ScopeType::User,
        admin_consent_display_name: Some(value.to_owned()),
        admin_consent_description: Some(value.to_owned()),
        user_consent_display_name: Some(value.to_owned()),
        user_consent_description: Some(value.to_owned()),
    }
}
