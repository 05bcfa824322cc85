//! What others do: additions, deletions, rights that are missing, applications of theirs.

use aci_operator::api::app_registration::Foreign;
use aci_operator::emulator::directory::Caller;

use super::*;

const THEIRS: &str = "https://theirs.example/cb";

#[tokio::test(start_paused = true)]
async fn additions_are_kept_and_shown() {
    let mut bench = Bench::registered().await;
    let uris = json!(["http://localhost:8000", THEIRS]);
    bench.somebody_patches("api", json!({"web": {"redirectUris": uris}}));
    bench.live_on(Duration::from_mins(12)).await;
    bench.wrote(&[]);
    assert_eq!(bench.registration()["foreign"], json!([format!("redirect URI {THEIRS}")]));
    bench.serve(&[HOST]);
    bench.settle().await;
    assert_eq!(bench.redirects("api"), set(&["http://localhost:8000", THEIRS, HOST]));
}

#[tokio::test(start_paused = true)]
async fn additions_that_are_refused_stop_all_but_the_loss_of_an_address() {
    let mut bench = Bench::registered().await;
    bench.serve(&[IP]);
    bench.settle().await;
    bench.edit_registration(|spec| spec.foreign = Foreign::Refuse);
    bench.settle().await;
    bench.live_on(Duration::from_mins(2)).await;
    bench.forget_writes();
    bench.somebody_patches("api", json!({"web": {"redirectUris": [IP, THEIRS]}}));
    bench.live_on(Duration::from_mins(12)).await;
    bench.assert_registration("Stalled", "True ForeignEdits");
    assert!(bench.message_of(&registration_key(), "Stalled").contains(THEIRS));
    bench.wrote(&[]);
    bench.serve(&[]);
    bench.live_on(Duration::from_mins(1)).await;
    bench.wrote(&["applications.update", "applications.update"]);
    assert!(bench.redirects("api").contains(THEIRS) && !bench.redirects("api").contains(IP));
    bench.somebody_patches("api", json!({"web": {"redirectUris": ["http://localhost:8000"]}}));
    bench.live_on(Duration::from_mins(12)).await;
    bench.assert_registration("Ready", "True InSync");
}

#[tokio::test(start_paused = true)]
async fn a_foreign_change_is_repaired_by_one_write() {
    let mut bench = Bench::registered().await;
    bench.somebody_patches("api", json!({"api": {"requestedAccessTokenVersion": 1}}));
    bench.live_on(Duration::from_mins(12)).await;
    bench.wrote(&["applications.update"]);
    assert_eq!(bench.shown("api")["api"]["requestedAccessTokenVersion"], 2);
    let told: Vec<_> = bench.home.kept().events.iter().map(|e| e.event.reason).collect();
    assert!(told.contains(&aci_operator::core::Reason::Drifted), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_deleted_comes_back_with_its_ids() {
    let mut bench = Bench::registered().await;
    let before = bench.shown("api");
    let id = before["id"].as_str().unwrap();
    assert_eq!(bench.world.graph("DELETE", &format!("applications/{id}"), None).0, 204);
    bench.live_on(Duration::from_mins(15)).await;
    bench.settle().await;
    let after = bench.shown("api");
    assert_eq!((&after["id"], &after["appId"]), (&before["id"], &before["appId"]));
    assert!(bench.count("deletedItems.restore") >= 1, "\n{}", bench.history());
    bench.assert_registration("Ready", "True InSync");
    let path = format!("servicePrincipals(appId='{}')", after["appId"].as_str().unwrap());
    assert_eq!(bench.world.graph("GET", &path, None).0, 200);
    assert_eq!(bench.world.applications().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_name_of_another_owner_in_the_recycle_bin_is_told() {
    let mut bench = Bench::registered().await;
    let id = bench.shown("api")["id"].as_str().unwrap().to_owned();
    bench.somebody_patches("api", json!({"tags": ["aci-operator-owner:home-9/uid-9"]}));
    assert_eq!(bench.world.graph("DELETE", &format!("applications/{id}"), None).0, 204);
    bench.live_on(Duration::from_mins(15)).await;
    bench.assert_registration("Stalled", "True NameInRecycleBin");
    assert!(bench.message_of(&registration_key(), "Stalled").contains("home-9/uid-9"));
    // Deleted for good, its name is free.
    let path = format!("directory/deletedItems/{id}");
    assert_eq!(bench.world.graph("DELETE", &path, None).0, 204);
    bench.live_on(Duration::from_mins(40)).await;
    bench.settle().await;
    bench.assert_registration("Ready", "True InSync");
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_told_with_the_command_that_grants_it() {
    let mut bench = Bench::empty();
    bench.serve(&[]);
    bench.apply_registration(registration());
    let rights = bench.world.state().tenant.caller;
    bench.world.state().tenant.caller = Caller::None;
    bench.live_on(Duration::from_mins(2)).await;
    bench.assert_registration("Stalled", "True GraphNotGranted");
    let message = bench.message_of(&registration_key(), "Stalled");
    for part in
        ["az rest --method POST", "the-operators-object-id", "Application.ReadWrite.OwnedBy"]
    {
        assert!(message.contains(part), "{message}");
    }
    bench.wrote(&[]);
    bench.world.state().tenant.caller = rights;
    bench.live_on(Duration::from_mins(10)).await;
    bench.settle().await;
    bench.wrote(&PAIR);
}

#[tokio::test(start_paused = true)]
async fn consent_takes_a_right_of_its_own() {
    let mut bench = Bench::registered().await;
    bench.edit_registration(|spec| spec.admin_consent = true);
    bench.live_on(Duration::from_mins(2)).await;
    bench.assert_registration("Stalled", "True GraphNotGranted");
    let message = bench.message_of(&registration_key(), "Stalled");
    assert!(message.contains("DelegatedPermissionGrant.ReadWrite.All"), "{message}");
    bench.world.state().tenant.caller = Caller::Owner;
    bench.live_on(Duration::from_mins(10)).await;
    bench.settle().await;
    let done = |bench: &Bench, write: &str| {
        let state = bench.world.state();
        let log = state.tenant.log.iter();
        log.filter(|(operation, .., status)| *operation == write && *status < 300).count()
    };
    assert_eq!(done(&bench, "oauth2PermissionGrants.create"), 1, "\n{}", bench.history());
    bench.edit_registration(|spec| spec.admin_consent = false);
    bench.live_on(Duration::from_mins(2)).await;
    assert_eq!(done(&bench, "oauth2PermissionGrants.delete"), 1, "\n{}", bench.history());
}

/// Applications that somebody else made: ids of the API's and of Swagger's.
fn theirs(bench: &Bench) -> [String; 2] {
    ["api of theirs", "page of theirs"].map(|name| {
        let body = json!({
            "displayName": name,
            "web": {"redirectUris": [THEIRS]},
            "api": {"oauth2PermissionScopes": [{
                "id": "11111111-2222-4333-8444-555555555555",
                "value": "user_impersonation",
                "type": "User",
                "isEnabled": true,
                "adminConsentDisplayName": "t",
                "adminConsentDescription": "t",
            }]},
        });
        let (status, made) = bench.world.graph("POST", "applications", Some(body));
        assert_eq!(status, 201, "{made}");
        made["appId"].as_str().unwrap().to_owned()
    })
}

#[tokio::test(start_paused = true)]
async fn applications_of_others_are_adopted_by_their_ids() {
    let mut bench = Bench::empty();
    bench.world.state().tenant.caller = Caller::Owner;
    let [api, swagger] = theirs(&bench);
    bench.live_on(Duration::from_secs(5)).await;
    bench.serve(&[HOST]);
    let mut wanted = registration();
    wanted.spec.adopt = serde_json::from_value(json!({
        "appId": api, "swaggerAppId": swagger,
    }))
    .unwrap();
    bench.apply_registration(wanted);
    bench.settle().await;
    assert_eq!(bench.count("applications.upsert"), 0, "\n{}", bench.history());
    bench.assert_registration("Ready", "True InSync");
    let status = bench.registration();
    assert_eq!((&status["appId"], &status["swaggerAppId"]), (&json!(api), &json!(swagger)));
    let path = format!("applications(appId='{api}')");
    let (_, shown) = bench.world.graph("GET", &path, None);
    assert_eq!(texts(&shown["web"]["redirectUris"]), set(&["http://localhost:8000", THEIRS, HOST]));
    // A scope keeps its id for life.
    let scope = &shown["api"]["oauth2PermissionScopes"][0];
    assert_eq!(scope["id"], "11111111-2222-4333-8444-555555555555");
    assert_eq!(scope["adminConsentDisplayName"], "Access mon-API");
    // The manifest cannot name another one afterwards.
    bench.edit_registration(|spec| spec.adopt = None);
    bench.live_on(Duration::from_mins(1)).await;
    bench.assert_registration("Stalled", "True Invalid");
}

#[tokio::test(start_paused = true)]
async fn an_adopted_application_that_is_not_there_is_told() {
    let mut bench = Bench::empty();
    let mut wanted = registration();
    let nobody = "99999999-2222-4333-8444-555555555555";
    wanted.spec.adopt = serde_json::from_value(json!({ "appId": nobody })).unwrap();
    bench.apply_registration(wanted);
    bench.live_on(Duration::from_mins(1)).await;
    bench.assert_registration("Stalled", "True ReferenceMissing");
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn suspend_blocks_every_step() {
    let mut bench = Bench::registered().await;
    bench.home.ask(&registration_key(), |requests| requests.suspended = true);
    bench.serve(&[FQDN]);
    bench.live_on(Duration::from_mins(2)).await;
    bench.assert_registration("Stalled", "True Suspended");
    bench.delete_registration();
    bench.live_on(Duration::from_mins(2)).await;
    bench.wrote(&[]);
    bench.home.ask(&registration_key(), |requests| requests.suspended = false);
    bench.wake();
    bench.live_on(Duration::from_mins(5)).await;
    assert!(bench.world.applications().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_memory_makes_no_lost_address_somebody_elses() {
    let mut bench = Bench::registered().await;
    bench.somebody_patches("api", json!({"web": {"redirectUris": [THEIRS]}}));
    bench.live_on(Duration::from_secs(5)).await;
    bench.serve(&[IP]);
    bench.live_on(Duration::from_mins(12)).await;
    assert!(bench.redirects("api").contains(IP), "\n{}", bench.history());
    bench.home.kept().memory.clear();
    bench.serve(&[]);
    bench.live_on(Duration::from_mins(2)).await;
    assert_eq!(bench.redirects("api"), set(&["http://localhost:8000", THEIRS]));
    assert_eq!(bench.redirects("swagger"), set(&["http://localhost:8000/oauth2-redirect"]));
}
