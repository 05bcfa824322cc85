//! Service principals, what they may do, and the recycle bin.

use super::*;

const SCOPE: &str = "11111111-1111-4111-8111-111111111111";

impl Desk {
    /// The service principal of an application: its object id.
    fn principal(&mut self, app_id: &str) -> String {
        let (status, made) = self.send("POST", "servicePrincipals", json!({"appId": app_id}));
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    fn client(&self) -> Uuid {
        self.directory.settings().client
    }

    /// Object id of the client's own service principal.
    fn own_id(&self) -> String {
        self.directory.service_principal(&self.client().to_string()).unwrap().id.to_string()
    }
}

#[test]
fn one_for_an_application() {
    let mut desk = Desk::prompt();
    let (id, app_id) = desk.create(json!({"displayName": "a"}));
    let principal = desk.principal(&app_id);
    let again = desk.send("POST", "servicePrincipals", json!({"appId": app_id}));
    assert_eq!(code(&again), (409, "Request_MultipleObjectsWithSameKeyValue"));
    let uris = json!({"identifierUris": [format!("api://{app_id}")]});
    assert_eq!(desk.send("PATCH", &format!("applications/{id}"), uris).0, 204);
    let filter =
        format!("servicePrincipals?$filter=servicePrincipalNames/any(c:c eq 'api://{app_id}')");
    let (_, found) = desk.get(&filter);
    assert_eq!(found["value"][0]["id"], json!(principal));
    assert_eq!(found["value"][0]["appDisplayName"], "a");
    let path = format!("servicePrincipals/{principal}");
    assert_eq!(desk.send("PATCH", &path, json!({"tags": ["t"]})).0, 204);
    assert_eq!(desk.get(&format!("servicePrincipals(appId='{app_id}')")).1["tags"], json!(["t"]));
    assert_eq!(desk.send("DELETE", &path, Value::Null).0, 204);
    assert_eq!(code(&desk.get(&path)).0, 404);
}

#[test]
fn deleted_restored_and_gone() {
    let mut desk = Desk::prompt();
    let (status, made) = desk.upsert("one", json!({"displayName": "a"}));
    assert_eq!(status, 201);
    let (id, app_id) = (made["id"].as_str().unwrap(), made["appId"].as_str().unwrap());
    let principal = desk.principal(app_id);
    desk.send("DELETE", &format!("applications/{id}"), Value::Null);
    let blocked = desk.upsert("one", json!({"displayName": "a"}));
    assert_eq!(code(&blocked), (400, "Request_BadRequest"));
    assert_eq!(
        blocked.1["error"]["message"],
        "Another object with the same value for property uniqueName already exists."
    );

    let bin = "directory/deletedItems";
    let filter = format!("{bin}/microsoft.graph.application?$filter=uniqueName eq 'one'");
    assert_eq!(desk.get(&filter).1["value"][0]["id"], id);
    let principals = format!("{bin}/microsoft.graph.servicePrincipal");
    assert_eq!(desk.get(&principals).1["value"][0]["id"], json!(principal));
    // Not before its application.
    let early = desk.send("POST", &format!("{bin}/{principal}/restore"), Value::Null);
    assert_eq!(early.1["error"]["details"][0]["code"], "NoBackingApplicationObject");
    assert_eq!(desk.send("POST", &format!("{bin}/{id}/restore"), Value::Null).0, 200);
    assert_eq!(desk.get(&format!("applications/{id}")).0, 200);
    assert_eq!(desk.get(&format!("servicePrincipals/{principal}")).0, 404);
    assert_eq!(desk.send("POST", &format!("{bin}/{principal}/restore"), Value::Null).0, 200);
    assert_eq!(desk.get(&format!("servicePrincipals/{principal}")).0, 200);

    desk.send("DELETE", &format!("applications/{id}"), Value::Null);
    assert_eq!(desk.get(&format!("{bin}/{id}")).1["@odata.type"], "#microsoft.graph.application");
    desk.wait(TimeDelta::days(30));
    assert_eq!(code(&desk.get(&format!("{bin}/{id}"))).0, 404);
    assert_eq!(desk.upsert("one", json!({"displayName": "a"})).0, 201);

    let (id, _) = desk.create(json!({"displayName": "b"}));
    desk.send("DELETE", &format!("applications/{id}"), Value::Null);
    assert_eq!(desk.send("DELETE", &format!("{bin}/{id}"), Value::Null).0, 204);
    assert_eq!(code(&desk.send("POST", &format!("{bin}/{id}/restore"), Value::Null)).0, 404);
}

#[test]
fn rights() {
    let mut desk = Desk::prompt();
    let (foreign, foreign_app) = desk.create(json!({"displayName": "foreign"}));
    desk.caller = Caller::OwnedBy(desk.client());
    let (own, own_app) = desk.create(json!({"displayName": "own"}));
    let me = desk.own_id();
    assert_eq!(desk.get(&format!("applications/{own}/owners")).1["value"][0]["id"], json!(me));
    let name = json!({"displayName": "c"});
    let denied = "Authorization_RequestDenied";
    for (path, id, expected) in [("applications", &own, 204), ("applications", &foreign, 403)] {
        assert_eq!(desk.send("PATCH", &format!("{path}/{id}"), name.clone()).0, expected);
    }
    assert_eq!(desk.get(&format!("applications/{foreign}")).0, 200);
    assert_eq!(desk.send("POST", &format!("applications/{foreign}/addPassword"), json!({})).0, 403);
    assert_eq!(
        code(&desk.send("DELETE", &format!("applications/{foreign}"), Value::Null)),
        (403, denied)
    );
    let principal = |app: &str| json!({"appId": app});
    assert_eq!(desk.send("POST", "servicePrincipals", principal(&foreign_app)).0, 403);
    assert_eq!(desk.send("POST", "servicePrincipals", principal(&own_app)).0, 201);
    let consent =
        json!({"clientId": me, "consentType": "AllPrincipals", "resourceId": me, "scope": "x"});
    assert_eq!(code(&desk.send("POST", "oauth2PermissionGrants", consent)), (403, denied));

    desk.caller = Caller::Owner;
    let reference = json!({"@odata.id": format!("https://graph.test/v1.0/directoryObjects/{me}")});
    let owners = format!("applications/{foreign}/owners");
    assert_eq!(desk.send("POST", &format!("{owners}/$ref"), reference.clone()).0, 204);
    assert_eq!(desk.send("POST", &format!("{owners}/$ref"), reference).0, 400);
    desk.caller = Caller::OwnedBy(desk.client());
    assert_eq!(desk.send("PATCH", &format!("applications/{foreign}"), name.clone()).0, 204);
    assert_eq!(desk.send("DELETE", &format!("{owners}/{me}/$ref"), Value::Null).0, 204);
    assert_eq!(desk.send("PATCH", &format!("applications/{foreign}"), name).0, 403);

    desk.caller = Caller::None;
    assert_eq!(code(&desk.get("applications")), (403, denied));
}

#[test]
fn rights_come_from_assignments() {
    let mut desk = Desk::prompt();
    let identity = desk.directory.settings().managed_identity;
    assert_eq!(desk.directory.caller(desk.client()), Caller::Owner);
    assert_eq!(desk.directory.caller(identity), Caller::None);
    let id = |desk: &Desk, app_id: Uuid| {
        desk.directory.service_principal(&app_id.to_string()).unwrap().id
    };
    let (graph, principal) = (id(&desk, GRAPH_APP_ID), id(&desk, identity));
    let path = format!("servicePrincipals/{graph}/appRoleAssignedTo");
    let role = app_roles::APPLICATION_READ_WRITE_OWNED_BY;
    let body = json!({"principalId": principal, "resourceId": graph, "appRoleId": role});
    let (status, made) = desk.send("POST", &path, body.clone());
    assert_eq!((status, &made["resourceDisplayName"]), (201, &json!("Microsoft Graph")));
    assert_eq!(desk.directory.caller(identity), Caller::OwnedBy(identity));
    assert_eq!(desk.directory.roles(GRAPH_APP_ID, principal), ["Application.ReadWrite.OwnedBy"]);
    assert_eq!(code(&desk.send("POST", &path, body)), (400, "Request_BadRequest"));
    let unknown = json!({"principalId": principal, "resourceId": graph, "appRoleId": SCOPE});
    assert_eq!(code(&desk.send("POST", &path, unknown)).0, 400);
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    assert_eq!(desk.send("DELETE", &one, Value::Null).0, 204);
    assert_eq!(desk.directory.caller(identity), Caller::None);
    let assigned = desk.get(&path).1["value"].as_array().unwrap().len();
    assert_eq!(assigned, 3);
}

#[test]
fn consent() {
    let mut desk = Desk::prompt();
    let scopes = json!({"oauth2PermissionScopes": [{"id": SCOPE, "value": "read", "type": "User", "isEnabled": true}]});
    let (_, api) = desk.create(json!({"displayName": "api", "api": scopes}));
    let (_, page) = desk.create(json!({"displayName": "page"}));
    let marie = desk.directory.users()[0].clone();
    let [api_id, page_id]: [Uuid; 2] = [&api, &page].map(|id| id.parse().unwrap());
    let has = |desk: &Desk, user: Uuid| desk.directory.consents(page_id, api_id, user).len();
    assert_eq!(has(&desk, marie.id), 0);
    desk.directory.grant_consent(desk.now, page_id, api_id, Some(marie.id), &["read".to_owned()]);
    desk.directory.grant_consent(
        desk.now,
        page_id,
        api_id,
        Some(marie.id),
        &["read".to_owned(), "write".to_owned()],
    );
    assert_eq!((has(&desk, marie.id), has(&desk, Uuid::nil())), (2, 0));
    let (_, grants) =
        desk.get(&format!("users/{}/oauth2PermissionGrants", marie.user_principal_name));
    assert_eq!(grants["value"][0]["scope"], "read write");

    let id = |desk: &Desk, app_id: &str| desk.directory.service_principal(app_id).unwrap().id;
    let body = json!({"clientId": id(&desk, &page), "resourceId": id(&desk, &api),
        "consentType": "AllPrincipals", "scope": "read"});
    let (status, made) = desk.send("POST", "oauth2PermissionGrants", body.clone());
    assert_eq!(status, 201);
    assert_eq!(code(&desk.send("POST", "oauth2PermissionGrants", body)).0, 409);
    assert_eq!(has(&desk, Uuid::nil()), 1);
    let one = format!("oauth2PermissionGrants/{}", made["id"].as_str().unwrap());
    assert_eq!(desk.send("PATCH", &one, json!({"scope": "read more"})).0, 204);
    assert_eq!(has(&desk, Uuid::nil()), 2);
    assert_eq!(desk.send("DELETE", &one, Value::Null).0, 204);
    assert_eq!(has(&desk, Uuid::nil()), 0);
}

#[test]
fn credentials() {
    let mut desk = Desk::prompt();
    let (id, app_id) = desk.create(json!({"displayName": "a"}));
    let path = format!("applications/{id}");
    let named = json!({"passwordCredential": {"displayName": "ci"}});
    let (status, made) = desk.send("POST", &format!("{path}/addPassword"), named);
    assert_eq!((status, &made["endDateTime"]), (200, &json!("2029-01-15T08:00:00Z")));
    let secret = made["secretText"].as_str().unwrap().to_owned();
    let (_, again) = desk.send("POST", &format!("{path}/addPassword"), Value::Null);
    assert_ne!(again["secretText"], json!(secret));
    let accepts = |desk: &Desk, text: &str| {
        desk.directory.application_by_app_id(&app_id).unwrap().accepts_secret(desk.now, text)
    };
    assert!(accepts(&desk, &secret) && !accepts(&desk, "wrong"));
    let (_, shown) = desk.get(&path);
    assert_eq!(shown["passwordCredentials"][0]["displayName"], "ci");
    assert!(!shown.to_string().contains(&secret));
    let saved = serde_json::to_string(&desk.directory).unwrap();
    assert!(!saved.contains(&secret));
    let key = json!({"keyId": made["keyId"]});
    assert_eq!(desk.send("POST", &format!("{path}/removePassword"), key.clone()).0, 204);
    assert_eq!(code(&desk.send("POST", &format!("{path}/removePassword"), key)).0, 400);
    assert!(!accepts(&desk, &secret));

    let federated = format!("{path}/federatedIdentityCredentials");
    let body = json!({"name": "ci", "issuer": "https://issuer.example", "subject": "job",
        "audiences": ["api://AzureADTokenExchange"]});
    assert_eq!(desk.send("POST", &federated, body.clone()).0, 201);
    assert_eq!(code(&desk.send("POST", &federated, body)).0, 409);
    assert_eq!(desk.send("PATCH", &format!("{federated}/ci"), json!({"subject": "other"})).0, 204);
    assert_eq!(desk.get(&federated).1["value"][0]["subject"], "other");
    assert_eq!(desk.send("PATCH", &format!("{federated}/ci"), json!({"name": "cd"})).0, 400);
    assert_eq!(desk.send("DELETE", &format!("{federated}/ci"), Value::Null).0, 204);
    assert_eq!(desk.get(&federated).1["value"], json!([]));
}

#[test]
fn users_are_those_of_the_tenant() {
    let mut desk = Desk::prompt();
    let (_, users) = desk.get("users?$select=displayName,userType");
    assert_eq!(users["value"].as_array().unwrap().len(), 3);
    assert!(!users.to_string().contains("Olga"));
    let (_, guest) = desk.get("users/gustav_example.org%23EXT%23@example.com");
    assert_eq!(guest["userType"], "Guest");
}

#[test]
fn everything_survives_a_restart_and_nothing_a_reset() {
    let mut desk = Desk::prompt();
    let (id, _) = desk.create(json!({"displayName": "a"}));
    let saved = serde_json::to_vec(&desk.directory).unwrap();
    desk.directory = Directory::restore(desk.directory.settings().clone(), &saved).unwrap();
    assert_eq!(desk.get(&format!("applications/{id}")).0, 200);
    desk.directory.wipe();
    assert_eq!(desk.get(&format!("applications/{id}")).0, 404);
    assert_eq!(desk.directory.caller(desk.client()), Caller::Owner);
    assert_ne!(desk.create(json!({"displayName": "a"})).0, id);
}
