//! The checks of the service before it accepts a container group.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::body::{Container, IpAddress, Port, Properties, Volume};
use super::error::Error;

/// Hard limits of the quota page: containers and volumes of a group, ports of an address.
const MAX_CONTAINERS: usize = 60;
const MAX_VOLUMES: usize = 20;
const MAX_PORTS: usize = 5;
/// Limits of ARM's tags.
const MAX_TAGS: usize = 50;
const MAX_TAG_VALUE: usize = 256;
const MAX_TAG_NAME: usize = 512;

type Check = Result<(), Error>;

/// Container group names: lower case, digits and single hyphens, at most 63 characters.
pub(super) fn group_name(name: &str) -> Check {
    if label(name) && !name.contains("--") {
        return Ok(());
    }
    let message = format!(
        "The container group name '{name}' is invalid. It must be 1 to 63 characters of lower case \
         letters, numbers and single hyphens, and start and end with a letter or number."
    );
    Err(Error::bad("InvalidContainerGroupName", message))
}

/// ARM's rules for tags.
pub(super) fn tags(tags: &Map<String, Value>) -> Check {
    if tags.len() > MAX_TAGS {
        let message = format!("A resource cannot have more than {MAX_TAGS} tags.");
        return Err(Error::bad("TooManyTags", message));
    }
    for (name, value) in tags {
        if name.is_empty() || name.chars().any(|c| "<>%&\\?/".contains(c) || c.is_control()) {
            let message = format!(
                "The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control \
                 characters."
            );
            return Err(Error::bad("InvalidTagNameCharacters", message));
        }
        let Some(text) = value.as_str() else {
            let message = format!("The value of tag '{name}' is not a string.");
            return Err(Error::bad("InvalidRequestContent", message));
        };
        if name.chars().count() > MAX_TAG_NAME || text.chars().count() > MAX_TAG_VALUE {
            let message = format!(
                "Tag value too large. Following tag value '{name}' exceeded the maximum length. \
                 Maximum allowed length for tag value - '{MAX_TAG_VALUE}' characters."
            );
            return Err(Error::bad("InvalidTagValueLength", message));
        }
    }
    Ok(())
}

/// Everything that can be said about a body by itself. `group` is its name.
pub(super) fn properties(group: &str, body: &Properties) -> Check {
    one_of("osType", group, body.os_type.as_deref(), &["Windows", "Linux"], "InvalidOsType")?;
    let policies = ["Always", "OnFailure", "Never"];
    one_of(
        "restartPolicy",
        group,
        body.restart_policy.as_deref(),
        &policies,
        "InvalidRestartPolicy",
    )?;
    counts(group, body)?;
    let mut names = BTreeSet::new();
    let mut ports = BTreeSet::new();
    for container in body.containers.iter().chain(&body.init_containers) {
        check_container(group, body, container)?;
        distinct(&mut names, container.name.clone(), "DuplicateContainerName", group)?;
        for port in &container.properties.ports {
            check_port(group, port)?;
            distinct(&mut ports, port_text(port), "DuplicateContainerPorts", group)?;
        }
    }
    let mut volumes = BTreeSet::new();
    for volume in &body.volumes {
        check_volume(group, volume)?;
        distinct(&mut volumes, volume.name.clone(), "DuplicateVolumeName", group)?;
    }
    body.ip_address.as_ref().map_or(Ok(()), |address| check_address(group, address))
}

fn counts(group: &str, body: &Properties) -> Check {
    if body.containers.is_empty() {
        let message = format!("The container group '{group}' must have at least one container.");
        return Err(Error::bad("MissingContainers", message));
    }
    let containers = body.containers.len() + body.init_containers.len();
    let ports = body.ip_address.as_ref().map_or(0, |address| address.ports.len());
    for (what, count, limit, code) in [
        ("containers", containers, MAX_CONTAINERS, "TooManyContainers"),
        ("volumes", body.volumes.len(), MAX_VOLUMES, "TooManyVolumes"),
        ("ports", ports, MAX_PORTS, "TooManyPorts"),
    ] {
        if count > limit {
            let message = format!(
                "The container group '{group}' has {count} {what}. The maximum is {limit}."
            );
            return Err(Error::bad(code, message));
        }
    }
    Ok(())
}

fn check_container(group: &str, body: &Properties, container: &Container) -> Check {
    let name = &container.name;
    if !label(name) {
        let message =
            format!("The container name '{name}' in container group '{group}' is invalid.");
        return Err(Error::bad("InvalidContainerName", message));
    }
    if container.properties.image.as_deref().is_none_or(str::is_empty) {
        let message = format!(
            "The image of container '{name}' in container group '{group}' is not specified."
        );
        return Err(Error::bad("MissingContainerImage", message));
    }
    for mount in &container.properties.volume_mounts {
        if !body.volumes.iter().any(|volume| volume.name == mount.name) {
            let message = format!(
                "The volume mount '{}' of container '{name}' in container group '{group}' names no \
                 volume.",
                mount.name
            );
            return Err(Error::bad("VolumeMountNotFound", message));
        }
        if !mount.path.starts_with('/') || mount.path.contains(':') {
            let message = format!("The mount path '{}' is invalid.", mount.path);
            return Err(Error::bad("InvalidVolumeMountPath", message));
        }
    }
    let requests = container.properties.resources.as_ref().map(|resources| &resources.requests);
    let amounts = requests.map(|amounts| [amounts.cpu, amounts.memory_in_gb]).unwrap_or_default();
    if amounts.into_iter().flatten().any(|amount| !amount.is_finite() || amount <= 0.0) {
        let message = format!("The resource requests of container '{name}' are invalid.");
        return Err(Error::bad("InvalidResourceRequests", message));
    }
    Ok(())
}

fn check_volume(group: &str, volume: &Volume) -> Check {
    let kinds = [volume.empty_dir.is_some(), volume.secret.is_some(), volume.azure_file.is_some()];
    if !label(&volume.name) || kinds.iter().filter(|given| **given).count() != 1 {
        let message = format!(
            "The volume '{}' in container group '{group}' is invalid: it needs a name and exactly \
             one of emptyDir, secret, azureFile.",
            volume.name
        );
        return Err(Error::bad("InvalidVolume", message));
    }
    for (file, text) in volume.secret.iter().flatten() {
        if file.is_empty() || file.contains('/') || decode(text).is_none() {
            let message = format!(
                "The secret '{file}' of volume '{}' in container group '{group}' is not a file name \
                 with a Base64 value.",
                volume.name
            );
            return Err(Error::bad("InvalidSecretVolume", message));
        }
    }
    Ok(())
}

fn check_address(group: &str, address: &IpAddress) -> Check {
    one_of(
        "ipAddress.type",
        group,
        Some(&address.kind),
        &["Public", "Private"],
        "InvalidIPAddressType",
    )?;
    if address.ports.is_empty() {
        let message =
            format!("The ports of the IP address of container group '{group}' are missing.");
        return Err(Error::bad("MissingIpAddressPorts", message));
    }
    let mut ports = BTreeSet::new();
    for port in &address.ports {
        check_port(group, port)?;
        distinct(&mut ports, port_text(port), "DuplicateIPAddressPorts", group)?;
    }
    if let Some(scope) = &address.auto_generated_domain_name_label_scope {
        let scopes =
            ["Unsecure", "TenantReuse", "SubscriptionReuse", "ResourceGroupReuse", "Noreuse"];
        let known = scopes.iter().any(|known| known.eq_ignore_ascii_case(scope));
        if !known {
            let message = format!("The scope '{scope}' of the DNS name label is invalid.");
            return Err(Error::bad("InvalidDnsNameLabelScope", message));
        }
    }
    match &address.dns_name_label {
        Some(text) if !label(text) || text.len() < 3 => {
            let message =
                format!("The DNS name label '{text}' in container group '{group}' is invalid.");
            Err(Error::bad("InvalidDnsNameLabel", message))
        }
        Some(_) if address.kind == "Private" => {
            let message =
                format!("The private container group '{group}' can have no DNS name label.");
            Err(Error::bad("InvalidDnsNameLabel", message))
        }
        _ => Ok(()),
    }
}

fn check_port(group: &str, port: &Port) -> Check {
    let protocol = port.protocol.as_deref();
    one_of("protocol", group, protocol, &["TCP", "UDP"], "InvalidPortProtocol")?;
    if port.port == 0 || reserved(port.port) {
        let message = format!(
            "The port '{}' in container group '{group}' is invalid or reserved by the service.",
            port.port
        );
        return Err(Error::bad("InvalidPort", message));
    }
    Ok(())
}

/// Source: the reserved ports of learn.microsoft.com/azure/container-instances/container-instances-faq.
fn reserved(port: u16) -> bool {
    matches!(port, 22 | 1025..=1027 | 3389..=3399 | 9999 | 19000 | 19080 | 19100 | 19390)
        || matches!(port, 20000..=30000 | 49152..)
}

fn port_text(port: &Port) -> String {
    format!("{}/{}", port.port, port.protocol.as_deref().unwrap_or_default())
}

fn distinct(seen: &mut BTreeSet<String>, name: String, code: &str, group: &str) -> Check {
    if seen.contains(&name) {
        let message = format!("'{name}' is duplicated in container group '{group}'.");
        return Err(Error::bad(code, message));
    }
    seen.insert(name);
    Ok(())
}

fn one_of(field: &str, group: &str, given: Option<&str>, allowed: &[&str], code: &str) -> Check {
    if given.is_some_and(|given| allowed.contains(&given)) {
        return Ok(());
    }
    let message = format!(
        "The '{field}' for container group '{group}' is invalid. The value must be one of '{}'.",
        allowed.join(",")
    );
    Err(Error::bad(code, message))
}

fn label(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() <= 63
        && edge(name.chars().next())
        && edge(name.chars().last())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// The content of a secret volume's file; line breaks in the text are ignored.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let joined: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(joined).ok()
}
