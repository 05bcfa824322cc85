//! The kind `Issuer`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Ctx, Kind, Resolved};
use crate::api::status::IssuerCertificate;
use crate::api::{ContainerGroup, Issuer};
use crate::core::certificate::{LeafFacts, Names, Pair, check_provided, check_root};
use crate::core::issuer::{self, Constraints, Desired, Memory, Observed, Step};
use crate::core::{Fault, Goal, Invalid, Plan, Secret};
use crate::ports::{Azure, Entry, ObjectKey, Requests};

/// Key of a provided secret that holds the chain, as in Kubernetes' `kubernetes.io/tls`.
const CHAIN: &str = "tls.crt";
/// Key of a provided secret that holds the private key.
const KEY: &str = "tls.key";

#[async_trait]
impl Kind for Issuer {
    const KIND: &'static str = "Issuer";
    type Desired = Desired;
    type Observed = Observed;
    type Step = Step;
    type Effect = ();
    type Memory = Memory;
    type Facts = ();

    fn references(&self) -> Vec<ObjectKey> {
        Vec::new()
    }

    async fn resolve(
        &self,
        entry: &Entry,
        ctx: &Ctx,
    ) -> Result<Result<Resolved<Desired>, Invalid>, Fault> {
        Ok(desired(self, &entry.key.name, &ctx.home_id).map(Resolved::Ready))
    }

    async fn observe(
        &self,
        entry: &Entry,
        (): Memory,
        _: Requests,
        _: &Azure,
        ctx: &Ctx,
    ) -> Result<Result<Observed, Invalid>, Fault> {
        let now = ctx.clock.now();
        let certificate = match &self.spec.provided {
            None => ctx.secrets.pair(&entry.key).await?.map(|root| check_root(&root, now)),
            Some(provided) => provided_pair(&entry.key, &provided.secret_ref.name, ctx)
                .await?
                .map(|pair| check_provided(&pair.chain_pem, &pair.key_pem, &Names::default(), now)),
        };
        // Asked for where it counts: it is a look at all groups beside.
        let used_by = match self.metadata.deletion_timestamp {
            Some(_) => used_by(&entry.key, ctx).await?,
            None => Vec::new(),
        };
        Ok(Ok(Observed { certificate, used_by }))
    }

    fn plan(
        goal: Goal<&Desired>,
        observed: &Observed,
        now: DateTime<Utc>,
    ) -> (Plan<Step, Memory>, ()) {
        (issuer::plan(goal, observed, now), ())
    }

    fn step_name(step: &Step) -> &'static str {
        match step {
            Step::CreateRoot(_) => "CreateRoot",
        }
    }

    async fn perform(&self, entry: &Entry, step: &Step, _: &Azure, ctx: &Ctx) -> Result<(), Fault> {
        match step {
            Step::CreateRoot(request) => {
                ctx.secrets.set_pair(&entry.key, &ctx.authority.root(request)?).await
            }
        }
    }

    fn settle(
        (): Memory,
        _: &Step,
        _: &Observed,
        _: &Result<(), Fault>,
        _: DateTime<Utc>,
    ) -> Memory {
    }

    fn status(&self, _: &Entry, observed: &Observed, (): &()) -> Value {
        match &observed.certificate {
            Some(Ok(facts)) => json!({ "certificate": certificate(facts) }),
            _ => json!({}),
        }
    }

    fn certificate(status: &Value) -> Option<(DateTime<Utc>, Option<DateTime<Utc>>)> {
        let not_after = status["certificate"]["notAfter"].as_str()?;
        Some((not_after.parse().ok()?, None))
    }
}

fn certificate(facts: &LeafFacts) -> IssuerCertificate {
    IssuerCertificate {
        serial_number: facts.serial.clone(),
        not_after: facts.not_after,
        fingerprint: facts.fingerprint.clone(),
    }
}

fn desired(object: &Issuer, name: &str, home: &str) -> Result<Desired, Invalid> {
    match (&object.spec.local_ca, &object.spec.provided) {
        (Some(_), None) => Ok(Desired::LocalCa {
            name: name.to_owned(),
            home: home.to_owned(),
            constraints: constraints(object),
        }),
        (None, Some(provided)) => {
            Ok(Desired::Provided { secret: provided.secret_ref.name.clone() })
        }
        _ => Err(Invalid::new("spec", "must have exactly one of `localCA` and `provided`")),
    }
}

/// What a local CA may sign.
pub(super) fn constraints(object: &Issuer) -> Constraints {
    object.spec.local_ca.as_ref().map_or_else(Constraints::default, |local| Constraints {
        permitted_domains: local.permitted_domains.clone(),
        ip_addresses: local.ip_addresses,
    })
}

/// The user's chain and key, as far as both are there.
pub(super) async fn provided_pair(
    issuer: &ObjectKey,
    secret: &str,
    ctx: &Ctx,
) -> Result<Option<Pair>, Fault> {
    let Some(mut keys) = ctx.secrets.secret(issuer.namespace.as_deref(), secret).await? else {
        return Ok(None);
    };
    let (Some(chain), Some(key)) = (keys.remove(CHAIN), keys.remove(KEY)) else { return Ok(None) };
    let (chain_pem, key_pem): (String, Secret) = (chain.reveal().to_owned(), key);
    Ok(Some(Pair { chain_pem, key_pem, generation: 0 }))
}

/// Container groups whose leaf the issuer signs.
async fn used_by(issuer: &ObjectKey, ctx: &Ctx) -> Result<Vec<String>, Fault> {
    let entries = ctx.ledger.beside(issuer, ContainerGroup::KIND).await?;
    let uses =
        |entry: &Entry| entry.manifest["spec"]["tls"]["issuerRef"]["name"] == issuer.name.as_str();
    Ok(entries.into_iter().filter(uses).map(|entry| entry.key.name).collect())
}
