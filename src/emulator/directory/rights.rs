//! Who may do what.
//!
//! Source: learn.microsoft.com/graph/permissions-reference. `Application.ReadWrite.OwnedBy` reads every
//! application and service principal and writes those that the caller owns.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::Directory;
use super::error::Error;
use super::well_known::app_roles;

/// Whose token a request carries, by what it may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Caller {
    /// `Application.ReadWrite.All` and all that consent and assignments need.
    Owner,
    /// `Application.ReadWrite.OwnedBy`, of the application with this `appId`.
    OwnedBy(Uuid),
    /// No right in Graph.
    None,
}

impl Caller {
    pub(super) fn check_any(self) -> Result<(), Error> {
        if self == Self::None { Err(Error::denied()) } else { Ok(()) }
    }

    /// For what `Application.ReadWrite.OwnedBy` is not enough.
    pub(super) fn check_owner(self) -> Result<(), Error> {
        if self == Self::Owner { Ok(()) } else { Err(Error::denied()) }
    }
}

impl Directory {
    /// What the application `app_id` may do, by the app roles of Microsoft Graph that are assigned to
    /// its service principal.
    pub fn caller(&self, app_id: Uuid) -> Caller {
        let id = self.service_principal(&app_id.to_string()).map(|principal| principal.id);
        let has = |role: Uuid| {
            let mut latest = self.assignments.latest();
            latest.any(|held| Some(held.principal_id) == id && held.app_role_id == role)
        };
        if has(app_roles::APPLICATION_READ_WRITE_ALL) {
            Caller::Owner
        } else if has(app_roles::APPLICATION_READ_WRITE_OWNED_BY) {
            Caller::OwnedBy(app_id)
        } else {
            Caller::None
        }
    }

    /// Whether `caller` may write an object with these owners.
    pub(super) fn check_owns(&self, caller: Caller, owners: &BTreeSet<Uuid>) -> Result<(), Error> {
        match caller {
            Caller::Owner => Ok(()),
            Caller::OwnedBy(_)
                if owners.iter().any(|owner| Some(*owner) == self.principal(caller)) =>
            {
                Ok(())
            }
            _ => Err(Error::denied()),
        }
    }

    /// The owners of what `caller` makes: with `OwnedBy`, its own service principal.
    pub(super) fn first_owners(&self, caller: Caller) -> BTreeSet<Uuid> {
        self.principal(caller).into_iter().collect()
    }

    fn principal(&self, caller: Caller) -> Option<Uuid> {
        let Caller::OwnedBy(app_id) = caller else { return None };
        Some(self.service_principal(&app_id.to_string())?.id)
    }
}
