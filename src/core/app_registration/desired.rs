//! What is wanted of the applications, what was seen of them, and the steps between the two.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Application, Deleted, Grant, Identity, Memory, Properties, Which};
use crate::core::requests::Requests;

/// What is wanted, parsed and resolved.
#[derive(Clone, Debug)]
pub struct Desired {
    /// Name for people.
    pub display_name: String,
    /// Scopes, the main one first.
    pub scopes: Vec<ScopeWanted>,
    /// Roles.
    pub roles: Vec<RoleWanted>,
    /// Redirect URIs of the API's pages.
    pub redirect_uris: BTreeSet<String>,
    /// The second application.
    pub swagger: Option<Swagger>,
    /// Consent for all users.
    pub admin_consent: bool,
    /// The group whose origins become redirect URIs.
    pub group: Option<GroupView>,
    /// Whether origins with an IP address do.
    pub ip_redirect_uris: bool,
    /// How long a host stays registered that is not served.
    pub grace: Duration,
    /// Nothing is changed while there is something that somebody else added.
    pub refuse_foreign: bool,
}

/// A scope that is wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScopeWanted {
    /// Value in the token.
    pub value: String,
    /// `User` or `Admin`.
    pub kind: String,
    /// Title and explanation for administrators.
    pub admin: (String, String),
    /// Title and explanation for users.
    pub user: (String, String),
}

/// A role that is wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RoleWanted {
    /// Value in the token.
    pub value: String,
    /// Title.
    pub display_name: String,
    /// Explanation.
    pub description: String,
    /// `User`, `Application`.
    pub members: BTreeSet<String>,
}

/// The second application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Swagger {
    /// It has the scopes without asking.
    pub pre_authorized: bool,
    /// It may sign people in by a device code.
    pub device_code: bool,
    /// Redirect URIs that follow from no group.
    pub redirect_uris: BTreeSet<String>,
}

/// What the group says of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// Whether there is such a group.
    pub exists: bool,
    /// Origins under which it serves its current leaf.
    pub origins: BTreeSet<String>,
    /// Counts changes of that list.
    pub revision: u64,
    /// Names that the user owns.
    pub hosts: BTreeSet<String>,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The API's application.
    pub api: Seen,
    /// Swagger's.
    pub swagger: Seen,
    /// Consent of all users, only looked for where it is or was wanted; or why we may not look.
    pub grant: Result<Option<Grant>, String>,
    /// Who we are.
    pub identity: Identity,
    /// Home and object: the owner's mark.
    pub owner: String,
    /// The ledger proves that we made them.
    pub made: bool,
    /// What the last pass left.
    pub memory: Memory,
    /// What people ask.
    pub requests: Requests,
}

/// What was seen of one application.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The application.
    pub application: Option<Application>,
    /// Object id of its service principal.
    pub principal: Option<String>,
    /// It was looked for under the id that the manifest gives: one that somebody else made.
    pub adopted: bool,
    /// What holds its name.
    pub holder: Holder,
    /// Object id of its deleted service principal; only looked for after a restoration.
    pub deleted_principal: Option<String>,
}

/// Who holds the name of an application that is not there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Holder {
    /// Nobody looked: the name is not known to be taken.
    #[default]
    Unknown,
    /// A deleted application.
    Deleted(Deleted),
    /// No deleted application that we are shown.
    Nobody,
    /// We may not look; why.
    Hidden(String),
}

/// The one write of an app registration.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Make an application.
    Create {
        /// Which.
        which: Which,
        /// Its name in the tenant.
        unique_name: String,
        /// All of it.
        properties: Box<Properties>,
    },
    /// Change properties of an application.
    Update {
        /// Which.
        which: Which,
        /// Its id.
        object_id: String,
        /// What differs, lists whole.
        properties: Box<Properties>,
        /// How that was before, as far as known.
        before: Box<Properties>,
    },
    /// Make the service principal of an application.
    CreatePrincipal {
        /// Which.
        which: Which,
        /// Application id.
        app_id: String,
    },
    /// Bring a deleted application back.
    Restore {
        /// Which.
        which: Which,
        /// Its id.
        object_id: String,
    },
    /// Bring a deleted service principal back.
    RestorePrincipal {
        /// Whose.
        which: Which,
        /// Its id.
        object_id: String,
    },
    /// Delete an application; its service principal goes with it.
    Delete {
        /// Which.
        which: Which,
        /// Its id.
        object_id: String,
    },
    /// Consent for all users.
    Consent {
        /// Service principal of Swagger's application.
        client: String,
        /// Service principal of the API's.
        resource: String,
        /// Values of the scopes.
        scopes: BTreeSet<String>,
    },
    /// Change that consent.
    ChangeConsent {
        /// Its id.
        id: String,
        /// Values of the scopes.
        scopes: BTreeSet<String>,
    },
    /// Take that consent back.
    RevokeConsent {
        /// Its id.
        id: String,
    },
}

impl Step {
    /// Its name, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "CreateApplication",
            Self::Update { .. } => "UpdateApplication",
            Self::CreatePrincipal { .. } => "CreateServicePrincipal",
            Self::Restore { .. } => "RestoreApplication",
            Self::RestorePrincipal { .. } => "RestoreServicePrincipal",
            Self::Delete { .. } => "DeleteApplication",
            Self::Consent { .. } => "Consent",
            Self::ChangeConsent { .. } => "ChangeConsent",
            Self::RevokeConsent { .. } => "RevokeConsent",
        }
    }
}
