//! A home with a local Azure of its own, driven by the built program; all of it is gone in the end.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command as BlockingCommand, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{sleep, timeout};

use super::client::Endpoint;

/// The group of the sample manifests, and its host.
pub(super) const GROUP: &str = "app-with-ssl";
pub(super) const HOST: &str = "mon-dns.com";
/// After so long nothing is waited for any more.
pub(super) const HANG: Duration = Duration::from_mins(3);

const PROGRAM: &str = env!("CARGO_BIN_EXE_aci-operator");
pub(super) const SAMPLE: &str = include_str!("app-with-ssl.yaml");
const IMAGES: [&str; 2] =
    ["localhost/aci-operator/sidecar:local", "localhost/aci-operator/sample-api:local"];

/// One test at a time.
static TURN: Mutex<()> = Mutex::const_new(());

pub(super) struct Home {
    dir: TempDir,
    daemon: Option<Child>,
    _turn: MutexGuard<'static, ()>,
}

impl Home {
    /// A local Azure with containers, and the sample manifest beside it.
    pub(super) async fn start() -> Self {
        let turn = TURN.lock().await;
        require_images();
        let dir = tempfile::tempdir().unwrap();
        let home = Self { dir, daemon: None, _turn: turn };
        std::fs::create_dir(home.manifests()).unwrap();
        home.write_manifest(SAMPLE);
        home.ok(&["local", "up", "--engine", "docker"]).await;
        home.set_secret("demo", "greeting", "hello from the secret").await;
        home
    }

    /// The same with the sample applied.
    pub(super) async fn applied() -> Self {
        let home = Self::start().await;
        home.apply().await;
        home
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    pub(super) fn manifests(&self) -> PathBuf {
        self.dir.path().join("manifests")
    }

    pub(super) fn write_manifest(&self, text: &str) {
        std::fs::write(self.manifests().join("app.yaml"), text).unwrap();
    }

    /// Changes the manifest as an editor would.
    pub(super) fn edit_manifest(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.manifests().join("app.yaml")).unwrap();
        assert!(text.contains(from), "{from}");
        self.write_manifest(&text.replace(from, to));
    }

    pub(super) async fn apply(&self) {
        let manifests = self.manifests().display().to_string();
        self.ok(&["apply", "-f", &manifests, "--wait", "--timeout", "3m"]).await;
    }

    pub(super) async fn set_secret(&self, name: &str, key: &str, value: &str) {
        let mut command = Command::from(program(&self.dir()));
        command.args(["secret", "set", name, key]).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(value.as_bytes()).await.unwrap();
        assert!(child.wait().await.unwrap().success());
    }

    /// Starts the daemon on the manifests.
    pub(super) async fn run_daemon(&mut self) {
        let mut command = Command::from(program(&self.dir()));
        command.args(["run", "--listen", "127.0.0.1:0", "-f"]).arg(self.manifests());
        self.spawn(command).await;
    }

    /// Starts the daemon on the objects of the cluster that `kubeconfig` names; its Azure is local Azure
    /// here.
    pub(super) async fn run_daemon_in_cluster(&mut self, kubeconfig: &Path) {
        let mut command = Command::from(program(Path::new("kubernetes://ops")));
        command.args(["run", "--listen", "127.0.0.1:0"]).env("KUBECONFIG", kubeconfig);
        command.envs(aci_operator::emulator::environment(&self.dir().join("local")).unwrap());
        self.spawn(command).await;
    }

    async fn spawn(&mut self, mut command: Command) {
        let log = std::fs::File::create(self.dir.path().join("daemon.log")).unwrap();
        self.daemon = Some(command.stderr(log).kill_on_drop(true).spawn().unwrap());
        let started = self.dir.path().join("daemon.log");
        self.until("the daemon to start", async || {
            std::fs::read_to_string(&started).unwrap().contains("started").then_some(())
        })
        .await;
    }

    pub(super) async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::from(program(&self.dir()));
        let output = command.args(arguments).kill_on_drop(true).output();
        let output = timeout(HANG, output).await;
        output.unwrap_or_else(|_| panic!("{arguments:?} hangs")).unwrap()
    }

    /// What a command prints that must do well.
    pub(super) async fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {problem}\n{}", self.logs());
        String::from_utf8(output.stdout).unwrap()
    }

    pub(super) async fn fault(&self, arguments: &[&str]) {
        self.ok(&[&["local", "fault"], arguments].concat()).await;
    }

    /// The status of the group, as `get` prints it.
    pub(super) async fn status(&self) -> Status {
        let text = self.ok(&["get", "ContainerGroup", GROUP, "-o", "json"]).await;
        Status(serde_json::from_str::<Value>(&text).unwrap()["status"].take())
    }

    /// Requests that local Azure has answered.
    pub(super) async fn requests(&self, operation: &str) -> u64 {
        let text = self.ok(&["local", "status", "-o", "json"]).await;
        let status: Value = serde_json::from_str(&text).unwrap();
        status["requests"][operation].as_u64().unwrap_or_default()
    }

    pub(super) async fn puts(&self) -> u64 {
        self.requests("put").await
    }

    /// The public address, where the certificate must name `name` and be signed by our root.
    pub(super) async fn endpoint(&self, ip: IpAddr, name: &str) -> Endpoint {
        let root = self.ok(&["ca", "export", "local-ca"]).await;
        Endpoint::new((ip, 443).into(), name, &root)
    }

    /// The present address, asked for the manifest's host.
    pub(super) async fn present_endpoint(&self) -> Endpoint {
        self.endpoint(self.status().await.ip(), HOST).await
    }

    /// Asks again and again until there is an answer.
    pub(super) async fn until<T>(&self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let asked = async {
            loop {
                if let Some(answer) = ask().await {
                    return answer;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let answer = timeout(HANG, asked).await;
        answer.unwrap_or_else(|_| panic!("waited in vain for {what}\n{}", self.logs()))
    }

    /// Until the status is as described.
    pub(super) async fn until_status(&self, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        self.until(what, async || Some(self.status().await).filter(|status| holds(status))).await
    }

    /// Until a new handshake shows the certificate of this serial number.
    pub(super) async fn until_served(&self, endpoint: &Endpoint, serial: &str) {
        self.until(serial, async || {
            endpoint.connect().await.is_ok_and(|c| c.serial() == serial).then_some(())
        })
        .await;
    }

    pub(super) fn logs(&self) -> String {
        let tail = |path: PathBuf| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            lines[lines.len().saturating_sub(40)..].join("\n")
        };
        let (daemon, local) = (self.dir.path().join("daemon.log"), self.dir().join("local/log"));
        format!("daemon:\n{}\nlocal Azure:\n{}", tail(daemon), tail(local))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // The daemon would make anew what is removed.
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.start_kill();
        }
        for verb in ["reset", "down"] {
            let _ = program(&self.dir()).args(["local", verb]).output();
        }
    }
}

/// `status` of the group.
pub(super) struct Status(Value);

impl Status {
    pub(super) fn of(status: Value) -> Self {
        Self(status)
    }

    pub(super) fn ip(&self) -> IpAddr {
        self.0["ip"].as_str().unwrap().parse().unwrap()
    }

    /// Serial number of the stored leaf.
    pub(super) fn serial(&self) -> &str {
        self.0["certificate"]["serialNumber"].as_str().unwrap()
    }

    /// Serial number of the leaf that the operator saw served.
    pub(super) fn served(&self) -> Option<&str> {
        self.0["certificate"]["servedSerialNumber"].as_str()
    }

    /// Serial number of the leaf on the secret volume.
    pub(super) fn baked(&self) -> &str {
        self.0["bakedCertificate"]["serialNumber"].as_str().unwrap()
    }

    /// Status and message of a condition.
    pub(super) fn condition(&self, kind: &str) -> (&str, &str) {
        let conditions = self.0["conditions"].as_array().unwrap();
        let found = conditions.iter().find(|condition| condition["type"] == kind);
        let found = found.unwrap_or_else(|| panic!("no condition {kind}"));
        (found["status"].as_str().unwrap(), found["message"].as_str().unwrap())
    }

    pub(super) fn ready(&self) -> bool {
        self.condition("Ready").0 == "True"
    }
}

/// The program on a home, with nothing of the caller's Azure.
fn program(home: &Path) -> BlockingCommand {
    let mut command = BlockingCommand::new(PROGRAM);
    let foreign = std::env::vars().filter(|(name, _)| {
        (name.starts_with("AZURE_") || name.starts_with("ACI_OPERATOR_"))
            && !name.starts_with("ACI_OPERATOR_TEST_")
    });
    for (name, _) in foreign {
        command.env_remove(name);
    }
    command.arg("--home").arg(home);
    command
}

fn require_images() {
    for image in IMAGES {
        let there = ["podman", "docker"].iter().any(|engine| {
            let inspect = BlockingCommand::new(engine).args(["image", "inspect", image]).output();
            inspect.is_ok_and(|output| output.status.success())
        });
        assert!(there, "no engine has the image {image}: scripts/test builds it");
    }
}
