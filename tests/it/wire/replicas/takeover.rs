//! The leader goes away in each way that there is, while there is work to do.
#![expect(clippy::print_stdout, reason = "figures are for who runs a test by hand")]

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

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
    // A write takes a while, less than the lease's margin.
    cluster.world.run(&["local", "fault", "latency", "2s", "--operation", "put"]).done();
    let ways = [Way::Paused, Way::Killed, Way::CutOff];
    let rounds = number("ACI_OPERATOR_TEST_TAKEOVERS", 3);
    let mut took = Vec::new();
    for (round, way) in ways.iter().copied().cycle().take(rounds).enumerate() {
        let leader = cluster.leader();
        // At another call of the pass each time, to the API server or to ARM: what is sent then has left
        // the process and not arrived.
        leave_at(&cluster, leader, way, 1 + round / ways.len() + 2 * (round % ways.len()));
        cluster.apply(&group("web", &format!("{}", round + 1)));
        cluster.eventually("the moment", || cluster.replicas[leader].trap.sprang().then_some(()));
        let begin = Instant::now();
        let next = cluster.eventually(&format!("another leader, {way:?} in round {round}"), || {
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
    cluster.no_two_writes_at_once();
    cluster.all_run();
    took.sort_by(f64::total_cmp);
    println!("measured: takeover_p50_s={:.1}", took[took.len() / 2]);
    println!("measured: takeover_worst_s={:.1}", took[took.len() - 1]);
}

/// Lets the leader go away at the `n`th piece of data that it sends from now on.
fn leave_at(cluster: &Cluster, leader: usize, way: Way, n: usize) {
    let replica = &cluster.replicas[leader];
    let (pid, door) = (Pid::from_child(&replica.process), replica.door.clone());
    let signal = move |signal| kill_process(pid, signal).unwrap();
    replica.trap.set(n, move || match way {
        Way::Killed => signal(Signal::KILL),
        Way::Paused => signal(Signal::STOP),
        Way::CutOff => door.shut(),
    });
}

fn come_back(cluster: &mut Cluster, leader: usize, way: Way) {
    match way {
        Way::Killed => {
            cluster.replicas[leader].process.wait().unwrap();
            cluster.restart(leader);
        }
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
