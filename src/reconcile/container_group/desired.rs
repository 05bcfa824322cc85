//! From a manifest to what is wanted: parsed, with everything that it names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::issuer::{constraints, provided_pair};
use crate::api::container_group::{self as api, KeyAlgorithm, RefreshVolume};
use crate::api::{AppRegistration, ContainerGroup, Issuer};
use crate::core::certificate::{self, LeafFacts, Names, Pair, check_provided};
use crate::core::container_group::{Desired, Hidden, IssuerView, TlsDesired, attach, digest};
use crate::core::sidecar::{ORIGINS_VOLUME, Sidecar};
use crate::core::{Fault, Invalid, Secret, names, references};
use crate::ports::{Entry, ObjectKey};
use crate::reconcile::{Ctx, Kind as _, Resolved};

/// Why a manifest does not become something that is wanted.
enum Stop {
    Missing(String),
    Invalid(Invalid),
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Invalid> for Stop {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

/// Parses the manifest and reads what it names.
pub(super) async fn resolve(
    object: &ContainerGroup,
    entry: &Entry,
    ctx: &Ctx,
) -> Result<Result<Resolved<Desired>, Invalid>, Fault> {
    match gather(object, entry, ctx).await {
        Ok(desired) => Ok(Ok(Resolved::Ready(desired))),
        Err(Stop::Missing(what)) => Ok(Ok(Resolved::Missing(what))),
        Err(Stop::Invalid(invalid)) => Ok(Err(invalid)),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

async fn gather(object: &ContainerGroup, entry: &Entry, ctx: &Ctx) -> Result<Desired, Stop> {
    let spec = &object.spec;
    let user = user_part(object, ctx).await?;
    let tls = match &spec.tls {
        Some(tls) => Some(tls_desired(tls, object, ctx).await?),
        None => None,
    };
    let mut want = user.clone();
    if let Some(tls) = &tls {
        // Whatever the sidecar's secret volume holds: ARM does not show it.
        let pair = Pair { chain_pem: String::new(), key_pem: Secret::default(), generation: 0 };
        attach(&mut want, &tls.sidecar.compose(&pair));
    }
    let sidecar = spec
        .tls
        .as_ref()
        .map_or(Value::Null, |tls| json!({ "sidecar": tls.sidecar, "upstream": tls.upstream }));
    let key = ctx.secrets.digest_key().await?;
    let mut frame = user.clone();
    frame.pointer_mut("/containers/0/image").map(Value::take);
    let of = |part: &Value| digest(api::fields(), &spec.location, part, &sidecar, &key);
    Ok(Desired {
        digest: of(&user),
        frame: of(&frame),
        location: spec.location.clone(),
        user: Hidden(user),
        want: Hidden(want),
        tags: spec.tags.clone(),
        fields: api::fields(),
        allowed: spec.update_policy.allows(),
        adopt: spec.adopt,
        service: spec.restart_policy == api::RestartPolicy::Always,
        tls,
        uid: entry.uid.clone(),
    })
}

/// ACI's part of the spec, its secrets put in.
async fn user_part(object: &ContainerGroup, ctx: &Ctx) -> Result<Value, Stop> {
    let mut tree = serde_json::to_value(&object.spec)
        .map_err(|problem| Invalid::new("spec", format!("cannot be written: {problem}")))?;
    if let Some(map) = tree.as_object_mut() {
        let known = api::fields();
        map.retain(|name, _| known.property(name).is_some());
    }
    let namespace = object.metadata.namespace.as_deref();
    let mut secrets = BTreeMap::new();
    for name in references::secrets(&tree) {
        if let Some(keys) = ctx.secrets.secret(namespace, &name).await? {
            secrets.insert(name, keys);
        }
    }
    put_secrets(&mut tree, &secrets).map_err(Stop::Missing)?;
    put_published(&mut tree, object, ctx).await?;
    Ok(tree)
}

/// Puts secret texts where they are named; `secureValueFrom` becomes ACI's `secureValue`.
fn put_secrets(
    tree: &mut Value,
    secrets: &BTreeMap<String, BTreeMap<String, Secret>>,
) -> Result<(), String> {
    if let Some((name, key)) = references::secret(tree) {
        let text = secrets.get(name).and_then(|keys| keys.get(key)).ok_or_else(|| {
            format!("secret `{name}` has no key `{key}`: `aci-operator secret set {name} {key}`")
        })?;
        *tree = text.reveal().into();
        return Ok(());
    }
    match tree {
        Value::Array(list) => list.iter_mut().try_for_each(|value| put_secrets(value, secrets)),
        Value::Object(map) => {
            for name in map.keys().cloned().collect::<Vec<_>>() {
                let Some(mut value) = map.remove(&name) else { continue };
                put_secrets(&mut value, secrets)?;
                let name = name.strip_suffix("From").unwrap_or(&name);
                map.insert(name.to_owned(), value);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Puts what other objects publish in place of `valueFrom`. An edge runs to a field, not to an object:
/// a registration that waits for this group's addresses has published its identifiers long before.
async fn put_published(tree: &mut Value, object: &ContainerGroup, ctx: &Ctx) -> Result<(), Stop> {
    let own = object.key();
    for (i, container) in object.spec.containers.iter().enumerate() {
        for (j, variable) in container.environment_variables.iter().enumerate() {
            let Some(source) = &variable.value_from else { continue };
            let api::AppRegistrationField { name, field } = &source.app_registration;
            let at = || format!("spec.containers[{i}].environmentVariables[{j}].valueFrom");
            if *field == api::PublishedField::Origins {
                refuse_cycle(object, &at(), ctx).await?;
            }
            let status = ctx.ledger.status(&own.beside(AppRegistration::KIND, name)).await?;
            let value = status.as_ref().and_then(|status| text(&status[field.name()]));
            let value = value.ok_or_else(|| {
                Stop::Missing(format!("app registration `{name}` has no `{}` yet", field.name()))
            })?;
            tree["containers"][i]["environmentVariables"][j] =
                json!({"name": variable.name, "value": value});
        }
    }
    Ok(())
}

/// A published text; lists are parted by commas.
fn text(value: &Value) -> Option<String> {
    let Value::Array(list) = value else { return value.as_str().map(str::to_owned) };
    let texts: Vec<_> = list.iter().filter_map(Value::as_str).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

/// Nothing comes of a field that waits for itself.
async fn refuse_cycle(object: &ContainerGroup, at: &str, ctx: &Ctx) -> Result<(), Stop> {
    let own = object.key();
    let mut edges = references::Edges::new();
    for kind in [ContainerGroup::KIND, AppRegistration::KIND] {
        for entry in ctx.ledger.beside(&own, kind).await? {
            references::add(&mut edges, kind, &entry.key.name, &entry.manifest["spec"]);
        }
    }
    match references::cycle(&edges, &references::origins_of_group(&own.name)) {
        Some(way) => {
            let problem = format!("waits for itself: {}", way.join(" waits for "));
            Err(Invalid::new(at, problem).into())
        }
        None => Ok(()),
    }
}

async fn tls_desired(
    tls: &api::Tls,
    object: &ContainerGroup,
    ctx: &Ctx,
) -> Result<TlsDesired, Stop> {
    let at = |field: &str| format!("spec.tls.{field}");
    let mut hosts = BTreeSet::new();
    for (index, host) in tls.hosts.iter().enumerate() {
        let name = names::dns_name(host);
        hosts.insert(name.map_err(|p| Invalid::new(at(&format!("hosts[{index}]")), p))?);
    }
    let life = names::duration(&tls.duration).map_err(|p| Invalid::new(at("duration"), p))?;
    let mut mounts = object.spec.containers.iter().flat_map(|container| &container.volume_mounts);
    let origins = mounts.any(|mount| mount.name == ORIGINS_VOLUME);
    let mut sidecar = Sidecar { upstream_port: tls.upstream.port, origins, ..Sidecar::default() };
    if let Some(image) = &tls.sidecar.image {
        sidecar.image.clone_from(image);
    }
    if let Some(resources) = &tls.sidecar.resources {
        sidecar.cpu = resources.requests.cpu;
        sidecar.memory_in_gb = resources.requests.memory_in_gb;
    }
    Ok(TlsDesired {
        issuer: issuer_view(&object.key().beside(Issuer::KIND, &tls.issuer_ref.name), &hosts, ctx)
            .await?,
        sidecar,
        hosts,
        algorithm: match tls.private_key.algorithm {
            KeyAlgorithm::Ecdsa => certificate::KeyAlgorithm::EcdsaP256,
            KeyAlgorithm::Rsa => certificate::KeyAlgorithm::Rsa2048,
        },
        life,
        hot: tls.rotation.method == api::RotationMethod::HotReload,
        refresh_volume: tls.rotation.refresh_volume == RefreshVolume::BeforeExpiry,
    })
}

async fn issuer_view(
    key: &ObjectKey,
    hosts: &BTreeSet<String>,
    ctx: &Ctx,
) -> Result<IssuerView, Stop> {
    let name = &key.name;
    let issuer = issuer(key, ctx).await?;
    if let Some(provided) = &issuer.spec.provided {
        let secret = &provided.secret_ref.name;
        let pair = provided_pair(key, secret, ctx).await?.ok_or_else(|| {
            Stop::Missing(format!("secret `{secret}` needs the keys `tls.crt` and `tls.key`"))
        })?;
        let wanted = Names { dns: hosts.clone(), ..Names::default() };
        let checked = check_provided(&pair.chain_pem, &pair.key_pem, &wanted, ctx.clock.now());
        return Ok(IssuerView::Provided {
            fingerprint: checked.as_ref().map(|f| f.fingerprint.clone()).unwrap_or_default(),
            failed: checked.err().map(|failed| failed.to_string()),
            pair: Box::new(pair),
        });
    }
    let root = ctx.secrets.pair(key).await?;
    let root = root.ok_or_else(|| Stop::Missing(format!("issuer `{name}` has no root yet")))?;
    let facts = LeafFacts::from_pem(&root.chain_pem).map_err(|problem| Fault::Store {
        what: format!("root of issuer {name}"),
        problem: problem.to_string(),
    })?;
    let root = facts.into_iter().next();
    Ok(IssuerView::Local {
        // What the root may sign is fixed in the root, whatever its manifest says now.
        constraints: root
            .as_ref()
            .map_or_else(|| constraints(&issuer), |root| root.constraints.clone()),
        key: root.and_then(|root| root.subject_key),
    })
}

async fn issuer(key: &ObjectKey, ctx: &Ctx) -> Result<Issuer, Stop> {
    let name = &key.name;
    let entry = ctx.ledger.entry(key).await?;
    let entry = entry.ok_or_else(|| Stop::Missing(format!("there is no issuer `{name}`")))?;
    serde_json::from_value(entry.manifest).map_err(|problem| {
        let what = format!("ledger entry of issuer {name}");
        Stop::Fault(Fault::Store { what, problem: problem.to_string() })
    })
}

/// The root that signs the group's leaf.
pub(super) async fn root(object: &ContainerGroup, ctx: &Ctx) -> Result<Pair, Fault> {
    let name = object.spec.tls.as_ref().map_or("", |tls| &tls.issuer_ref.name);
    let missing = || Fault::Store {
        what: format!("root of issuer {name}"),
        problem: "is not there".to_owned(),
    };
    ctx.secrets.pair(&object.key().beside(Issuer::KIND, name)).await?.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_put_where_they_are_named() {
        let mut tree = json!({
            "containers": [{"environmentVariables": [
                {"name": "A", "secureValueFrom": {"secret": {"name": "db", "key": "password"}}},
            ]}],
            "volumes": [{"name": "v", "secret": {"f": {"secret": {"name": "db", "key": "file"}}}}],
        });
        assert_eq!(references::secrets(&tree).into_iter().collect::<Vec<_>>(), ["db"]);
        let secret = |text: &str| Secret::new(text);
        let keys = [("password".to_owned(), secret("p")), ("file".to_owned(), secret("q"))];
        let secrets = [("db".to_owned(), keys.into())].into();
        put_secrets(&mut tree, &secrets).unwrap();
        assert_eq!(
            tree,
            json!({
                "containers": [{"environmentVariables": [{"name": "A", "secureValue": "p"}]}],
                "volumes": [{"name": "v", "secret": {"f": "q"}}],
            })
        );
        let mut missing = json!({"secret": {"name": "db", "key": "other"}});
        assert!(put_secrets(&mut missing, &secrets).unwrap_err().contains("secret set db other"));
    }
}
