//! Why something was not done, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::{CloudName, Home, Location};
use crate::core::Fault;
use crate::ports::ObjectKey;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An effect failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// No directory for the home is known.
    #[error("no directory for the home is known")]
    NoHome,
    /// The daemon has no manifests.
    #[error("the home has no manifests of its own")]
    NoManifests,
    /// The daemon is given manifests beside those of its home.
    #[error("the home has manifests of its own: -f is for a home that is a directory")]
    OwnManifests,
    /// A directory as home has no place for manifests.
    #[error("the home {0} has no place for manifests")]
    NoPlace(Location),
    /// The home has moved.
    #[error("the home {home} has moved to {to}")]
    Moved {
        /// The old place.
        home: Location,
        /// The new one.
        to: String,
    },
    /// A home that is to be copied to knows objects already.
    #[error("the home {0} knows objects already")]
    NotEmpty(Location),
    /// A file that is not written over.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// An issuer whose root is another one than the backup's.
    #[error("{0} has another root, which leaves and people trust")]
    OtherRoot(ObjectKey),
    /// The home belongs to another cloud.
    #[error("the home {} belongs to the cloud `{}`, not to `{}`", home, pinned.as_str(), asked.as_str())]
    OtherCloud {
        /// The home.
        home: Location,
        /// The cloud that was asked for.
        asked: CloudName,
        /// Its cloud.
        pinned: CloudName,
    },
    /// Another process reconciles the home.
    #[error("a daemon holds the home {0}")]
    Held(Location),
    /// The daemon's lease of the home ended, or another daemon has it.
    #[error("the home was lost to another daemon")]
    Lost,
    /// No object of that name.
    #[error("{0} not found")]
    NotFound(ObjectKey),
    /// `delete` while a source has the manifest.
    #[error("{key} is still wanted by {place}")]
    StillWanted {
        /// The object.
        key: ObjectKey,
        /// Place of its manifest.
        place: String,
    },
    /// Nothing waits for approval.
    #[error("{0} has no change that waits for approval")]
    NothingToApprove(ObjectKey),
    /// A verb that this kind does not have.
    #[error("{key} is no container group: it cannot be asked to {verb}")]
    NotForKind {
        /// The object.
        key: ObjectKey,
        /// The verb.
        verb: &'static str,
    },
    /// A group without TLS.
    #[error("{0} has no `spec.tls`, so it has no certificate")]
    NoCertificate(ObjectKey),
    /// `renew` of a certificate that is not ours to renew.
    #[error("{key} serves the certificate of the secret `{secret}`")]
    Provided {
        /// The object.
        key: ObjectKey,
        /// The secret.
        secret: String,
    },
    /// Several issuers, and none is named.
    #[error("there are the issuers {}", .0.join(", "))]
    WhichIssuer(Vec<String>),
    /// No issuer at all.
    #[error("there is no issuer")]
    NoIssuer,
    /// No subscription is known.
    #[error("no subscription is known")]
    NoSubscription,
    /// The Secret of an object's identity is missing or wrong.
    #[error("{key} has no identity: {problem}")]
    NoIdentity {
        /// The object.
        key: ObjectKey,
        /// What about it.
        problem: String,
    },
    /// An issuer without a certificate yet.
    #[error("{0} has no certificate yet")]
    NoRoot(ObjectKey),
    /// A field that an object has not published yet.
    #[error("{key} has published no `{field}` yet")]
    NotPublished {
        /// The object.
        key: ObjectKey,
        /// The field of its status.
        field: &'static str,
    },
    /// A person who did not sign in.
    #[error("nobody signed in in time")]
    NotSignedIn,
    /// The loop ended before what was waited for.
    #[error("the loop ended before its time")]
    Ended,
    /// The group is not known to Azure yet.
    #[error("{0} is not in Azure yet")]
    NotMade(ObjectKey),
    /// More than one container, and none is named.
    #[error("{key} has the containers {}", containers.join(", "))]
    WhichContainer {
        /// The object.
        key: ObjectKey,
        /// Their names.
        containers: Vec<String>,
    },
    /// A file or directory.
    #[error("{}: {problem}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
    /// Azure cannot be spoken to.
    #[error(transparent)]
    Azure(#[from] crate::azure::Error),
    /// Manifests that cannot be read.
    #[error("{0}")]
    Manifests(String),
    /// What would change cannot be said.
    #[error("{0}")]
    Preview(String),
    /// Local Azure.
    #[error("local Azure {problem}")]
    Local {
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// The operator's own installation.
    #[error("{problem}")]
    Install {
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A container engine.
    #[error("no container engine can be used: {0}")]
    Engine(String),
    /// A server of the daemon.
    #[error("cannot listen on {address}: {problem}")]
    Listen {
        /// Its address.
        address: String,
        /// What went wrong.
        problem: String,
    },
}

impl Error {
    /// Another process works on a home.
    pub(super) fn held(home: &Home) -> Self {
        Self::Held(home.location.clone())
    }

    /// A problem with a file.
    pub(super) fn file(path: &Path, problem: &io::Error) -> Self {
        Self::File { path: path.to_owned(), problem: problem.to_string() }
    }

    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::NoHome => "set HOME, or give --home DIR".to_owned(),
            Self::NoPlace(_) => {
                "the daemon of a directory reads what `run -f DIR` names: copy them \
                                 there"
                    .to_owned()
            }
            Self::Moved { to, .. } => format!(
                "use --home {to}; `aci-operator home reopen` takes the move back, when nobody works there"
            ),
            Self::NotEmpty(_) => "copy to a new one".to_owned(),
            Self::Exists(_) => "name a file that is not there".to_owned(),
            Self::NoManifests => "give the directory of the manifests with -f DIR".to_owned(),
            Self::OtherCloud { pinned, .. } => format!(
                "leave out --cloud (and ACI_OPERATOR_CLOUD), give --cloud {}, or use another --home",
                pinned.as_str()
            ),
            Self::Held(_) => {
                "let it do the work (`aci-operator get`), stop it, or use another --home".to_owned()
            }
            Self::NotFound(key) => format!("`aci-operator get {}` lists what there is", key.kind),
            Self::StillWanted { .. } => {
                "remove the manifest first: it would be made again at once".to_owned()
            }
            Self::NothingToApprove(key) | Self::NotPublished { key, .. } => {
                format!("`aci-operator describe {key}` says what it waits for")
            }
            Self::NotMade(key) => {
                format!("`aci-operator wait {key} --for condition=Ready` waits for it")
            }
            Self::WhichContainer { .. } => "name one with -c".to_owned(),
            Self::WhichIssuer(_) => "name one of them".to_owned(),
            Self::NoIssuer => "apply a manifest of kind Issuer first".to_owned(),
            Self::NoSubscription => "set AZURE_SUBSCRIPTION_ID, or `az account set`".to_owned(),
            Self::NoRoot(_) => {
                "it is made at the first pass: `aci-operator run` or `aci-operator apply`"
                    .to_owned()
            }
            Self::Local { remedy, .. } | Self::Install { remedy, .. } => remedy.clone(),
            Self::Engine(_) => {
                "start Docker or Podman, or take --engine none: local Azure then answers \
                                as Azure does, but runs no container"
                    .to_owned()
            }
            Self::Provided { secret, .. } => format!(
                "set the new one: `aci-operator secret set {secret} tls.key` and `… tls.crt`"
            ),
            Self::Listen { .. } => "give another address with --listen".to_owned(),
            Self::Fault(fault) => return remedy(fault),
            Self::NotForKind { .. }
            | Self::NoCertificate(_)
            | Self::NotSignedIn
            | Self::Ended
            | Self::OwnManifests
            | Self::OtherRoot(_)
            | Self::Lost
            | Self::File { .. }
            | Self::Azure(_)
            | Self::NoIdentity { .. }
            | Self::Manifests(_)
            | Self::Preview(_) => return None,
        })
    }
}

fn remedy(fault: &Fault) -> Option<String> {
    Some(match fault {
        Fault::Forbidden { .. } => {
            "sign in (`az login`, or AZURE_CLIENT_ID and its companions), or have the right granted"
        }
        Fault::Unreachable { .. } => {
            "look at the network, and at --cloud; local Azure is started by `aci-operator local up`"
        }
        Fault::Throttled { .. } | Fault::Busy { .. } | Fault::Failing { .. } => "try again later",
        Fault::NotGranted { .. } | Fault::Refused { .. } | Fault::Store { .. } => return None,
    }
    .to_owned())
}
