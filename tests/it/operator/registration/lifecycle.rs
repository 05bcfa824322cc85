//! A pair is made, follows its group, and goes.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_pair_is_made_with_six_writes() {
    let mut bench = Bench::empty();
    bench.serve(&[]);
    bench.apply_registration(registration());
    bench.settle().await;
    bench.wrote(&PAIR);
    bench.assert_registration("Ready", "True InSync");
    bench.assert_registration("RedirectUrisCurrent", "Unknown Pending");
    let (api, swagger) = (bench.shown("api"), bench.shown("swagger"));
    let status = bench.registration();
    assert_eq!(status["appId"], api["appId"]);
    assert_eq!(status["swaggerAppId"], swagger["appId"]);
    assert_eq!(status["objectId"], api["id"]);
    let app_id = api["appId"].as_str().unwrap();
    assert_eq!(status["scope"], format!("api://{app_id}/user_impersonation"));
    assert!(status["authority"].as_str().unwrap().ends_with(status["tenantId"].as_str().unwrap()));

    assert_eq!(api["signInAudience"], "AzureADMyOrg");
    assert_eq!(api["api"]["requestedAccessTokenVersion"], 2);
    assert_eq!(api["identifierUris"], json!([format!("api://{app_id}")]));
    assert_eq!(api["web"]["redirectUris"], json!(["http://localhost:8000"]));
    let scope = &api["api"]["oauth2PermissionScopes"][0];
    assert_eq!(scope["adminConsentDisplayName"], "Access mon-API");
    assert_eq!(swagger["displayName"], "mon-API - OpenAPI");
    assert_eq!(swagger["spa"]["redirectUris"], json!(["http://localhost:8000/oauth2-redirect"]));
    let client = &api["api"]["preAuthorizedApplications"][0];
    assert_eq!(client["appId"], swagger["appId"]);
    assert_eq!(client["delegatedPermissionIds"], json!([scope["id"]]));
    let required = &swagger["requiredResourceAccess"][0];
    assert_eq!(required["resourceAppId"], api["appId"]);
    assert_eq!(required["resourceAccess"][0]["id"], scope["id"]);
    for app in [&api, &swagger] {
        let path = format!("servicePrincipals(appId='{}')", app["appId"].as_str().unwrap());
        assert_eq!(bench.world.graph("GET", &path, None).0, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn at_rest_nothing_is_written() {
    let mut bench = Bench::registered().await;
    bench.live_on(Duration::from_hours(8)).await;
    bench.restart();
    bench.settle().await;
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn an_identifier_waits_for_nothing_and_a_missing_group_is_said() {
    let mut bench = Bench::empty();
    bench.apply_registration(registration());
    bench.live_on(Duration::from_mins(2)).await;
    bench.wrote(&PAIR);
    bench.assert_registration("Ready", "False ReferenceMissing");
    assert!(bench.registration()["appId"].is_string());
    bench.serve(&[FQDN]);
    bench.settle().await;
    bench.assert_registration("Ready", "True InSync");
}

#[tokio::test(start_paused = true)]
async fn redirect_uris_follow_the_group() {
    let mut bench = Bench::registered().await;
    bench.serve(&[FQDN, HOST, IP]);
    bench.settle().await;
    bench.wrote(&["applications.update", "applications.update"]);
    assert_eq!(bench.origins(), set(&[FQDN, HOST, IP]));
    bench.assert_registration("RedirectUrisCurrent", "True Registered");
    let local = "http://localhost:8000";
    assert_eq!(bench.redirects("api"), set(&[local, FQDN, HOST, IP]));
    let swagger: BTreeSet<String> =
        bench.redirects("api").iter().map(|uri| format!("{uri}/oauth2-redirect")).collect();
    assert_eq!(bench.redirects("swagger"), swagger);

    // Another address: the old one leaves before the new one is there.
    bench.live_on(Duration::from_mins(5)).await;
    bench.serve(&[FQDN, HOST]);
    bench.settle().await;
    bench.wrote(&["applications.update", "applications.update"]);
    assert_eq!(bench.origins(), set(&[FQDN, HOST]));
    bench.serve(&[FQDN, HOST, "https://20.1.2.4"]);
    bench.settle().await;
    bench.wrote(&["applications.update", "applications.update"]);
    assert!(!bench.redirects("api").contains(IP));

    // Stopped: what Azure gave goes at once, the user's name after its grace.
    bench.live_on(Duration::from_mins(5)).await;
    bench.serve(&[]);
    bench.live_on(Duration::from_secs(5)).await;
    assert_eq!(bench.redirects("api"), set(&[local, HOST]));
    bench.live_on(Duration::from_mins(50)).await;
    assert_eq!(bench.redirects("api"), set(&[local, HOST]));
    bench.live_on(Duration::from_mins(11)).await;
    assert_eq!(bench.redirects("api"), set(&[local]));
    assert_eq!(bench.origins(), set(&[]));
}

#[tokio::test(start_paused = true)]
async fn an_origin_counts_as_registered_until_graph_shows_it_gone() {
    let mut bench = Bench::registered().await;
    bench.serve(&[IP]);
    bench.settle().await;
    bench.world.lag(Duration::from_secs(20));
    bench.serve(&[]);
    let begin = Instant::now();
    bench.live_on(Duration::from_secs(10)).await;
    assert_eq!(bench.origins(), set(&[IP]));
    bench.settle().await;
    assert_eq!(bench.origins(), set(&[]));
    assert!(begin.elapsed() >= Duration::from_secs(20));
    assert_eq!(bench.count("applications.update"), 4, "\n{}", bench.history());
}

/// Redirect URIs as last written, which replicas may not show yet.
fn written(bench: &Bench) -> [BTreeSet<String>; 2] {
    let status = bench.registration();
    ["appId", "swaggerAppId"].map(|id| {
        let state = bench.world.state();
        let found = state.tenant.directory.application_by_app_id(status[id].as_str().unwrap());
        let properties = &found.unwrap().properties;
        let (web, spa) = (&properties.web.redirect_uris, &properties.spa.redirect_uris);
        web.iter().chain(spa).cloned().collect()
    })
}

#[tokio::test(start_paused = true)]
async fn both_applications_follow_within_two_passes_however_graph_lags() {
    let mut bench = Bench::registered().await;
    bench.world.lag(Duration::from_secs(25));
    let local = "http://localhost:8000";
    let page = |uris: &BTreeSet<String>| -> BTreeSet<String> {
        uris.iter().map(|uri| format!("{uri}/oauth2-redirect")).collect()
    };
    for served in [&[FQDN, IP][..], &[FQDN], &[FQDN, "https://20.1.2.4"], &[], &[FQDN, IP]] {
        bench.serve(served);
        bench.step().await;
        bench.step().await;
        let mut wanted = set(served);
        wanted.insert(local.to_owned());
        assert_eq!(written(&bench), [wanted.clone(), page(&wanted)], "\n{}", bench.history());
        bench.live_on(Duration::from_secs(4)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn both_are_deleted_and_the_object_is_released() {
    let mut bench = Bench::registered().await;
    bench.delete_registration();
    bench.settle().await;
    bench.wrote(&["applications.delete", "applications.delete"]);
    assert!(bench.world.applications().is_empty());
    assert!(!bench.home.kept().entries.contains_key(&registration_key()));
}

#[tokio::test(start_paused = true)]
async fn a_scope_is_disabled_before_it_is_removed() {
    let mut bench = Bench::registered().await;
    let more = serde_json::from_value(json!({"value": "more"})).unwrap();
    bench.edit_registration(|spec| spec.scopes.push(more));
    bench.settle().await;
    bench.forget_writes();
    bench.edit_registration(|spec| drop(spec.scopes.pop()));
    bench.settle().await;
    let statuses: Vec<u16> =
        bench.world.state().tenant.log.iter().map(|(.., status)| *status).collect();
    assert!(statuses.iter().all(|status| *status < 300), "{:?}", bench.world.state().tenant.log);
    assert_eq!(bench.count("applications.update"), 3, "\n{}", bench.history());
    let scopes = bench.shown("api")["api"]["oauth2PermissionScopes"].clone();
    assert_eq!(scopes.as_array().unwrap().len(), 1);
    bench.assert_registration("Ready", "True InSync");
}

#[tokio::test(start_paused = true)]
async fn what_graph_asks_is_waited_for() {
    let mut bench = Bench::registered().await;
    bench.serve(&[FQDN]);
    let mut mishaps = vec![Mishap::None; 4];
    mishaps.push(Mishap::Throttled(77));
    bench.world.state().tenant.mishaps = mishaps.into();
    bench.live_on(Duration::from_secs(70)).await;
    bench.assert_registration("Ready", "False Throttled");
    bench.wrote(&[]);
    bench.settle().await;
    bench.wrote(&["applications.update", "applications.update"]);
    bench.assert_registration("Ready", "True InSync");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_no_second_write() {
    let mut bench = Bench::registered().await;
    bench.serve(&[FQDN]);
    let mut mishaps = vec![Mishap::None; 4];
    mishaps.push(Mishap::Lost);
    bench.world.state().tenant.mishaps = mishaps.into();
    bench.settle().await;
    bench.wrote(&["applications.update", "applications.update"]);
    assert_eq!(bench.origins(), set(&[FQDN]));
}
