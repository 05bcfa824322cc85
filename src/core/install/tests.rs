//! The plan of an installation, without Azure.

use serde_json::{Value, json};

use super::*;

fn wanted() -> Wanted {
    let subscription = "5b1d0f0e-0000-4000-8000-000000000001".to_owned();
    let scope = format!("/subscriptions/{subscription}/resourceGroups/operators");
    Wanted {
        account: account_name(&scope, "aci-operator"),
        identities: vec![format!(
            "/subscriptions/{subscription}/resourceGroups/web/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app"
        )],
        subscription,
        resource_group: "operators".to_owned(),
        location: "westeurope".to_owned(),
        name: "aci-operator".to_owned(),
        manage: vec!["web".to_owned(), "jobs".to_owned()],
        readers: vec!["6f0b9f5c-0000-4000-8000-000000000002".to_owned()],
        writers: vec!["6f0b9f5c-0000-4000-8000-000000000005".to_owned()],
        image: "registry.example/aci-operator@sha256:00".to_owned(),
        self_update: false,
        environment: Vec::new(),
    }
}

fn facts() -> Facts {
    Facts {
        principal: Some("6f0b9f5c-0000-4000-8000-000000000003".to_owned()),
        client: Some("6f0b9f5c-0000-4000-8000-000000000004".to_owned()),
        blob: Some("https://account.blob.core.windows.net/".to_owned()),
    }
}

fn of(all: &[Resource], sort: Sort) -> Vec<&Resource> {
    all.iter().filter(|resource| resource.sort == sort).collect()
}

#[test]
fn names_are_those_that_a_template_gives() {
    // RFC 9562 section 5.5, computed by another implementation.
    assert_eq!(guid(&["a", "b", "c"]), "a98fa280-e03f-5afa-8d8e-92d0a9c201e8");
    let name = account_name("/subscriptions/s/resourceGroups/r", "aci-operator");
    assert!(name.len() == 21 && name.starts_with("aciop"), "{name}");
}

#[test]
fn the_same_is_found_again_and_another_is_another() {
    let all = resources(&wanted(), &facts());
    assert_eq!(resources(&wanted(), &facts()), all);
    let other = Wanted { name: "second".to_owned(), ..wanted() };
    assert_ne!(other.installation(), wanted().installation());
    let mut ids: Vec<_> = all.iter().map(|resource| &resource.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "no two resources have one id");
}

#[test]
fn what_is_as_it_was_put_is_kept() {
    for resource in resources(&wanted(), &facts()) {
        assert_eq!(action(&wanted(), &resource, None), Action::Create);
        let mut seen = resource.body.clone();
        seen["properties"]["provisioningState"] = json!("Succeeded");
        assert_eq!(action(&wanted(), &resource, Some(&seen)), Action::Keep, "{}", resource.id);
    }
}

#[test]
fn what_azure_adds_and_spells_its_own_way_is_no_difference() {
    let all = resources(&wanted(), &facts());
    let group = of(&all, Sort::Group)[0];
    let mut seen = group.body.clone();
    seen["location"] = json!("West Europe");
    seen["tags"] = json!({"ACI-Operator-Install": wanted().installation(), "cost": "mine"});
    let id = wanted().identity().to_ascii_uppercase();
    seen["identity"] = json!({
        "type": "UserAssigned",
        "userAssignedIdentities": { id: {"principalId": "p", "clientId": "c"} },
    });
    seen["properties"]["sku"] = json!("Standard");
    let variables = &mut seen["properties"]["containers"][0]["properties"]["environmentVariables"];
    variables.as_array_mut().unwrap().reverse();
    seen["properties"]["containers"][0]["properties"]["instanceView"] = json!({"restartCount": 0});
    assert_eq!(action(&wanted(), group, Some(&seen)), Action::Keep);
}

#[test]
fn a_difference_is_named() {
    let all = resources(&wanted(), &facts());
    let account = of(&all, Sort::Account)[0];
    let mut seen = account.body.clone();
    seen["properties"]["allowSharedKeyAccess"] = json!(true);
    let place = "properties.allowSharedKeyAccess".to_owned();
    assert_eq!(action(&wanted(), account, Some(&seen)), Action::Change(vec![place]));
    let group = of(&all, Sort::Group)[0];
    let mut seen = group.body.clone();
    seen["properties"]["provisioningState"] = json!("Failed");
    assert!(matches!(action(&wanted(), group, Some(&seen)), Action::Change(_)));
}

#[test]
fn what_is_somebody_elses_is_not_touched() {
    for resource in resources(&wanted(), &facts()) {
        let mut seen = resource.body.clone();
        seen["tags"] = json!({ TAG: "another" });
        let expected = match resource.sort {
            Sort::Identity | Sort::Account | Sort::Group => Action::Refuse,
            _ => Action::Keep,
        };
        if matches!(
            resource.sort,
            Sort::ResourceGroup | Sort::Identity | Sort::Account | Sort::Group
        ) {
            assert_eq!(action(&wanted(), &resource, Some(&seen)), expected, "{}", resource.id);
            assert!(!marked(&wanted(), resource.sort, &seen));
        }
        assert!(!marked(&wanted(), resource.sort, &json!({"properties": {}})));
    }
}

#[test]
fn no_right_reaches_beyond_what_is_named() {
    let wanted = wanted();
    let all = resources(&wanted, &facts());
    let given = of(&all, Sort::Assignment);
    assert_eq!(given.len(), 2 + 1 + 2 + 2);
    let inside = |scope: &str| {
        let group = |name: &String| scope.starts_with(&wanted.scope(name));
        wanted.manage.iter().any(group) || group(&wanted.resource_group)
    };
    for assignment in given {
        assert!(inside(&assignment.id), "{}", assignment.id);
    }
    let role = &of(&all, Sort::Role)[0].body["properties"];
    for scope in role["assignableScopes"].as_array().unwrap() {
        assert!(inside(scope.as_str().unwrap()), "{scope}");
    }
    for action in role["permissions"][0]["actions"].as_array().unwrap() {
        assert!(!action.as_str().unwrap().contains('*'), "{action}");
    }
    // Nothing that would let the operator change itself, or give rights.
    assert!(rights::ACTIONS.iter().all(|action| !action.contains("Authorization")));
    let own = format!("{}/providers/Microsoft.Authorization/", wanted.scope("operators"));
    assert!(!of(&all, Sort::Assignment).iter().any(|given| given.id.starts_with(&own)));
}

#[test]
fn who_may_update_itself_is_given_its_own_group_and_identity_alone() {
    let before = resources(&wanted(), &facts());
    let updating = Wanted { self_update: true, ..wanted() };
    let mut more = resources(&updating, &facts());
    more.retain(|resource| !before.contains(resource));
    let scope = |resource: &Resource| {
        let (scope, _) = resource.id.split_once("/providers/Microsoft.Authorization/").unwrap();
        scope.to_owned()
    };
    let scopes: Vec<_> = more.iter().map(scope).collect();
    assert_eq!(scopes, [updating.scope("operators"), updating.identity()]);
}

#[test]
fn a_reader_reads_no_key() {
    let all = resources(&wanted(), &facts());
    let reader = wanted().readers[0].clone();
    let given: Vec<_> = of(&all, Sort::Assignment)
        .into_iter()
        .filter(|given| given.body["properties"]["principalId"] == reader.as_str())
        .collect();
    assert_eq!(given.len(), 1);
    assert!(given[0].id.contains("/containers/home/providers/"), "{}", given[0].id);
    let role = given[0].body["properties"]["roleDefinitionId"].as_str().unwrap();
    assert!(role.ends_with(rights::BLOB_READER.1), "{role}");
}

#[test]
fn what_needs_a_fact_waits_for_it() {
    let all = resources(&wanted(), &Facts::default());
    let reader = |resource: &&Resource| resource.purpose.starts_with(&wanted().readers[0]);
    for resource in &all {
        let needs = matches!(resource.sort, Sort::Assignment | Sort::Group) && !reader(&resource);
        let needs = needs && !resource.purpose.starts_with(&wanted().writers[0]);
        assert_eq!(resource.waiting, needs, "{}", resource.id);
    }
    let mut facts = Facts::default();
    facts.learn(Sort::Identity, &json!({"properties": {"principalId": "p", "clientId": "c"}}));
    let blob = json!({"properties": {"primaryEndpoints": {"blob": "https://a/"}}});
    facts.learn(Sort::Account, &blob);
    assert!(resources(&wanted(), &facts).iter().all(|resource| !resource.waiting));
}

#[test]
fn the_operator_is_told_who_it_is() {
    let all = resources(&wanted(), &facts());
    let container = &of(&all, Sort::Group)[0].body["properties"]["containers"][0]["properties"];
    let variable = |name: &str| {
        let all = container["environmentVariables"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).map_or(Value::Null, |one| one["value"].clone())
    };
    assert_eq!(variable(SELF), json!(wanted().group()));
    assert_eq!(variable("ACI_OPERATOR_HOME"), "https://account.blob.core.windows.net/home");
    assert_eq!(variable("AZURE_TOKEN_CREDENTIALS"), "prod", "never somebody's `az login`");
    assert!(of(&all, Sort::Group)[0].body["properties"].get("ipAddress").is_none());
}

#[test]
fn names_that_cannot_be_had_are_refused() {
    assert_eq!(check(&wanted()), Ok(()));
    let none = Wanted { manage: Vec::new(), ..wanted() };
    let own = Wanted { manage: vec!["OPERATORS".to_owned()], ..wanted() };
    let name = Wanted { name: "Aci_operator".to_owned(), ..wanted() };
    let account = Wanted { account: "with-hyphen".to_owned(), ..wanted() };
    let identity = Wanted { identities: vec!["app".to_owned()], ..wanted() };
    let reader = Wanted { readers: vec!["me@example.com".to_owned()], ..wanted() };
    for (wanted, field) in [
        (none, "--manage"),
        (own, "--manage"),
        (name, "--name"),
        (account, "--storage-account"),
        (identity, "--identity"),
        (reader, "--reader"),
    ] {
        assert_eq!(check(&wanted).map_err(|invalid| invalid.path), Err(field.to_owned()));
    }
}

#[test]
fn a_month_costs_what_the_price_page_says() {
    // 730 h of half a CPU at 0.0405 and half a GB at 0.00445.
    assert!((cost::group_month() - 16.41).abs() < 0.01);
}
