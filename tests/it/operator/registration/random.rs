//! A throttled and eventually consistent Graph, kills, and addresses that come and go: one pair, never
//! two; no redirect URI lost; no second write on an old read.
//!
//! `ACI_OPERATOR_TEST_SEEDS` says how many sequences are tried, other ones each time.

use proptest::prelude::*;

use super::*;
use crate::operator::gate::Moment;
use crate::operator::random::{on_paused_time, sequences};

/// Something that happens.
#[derive(Clone, Debug)]
enum Happening {
    Serve(Vec<usize>),
    Name(u8),
    Scope(bool),
    Swagger(bool),
    Mishaps(Vec<Mishap>),
    Lag(u64),
    Kill(usize, Moment),
    SomebodyAdds(u8),
    SomebodyRemoves,
}

const ORIGINS: [&str; 4] = [FQDN, HOST, IP, "https://20.1.2.4"];

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let mishap = prop::sample::select(vec![
        Mishap::None,
        Mishap::None,
        Mishap::Throttled(7),
        Mishap::Broken,
        Mishap::Lost,
    ]);
    let moment = prop::sample::select(vec![Moment::Before, Moment::After]);
    prop_oneof![
        4 => prop::collection::vec(0..ORIGINS.len(), 0..4).prop_map(Serve),
        1 => (0..3u8).prop_map(Name),
        1 => any::<bool>().prop_map(Scope),
        1 => any::<bool>().prop_map(Swagger),
        3 => prop::collection::vec(mishap, 1..12).prop_map(Mishaps),
        2 => (0..30u64).prop_map(Lag),
        3 => (1..40usize, moment).prop_map(|(n, moment)| Kill(n, moment)),
        1 => (0..3u8).prop_map(SomebodyAdds),
        1 => Just(SomebodyRemoves),
    ]
}

fn theirs(n: u8) -> String {
    format!("https://theirs-{n}.example/cb")
}

/// What somebody added and nobody removed.
async fn happens(bench: &mut Bench, happening: Happening, added: &mut BTreeSet<String>) {
    match happening {
        Happening::Serve(which) => {
            let origins: BTreeSet<&str> = which.into_iter().map(|n| ORIGINS[n]).collect();
            bench.serve(&origins.into_iter().collect::<Vec<_>>());
        }
        Happening::Name(n) => {
            bench.edit_registration(|spec| spec.display_name = format!("mon-API {n}"));
        }
        Happening::Scope(more) => bench.edit_registration(|spec| {
            spec.scopes.truncate(1);
            if more {
                spec.scopes.push(serde_json::from_value(json!({"value": "more"})).unwrap());
            }
        }),
        Happening::Swagger(wanted) => bench.edit_registration(|spec| {
            spec.swagger = wanted.then(|| serde_json::from_value(json!({})).unwrap());
        }),
        Happening::Mishaps(mishaps) => bench.world.state().tenant.mishaps.extend(mishaps),
        Happening::Lag(seconds) => bench.world.lag(Duration::from_secs(seconds)),
        Happening::Kill(n, moment) => bench.world.gate.kill_at(n, moment),
        Happening::SomebodyAdds(n) => {
            edit_by_somebody(bench, |uris| uris.extend([theirs(n)])).await;
            if !bench.shown("api").is_null() {
                added.insert(theirs(n));
            }
        }
        Happening::SomebodyRemoves => {
            let (host, mine) = (HOST.to_owned(), "http://localhost:8000".to_owned());
            edit_by_somebody(bench, |uris| uris.retain(|uri| *uri != host && *uri != mine)).await;
        }
    }
    bench.wake();
}

/// Graph has no way to say "if nobody changed it since": a person's change that meets one of ours
/// half-way is lost in the real one, too. So people wait until Graph is quiet.
async fn edit_by_somebody(bench: &mut Bench, change: impl FnOnce(&mut BTreeSet<String>)) {
    bench.world.state().tenant.mishaps.clear();
    bench.live_on(Duration::from_mins(3)).await;
    if bench.shown("api").is_null() {
        return;
    }
    let mut uris = bench.redirects("api");
    change(&mut uris);
    bench.somebody_patches("api", json!({"web": {"redirectUris": uris}}));
    bench.live_on(Duration::from_mins(3)).await;
}

async fn converges(happenings: Vec<(Happening, u64)>) {
    let mut bench = Bench::empty();
    bench.serve(&[]);
    bench.apply_registration(registration());
    let mut added = BTreeSet::new();
    for (happening, seconds) in happenings {
        happens(&mut bench, happening, &mut added).await;
        bench.live_on(Duration::from_secs(seconds)).await;
        let apps = bench.world.applications().len();
        assert!(apps <= 2, "{apps} applications\n{}", bench.history());
    }
    bench.world.state().tenant.mishaps.clear();
    bench.restart();
    bench.live_on(Duration::from_hours(3)).await;
    bench.settle().await;
    bench.forget_writes();
    bench.restart();
    bench.live_on(Duration::from_hours(3)).await;
    bench.wrote(&[]);
    bench.assert_registration("Ready", "True InSync");
    check(&bench, &added);
}

fn check(bench: &Bench, added: &BTreeSet<String>) {
    let manifest = bench.home.kept().entries[&registration_key()].manifest.clone();
    let swagger = manifest["spec"]["swagger"].is_object();
    assert_eq!(bench.world.applications().len(), 1 + usize::from(swagger));
    let served = texts(&bench.status()["origins"]);
    let uris = bench.redirects("api");
    let expected: BTreeSet<String> = served.union(added).cloned().collect();
    let local = set(&["http://localhost:8000"]);
    let told = format!("{uris:?}\n{}", bench.history());
    if bench.condition_of(&registration_key(), "NotConverging").starts_with("True") {
        // Somebody removed one of ours right after we wrote it: shown, and not fought over.
        assert!(uris.is_superset(added), "{told}");
    } else {
        assert_eq!(uris, expected.union(&local).cloned().collect(), "{told}");
    }
    assert_eq!(bench.origins(), served, "{told}");
    if swagger {
        let expected: BTreeSet<String> =
            served.union(&local).map(|origin| format!("{origin}/oauth2-redirect")).collect();
        assert_eq!(bench.redirects("swagger"), expected, "{told}");
    }
}

proptest! {
    #![proptest_config(sequences())]

    #[test]
    fn every_sequence_comes_to_rest(
        happenings in prop::collection::vec((happening(), 0..40u64), 1..12),
    ) {
        on_paused_time(converges(happenings));
    }

    /// A Graph that lags and throttles, and a process that dies: each change is written once.
    #[test]
    fn no_write_is_repeated(
        lag in 0..50u64,
        kills in prop::collection::vec((1..80usize, any::<bool>()), 0..6),
        mishaps in prop::collection::vec(prop::sample::select(vec![
            Mishap::None, Mishap::None, Mishap::Throttled(7), Mishap::Lost,
        ]), 0..40),
    ) {
        on_paused_time(async {
            let mut bench = Bench::empty();
            bench.world.lag(Duration::from_secs(lag));
            bench.serve(&[FQDN]);
            bench.apply_registration(registration());
            bench.world.state().tenant.mishaps = mishaps.into();
            for (n, before) in kills {
                let moment = if before { Moment::Before } else { Moment::After };
                bench.world.gate.kill_at(n, moment);
                bench.live_on(Duration::from_secs(5)).await;
            }
            bench.live_on(Duration::from_mins(30)).await;
            bench.settle().await;
            let log = bench.world.state().tenant.log.clone();
            let done: Vec<_> = log.iter().filter(|(.., status)| *status < 300).collect();
            assert_eq!(done.len(), PAIR.len(), "{done:#?}\n{}", bench.history());
            bench.assert_registration("Ready", "True InSync");
        });
    }
}
