//! What a schema cannot say: rules across the fields of an object.

use std::collections::BTreeSet;
use std::time::Duration;

use super::container_group::{
    Container, ContainerGroup, Identity, IpAddress, IpAddressType, OsType, Port, Protocol, Tls,
};
use super::{AppRegistration, Issuer, Object};
use crate::core::{Invalid, names, sidecar};

mod app_registration;

/// What begins the names that the operator keeps for itself.
const RESERVED: &str = "aci-operator-";
/// Volumes of a container group.
/// <https://learn.microsoft.com/azure/container-instances/container-instances-resource-and-quota-limits>
const MOST_VOLUMES: usize = 20;
/// Shortest life of a leaf.
const SHORTEST: Duration = Duration::from_mins(10);
/// Longest life of a leaf: that of a root.
const LONGEST: Duration = Duration::from_hours(24 * 3653);

/// All mistakes of an object that has the right shape.
pub fn check(object: &Object) -> Vec<Invalid> {
    match object {
        Object::ContainerGroup(group) => group.mistakes(),
        Object::Issuer(issuer) => issuer.mistakes(),
        Object::AppRegistration(registration) => registration.mistakes(),
    }
}

/// An object that has the right shape, and may be wrong all the same.
pub trait Checked {
    /// All its mistakes.
    fn mistakes(&self) -> Vec<Invalid>;
}

impl Checked for ContainerGroup {
    fn mistakes(&self) -> Vec<Invalid> {
        let mut found = Found::default();
        container_group(self, &mut found);
        found.0
    }
}

impl Checked for Issuer {
    fn mistakes(&self) -> Vec<Invalid> {
        let mut found = Found::default();
        issuer(self, &mut found);
        found.0
    }
}

impl Checked for AppRegistration {
    fn mistakes(&self) -> Vec<Invalid> {
        let mut found = Found::default();
        app_registration::check(self, &mut found);
        found.0
    }
}

/// What is no mistake, but will hurt.
pub fn warnings(object: &Object) -> Vec<Invalid> {
    let mut found = Found::default();
    let Object::ContainerGroup(group) = object else { return found.0 };
    for (i, container) in group.spec.containers.iter().enumerate() {
        if from_docker_hub(&container.image) && group.spec.image_registry_credentials.is_empty() {
            found.add(
                format!("spec.containers[{i}].image"),
                "comes from Docker Hub, whose limit for anonymous pulls breaks container groups: \
                 copy it to a registry of yours, or give `imageRegistryCredentials`",
            );
        }
    }
    if let Some(tls) = &group.spec.tls {
        let mut ports = group.spec.containers.iter().flat_map(|container| &container.ports);
        let listed = ports.any(|port| number(port) == (tls.upstream.port, false));
        if !listed {
            let text = "no container lists this port: does one listen on it?";
            found.add("spec.tls.upstream.port", text);
        }
    }
    found.0
}

/// A reference without a host names an image of Docker Hub
/// (<https://github.com/distribution/reference>: a host has a dot, a colon, or is `localhost`).
fn from_docker_hub(image: &str) -> bool {
    match image.split_once('/') {
        None | Some(("docker.io" | "index.docker.io" | "registry-1.docker.io", _)) => true,
        Some((host, _)) => !host.contains(['.', ':']) && host != "localhost",
    }
}

#[derive(Default)]
struct Found(Vec<Invalid>);

impl Found {
    fn add(&mut self, path: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Invalid::new(path, problem));
    }

    fn one_of<const N: usize>(&mut self, path: &str, fields: [(&str, bool); N]) {
        if fields.iter().filter(|(_, there)| *there).count() != 1 {
            let names = fields.map(|(name, _)| format!("`{name}`"));
            let names = match names.split_last() {
                Some((last, others)) if !others.is_empty() => {
                    format!("{} and {last}", others.join(", "))
                }
                _ => names.concat(),
            };
            self.add(path, format!("needs exactly one of {names}"));
        }
    }

    fn unique<'a, K: Ord>(&mut self, list: &str, what: &str, keys: impl Iterator<Item = K> + 'a) {
        let mut seen = BTreeSet::new();
        for (i, key) in keys.enumerate() {
            if !seen.insert(key) {
                self.add(format!("{list}[{i}]"), format!("another {what} before it is the same"));
            }
        }
    }
}

fn issuer(issuer: &Issuer, found: &mut Found) {
    let spec = &issuer.spec;
    found.one_of(
        "spec",
        [("localCA", spec.local_ca.is_some()), ("provided", spec.provided.is_some())],
    );
    let domains = spec.local_ca.iter().flat_map(|ca| &ca.permitted_domains);
    for (i, domain) in domains.enumerate() {
        let path = format!("spec.localCA.permittedDomains[{i}]");
        match names::dns_name(domain) {
            Ok(name) if name.starts_with('*') => {
                found.add(path, "a domain permits all names below it: leave out the `*.`");
            }
            Ok(_) => {}
            Err(problem) => found.add(path, problem),
        }
    }
}

fn container_group(group: &ContainerGroup, found: &mut Found) {
    let spec = &group.spec;
    tags(group, found);
    found.unique("spec.containers", "container's name", spec.containers.iter().map(|c| &c.name));
    found.unique("spec.volumes", "volume's name", spec.volumes.iter().map(|v| &v.name));
    found.unique(
        "spec.imageRegistryCredentials",
        "registry",
        spec.image_registry_credentials.iter().map(|c| c.server.to_lowercase()),
    );
    volumes(group, found);
    if let Some(it) = &spec.identity {
        identity(it, found);
    }
    let mut volumes: BTreeSet<&str> = spec.volumes.iter().map(|v| v.name.as_str()).collect();
    if spec.tls.is_some() {
        volumes.insert(sidecar::ORIGINS_VOLUME);
    }
    let mut listening = BTreeSet::new();
    for (i, container) in spec.containers.iter().enumerate() {
        self::container(container, &format!("spec.containers[{i}]"), &volumes, found);
        for (j, port) in container.ports.iter().enumerate() {
            if !listening.insert(number(port)) {
                let path = format!("spec.containers[{i}].ports[{j}]");
                found.add(path, "the containers of a group share its ports: this one is taken");
            }
        }
    }
    if let Some(address) = &spec.ip_address {
        ip_address(address, spec.tls.is_some(), &listening, found);
    }
    if let Some(tls) = &spec.tls {
        self::tls(tls, group, &listening, found);
    }
}

fn tags(group: &ContainerGroup, found: &mut Found) {
    let tags = &group.spec.tags;
    for (name, value) in tags {
        let path = format!("spec.tags.{name}");
        if name.is_empty()
            || name.chars().count() > 512
            || name.contains(['<', '>', '%', '&', '\\', '?', '/'])
        {
            found.add(&path, "a tag's name has 1 to 512 characters and none of `< > % & \\ ? /`");
        }
        if name.to_lowercase().starts_with(RESERVED) {
            found.add(&path, format!("names that begin with `{RESERVED}` are the operator's"));
        }
        if value.chars().count() > 256 {
            found.add(&path, "a tag's value has at most 256 characters");
        }
    }
    // Azure compares names without case.
    found.unique("spec.tags", "tag", tags.keys().map(|name| name.to_lowercase()));
}

fn identity(identity: &Identity, found: &mut Found) {
    let assigned = &identity.user_assigned_identities;
    let path = "spec.identity.userAssignedIdentities";
    if identity.kind.names_some() == assigned.is_empty() {
        let text = "`UserAssigned` names identities here, `SystemAssigned` alone names none";
        found.add(path, text);
    }
    for id in assigned.keys().filter(|id| !names::is_identity_id(id)) {
        found.add(
            format!("{path}.{id}"),
            "is no resource id of an identity: `az identity show --query id` prints it",
        );
    }
    // Azure compares ids without case.
    found.unique(path, "identity", assigned.keys().map(|id| id.to_lowercase()));
}

fn volumes(group: &ContainerGroup, found: &mut Found) {
    for (i, volume) in group.spec.volumes.iter().enumerate() {
        let path = format!("spec.volumes[{i}]");
        found.one_of(
            &path,
            [("emptyDir", volume.empty_dir.is_some()), ("secret", volume.secret.is_some())],
        );
        if volume.name.starts_with(RESERVED) {
            let text = format!("names that begin with `{RESERVED}` are the operator's");
            found.add(format!("{path}.name"), text);
        }
        if volume.secret.is_some() && group.spec.os_type == OsType::Windows {
            found.add(format!("{path}.secret"), "needs `osType: Linux`");
        }
        for name in volume.secret.iter().flat_map(|files| files.keys()) {
            if name.is_empty() || name.contains('/') || name == "." || name == ".." {
                found.add(format!("{path}.secret.{name}"), "is no file name");
            }
        }
    }
}

fn container(container: &Container, path: &str, volumes: &BTreeSet<&str>, found: &mut Found) {
    if container.name == sidecar::CONTAINER {
        found.add(format!("{path}.name"), "is the name of the operator's sidecar");
    }
    ports(&container.ports, &format!("{path}.ports"), found);
    let variables = &container.environment_variables;
    let list = format!("{path}.environmentVariables");
    found.unique(&list, "variable's name", variables.iter().map(|v| &v.name));
    for (i, variable) in variables.iter().enumerate() {
        found.one_of(
            &format!("{list}[{i}]"),
            [
                ("value", variable.value.is_some()),
                ("valueFrom", variable.value_from.is_some()),
                ("secureValueFrom", variable.secure_value_from.is_some()),
            ],
        );
    }
    let list = format!("{path}.volumeMounts");
    found.unique(&list, "mount's path", container.volume_mounts.iter().map(|m| &m.mount_path));
    for (i, mount) in container.volume_mounts.iter().enumerate() {
        if !volumes.contains(mount.name.as_str()) {
            found.add(format!("{list}[{i}].name"), "no volume of `spec.volumes` has this name");
        }
    }
    let probes = [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
    ];
    for (name, probe) in probes {
        if let Some(probe) = probe {
            found.one_of(
                &format!("{path}.{name}"),
                [("exec", probe.exec.is_some()), ("httpGet", probe.http_get.is_some())],
            );
        }
    }
}

/// A port's number with its protocol.
fn number(port: &Port) -> (u16, bool) {
    (port.port, port.protocol == Some(Protocol::Udp))
}

fn ports(ports: &[Port], path: &str, found: &mut Found) {
    for (i, port) in ports.iter().enumerate() {
        if is_reserved(port.port) {
            let path = format!("{path}[{i}].port");
            found.add(path, format!("{} is reserved by Azure: take another", port.port));
        }
    }
}

/// Ports that ACI keeps for itself.
/// <https://learn.microsoft.com/azure/container-instances/container-instances-faq>
fn is_reserved(port: u16) -> bool {
    matches!(
        port,
        22 | 1025..=1027
            | 3389..=3399
            | 9999
            | 19000
            | 19080
            | 19100
            | 19390
            | 20000..=30000
            | 49152..=65534
    )
}

fn ip_address(
    address: &IpAddress,
    tls: bool,
    listening: &BTreeSet<(u16, bool)>,
    found: &mut Found,
) {
    if address.kind == IpAddressType::Private {
        let text = "only a `Public` address has a name";
        if address.dns_name_label.is_some() {
            found.add("spec.ipAddress.dnsNameLabel", text);
        }
        if address.auto_generated_domain_name_label_scope.is_some() {
            found.add("spec.ipAddress.autoGeneratedDomainNameLabelScope", text);
        }
    }
    if tls {
        if !address.ports.is_empty() {
            let text = "with `tls` the sidecar's 443 is published and nothing else: leave it out";
            found.add("spec.ipAddress.ports", text);
        }
        return;
    }
    if address.ports.is_empty() {
        found.add("spec.ipAddress", "without `tls` it needs `ports`");
    }
    ports(&address.ports, "spec.ipAddress.ports", found);
    found.unique("spec.ipAddress.ports", "port", address.ports.iter().map(number));
    for (i, port) in address.ports.iter().enumerate() {
        if !listening.contains(&number(port)) {
            let path = format!("spec.ipAddress.ports[{i}]");
            found.add(path, "no container lists this port, and Azure wants that one does");
        }
    }
}

fn tls(tls: &Tls, group: &ContainerGroup, listening: &BTreeSet<(u16, bool)>, found: &mut Found) {
    if group.spec.ip_address.is_none() {
        found.add("spec.tls", "needs an `ipAddress`: nobody could reach the sidecar");
    }
    if group.spec.os_type == OsType::Windows {
        found.add("spec.osType", "the sidecar of `tls` needs `Linux`");
    }
    if tls.upstream.port == 443 || listening.contains(&(443, false)) {
        let text = "443 is the sidecar's: let the container listen on another port";
        found.add("spec.tls.upstream.port", text);
    }
    let mut mounts = group.spec.containers.iter().flat_map(|container| &container.volume_mounts);
    let origins = mounts.any(|mount| mount.name == sidecar::ORIGINS_VOLUME);
    if origins && group.spec.volumes.len() > MOST_VOLUMES - 3 {
        let text = format!("the operator adds 3 to these, and a group has at most {MOST_VOLUMES}");
        found.add("spec.volumes", text);
    }
    for (i, host) in tls.hosts.iter().enumerate() {
        if let Err(problem) = names::dns_name(host) {
            found.add(format!("spec.tls.hosts[{i}]"), problem);
        }
    }
    match names::duration(&tls.duration) {
        Ok(life) if (SHORTEST..=LONGEST).contains(&life) => {}
        Ok(_) => found.add("spec.tls.duration", "must be 10 minutes to 10 years"),
        Err(problem) => found.add("spec.tls.duration", problem),
    }
}
