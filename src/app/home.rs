//! The home: where state, keys and events of one operator are kept.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::ValueEnum as _;
use url::Url;

use super::{CloudName, Error, Result};
use crate::core::Fault;
use crate::ports::{Fence, Ledger, RequestBox, Seat, Secrets};

/// Where a home is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Location {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A blob container in Azure.
    Container(Url),
    /// A cluster, spoken to as kubectl does; the operator itself lives in this namespace.
    Cluster(String),
}

/// What begins the location of a home in a cluster.
const CLUSTER: &str = "kubernetes://";

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(namespace) = text.strip_prefix(CLUSTER) {
            let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            return if !namespace.is_empty()
                && namespace.len() <= 63
                && namespace.chars().all(letter)
            {
                Ok(Self::Cluster(namespace.to_owned()))
            } else {
                Err(format!("write it as `{CLUSTER}NAMESPACE`, the namespace of the operator"))
            };
        }
        match text.split_once("://") {
            None if text.is_empty() => Err("the name of a directory is empty".to_owned()),
            None => Ok(Self::Directory(PathBuf::from(text))),
            Some(("https", _)) => {
                let url = Url::parse(text).map_err(|e| format!("is no URL: {e}"))?;
                let container = url
                    .path_segments()
                    .is_some_and(|mut path| path.next_back().is_some_and(|last| !last.is_empty()));
                if container && url.query().is_none() && url.username().is_empty() {
                    Ok(Self::Container(url))
                } else {
                    Err("write it as `https://ACCOUNT.blob.core.windows.net/CONTAINER`".to_owned())
                }
            }
            Some((scheme, _)) => Err(format!(
                "`{scheme}` is unknown: give a directory, `https://…` for a blob container or \
                 `{CLUSTER}…` for a cluster"
            )),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(dir) => write!(f, "{}", dir.display()),
            Self::Container(url) => write!(f, "{url}"),
            Self::Cluster(namespace) => write!(f, "{CLUSTER}{namespace}"),
        }
    }
}

/// An open home.
#[derive(Clone)]
pub struct Home {
    /// What is known of the objects.
    pub ledger: Arc<dyn Ledger>,
    /// Secrets and key pairs.
    pub secrets: Arc<dyn Secrets>,
    /// What people ask.
    pub requests: Arc<dyn RequestBox>,
    /// The home itself.
    pub seat: Arc<dyn Seat>,
    /// Whether this process may write.
    pub fence: Fence,
    pub(super) location: Location,
    pub(super) manifests: super::wire::ManifestSource,
}

impl Home {
    /// Whether a process reconciles this home now.
    pub async fn is_held(&self) -> Result<bool> {
        Ok(self.seat.is_taken().await?)
    }

    /// Whether several daemons may stand ready for it, of which one works. A command does not reconcile
    /// such a home itself: its daemon has another identity.
    pub fn is_shared(&self) -> bool {
        !matches!(self.location, Location::Directory(_))
    }

    /// Where objects are in a cluster.
    pub(super) fn namespace(&self) -> Option<String> {
        match &self.manifests {
            super::wire::ManifestSource::Cluster(cluster) => {
                Some(cluster.objects_namespace().to_owned())
            }
            _ => None,
        }
    }

    /// A home that has moved is not worked on.
    pub(super) async fn refuse_moved(&self) -> Result<()> {
        match self.seat.moved_to().await? {
            Some(to) => Err(Error::Moved { home: self.location.clone(), to }),
            None => Ok(()),
        }
    }

    /// The cloud that the home is pinned to.
    pub(super) async fn cloud(&self) -> Result<Option<CloudName>> {
        let Some(name) = self.seat.pinned_cloud().await? else { return Ok(None) };
        let cloud = CloudName::from_str(&name, false);
        let cloud = cloud.map_err(|problem| Fault::Store { what: "home".to_owned(), problem })?;
        Ok(Some(cloud))
    }
}

/// The default of the XDG base directory specification, which wants absolute paths.
pub(super) fn default_dir() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from).and_then(absolute);
    let home = || Some(env::var_os("HOME").map(PathBuf::from)?.join(".local/state"));
    Some(state.or_else(home)?.join("aci-operator"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_and_told() {
        let url = "https://account.blob.core.windows.net/aci-operator";
        let namespace = "kubernetes://aci-operator-system";
        for text in ["/var/lib/aci-operator", "home", "C:", url, namespace] {
            assert_eq!(text.parse::<Location>().unwrap().to_string(), text);
        }
        assert!(matches!(url.parse(), Ok(Location::Container(_))));
        assert!(matches!(namespace.parse(), Ok(Location::Cluster(_))));
        for wrong in [
            "",
            "kubernetes://",
            "kubernetes://A",
            "kubernetes://a/b",
            "http://account.blob.core.windows.net/c",
            "https://account.blob.core.windows.net",
            "https://account.blob.core.windows.net/",
            "https://account.blob.core.windows.net/c?sig=x",
            "https://user@account.blob.core.windows.net/c",
            "s3://bucket",
        ] {
            assert!(wrong.parse::<Location>().is_err(), "{wrong}");
        }
    }
}
