//! Leader election, as client-go does it: a Lease whose holder renews it, and which another may take once
//! it was *seen* unchanged for its whole duration, by the other's own clock.
//! <https://kubernetes.io/docs/concepts/architecture/leases/>

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::coordination::v1::{Lease as KubernetesLease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, PostParams};
use tokio::time::Instant;

use super::fault::{self, fault};
use super::ledger::time;
use super::{Cluster, NAME, lock, secrets};
use crate::core::Fault;
use crate::ports::{HomeIdentity, Lease, Seat, Secrets as _};

/// How long a lease lasts after each renewal.
const TERM: Duration = Duration::from_secs(15);

/// Of each lease: its version, and when that was first seen.
pub(super) type Seen = BTreeMap<String, (Option<String>, Instant)>;

#[async_trait]
impl Seat for Cluster {
    fn id(&self) -> &str {
        // `open` has made sure of it.
        self.home.get().map_or("", |home| home.id.as_str())
    }

    async fn pinned_cloud(&self) -> Result<Option<String>, Fault> {
        self.kept(secrets::CLOUD).await
    }

    async fn pin_cloud(&self, cloud: &str) -> Result<(), Fault> {
        match self.kept(secrets::CLOUD).await? {
            Some(pinned) if pinned == cloud => Ok(()),
            Some(pinned) => Err(Fault::Store {
                what: format!("kubernetes://{}", self.place.namespace),
                problem: format!(
                    "this home belongs to the cloud `{pinned}`, not to `{cloud}`: use another \
                     namespace"
                ),
            }),
            None => self.set_kept(&[(secrets::CLOUD, Some(cloud))]).await,
        }
    }

    async fn identity(&self) -> Result<HomeIdentity, Fault> {
        let (id, digest_key) = (self.id().to_owned(), self.digest_key().await?);
        Ok(HomeIdentity { id, cloud: self.kept(secrets::CLOUD).await?, digest_key })
    }

    async fn assume(&self, identity: &HomeIdentity) -> Result<(), Fault> {
        let HomeIdentity { id, cloud, digest_key } = identity;
        let values = [
            (secrets::ID, Some(id.as_str())),
            (secrets::DIGEST_KEY, Some(digest_key.reveal())),
            (secrets::CLOUD, cloud.as_deref()),
        ];
        self.set_kept(&values).await
    }

    async fn moved_to(&self) -> Result<Option<String>, Fault> {
        self.kept(secrets::MOVED_TO).await
    }

    async fn set_moved(&self, place: Option<&str>) -> Result<(), Fault> {
        self.set_kept(&[(secrets::MOVED_TO, place)]).await
    }

    /// The lease's renewals are the heartbeat: nothing else is written at rest.
    async fn beat(&self, _: DateTime<Utc>) -> Result<(), Fault> {
        Ok(())
    }

    async fn heartbeat(&self) -> Result<Option<DateTime<Utc>>, Fault> {
        let mut newest = None;
        for shard in 0..self.shards() {
            newest = newest.max(renewed(self.lease(shard).await?.as_ref()));
        }
        Ok(newest)
    }

    async fn is_taken(&self) -> Result<bool, Fault> {
        let now = self.clock.now();
        for shard in 0..self.shards() {
            let lease = self.lease(shard).await?;
            let fresh = renewed(lease.as_ref()).is_some_and(|at| now - at < lasts(lease.as_ref()));
            if holder(lease.as_ref()).is_some() && fresh {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn take(&self) -> Result<Option<Box<dyn Lease>>, Fault> {
        for shard in 0..self.shards() {
            if let Some(held) = self.take_shard(shard).await? {
                *lock(&self.shared.shard) = shard;
                return Ok(Some(Box::new(held)));
            }
        }
        Ok(None)
    }
}

impl Cluster {
    fn shards(&self) -> u32 {
        self.place.shards.max(1)
    }

    fn leases(&self) -> Api<KubernetesLease> {
        Api::namespaced(self.client.clone(), &self.place.namespace)
    }

    async fn lease(&self, shard: u32) -> Result<Option<KubernetesLease>, Fault> {
        self.leases().get_opt(&name(shard)).await.map_err(|e| fault(&e))
    }

    async fn take_shard(&self, shard: u32) -> Result<Option<Held>, Fault> {
        let found = self.lease(shard).await?;
        if !self.is_free(&name(shard), found.as_ref()) {
            return Ok(None);
        }
        let now = self.clock.now();
        let spec = found.as_ref().and_then(|lease| lease.spec.as_ref());
        let transitions = spec.and_then(|spec| spec.lease_transitions).unwrap_or_default();
        let mut lease = found.unwrap_or_else(|| KubernetesLease {
            metadata: ObjectMeta { name: Some(name(shard)), ..ObjectMeta::default() },
            spec: None,
        });
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            acquire_time: Some(moment(now)),
            renew_time: Some(moment(now)),
            lease_duration_seconds: i32::try_from(TERM.as_secs()).ok(),
            lease_transitions: Some(transitions + 1),
            ..LeaseSpec::default()
        });
        let params = PostParams::default();
        let answer = match &lease.metadata.resource_version {
            // The version is part of what is sent: of two, one is refused.
            Some(_) => self.leases().replace(&name(shard), &params, &lease).await,
            None => self.leases().create(&params, &lease).await,
        };
        match answer {
            Ok(lease) => Ok(Some(Held { cluster: self.clone(), name: name(shard), lease })),
            Err(e) if fault::is_conflict(&e) => Ok(None),
            Err(e) => Err(fault(&e)),
        }
    }

    /// Whether a lease is nobody's, or its holder had its whole duration to renew it under our eyes.
    fn is_free(&self, name: &str, lease: Option<&KubernetesLease>) -> bool {
        let now = Instant::now();
        let version = lease.and_then(|lease| lease.metadata.resource_version.clone());
        let mut seen = lock(&self.shared.seen);
        let (known, since) = seen.entry(name.to_owned()).or_insert_with(|| (version.clone(), now));
        if *known != version {
            (*known, *since) = (version, now);
        }
        let waited = TimeDelta::from_std(now - *since).unwrap_or_default();
        holder(lease).is_none() || waited > lasts(lease)
    }
}

fn name(shard: u32) -> String {
    if shard == 0 { NAME.to_owned() } else { format!("{NAME}-{shard}") }
}

fn holder(lease: Option<&KubernetesLease>) -> Option<&str> {
    lease?.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

fn renewed(lease: Option<&KubernetesLease>) -> Option<DateTime<Utc>> {
    Some(time(lease?.spec.as_ref()?.renew_time.as_ref()?.0))
}

fn lasts(lease: Option<&KubernetesLease>) -> TimeDelta {
    let seconds = lease
        .and_then(|lease| lease.spec.as_ref()?.lease_duration_seconds)
        .map_or(TERM.as_secs().cast_signed(), i64::from);
    TimeDelta::seconds(seconds)
}

fn moment(at: DateTime<Utc>) -> MicroTime {
    MicroTime(Timestamp::from_microsecond(at.timestamp_micros()).unwrap_or_default())
}

/// A lease that is ours.
struct Held {
    cluster: Cluster,
    name: String,
    lease: KubernetesLease,
}

impl Held {
    /// Writes the lease as it should be; false where somebody else wrote it since.
    async fn write(&mut self, change: impl FnOnce(&mut LeaseSpec)) -> Result<bool, Fault> {
        let mut lease = self.lease.clone();
        change(lease.spec.get_or_insert_default());
        let leases = self.cluster.leases();
        match leases.replace(&self.name, &PostParams::default(), &lease).await {
            Ok(lease) => {
                self.lease = lease;
                Ok(true)
            }
            Err(e) if fault::is_conflict(&e) || fault::is_absent(&e) => {
                self.look_again(&leases).await
            }
            Err(e) => Err(fault(&e)),
        }
    }

    /// A renewal whose answer was lost was written all the same: it is ours as long as it says so.
    async fn look_again(&mut self, leases: &Api<KubernetesLease>) -> Result<bool, Fault> {
        let found = leases.get_opt(&self.name).await.map_err(|e| fault(&e))?;
        if holder(found.as_ref()) != Some(self.cluster.identity.as_str()) {
            return Ok(false);
        }
        if let Some(lease) = found {
            self.lease = lease;
        }
        Err(Fault::Busy {
            service: fault::KUBERNETES,
            message: "the lease was written meanwhile".to_owned(),
            retry_after: None,
        })
    }
}

#[async_trait]
impl Lease for Held {
    fn term(&self) -> Option<Duration> {
        Some(TERM)
    }

    async fn renew(&mut self) -> Result<bool, Fault> {
        let now = self.cluster.clock.now();
        self.write(|spec| spec.renew_time = Some(moment(now))).await
    }

    async fn release(mut self: Box<Self>) {
        // As client-go does: nobody's, and for a moment only, should somebody not know what "" means.
        let released = self.write(|spec| {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
        });
        if let Err(fault) = released.await {
            tracing::warn!(%fault, "the lease is not given back; it runs out");
        }
    }
}
