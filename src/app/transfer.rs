//! A home that moves, and roots that are put by.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::authority::issuer_key;
use super::{App, Error, Home, Location, Result, tenure, wire};
use crate::api::Issuer;
use crate::core::certificate::{Pair, read_root};
use crate::core::requests::Requests;
use crate::core::{Secret, references};
use crate::files;
use crate::ports::{Entry, ObjectKey};
use crate::reconcile::Kind as _;
use crate::reconcile::identity::NAMESPACE_SECRET;

/// What was copied.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Copied {
    /// Objects.
    pub objects: Vec<ObjectKey>,
    /// Key pairs: roots and leaves.
    pub pairs: usize,
    /// Secrets, by name.
    pub secrets: Vec<String>,
}

impl App {
    /// Copies the home to another place, with its identity: what it made in Azure stays its own, so that
    /// nothing restarts, and its roots go on. No daemon may work on either. Unless `keep` is set, the old
    /// home refuses to work from then on: two of one identity would undo each other's work.
    ///
    /// Events stay behind. A copy that was interrupted is begun anew with an empty home.
    ///
    /// # Errors
    /// A daemon works on one of them, the new one knows objects already, or one cannot be read or written.
    pub async fn copy_home(&self, to: &Location, keep: bool) -> Result<Copied> {
        let other = self.at(to.clone())?;
        let (from, to) = (self.home().await?, other.home().await?);
        // Too large for a stack: it holds every write of both homes.
        let work = Box::pin(async {
            if !to.ledger.entries().await?.is_empty() {
                return Err(Error::NotEmpty(to.location.clone()));
            }
            let copied = copy(&from, &to).await?;
            if !keep {
                from.seat.set_moved(Some(&to.location.to_string())).await?;
            }
            Ok(copied)
        });
        let leaving = tenure::take_free(&from).await?;
        leaving.during(async { tenure::take_free(&to).await?.during(work).await }).await
    }

    /// Lets a home that was left work again.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn reopen_home(&self) -> Result<()> {
        Ok(self.home().await?.seat.set_moved(None).await?)
    }

    /// Writes an issuer's root, chain and key, to a new file that only the owner can read.
    ///
    /// # Errors
    /// There is no such root, the file is there already, or it cannot be written.
    pub async fn backup_root(&self, issuer: Option<&str>, to: &Path) -> Result<ObjectKey> {
        let (key, pair) = self.root_pair(&self.home().await?, issuer).await?;
        let text = format!("{}{}", pair.chain_pem, pair.key_pem.reveal());
        let made = files::create(to, text.as_bytes()).map_err(|e| Error::file(to, &e))?;
        if made { Ok(key) } else { Err(Error::Exists(to.to_owned())) }
    }

    /// Gives an issuer the root of a backup. One that has another root keeps it: leaves and people trust
    /// that one.
    ///
    /// # Errors
    /// There is no such issuer, it has another root, a daemon works on the home, or the file holds no
    /// root with its key.
    pub async fn restore_root(&self, issuer: Option<&str>, from: &Path) -> Result<ObjectKey> {
        let pair = read_backup(from, self.now())?;
        let home = self.home().await?;
        let key = issuer_key(&home, issuer).await?;
        self.item(&home, &key).await?;
        if let Some(present) = home.secrets.pair(&key).await? {
            let same = present.chain_pem == pair.chain_pem;
            return if same { Ok(key) } else { Err(Error::OtherRoot(key)) };
        }
        let tenure = tenure::take_free(&home).await?;
        tenure.during(async { Ok(home.secrets.set_pair(&key, &pair).await?) }).await?;
        Ok(key)
    }
}

async fn copy(from: &Home, to: &Home) -> Result<Copied> {
    let mut copied = Copied::default();
    to.seat.assume(&from.seat.identity().await?).await?;
    let entries = from.ledger.entries().await?;
    for (name, keys) in secrets(from, &entries).await? {
        for (key, value) in keys {
            to.secrets.set_secret(&name, &key, &value).await?;
        }
        copied.secrets.push(name);
    }
    for mut entry in entries {
        let old = entry.key.clone();
        if to.namespace().is_none() {
            name_identity(&mut entry, &copied.secrets);
        }
        wire::plant(to, &entry).await?;
        let key = ObjectKey { namespace: to.namespace(), ..old.clone() };
        // Keys first: an object that is known and has none would get new ones.
        if let Some(pair) = from.secrets.pair(&old).await? {
            to.secrets.set_pair(&key, &pair).await?;
            copied.pairs += 1;
        }
        to.ledger.record(&Entry { key: key.clone(), ..entry }).await?;
        if let Some(memory) = from.ledger.memory(&old).await? {
            to.ledger.remember(&key, &memory).await?;
        }
        if let Some(status) = from.ledger.status(&old).await? {
            to.ledger.publish(&key, &status).await?;
        }
        let requests = from.requests.requests(&old).await?;
        if requests != Requests::default() {
            to.requests.set_requests(&key, &requests).await?;
        }
        copied.objects.push(key);
    }
    Ok(copied)
}

/// Only in a cluster an object has the identity of its namespace without a word: elsewhere it names it, or it
/// would have the operator's.
fn name_identity(entry: &mut Entry, secrets: &[String]) {
    let of_namespace = entry.key.namespace.is_some() && entry.key.kind != Issuer::KIND;
    if of_namespace && secrets.iter().any(|name| name == NAMESPACE_SECRET) {
        let spec = &mut entry.manifest["spec"];
        if spec["identityRef"].is_null() {
            spec["identityRef"] = json!({"name": NAMESPACE_SECRET});
        }
    }
}

/// The secrets of a home: those that were set in it, those that its manifests name, and the identities of
/// their namespaces.
async fn secrets(
    home: &Home,
    entries: &[Entry],
) -> Result<BTreeMap<String, BTreeMap<String, Secret>>> {
    let mut names: BTreeSet<(Option<String>, String)> =
        home.secrets.secret_names().await?.into_keys().map(|name| (None, name)).collect();
    for entry in entries {
        let found = references::secrets(&entry.manifest["spec"]);
        let found = found.into_iter().chain([NAMESPACE_SECRET.to_owned()]);
        names.extend(found.map(|name| (entry.key.namespace.clone(), name)));
    }
    let mut all = BTreeMap::new();
    for (namespace, name) in names {
        if let Some(keys) = home.secrets.secret(namespace.as_deref(), &name).await? {
            all.insert(name, keys);
        }
    }
    Ok(all)
}

fn read_backup(path: &Path, now: DateTime<Utc>) -> Result<Pair> {
    let wrong = |problem: &str| Error::File { path: path.to_owned(), problem: problem.to_owned() };
    let content = files::read(path).map_err(|e| Error::file(path, &e))?;
    let content = content.ok_or_else(|| wrong("there is no such file"))?;
    let text = String::from_utf8(content).map_err(|_| wrong("is no text"))?;
    read_root(&text, now).map_err(|failed| wrong(&failed.to_string()))
}
