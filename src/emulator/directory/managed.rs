//! Service principals of managed identities: made and deleted with them, never through Graph.
//!
//! Source: learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-managed-identities-work-vm.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Directory;
use super::service_principal::{
    ServicePrincipal, ServicePrincipalProperties, ServicePrincipalType,
};
use crate::emulator::model::{FoundPrincipal, ManagedIdentity, PrincipalType};

impl Directory {
    /// Has a service principal of each of these identities, and of no other but the one that every
    /// tenant of local Azure has.
    pub fn settle_identities(&mut self, now: DateTime<Utc>, identities: &[ManagedIdentity]) {
        let shows = self.shows(now);
        let missing = identities.iter().filter(|identity| {
            self.service_principals.last(&identity.ids.principal.to_string()).is_none()
        });
        let missing: Vec<_> = missing.map(principal).collect();
        for principal in missing {
            self.service_principals.put(now, shows, &principal.id.to_string(), principal);
        }
        let known: BTreeSet<Uuid> = identities.iter().map(|one| one.ids.principal).collect();
        let of_tenant = self.settings.managed_identity;
        let latest = self.service_principals.latest();
        let gone = latest.filter(|one| {
            one.kind == ServicePrincipalType::ManagedIdentity
                && one.app_id != of_tenant
                && !known.contains(&one.id)
        });
        let gone: Vec<_> = gone.map(|one| one.id.to_string()).collect();
        for id in gone {
            self.service_principals.remove(now, shows, &id);
        }
    }

    /// The user or service principal with this object id, for who gives roles to it.
    pub fn principal_of(&self, now: DateTime<Utc>, id: Uuid) -> Option<FoundPrincipal> {
        let text = id.to_string();
        if self.known_user(&text).is_some() {
            return Some(FoundPrincipal { kind: PrincipalType::User, replicated: true });
        }
        let living = |one: &&ServicePrincipal| one.deleted.is_none();
        self.service_principals.last(&text).filter(living)?;
        let replicated = self.service_principals.get(now, &text).is_some_and(|one| living(&one));
        Some(FoundPrincipal { kind: PrincipalType::ServicePrincipal, replicated })
    }
}

fn principal(identity: &ManagedIdentity) -> ServicePrincipal {
    let explicit = if identity.user_assigned { "True" } else { "False" };
    ServicePrincipal {
        id: identity.ids.principal,
        app_id: identity.ids.client,
        kind: ServicePrincipalType::ManagedIdentity,
        created: None,
        deleted: None,
        properties: ServicePrincipalProperties {
            display_name: Some(identity.name.clone()),
            alternative_names: vec![format!("isExplicit={explicit}"), identity.resource.clone()],
            ..ServicePrincipalProperties::default()
        },
        owners: BTreeSet::new(),
    }
}
