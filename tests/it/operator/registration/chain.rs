//! The whole chain: a group that names its registration, and a registration that follows its group.

use std::net::IpAddr;

use aci_operator::api::container_group::UpdatePolicy;
use aci_operator::emulator::model::Accident;
use proptest::prelude::*;

use super::*;
use crate::operator::gate::Moment;
use crate::operator::manifests::local_ca;
use crate::operator::random::{on_paused_time, sequences};
use crate::operator::world::{GROUP, RESOURCE_GROUP, address};

/// Group and registration, each naming the other.
fn named_by_each_other() -> Bench {
    let mut bench = Bench::empty();
    bench.apply_issuer(local_ca());
    let mut group = sample();
    group.spec.update_policy = UpdatePolicy::Replace;
    let variable = json!({
        "name": "APP_CLIENT_ID",
        "valueFrom": {"appRegistration": {"name": "mon-api", "field": "appId"}},
    });
    let mount = json!({"name": "aci-operator-origins", "mountPath": "/etc/origins"});
    let container = &mut group.spec.containers[0];
    container.environment_variables.push(serde_json::from_value(variable).unwrap());
    container.volume_mounts.push(serde_json::from_value(mount).unwrap());
    bench.apply(group);
    bench.apply_registration(registration());
    bench
}

/// The same, made and at rest.
async fn chained() -> Bench {
    let mut bench = named_by_each_other();
    bench.live_on(Duration::from_mins(10)).await;
    bench.settle().await;
    bench.forget_writes();
    bench
}

/// Addresses in the redirect URIs as last written, whatever replicas show.
fn registered_addresses(bench: &Bench) -> BTreeSet<IpAddr> {
    let status = bench.registration();
    let state = bench.world.state();
    let mut found = BTreeSet::new();
    for id in ["appId", "swaggerAppId"] {
        let app =
            status[id].as_str().and_then(|id| state.tenant.directory.application_by_app_id(id));
        let Some(properties) = app.map(|app| &app.properties) else { continue };
        let uris = properties.web.redirect_uris.iter().chain(&properties.spa.redirect_uris);
        let hosts =
            uris.filter_map(|uri| url::Url::parse(uri).ok()?.host_str()?.parse::<IpAddr>().ok());
        found.extend(hosts);
    }
    found
}

fn present_address(bench: &Bench) -> Option<IpAddr> {
    address(&bench.world.shown(GROUP))
}

/// Lives on, and looks after each pass whether a token could go to an address that is not ours.
/// `lost` are addresses that Azure or a person took, of which nobody could know before.
async fn watch(bench: &mut Bench, time: Duration, lost: &BTreeSet<IpAddr>) {
    let end = Instant::now() + time;
    while bench.is_due_by(end) {
        bench.step().await;
        let present = present_address(bench);
        let stray: Vec<_> = registered_addresses(bench)
            .into_iter()
            .filter(|address| Some(*address) != present && !lost.contains(address))
            .collect();
        assert!(stray.is_empty(), "{stray:?} is registered, {present:?} ours\n{}", bench.history());
    }
    tokio::time::sleep_until(end).await;
}

#[track_caller]
fn assert_chained(bench: &Bench) {
    bench.assert_ready();
    bench.assert_registration("Ready", "True InSync");
    bench.assert_condition("AppRegistrationReady", "True InSync");
    bench.assert_condition("OriginsCurrent", "True OriginsTold");
    assert_eq!(bench.origins(), texts(&bench.status()["origins"]), "\n{}", bench.history());
    assert_eq!(registered_addresses(bench), present_address(bench).into_iter().collect());
}

#[tokio::test(start_paused = true)]
async fn naming_each_other_is_no_cycle() {
    let mut bench = named_by_each_other();
    bench.live_on(Duration::from_mins(10)).await;
    bench.settle().await;
    assert_chained(&bench);
    let counts = ["Put", "applications.upsert", "servicePrincipals.create", "TellOrigins"];
    // The containers are told before the registration has the origins, and after.
    assert_eq!(counts.map(|write| bench.count(write)), [1, 2, 2, 2], "\n{}", bench.history());
    let shown = bench.world.shown(GROUP).to_string();
    assert!(shown.contains(bench.registration()["appId"].as_str().unwrap()));
    bench.forget_writes();
    bench.live_on(Duration::from_hours(3)).await;
    bench.wrote(&[]);
}

#[tokio::test(start_paused = true)]
async fn another_address_goes_through_all_links_without_a_restart() {
    let mut bench = chained().await;
    let before = present_address(&bench).unwrap();
    let accident = Accident::IpChange { group: GROUP.to_owned() };
    bench.world.azure(|azure, now| azure.happen(now, &accident)).unwrap();
    bench.wake();
    bench.live_on(Duration::from_secs(15)).await;
    assert!(!registered_addresses(&bench).contains(&before), "\n{}", bench.history());
    bench.settle().await;
    bench.live_on(Duration::from_mins(2)).await;
    bench.settle().await;
    assert_chained(&bench);
    assert_eq!(bench.count("Put"), 0);
    // A removal and an addition for each application, at most; containers told at most for each.
    assert!(bench.count("applications.update") <= 4, "\n{}", bench.history());
    assert!(bench.count("TellOrigins") <= 2, "\n{}", bench.history());
}

#[tokio::test(start_paused = true)]
async fn our_own_replacement_gives_the_address_back_first() {
    for lag in [0, 2, 20] {
        let mut bench = chained().await;
        bench.world.lag(Duration::from_secs(lag));
        let before = present_address(&bench).unwrap();
        bench.edit(|spec| spec.containers[0].resources.requests.cpu = 2.0);
        watch(&mut bench, Duration::from_mins(10), &BTreeSet::new()).await;
        bench.settle().await;
        assert_eq!((bench.count("Delete"), bench.count("Put")), (1, 1), "\n{}", bench.history());
        assert_ne!(present_address(&bench), Some(before));
        assert_chained(&bench);
    }
}

#[tokio::test(start_paused = true)]
async fn both_go_together() {
    let mut bench = chained().await;
    bench.delete();
    bench.delete_registration();
    watch(&mut bench, Duration::from_mins(10), &BTreeSet::new()).await;
    assert!(bench.world.state().azure.names().is_empty(), "\n{}", bench.history());
    assert!(bench.world.applications().is_empty(), "\n{}", bench.history());
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Happening {
    Replace(u8),
    Image(u8),
    Address,
    Move,
    Stop,
    Mishaps(Vec<Mishap>),
    Lag(u64),
    Kill(usize, Moment),
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let mishap = prop::sample::select(vec![
        Mishap::None,
        Mishap::Throttled(7),
        Mishap::Broken,
        Mishap::Lost,
    ]);
    let moment = prop::sample::select(vec![Moment::Before, Moment::After]);
    prop_oneof![
        3 => (1..4u8).prop_map(Replace),
        2 => (0..3u8).prop_map(Image),
        2 => Just(Address),
        1 => Just(Move),
        1 => Just(Stop),
        2 => prop::collection::vec(mishap, 1..12).prop_map(Mishaps),
        2 => (0..30u64).prop_map(Lag),
        3 => (1..60usize, moment).prop_map(|(n, moment)| Kill(n, moment)),
    ]
}

fn happens(bench: &mut Bench, happening: Happening, lost: &mut BTreeSet<IpAddr>) {
    let group = GROUP.to_owned();
    match happening {
        Happening::Replace(cpu) => {
            bench.edit(|spec| spec.containers[0].resources.requests.cpu = f64::from(cpu));
        }
        Happening::Image(n) => {
            bench.edit(|spec| spec.containers[0].image = format!("registry/protected-api:{n}"));
        }
        Happening::Mishaps(mishaps) => bench.world.state().tenant.mishaps.extend(mishaps),
        Happening::Lag(seconds) => bench.world.lag(Duration::from_secs(seconds)),
        Happening::Kill(n, moment) => bench.world.gate.kill_at(n, moment),
        // Whether Azure lets others do it now is for Azure to say.
        Happening::Address => {
            lost.extend(present_address(bench));
            let accident = Accident::IpChange { group };
            let _ = bench.world.azure(|azure, now| azure.happen(now, &accident));
        }
        Happening::Move => {
            lost.extend(present_address(bench));
            let accident = Accident::MoveHost { group };
            let _ = bench.world.azure(|azure, now| azure.happen(now, &accident));
        }
        Happening::Stop => {
            lost.extend(present_address(bench));
            let _ = bench.world.azure(|azure, now| azure.stop(now, RESOURCE_GROUP, GROUP));
        }
    }
    bench.wake();
}

async fn converges(happenings: Vec<(Happening, u64)>) {
    let (mut bench, mut lost) = (named_by_each_other(), BTreeSet::new());
    for (happening, seconds) in happenings {
        happens(&mut bench, happening, &mut lost);
        watch(&mut bench, Duration::from_secs(seconds), &lost).await;
    }
    bench.world.state().tenant.mishaps.clear();
    bench.restart();
    watch(&mut bench, Duration::from_hours(2), &lost).await;
    bench.settle().await;
    bench.forget_writes();
    bench.restart();
    bench.live_on(Duration::from_hours(2)).await;
    bench.wrote(&[]);
    assert_chained(&bench);
}

/// Each of these is as dear as five of the others.
fn fewer_sequences() -> ProptestConfig {
    let all = sequences();
    ProptestConfig { cases: all.cases.div_ceil(5), ..all }
}

proptest! {
    #![proptest_config(fewer_sequences())]

    #[test]
    fn no_token_goes_to_an_address_that_we_gave_away(
        happenings in prop::collection::vec((happening(), 0..60u64), 1..10),
    ) {
        on_paused_time(converges(happenings));
    }
}
