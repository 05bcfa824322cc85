//! Engines, containers and waiting, for the tests of the engine.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aci_operator::emulator::engine::docker::Docker;
use aci_operator::emulator::engine::{
    ContainerRun, ContainerState, Engine as _, GroupRun, MountRun, RestartPolicy, TerminalSize,
};
use futures::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub(super) const IMAGE: &str = "debian:forky-slim";
/// A server that answers 204 to anything; perl is in every Debian.
pub(super) const SERVE: &str = "use IO::Socket::INET; my ($host, $port) = @ARGV;
    my $s = IO::Socket::INET->new(LocalAddr => $host, LocalPort => $port, Listen => 9,
        ReuseAddr => 1) or die; $SIG{PIPE} = 'IGNORE';
    while (my $c = $s->accept) { sysread $c, my $b, 4096;
        syswrite $c, qq(HTTP/1.1 204 No Content\\r\\n\\r\\n); close $c }";

pub(super) async fn connect(id: &str) -> Docker {
    Docker::connect(id, None).await.expect("these tests need a running Docker or Podman service")
}

/// Runs a test with an id of its own, and removes what it made.
pub(super) async fn with_id<F: Future<Output = ()>>(test: impl FnOnce(String) -> F) {
    let id = format!("it-{}", uuid::Uuid::new_v4());
    let result = AssertUnwindSafe(test(id.clone())).catch_unwind().await;
    connect(&id).await.reset().await.unwrap();
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

pub(super) async fn with_engine<F: Future<Output = ()>>(test: impl FnOnce(Docker) -> F) {
    with_id(async |id| test(connect(&id).await).await).await;
}

pub(super) fn container(name: &str, command: &[&str]) -> ContainerRun {
    ContainerRun {
        name: name.to_owned(),
        image: IMAGE.to_owned(),
        command: command.iter().map(|&part| part.to_owned()).collect(),
        environment: Vec::new(),
        mounts: Vec::new(),
        cpu: 1.0,
        memory_gib: 0.25,
        liveness: None,
        readiness: None,
    }
}

pub(super) fn shell(name: &str, script: &str) -> ContainerRun {
    container(name, &["/bin/bash", "-c", script])
}

pub(super) fn group(containers: Vec<ContainerRun>) -> GroupRun {
    GroupRun {
        ip: None,
        ports: Vec::new(),
        init_containers: Vec::new(),
        containers,
        volumes: BTreeMap::new(),
        restart: RestartPolicy::Never,
        registries: Vec::new(),
    }
}

pub(super) fn mount(volume: &str, path: &str) -> MountRun {
    MountRun { volume: volume.to_owned(), path: path.to_owned(), read_only: false }
}

/// Polls until a container's state is as wanted; a hang is cut only to show the last state.
pub(super) async fn state_when(
    engine: &Docker,
    group: &str,
    container: &str,
    wanted: impl Fn(&ContainerState) -> bool,
) -> ContainerState {
    for _ in 0..1200 {
        let states = engine.inspect(group).await.unwrap();
        if let Some(state) = states.get(container).filter(|state| wanted(state)) {
            return state.clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let logs = engine.logs(group, container, None, false).await;
    panic!("{container}: {:?}\n{logs:?}", engine.inspect(group).await);
}

/// Polls until a container has printed a text; gives up as [`state_when`] does.
pub(super) async fn logs_when(engine: &Docker, group: &str, container: &str, text: &str) -> String {
    for _ in 0..1200 {
        let logs = engine.logs(group, container, None, false).await.unwrap();
        if logs.contains(text) {
            return logs;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{container} never printed {text:?}: {:?}", engine.inspect(group).await);
}

/// What a container printed, once it has ended.
pub(super) async fn output(engine: &Docker, group: &str, container: &str) -> String {
    state_when(engine, group, container, |s| !s.running && s.exit_code.is_some()).await;
    engine.logs(group, container, None, false).await.unwrap()
}

/// Sends lines to a shell on a terminal and returns all that it showed until it ended.
pub(super) async fn session(engine: &Docker, group: &str, container: &str, input: &str) -> Vec<u8> {
    let size = TerminalSize { rows: 31, cols: 97 };
    let mut stream = engine.exec(group, container, "/bin/sh", size).await.unwrap();
    stream.write_all(input.as_bytes()).await.unwrap();
    let mut shown = Vec::new();
    stream.read_to_end(&mut shown).await.unwrap();
    shown
}

/// All that the engine tells of the containers of an id, as text.
pub(super) async fn inspect_all(id: &str) -> String {
    use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
    let api = raw_api();
    let filters = [("label".to_owned(), vec![format!("io.aci-operator.local={id}")])].into();
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let mut text = String::new();
    for found in api.list_containers(Some(options)).await.unwrap() {
        let id = found.id.unwrap();
        let container = api.inspect_container(&id, None::<InspectContainerOptions>).await.unwrap();
        text.push_str(&serde_json::to_string(&container).unwrap());
    }
    text
}

/// Process of the only container of that name in an id's groups.
pub(super) async fn process_of(id: &str, container: &str) -> i64 {
    use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
    let api = raw_api();
    let labels = [("local", id), ("container", container)];
    let labels = labels.map(|(name, value)| format!("io.aci-operator.{name}={value}")).into();
    let filters = [("label".to_owned(), labels)].into();
    let options = ListContainersOptionsBuilder::default().filters(&filters).build();
    let found = api.list_containers(Some(options)).await.unwrap().remove(0).id.unwrap();
    let found = api.inspect_container(&found, None::<InspectContainerOptions>).await.unwrap();
    found.state.unwrap().pid.unwrap()
}

/// The engine, past the code under test.
pub(super) fn raw_api() -> bollard::Docker {
    let paths = ["/var/run/docker.sock", "/run/podman/podman.sock"];
    let host = std::env::var("DOCKER_HOST").ok();
    let path = host.as_deref().or_else(|| {
        paths.into_iter().find(|path| std::os::unix::net::UnixStream::connect(path).is_ok())
    });
    let version = &bollard::ClientVersion { major_version: 1, minor_version: 41 };
    bollard::Docker::connect_with_unix(path.unwrap(), 60, version).unwrap()
}
