//! The binary as whole processes against local Azure, which serves nothing: what scripts see, and
//! what goes over the wire.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::Value;
use tempfile::TempDir;

use crate::emulator::storage::azurite;

mod contract;
mod daemon;
mod faults;
mod foreign;
mod homes;
mod identities;
mod install;
mod kills;
mod manifests;
mod many;
mod measured;
mod owner;
mod replicas;
mod secrecy;

const BINARY: &str = env!("CARGO_BIN_EXE_aci-operator");

/// When a wait is given up: it never decides a test that passes.
const PATIENCE: Duration = Duration::from_mins(2);

/// A directory of its own with a home, manifests, a local Azure and perhaps a daemon.
struct World {
    dir: TempDir,
    daemon: Option<Child>,
    listen: String,
    /// Variables of each process.
    environment: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    /// What it printed, if it ended with `code`.
    #[track_caller]
    fn with(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:#?}");
        self.out
    }

    #[track_caller]
    fn done(self) -> String {
        self.with(0)
    }

    /// What it said on standard error, if it ended with `code`.
    #[track_caller]
    fn complaint(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:#?}");
        self.err
    }
}

impl World {
    /// With a local Azure that runs.
    fn new() -> Self {
        let world = Self::without_azure();
        world.run(&["local", "up", "--engine", "none"]).done();
        world
    }

    fn without_azure() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("manifests")).unwrap();
        Self { dir, daemon: None, listen: String::new(), environment: Vec::new() }
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    fn manifests(&self) -> PathBuf {
        self.dir.path().join("manifests")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.manifests().join(name)
    }

    /// Writes a manifest as editors do: beside, then over it.
    fn write(&self, name: &str, text: &str) {
        let beside = self.dir.path().join(format!("{name}.new"));
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.file(name)).unwrap();
    }

    /// The binary, with nothing of this process's Azure in its environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        for (name, _) in std::env::vars() {
            if ["AZURE_", "ACI_OPERATOR_", "RUST_LOG", "XDG_"].iter().any(|p| name.starts_with(p)) {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.dir.path())
            .env("ACI_OPERATOR_HOME", self.home())
            .env("ACI_OPERATOR_AZURITE", azurite())
            .envs(self.environment.iter().cloned())
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }

    /// Stores a secret value, which goes in by standard input.
    fn secret(&self, name: &str, key: &str, value: &str) {
        feed(self.command(&["secret", "set", name, key]), value);
    }

    fn apply(&self) -> Ended {
        self.run(&["apply", "-f", self.manifests().to_str().unwrap(), "--timeout", "100s"])
    }

    /// Starts the daemon; its log goes to a file.
    fn start(&mut self, arguments: &[&str]) {
        assert!(self.daemon.is_none(), "it runs already");
        self.listen = free_address();
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let mut command = self.command(&["run", "--listen", &self.listen, "-f"]);
        command.arg(self.manifests()).args(arguments).stdout(Stdio::null()).stderr(log);
        self.daemon = Some(command.spawn().unwrap());
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("daemon.log")
    }

    /// SIGKILL.
    fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("a daemon runs");
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    /// SIGTERM; the exit code.
    fn terminate(&mut self) -> Option<i32> {
        let mut daemon = self.daemon.take().expect("a daemon runs");
        let pid = rustix::process::Pid::from_child(&daemon);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        daemon.wait().unwrap().code()
    }

    /// An object with its status, where the ledger knows it.
    fn object(&self, name: &str) -> Option<Value> {
        let got = self.run(&["get", name, "-o", "json"]);
        (got.code == 0).then(|| serde_json::from_str(&got.out).unwrap())
    }

    /// Waits until `there` is true of an object, which it returns.
    #[track_caller]
    fn until(&self, name: &str, what: &str, there: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        self.eventually(what, || {
            last = self.object(name).unwrap_or_default();
            there(&last).then(|| last.clone())
        })
    }

    #[track_caller]
    fn ready(&self, name: &str) -> Value {
        self.until(name, "ready", is_ready)
    }

    /// Waits for an answer, and tells all that is known where none comes.
    #[track_caller]
    fn eventually<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                Instant::now() < end,
                "never {what}:\n{}\n{}\n{}",
                self.run(&["get", "-o", "wide"]).out,
                self.run(&["events"]).out,
                fs::read_to_string(self.log()).unwrap_or_default(),
            );
            pause(Duration::from_millis(20));
        }
    }

    /// Requests to ARM, oldest first.
    fn requests(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.home().join("local/requests.jsonl")).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How many requests there were of an operation on container groups.
    fn count(&self, operation: &str) -> usize {
        self.requests().iter().filter(|request| request["operation"] == operation).count()
    }

    /// Writes to container groups: PUT, PATCH, DELETE.
    fn writes(&self) -> (usize, usize, usize) {
        (self.count("put"), self.count("patch"), self.count("delete"))
    }

    /// Variables as `eval "$(aci-operator local env)"` would set them.
    fn variables(&self) -> BTreeMap<String, String> {
        let script = "eval \"$(\"$0\" local env)\" && env -0";
        let mut command = Command::new("sh");
        let ours = self.command(&[]);
        for (name, value) in ours.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let printed = ended(command.args(["-c", script, BINARY])).done();
        let pairs = printed.split('\0').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        self.run(&["local", "down"]);
    }
}

/// Runs a command that reads `text`.
fn feed(mut command: Command, text: &str) {
    use std::io::Write as _;
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// An address where nobody listens.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A condition's truth, its reason and its message; empty where it is not there.
fn condition(object: &Value, kind: &str) -> (String, String, String) {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|c| c["type"] == kind).cloned().unwrap_or_default();
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"), text("message"))
}

/// Ready, and of the present manifest.
fn is_ready(object: &Value) -> bool {
    condition(object, "Ready").0 == "True"
        && object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

/// A group without TLS: `app` with one container.
fn group(name: &str, value: &str) -> String {
    group_with(name, value, 1)
}

fn group_with(name: &str, value: &str, cpu: u32) -> String {
    format!(
        "\
apiVersion: aci-operator.io/v1alpha1
kind: ContainerGroup
metadata: {{name: {name}}}
spec:
  resourceGroup: rg
  location: westeurope
  ipAddress: {{type: Public, ports: [{{port: 80}}]}}
  containers:
  - name: web
    image: registry.example.org/web:1
    ports: [{{port: 80}}]
    resources: {{requests: {{cpu: {cpu}, memoryInGB: 1.5}}}}
    environmentVariables:
    - {{name: A, value: \"{value}\"}}
"
    )
}

/// A group behind TLS, its issuer, and a secret value of its own in an environment variable.
const TLS: &str = "\
apiVersion: aci-operator.io/v1alpha1
kind: ContainerGroup
metadata: {name: tls}
spec:
  resourceGroup: rg
  location: westeurope
  ipAddress: {type: Public, dnsNameLabel: wire, autoGeneratedDomainNameLabelScope: Unsecure}
  containers:
  - name: web
    image: registry.example.org/web:1
    ports: [{port: 8000}]
    resources: {requests: {cpu: 1, memoryInGB: 1.5}}
    environmentVariables:
    - {name: PASSWORD, secureValueFrom: {secret: {name: db, key: password}}}
  tls:
    issuerRef: {name: local-ca}
    hosts: [mon-dns.com]
    upstream: {port: 8000}
    sidecar: {image: registry.example.org/nginx:1}
---
apiVersion: aci-operator.io/v1alpha1
kind: Issuer
metadata: {name: local-ca}
spec:
  localCA: {permittedDomains: [wire.westeurope.azurecontainer.io, mon-dns.com], ipAddresses: true}
";

/// A number that `scripts/soak` may raise.
fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().map_or(default, |text| text.parse().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "the clock that both processes' stamps are of")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

#[expect(clippy::disallowed_methods, reason = "these tests wait for processes, not for tasks")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Tells a figure; `cargo test -- --nocapture` shows it.
#[expect(clippy::print_stdout, reason = "the figures are read by people")]
fn measured(figure: &str) {
    println!("measured: {figure}");
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
