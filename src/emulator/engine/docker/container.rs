//! Containers of a group: how one is described to the engine, and what is read back.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bollard::models::{
    self, ContainerCreateBody, ContainerInspectResponse, HostConfig, PortBinding,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, StartContainerOptions,
};
use chrono::{DateTime, Datelike as _, Utc};

use super::name::{CONTAINER, Names, SUPERVISION};
use super::supervisor::{Progress, Supervision};
use super::{
    ContainerRun, ContainerState, Endpoints, EngineError, GroupRun, VolumeRun, fault, holder,
    settled,
};

/// Bytes in a GiB, ACI's `memoryInGB`.
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;
/// Microseconds of the scheduler's accounting period; the kernel's default.
const CPU_PERIOD: u32 = 100_000;

/// Where the holder has the volume number `index` of a group.
pub(super) fn volume_path(index: usize) -> String {
    format!("/volumes/{index}")
}

/// The container that owns the namespace: it publishes the ports, and it keeps the memory behind
/// each volume mounted while the others come and go.
pub(super) fn holder(
    names: &Names,
    group: &str,
    run: &GroupRun,
    image: String,
) -> ContainerCreateBody {
    let binding = PortBinding { host_ip: Some(Ipv4Addr::LOCALHOST.to_string()), host_port: None };
    let tcp = |port: &u16| format!("{port}/tcp");
    let volumes = run.volumes.keys().enumerate();
    ContainerCreateBody {
        image: Some(image),
        entrypoint: Some(vec![holder::PROGRAM.to_owned()]),
        labels: Some(names.group_labels(group)),
        exposed_ports: Some(run.ports.iter().map(tcp).collect()),
        stop_timeout: Some(0),
        host_config: Some(HostConfig {
            port_bindings: Some(
                run.ports.iter().map(|port| (tcp(port), Some(vec![binding.clone()]))).collect(),
            ),
            binds: Some(
                volumes
                    .map(|(i, name)| bind(&names.volume(group, name), &volume_path(i), false))
                    .collect(),
            ),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// One container of the group, inside the holder's network namespace.
///
/// # Errors
/// `Refused` for a mount of an unknown volume or at a path that is none.
pub(super) fn member(
    names: &Names,
    group: &str,
    volumes: &BTreeMap<String, VolumeRun>,
    run: &ContainerRun,
    image: String,
    supervision: Option<&Supervision>,
) -> Result<ContainerCreateBody, EngineError> {
    let mut labels = names.group_labels(group);
    labels.insert(CONTAINER.to_owned(), run.name.clone());
    if let Some(supervision) = supervision {
        labels.insert(SUPERVISION.to_owned(), supervision.to_label()?);
    }
    let explicit = !run.command.is_empty();
    Ok(ContainerCreateBody {
        image: Some(image),
        // An entry point given here makes the engine forget the image's arguments too.
        entrypoint: explicit.then(|| run.command.clone()),
        env: Some(run.environment.iter().map(|(key, value)| format!("{key}={value}")).collect()),
        labels: Some(labels),
        stop_timeout: Some(0),
        host_config: Some(HostConfig {
            network_mode: Some(format!("container:{}", names.holder(group))),
            binds: Some(binds(names, group, volumes, run)?),
            cpu_period: positive(run.cpu).map(|_| CPU_PERIOD.into()),
            // A quota may exceed the machine's cores, which Docker's `NanoCpus` may not.
            cpu_quota: positive(run.cpu).map(|cores| whole(cores * f64::from(CPU_PERIOD))),
            memory: positive(run.memory_gib).map(|gib| whole(gib * GIB)),
            memory_swap: positive(run.memory_gib).map(|gib| whole(gib * GIB)),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    })
}

fn binds(
    names: &Names,
    group: &str,
    volumes: &BTreeMap<String, VolumeRun>,
    run: &ContainerRun,
) -> Result<Vec<String>, EngineError> {
    let mut binds = Vec::new();
    for mount in &run.mounts {
        let refused = |problem| {
            let (name, path) = (&run.name, &mount.path);
            EngineError::Refused(format!("container `{name}`: mount at `{path}`: {problem}"))
        };
        let volume = volumes.get(&mount.volume).ok_or_else(|| refused("no such volume"))?;
        if !mount.path.starts_with('/') || mount.path.contains(':') {
            return Err(refused("not an absolute path without `:`"));
        }
        let read_only = mount.read_only || matches!(volume, VolumeRun::Secret(_));
        binds.push(bind(&names.volume(group, &mount.volume), &mount.path, read_only));
    }
    Ok(binds)
}

/// `nocopy`: a volume hides what the image has at that path, it is not filled with it.
fn bind(volume: &str, path: &str, read_only: bool) -> String {
    format!("{volume}:{path}:{},nocopy", if read_only { "ro" } else { "rw" })
}

fn positive(value: f64) -> Option<f64> {
    (value > 0.0).then_some(value)
}

#[expect(clippy::cast_possible_truncation, reason = "rounded; a limit that large is no limit")]
fn whole(value: f64) -> i64 {
    value.round() as i64
}

/// Makes a container.
pub(super) async fn create(
    api: &bollard::Docker,
    name: &str,
    body: ContainerCreateBody,
) -> Result<(), EngineError> {
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    api.create_container(Some(options), body).await.map_err(|error| fault(error, name))?;
    Ok(())
}

/// Starts a container that was made, or starts it again.
pub(super) async fn start(api: &bollard::Docker, name: &str) -> Result<(), EngineError> {
    api.start_container(name, None::<StartContainerOptions>)
        .await
        .map_err(|error| fault(error, name))
}

/// What the engine knows of a container.
pub(super) async fn inspect(
    api: &bollard::Docker,
    name: &str,
) -> Result<ContainerInspectResponse, bollard::errors::Error> {
    settled(|| api.inspect_container(name, None::<InspectContainerOptions>)).await
}

/// The loopback address behind each published port of an inspected holder.
pub(super) fn endpoints(ports: HashMap<String, Option<Vec<PortBinding>>>) -> Endpoints {
    let address = |binding: &PortBinding| {
        let ip: IpAddr = binding.host_ip.as_deref()?.parse().ok()?;
        Some(SocketAddr::new(ip, binding.host_port.as_deref()?.parse().ok()?))
    };
    ports
        .into_iter()
        .filter_map(|(port, bindings)| {
            let port = port.strip_suffix("/tcp")?.parse().ok()?;
            Some((port, bindings?.iter().find_map(address)?))
        })
        .collect()
}

/// What is known of a container: the engine's facts and the supervisor's.
pub(super) fn state(
    inspected: &models::ContainerState,
    progress: Option<Progress>,
) -> ContainerState {
    let running = inspected.running == Some(true);
    let last = progress.as_ref().and_then(|progress| progress.last);
    let finished = timestamp(inspected.finished_at.as_ref());
    let started_at = timestamp(inspected.started_at.as_ref());
    let ended = started_at.is_some() && !running;
    ContainerState {
        running,
        started_at,
        finished_at: if ended { finished } else { last.and_then(|(_, at)| at).or(finished) },
        exit_code: if ended { Some(exit_code(inspected)) } else { last.map(|(code, _)| code) },
        restart_count: progress.as_ref().map_or(0, |progress| progress.restarts),
        ready: running && progress.is_some_and(|progress| progress.ready),
    }
}

/// An engine's timestamp; engines write the year 1 for "never".
pub(super) fn timestamp(text: Option<&String>) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text?).ok()?.to_utc();
    (time.year() > 1).then_some(time)
}

/// The exit code in an inspected state; meaningless while it runs.
pub(super) fn exit_code(state: &models::ContainerState) -> i32 {
    state.exit_code.and_then(|code| code.try_into().ok()).unwrap_or(-1)
}
