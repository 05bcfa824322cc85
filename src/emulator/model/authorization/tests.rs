//! Roles and assignments, driven by hand.

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};

use super::role::covers;
use super::*;
use crate::emulator::faults::Effect;
use crate::emulator::model::{Reply, Settings};

const OPERATOR: Uuid = Uuid::from_u128(0xa);
const ADMIN: Uuid = Uuid::from_u128(0xb);
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
const WRITE: Right<'_> = Right::Action("Microsoft.ContainerInstance/containerGroups/write");
const READ: Right<'_> = Right::Action("Microsoft.ContainerInstance/containerGroups/read");

fn at(second: i64) -> Now {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn azure() -> Azure {
    let mut azure = Azure::new(Settings { owners: vec![ADMIN], ..Settings::default() });
    azure.put_resource_group(at(0), "Rg", &json!({"location": "westeurope"})).unwrap();
    azure
}

fn subscription(azure: &Azure) -> String {
    azure.subscription_scope()
}

fn group(azure: &Azure) -> String {
    format!("{}/resourceGroups/Rg", azure.subscription_scope())
}

fn web(azure: &Azure) -> String {
    format!("{}/providers/Microsoft.ContainerInstance/containerGroups/web", group(azure))
}

fn assign(azure: &mut Azure, scope: &str, name: u128, role: &str) -> Result<Reply, Error> {
    let found = FoundPrincipal { kind: PrincipalType::ServicePrincipal, replicated: true };
    let body =
        json!({"properties": {"roleDefinitionId": format!("/x/{role}"), "principalId": OPERATOR}});
    let name = Uuid::from_u128(name).to_string();
    azure.put_assignment(at(0), ADMIN, (scope, &name), &body, Some(found))
}

fn custom(azure: &mut Azure, name: u128, permissions: &Value) -> Result<Reply, Error> {
    let scope = group(azure);
    let body = json!({"properties": {"roleName": format!("role {name}"), "type": "CustomRole",
        "permissions": [permissions], "assignableScopes": [scope]}});
    azure.put_role(at(0), ADMIN, &Uuid::from_u128(name).to_string(), &body)
}

#[test]
fn patterns() {
    for (pattern, action, expected) in [
        ("*", "A/b/read", true),
        ("*/read", "A/b/Read", true),
        ("*/read", "A/b/write", false),
        ("A/*/read", "A/b/c/read", true),
        ("A/*/read", "A/read", true),
        ("A/b", "A/b/c", false),
        ("A/*", "A/b/c", true),
        ("A/*", "B/A/c", false),
        (
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
            "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
            true,
        ),
        ("Microsoft.Authorization/*/Write", "Microsoft.Authorization/roleAssignments/write", true),
    ] {
        assert_eq!(covers(pattern, action), expected, "{pattern} {action}");
    }
}

#[test]
fn a_role_counts_at_its_scope_and_below() {
    let mut azure = azure();
    let (sub, rg, web) = (subscription(&azure), group(&azure), web(&azure));
    assert!(!azure.is_known(at(0), OPERATOR));
    assign(&mut azure, &rg.to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions"), 1, READER)
        .unwrap();
    for (right, scope, expected) in
        [(READ, &web, true), (READ, &rg, true), (READ, &sub, false), (WRITE, &web, false)]
    {
        assert_eq!(azure.may(at(0), OPERATOR, right, scope), expected, "{right:?} {scope}");
    }
    let beside = format!("{rg}2/providers/Microsoft.ContainerInstance/containerGroups/web");
    assert!(!azure.may(at(0), OPERATOR, READ, &beside));
    assert!(azure.may(at(0), ADMIN, WRITE, &web));
    assert!(azure.is_known(at(0), OPERATOR));
    assert!(azure.may_track(at(0), OPERATOR));
}

#[test]
fn a_role_at_a_resource_tracks_no_operation() {
    let mut azure = azure();
    let web = web(&azure);
    assign(&mut azure, &web, 1, READER).unwrap();
    assert!(azure.may(at(0), OPERATOR, READ, &web));
    assert!(!azure.may_track(at(0), OPERATOR));
}

#[test]
fn actions_are_no_data_actions() {
    let mut azure = azure();
    let container = format!(
        "{}/providers/Microsoft.Storage/storageAccounts/a/blobServices/default/containers/home",
        group(&azure)
    );
    let read = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
    assert!(!azure.may(at(0), ADMIN, Right::Data(read), &container), "an owner reads no blob");
    assign(&mut azure, &container, 1, BLOB_CONTRIBUTOR).unwrap();
    assert!(azure.may(at(0), OPERATOR, Right::Data(read), &container));
    assert!(!azure.may(at(0), OPERATOR, Right::Action(read), &container));
    let secrets = container.replace("home", "secrets");
    assert!(!azure.may(at(0), OPERATOR, Right::Data(read), &secrets));
}

#[test]
fn what_one_role_leaves_out_another_may_give() {
    let mut azure = azure();
    let (rg, web) = (group(&azure), web(&azure));
    let all = json!({"actions": ["Microsoft.ContainerInstance/*"],
        "notActions": ["Microsoft.ContainerInstance/containerGroups/write"]});
    custom(&mut azure, 5, &all).unwrap();
    assign(&mut azure, &rg, 1, &Uuid::from_u128(5).to_string()).unwrap();
    assert!(azure.may(at(0), OPERATOR, READ, &web));
    assert!(!azure.may(at(0), OPERATOR, WRITE, &web));
    custom(
        &mut azure,
        6,
        &json!({"actions": ["Microsoft.ContainerInstance/containerGroups/write"]}),
    )
    .unwrap();
    assign(&mut azure, &rg, 2, &Uuid::from_u128(6).to_string()).unwrap();
    assert!(azure.may(at(0), OPERATOR, WRITE, &web));
}

#[test]
fn refusals() {
    let mut azure = azure();
    let (sub, rg) = (subscription(&azure), group(&azure));
    let code = |outcome: Result<Reply, Error>| {
        outcome.map_or_else(|e| (e.status, e.code), |r| (r.status, String::new()))
    };
    let is = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(code(assign(&mut azure, &rg, 1, READER)), is(201, ""));
    assert_eq!(code(assign(&mut azure, &rg, 1, READER)), is(200, ""));
    assert_eq!(
        code(assign(&mut azure, &rg, 1, BLOB_CONTRIBUTOR)),
        is(400, "RoleAssignmentUpdateNotPermitted")
    );
    assert_eq!(code(assign(&mut azure, &rg, 2, READER)), is(409, "RoleAssignmentExists"));
    assert_eq!(code(assign(&mut azure, "/", 3, READER)), is(400, "BadRequestFormat"));
    let none = format!("{sub}/resourceGroups/none");
    assert_eq!(code(assign(&mut azure, &none, 3, READER)), is(404, "ResourceGroupNotFound"));
    let unknown = Uuid::from_u128(9).to_string();
    assert_eq!(code(assign(&mut azure, &rg, 3, &unknown)), is(400, "RoleDefinitionDoesNotExist"));

    custom(&mut azure, 5, &json!({"actions": ["*/read"]})).unwrap();
    let role = Uuid::from_u128(5).to_string();
    assert_eq!(code(assign(&mut azure, &sub, 3, &role)), is(400, "RoleDefinitionDoesNotExist"));
    assign(&mut azure, &rg, 3, &role).unwrap();
    assert_eq!(code(azure.delete_role(&role)), is(400, "RoleDefinitionHasAssignments"));
    let third = Uuid::from_u128(3).to_string();
    assert_eq!(code(azure.delete_assignment(&rg, &third)), is(200, ""));
    assert_eq!(code(azure.delete_assignment(&rg, &third)), is(204, ""));
    assert_eq!(code(azure.delete_role(&role)), is(200, ""));
    assert_eq!(code(azure.delete_role(&role)), is(204, ""));
    let reader =
        json!({"properties": {"roleName": "Reader", "permissions": [], "assignableScopes": [rg]}});
    assert_eq!(
        code(azure.put_role(at(0), ADMIN, &role, &reader)),
        is(409, "RoleDefinitionWithSameNameExists")
    );
    assert_eq!(
        code(azure.put_role(at(0), ADMIN, READER, &reader)),
        is(400, "RoleDefinitionUpdateNotPermitted")
    );
}

#[test]
fn a_new_principal_is_known_late_unless_its_type_is_said() {
    let mut azure = azure();
    let rg = group(&azure);
    let mut put = |found: Option<FoundPrincipal>, said: Value| {
        let body = json!({"properties": {"roleDefinitionId": READER, "principalId": OPERATOR, "principalType": said}});
        let name = Uuid::from_u128(1).to_string();
        azure.put_assignment(at(0), ADMIN, (&rg, &name), &body, found).map_err(|error| error.code)
    };
    let late = FoundPrincipal { kind: PrincipalType::ServicePrincipal, replicated: false };
    assert_eq!(put(None, Value::Null), Err("PrincipalNotFound".to_owned()));
    assert_eq!(put(None, json!("ServicePrincipal")), Err("PrincipalNotFound".to_owned()));
    assert_eq!(put(Some(late), Value::Null), Err("PrincipalNotFound".to_owned()));
    assert_eq!(put(Some(late), json!("User")), Err("UnmatchedPrincipalType".to_owned()));
    assert!(put(Some(late), json!("ServicePrincipal")).is_ok());
}

#[test]
fn an_assignment_may_count_late() {
    let mut azure = azure();
    let web = web(&azure);
    let fault = json!({"fault": "rbac-delay", "seconds": 60, "times": 1});
    azure.faults().add(serde_json::from_value(fault).unwrap());
    assert!(matches!(azure.faults().list()[0].effect, Effect::RbacDelay { seconds: 60 }));
    assign(&mut azure, &web, 1, READER).unwrap();
    let may = |azure: &Azure, second: i64| {
        azure.may(at(0) + TimeDelta::seconds(second), OPERATOR, READ, &web)
    };
    assert_eq!([59, 60].map(|second| may(&azure, second)), [false, true]);
}

#[test]
fn lists() {
    let mut azure = azure();
    let (sub, rg, web) = (subscription(&azure), group(&azure), web(&azure));
    assign(&mut azure, &rg, 1, READER).unwrap();
    assign(&mut azure, &web, 2, READER).unwrap();
    let count = |azure: &Azure, scope: &str, filter: &str| {
        azure.list_assignments(scope, filter).body.unwrap()["value"].as_array().unwrap().len()
    };
    let mine = format!("principalId eq '{OPERATOR}'");
    for (scope, filter, expected) in [
        (&sub, "", 3),
        (&sub, "atScope()", 1),
        (&rg, "atScope()", 2),
        (&web, "", 3),
        (&sub, mine.as_str(), 2),
        (&rg, &format!("atScope() and assignedTo('{OPERATOR}')"), 1),
    ] {
        assert_eq!(count(&azure, scope, filter), expected, "{scope} {filter}");
    }
    let roles = azure.list_roles(&rg, "roleName eq 'Reader'").body.unwrap();
    assert_eq!(roles["value"][0]["name"], READER);
    assert_eq!(roles["value"].as_array().unwrap().len(), 1);
}

#[test]
fn everything_survives_a_restart_and_goes_with_its_scope() {
    let mut azure = azure();
    let (rg, web) = (group(&azure), web(&azure));
    custom(&mut azure, 5, &json!({"actions": ["*/read"], "notActions": null})).unwrap();
    assign(&mut azure, &rg, 1, &Uuid::from_u128(5).to_string()).unwrap();
    let saved = serde_json::to_vec(&azure).unwrap();
    let mut azure = Azure::restore(azure.settings().clone(), &saved).unwrap();
    assert!(azure.may(at(0), OPERATOR, READ, &web));
    azure.delete_resource_group(at(0), "rg").unwrap();
    assert!(!azure.is_known(at(0), OPERATOR));
}
