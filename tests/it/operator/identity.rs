//! Whose identity works for an object.

use std::time::Duration;

use aci_operator::api::{ContainerGroup, ObjectReference};
use aci_operator::emulator::faults::Operation;
use aci_operator::ports::{Azure, ObjectKey};
use aci_operator::reconcile::Resolved;
use aci_operator::reconcile::identity::{NAMESPACE_SECRET, Source};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::bench::Bench;
use super::daemon::with_daemon;
use super::manifests::{registration, registration_key};
use super::principals::{EXPIRED, OWN, keys};

const TENANT: &str = "10000000-0000-4000-8000-000000000000";
const TEAM_A: &str = "a0000000-0000-4000-8000-000000000000";
const TEAM_B: &str = "b0000000-0000-4000-8000-000000000000";
const SUBSCRIPTION: &str = "50000000-0000-4000-8000-000000000000";

/// A group of a team, without TLS; the secret has the team's name.
fn group(team: &str) -> ContainerGroup {
    let spec = json!({
        "resourceGroup": format!("rg-{team}"),
        "identityRef": {"name": team},
        "location": "westeurope",
        "containers": [{
            "name": "api",
            "image": "registry/api:1",
            "resources": {"requests": {"cpu": 1, "memoryInGB": 1}},
        }],
    });
    ContainerGroup::new(team, serde_json::from_value(spec).unwrap())
}

fn key(team: &str) -> ObjectKey {
    ObjectKey::new("ContainerGroup", team)
}

impl Bench {
    fn identify(&self, secret: &str, client: &str) {
        self.set_secret(secret, "AZURE_TENANT_ID", TENANT);
        self.set_secret(secret, "AZURE_CLIENT_ID", client);
        self.set_secret(secret, "AZURE_CLIENT_SECRET", "hunter2");
        self.set_secret(secret, "AZURE_SUBSCRIPTION_ID", SUBSCRIPTION);
    }

    /// Two teams, each with rights on a resource group of its own, and a group there that is made.
    async fn teams() -> Self {
        let mut bench = Self::empty();
        for (team, client) in [("team-a", TEAM_A), ("team-b", TEAM_B)] {
            bench.world.grant(client, &[&format!("rg-{team}")]);
            bench.identify(team, client);
            bench.apply(group(team));
        }
        bench.settle().await;
        bench.forget_writes();
        bench
    }

    async fn found(&self, source: &Source) -> Azure {
        match self.ctx.identities.of(source).await.unwrap() {
            Ok(Resolved::Ready(azure)) => azure,
            Ok(Resolved::Missing(what)) => panic!("{what}"),
            Err(invalid) => panic!("{invalid}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_object_is_made_by_the_identity_that_it_names() {
    let bench = Bench::teams().await;
    for (team, client) in [("team-a", TEAM_A), ("team-b", TEAM_B)] {
        assert_eq!(bench.condition_of(&key(team), "Ready"), "True InSync", "{}", bench.history());
        let entry = bench.home.kept().entries[&key(team)].clone();
        assert_eq!(entry.pinned["subscriptionId"], SUBSCRIPTION);
        assert!(bench.world.asked(client) > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_is_waited_for_and_nobody_is_asked_meanwhile() {
    let mut bench = Bench::empty();
    bench.world.grant(TEAM_A, &["rg-team-a"]);
    bench.apply(group("team-a"));
    bench.live_on(Duration::from_mins(2)).await;
    assert_eq!(bench.condition_of(&key("team-a"), "Ready"), "False ReferenceMissing");
    let said = bench.message_of(&key("team-a"), "Ready");
    assert!(said.contains("secret `team-a`") && said.contains("spec.identityRef"), "{said}");
    assert!(bench.world.state().requests.is_empty());

    bench.identify("team-a", TEAM_A);
    bench.live_on(Duration::from_secs(40)).await;
    bench.settle().await;
    assert_eq!(bench.condition_of(&key("team-a"), "Ready"), "True InSync", "{}", bench.history());

    // A Secret that goes away later keeps what there is, and what is to be deleted.
    bench.home.kept().secrets.remove("team-a");
    let now = bench.world.elapsed();
    bench.home.kept().entries.get_mut(&key("team-a")).unwrap().deletion =
        Some(chrono::DateTime::UNIX_EPOCH + now);
    bench.forget_writes();
    bench.live_on(Duration::from_mins(12)).await;
    bench.wake();
    bench.step().await;
    assert_eq!(bench.condition_of(&key("team-a"), "Ready"), "False ReferenceMissing");
    assert_eq!(bench.writes(), [""; 0]);
    bench.identify("team-a", TEAM_A);
    bench.live_on(Duration::from_mins(2)).await;
    assert_eq!(bench.writes(), ["Delete"]);
    assert!(!bench.home.kept().entries.contains_key(&key("team-a")));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_is_told_by_its_key_and_never_by_its_value() {
    let mut bench = Bench::empty();
    bench.world.grant(TEAM_A, &["rg-team-a"]);
    bench.identify("team-a", "letmein");
    bench.apply(group("team-a"));
    bench.live_on(Duration::from_mins(1)).await;
    assert_eq!(bench.condition_of(&key("team-a"), "Stalled"), "True Invalid");
    let said = bench.message_of(&key("team-a"), "Stalled");
    assert!(said.contains("`team-a`") && said.contains("AZURE_CLIENT_ID"), "{said}");
    assert!(!bench.status_of(&key("team-a")).to_string().contains("letmein"));
    bench.identify("team-a", TEAM_A);
    bench.live_on(Duration::from_secs(40)).await;
    bench.settle().await;
    assert_eq!(bench.condition_of(&key("team-a"), "Ready"), "True InSync", "{}", bench.history());
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_is_refused_disturbs_nobody_else() {
    let mut bench = Bench::empty();
    bench.world.grant(TEAM_A, &["rg-team-a"]);
    bench.identify("team-a", TEAM_A);
    bench.identify("team-b", TEAM_B);
    bench.set_secret("team-b", "AZURE_CLIENT_SECRET", EXPIRED);
    bench.apply(group("team-a"));
    bench.apply(group("team-b"));
    with_daemon(&mut bench, async |_, _| sleep(Duration::from_mins(30)).await).await;
    assert_eq!(bench.condition_of(&key("team-a"), "Ready"), "True InSync");
    assert_eq!(bench.condition_of(&key("team-b"), "Stalled"), "True Forbidden");
    let said = bench.message_of(&key("team-b"), "Stalled");
    assert!(said.contains("Entra ID") && !said.contains(EXPIRED.to_uppercase().as_str()), "{said}");
    assert_eq!(bench.count("Put"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_changed_secret_counts_within_a_minute_and_leads_nowhere_else() {
    let mut bench = Bench::teams().await;
    bench.world.grant(TEAM_B, &["rg-team-a", "rg-team-b"]);
    bench.identify("team-a", TEAM_B);
    bench.set_secret("team-a", "AZURE_SUBSCRIPTION_ID", OWN);
    bench.world.asked(TEAM_A);
    bench.live_on(Duration::from_mins(2)).await;
    bench.wake();
    bench.settle().await;
    assert_eq!(bench.world.asked(TEAM_A), 0, "{}", bench.history());
    assert_eq!(bench.condition_of(&key("team-a"), "Ready"), "True InSync");
    let entry = bench.home.kept().entries[&key("team-a")].clone();
    assert_eq!(entry.pinned["subscriptionId"], SUBSCRIPTION);
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn drift_is_noticed_by_each_identity_for_its_own() {
    let mut bench = Bench::teams().await;
    // The world has one subscription, in which its LISTs are.
    for team in ["team-a", "team-b"] {
        let mut kept = bench.home.kept();
        let entry = kept.entries.get_mut(&key(team)).unwrap();
        entry.pinned.insert("subscriptionId".to_owned(), OWN.to_owned());
    }
    with_daemon(&mut bench, async |bench, _| {
        sleep(Duration::from_mins(1)).await;
        bench.world.state().requests.clear();
        sleep(Duration::from_hours(1)).await;
        // Neither may list the subscription: two LISTs, each of a resource group, every 15 s to 25 s.
        let requests = bench.world.state().requests.clone();
        assert!((288..=480).contains(&requests[&Operation::List]), "{requests:?}");
        assert!(requests[&Operation::Get] <= 14, "{requests:?}");
        bench.wrote(&[]);

        bench.world.azure(|azure, now| {
            let mut body = azure.get(now, "rg-team-b", "team-b").unwrap().body.unwrap();
            body["properties"]["containers"][0]["properties"]["image"] = json!("registry/theirs:1");
            azure.put(now, "rg-team-b", "team-b", body).unwrap();
        });
        sleep(Duration::from_secs(40)).await;
        bench.wrote(&["Put"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_has_an_identity_of_its_own_and_is_read_once_a_minute() {
    let bench = Bench::empty();
    let source = |namespace: &str| {
        let namespace = Some(namespace.to_owned());
        Source::of(&ObjectKey { namespace, ..key("web") }, None)
    };
    bench.identify(&format!("one/{NAMESPACE_SECRET}"), TEAM_A);
    let reads = || std::mem::take(&mut bench.home.kept().secret_reads);
    for _ in 0..10_000 {
        assert_eq!(bench.found(&source("one")).await.principal, format!("{TENANT}/{TEAM_A}"));
        let own = bench.found(&source("two")).await;
        assert_eq!((own.principal.as_str(), own.subscription.as_deref()), ("", Some(OWN)));
    }
    assert_eq!(reads(), 2);
    // Where there are no namespaces, there is nothing to read.
    bench.found(&Source::of(&key("web"), None)).await;
    assert_eq!(reads(), 0);

    bench.identify(&format!("two/{NAMESPACE_SECRET}"), TEAM_B);
    sleep(Duration::from_secs(61)).await;
    assert_eq!(bench.found(&source("two")).await.principal, format!("{TENANT}/{TEAM_B}"));
    // What an object names comes first.
    bench.home.kept().secrets.insert(
        "two/own".to_owned(),
        keys(&[("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", TEAM_A)]),
    );
    let named = ObjectKey { namespace: Some("two".to_owned()), ..key("web") };
    let azure = bench.found(&Source::of(&named, Some("own"))).await;
    assert_eq!(azure.principal, format!("{TENANT}/{TEAM_A}"));
}

#[tokio::test(start_paused = true)]
async fn one_credential_is_one_client() {
    let bench = Bench::empty();
    bench.identify("one", TEAM_A);
    bench.identify("two", TEAM_A);
    let source = |name| Source::of(&key("web"), Some(name));
    let (one, two) = (bench.found(&source("one")).await, bench.found(&source("two")).await);
    assert!(std::sync::Arc::ptr_eq(&one.groups, &two.groups));
}

#[tokio::test(start_paused = true)]
async fn applications_are_not_made_again_in_another_tenant() {
    let mut bench = Bench::empty();
    let mut wanted = registration();
    (wanted.spec.container_group_ref, wanted.spec.ip_redirect_uris) = (None, false);
    bench.apply_registration(wanted);
    bench.settle().await;
    let made = bench.world.applications();
    bench.forget_writes();

    bench.identify("abroad", TEAM_A);
    bench.edit_registration(|spec| {
        spec.identity_ref = Some(ObjectReference { name: "abroad".to_owned() });
    });
    bench.live_on(Duration::from_mins(5)).await;
    assert_eq!(bench.condition_of(&registration_key(), "Stalled"), "True Refused");
    let said = bench.message_of(&registration_key(), "Stalled");
    assert!(said.contains(TENANT), "{said}");
    bench.wrote(&[]);

    // Another identity of the same tenant goes on.
    let tenant = bench.world.state().tenant.directory.settings().tenant.to_string();
    bench.set_secret("abroad", "AZURE_TENANT_ID", &tenant);
    bench.live_on(Duration::from_mins(20)).await;
    assert_eq!(bench.condition_of(&registration_key(), "Ready"), "True InSync");
    bench.wrote(&[]);
    let ids = |all: &[Value]| all.iter().map(|app| app["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&bench.world.applications()), ids(&made));
}
