use super::*;

#[test]
fn made_shown_changed_deleted() {
    let mut desk = Desk::prompt();
    let (id, app_id) =
        desk.create(json!({"displayName": "a", "web": {"redirectUris": ["https://a.example/x"]}}));
    let path = format!("applications/{id}");
    let change = json!({"tags": ["t"], "web": {"homePageUrl": "https://a.example"}});
    assert_eq!(desk.send("PATCH", &path, change), (204, Value::Null));
    let (status, shown) = desk.get(&format!("applications(appId='{app_id}')"));
    assert_eq!(status, 200);
    assert_eq!(shown["web"]["redirectUris"], json!(["https://a.example/x"]));
    assert_eq!(shown["web"]["homePageUrl"], json!("https://a.example"));
    assert_eq!(shown["tags"], json!(["t"]));
    assert_eq!(desk.send("DELETE", &path, Value::Null), (204, Value::Null));
    let gone = desk.get(&path);
    assert_eq!(code(&gone), (404, "Request_ResourceNotFound"));
    assert!(gone.1["error"]["message"].as_str().unwrap().contains(&id));
}

#[test]
fn reads_are_late() {
    let mut desk = Desk::late(TimeDelta::seconds(2));
    let (id, app_id) = desk.create(json!({"displayName": "a"}));
    let path = format!("applications/{id}");
    assert_eq!(code(&desk.get(&path)), (404, "Request_ResourceNotFound"));
    let early = desk.send("POST", "servicePrincipals", json!({"appId": app_id}));
    assert_eq!(code(&early), (400, "Request_BadRequest"));
    assert_eq!(early.1["error"]["details"][0]["code"], "NoBackingApplicationObject");
    desk.wait(TimeDelta::seconds(2));
    assert_eq!(desk.send("PATCH", &path, json!({"displayName": "b"})).0, 204);
    assert_eq!(desk.get(&path).1["displayName"], "a");
    desk.wait(TimeDelta::seconds(2));
    assert_eq!(desk.get(&path).1["displayName"], "b");
    assert_eq!(desk.send("POST", "servicePrincipals", json!({"appId": app_id})).0, 201);
}
