//! Sign-in over its real wire: pages, codes, tokens, consent, machines, keys.

mod machines;
mod support;

use serde_json::{Value, json};

use aci_operator::emulator::Client;

use self::support::{BACK, ORIGIN, Tenant, VERIFIER, claims, pairs};
use super::local::{Local, clock, injection};

#[tokio::test]
async fn a_browser_signs_in() {
    let local = Local::start().await;
    let tenant = Tenant::furnish(&local).await;
    let asked = tenant.question(&[("state", "a&b=\"<x>"), ("nonce", "n-1")]);

    let page = tenant.ask(&asked, "fr-CH,fr").await;
    assert_eq!(page.status(), 200);
    let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(policy.contains(&format!("form-action 'self' {ORIGIN};")), "{policy}");
    assert_eq!(
        (header("cache-control"), header("referrer-policy")),
        ("no-store".into(), "same-origin".into())
    );
    assert!(!page.headers().contains_key("cross-origin-opener-policy"));
    let html = page.text().await.unwrap();
    assert!(html.contains("lang=\"fr\"") && html.contains("aucun mot de passe"), "{html}");
    assert!(html.contains("value=\"a&amp;b=&quot;&lt;x&gt;\"") && !html.contains("<script"));
    for user in ["marie@example.com", "nora@example.com", "gustav@example.org", "olga@example.org"]
    {
        assert!(html.contains(&format!("name=\"user\" value=\"{user}\"")), "{user}");
    }
    let english = tenant.ask(&asked, "en").await.text().await.unwrap();
    assert!(english.contains("no password is needed"));

    let sent = tenant.pick(&asked, "marie@example.com").await;
    assert_eq!(sent.status(), 303);
    assert!(!sent.headers().contains_key("cross-origin-opener-policy"));
    let location = sent.headers()["location"].to_str().unwrap();
    assert!(location.starts_with(&format!("{BACK}?code=")), "{location}");
    let told = pairs(location);
    assert_eq!(told["state"], "a&b=\"<x>");

    let code = &told["code"];
    let form = tenant.redemption(code);
    assert_eq!(tenant.token(&form, None).await.1["error_codes"], json!([9_002_327]));
    let wrong: Vec<_> =
        form.iter().map(|(n, v)| (*n, if *n == "code_verifier" { "guess" } else { v })).collect();
    assert_eq!(tenant.token(&wrong, Some(ORIGIN)).await.1["error_codes"], json!([501_481]));
    let (status, answer) = tenant.token(&form, Some(ORIGIN)).await;
    assert_eq!(status, 200, "{answer}");
    let (again, refused) = tenant.token(&form, Some(ORIGIN)).await;
    assert_eq!((again, &refused["error"]), (400, &json!("invalid_grant")));
    assert_eq!(refused["error_codes"], json!([54_005]));

    assert_eq!(answer["scope"], tenant.scope());
    let access = tenant.verified(answer["access_token"].as_str().unwrap()).await;
    let marie = tenant.user("marie@example.com").await;
    let issuer = format!("{}/v2.0", tenant.authority);
    for (claim, expected) in [
        ("aud", &tenant.api["appId"]),
        ("iss", &json!(issuer)),
        ("tid", &json!(local.variable("AZURE_TENANT_ID"))),
        ("oid", &marie["id"]),
        ("azp", &tenant.spa["appId"]),
        ("azpacr", &json!("0")),
        ("scp", &json!("user_impersonation")),
        ("ver", &json!("2.0")),
        ("name", &json!("Marie Martin")),
        ("preferred_username", &json!("marie@example.com")),
        ("idp", &Value::Null),
        ("acct", &Value::Null),
        ("roles", &Value::Null),
    ] {
        assert_eq!(&access[claim], expected, "{claim}");
    }
    let identity = claims(answer["id_token"].as_str().unwrap());
    assert_eq!((&identity["aud"], &identity["nonce"]), (&tenant.spa["appId"], &json!("n-1")));
    assert_ne!(identity["sub"], access["sub"], "sub is pairwise");

    let first = answer["refresh_token"].as_str().unwrap();
    let refresh = async |token: &str| {
        let id = tenant.spa["appId"].as_str().unwrap();
        let form = [("grant_type", "refresh_token"), ("client_id", id), ("refresh_token", token)];
        tenant.token(&form, Some(ORIGIN)).await
    };
    let (status, second) = refresh(first).await;
    assert_eq!(status, 200, "{second}");
    assert_ne!(second["refresh_token"], answer["refresh_token"]);
    assert_eq!(refresh(first).await.1["error_codes"], json!([70_000]));
    assert_eq!(refresh(second["refresh_token"].as_str().unwrap()).await.0, 200);
    local.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_may_ask_for_tokens() {
    let local = Local::start().await;
    let tenant = Tenant::furnish(&local).await;
    let url = format!("{}/oauth2/v2.0/token", tenant.authority);
    let preflight = tenant
        .http
        .request(reqwest::Method::OPTIONS, &url)
        .header("origin", ORIGIN)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "x-requested-with")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    let allowed = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("x-requested-with"), "{allowed}");
    let issuer = format!("{}/v2.0", tenant.authority);
    let document = tenant.http.get(format!("{issuer}/.well-known/openid-configuration"));
    let document = document.header("host", "elsewhere.example").send().await.unwrap();
    assert_eq!(document.headers()["access-control-allow-origin"], "*");
    let document: Value = serde_json::from_str(&document.text().await.unwrap()).unwrap();
    assert_eq!(document["issuer"], issuer);
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(document["token_endpoint"], url);
    local.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_to_a_client_or_address_that_is_not_known() {
    let local = Local::start().await;
    let tenant = Tenant::furnish(&local).await;
    for (change, number) in [
        (("client_id", "a0000000-0000-4000-8000-000000000000"), "AADSTS700016"),
        (("client_id", ""), "AADSTS700016"),
        (("redirect_uri", ""), "AADSTS50011"),
        (("redirect_uri", "https://api.example.net/oauth2-redirect/"), "AADSTS50011"),
        (("redirect_uri", "https://api.example.net/OAUTH2-redirect"), "AADSTS50011"),
        (("redirect_uri", "https://api.example.net/oauth2-redirect?x=1"), "AADSTS50011"),
        (("redirect_uri", "https://api.example.net:443/oauth2-redirect"), "AADSTS50011"),
        (("redirect_uri", "https://api.example.net.evil.test/oauth2-redirect"), "AADSTS50011"),
        (("redirect_uri", "http://api.example.net/oauth2-redirect"), "AADSTS50011"),
    ] {
        let asked = tenant.question(&[change]);
        for response in
            [tenant.ask(&asked, "en").await, tenant.pick(&asked, "marie@example.com").await]
        {
            assert_eq!(response.status(), 400, "{change:?}");
            assert!(!response.headers().contains_key("location"), "{change:?}");
            assert!(response.text().await.unwrap().contains(number), "{change:?}");
        }
    }
    let other = format!("{}/other/oauth2/v2.0/authorize", local.endpoints.entra);
    let other = tenant.http.get(other).send().await.unwrap();
    assert!(other.text().await.unwrap().contains("AADSTS90002"));
    // Nor is a form of another page's taken.
    let mut form = tenant.question(&[]);
    form.push(("user".to_owned(), "marie@example.com".to_owned()));
    for (origin, status) in [(ORIGIN, 400), ("null", 400), (local.endpoints.entra.as_str(), 303)] {
        let sent = tenant.post("oauth2/v2.0/authorize", &form, Some(origin)).await;
        assert_eq!(sent.status(), status, "{origin}");
    }
    // Of the users, only those of the tenant get through; the client hears nothing of the others.
    for (user, number) in
        [("olga@example.org", "AADSTS50020"), ("nobody@example.com", "AADSTS50034")]
    {
        let refused = tenant.pick(&tenant.question(&[]), user).await;
        assert_eq!((refused.status().as_u16(), refused.headers().get("location")), (400, None));
        assert!(refused.text().await.unwrap().contains(number), "{user}");
    }
    local.stop().await;
}

#[tokio::test]
async fn the_client_is_told_what_is_wrong() {
    let local = Local::start().await;
    let tenant = Tenant::furnish(&local).await;
    let missing = format!("{}/nothing", tenant.uri());
    let two = format!("{} https://graph.microsoft.com/User.Read", tenant.scope());
    for (name, value, error, number) in [
        ("response_type", "token", "unsupported_response_type", 70_005),
        ("response_mode", "web_message", "invalid_request", 70_007),
        ("code_challenge", "", "invalid_request", 50_147),
        ("code_challenge", VERIFIER.split_at(40).0, "invalid_request", 50_147),
        ("code_challenge_method", "plain", "invalid_request", 50_147),
        ("code_challenge_method", "", "invalid_request", 50_147),
        ("prompt", "none", "login_required", 50_058),
        ("scope", "", "invalid_scope", 70_011),
        ("scope", &two, "invalid_scope", 700_022),
        ("scope", &missing, "invalid_client", 650_053),
        ("scope", "api://nobody/x", "invalid_resource", 500_011),
    ] {
        let asked = tenant.question(&[(name, value), ("state", "s s")]);
        let told = tenant.pick(&asked, "marie@example.com").await;
        assert_eq!(told.status(), 303, "{name}={value}");
        let told = pairs(told.headers()["location"].to_str().unwrap());
        assert_eq!(
            (told["error"].as_str(), told["state"].as_str()),
            (error, "s s"),
            "{name}={value}"
        );
        let said = &told["error_description"];
        assert!(said.starts_with(&format!("AADSTS{number}: ")), "{name}={value}: {said}");
        assert!(!told.contains_key("code"));
    }
    let in_fragment = tenant.question(&[("response_mode", "fragment")]);
    let sent = tenant.pick(&in_fragment, "marie@example.com").await;
    let location = sent.headers()["location"].to_str().unwrap();
    assert!(location.starts_with(&format!("{BACK}#code=")), "{location}");
    let posted = tenant.question(&[("response_mode", "form_post"), ("state", "\"s")]);
    let html = tenant.pick(&posted, "marie@example.com").await.text().await.unwrap();
    assert!(
        html.contains(&format!("action=\"{BACK}\"")) && html.contains("name=\"code\""),
        "{html}"
    );
    assert!(html.contains("name=\"state\" value=\"&quot;s\""), "{html}");
    local.stop().await;
}

#[tokio::test]
async fn a_guest_is_marked_as_one() {
    let local = Local::start().await;
    let tenant = Tenant::furnish(&local).await;
    let answer = tenant.signed_in("gustav@example.org").await;
    let access = claims(answer["access_token"].as_str().unwrap());
    let idp = access["idp"].as_str().unwrap();
    assert!(idp.starts_with("https://sts.windows.net/"), "{idp}");
    assert!(!idp.contains(&local.variable("AZURE_TENANT_ID")));
    assert_eq!(access["tid"], local.variable("AZURE_TENANT_ID"));

    let wanted = json!({"optionalClaims": {"accessToken": [{"name": "acct", "essential": false}]}});
    tenant.change_api(wanted).await;
    for (user, acct) in [("gustav@example.org", 1), ("marie@example.com", 0)] {
        let answer = tenant.signed_in(user).await;
        assert_eq!(claims(answer["access_token"].as_str().unwrap())["acct"], acct, "{user}");
    }
    local.stop().await;
}

#[tokio::test]
async fn consent_is_asked_for_once() {
    let local = Local::start().await;
    let tenant = Tenant::furnish(&local).await;
    tenant.change_api(json!({"api": {"preAuthorizedApplications": []}})).await;
    let asked = tenant.question(&[("state", "s")]);

    let page = tenant.pick(&asked, "nora@example.com").await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("AADSTS90094"));
    let forced = tenant.answer(&asked, "nora@example.com", Some("accept")).await;
    let told = pairs(forced.headers()["location"].to_str().unwrap());
    assert!(told["error_description"].starts_with("AADSTS90094: "), "{told:?}");

    let page = tenant.pick(&asked, "marie@example.com").await;
    let html = page.text().await.unwrap();
    assert!(html.contains("Use the API as you") && html.contains("value=\"accept\""), "{html}");
    let declined = tenant.answer(&asked, "marie@example.com", Some("decline")).await;
    let told = pairs(declined.headers()["location"].to_str().unwrap());
    assert_eq!((told["error"].as_str(), told["state"].as_str()), ("access_denied", "s"));
    assert!(told["error_description"].starts_with("AADSTS65004: "));

    let accepted = tenant.answer(&asked, "marie@example.com", Some("accept")).await;
    assert!(pairs(accepted.headers()["location"].to_str().unwrap()).contains_key("code"));
    let again = tenant.pick(&asked, "marie@example.com").await;
    assert_eq!(again.status(), 303, "she is not asked again");
    let anew = tenant.pick(&tenant.question(&[("prompt", "consent")]), "marie@example.com").await;
    assert_eq!(anew.status(), 200, "unless the client wants it");

    let everything = format!("{}/.default", tenant.uri());
    let sent = tenant.pick(&tenant.question(&[("scope", &everything)]), "marie@example.com").await;
    let code = pairs(sent.headers()["location"].to_str().unwrap())["code"].clone();
    let (_, answer) = tenant.token(&tenant.redemption(&code), Some(ORIGIN)).await;
    let access = claims(answer["access_token"].as_str().unwrap());
    assert_eq!(access["scp"], "user_impersonation", "what she gave before");
    let bare =
        tenant.pick(&tenant.question(&[("scope", "openid profile")]), "marie@example.com").await;
    assert_eq!(bare.status(), 200, "who she is, is Graph's to tell, and she is asked for it");

    let grants = tenant.graph_get("oauth2PermissionGrants").await;
    let given: Vec<&Value> = grants["value"].as_array().unwrap().iter().collect();
    assert_eq!((given.len(), &given[0]["scope"]), (1, &json!("user_impersonation")));
    // Taken back, it counts no longer, for refresh tokens either.
    let answer = tenant.signed_in("marie@example.com").await;
    tenant
        .graph_delete(&format!("oauth2PermissionGrants/{}", given[0]["id"].as_str().unwrap()))
        .await;
    let id = tenant.spa["appId"].as_str().unwrap();
    let token = answer["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("client_id", id), ("refresh_token", token)];
    assert_eq!(tenant.token(&form, Some(ORIGIN)).await.1["error_codes"], json!([65_001]));
    local.stop().await;
}

#[tokio::test]
async fn keys_turn_and_outlive_restarts() {
    let local = Local::start().await;
    let tenant = Tenant::furnish(&local).await;
    let before = tenant.signed_in("marie@example.com").await;
    let old = before["access_token"].as_str().unwrap().to_owned();
    let admin = Client::open(local.dir.path()).unwrap();
    admin.inject(&injection(json!({"accident": "rotate-keys"}))).await.unwrap();
    let after = tenant.signed_in("marie@example.com").await;
    let new = after["access_token"].as_str().unwrap();
    assert_eq!(tenant.keys().await.len(), 2);
    tenant.verified(&old).await;
    tenant.verified(new).await;

    let refresh = after["refresh_token"].as_str().unwrap().to_owned();
    let id = tenant.spa["appId"].as_str().unwrap().to_owned();
    let kids = tenant.keys().await;
    let dir = local.stop().await;
    let local = Local::start_on(dir, clock).await;
    let tenant = Tenant::of(&local);
    assert_eq!(tenant.keys().await, kids);
    let form = [("grant_type", "refresh_token"), ("client_id", &id), ("refresh_token", &refresh)];
    assert_eq!(tenant.token(&form, Some(ORIGIN)).await.0, 200, "sign-ins outlive it too");

    let admin = Client::open(local.dir.path()).unwrap();
    admin.inject(&injection(json!({"accident": "rotate-keys", "dropOld": true}))).await.unwrap();
    let left = tenant.keys().await;
    assert!(left.len() == 1 && !kids.contains(&left[0]));
    let file = local.dir.path().join("sign-ins.json");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains("refresh") && !kept.contains(&refresh));
    local.stop().await;
}

#[tokio::test]
async fn entra_fails_where_it_is_told_to() {
    let local = Local::start().await;
    let tenant = Tenant::furnish(&local).await;
    let admin = Client::open(local.dir.path()).unwrap();
    let url = format!("{}/discovery/v2.0/keys", tenant.authority);
    let keys = || tenant.http.get(&url).send();
    // Faults without an operation are not Entra's.
    admin.inject(&injection(json!({"fault": "error", "times": 1}))).await.unwrap();
    assert_eq!(keys().await.unwrap().status(), 200);
    admin.clear_faults().await.unwrap();
    for (fault, status) in [("error", Some(503)), ("throttle", Some(429)), ("reset", None)] {
        let body = json!({"fault": fault, "retryAfter": 3, "operation": "entra-keys", "times": 1});
        admin.inject(&injection(body)).await.unwrap();
        assert_eq!(keys().await.ok().map(|answer| answer.status().as_u16()), status, "{fault}");
        assert_eq!(keys().await.unwrap().status(), 200);
    }
    admin.inject(&injection(json!({"fault": "error", "operation": "entra-token"}))).await.unwrap();
    let (status, refused) = tenant.token(&[("grant_type", "x")], None).await;
    assert_eq!((status, &refused["error"]), (503, &json!("temporarily_unavailable")));
    assert_eq!(tenant.ask(&tenant.question(&[]), "en").await.status(), 200);
    local.stop().await;
}
