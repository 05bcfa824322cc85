//! A container group of the sidecar and an application, run by Podman or Docker.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use aci_operator::core::sidecar::{Composed, Dialogue, FAREWELL, Outcome, Progress, Transcript};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::client::Endpoint;

/// Built from `images/sidecar`.
pub(super) const IMAGE: &str = "aci-operator/sidecar:local";
/// Where the application listens.
pub(super) const APPLICATION: u16 = 8000;

static ENGINE: LazyLock<&str> = LazyLock::new(|| {
    let answers = |engine: &&str| {
        let image = ["image", "inspect", IMAGE];
        std::process::Command::new(engine).args(image).output().is_ok_and(|o| o.status.success())
    };
    ["podman", "docker"].into_iter().find(answers).unwrap_or_else(|| {
        panic!("neither podman nor docker has the image {IMAGE}: build it from images/sidecar")
    })
});

pub(super) struct Group {
    application: String,
    sidecar: String,
    files: TempDir,
    more: Vec<String>,
    port: u16,
}

impl Group {
    /// Starts an application, and before it the sidecar as composed, with `more` engine options.
    pub(super) async fn start(composed: &Composed, more: &[&str]) -> Self {
        let name = format!("aci-operator-it-{}", uuid::Uuid::new_v4().simple());
        let mut group = Self {
            application: format!("{name}-application"),
            sidecar: format!("{name}-sidecar"),
            files: tempfile::tempdir().unwrap(),
            more: more.iter().map(|&option| option.to_owned()).collect(),
            port: 0,
        };
        fs::write(group.files.path().join("application.conf"), APPLICATION_CONF).unwrap();
        fs::write(group.files.path().join("slow"), "slow".repeat(2048)).unwrap();
        let mount = format!("{}:/application:ro", group.files.path().display());
        let nginx = ["nginx", "-c", "/application/application.conf", "-g", "daemon off;"];
        let run = ["run", "-d", "--name", &group.application, "-p", "127.0.0.1::443", "-v", &mount];
        engine(&[&run[..], &[IMAGE], &nginx].concat()).await;
        let published = engine(&["port", &group.application, "443"]).await;
        group.port = published.trim().rsplit(':').next().unwrap().parse().unwrap();
        group.deploy(composed).await;
        group
    }

    /// What a PUT does to the sidecar: new container, new volumes.
    pub(super) async fn redeploy(&self, composed: &Composed) {
        engine(&["rm", "-f", "-v", &self.sidecar]).await;
        self.deploy(composed).await;
    }

    async fn deploy(&self, composed: &Composed) {
        self.write_volume(composed);
        let container = &composed.container;
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let secret = self.volume().display().to_string();
        let mut arguments: Vec<String> =
            ["run", "-d", "--name", &self.sidecar, "--network"].map(str::to_owned).to_vec();
        arguments.push(format!("container:{}", self.application));
        let [volume, live] = container["volumeMounts"].as_array().unwrap().as_slice() else {
            panic!("two mounts")
        };
        arguments.extend(["-v".into(), format!("{secret}:{}:ro", text(&volume["mountPath"]))]);
        // An anonymous volume lives as long as its container, as an emptyDir does.
        arguments.extend(["-v".into(), text(&live["mountPath"])]);
        arguments.extend(self.more.clone());
        let command: Vec<_> = container["command"].as_array().unwrap().iter().map(text).collect();
        arguments.extend(["--entrypoint".into(), command[0].clone(), text(&container["image"])]);
        arguments.extend(command[1..].iter().cloned());
        engine(&arguments).await;
    }

    /// Changes the secret volume under a sidecar, which sees it at its next start.
    pub(super) fn write_volume(&self, composed: &Composed) {
        fs::create_dir_all(self.volume()).unwrap();
        for (name, content) in composed.volumes[0]["secret"].as_object().unwrap() {
            fs::write(self.volume().join(name), content.as_str().unwrap()).unwrap();
        }
    }

    fn volume(&self) -> std::path::PathBuf {
        self.files.path().join("volume")
    }

    /// Kills the sidecar's main process and starts the same container again.
    pub(super) async fn crash(&self) {
        engine(&["kill", &self.sidecar]).await;
        engine(&["wait", &self.sidecar]).await;
        engine(&["start", &self.sidecar]).await;
    }

    /// What a command in the sidecar prints.
    pub(super) async fn shell(&self, command: &str) -> String {
        engine(&["exec", &self.sidecar, "/bin/sh", "-c", command]).await
    }

    pub(super) async fn logs(&self) -> String {
        engine(&["logs", &self.sidecar]).await
    }

    /// Where the sidecar is published, for who trusts `authority_pem`.
    pub(super) fn endpoint(&self, authority_pem: &str) -> Endpoint {
        let address = (Ipv4Addr::LOCALHOST, self.port).into();
        Endpoint::new(address, "localhost", authority_pem)
    }

    /// Leads a dialogue over a terminal in the sidecar.
    pub(super) async fn exec(&self, dialogue: Dialogue) -> (Outcome, Vec<u8>) {
        let mut session = Session::open(&self.sidecar);
        let mut transcript = Transcript::new(dialogue);
        let mut shown = Vec::new();
        loop {
            match transcript.step(&shown) {
                Progress::Send(text) => {
                    session.write(text.reveal().as_bytes()).await;
                    shown.clear();
                }
                Progress::Wait => shown = session.read().await,
                Progress::Done(outcome) => {
                    session.write(FAREWELL.as_bytes()).await;
                    return (outcome, session.seen);
                }
            }
        }
    }

    /// Leads a dialogue until `bytes` have been typed and read, then lets the connection die. False
    /// where the dialogue ends before.
    pub(super) async fn exec_cut_after(&self, bytes: usize, dialogue: Dialogue) -> bool {
        let mut session = Session::open(&self.sidecar);
        let mut transcript = Transcript::new(dialogue);
        let mut shown = Vec::new();
        let mut left = bytes;
        loop {
            match transcript.step(&shown) {
                Progress::Send(text) => {
                    let part = &text.reveal().as_bytes()[..left.min(text.reveal().len())];
                    session.write(part).await;
                    left -= part.len();
                    if left == 0 {
                        session.settle().await;
                        session.process.kill().await.unwrap();
                        return true;
                    }
                    shown.clear();
                }
                Progress::Wait => shown = session.read().await,
                Progress::Done(_) => return false,
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for container in [&self.sidecar, &self.application] {
            let remove = ["rm", "-f", "-v", container.as_str()];
            let _ = std::process::Command::new(*ENGINE).args(remove).output();
        }
    }
}

/// `/bin/sh` on a terminal in a container: `script` gives the engine the terminal that it asks for.
struct Session {
    process: tokio::process::Child,
    seen: Vec<u8>,
}

impl Session {
    fn open(container: &str) -> Self {
        let exec = format!("{} exec -it {container} /bin/sh", *ENGINE);
        let process = Command::new("script")
            .args(["-qec", &exec, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("`script`, of the package bsdutils");
        Self { process, seen: Vec::new() }
    }

    async fn write(&mut self, bytes: &[u8]) {
        let stdin = self.process.stdin.as_mut().unwrap();
        stdin.write_all(bytes).await.unwrap();
        stdin.flush().await.unwrap();
    }

    async fn read(&mut self) -> Vec<u8> {
        let mut chunk = vec![0; 1024];
        let read = self.process.stdout.as_mut().unwrap().read(&mut chunk);
        let length = tokio::time::timeout(Duration::from_secs(30), read).await;
        let length = length.unwrap_or_else(|_| panic!("no answer after {}", self.text())).unwrap();
        assert!(length > 0, "the session ended: {}", self.text());
        chunk.truncate(length);
        self.seen.extend_from_slice(&chunk);
        chunk
    }

    /// Gives the other side the time to read what was typed.
    async fn settle(&mut self) {
        let quiet = Duration::from_millis(300);
        while tokio::time::timeout(quiet, self.read()).await.is_ok() {}
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}

async fn engine<S: AsRef<std::ffi::OsStr> + std::fmt::Debug>(arguments: &[S]) -> String {
    let output = Command::new(*ENGINE).args(arguments).output().await.unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    // An engine's `logs` keeps the two apart.
    if stdout.is_empty() { stderr } else { stdout + &stderr }
}

/// Whether the package busybox-static is there; its path.
pub(super) fn busybox() -> &'static Path {
    let path = Path::new("/bin/busybox");
    assert!(path.exists(), "needs the package busybox-static");
    path
}

/// Tells what it was asked, and has a file that takes four seconds.
const APPLICATION_CONF: &str = r#"
error_log stderr;
events {}
http {
    large_client_header_buffers 4 32k;
    server {
        listen 127.0.0.1:8000;
        location / {
            add_header Strict-Transport-Security "max-age=1";
            return 200 "host=$http_host for=$http_x_forwarded_for proto=$http_x_forwarded_proto fhost=$http_x_forwarded_host upgrade=$http_upgrade connection=$http_connection";
        }
        location = /slow { alias /application/slow; limit_rate 2k; }
    }
}
"#;
