//! Tokens that no browser asks for: applications, on-behalf-of, devices.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Fields, ORIGIN, Tenant, claims};
use crate::emulator::local::{Arm, Local, answer};

const ROLE: &str = "40110000-0000-4000-8000-000000000001";

/// Gives an application a secret.
async fn secret(tenant: &Tenant<'_>, application: &Value) -> String {
    let path = format!("applications/{}/addPassword", application["id"].as_str().unwrap());
    let made = tenant.graph(Method::POST, &path, &json!({})).await;
    made["secretText"].as_str().unwrap().to_owned()
}

fn id(application: &Value) -> &str {
    application["appId"].as_str().unwrap()
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn an_application_gets_tokens_of_its_own() {
    let local = Local::start().await;
    let tenant = Tenant::furnish(&local).await;
    let role = json!({"id": ROLE, "value": "Jobs.Run", "displayName": "Run jobs",
        "description": "Run jobs", "isEnabled": true, "allowedMemberTypes": ["Application"]});
    tenant.change_api(json!({"appRoles": [role]})).await;
    let daemon = tenant.register(json!({"displayName": "daemon"})).await;
    let secret = secret(&tenant, &daemon).await;
    let ask = async |secret: &str, scope: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id(&daemon)),
            ("client_secret", secret),
            ("scope", scope),
        ];
        tenant.token(&form, None).await
    };
    let default = format!("{}/.default", tenant.uri());
    let (_, bare) = ask(&secret, &default).await;
    assert_eq!(claims(bare["access_token"].as_str().unwrap())["roles"], Value::Null);

    let principal = &daemon["principal"]["id"];
    let resource = &tenant.api["principal"]["id"];
    let body = json!({"principalId": principal, "resourceId": resource, "appRoleId": ROLE});
    let path = format!("servicePrincipals/{}/appRoleAssignedTo", resource.as_str().unwrap());
    tenant.graph(Method::POST, &path, &body).await;
    let (_, answer) = ask(&secret, &default).await;
    let access = tenant.verified(answer["access_token"].as_str().unwrap()).await;
    assert_eq!((&access["roles"], &access["scp"]), (&json!(["Jobs.Run"]), &Value::Null));
    assert_eq!((&access["oid"], &access["sub"]), (principal, principal));
    assert_eq!((&access["azp"], &access["azpacr"]), (&daemon["appId"], &json!("1")));

    for (secret, scope, number) in [
        ("wrong", default.as_str(), 7_000_215),
        (&secret, &tenant.scope(), 1_002_012),
        (&secret, "openid", 1_002_012),
        (&secret, "api://nobody/.default", 500_011),
    ] {
        let (_, refused) = ask(secret, scope).await;
        assert_eq!(refused["error_codes"], json!([number]), "{scope}");
    }

    // ARM knows who it is, and that it has no role there; Graph likewise.
    let (_, management) = ask(&secret, "https://management.azure.com/.default").await;
    let arm = Arm { local: &local, token: management["access_token"].as_str().unwrap().into() };
    let (status, refused) = arm.get("").await;
    assert_eq!((status.as_u16(), &refused["error"]["code"]), (403, &json!("AuthorizationFailed")));
    local.stop().await;
}

#[tokio::test]
async fn version_one_and_federation() {
    let local = Local::start().await;
    let tenant = Tenant::furnish(&local).await;
    tenant.change_api(json!({"api": {"requestedAccessTokenVersion": null}})).await;
    let workload = tenant.register(json!({"displayName": "workload"})).await;
    let federated = std::fs::read_to_string(&local.endpoints.federated_token).unwrap();
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let scope = format!("{}/.default", tenant.uri());
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id(&workload)),
        ("client_assertion_type", kind),
        ("client_assertion", &federated),
        ("scope", &scope),
    ];
    assert_eq!(tenant.token(&form, None).await.1["error_codes"], json!([700_213]));
    let token = claims(&federated);
    let trust = json!({"name": "cluster", "issuer": token["iss"], "subject": token["sub"],
        "audiences": token["aud"]});
    let path =
        format!("applications/{}/federatedIdentityCredentials", workload["id"].as_str().unwrap());
    tenant.graph(Method::POST, &path, &trust).await;
    let (status, answer) = tenant.token(&form, None).await;
    assert_eq!(status, 200, "{answer}");
    let access = claims(answer["access_token"].as_str().unwrap());
    assert_eq!(access["aud"], tenant.uri());
    assert_eq!(access["iss"], format!("{}/", tenant.authority));
    assert_eq!((&access["ver"], &access["appidacr"]), (&json!("1.0"), &json!("2")));
    assert_eq!((&access["appid"], &access["azp"]), (&workload["appId"], &Value::Null));
    local.stop().await;
}

#[tokio::test]
async fn an_api_calls_another_for_its_user() {
    let local = Local::start().await;
    let tenant = Tenant::furnish(&local).await;
    let secret = secret(&tenant, &tenant.api).await;
    let user = tenant.signed_in("marie@example.com").await;
    let ask = async |assertion: &str, client: &Value, scope: &str| {
        let form = fields(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("requested_token_use", "on_behalf_of"),
            ("client_id", id(client)),
            ("client_secret", &secret),
            ("assertion", assertion),
            ("scope", scope),
        ]);
        tenant.answered("oauth2/v2.0/token", &form, None).await
    };
    let access = user["access_token"].as_str().unwrap();
    let (_, refused) = ask(access, &tenant.api, "User.Read").await;
    assert_eq!(refused["error_codes"], json!([65_001]));
    let graph = tenant
        .graph_get("servicePrincipals?$filter=appId%20eq%20'00000003-0000-0000-c000-000000000000'")
        .await;
    let grant = json!({"clientId": tenant.api["principal"]["id"], "consentType": "AllPrincipals",
        "resourceId": graph["value"][0]["id"], "scope": "User.Read"});
    tenant.graph(Method::POST, "oauth2PermissionGrants", &grant).await;
    let (status, given) = ask(access, &tenant.api, "User.Read").await;
    assert_eq!(status, 200, "{given}");
    let further = given["access_token"].as_str().unwrap();
    let before = claims(access);
    let after = claims(further);
    assert_eq!((&after["oid"], &after["scp"]), (&before["oid"], &json!("User.Read")));
    assert_eq!(after["appid"], tenant.api["appId"]);
    // A user's token is not the application's own: Graph does not let it change the directory.
    let url = format!("{}/v1.0/applications", local.endpoints.graph);
    assert_eq!(answer(tenant.http.get(url).bearer_auth(further)).await.0, 403);

    let own = tenant.local.token_for("https://graph.microsoft.com/.default").await;
    for assertion in [further, own.as_str(), "rubbish", user["id_token"].as_str().unwrap()] {
        let (_, refused) = ask(assertion, &tenant.api, "User.Read").await;
        assert_eq!(refused["error_codes"], json!([50_013]));
    }
    local.stop().await;
}

#[tokio::test]
async fn a_device_waits_for_its_user() {
    let local = Local::start().await;
    let tenant = Tenant::furnish(&local).await;
    let path = format!("applications/{}", tenant.spa["id"].as_str().unwrap());
    let client = id(&tenant.spa);
    let start = async |more: &[(&str, &str)]| {
        let scope = tenant.scope();
        let mut form = fields(&[("client_id", client), ("scope", &scope)]);
        form.extend(fields(more));
        tenant.answered("oauth2/v2.0/devicecode", &form, None).await.1
    };
    let poll = async |started: &Value| {
        let form = fields(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", client),
            ("device_code", started["device_code"].as_str().unwrap()),
        ]);
        tenant.answered("oauth2/v2.0/token", &form, None).await
    };
    let hinted = start(&[("login_hint", "marie@example.com")]).await;
    assert_eq!(poll(&hinted).await.1["error_codes"], json!([7_000_218]));
    tenant.graph(Method::PATCH, &path, &json!({"isFallbackPublicClient": true})).await;
    let (status, given) = poll(&hinted).await;
    assert_eq!(status, 200, "{given}");
    let access = tenant.verified(given["access_token"].as_str().unwrap()).await;
    assert_eq!(access["preferred_username"], "marie@example.com");
    let stranger = start(&[("login_hint", "olga@example.org")]).await;
    assert_eq!(stranger["error_codes"], json!([50_020]));

    let form = fields(&[("client_id", client), ("scope", &tenant.scope())]);
    let (_, crossing) = tenant.answered("oauth2/v2.0/devicecode", &form, Some(ORIGIN)).await;
    assert_eq!(crossing["error_codes"], json!([9_002_326]));

    let started = start(&[]).await;
    assert_eq!(poll(&started).await.1["error"], "authorization_pending");
    let page = started["verification_uri"].as_str().unwrap();
    let html = tenant.http.get(page).send().await.unwrap().text().await.unwrap();
    assert!(html.contains("name=\"code\"") && html.contains("marie@example.com"), "{html}");
    let code = started["user_code"].as_str().unwrap();
    let typed = fields(&[("code", code), ("user", "marie@example.com")]);
    assert_eq!(tenant.post("oauth2/deviceauth", &typed, None).await.status(), 200);
    assert_eq!(poll(&started).await.0, 200);
    assert_eq!(poll(&started).await.1["error"], "bad_verification_code");
    assert_eq!(tenant.post("oauth2/deviceauth", &typed, None).await.status(), 400);
    local.stop().await;
}
