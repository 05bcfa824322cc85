//! The kind `AppRegistration`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Ctx, Kind, Resolved, identity};
use crate::api::status::AppRegistrationStatus;
use crate::api::{AppRegistration, ContainerGroup};
use crate::core::app_registration::{
    Application, Desired, Effect, Facts, Grant, Holder, Identity, Memory, Observed, Seen, Step,
    Which, is_foreign, plan, settle,
};
use crate::core::{Fault, Goal, Invalid, Plan};
use crate::ports::{ApplicationKey, Azure, Directory, Entry, Named, ObjectKey, Phase, Requests};

mod desired;

/// Name under which the tenant of the applications is pinned in the ledger.
const TENANT: &str = "tenantId";

/// Name under which the id of an adopted application is pinned in the ledger; empty where ours was
/// made.
const ADOPTED: [(Which, &str); 2] =
    [(Which::Api, "adopt.appId"), (Which::Swagger, "adopt.swaggerAppId")];

#[async_trait]
impl Kind for AppRegistration {
    const KIND: &'static str = "AppRegistration";
    type Desired = Desired;
    type Observed = Observed;
    type Step = Step;
    type Effect = Effect;
    type Memory = Memory;
    type Facts = Facts;

    fn references(&self) -> Vec<ObjectKey> {
        let group = self.spec.container_group_ref.as_ref();
        let key = self.key();
        group.map(|group| key.beside(ContainerGroup::KIND, &group.name)).into_iter().collect()
    }

    fn identity(&self) -> Option<identity::Source> {
        Some(identity::Source::named(&self.key(), self.spec.identity_ref.as_ref()))
    }

    async fn resolve(
        &self,
        _: &Entry,
        ctx: &Ctx,
    ) -> Result<Result<Resolved<Desired>, Invalid>, Fault> {
        desired::resolve(self, ctx).await
    }

    async fn pins(&self, azure: &Azure) -> Result<Vec<(&'static str, String)>, Fault> {
        let adopted =
            ADOPTED.map(|(which, name)| (name, self.adopted(which).unwrap_or_default().to_owned()));
        let tenant = azure.directory.identity().await?.tenant;
        Ok(adopted.into_iter().chain([(TENANT, tenant)]).collect())
    }

    async fn observe(
        &self,
        entry: &Entry,
        mut memory: Memory,
        requests: Requests,
        azure: &Azure,
        ctx: &Ctx,
    ) -> Result<Result<Observed, Invalid>, Fault> {
        for (which, name) in ADOPTED {
            let pinned = entry.pinned.get(name).map(String::as_str);
            if pinned != self.adopted(which).or(Some("")) {
                let problem = "names the application and cannot change: delete the object and create \
                               it anew";
                return Ok(Err(Invalid::new(format!("spec.{name}"), problem)));
            }
        }
        let owner = format!("{}/{}", ctx.home_id, entry.uid);
        if memory == Memory::default() {
            recall(&mut memory, entry, ctx).await?;
        }
        let directory = &*azure.directory;
        let identity = directory.identity().await?;
        same_tenant(entry, &identity)?;
        let api = self.look(Which::Api, &owner, &memory, directory).await?;
        let swagger = self.look(Which::Swagger, &owner, &memory, directory).await?;
        let grant = allowed(self.consent(&api, &swagger, &memory, directory).await)?;
        let made = entry.phase == Phase::Made;
        Ok(Ok(Observed { api, swagger, grant, identity, owner, made, memory, requests }))
    }

    fn plan(
        goal: Goal<&Desired>,
        observed: &Observed,
        now: DateTime<Utc>,
    ) -> (Plan<Step, Memory>, Facts) {
        plan(goal, observed, now)
    }

    fn step_name(step: &Step) -> &'static str {
        step.name()
    }

    async fn perform(
        &self,
        _: &Entry,
        step: &Step,
        azure: &Azure,
        _: &Ctx,
    ) -> Result<Effect, Fault> {
        let directory = &azure.directory;
        match step {
            Step::Create { unique_name, properties, .. } => {
                return Ok(match directory.upsert(unique_name, properties).await? {
                    Named::Done => Effect::Accepted,
                    Named::Taken => Effect::NameTaken,
                });
            }
            Step::Update { object_id, properties, .. } => {
                directory.update(object_id, properties).await?;
            }
            Step::CreatePrincipal { app_id, .. } => directory.create_principal(app_id).await?,
            Step::Restore { object_id, .. } | Step::RestorePrincipal { object_id, .. } => {
                directory.restore(object_id).await?;
            }
            Step::Delete { object_id, .. } => directory.delete(object_id).await?,
            Step::Consent { client, resource, scopes } => {
                directory.give_consent(client, resource, scopes).await?;
            }
            Step::ChangeConsent { id, scopes } => directory.change_consent(id, scopes).await?,
            Step::RevokeConsent { id } => directory.revoke_consent(id).await?,
        }
        Ok(Effect::Accepted)
    }

    fn settle(
        memory: Memory,
        step: &Step,
        _: &Observed,
        result: &Result<Effect, Fault>,
        _: DateTime<Utc>,
    ) -> Memory {
        settle(memory, step, result)
    }

    fn status(&self, _: &Entry, observed: &Observed, facts: &Facts) -> Value {
        serde_json::to_value(status(self, observed, facts)).unwrap_or_default()
    }

    fn certificate(_: &Value) -> Option<(DateTime<Utc>, Option<DateTime<Utc>>)> {
        None
    }
}

impl AppRegistration {
    /// The application id that the manifest gives.
    fn adopted(&self, which: Which) -> Option<&str> {
        let adopt = self.spec.adopt.as_ref()?;
        match which {
            Which::Api => Some(&adopt.app_id),
            Which::Swagger => adopt.swagger_app_id.as_deref(),
        }
    }

    /// Looks at one application.
    async fn look(
        &self,
        which: Which,
        owner: &str,
        memory: &Memory,
        directory: &dyn Directory,
    ) -> Result<Seen, Fault> {
        let unique_name = which.unique_name(owner);
        let key = match self.adopted(which) {
            Some(app_id) => ApplicationKey::AppId(app_id.to_owned()),
            None => ApplicationKey::UniqueName(unique_name.clone()),
        };
        let mut seen = Seen {
            application: directory.application(&key).await?,
            adopted: self.adopted(which).is_some(),
            ..Seen::default()
        };
        let name_taken = memory.of(which).name_taken;
        match &seen.application {
            Some(application) => {
                seen.principal = directory.principal(&application.app_id).await?;
                if seen.principal.is_none() && name_taken {
                    let deleted = directory.deleted_principal(&application.app_id).await;
                    // What may not be looked for is made anew.
                    seen.deleted_principal = allowed(deleted)?.unwrap_or_default();
                }
            }
            None if name_taken => {
                let deleted = directory.deleted_application(&unique_name).await;
                seen.holder = match allowed(deleted)? {
                    Ok(Some(deleted)) => Holder::Deleted(deleted),
                    Ok(None) => Holder::Nobody,
                    Err(why) => Holder::Hidden(why),
                };
            }
            None => {}
        }
        Ok(seen)
    }

    /// Looks at the consent of all users, where it matters: reading it takes a right of its own.
    async fn consent(
        &self,
        api: &Seen,
        swagger: &Seen,
        memory: &Memory,
        directory: &dyn Directory,
    ) -> Result<Option<Grant>, Fault> {
        let matters = self.spec.admin_consent || memory.consent_is_ours;
        match (&swagger.principal, &api.principal) {
            (Some(client), Some(resource)) if matters => directory.consent(client, resource).await,
            _ => Ok(None),
        }
    }
}

/// In another tenant the applications are absent, and would be made once more.
fn same_tenant(entry: &Entry, identity: &Identity) -> Result<(), Fault> {
    match entry.pinned.get(TENANT) {
        Some(pinned) if *pinned != identity.tenant => Err(Fault::Refused {
            service: "aci-operator",
            code: "OtherTenant".to_owned(),
            message: format!(
                "the identity is of the tenant {}, the applications are in {pinned}: give it one of \
                 that tenant",
                identity.tenant
            ),
        }),
        _ => Ok(()),
    }
}

/// Without a memory, what was published tells what we placed from what somebody else did: an address
/// that is lost meanwhile must not pass for theirs.
async fn recall(memory: &mut Memory, entry: &Entry, ctx: &Ctx) -> Result<(), Fault> {
    let Some(status) = ctx.ledger.status(&entry.key).await? else { return Ok(()) };
    let status: AppRegistrationStatus = serde_json::from_value(status).unwrap_or_default();
    let ours = |uris: Vec<String>| uris.into_iter().filter(|uri| !is_foreign(uri, &status.foreign));
    memory.api.placed = ours(status.redirect_uris.clone()).collect();
    memory.swagger.placed = ours(status.swagger_redirect_uris.clone()).collect();
    memory.place(status.origins.iter().chain(&status.held).cloned());
    Ok(())
}

/// A look that a right of its own is needed for; the inner error is that it is missing.
fn allowed<T>(looked: Result<T, Fault>) -> Result<Result<T, String>, Fault> {
    match looked {
        Err(fault @ (Fault::Forbidden { .. } | Fault::NotGranted { .. })) => {
            Ok(Err(fault.to_string()))
        }
        other => other.map(Ok),
    }
}

fn status(object: &AppRegistration, observed: &Observed, facts: &Facts) -> AppRegistrationStatus {
    let (api, swagger) = (&observed.api.application, &observed.swagger.application);
    let uris = |found: &Option<Application>| {
        let all = found.as_ref().map(|found| found.properties.redirect_uris());
        all.into_iter().flatten().collect()
    };
    let scope = object.spec.scopes.first();
    AppRegistrationStatus {
        app_id: api.as_ref().map(|api| api.app_id.clone()),
        tenant_id: Some(observed.identity.tenant.clone()),
        swagger_app_id: swagger.as_ref().map(|swagger| swagger.app_id.clone()),
        scope: api.as_ref().zip(scope).map(|(a, s)| format!("api://{}/{}", a.app_id, s.value)),
        authority: Some(observed.identity.authority.clone()),
        object_id: api.as_ref().map(|api| api.object_id.clone()),
        swagger_object_id: swagger.as_ref().map(|swagger| swagger.object_id.clone()),
        origins: facts.origins.iter().cloned().collect(),
        held: facts.held.iter().cloned().collect(),
        seen_origins_revision: facts.seen,
        redirect_uris: uris(api),
        swagger_redirect_uris: uris(swagger),
        foreign: facts.foreign.clone(),
        ..AppRegistrationStatus::default()
    }
}
