//! Planning one group that is as wanted: three containers and the sidecar.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up must not go on")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use aci_operator::api::container_group::fields;
use aci_operator::azure::wire::{self, SecretValues};
use aci_operator::core::certificate::{
    self, KeyAlgorithm, LeafFacts, LeafRequest, Names, Pair, RootRequest,
};
use aci_operator::core::container_group::{
    Desired, Hidden, IssuerView, Memory, Observed, Served, StoredLeaf, TlsDesired, attach, body,
    digest, plan,
};
use aci_operator::core::issuer::Constraints;
use aci_operator::core::requests::Requests;
use aci_operator::core::sidecar::Sidecar;
use aci_operator::core::{Cost, Goal, Health, Secret};
use aci_operator::pki::LocalAuthority;
use aci_operator::ports::Authority as _;
use chrono::{DateTime, TimeDelta, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};

const LIFE: Duration = Duration::from_hours(90 * 24);
const OWNER: &str = "home/uid";

fn container(name: &str, port: u16) -> Value {
    json!({
        "name": name,
        "image": format!("registry/{name}:1.0"),
        "command": ["serve", "--port", port.to_string()],
        "ports": [{"port": port}],
        "resources": {"requests": {"cpu": 1.0, "memoryInGB": 1.5}},
        "environmentVariables": (0..5)
            .map(|n| json!({"name": format!("NAME_{n}"), "value": format!("value {n}")}))
            .collect::<Vec<_>>(),
        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
    })
}

fn desired() -> Desired {
    let user = json!({
        "location": "West Europe",
        "ipAddress": {"type": "Public", "dnsNameLabel": "mon-fqdn"},
        "containers": [container("api", 80), container("worker", 81), container("cache", 82)],
        "volumes": [{"name": "cache", "emptyDir": {}}],
        "restartPolicy": "Always",
        "osType": "Linux",
    });
    let sidecar = Sidecar::default();
    let none = Pair { chain_pem: String::new(), key_pem: Secret::default(), generation: 0 };
    let mut want = user.clone();
    attach(&mut want, &sidecar.compose(&none));
    Desired {
        digest: digest(fields(), "westeurope", &user, &Value::Null, &Secret::new("key")),
        location: "westeurope".to_owned(),
        user: Hidden(user),
        want: Hidden(want),
        tags: BTreeMap::from([("team".to_owned(), "web".to_owned())]),
        fields: fields(),
        frame: "frame".to_owned(),
        allowed: Cost::Restart,
        adopt: false,
        service: true,
        tls: Some(TlsDesired {
            sidecar,
            hosts: ["mon-dns.com".to_owned()].into(),
            issuer: IssuerView::Local {
                constraints: Constraints { ip_addresses: true, ..Constraints::default() },
                key: None,
            },
            algorithm: KeyAlgorithm::EcdsaP256,
            life: LIFE,
            hot: false,
            refresh_volume: false,
        }),
        uid: "uid".to_owned(),
    }
}

fn leaf(now: DateTime<Utc>) -> StoredLeaf {
    let constraints = Constraints { ip_addresses: true, ..Constraints::default() };
    let request = RootRequest { common_name: "root".to_owned(), constraints, now, life: LIFE * 2 };
    let root = LocalAuthority.root(&request).expect("a root can be made");
    let dns = ["localhost", "mon-dns.com", "mon-fqdn.westeurope.azurecontainer.io"];
    let ip = ["127.0.0.1", "::1", "20.50.0.1"];
    let names = Names {
        dns: dns.map(str::to_owned).into(),
        ip: ip.map(|ip| ip.parse().expect("an address")).into(),
    };
    let request = LeafRequest { names, algorithm: KeyAlgorithm::EcdsaP256, now, life: LIFE };
    let pair = LocalAuthority.leaf(&root, &request).expect("a leaf can be made");
    let facts = certificate::Observed::of(&pair).expect("a leaf of ours is readable");
    StoredLeaf { pair, facts }
}

/// As ARM shows what was put.
fn observed(desired: &Desired, now: DateTime<Utc>) -> Observed {
    let leaf = leaf(now);
    let LeafFacts { fingerprint, serial, not_after, .. } = leaf.facts.leaf.clone();
    let mut observed = Observed {
        group: None,
        resource_group: true,
        leaf: Some(leaf),
        served: Served::Leaf { fingerprint, serial, not_after },
        owner: OWNER.to_owned(),
        made: true,
        memory: Memory::default(),
        requests: Requests::default(),
        own: false,
        trial: None,
        followers: Vec::new(),
    };
    let mut shown = wire::render(&body(desired, &observed), "web", SecretValues::Elided);
    shown["id"] = json!("id");
    shown["properties"]["provisioningState"] = json!("Succeeded");
    shown["properties"]["instanceView"] = json!({"state": "Running"});
    shown["properties"]["ipAddress"]["ip"] = json!("20.50.0.1");
    shown["properties"]["ipAddress"]["fqdn"] = json!("mon-fqdn.westeurope.azurecontainer.io");
    observed.group = wire::group(&shown);
    observed
}

fn planning(criterion: &mut Criterion) {
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let desired = desired();
    let observed = observed(&desired, now);
    let at_rest = plan(Goal::Present(&desired), &observed, now).plan;
    assert_eq!((at_rest.health, at_rest.step), (Health::Ready, None), "{}", at_rest.message);
    criterion.bench_function("plan of one group at rest", |bencher| {
        bencher.iter(|| plan(Goal::Present(black_box(&desired)), black_box(&observed), now));
    });
}

criterion_group!(benches, planning);
criterion_main!(benches);
