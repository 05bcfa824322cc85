//! The leader goes away in each way that there is, while there is work to do.
#![expect(clippy::print_stdout, reason = "figures are for who runs a test by hand")]

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Cluster, number, pause};
use crate::wire::{group, is_ready};

/// How a leader goes away.
#[derive(Clone, Copy, Debug)]
enum Way {
    Killed,
    Paused,
    CutOff,
}

#[test]
fn another_replica_takes_over_and_nothing_is_written_twice() {
    let mut cluster = Cluster::new("");
    for _ in 0..3 {
        cluster.replica();
    }
    cluster.apply(&group("web", "0"));
    cluster.until("acg/web", "ready", is_ready);
    let ways = [Way::Paused, Way::Killed, Way::CutOff];
    let rounds = number("ACI_OPERATOR_TEST_TAKEOVERS", 3);
    let mut took = Vec::new();
    for (round, way) in ways.into_iter().cycle().take(rounds).enumerate() {
        let leader = cluster.leader();
        let before = cluster.world.requests().len();
        cluster.apply(&group("web", &format!("{}", round + 1)));
        // At another request of the pass each time: before it has read, between read and write, after.
        let at = before + round % 4;
        while cluster.world.requests().len() < at {
            pause(Duration::from_millis(1));
        }
        let begin = Instant::now();
        leave(&mut cluster, leader, way);
        let next = cluster.world.eventually("another leader", || {
            let holder = cluster.holder();
            let name = &cluster.replicas[leader].name;
            (!holder.is_empty() && !holder.starts_with(name.as_str())).then_some(holder)
        });
        took.push(begin.elapsed().as_secs_f64());
        come_back(&mut cluster, leader, way);
        cluster.until("acg/web", "ready after the takeover", is_ready);
        assert_eq!(cluster.world.writes(), (round + 2, 0, 0), "{way:?}, then {next}");
    }
    // Who came back stands by; the last edit is the only one's.
    pause(Duration::from_secs(4));
    assert_eq!(cluster.world.writes(), (rounds + 1, 0, 0));
    cluster.no_write_without_leave();
    took.sort_by(f64::total_cmp);
    println!("measured: takeover_p50_s={:.1}", took[took.len() / 2]);
    println!("measured: takeover_worst_s={:.1}", took[took.len() - 1]);
}

fn leave(cluster: &mut Cluster, leader: usize, way: Way) {
    match way {
        Way::Killed => {
            cluster.replicas[leader].process.kill().unwrap();
            cluster.replicas[leader].process.wait().unwrap();
        }
        Way::Paused => cluster.replicas[leader].signal(Signal::STOP),
        Way::CutOff => cluster.replicas[leader].door.shut(),
    }
}

fn come_back(cluster: &mut Cluster, leader: usize, way: Way) {
    match way {
        Way::Killed => cluster.restart(leader),
        Way::Paused => cluster.replicas[leader].signal(Signal::CONT),
        Way::CutOff => cluster.replicas[leader].door.open(),
    }
}

#[test]
fn a_leader_that_is_told_to_stop_gives_the_lease_back() {
    let mut cluster = Cluster::new("");
    cluster.replica();
    cluster.apply(&group("web", "0"));
    cluster.until("acg/web", "ready", is_ready);
    cluster.replica();
    let begin = Instant::now();
    cluster.replicas[0].signal(Signal::TERM);
    assert_eq!(cluster.replicas[0].process.wait().unwrap().code(), Some(0));
    cluster
        .world
        .eventually("the other leads", || cluster.holder().starts_with("replica-1").then_some(()));
    // Less than a lease lasts: it was not waited for.
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
}
