//! What each application should be: what is wanted, what is there and what others added, put together.

use std::collections::{BTreeMap, BTreeSet};

use super::foreign::SWAGGER_PATH;
use super::{
    AppRole, Application, Desired, Properties, RequiredAccess, RoleWanted, Scope, ScopeWanted,
    Which, derived_id, owner_of, owner_tag,
};

/// One application's view of the world, from which follows what it should be.
pub(super) struct Context<'a> {
    pub(super) desired: &'a Desired,
    pub(super) owner: &'a str,
    /// Origins that should be redirect URIs now.
    pub(super) origins: &'a BTreeSet<String>,
}

impl Context<'_> {
    /// Redirect URIs that an application should have.
    pub(super) fn redirect_uris(&self, which: Which) -> BTreeSet<String> {
        match (which, &self.desired.swagger) {
            (Which::Api, _) => self.desired.redirect_uris.union(self.origins).cloned().collect(),
            (Which::Swagger, None) => BTreeSet::new(),
            (Which::Swagger, Some(swagger)) => {
                let origins = self.origins.iter().map(|origin| format!("{origin}{SWAGGER_PATH}"));
                swagger.redirect_uris.iter().cloned().chain(origins).collect()
            }
        }
    }

    /// The API's application as it should be, given what it is and what Graph shows of it. `client` is
    /// Swagger's, where it may be named already; `clients` are all that are or were Swagger's.
    pub(super) fn api(
        &self,
        have: &Application,
        shown: &Properties,
        placed: &BTreeSet<String>,
        clients: &BTreeSet<&str>,
        client: Option<&str>,
    ) -> Properties {
        let now = &have.properties;
        let mut uris = now.identifier_uris.clone().unwrap_or_default();
        if !have.app_id.is_empty() {
            uris.insert(format!("api://{}", have.app_id));
        }
        Properties {
            display_name: Some(self.desired.display_name.clone()),
            token_version: Some(2),
            identifier_uris: Some(uris),
            web_redirect_uris: Some(self.uris(Which::Api, now.web_redirect_uris.as_ref(), placed)),
            app_roles: Some(self.roles(now.app_roles.as_ref(), shown.app_roles.as_ref())),
            pre_authorized: Some(self.pre_authorized(now, shown, clients, client)),
            scopes: Some(self.scopes(now.scopes.as_ref(), shown.scopes.as_ref())),
            ..self.both(now)
        }
    }

    /// Clients that need no consent: those of others, and Swagger's. Only scopes that Graph shows are
    /// given: it refuses those that its replicas do not know.
    fn pre_authorized(
        &self,
        now: &Properties,
        shown: &Properties,
        clients: &BTreeSet<&str>,
        client: Option<&str>,
    ) -> BTreeMap<String, BTreeSet<String>> {
        let none = BTreeMap::new();
        let scopes = now.scopes.as_ref().unwrap_or(&none);
        let is_wanted = |scope: &Scope| self.wanted_scope(&scope.value).is_some();
        let leaves = |id: &String| {
            let ours = |s: &Scope| self.is_ours(SCOPE, id, Some(&s.value)) && !is_wanted(s);
            scopes.get(id).is_none_or(ours)
        };
        let mut all = now.pre_authorized.clone().unwrap_or_default();
        all.retain(|app_id, _| !clients.contains(app_id.as_str()));
        for permissions in all.values_mut() {
            permissions.retain(|id| !leaves(id));
        }
        let known = |id: &String| shown.scopes.as_ref().is_some_and(|all| all.contains_key(id));
        let wanted = scopes.iter().filter(|(id, scope)| known(id) && is_wanted(scope));
        let wanted: BTreeSet<String> = wanted.map(|(id, _)| id.clone()).collect();
        all.extend(client.filter(|_| !wanted.is_empty()).map(|client| (client.to_owned(), wanted)));
        all
    }

    /// Swagger's application as it should be, given what it and the API's are.
    pub(super) fn swagger(
        &self,
        have: &Properties,
        api: Option<&Application>,
        placed: &BTreeSet<String>,
    ) -> Properties {
        let mut required = have.required_access.clone().unwrap_or_default();
        if let Some(api) = api {
            let scopes = api.properties.scopes.iter().flatten();
            let access: RequiredAccess = scopes
                .filter(|(_, scope)| self.wanted_scope(&scope.value).is_some())
                .map(|(id, _)| (id.clone(), "Scope".to_owned()))
                .collect();
            required.insert(api.app_id.clone(), access);
        }
        let uris = self.uris(Which::Swagger, have.spa_redirect_uris.as_ref(), placed);
        Properties {
            display_name: Some(format!("{} - OpenAPI", self.desired.display_name)),
            spa_redirect_uris: Some(uris),
            fallback_public_client: self
                .desired
                .swagger
                .as_ref()
                .map(|swagger| swagger.device_code),
            required_access: Some(required),
            ..self.both(have)
        }
    }

    /// What both have in common: one tenant, and the owner's mark among the tags of others.
    fn both(&self, have: &Properties) -> Properties {
        let mut tags = have.tags.clone().unwrap_or_default();
        while let Some(owner) = owner_of(&tags).map(owner_tag) {
            tags.remove(&owner);
        }
        tags.insert(owner_tag(self.owner));
        Properties {
            sign_in_audience: Some("AzureADMyOrg".to_owned()),
            tags: Some(tags),
            ..Properties::default()
        }
    }

    /// Those that are wanted, and those that somebody else added: all that we did not place.
    fn uris(
        &self,
        which: Which,
        have: Option<&BTreeSet<String>>,
        placed: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        let foreign = have.into_iter().flatten().filter(|uri| !placed.contains(*uri));
        self.redirect_uris(which).into_iter().chain(foreign.cloned()).collect()
    }

    pub(super) fn wanted_scope(&self, value: &str) -> Option<&ScopeWanted> {
        self.desired.scopes.iter().find(|wanted| wanted.value == value)
    }

    pub(super) fn wanted_role(&self, value: Option<&str>) -> Option<&RoleWanted> {
        self.desired.roles.iter().find(|wanted| Some(wanted.value.as_str()) == value)
    }

    /// Whether we gave a scope or role its id.
    pub(super) fn is_ours(&self, kind: &str, id: &str, value: Option<&str>) -> bool {
        value.is_some_and(|value| id == derived_id(self.owner, kind, value))
    }

    /// A scope keeps its id for life. One of ours that is not wanted any more is disabled before it
    /// is removed: Graph refuses to remove one that is enabled.
    fn scopes(
        &self,
        have: Option<&BTreeMap<String, Scope>>,
        shown: Option<&BTreeMap<String, Scope>>,
    ) -> BTreeMap<String, Scope> {
        let enabled = |id| shown.and_then(|all| all.get(id)).is_some_and(|scope| scope.is_enabled);
        let mut scopes = BTreeMap::new();
        for (id, scope) in have.into_iter().flatten() {
            let ours = self.is_ours(SCOPE, id, Some(&scope.value));
            match self.wanted_scope(&scope.value) {
                Some(wanted) => drop(scopes.insert(id.clone(), wanted.scope())),
                None if !ours => drop(scopes.insert(id.clone(), scope.clone())),
                None if scope.is_enabled || enabled(id) => {
                    scopes.insert(id.clone(), Scope { is_enabled: false, ..scope.clone() });
                }
                None => {}
            }
        }
        for wanted in &self.desired.scopes {
            if !scopes.values().any(|scope| scope.value == wanted.value) {
                scopes.insert(derived_id(self.owner, SCOPE, &wanted.value), wanted.scope());
            }
        }
        scopes
    }

    /// Roles, like scopes.
    fn roles(
        &self,
        have: Option<&BTreeMap<String, AppRole>>,
        shown: Option<&BTreeMap<String, AppRole>>,
    ) -> BTreeMap<String, AppRole> {
        let enabled = |id| shown.and_then(|all| all.get(id)).is_some_and(|role| role.is_enabled);
        let mut roles = BTreeMap::new();
        for (id, role) in have.into_iter().flatten() {
            let ours = self.is_ours(ROLE, id, role.value.as_deref());
            match self.wanted_role(role.value.as_deref()) {
                Some(wanted) => drop(roles.insert(id.clone(), wanted.role())),
                None if !ours => drop(roles.insert(id.clone(), role.clone())),
                None if role.is_enabled || enabled(id) => {
                    roles.insert(id.clone(), AppRole { is_enabled: false, ..role.clone() });
                }
                None => {}
            }
        }
        for wanted in &self.desired.roles {
            if !roles.values().any(|role| role.value.as_ref() == Some(&wanted.value)) {
                roles.insert(derived_id(self.owner, ROLE, &wanted.value), wanted.role());
            }
        }
        roles
    }
}

/// What an id is derived for.
pub(super) const SCOPE: &str = "scope";
pub(super) const ROLE: &str = "role";

impl ScopeWanted {
    fn scope(&self) -> Scope {
        Scope {
            value: self.value.clone(),
            kind: self.kind.clone(),
            is_enabled: true,
            admin_consent_display_name: Some(self.admin.0.clone()),
            admin_consent_description: Some(self.admin.1.clone()),
            user_consent_display_name: Some(self.user.0.clone()),
            user_consent_description: Some(self.user.1.clone()),
        }
    }
}

impl RoleWanted {
    fn role(&self) -> AppRole {
        AppRole {
            value: Some(self.value.clone()),
            display_name: self.display_name.clone(),
            description: self.description.clone(),
            allowed_member_types: self.members.clone(),
            is_enabled: true,
        }
    }
}
