//! Secrets: those that manifests name, and the operator's own.

use std::collections::BTreeMap;

use async_trait::async_trait;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret as KubernetesSecret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::fault::{self, fault, veiled};
use super::{Cluster, NAME, PREFIX, resource};
use crate::core::certificate::{Pair, hex};
use crate::core::{Fault, Secret};
use crate::ports::{ObjectKey, Secrets};

/// The Secret with what a home is.
const HOME: &str = "aci-operator-home";
pub(super) const ID: &str = "id";
pub(super) const CLOUD: &str = "cloud";
pub(super) const DIGEST_KEY: &str = "digest-key";
pub(super) const MOVED_TO: &str = "moved-to";
/// Keys of a Secret of type `kubernetes.io/tls`.
/// <https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets>
const CHAIN: &str = "tls.crt";
const KEY: &str = "tls.key";
/// When the pair was made, as an annotation.
const GENERATION: &str = "aci-operator.io/generation";
/// Label of Secrets that `secret set` made.
const SET: &str = "aci-operator.io/set-by-cli";

/// What a home is.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) id: String,
    digest_key: Secret,
}

impl Cluster {
    fn secrets(&self, namespace: &str) -> Api<KubernetesSecret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The home; a new one gets its id and its key.
    pub(super) async fn home(&self) -> Result<&Home, Fault> {
        self.home.get_or_try_init(|| self.identify()).await
    }

    async fn identify(&self) -> Result<Home, Fault> {
        let api = self.secrets(&self.place.namespace);
        if let Some(kept) = api.get_opt(HOME).await.map_err(|e| fault(&e))? {
            return read(&kept);
        }
        let mut key = [0; 32];
        self.random.fill(&mut key)?;
        let data = [(ID, self.random.uuid()?), (DIGEST_KEY, hex(&key))];
        let home = KubernetesSecret {
            metadata: ObjectMeta { name: Some(HOME.to_owned()), ..ObjectMeta::default() },
            data: Some(data.map(|(name, text)| (name.to_owned(), bytes(&text))).into()),
            ..KubernetesSecret::default()
        };
        match api.create(&PostParams::default(), &home).await {
            Ok(made) => read(&made),
            // Whoever was first.
            Err(e) if fault::is_conflict(&e) => read(&api.get(HOME).await.map_err(|e| fault(&e))?),
            Err(e) => Err(veiled(&e)),
        }
    }

    /// A value of the Secret with what the home is.
    pub(super) async fn kept(&self, what: &str) -> Result<Option<String>, Fault> {
        let kept =
            self.secrets(&self.place.namespace).get_opt(HOME).await.map_err(|e| fault(&e))?;
        kept.as_ref().and_then(|kept| text(kept, what)).transpose()
    }

    /// Sets values of that Secret, or takes them away.
    pub(super) async fn set_kept(&self, values: &[(&str, Option<&str>)]) -> Result<(), Fault> {
        let data: BTreeMap<_, _> =
            values.iter().map(|(name, value)| (*name, value.map(bytes))).collect();
        let (patch, params) = (json!({ "data": data }), PatchParams::default());
        let answer =
            self.secrets(&self.place.namespace).patch(HOME, &params, &Patch::Merge(&patch)).await;
        answer.map(|_| ()).map_err(|e| veiled(&e))
    }

    pub(super) async fn delete_pair(&self, key: &ObjectKey) -> Result<(), Fault> {
        let api = self.secrets(self.namespace_of(key));
        match api.delete(&pair_name(key), &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(e) if fault::is_absent(&e) => Ok(()),
            Err(e) => Err(fault(&e)),
        }
    }
}

fn read(kept: &KubernetesSecret) -> Result<Home, Fault> {
    let whole = |name: &str| match text(kept, name) {
        Some(text) => text,
        None => Err(broken(HOME, &format!("has no `{name}`; it is left as it is"))),
    };
    Ok(Home { id: whole(ID)?, digest_key: Secret::new(whole(DIGEST_KEY)?) })
}

fn broken(name: &str, problem: &str) -> Fault {
    Fault::Store { what: format!("Secret {name}"), problem: problem.to_owned() }
}

fn bytes(text: &str) -> ByteString {
    ByteString(text.as_bytes().to_vec())
}

fn text(secret: &KubernetesSecret, key: &str) -> Option<Result<String, Fault>> {
    let bytes = secret.data.as_ref()?.get(key)?;
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let problem = |_| broken(name, &format!("`{key}` is no text"));
    Some(String::from_utf8(bytes.0.clone()).map_err(problem))
}

/// The Secret of an object's key pair.
fn pair_name(key: &ObjectKey) -> String {
    let what = if key.kind == "Issuer" { "root" } else { "leaf" };
    format!("aci-operator-{what}.{}", key.name)
}

#[async_trait]
impl Secrets for Cluster {
    async fn secret(
        &self,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<BTreeMap<String, Secret>>, Fault> {
        let found = self
            .secrets(namespace.unwrap_or_else(|| self.objects_namespace()))
            .get_opt(name)
            .await
            .map_err(|e| fault(&e))?;
        let Some(found) = found else { return Ok(None) };
        let mut values = BTreeMap::new();
        for key in found.data.iter().flatten().map(|(key, _)| key) {
            // A value that is no text is none that a manifest could name.
            if let Some(Ok(value)) = text(&found, key) {
                values.insert(key.clone(), Secret::new(value));
            }
        }
        Ok(Some(values))
    }

    async fn set_secret(&self, name: &str, key: &str, value: &Secret) -> Result<(), Fault> {
        let what = json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "labels": {SET: "true"}},
            "data": {key: bytes(value.reveal())}});
        // A manager for each key: one that is set leaves the others as they are.
        let params = PatchParams::apply(&format!("{NAME}-cli-{key}")).force();
        let answer =
            self.secrets(self.objects_namespace()).patch(name, &params, &Patch::Apply(&what)).await;
        answer.map(|_| ()).map_err(|e| veiled(&e))
    }

    async fn delete_secret(&self, name: &str, key: Option<&str>) -> Result<bool, Fault> {
        let api = self.secrets(self.objects_namespace());
        let Some(there) = api.get_opt(name).await.map_err(|e| fault(&e))? else { return Ok(false) };
        let answer = match key {
            Some(key) if !there.data.iter().flatten().any(|(name, _)| name == key) => {
                return Ok(false);
            }
            Some(key) => {
                let patch = json!({"data": {key: null}});
                let params = PatchParams::default();
                api.patch(name, &params, &Patch::Merge(&patch)).await.map(|_| ())
            }
            None => api.delete(name, &DeleteParams::default()).await.map(|_| ()),
        };
        answer.map(|()| true).map_err(|e| fault(&e))
    }

    async fn secret_names(&self) -> Result<BTreeMap<String, Vec<String>>, Fault> {
        let params = ListParams::default().labels(&format!("{SET}=true"));
        let found =
            self.secrets(self.objects_namespace()).list(&params).await.map_err(|e| fault(&e))?;
        let names = found.items.into_iter().map(|secret| {
            let keys = secret.data.into_iter().flatten().map(|(key, _)| key).collect();
            (secret.metadata.name.unwrap_or_default(), keys)
        });
        Ok(names.collect())
    }

    async fn pair(&self, key: &ObjectKey) -> Result<Option<Pair>, Fault> {
        let name = pair_name(key);
        let api = self.secrets(self.namespace_of(key));
        let Some(kept) = api.get_opt(&name).await.map_err(|e| fault(&e))? else { return Ok(None) };
        let whole = |part: &str| match text(&kept, part) {
            Some(text) => text,
            None => Err(broken(&name, &format!("has no `{part}`; it is left as it is"))),
        };
        let marks = kept.metadata.annotations.as_ref();
        let generation = marks.and_then(|marks| marks.get(GENERATION)?.parse().ok());
        Ok(Some(Pair {
            chain_pem: whole(CHAIN)?,
            key_pem: Secret::new(whole(KEY)?),
            generation: generation.ok_or_else(|| broken(&name, "does not say when it was made"))?,
        }))
    }

    async fn set_pair(&self, key: &ObjectKey, pair: &Pair) -> Result<(), Fault> {
        self.may_write()?;
        let Some(owner) = self.object(key).await? else { return Ok(()) };
        let resource = resource(&key.kind);
        let name = pair_name(key);
        let secret = KubernetesSecret {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                annotations: Some([(GENERATION.to_owned(), pair.generation.to_string())].into()),
                labels: Some([(format!("{PREFIX}/owner"), key.kind.to_lowercase())].into()),
                owner_references: Some(vec![OwnerReference {
                    api_version: resource.api_version,
                    kind: resource.kind,
                    name: key.name.clone(),
                    uid: owner.metadata.uid.clone().unwrap_or_default(),
                    controller: Some(true),
                    block_owner_deletion: None,
                }]),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            data: Some(
                [
                    (CHAIN.to_owned(), bytes(&pair.chain_pem)),
                    (KEY.to_owned(), bytes(pair.key_pem.reveal())),
                ]
                .into(),
            ),
            ..KubernetesSecret::default()
        };
        // One request for both keys: whole, or not at all.
        let api = self.secrets(self.namespace_of(key));
        let params = PatchParams::apply(NAME).force();
        let answer = api.patch(&name, &params, &Patch::Apply(&secret)).await;
        answer.map(|_| ()).map_err(|e| veiled(&e))
    }

    async fn digest_key(&self) -> Result<Secret, Fault> {
        Ok(self.home().await?.digest_key.clone())
    }
}
