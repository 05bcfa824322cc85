//! The stage that consents for all users.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Pass, Verdict, is_recent};
use crate::core::app_registration::Step;
use crate::core::{Health, Reason};

/// Rights are granted without a word.
const AGAIN: Duration = Duration::from_mins(1);

/// Consents for all users of the tenant in the name of Swagger's application, where that is wanted,
/// and takes back what we gave where it is not any more.
pub(super) fn consent(pass: &mut Pass<'_>) -> Option<Verdict> {
    let wanted: BTreeSet<String> =
        pass.desired.scopes.iter().map(|scope| scope.value.clone()).collect();
    let grant = match &pass.observed.grant {
        Ok(grant) => grant.as_ref(),
        Err(why) => {
            let (health, reason) = (Health::Stalled, Reason::GraphNotGranted);
            return Some(Verdict::wait(health, reason, why, AGAIN));
        }
    };
    if !pass.desired.admin_consent {
        let ours = grant.filter(|_| pass.memory.consent_is_ours)?;
        if is_recent(pass.memory.consented, pass.now) {
            return None;
        }
        let step = Step::RevokeConsent { id: ours.id.clone() };
        return Some(Verdict::step(step, Reason::Changed, "taking consent back"));
    }
    let granted = grant.is_some_and(|grant| grant.scopes.is_superset(&wanted));
    if granted {
        return None;
    }
    if is_recent(pass.memory.consented, pass.now) {
        return Some(Verdict::not_shown("Graph does not show the consent yet"));
    }
    let step = match grant {
        Some(grant) => Step::ChangeConsent {
            id: grant.id.clone(),
            scopes: grant.scopes.union(&wanted).cloned().collect(),
        },
        None => Step::Consent {
            client: pass.observed.swagger.principal.clone()?,
            resource: pass.observed.api.principal.clone()?,
            scopes: wanted,
        },
    };
    Some(Verdict::step(step, Reason::Changed, "consenting for all users"))
}
