//! Verbs that change something: requests to the daemon, or the loop in the foreground.

use std::time::Duration;

use chrono::DateTime;

use super::apply::{Done, Ended, Passes, Watcher};
use super::view::{Item, Kind, Settled};
use super::{App, Error, Home, Result, wire};
use crate::core::{ConditionType, Truth};
use crate::ports::{Approval, Entry, ObjectKey, Requests};

/// What can be asked of an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    /// A new certificate.
    Renew,
    /// Leave for the change that waits for it.
    Approve,
    /// No writes.
    Suspend,
    /// Writes again.
    Resume,
    /// A look now.
    Reconcile,
    /// Deletion of what was made.
    Delete,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is written down, nothing was waited for.
    Recorded {
        /// A daemon is there to see it.
        held: bool,
    },
    /// It was waited for.
    Ended(Ended),
}

impl App {
    /// Asks `verb` of an object; with a time, waits that long for the effect.
    pub async fn ask(
        &self,
        key: &ObjectKey,
        verb: Verb,
        timeout: Option<Duration>,
        watcher: Watcher<'_>,
    ) -> Result<Outcome> {
        let home = self.home().await?;
        let before = self.item(&home, key).await?;
        check(&before, verb)?;
        if verb == Verb::Renew {
            refuse_provided(&home, &before).await?;
        }
        let requests = self.requested(&home, &before, verb).await?;
        home.requests.set_requests(key, &requests).await?;
        let held = home.is_held().await?;
        let keys = std::slice::from_ref(key);
        let done = effect(verb, &before);
        match timeout {
            Some(timeout) if held && verb != Verb::Reconcile => {
                let ended =
                    self.wait(&home, keys, timeout, Passes::Unseen, &*done, watcher).await?;
                Ok(Outcome::Ended(ended))
            }
            // A suspension needs nobody to act on it.
            Some(timeout)
                if !held && !home.is_shared() && !matches!(verb, Verb::Suspend | Verb::Resume) =>
            {
                let changes = wire::recall(&home, self.with_references(&home, key).await?).await?;
                let ended = self.foreground(&home, changes, keys, timeout, &*done, watcher).await?;
                Ok(Outcome::Ended(ended))
            }
            _ => Ok(Outcome::Recorded { held }),
        }
    }

    async fn requested(&self, home: &Home, item: &Item, verb: Verb) -> Result<Requests> {
        let now = self.now();
        let mut requests = home.requests.requests(&item.entry.key).await?;
        match verb {
            // Times of issue have whole seconds: what was issued in this very one, or for the last
            // request, is not what is asked for.
            Verb::Renew => {
                let last = requests.renew.map_or(i64::MIN, |last| last.timestamp());
                let at = now.timestamp().max(last) + 1;
                requests.renew = DateTime::from_timestamp(at, 0);
            }
            Verb::Reconcile => requests.reconcile = Some(now),
            Verb::Suspend => requests.suspended = true,
            Verb::Resume => requests.suspended = false,
            Verb::Delete => requests.delete = Some(now),
            Verb::Approve => {
                let digest = item.facts.pending.clone();
                requests.approve = digest.map(|digest| Approval { digest, at: now });
            }
        }
        Ok(requests)
    }

    /// The object, and those that it may wait for.
    async fn with_references(&self, home: &Home, key: &ObjectKey) -> Result<Vec<Entry>> {
        let mut entries = home.ledger.entries().await?;
        let others = [Kind::Issuer.as_str(), Kind::AppRegistration.as_str()];
        entries.retain(|entry| entry.key == *key || others.contains(&entry.key.kind.as_str()));
        Ok(entries)
    }
}

/// A chain that the user provides is renewed by providing another.
async fn refuse_provided(home: &Home, item: &Item) -> Result<()> {
    let issuer = item.entry.manifest["spec"]["tls"]["issuerRef"]["name"].as_str();
    let issuer = ObjectKey::new(Kind::Issuer.as_str(), issuer.unwrap_or_default());
    let issuer = home.ledger.entry(&issuer).await?;
    let secret = issuer.and_then(|issuer| {
        let secret = &issuer.manifest["spec"]["provided"]["secretRef"]["name"];
        secret.as_str().map(str::to_owned)
    });
    match secret {
        Some(secret) => Err(Error::Provided { key: item.entry.key.clone(), secret }),
        None => Ok(()),
    }
}

/// Whether a verb makes sense for an object as it is.
fn check(item: &Item, verb: Verb) -> Result<()> {
    let key = || item.entry.key.clone();
    match verb {
        Verb::Renew if item.entry.key.kind != Kind::ContainerGroup.as_str() => {
            Err(Error::NotForKind { key: key(), verb: "renew" })
        }
        Verb::Renew if item.entry.manifest["spec"]["tls"].is_null() => {
            Err(Error::NoCertificate(key()))
        }
        Verb::Approve if item.facts.pending.is_none() => Err(Error::NothingToApprove(key())),
        Verb::Delete => match still_wanted(&item.entry) {
            Some(place) => Err(Error::StillWanted { key: key(), place }),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// When a verb has had its effect.
fn effect(verb: Verb, before: &Item) -> Box<Done> {
    let serial = before.facts.serial.clone();
    let pending = before.facts.pending.clone();
    let stuck =
        |item: &Item, passed| (passed && item.settled() == Settled::Stalled).then_some(false);
    Box::new(move |item, passed| match (verb, item) {
        (Verb::Delete, None) => Some(true),
        (_, None) => None,
        (Verb::Delete, Some(item)) => item.entry.deletion.and_then(|_| stuck(item, passed)),
        (Verb::Suspend, Some(item)) => {
            (item.truth(ConditionType::Suspended) == Truth::True).then_some(true)
        }
        (Verb::Resume, Some(item)) => {
            (item.truth(ConditionType::Suspended) != Truth::True).then_some(true)
        }
        (Verb::Renew, Some(item)) => renewed(item, serial.as_deref()),
        (Verb::Approve, Some(item)) if item.facts.pending == pending => None,
        (Verb::Approve | Verb::Reconcile, Some(item)) => match item.settled() {
            Settled::Ready if passed => Some(true),
            _ => stuck(item, passed),
        },
    })
}

/// A new certificate is seen served; or, where nobody can look from here, was read back and all else
/// is well.
fn renewed(item: &Item, before: Option<&str>) -> Option<bool> {
    let serial = item.facts.serial.as_deref()?;
    let other = Some(serial) != before;
    let unseen = item.truth(ConditionType::ServingCurrent) == Truth::Unknown
        && item.settled() == Settled::Ready;
    if other && (item.facts.served_serial.as_deref() == Some(serial) || unseen) {
        return Some(true);
    }
    // An object that was stuck before may well renew; one that gets stuck on the new leaf will not.
    (other && item.settled() == Settled::Stalled).then_some(false)
}

/// Where the manifest of an object still is. A file that cannot be read may still have it.
fn still_wanted(entry: &Entry) -> Option<String> {
    let place = entry.place.as_ref()?;
    let path = file_of(place);
    if !path.exists() {
        return None;
    }
    let gone = wire::read_manifests(&[path.to_owned()]).is_ok_and(|manifests| {
        let there = manifests.objects.iter().any(|manifest| manifest.key() == entry.key);
        !there && manifests.problems.is_empty()
    });
    (!gone).then(|| place.clone())
}

/// The file of a place such as `app.yaml:12` or `app.yaml:12:3`.
fn file_of(place: &str) -> &std::path::Path {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mut path = place;
    while let Some((head, _)) = path.rsplit_once(':').filter(|(_, tail)| number(tail)) {
        path = head;
    }
    std::path::Path::new(path)
}
