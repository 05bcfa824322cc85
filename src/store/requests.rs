//! What people ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use super::{Blobs, Store, keys, names};
use crate::core::Fault;
use crate::ports::{ObjectKey, RequestBox, Requests};

const REQUESTS: &str = "requests";

fn blob(key: &ObjectKey) -> String {
    names::of(REQUESTS, key)
}

#[async_trait]
impl RequestBox for Store {
    async fn requests(&self, key: &ObjectKey) -> Result<Requests, Fault> {
        Ok(self.read(&blob(key)).await?.unwrap_or_default())
    }

    async fn set_requests(&self, key: &ObjectKey, requests: &Requests) -> Result<(), Fault> {
        if *requests == Requests::default() {
            return self.blobs.delete(&blob(key)).await;
        }
        self.write(&blob(key), requests).await
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

/// All requests, as they are written.
type Seen = BTreeMap<ObjectKey, Vec<u8>>;

async fn look(blobs: &dyn Blobs) -> Result<Seen, Fault> {
    let mut seen = Seen::new();
    for key in keys(blobs, REQUESTS).await? {
        if let Some(content) = blobs.get(&blob(&key)).await? {
            seen.insert(key, content);
        }
    }
    Ok(seen)
}

fn differing(before: &Seen, now: &Seen) -> Vec<ObjectKey> {
    let changed = now.iter().filter(|(key, content)| before.get(key) != Some(content));
    let gone = before.iter().filter(|(key, _)| !now.contains_key(key));
    changed.chain(gone).map(|(key, _)| key.clone()).collect()
}
