//! The homes: what each is made of, and where its manifests are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use url::{Host, Url};

use super::{cloud_named, directory, keep};
use crate::app::daemon::{Daemon, Share};
use crate::app::manifests::Manifests;
use crate::app::{App, CloudName, Error, Home, Location, Result};
use crate::azure::credential;
use crate::blobs::{Access, Container};
use crate::cluster::{self, Cluster};
use crate::ports::{
    Change, Entry, Fence, Ledger, ObjectKey, OsRandom, Random as _, RequestBox, Seat, Secrets,
    SystemClock,
};
use crate::source::{Bucket, push};
use crate::store::Store;

pub use crate::source::push::Pushed;

/// What the sources say, as it comes.
pub(in crate::app) type Changes = BoxStream<'static, Change>;

/// Where a home's manifests are.
#[derive(Clone)]
pub(in crate::app) enum ManifestSource {
    /// In directories that the daemon is given.
    Elsewhere,
    /// In the home's own blob container.
    Container(Container),
    /// In the cluster.
    Cluster(Arc<Cluster>),
}

/// Opens the app's home; `share` says which part of a cluster is meant.
pub(in crate::app) async fn open_home(app: &App, share: &Share) -> Result<Home> {
    let fence = Fence::default();
    match &app.location {
        Location::Directory(dir) => {
            let store = Store::open(dir, Arc::new(OsRandom)).await?;
            Ok(home(app, Arc::new(store), fence, ManifestSource::Elsewhere))
        }
        Location::Container(url) => {
            let access = access(app, url)?;
            let container = Container::open(url, &access)?;
            let store =
                Store::open_container(url, &access, fence.clone(), Arc::new(OsRandom)).await?;
            Ok(home(app, Arc::new(store), fence, ManifestSource::Container(container)))
        }
        Location::Cluster(namespace) => {
            let place = cluster::Place {
                namespace: namespace.clone(),
                objects: app.namespace.clone(),
                watched: share.namespaces.clone(),
                shards: share.shards,
            };
            let (clock, random) = (Arc::new(SystemClock), Arc::new(OsRandom));
            let cluster = Cluster::open(place, identity()?, fence.clone(), clock, random).await?;
            let cluster = Arc::new(cluster);
            Ok(home(app, cluster.clone(), fence, ManifestSource::Cluster(cluster)))
        }
    }
}

fn home<S>(app: &App, store: Arc<S>, fence: Fence, manifests: ManifestSource) -> Home
where
    S: Ledger + Secrets + RequestBox + Seat + 'static,
{
    Home {
        ledger: store.clone(),
        secrets: store.clone(),
        requests: store.clone(),
        seat: store,
        fence,
        location: app.location.clone(),
        manifests,
    }
}

/// Names this process among all that may work on a home.
fn identity() -> Result<String> {
    let pod = std::env::var("POD_NAME").ok();
    let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    Ok(format!("{}_{}", pod.unwrap_or_else(host), OsRandom.uuid()?))
}

/// Who speaks to the storage account of `url`.
fn access(app: &App, url: &Url) -> Result<Access> {
    let (cloud, environment) = cloud_named(app, app.cloud.unwrap_or_else(|| cloud_of(url)))?;
    let credential = credential::chain(&cloud, &environment).map_err(Error::Azure)?;
    Ok(Access::new(credential, &cloud.ca_pem)?)
}

/// The cloud whose storage accounts have such names.
/// <https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-endpoints>
fn cloud_of(url: &Url) -> CloudName {
    match url.host() {
        Some(Host::Domain(host)) if host.ends_with(".core.usgovcloudapi.net") => CloudName::UsGov,
        Some(Host::Domain(host)) if host.ends_with(".core.chinacloudapi.cn") => CloudName::China,
        Some(Host::Domain(host)) if host == "localhost" || host.ends_with(".localhost") => {
            CloudName::Local
        }
        _ => CloudName::Public,
    }
}

/// What became of manifests that were given to a home.
pub(in crate::app) enum Taken {
    /// The home has no place of its own for them.
    Nowhere,
    /// The daemon has them, or finds them: by name, what became of each.
    By(BTreeMap<String, Pushed>),
}

/// Puts manifests where the home's daemon reads them.
pub(in crate::app) async fn give(
    home: &Home,
    paths: &[PathBuf],
    manifests: &Manifests,
    prune: bool,
) -> Result<Taken> {
    Ok(match &home.manifests {
        ManifestSource::Elsewhere => Taken::Nowhere,
        ManifestSource::Container(container) => {
            Taken::By(push::push(container, paths, prune).await?)
        }
        ManifestSource::Cluster(cluster) => {
            let mut done = BTreeMap::new();
            for manifest in &manifests.objects {
                cluster.push(&manifest.key(), &manifest.object.manifest()).await?;
                done.insert(manifest.key().to_string(), Pushed::Uploaded);
            }
            Taken::By(done)
        }
    })
}

/// Puts the manifest of an object of another home where this home's daemon reads it, or leaves it to
/// the ledger where the home has no place for manifests.
pub(in crate::app) async fn plant(home: &Home, entry: &Entry) -> Result<()> {
    match &home.manifests {
        ManifestSource::Elsewhere => {}
        ManifestSource::Container(container) => push::plant(container, entry).await?,
        ManifestSource::Cluster(cluster) => {
            let key = ObjectKey { namespace: home.namespace(), ..entry.key.clone() };
            cluster.push(&key, &entry.manifest).await?;
        }
    }
    Ok(())
}

/// Follows the home's manifests.
pub(in crate::app) fn watch(home: &Home, daemon: &Daemon) -> Result<Changes> {
    match (&home.manifests, &daemon.manifests) {
        (ManifestSource::Elsewhere, Some(dir)) => {
            Ok(directory(home, std::slice::from_ref(dir), daemon.prune)?.watch().boxed())
        }
        (ManifestSource::Elsewhere, None) => Err(Error::NoManifests),
        (_, Some(_)) => Err(Error::OwnManifests),
        (ManifestSource::Container(container), None) => {
            let keep = keep(home, daemon.prune);
            Ok(Bucket { container: container.clone(), keep }.watch().boxed())
        }
        (ManifestSource::Cluster(cluster), None) => Ok(cluster.watch().boxed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_tells_its_cloud() {
        for (url, cloud) in [
            ("https://a.blob.core.windows.net/c", CloudName::Public),
            ("https://a.blob.core.usgovcloudapi.net/c", CloudName::UsGov),
            ("https://a.blob.core.chinacloudapi.cn/c", CloudName::China),
            ("https://localhost:1/a/c", CloudName::Local),
            ("https://a.blob.localhost:1/c", CloudName::Local),
        ] {
            assert_eq!(cloud_of(&url.parse().unwrap()), cloud, "{url}");
        }
    }
}
