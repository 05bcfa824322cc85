//! Replicas of the daemon on one real API server: one works, the others stand by. Each runs with the
//! chart's own service account, and reaches the API server and ARM through doors of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{World, free_address, number, pause};
use crate::kubernetes::server::Server;
use door::{Door, Trap};

mod door;
mod many;
mod namespaces;
mod outage;
mod rights;
mod takeover;

/// The variable that says where ARM is.
const ARM: &str = "ACI_OPERATOR_RESOURCE_MANAGER_URL";
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
    /// To the API server.
    door: Door,
    /// To ARM.
    arm: Door,
    /// On both ways.
    trap: Trap,
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
        let trap = Trap::default();
        let to = |port| Door::to(SocketAddr::from(([127, 0, 0, 1], port)), &trap);
        let (door, arm) = (to(self.server.port()), to(self.arm_port()));
        let kubeconfig = self.server.of_the_operator(door.port);
        let path = self.world.dir.path().join(format!("{name}.kubeconfig"));
        fs::write(&path, kubeconfig).unwrap();
        let log = self.world.dir.path().join(format!("{name}.log"));
        let listen = free_address();
        let process = self.start(&name, &listen, &path, arm.port, &log);
        self.replicas.push(Replica { name, process, door, arm, trap, log, listen });
    }

    /// Where local Azure's ARM listens.
    fn arm_port(&self) -> u16 {
        let url = &self.world.variables()[ARM];
        url.rsplit(':').next().unwrap().parse().unwrap()
    }

    fn start(
        &self,
        name: &str,
        listen: &str,
        kubeconfig: &PathBuf,
        arm_port: u16,
        log: &PathBuf,
    ) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        self.world
            .command(&["run", "--cloud", "local", "--listen", listen])
            .envs(self.world.variables())
            .envs(self.world.environment.iter().cloned())
            .env(ARM, format!("https://localhost:{arm_port}"))
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
        let Replica { name, listen, arm, log, .. } = replica;
        let process = self.start(name, listen, &kubeconfig, arm.port, log);
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
        self.eventually("a leader", || {
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
        self.eventually(what, || Some(self.object(name)).filter(&there))
    }

    /// Waits for an answer, and shows what the replicas say where none comes.
    #[track_caller]
    fn eventually<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + super::PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < end, "never {what}; {}\n{}", self.holder(), self.logs());
            pause(Duration::from_millis(50));
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

    /// **Two writes of one resource never overlap**, by local Azure's log.
    #[track_caller]
    fn no_two_writes_at_once(&self) {
        let mut requests = self.writes();
        requests.sort_by_key(|request| (request["path"].to_string(), time(request, "time")));
        for pair in requests.windows(2).filter(|pair| pair[0]["path"] == pair[1]["path"]) {
            assert!(time(&pair[0], "answered") <= time(&pair[1], "time"), "{pair:#?}");
        }
    }

    /// No process ended by itself: nothing here would start it again, as a kubelet would.
    #[track_caller]
    fn all_run(&mut self) {
        for replica in &mut self.replicas {
            let ended = replica.process.try_wait().unwrap();
            assert_eq!(
                ended,
                None,
                "{}: {}",
                replica.name,
                fs::read_to_string(&replica.log).unwrap()
            );
        }
    }

    /// **What one lease promises**: no write began more than a term less the margin after the writer's last
    /// renewal, by its own log, and none reached local Azure much later than that.
    #[track_caller]
    fn no_write_without_leave(&self) {
        const LEAVE: TimeDelta = TimeDelta::seconds(12);
        const WAY: TimeDelta = TimeDelta::seconds(1);
        let mut begun = Vec::new();
        for replica in &self.replicas {
            let log = fs::read_to_string(&replica.log).unwrap();
            let mut leave = None;
            for line in log.lines() {
                let Some(at) = stamp(line) else { continue };
                if line.contains("the lease is renewed") || line.contains("daemon: started") {
                    leave = Some(at);
                } else if line.contains("a write begins") {
                    let leave = leave.expect("leave before a write");
                    assert!(at - leave <= LEAVE, "{}: {line}", replica.name);
                    begun.push((at, leave));
                }
            }
        }
        begun.sort();
        for write in self.arrived() {
            // One that nobody logged was its process' last deed.
            let Some((_, leave)) = begun.iter().rfind(|(at, _)| *at <= write) else { continue };
            assert!(write - *leave <= LEAVE + WAY, "arrived at {write}, leave of {leave}");
        }
    }

    /// When writes reached local Azure.
    fn arrived(&self) -> Vec<DateTime<Utc>> {
        self.writes().iter().map(|write| time(write, "time")).collect()
    }

    /// The writes to container groups in local Azure's log.
    fn writes(&self) -> Vec<Value> {
        let mut requests = self.world.requests();
        let operation = |request: &Value| request["operation"].as_str().unwrap().to_owned();
        requests.retain(|request| ["put", "patch", "delete"].contains(&&*operation(request)));
        requests
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

fn time(request: &Value, name: &str) -> DateTime<Utc> {
    request[name].as_str().unwrap().parse().unwrap()
}

/// The time at the begin of a line of the log.
fn stamp(line: &str) -> Option<DateTime<Utc>> {
    line.split_whitespace().next()?.parse().ok()
}
