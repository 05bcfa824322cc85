//! The stages that look at the applications.

use chrono::{DateTime, Utc};

use super::{POLL, Pass, REST, STALE, Verdict, is_ours, is_recent};
use crate::core::app_registration::desired::Holder;
use crate::core::app_registration::{
    Application, Memory, Observed, Properties, Seen, Step, Which, owner_of,
};
use crate::core::{ConditionType, Health, Plan, Reason, Wake};

/// Somebody else's application is not touched, unless the manifest says to take it over.
pub(super) fn own(pass: &mut Pass<'_>) -> Option<Verdict> {
    for which in Which::ALL {
        let Some(view) = pass.view(which) else { continue };
        let (seen, read) = (view.seen, view.read);
        let ours = is_ours(seen, read, pass.observed);
        pass.made |= ours;
        if !ours && !seen.adopted {
            let owner = read.properties.tags.as_ref().and_then(owner_of).unwrap_or_default();
            let message = format!(
                "{which} {} belongs to {owner}; name it in spec.adopt to take it over",
                read.app_id
            );
            return Some(Verdict::wait(Health::Stalled, Reason::NotOwned, message, REST));
        }
    }
    None
}

/// An address that is no longer ours leaves before anything else is done: whoever gets it next would
/// get the tokens.
pub(super) fn lose_addresses(pass: &mut Pass<'_>) -> Option<Verdict> {
    let whiches = [Which::Swagger, Which::Api];
    whiches.into_iter().filter(|which| pass.is_wanted(*which)).find_map(|which| {
        let view = pass.view(which)?;
        let (have, placed) = (&view.now.properties, &pass.memory.of(which).placed);
        let wanted = pass.context().redirect_uris(which);
        let have = have.redirect_uris();
        let lost: Vec<_> =
            have.iter().filter(|u| placed.contains(*u) && !wanted.contains(*u)).cloned().collect();
        if lost.is_empty() {
            return None;
        }
        let uris = pass.want(which, &view.now, &view.read.properties).uris_alone();
        let message = format!("removing from {which}: {}", lost.join(" "));
        Some(Verdict::step(view.update(which, uris), Reason::AddressLost, message))
    })
}

/// Without `swagger` there is no second application: the one that we made goes.
pub(super) fn drop_swagger(pass: &mut Pass<'_>) -> Option<Verdict> {
    let view = pass.view(Which::Swagger)?;
    if pass.is_wanted(Which::Swagger) {
        return None;
    }
    if is_recent(pass.memory.swagger.deleted, pass.now) {
        return None;
    }
    let step = Step::Delete { which: Which::Swagger, object_id: view.now.object_id.clone() };
    Some(Verdict::step(step, Reason::Deleting, "deleting Swagger's application"))
}

/// With `foreign: Refuse` nothing is changed while somebody else's additions are there, nor are they
/// removed.
pub(super) fn refuse_foreign(pass: &mut Pass<'_>) -> Option<Verdict> {
    let foreign = if pass.desired.refuse_foreign { pass.foreign() } else { Vec::new() };
    if foreign.is_empty() {
        return None;
    }
    let message = format!(
        "somebody else added {}: remove it, state it in the manifest, or set `spec.foreign: Keep`",
        foreign.join(", ")
    );
    Some(Verdict::wait(Health::Stalled, Reason::ForeignEdits, message, REST))
}

/// Makes an application, and makes it what it should be.
pub(super) fn make(pass: &mut Pass<'_>, which: Which) -> Option<Verdict> {
    if !pass.is_wanted(which) {
        return None;
    }
    let Some(view) = pass.view(which) else { return Some(create(pass, which)) };
    let wish = pass.wish(which, &view.now.app_id);
    let (now, want) = (&view.now.properties, pass.want(which, &view.now, &view.read.properties));
    let differing = want.differing_from(now);
    let memory = pass.memory.of(which);
    let kept = memory.kept.as_ref();
    let writing = match kept {
        Some(kept) => differing.without_kept(&kept.want, &kept.have, now),
        None => differing.clone(),
    };
    if writing.is_empty() {
        let not_converging = (!differing.is_empty()).then(|| differing.names());
        pass.memory.of_mut(which).settled = Some(wish);
        if let Some(names) = not_converging {
            let message = format!("Graph keeps its own value of {which}: {names}");
            pass.assert(ConditionType::NotConverging, true, Reason::NotConverging, message);
        }
        return None;
    }
    let drifted = memory.settled.as_ref() == Some(&wish) && memory.writes.is_empty();
    let message = format!("changing {which}: {}", writing.names());
    let step = view.update(which, writing);
    let reason = if drifted { Reason::Drifted } else { Reason::Changed };
    if drifted {
        pass.assert(ConditionType::Drifted, true, reason, message.as_str());
    }
    Some(Verdict::step(step, reason, message))
}

fn create(pass: &mut Pass<'_>, which: Which) -> Verdict {
    let seen = pass.seen(which);
    if seen.adopted {
        let message = format!("spec.adopt: {which} is not in this tenant");
        return Verdict::wait(Health::Stalled, Reason::ReferenceMissing, message, REST);
    }
    if let Some(wait) = absence(&mut pass.memory, which, pass.now) {
        return wait;
    }
    if pass.memory.of(which).name_taken {
        return recycle(pass, which, seen);
    }
    let step = Step::Create {
        which,
        unique_name: which.unique_name(&pass.observed.owner),
        properties: Box::new(pass.wish(which, "")),
    };
    Verdict::step(step, Reason::Creating, format!("making {which}"))
}

/// Whether it is too early to say that an application is not there: we have just made it, or Graph has
/// shown it before and may have answered from a replica that lags.
fn absence(memory: &mut Memory, which: Which, now: DateTime<Utc>) -> Option<Verdict> {
    let app = memory.of_mut(which);
    if is_recent(app.made, now) {
        return Some(Verdict::not_shown(format!("Graph does not show {which} yet")));
    }
    let was_there = app.settled.is_some() && app.deleted.is_none();
    if was_there && now < *app.absent.get_or_insert(now) + STALE {
        let message = format!("Graph does not show {which} any more; looking again");
        return Some(Verdict::wait(Health::Reconciling, Reason::Drifted, message, POLL));
    }
    None
}

/// A deleted application holds its name for 30 days: ours comes back.
/// <https://learn.microsoft.com/graph/api/directory-deleteditems-restore>
fn recycle(pass: &mut Pass<'_>, which: Which, seen: &Seen) -> Verdict {
    let name = which.unique_name(&pass.observed.owner);
    let stalled =
        |message: String| Verdict::wait(Health::Stalled, Reason::NameInRecycleBin, message, REST);
    match &seen.holder {
        Holder::Unknown => Verdict::not_shown("looking for what holds its name"),
        Holder::Deleted(deleted) => match owner_of(&deleted.tags) {
            Some(owner) if owner != pass.observed.owner => stalled(format!(
                "a deleted application of {owner} holds the name {name}: restore it, or delete it \
                 for good with `az rest --method DELETE --url \
                 https://graph.microsoft.com/v1.0/directory/deletedItems/{}`",
                deleted.object_id
            )),
            _ => {
                let step = Step::Restore { which, object_id: deleted.object_id.clone() };
                Verdict::step(step, Reason::Creating, format!("restoring {which}"))
            }
        },
        Holder::Nobody => {
            // Perhaps it has just gone for good: the next pass tries to create it.
            pass.memory.of_mut(which).name_taken = false;
            stalled(format!("an object that Graph does not show holds the name {name}"))
        }
        Holder::Hidden(why) => stalled(format!(
            "a deleted application holds the name {name}, and we may not look for it ({why}): \
             restore it, or delete it for good"
        )),
    }
}

/// Makes the service principal, without which nobody signs in to an application.
pub(super) fn make_principal(pass: &mut Pass<'_>, which: Which) -> Option<Verdict> {
    if !pass.is_wanted(which) {
        return None;
    }
    let view = pass.view(which)?;
    if view.seen.principal.is_some() {
        pass.memory.of_mut(which).name_taken = false;
        return None;
    }
    if is_recent(pass.memory.of(which).principal, pass.now) {
        let message = format!("Graph does not show the service principal of {which} yet");
        return Some(Verdict::not_shown(message));
    }
    let message = format!("making the service principal of {which}");
    let step = match &view.seen.deleted_principal {
        Some(id) => Step::RestorePrincipal { which, object_id: id.clone() },
        None => Step::CreatePrincipal { which, app_id: view.now.app_id.clone() },
    };
    Some(Verdict::step(step, Reason::Creating, message))
}

/// Deletes what is ours and nothing else, the client first.
pub(super) fn remove(observed: &Observed, now: DateTime<Utc>) -> Plan<Step, Memory> {
    let mut memory = observed.memory.clone();
    let apps = [(Which::Swagger, &observed.swagger), (Which::Api, &observed.api)];
    let ours =
        |seen: &Seen| seen.application.as_ref().is_some_and(|found| is_ours(seen, found, observed));
    let made = apps.iter().any(|(_, seen)| ours(seen));
    let verdict = apps.into_iter().find_map(|(which, seen)| match &seen.application {
        Some(found) if ours(seen) => Some(delete(observed, &memory, which, found, now)),
        Some(_) => None,
        // Forgotten now, it would be nobody's when Graph shows it.
        None => absence(&mut memory, which, now),
    });
    let gone = || Verdict::wait(Health::Gone, Reason::Deleted, "the applications are gone", REST);
    let Verdict { step, health, reason, message, wake } = verdict.unwrap_or_else(gone);
    if let Some(step) = &step {
        memory.note(step, now);
    }
    Plan { step, health, reason, message, conditions: Vec::new(), memory, made, wake }
}

fn delete(
    observed: &Observed,
    memory: &Memory,
    which: Which,
    found: &Application,
    now: DateTime<Utc>,
) -> Verdict {
    if observed.requests.suspended {
        let message = "deletion waits for resume";
        return Verdict::wait(Health::Stalled, Reason::Suspended, message, REST);
    }
    if is_recent(memory.of(which).deleted, now) {
        let message = format!("Graph still shows {which}, which was deleted");
        return Verdict::wait(Health::Reconciling, Reason::Deleting, message, POLL);
    }
    let step = Step::Delete { which, object_id: found.object_id.clone() };
    let verdict = Verdict::step(step, Reason::Deleting, format!("deleting {which}"));
    Verdict { wake: Wake::After(POLL), ..verdict }
}

impl Pass<'_> {
    fn is_wanted(&self, which: Which) -> bool {
        which == Which::Api || self.desired.swagger.is_some()
    }

    /// What an application should be, given what it is and what Graph shows of it.
    fn want(&self, which: Which, have: &Application, shown: &Properties) -> Properties {
        let context = self.context();
        let placed = &self.memory.of(which).placed;
        match which {
            Which::Api => context.api(have, shown, placed, &self.clients(), self.client(have)),
            Which::Swagger => {
                let api = self.api.as_ref().map(|view| &view.now);
                context.swagger(&have.properties, api, placed)
            }
        }
    }

    /// The same whatever there is: what the manifest and the group make of it.
    fn wish(&self, which: Which, app_id: &str) -> Properties {
        let (object_id, app_id) = (String::new(), app_id.to_owned());
        let empty = Properties::default();
        self.want(which, &Application { object_id, app_id, properties: empty.clone() }, &empty)
    }

    /// Swagger's application id, where it has the scopes without asking.
    fn client(&self, api: &Application) -> Option<&str> {
        let view = self.swagger.as_ref()?;
        let wanted = self.desired.swagger.as_ref().is_some_and(|swagger| swagger.pre_authorized);
        let named = api.properties.pre_authorized.as_ref();
        let named = named.is_some_and(|clients| clients.contains_key(&view.now.app_id));
        (wanted && (named || view.seen.principal.is_some())).then_some(view.now.app_id.as_str())
    }
}
