//! What Graph lets one do with an application, and in which words it refuses.

use super::*;

const SCOPE: &str = "11111111-1111-4111-8111-111111111111";
const CLIENT: &str = "22222222-2222-4222-8222-222222222222";

fn scopes(enabled: bool) -> Value {
    json!({"api": {"oauth2PermissionScopes":
        [{"id": SCOPE, "value": "user_impersonation", "type": "User", "isEnabled": enabled}]}})
}

fn pre_authorized(scope: &str) -> Value {
    json!({"api": {"preAuthorizedApplications": [{"appId": CLIENT, "delegatedPermissionIds": [scope]}]}})
}

#[test]
fn made_shown_changed_deleted() {
    let mut desk = Desk::prompt();
    let web = json!({"redirectUris": ["https://a.example/x"]});
    let (id, app_id) = desk.create(json!({"displayName": "a", "web": web}));
    let path = format!("applications/{id}");
    let change = json!({"tags": ["t"], "web": {"homePageUrl": "https://a.example"}, "notes": null});
    assert_eq!(desk.send("PATCH", &path, change), (204, Value::Null));
    let (status, shown) = desk.get(&format!("applications(appId='{app_id}')"));
    assert_eq!(status, 200);
    assert_eq!(shown["web"]["redirectUris"], json!(["https://a.example/x"]));
    assert_eq!(shown["web"]["homePageUrl"], json!("https://a.example"));
    assert_eq!(shown["tags"], json!(["t"]));
    assert_eq!(shown["signInAudience"], json!("AzureADMyOrg"));
    assert_eq!(shown["id"], json!(id));
    // A client may send back what it read.
    assert_eq!(desk.send("PATCH", &path, shown.clone()), (204, Value::Null));
    assert_eq!(desk.get(&path).1, shown);
    assert_eq!(desk.send("DELETE", &path, Value::Null), (204, Value::Null));
    let gone = desk.get(&path);
    assert_eq!(code(&gone), (404, "Request_ResourceNotFound"));
    assert!(gone.1["error"]["message"].as_str().unwrap().contains(&id));
}

#[test]
fn refusals_have_the_shape_of_graph() {
    let mut desk = Desk::prompt();
    let request = GraphRequest {
        method: "GET".to_owned(),
        path: "/v1.0/applications/none".to_owned(),
        headers: BTreeMap::from([("client-request-id".to_owned(), "mine".to_owned())]),
        body: None,
        caller: Caller::Owner,
    };
    let answer = desk.directory.handle(desk.now, &request);
    let inner = &answer.body.unwrap()["error"]["innerError"];
    assert_eq!(inner["date"], "2027-01-15T08:00:00");
    assert_eq!(inner["client-request-id"], "mine");
    let header = |name: &str| answer.headers.iter().find(|(known, _)| known == name).unwrap();
    assert_eq!(inner["request-id"], header("request-id").1);
    assert_eq!(header("client-request-id").1, "mine");
}

#[test]
fn reads_are_late() {
    let mut desk = Desk::late(TimeDelta::seconds(2));
    let (id, app_id) = desk.create(json!({"displayName": "a"}));
    let path = format!("applications/{id}");
    let filter = format!("applications?$filter=appId eq '{app_id}'");
    assert_eq!(code(&desk.get(&path)), (404, "Request_ResourceNotFound"));
    assert_eq!(desk.get(&filter).1["value"], json!([]));
    let by_app_id = format!("applications(appId='{app_id}')");
    assert_eq!(code(&desk.send("PATCH", &by_app_id, json!({"notes": "n"}))).0, 404);
    assert_eq!(desk.send("POST", &format!("{path}/addPassword"), json!({})).0, 200);
    let early = desk.send("POST", "servicePrincipals", json!({"appId": app_id}));
    assert_eq!(code(&early), (400, "Request_BadRequest"));
    assert_eq!(early.1["error"]["details"][0]["code"], "NoBackingApplicationObject");
    desk.wait(TimeDelta::seconds(2));
    assert_eq!(desk.send("PATCH", &path, json!({"displayName": "b"})).0, 204);
    assert_eq!(desk.send("PATCH", &path, json!({"notes": "n"})).0, 204);
    assert_eq!(desk.get(&path).1["displayName"], "a");
    desk.wait(TimeDelta::seconds(2));
    let (_, shown) = desk.get(&path);
    assert_eq!((&shown["displayName"], &shown["notes"]), (&json!("b"), &json!("n")));
    assert_eq!(desk.get(&filter).1["value"][0]["id"], json!(id));
    assert_eq!(desk.send("POST", "servicePrincipals", json!({"appId": app_id})).0, 201);
}

#[test]
fn an_upsert_makes_one() {
    let mut desk = Desk::late(TimeDelta::seconds(2));
    let (status, made) = desk.upsert("one", json!({"displayName": "a"}));
    assert_eq!((status, &made["uniqueName"]), (201, &json!("one")));
    // Not shown yet, so it would be made again: the name forbids it.
    let early = desk.upsert("one", json!({"displayName": "a"}));
    assert_eq!(code(&early), (400, "Request_BadRequest"));
    desk.wait(TimeDelta::seconds(2));
    assert_eq!(desk.upsert("one", json!({"displayName": "b"})), (204, Value::Null));
    let other = desk.send("PATCH", "applications(uniqueName='two')", json!({"displayName": "b"}));
    assert_eq!(code(&other).0, 404);
    let id = made["id"].as_str().unwrap();
    let rename = desk.send("PATCH", &format!("applications/{id}"), json!({"uniqueName": "two"}));
    assert_eq!(code(&rename).0, 400);
    assert_eq!(code(&desk.upsert("two", json!({}))), (400, "Request_BadRequest"));
    desk.wait(TimeDelta::seconds(2));
    let named: Vec<Value> =
        desk.get("applications?$filter=uniqueName ne null&$select=displayName").1["value"]
            .as_array()
            .unwrap()
            .clone();
    assert_eq!(named, [json!({"displayName": "b"})]);
}

#[test]
fn an_enabled_permission_stays() {
    let mut desk = Desk::prompt();
    let (id, _) = desk.create(json!({"displayName": "a"}));
    let path = format!("applications/{id}");
    let none = json!({"api": {"oauth2PermissionScopes": []}});
    assert_eq!(desk.send("PATCH", &path, scopes(true)).0, 204);
    let refused = desk.send("PATCH", &path, none.clone());
    assert_eq!(code(&refused), (400, "CannotDeleteOrUpdateEnabledEntitlement"));
    assert_eq!(desk.send("PATCH", &path, scopes(false)).0, 204);
    assert_eq!(desk.send("PATCH", &path, none).0, 204);
    let role = json!({"id": SCOPE, "value": "Read", "displayName": "Read", "description": "d",
        "isEnabled": true, "allowedMemberTypes": ["User", "Application"]});
    assert_eq!(desk.send("PATCH", &path, json!({"appRoles": [role]})).0, 204);
    let refused = desk.send("PATCH", &path, json!({"appRoles": []}));
    assert_eq!(refused.1["error"]["details"][0]["target"], "appRoles");
    let twice = desk.send("PATCH", &path, json!({"appRoles": [role, role]}));
    assert_eq!(code(&twice), (400, "Request_BadRequest"));
}

#[test]
fn a_scope_is_there_before_a_client_is_pre_authorized_for_it() {
    let mut desk = Desk::late(TimeDelta::seconds(2));
    let (id, app_id) = desk.create(json!({"displayName": "a"}));
    let path = format!("applications/{id}");
    desk.wait(TimeDelta::seconds(2));
    let mut both = scopes(true);
    both["api"]["preAuthorizedApplications"] =
        pre_authorized(SCOPE)["api"]["preAuthorizedApplications"].clone();
    assert_eq!(code(&desk.send("PATCH", &path, both)), (400, "InvalidValue"));
    assert_eq!(desk.send("PATCH", &path, scopes(true)).0, 204);
    assert_eq!(code(&desk.send("PATCH", &path, pre_authorized(SCOPE))).0, 400);
    desk.wait(TimeDelta::seconds(2));
    assert_eq!(code(&desk.send("PATCH", &path, pre_authorized(CLIENT))).0, 400);
    assert_eq!(desk.send("PATCH", &path, pre_authorized(SCOPE)).0, 204);
    let consents = |desk: &Desk| {
        let (client, app) = (CLIENT.parse().unwrap(), app_id.parse().unwrap());
        desk.directory.consents(client, app, Uuid::nil())
    };
    assert!(consents(&desk).contains("user_impersonation"));
    // Both stay: the rest of `api` is merged, not replaced.
    let version = json!({"api": {"requestedAccessTokenVersion": 2}});
    assert_eq!(desk.send("PATCH", &path, version).0, 204);
    assert!(consents(&desk).contains("user_impersonation"));
}

#[test]
fn what_is_refused() {
    let mut desk = Desk::prompt();
    let (id, app_id) = desk.create(json!({"displayName": "a"}));
    let own = json!([format!("api://{app_id}")]);
    assert_eq!(
        desk.send("PATCH", &format!("applications/{id}"), json!({"identifierUris": own})).0,
        204
    );
    let (other, _) = desk.create(json!({"displayName": "b"}));
    let path = format!("applications/{other}");
    for (body, part) in [
        (json!({"displayName": ""}), "displayName"),
        (json!({"nope": 1}), "Invalid property 'nope'"),
        (json!({"web": {"nope": 1}}), "Unexpected contents"),
        (json!({"tags": "no list"}), "Unexpected contents"),
        (json!({"appId": CLIENT}), "read-only"),
        (json!({"passwordCredentials": [{"secretText": "x"}]}), "read-only"),
        (json!({"identifierUris": ["api://made-up"]}), "identifier-uri-addition-error"),
        (
            json!({"identifierUris": own, "api": {"requestedAccessTokenVersion": 2}}),
            "identifierUris already",
        ),
        (json!({"web": {"redirectUris": ["http://a.example"]}}), "web.redirectUris"),
        (json!({"spa": {"redirectUris": ["https://a/#b"]}}), "spa.redirectUris"),
        (
            json!({"spa": {"redirectUris": ["https://a/"]}, "web": {"redirectUris": ["https://a/"]}}),
            "distinct",
        ),
        (json!({"api": {"requestedAccessTokenVersion": 3}}), "requestedAccessTokenVersion"),
        (Value::Null, "Empty Payload"),
    ] {
        let (status, answer) = desk.send("PATCH", &path, body.clone());
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(status, 400, "{body}");
        assert!(message.contains(part), "{body}: {message}");
    }
    assert_eq!(code(&desk.send("POST", "applications", json!({}))).0, 400);
    assert_eq!(code(&desk.send("PUT", "applications", json!({}))).0, 405);
    assert_eq!(code(&desk.get("groups")), (400, "BadRequest"));
    assert_eq!(code(&desk.get("applications?$select=nope")), (400, "BadRequest"));
    assert_eq!(code(&desk.get("applications?$filter=nope eq 'x'")), (400, "BadRequest"));
    assert_eq!(code(&desk.get("applications?$top=1000")).0, 400);
    assert_eq!(code(&desk.get("applications?$expand=owners")).0, 400);
}

#[test]
fn pages_follow_one_another() {
    let mut desk = Desk::prompt();
    for n in 0..7 {
        desk.create(json!({"displayName": format!("api {n}")}));
    }
    let mut names = Vec::new();
    let mut next = Some(
        "applications?$filter=startswith(displayName,'API')&$top=3&$select=displayName".to_owned(),
    );
    let mut pages = 0;
    while let Some(path) = next {
        let (_, page) = desk.get(&path);
        names
            .extend(page["value"].as_array().unwrap().iter().map(|one| one["displayName"].clone()));
        let base = "https://graph.test/v1.0/";
        next = page["@odata.nextLink"]
            .as_str()
            .map(|link| link.strip_prefix(base).unwrap().to_owned());
        pages += 1;
    }
    names.sort_by_key(Value::to_string);
    let expected: Vec<Value> = (0..7).map(|n| json!(format!("api {n}"))).collect();
    assert_eq!((pages, names), (3, expected));
}
