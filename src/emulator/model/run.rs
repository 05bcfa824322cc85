//! From a stored body to what the engine runs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::body::{Container, Probe, Properties, Volume};
use super::validate::decode;
use crate::emulator::engine::{
    ContainerRun, GroupRun, MountRun, ProbeAction, ProbeRun, RegistryCredential, RestartPolicy,
    VolumeRun,
};

/// The group reduced to what running it takes. A share of Azure Files is an empty directory here:
/// local Azure has no storage accounts.
pub(super) fn group(body: &Properties, ip: Option<IpAddr>) -> GroupRun {
    GroupRun {
        ip,
        ports: published(body),
        init_containers: body.init_containers.iter().map(container).collect(),
        containers: body.containers.iter().map(container).collect(),
        volumes: body.volumes.iter().map(|v| (v.name.clone(), volume(v))).collect(),
        restart: match body.restart_policy.as_deref() {
            Some("Never") => RestartPolicy::Never,
            Some("OnFailure") => RestartPolicy::OnFailure,
            _ => RestartPolicy::Always,
        },
        registries: registries(body),
    }
}

fn published(body: &Properties) -> Vec<u16> {
    let address = body.ip_address.iter().filter(|address| address.kind == "Public");
    let ports = address.flat_map(|address| &address.ports);
    ports.filter(|port| port.protocol.as_deref() == Some("TCP")).map(|port| port.port).collect()
}

fn container(container: &Container) -> ContainerRun {
    let body = &container.properties;
    let requests = body.resources.as_ref().map(|resources| &resources.requests);
    ContainerRun {
        name: container.name.clone(),
        image: body.image.clone().unwrap_or_default(),
        command: body.command.clone(),
        environment: body
            .environment_variables
            .iter()
            .map(|v| {
                (
                    v.name.clone(),
                    v.secure_value.clone().or_else(|| v.value.clone()).unwrap_or_default(),
                )
            })
            .collect(),
        mounts: body
            .volume_mounts
            .iter()
            .map(|mount| MountRun {
                volume: mount.name.clone(),
                path: mount.path.clone(),
                read_only: mount.read_only.unwrap_or_default(),
            })
            .collect(),
        cpu: requests.and_then(|amounts| amounts.cpu).unwrap_or(1.0),
        memory_gib: requests.and_then(|amounts| amounts.memory_in_gb).unwrap_or(1.5),
        liveness: body.liveness_probe.as_ref().and_then(probe),
        readiness: body.readiness_probe.as_ref().and_then(probe),
    }
}

fn probe(probe: &Probe) -> Option<ProbeRun> {
    let action = match (&probe.exec, &probe.http_get) {
        (Some(exec), _) => ProbeAction::Exec(exec.command.clone()),
        (None, Some(get)) => ProbeAction::HttpGet {
            path: get.path.clone().unwrap_or_else(|| "/".to_owned()),
            port: get.port,
        },
        (None, None) => return None,
    };
    Some(ProbeRun {
        action,
        initial_delay_seconds: probe.initial_delay_seconds.unwrap_or_default(),
        period_seconds: probe.period_seconds.unwrap_or(10),
        timeout_seconds: probe.timeout_seconds.unwrap_or(1),
        failure_threshold: probe.failure_threshold.unwrap_or(3),
        success_threshold: probe.success_threshold.unwrap_or(1),
    })
}

fn volume(volume: &Volume) -> VolumeRun {
    match &volume.secret {
        Some(files) => {
            let decoded =
                files.iter().filter_map(|(name, text)| Some((name.clone(), decode(text)?)));
            VolumeRun::Secret(decoded.collect::<BTreeMap<_, _>>())
        }
        None => VolumeRun::EmptyDir,
    }
}

fn registries(body: &Properties) -> Vec<RegistryCredential> {
    let known = body.image_registry_credentials.iter().filter_map(|registry| {
        Some(RegistryCredential {
            server: registry.server.clone(),
            username: registry.username.clone()?,
            password: registry.password.clone()?,
        })
    });
    known.collect()
}
