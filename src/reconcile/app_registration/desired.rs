//! From a manifest to what is wanted: parsed, with what the group says of itself.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::app_registration::{self as api, AppRegistrationSpec};
use crate::api::{AppRegistration, ContainerGroup};
use crate::core::app_registration::{
    Desired, GroupView, RoleWanted, SWAGGER_PATH, ScopeWanted, Swagger, origin_of,
};
use crate::core::{Fault, Invalid, names};
use crate::ports::ObjectKey;
use crate::reconcile::{Ctx, Kind as _, Resolved};

/// Parses the manifest and reads what it names. A group that is not there, or serves nothing yet, is
/// no reason to wait: the applications are made without its addresses.
pub(super) async fn resolve(
    object: &AppRegistration,
    ctx: &Ctx,
) -> Result<Result<Resolved<Desired>, Invalid>, Fault> {
    let spec = &object.spec;
    let grace = match names::duration(&spec.host_grace_period) {
        Ok(grace) => grace,
        Err(problem) => return Ok(Err(Invalid::new("spec.hostGracePeriod", problem))),
    };
    let group = match &spec.container_group_ref {
        Some(group) => {
            let key = object.key().beside(ContainerGroup::KIND, &group.name);
            Some(group_view(&key, ctx).await?)
        }
        None => None,
    };
    Ok(Ok(Resolved::Ready(Desired {
        display_name: spec.display_name.clone(),
        scopes: spec.scopes.iter().map(|scope| scope_wanted(scope, &spec.display_name)).collect(),
        roles: spec.app_roles.iter().map(role_wanted).collect(),
        redirect_uris: spec.redirect_uris.iter().cloned().collect(),
        swagger: spec.swagger.as_ref().map(|swagger| swagger_wanted(spec, swagger)),
        admin_consent: spec.admin_consent,
        group,
        ip_redirect_uris: spec.ip_redirect_uris,
        grace,
        refuse_foreign: spec.foreign == api::Foreign::Refuse,
    })))
}

async fn group_view(key: &ObjectKey, ctx: &Ctx) -> Result<GroupView, Fault> {
    let Some(entry) = ctx.ledger.entry(key).await? else {
        return Ok(GroupView { name: key.name.clone(), ..GroupView::default() });
    };
    let status = ctx.ledger.status(key).await?.unwrap_or_default();
    let hosts = texts(&entry.manifest["spec"]["tls"]["hosts"]);
    Ok(GroupView {
        name: key.name.clone(),
        exists: true,
        origins: texts(&status["origins"]),
        revision: status["originsRevision"].as_u64().unwrap_or_default(),
        hosts: hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect(),
    })
}

fn texts(list: &Value) -> BTreeSet<String> {
    let all = list.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A scope with the texts that Azure's portal suggests, where the manifest gives none.
fn scope_wanted(scope: &api::Scope, name: &str) -> ScopeWanted {
    let text = |given: &Option<String>, usual: String| given.clone().unwrap_or(usual);
    ScopeWanted {
        value: scope.value.clone(),
        kind: match scope.kind {
            api::ScopeType::User => "User",
            api::ScopeType::Admin => "Admin",
        }
        .to_owned(),
        admin: (
            text(&scope.admin_consent_display_name, format!("Access {name}")),
            text(
                &scope.admin_consent_description,
                format!("Allows the app to access {name} on behalf of the signed-in user."),
            ),
        ),
        user: (
            text(&scope.user_consent_display_name, format!("Access {name}")),
            text(
                &scope.user_consent_description,
                format!("Allows the app to access {name} on your behalf."),
            ),
        ),
    }
}

fn role_wanted(role: &api::AppRole) -> RoleWanted {
    let member = |kind: &api::MemberType| match kind {
        api::MemberType::User => "User".to_owned(),
        api::MemberType::Application => "Application".to_owned(),
    };
    RoleWanted {
        value: role.value.clone(),
        display_name: role.display_name.clone(),
        description: role.description.clone(),
        members: role.allowed_member_types.iter().map(member).collect(),
    }
}

/// Swagger's page on this machine stands where the API's own does.
fn swagger_wanted(spec: &AppRegistrationSpec, swagger: &api::Swagger) -> Swagger {
    let local = spec.redirect_uris.iter().filter(|uri| uri.starts_with("http://localhost"));
    let local = local.filter_map(|uri| origin_of(uri)).map(|o| format!("{o}{SWAGGER_PATH}"));
    Swagger {
        pre_authorized: swagger.pre_authorized,
        device_code: swagger.device_code,
        redirect_uris: swagger.redirect_uris.iter().cloned().chain(local).collect(),
    }
}
