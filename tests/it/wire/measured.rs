//! Figures of the whole, printed and not judged: a slow machine is no defect.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{World, group, is_ready, measured, now, number};

/// So many groups take turns: one is edited while the others are still being provisioned.
const GROUPS: usize = 6;

fn stamp(request: &Value) -> DateTime<Utc> {
    request["time"].as_str().unwrap().parse().unwrap()
}

/// `p50`, `p99` and the worst, in milliseconds.
fn spread(mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() * share).div_ceil(100).max(1) - 1];
    format!("p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms", at(50), at(99), at(100))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a test")]
fn millis(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_microseconds().unwrap() as f64 / 1000.0
}

#[test]
fn from_an_edit_to_the_wire() {
    let mut world = World::new();
    let edits = number("ACI_OPERATOR_TEST_EDITS", 20);
    for turn in 0..GROUPS {
        world.write(&format!("g{turn}.yaml"), &group(&format!("g{turn}"), "start"));
    }
    world.start(&[]);
    for turn in 0..GROUPS {
        world.ready(&format!("g{turn}"));
    }
    let made = world.count("put");
    let mut times = Vec::new();
    for edit in 0..edits {
        let name = format!("g{}", edit % GROUPS);
        world.until(&name, "ready for the next edit", |object| {
            is_ready(object) && object["metadata"]["generation"] == 1 + edit / GROUPS
        });
        let written = now();
        world.write(&format!("{name}.yaml"), &group(&name, &edit.to_string()));
        let put = world.eventually("a PUT", || {
            let puts = world.requests().into_iter().filter(|r| r["operation"] == "put");
            puts.into_iter().nth(made + edit)
        });
        assert!(put["path"].as_str().unwrap().ends_with(&format!("/{name}")), "{put}");
        times.push(millis(written, stamp(&put)));
    }
    assert_eq!(world.count("put"), made + edits);
    let times = spread(times);
    measured(&format!("manifest edit to PUT at the listener, {edits} edits: {times}"));
}

#[test]
fn from_the_start_to_the_first_pass() {
    let mut world = World::new();
    world.write("app.yaml", &group("app", "1"));
    world.apply().done();
    let mut times = Vec::new();
    for _ in 0..10 {
        let before = world.requests().len();
        let started = now();
        world.start(&[]);
        let first = world.eventually("a first request", || world.requests().get(before).cloned());
        times.push(millis(started, stamp(&first)));
        world.kill();
    }
    let times = spread(times);
    measured(&format!("daemon start to the first GET of its first pass, 10 starts: {times}"));
    assert_eq!(world.writes(), (1, 0, 0));
}
