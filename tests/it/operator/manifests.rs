//! The manifests of these tests, and how a source hands them over.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::ObjectMeta;
use serde_json::json;

use aci_operator::api::{AppRegistration, ContainerGroup, Issuer, Object, annotations};
use aci_operator::ports::{Entry, ObjectKey};

use super::world::GROUP;

/// The key of the group of most manifests here.
pub(crate) fn group_key() -> ObjectKey {
    ObjectKey::new("ContainerGroup", GROUP)
}

/// The key of their issuer.
pub(crate) fn issuer_key() -> ObjectKey {
    ObjectKey::new("Issuer", "local-ca")
}

/// The sample of the design, and then some.
pub(crate) fn sample() -> ContainerGroup {
    let spec = json!({
        "resourceGroup": "mon-groupe",
        "location": "westeurope",
        "tags": {"team": "web"},
        "ipAddress": {"type": "Public", "dnsNameLabel": "mon-fqdn"},
        "containers": [
            {
                "name": "my-api",
                "image": "registry/protected-api:1.0",
                "ports": [{"port": 80}, {"port": 8080}],
                "resources": {"requests": {"cpu": 1, "memoryInGB": 1.5}},
                "environmentVariables": [
                    {"name": "MODE", "value": "demo"},
                    {"name": "DB_PASSWORD", "secureValueFrom": {"secret": {"name": "db", "key": "password"}}},
                ],
                "volumeMounts": [{"name": "files", "mountPath": "/files"}],
            },
            {
                "name": "worker",
                "image": "registry/worker:1.0",
                "command": ["work", "--hard"],
                "resources": {"requests": {"cpu": 0.5, "memoryInGB": 1}},
            },
        ],
        "volumes": [
            {"name": "files", "secret": {"token": {"secret": {"name": "db", "key": "token"}}}},
            {"name": "cache", "emptyDir": {}},
        ],
        "tls": {
            "issuerRef": {"name": "local-ca"},
            "hosts": ["mon-dns.com"],
            "upstream": {"port": 80},
        },
    });
    ContainerGroup::new(GROUP, serde_json::from_value(spec).unwrap())
}

/// A local CA for everything.
pub(crate) fn local_ca() -> Issuer {
    Issuer::new("local-ca", serde_json::from_value(json!({"localCA": {}})).unwrap())
}

/// The key of the app registration of these tests.
pub(crate) fn registration_key() -> ObjectKey {
    ObjectKey::new("AppRegistration", "mon-api")
}

/// The registration of the design's sample.
pub(crate) fn registration() -> AppRegistration {
    let spec = json!({
        "displayName": "mon-API",
        "redirectUris": ["http://localhost:8000"],
        "swagger": {},
        "containerGroupRef": {"name": GROUP},
        "ipRedirectUris": true,
    });
    AppRegistration::new("mon-api", serde_json::from_value(spec).unwrap())
}

/// The object of an entry, as a source says it.
pub(crate) fn object(entry: &Entry) -> Object {
    let mut manifest = entry.manifest.clone();
    let meta = ObjectMeta {
        name: Some(entry.key.name.clone()),
        uid: Some(entry.uid.clone()),
        generation: Some(entry.generation),
        deletion_timestamp: entry.deletion.map(|at| Time(at.to_rfc3339().parse().unwrap())),
        annotations: Some(
            [
                entry.orphaned.then(|| (annotations::ORPHANED.to_owned(), "true".to_owned())),
                entry.invalid.clone().map(|why| (annotations::INVALID.to_owned(), why)),
            ]
            .into_iter()
            .flatten()
            .collect(),
        ),
        ..ObjectMeta::default()
    };
    manifest["metadata"] = serde_json::to_value(meta).unwrap();
    match entry.key.kind.as_str() {
        "Issuer" => Object::Issuer(Box::new(serde_json::from_value(manifest).unwrap())),
        "AppRegistration" => {
            Object::AppRegistration(Box::new(serde_json::from_value(manifest).unwrap()))
        }
        _ => Object::ContainerGroup(Box::new(serde_json::from_value(manifest).unwrap())),
    }
}
