//! What people ask.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use super::{Blobs, Edit, Store, names};
use crate::core::Fault;
use crate::ports::{ObjectKey, RequestBox, Requests};

const REQUESTS: &str = "requests";

fn blob(key: &ObjectKey) -> String {
    names::of(REQUESTS, key)
}

#[async_trait]
impl RequestBox for Store {
    async fn requests(&self, key: &ObjectKey) -> Result<Requests, Fault> {
        let requests: Requests = self.read(&blob(key)).await?.unwrap_or_default();
        self.remember_asked(key, &requests);
        Ok(requests)
    }

    async fn set_requests(&self, key: &ObjectKey, requests: &Requests) -> Result<(), Fault> {
        let base = self.asked.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        let base = base.unwrap_or_default();
        self.update(&blob(key), |now: Option<Requests>| {
            let now = now.unwrap_or_default();
            let joined = join(&base, requests, &now);
            if joined == now {
                Edit::Keep
            } else if joined == Requests::default() {
                Edit::Delete
            } else {
                Edit::Write(joined)
            }
        })
        .await?;
        self.remember_asked(key, requests);
        Ok(())
    }

    fn changes(&self) -> BoxStream<'static, ObjectKey> {
        // The watch stands before the first look, so that nothing is lost between.
        let hints = self.blobs.hints(REQUESTS);
        let start = (Arc::clone(&self.blobs), hints, None::<Seen>);
        stream::unfold(start, |(blobs, mut hints, seen)| async move {
            if seen.is_some() {
                hints.next().await?;
            }
            // What cannot be read now is news when it can be.
            let now = look(&*blobs).await.unwrap_or_default();
            let news = seen.as_ref().map_or_else(Vec::new, |seen| differing(seen, &now));
            Some((stream::iter(news), (blobs, hints, Some(now))))
        })
        .flatten()
        .boxed()
    }
}

impl Store {
    fn remember_asked(&self, key: &ObjectKey, requests: &Requests) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if *requests == Requests::default() {
            asked.remove(key);
        } else {
            asked.insert(key.clone(), requests.clone());
        }
    }
}

/// `now` with what `wanted` changed of `base`: two people may ask at once, each for something else.
fn join(base: &Requests, wanted: &Requests, now: &Requests) -> Requests {
    fn one<T: Clone + PartialEq>(base: &T, wanted: &T, now: &T) -> T {
        if wanted == base { now.clone() } else { wanted.clone() }
    }
    Requests {
        renew: one(&base.renew, &wanted.renew, &now.renew),
        reconcile: one(&base.reconcile, &wanted.reconcile, &now.reconcile),
        approve: one(&base.approve, &wanted.approve, &now.approve),
        suspended: one(&base.suspended, &wanted.suspended, &now.suspended),
        delete: one(&base.delete, &wanted.delete, &now.delete),
    }
}

/// All requests, as they are written.
type Seen = BTreeMap<ObjectKey, Vec<u8>>;

async fn look(blobs: &dyn Blobs) -> Result<Seen, Fault> {
    let all = blobs.all(REQUESTS).await?.into_iter();
    Ok(all.filter_map(|(name, content)| Some((names::object(&name)?, content))).collect())
}

fn differing(before: &Seen, now: &Seen) -> Vec<ObjectKey> {
    let changed = now.iter().filter(|(key, content)| before.get(key) != Some(content));
    let gone = before.iter().filter(|(key, _)| !now.contains_key(key));
    changed.chain(gone).map(|(key, _)| key.clone()).collect()
}
