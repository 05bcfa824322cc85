//! Consent, as a sign-in asks and gives it. It shows to sign-ins at once.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::application::Application;
use super::grants::{ConsentType, Grant};
use super::{Caller, Directory};

impl Directory {
    /// The resource of this name: an `appId` or an identifier URI. It must be in the tenant, which is
    /// to have a service principal.
    pub fn resource_named(&self, name: &str) -> Option<Application> {
        let mut latest = self.applications.latest().filter(|known| known.deleted.is_none());
        let found = latest.find(|known| {
            super::is_id(name, known.app_id)
                || known.properties.identifier_uris.iter().any(|uri| uri == name)
        });
        let app_id = found.map(|found| found.app_id).or_else(|| name.parse().ok())?;
        self.service_principal(&app_id.to_string())?;
        self.resource(app_id)
    }

    /// The scopes of `resource` that `client` has without asking `user`: pre-authorised, consented to
    /// by the user, or by an administrator for all. Both are named by `appId`.
    pub fn consents(&self, client: Uuid, resource: Uuid, user: Uuid) -> BTreeSet<String> {
        let mut scopes = self.pre_authorized(client, resource);
        let id = |app_id: Uuid| self.service_principal(&app_id.to_string()).map(|found| found.id);
        let (Some(client), Some(resource)) = (id(client), id(resource)) else { return scopes };
        let grants = self.grants.latest().filter(|grant| {
            grant.client_id == client
                && grant.resource_id == resource
                && grant.principal_id.is_none_or(|principal| principal == user)
        });
        scopes.extend(grants.flat_map(|grant| grant.scope.split_whitespace().map(str::to_owned)));
        scopes
    }

    /// Notes that `user`, or an administrator for all, lets `client` have `scopes` of `resource`; adds
    /// to what it has. Service principals that are missing are made, as a first consent does
    /// (learn.microsoft.com/entra/identity-platform/app-objects-and-service-principals).
    pub fn grant_consent(
        &mut self,
        now: DateTime<Utc>,
        client: Uuid,
        resource: Uuid,
        user: Option<Uuid>,
        scopes: &[String],
    ) {
        let consent_type =
            if user.is_some() { ConsentType::Principal } else { ConsentType::AllPrincipals };
        let mut grant = Grant {
            client_id: self.ensure_principal(now, client),
            consent_type,
            principal_id: user,
            resource_id: self.ensure_principal(now, resource),
            scope: String::new(),
        };
        let id = grant.id();
        let before = self.grants.last(&id).map(|before| before.scope.clone()).unwrap_or_default();
        let mut all: Vec<&str> = before.split_whitespace().collect();
        for scope in scopes {
            if !all.contains(&scope.as_str()) {
                all.push(scope);
            }
        }
        grant.scope = all.join(" ");
        let shows = self.shows(now);
        self.grants.put(now, shows, &id, grant);
    }

    fn pre_authorized(&self, client: Uuid, resource: Uuid) -> BTreeSet<String> {
        let Some(resource) = self.application_by_app_id(&resource.to_string()) else {
            return BTreeSet::new();
        };
        let api = &resource.properties.api;
        let clients = api.pre_authorized_applications.iter().filter(|of| of.app_id == client);
        let ids: BTreeSet<Uuid> =
            clients.flat_map(|client| client.delegated_permission_ids.iter().copied()).collect();
        let scopes = resource.enabled_scopes().filter(|scope| ids.contains(&scope.id));
        scopes.filter_map(|scope| scope.value.clone()).collect()
    }

    fn ensure_principal(&mut self, now: DateTime<Utc>, app_id: Uuid) -> Uuid {
        if let Some(found) = self.service_principal(&app_id.to_string()) {
            return found.id;
        }
        let new = self.new_service_principal(now, app_id, Caller::Owner);
        let (id, shows) = (new.id, self.shows(now));
        self.service_principals.put(now, shows, &id.to_string(), new);
        id
    }
}
