//! The TLS sidecar: the container and the volumes that put nginx in front of an application, and the
//! exec dialogues that change its certificate without a restart.
//!
//! A secret volume carries the template of `nginx.conf`, the start script and the pair of the last
//! PUT; an emptyDir holds the live pair, which outlives a crash of the container. At each start the
//! newer of the two wins (`sidecar/start.sh`).

mod dialogue;
mod transcript;

use std::sync::LazyLock;

use serde_json::{Value, json};

pub use dialogue::{Dialogue, Exchange, FAREWELL, publish, read_back, swap, trial};
pub use transcript::{Live, Outcome, Progress, Transcript};

use crate::core::certificate::Pair;
use crate::core::secret::Secret;

/// Name of the sidecar in its container group.
pub const CONTAINER: &str = "aci-operator-tls";
/// The one port that a group behind a sidecar publishes.
pub const PORT: u16 = 443;
/// The secret volume: template, start script and the pair of the last PUT.
pub const VOLUME: &str = "aci-operator-tls";
/// The emptyDir with the live pair.
pub const LIVE_VOLUME: &str = "aci-operator-tls-live";
/// The emptyDir that tells the user's containers the group's public origins, in a file of that name:
/// one `https://host` a line, as CORS wants them. Added where a container mounts it; exec keeps it true.
pub const ORIGINS_VOLUME: &str = "aci-operator-origins";
/// Image used unless `spec.tls.sidecar.image` names another: the official nginx, from a mirror
/// without the anonymous pull limit of Docker Hub, which breaks pulls on ACI. A reload that loses no
/// request takes nginx 1.27.4 or later.
pub const DEFAULT_IMAGE: &str = "public.ecr.aws/nginx/nginx:1.30";

const VOLUME_PATH: &str = "/etc/aci-operator-tls";
const LIVE_PATH: &str = "/var/lib/aci-operator-tls";
const ORIGINS_PATH: &str = "/var/lib/aci-operator-origins";

const NGINX_CONF: &str = include_str!("sidecar/nginx.conf");
const START_SH: &str = include_str!("sidecar/start.sh");

/// What the user may choose about a sidecar (`spec.tls`).
#[derive(Clone, Debug, PartialEq)]
pub struct Sidecar {
    /// Image with nginx and a POSIX shell.
    pub image: String,
    /// Port on which the application listens in the group's network namespace.
    pub upstream_port: u16,
    /// Cores.
    pub cpu: f64,
    /// Memory, in GB as ACI counts them.
    pub memory_in_gb: f64,
    /// A container mounts [`ORIGINS_VOLUME`].
    pub origins: bool,
}

impl Default for Sidecar {
    fn default() -> Self {
        Self {
            image: DEFAULT_IMAGE.to_owned(),
            upstream_port: 80,
            cpu: 0.5,
            memory_in_gb: 0.5,
            origins: false,
        }
    }
}

/// The sidecar's part of a container group, in the vocabulary of the manifest: ACI's own without the
/// `properties` wrapper, secret values in plain text.
#[derive(Clone, PartialEq)]
pub struct Composed {
    /// An element of `containers`.
    pub container: Value,
    /// Elements of `volumes`. The private key is in here.
    pub volumes: Vec<Value>,
}

impl std::fmt::Debug for Composed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Composed").field("container", &self.container).finish_non_exhaustive()
    }
}

impl Sidecar {
    /// The container and volumes that serve `pair` at the group's start.
    ///
    /// Nothing in them depends on host names: a name that Azure assigns later changes no file, hence
    /// restarts nothing.
    pub fn compose(&self, pair: &Pair) -> Composed {
        let mut container = json!({
            "name": CONTAINER,
            "image": self.image,
            "command": ["/bin/sh", format!("{VOLUME_PATH}/start.sh")],
            "ports": [{"port": PORT, "protocol": "TCP"}],
            "resources": {"requests": {"cpu": self.cpu, "memoryInGB": self.memory_in_gb}},
            "volumeMounts": [
                {"name": VOLUME, "mountPath": VOLUME_PATH, "readOnly": true},
                {"name": LIVE_VOLUME, "mountPath": LIVE_PATH, "readOnly": false},
            ],
        });
        let files = json!({
            "nginx.conf": self.nginx_conf(),
            "start.sh": START_SH.replace("@VOLUME@", VOLUME_PATH).replace("@STATE@", LIVE_PATH),
            "tls.crt": pair.chain_pem,
            "tls.key": pair.key_pem.reveal(),
            "generation": pair.generation.to_string(),
        });
        let mut volumes = vec![
            json!({"name": VOLUME, "secret": files}),
            json!({"name": LIVE_VOLUME, "emptyDir": {}}),
        ];
        if self.origins {
            let mount =
                json!({"name": ORIGINS_VOLUME, "mountPath": ORIGINS_PATH, "readOnly": false});
            container["volumeMounts"]
                .as_array_mut()
                .into_iter()
                .for_each(|m| m.push(mount.clone()));
            volumes.push(json!({"name": ORIGINS_VOLUME, "emptyDir": {}}));
        }
        Composed { container, volumes }
    }

    fn nginx_conf(&self) -> String {
        // `worker_processes auto` would count the cores of ACI's host, not those of the container.
        NGINX_CONF
            .replace("@WORKERS@", &format!("{:.0}", self.cpu.ceil().max(1.0)))
            .replace("@UPSTREAM_PORT@", &self.upstream_port.to_string())
    }
}

/// Version of everything that a release of the operator, not its user, puts into a sidecar: a digest
/// of the default sidecar, so that it follows the content. For the tag `aci-operator-sidecar`.
pub fn template_version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let pair = Pair { chain_pem: String::new(), key_pem: Secret::default(), generation: 0 };
        let Composed { container, volumes } = Sidecar::default().compose(&pair);
        format!("{:016x}", fnv_1a(json!([container, volumes]).to_string().as_bytes()))
    });
    &VERSION
}

/// The 64-bit FNV-1a hash: it has to tell releases apart, not to resist anyone.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> Pair {
        Pair {
            chain_pem: "CHAIN\n".to_owned(),
            key_pem: Secret::new("THE-KEY\n"),
            generation: 1_700_000_000,
        }
    }

    #[test]
    fn the_default_sidecar() {
        let composed = Sidecar::default().compose(&pair());
        insta::assert_yaml_snapshot!("container", composed.container);
        let [secret, live] = composed.volumes.as_slice() else { panic!("two volumes") };
        insta::assert_yaml_snapshot!("live_volume", live);
        insta::assert_snapshot!("nginx_conf", secret["secret"]["nginx.conf"].as_str().unwrap());
        assert_eq!(secret["secret"]["tls.crt"], "CHAIN\n");
        assert_eq!(secret["secret"]["tls.key"], "THE-KEY\n");
        assert_eq!(secret["secret"]["generation"], "1700000000");
    }

    #[test]
    fn no_placeholder_is_left() {
        for volume in Sidecar::default().compose(&pair()).volumes {
            for (name, text) in volume["secret"].as_object().into_iter().flatten() {
                assert!(!text.as_str().unwrap().contains('@'), "{name}");
            }
        }
    }

    #[test]
    fn what_the_user_chooses_arrives() {
        let sidecar = Sidecar {
            image: "nginx".to_owned(),
            upstream_port: 8000,
            cpu: 2.5,
            memory_in_gb: 1.0,
            origins: true,
        };
        let composed = sidecar.compose(&pair());
        assert_eq!(composed.container["volumeMounts"][2]["name"], ORIGINS_VOLUME);
        assert_eq!(composed.volumes[2]["name"], ORIGINS_VOLUME);
        assert_eq!(composed.container["image"], "nginx");
        assert_eq!(composed.container["resources"]["requests"]["cpu"], 2.5);
        let conf = composed.volumes[0]["secret"]["nginx.conf"].as_str().unwrap();
        assert!(conf.contains("worker_processes 3;") && conf.contains("server 127.0.0.1:8000;"));
    }

    #[test]
    fn debug_shows_no_key() {
        let composed = Sidecar::default().compose(&pair());
        assert!(!format!("{:?} {composed:?}", pair()).contains("THE-KEY"));
    }

    #[test]
    fn the_version_is_a_tag_value_that_follows_the_content() {
        assert_eq!(template_version().len(), 16);
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
