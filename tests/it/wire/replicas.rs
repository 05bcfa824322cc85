//! Replicas of the daemon on one real API server: one works, the others stand by. Each runs with the
//! chart's own service account, and reaches the API server through a door that can be shut.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{World, free_address, number, pause};
use crate::kubernetes::server::Server;
use door::Door;

mod door;
mod many;
mod namespaces;
mod outage;
mod rights;
mod takeover;

const HOME: &str = "kubernetes://ops";
const ACCOUNT: &str = "system:serviceaccount:ops:aci-operator";

/// A cluster with the chart in it, a local Azure, and replicas.
struct Cluster {
    world: World,
    server: Server,
    replicas: Vec<Replica>,
    /// What the replicas log.
    level: &'static str,
}

struct Replica {
    name: String,
    process: Child,
    door: Door,
    log: PathBuf,
    /// Where it serves readiness and metrics.
    listen: String,
}

impl Cluster {
    fn new(flags: &str) -> Self {
        let (world, server) = (World::new(), Server::with_chart(flags));
        Self { world, server, replicas: Vec::new(), level: "aci_operator=debug" }
    }

    /// A replica more.
    fn replica(&mut self) {
        let name = format!("replica-{}", self.replicas.len());
        let door = Door::to(SocketAddr::from(([127, 0, 0, 1], self.server.port())));
        let kubeconfig = self.server.of_the_operator(door.port);
        let path = self.world.dir.path().join(format!("{name}.kubeconfig"));
        fs::write(&path, kubeconfig).unwrap();
        let log = self.world.dir.path().join(format!("{name}.log"));
        let listen = free_address();
        let process = self.start(&name, &listen, &path, &log);
        self.replicas.push(Replica { name, process, door, log, listen });
    }

    fn start(&self, name: &str, listen: &str, kubeconfig: &PathBuf, log: &PathBuf) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        self.world
            .command(&["run", "--cloud", "local", "--listen", listen])
            .envs(self.world.variables())
            .envs(self.world.environment.iter().cloned())
            .env("ACI_OPERATOR_HOME", HOME)
            .env("KUBECONFIG", kubeconfig)
            .env("POD_NAME", name)
            .env("RUST_LOG", self.level)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// A replica that was killed comes back, as its kubelet would make it.
    fn restart(&mut self, index: usize) {
        let replica = &self.replicas[index];
        let kubeconfig = replica.log.with_extension("kubeconfig");
        let process = self.start(&replica.name, &replica.listen, &kubeconfig, &replica.log);
        self.replicas[index].process = process;
    }

    /// The name in the lease.
    fn holder(&self) -> String {
        let lease = ["get", "lease", "aci-operator", "-n", "ops", "-o"];
        let holder =
            self.server.kubectl(&[&lease[..], &["jsonpath={.spec.holderIdentity}"]].concat(), "");
        String::from_utf8(holder.stdout).unwrap()
    }

    /// The replica that works.
    #[track_caller]
    fn leader(&self) -> usize {
        self.world.eventually("a leader", || {
            let holder = self.holder();
            let name = holder.split('_').next()?;
            self.replicas.iter().position(|replica| replica.name == name)
        })
    }

    fn apply(&self, manifest: &str) {
        let output = self.server.kubectl(&["apply", "-n", "app", "-f", "-"], manifest);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn object(&self, name: &str) -> Value {
        let output = self.server.kubectl(&["get", name, "-n", "app", "-o", "json"], "");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    #[track_caller]
    fn until(&self, name: &str, what: &str, there: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + super::PATIENCE;
        loop {
            let object = self.object(name);
            if there(&object) {
                return object;
            }
            assert!(Instant::now() < end, "never {what}: {object:#}\n{}", self.logs());
            pause(Duration::from_millis(100));
        }
    }

    /// What was asked of the API server, oldest first; the last line of its log may be half written.
    fn audited(&self) -> Vec<Value> {
        let log = self.server.kubeconfig().with_file_name("audit.log");
        let text = fs::read_to_string(log).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn logs(&self) -> String {
        let end = |replica: &Replica| {
            let log = fs::read_to_string(&replica.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(25)..].join("\n");
            format!("== {}\n{last}\n", replica.name)
        };
        self.replicas.iter().map(end).collect()
    }

    /// **What one lease promises**, read from the replicas' own logs: no write began more than a term less
    /// the margin after the writer's last renewal.
    #[track_caller]
    fn no_write_without_leave(&self) {
        for replica in &self.replicas {
            let log = fs::read_to_string(&replica.log).unwrap();
            let mut leave = None;
            for line in log.lines() {
                let Some(at) = stamp(line) else { continue };
                if line.contains("the lease is renewed") || line.contains("daemon: started") {
                    leave = Some(at);
                } else if line.contains("a write begins") {
                    let since = at - leave.expect("leave before a write");
                    assert!(since.num_milliseconds() <= 12_000, "{}: {line}", replica.name);
                }
            }
        }
    }
}

impl Replica {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for replica in &mut self.replicas {
            let _ = replica.process.kill();
            let _ = replica.process.wait();
        }
    }
}

/// The time at the begin of a line of the log.
fn stamp(line: &str) -> Option<DateTime<Utc>> {
    line.split_whitespace().next()?.parse().ok()
}
