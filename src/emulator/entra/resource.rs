//! What tokens are for: Azure Resource Manager, Microsoft Graph, Azure Storage, or an application of the directory.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::refused::{self, Refused};
use super::scope::{Asked, DEFAULT};
use crate::emulator::directory::{
    AccessType, Application, Directory, GRAPH_APP_ID, Scope, ScopeType,
};
use crate::emulator::installation::Installation;

/// Audiences that are one service, whichever is asked for (`azure-cli` and the SDKs differ).
const MANAGEMENT: [&str; 2] =
    ["https://management.core.windows.net", "https://management.azure.com"];
/// Microsoft Graph, by its public address and by its `appId`.
const GRAPH: [&str; 2] = ["https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"];

/// Azure Storage, by its public address and by its `appId`
/// (learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory).
const STORAGE: [&str; 2] = ["https://storage.azure.com", "e406a681-f3d4-42a8-90b6-c2b029497af1"];
/// Behind the name of an account: the address of its blobs, which names their tokens too.
const BLOB_SUFFIX: &str = ".blob.core.windows.net";

/// One resource that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    /// Its name as it was asked for.
    pub(super) name: String,
    /// Form of its tokens.
    pub(super) form: Form,
    /// The application that declares its scopes and roles; ARM and Storage are not in the directory.
    pub(super) application: Option<Application>,
}

/// Which form the tokens of a resource have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// ARM's, Graph's and Storage's, which their clients must not read.
    Opaque,
    /// Version 1.0.
    One,
    /// Version 2.0.
    Two,
}

pub(super) fn is_management(facts: &Installation, name: &str) -> bool {
    let bare = name.trim_end_matches('/');
    MANAGEMENT.contains(&bare) || bare == facts.arm_url()
}

pub(super) fn is_graph(facts: &Installation, name: &str) -> bool {
    let bare = name.trim_end_matches('/');
    GRAPH.contains(&bare) || bare == facts.graph_url()
}

/// Whether a token for `name` is one for `account`; without an account: for any.
pub(super) fn is_storage(name: &str, account: Option<&str>) -> bool {
    let bare = name.trim_end_matches('/');
    let host = bare.strip_prefix("https://").and_then(|host| host.strip_suffix(BLOB_SUFFIX));
    STORAGE.contains(&bare) || host.is_some_and(|named| account.is_none_or(|only| only == named))
}

impl Resource {
    /// The resource that is called `name`. ARM, Graph and Storage come first, whatever an application claims to
    /// be called.
    pub(super) fn find(
        facts: &Installation,
        directory: &Directory,
        name: &str,
    ) -> Result<Self, Refused> {
        let found = |form, application| Self { name: name.to_owned(), form, application };
        if is_management(facts, name) {
            return Ok(found(Form::Opaque, None));
        }
        if is_graph(facts, name) {
            let graph = directory.resource_named(&GRAPH_APP_ID.to_string());
            return Ok(found(Form::Opaque, graph));
        }
        if is_storage(name, None) {
            return Ok(found(Form::Opaque, None));
        }
        let application = directory
            .resource_named(name)
            .or_else(|| directory.resource_named(name.trim_end_matches('/')));
        let application =
            application.ok_or_else(|| refused::resource(name, &facts.tenant.to_string()))?;
        let two = application.properties.api.requested_access_token_version == Some(2);
        Ok(found(if two { Form::Two } else { Form::One }, Some(application)))
    }

    /// `aud` of its tokens.
    pub(super) fn audience(&self) -> String {
        match (&self.application, self.form) {
            (Some(application), Form::Two) => application.app_id.to_string(),
            _ => self.name.clone(),
        }
    }

    /// Its `appId`, where the directory knows it.
    pub(super) fn app_id(&self) -> Option<Uuid> {
        self.application.as_ref().map(|application| application.app_id)
    }

    /// Whether its access tokens are to have an optional claim.
    pub(super) fn wants(&self, claim: &str) -> bool {
        let application = self.application.as_ref();
        let claims = application.and_then(|known| known.properties.optional_claims.as_ref());
        let tokens = claims.and_then(|claims| claims["accessToken"].as_array());
        tokens.is_some_and(|tokens| tokens.iter().any(|wanted| wanted["name"] == claim))
    }

    /// The scopes that `asked` names for `client`. `.default` is what the client has registered and
    /// what it was given.
    pub(super) fn scopes(
        &self,
        client: &Application,
        asked: &Asked,
        given: &BTreeSet<String>,
    ) -> Result<Vec<&Scope>, Refused> {
        let enabled: Vec<&Scope> =
            self.application.iter().flat_map(Application::enabled_scopes).collect();
        if asked.is_default() {
            let registered = self.registered(client);
            let mut all = enabled;
            all.retain(|scope| {
                let given = scope.value.as_ref().is_some_and(|value| given.contains(value));
                given || registered.contains(&scope.id)
            });
            return Ok(all);
        }
        let find = |value: &String| {
            let found = enabled.iter().find(|scope| scope.value.as_ref() == Some(value));
            let client = client.app_id.to_string();
            found.copied().ok_or_else(|| refused::no_such_scope(&client, value, &self.name))
        };
        asked.values.iter().filter(|value| *value != DEFAULT).map(find).collect()
    }

    fn registered(&self, client: &Application) -> BTreeSet<Uuid> {
        let resources = client.properties.required_resource_access.iter();
        let of_this = resources.filter(|wanted| Some(wanted.resource_app_id) == self.app_id());
        let access = of_this.flat_map(|wanted| &wanted.resource_access);
        access.filter(|one| one.kind == AccessType::Scope).map(|one| one.id).collect()
    }
}

/// Whether users may consent to a scope themselves.
pub(super) fn is_of_users(scope: &Scope) -> bool {
    scope.kind == ScopeType::User
}
