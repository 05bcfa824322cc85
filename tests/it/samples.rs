//! The samples: each is parsed without a remark and planned as far as its container group.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aci_operator::api::Object;
use aci_operator::api::check::warnings;
use aci_operator::core::app_registration::{Application, Deleted, Grant, Identity, Properties};
use aci_operator::core::container_group::{Body, Group, GroupId, Scope};
use aci_operator::core::outcome::truth;
use aci_operator::core::{Condition, ConditionType, Credential, Fault, Secret, Truth, sidecar};
use aci_operator::metrics::Metrics;
use aci_operator::pki::LocalAuthority;
use aci_operator::ports::{
    ApplicationKey, Azure, Change, Clients, ContainerGroups, Directory as Applications,
    ExecSession, Ledger as _, Named, OsRandom, Probe, RequestBox as _, Requests, ResourceGroups,
    Seat as _, Secrets as _, SystemClock, TerminalSize,
};
use aci_operator::reconcile::{Ctx, Identities, Sightings, pass};
use aci_operator::source::{Directory, Keep, Options, scan};
use aci_operator::store::Store;
use async_trait::async_trait;
use futures::StreamExt as _;
use serde::Deserialize as _;
use serde_json::Value;

/// An Azure in which nothing is there yet; it keeps what it is told to make.
#[derive(Default)]
struct Empty {
    put: Mutex<BTreeMap<String, Body>>,
    registered: Mutex<Vec<Properties>>,
}

fn unasked<T>() -> Result<T, Fault> {
    Err(Fault::Unreachable { service: "ARM", problem: "nobody asks that of it".to_owned() })
}

#[async_trait]
impl ContainerGroups for Empty {
    async fn get(&self, _: &GroupId) -> Result<Option<Group>, Fault> {
        Ok(None)
    }

    async fn list(&self, _: &Scope) -> Result<Vec<Group>, Fault> {
        Ok(Vec::new())
    }

    async fn put(&self, id: &GroupId, body: &Body) -> Result<(), Fault> {
        self.put.lock().unwrap().insert(id.name.clone(), body.clone());
        Ok(())
    }

    async fn tag(&self, _: &GroupId, _: &BTreeMap<String, String>) -> Result<(), Fault> {
        unasked()
    }

    async fn delete(&self, _: &GroupId) -> Result<(), Fault> {
        unasked()
    }

    async fn logs(&self, _: &GroupId, _: &str, _: Option<u32>, _: bool) -> Result<String, Fault> {
        unasked()
    }

    async fn exec(
        &self,
        _: &GroupId,
        _: &str,
        _: &str,
        _: TerminalSize,
    ) -> Result<Box<dyn ExecSession>, Fault> {
        unasked()
    }
}

#[async_trait]
impl Applications for Empty {
    async fn identity(&self) -> Result<Identity, Fault> {
        let (tenant, authority) = ("t".to_owned(), "https://login.example/t".to_owned());
        Ok(Identity { tenant, authority })
    }

    async fn application(&self, _: &ApplicationKey) -> Result<Option<Application>, Fault> {
        Ok(None)
    }

    async fn upsert(&self, _: &str, properties: &Properties) -> Result<Named, Fault> {
        self.registered.lock().unwrap().push(properties.clone());
        Ok(Named::Done)
    }

    async fn update(&self, _: &str, _: &Properties) -> Result<(), Fault> {
        unasked()
    }

    async fn delete(&self, _: &str) -> Result<(), Fault> {
        unasked()
    }

    async fn principal(&self, _: &str) -> Result<Option<String>, Fault> {
        unasked()
    }

    async fn create_principal(&self, _: &str) -> Result<(), Fault> {
        unasked()
    }

    async fn deleted_application(&self, _: &str) -> Result<Option<Deleted>, Fault> {
        unasked()
    }

    async fn deleted_principal(&self, _: &str) -> Result<Option<String>, Fault> {
        unasked()
    }

    async fn restore(&self, _: &str) -> Result<(), Fault> {
        unasked()
    }

    async fn consent(&self, _: &str, _: &str) -> Result<Option<Grant>, Fault> {
        unasked()
    }

    async fn give_consent(&self, _: &str, _: &str, _: &BTreeSet<String>) -> Result<(), Fault> {
        unasked()
    }

    async fn change_consent(&self, _: &str, _: &BTreeSet<String>) -> Result<(), Fault> {
        unasked()
    }

    async fn revoke_consent(&self, _: &str) -> Result<(), Fault> {
        unasked()
    }
}

#[async_trait]
impl ResourceGroups for Empty {
    async fn exists(&self, _: &str, _: &str) -> Result<bool, Fault> {
        Ok(true)
    }

    async fn create(&self, _: &str, _: &str, _: &str) -> Result<(), Fault> {
        unasked()
    }
}

#[async_trait]
impl Probe for Empty {
    async fn served(&self, _: SocketAddr, _: &str) -> Result<Vec<Vec<u8>>, Fault> {
        unasked()
    }
}

/// One identity sees it.
struct Own(Arc<Empty>);

impl Clients for Own {
    fn own(&self) -> Azure {
        let subscription = Some("00000000-0000-0000-0000-000000000000".to_owned());
        Azure {
            principal: String::new(),
            groups: self.0.clone(),
            resource_groups: self.0.clone(),
            directory: self.0.clone(),
            subscription,
        }
    }

    fn of(&self, _: &Credential) -> Result<Azure, String> {
        Err("is asked for by no sample".to_owned())
    }
}

fn ctx(store: &Arc<Store>, azure: &Arc<Empty>) -> Ctx {
    Ctx {
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
        identities: Arc::new(Identities::new(
            Arc::new(Own(azure.clone())),
            store.clone(),
            Arc::new(SystemClock),
        )),
        probe: azure.clone(),
        authority: Arc::new(LocalAuthority),
        ledger: store.clone(),
        secrets: store.clone(),
        requests: store.clone(),
        home_id: store.id().to_owned(),
        metrics: Metrics::new(),
        own_group: None,
        sightings: Arc::new(Sightings::default()),
    }
}

/// Stores a text for each secret that a manifest names.
async fn store_secrets(value: &Value, store: &Store) {
    if let (Some(name), Some(key)) =
        (value["secret"]["name"].as_str(), value["secret"]["key"].as_str())
    {
        store.set_secret(name, key, &Secret::new("a text")).await.unwrap();
    }
    let inner: Vec<&Value> = match value {
        Value::Object(map) => map.values().collect(),
        Value::Array(list) => list.iter().collect(),
        _ => Vec::new(),
    };
    for value in inner {
        Box::pin(store_secrets(value, store)).await;
    }
}

#[tokio::test]
async fn each_sample_is_parsed_and_planned() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/samples");
    let snapshot = scan(std::slice::from_ref(&samples));
    let problems: Vec<_> = snapshot.problems().map(ToString::to_string).collect();
    assert!(problems.is_empty() && snapshot.unreadable.is_empty(), "{problems:?}");

    let home = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(home.path(), Arc::new(OsRandom)).await.unwrap());
    let azure = Arc::new(Empty::default());
    let ctx = ctx(&store, &azure);
    let source = Directory {
        paths: vec![samples],
        keep: Keep {
            ledger: store.clone(),
            requests: store.clone(),
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            options: Options::default(),
        },
    };
    let mut objects = Vec::new();
    let mut changes = Box::pin(source.watch());
    while let Some(Change::Apply(object)) = changes.next().await {
        objects.push(*object);
    }
    assert!(!objects.is_empty(), "scripts/quickstart applies manifests/samples");

    // A suspension blocks what has nothing to be planned with, too, and shows.
    for object in &objects {
        let key = object.key();
        let suspended = Requests { suspended: true, ..Requests::default() };
        store.set_requests(&key, &suspended).await.unwrap();
        match object {
            Object::Issuer(issuer) => pass(&**issuer, &ctx).await.unwrap(),
            Object::AppRegistration(it) => pass(&**it, &ctx).await.unwrap(),
            Object::ContainerGroup(group) => pass(&**group, &ctx).await.unwrap(),
        };
        let status = store.status(&key).await.unwrap().unwrap();
        let conditions = Vec::<Condition>::deserialize(&status["conditions"]).unwrap();
        assert_eq!(truth(&conditions, ConditionType::Suspended), Truth::True, "{status:#}");
        assert!(store.pair(&key).await.unwrap().is_none(), "a step was taken");
        store.set_requests(&key, &Requests::default()).await.unwrap();
    }

    // Issuers first, whose roots sign; then a group's leaf is made in one pass and the group in the next.
    for object in &objects {
        assert!(warnings(object).is_empty(), "{:?}", warnings(object));
        if let Object::Issuer(issuer) = object {
            pass(&**issuer, &ctx).await.unwrap();
        }
    }
    // What groups take from registrations is there once those are made.
    for key in objects.iter().map(Object::key).filter(|key| key.kind == "AppRegistration") {
        let fields = ["appId", "tenantId", "swaggerAppId", "scope", "authority"];
        let published = fields.map(|field| (field.to_owned(), Value::from(field)));
        store.publish(&key, &Value::Object(published.into_iter().collect())).await.unwrap();
    }
    for object in &objects {
        let Object::ContainerGroup(group) = object else { continue };
        store_secrets(&serde_json::to_value(&group.spec).unwrap(), &store).await;
        for _ in 0..2 {
            pass(&**group, &ctx).await.unwrap();
        }
        let key = object.key();
        let status = store.status(&key).await.unwrap();
        let put =
            azure.put.lock().unwrap().remove(&key.name).unwrap_or_else(|| panic!("{status:#?}"));
        let containers = put.properties["containers"].as_array().unwrap();
        let tls = usize::from(group.spec.tls.is_some());
        assert_eq!(containers.len(), group.spec.containers.len() + tls);
        assert!(tls == 0 || containers.iter().any(|c| c["name"] == sidecar::CONTAINER));
    }
    for object in &objects {
        let Object::AppRegistration(registration) = object else { continue };
        pass(&**registration, &ctx).await.unwrap();
        let registered = std::mem::take(&mut *azure.registered.lock().unwrap());
        let names: Vec<_> = registered.into_iter().map(|one| one.display_name.unwrap()).collect();
        assert_eq!(names, std::slice::from_ref(&registration.spec.display_name));
    }
}
