//! The loop in the foreground: until objects are as they should be, or stuck.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio_util::sync::CancellationToken;

use super::manifests::Manifests;
use super::view::{Item, Settled};
use super::wire::Taken;
use super::{App, Error, Home, Result, tenure, wire};
use crate::core::{ConditionType, Truth};
use crate::ports::{Change, ObjectKey};

/// How often the ledger is looked at while somebody waits.
const GLANCE: Duration = Duration::from_millis(100);

/// What can be waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Aim {
    /// A condition has this truth.
    Condition(ConditionType, Truth),
    /// The object is gone.
    Gone,
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condition(kind, truth) => write!(f, "condition {kind}={truth:?} met"),
            Self::Gone => f.write_str("deleted"),
        }
    }
}

/// Told of each object at each glance.
pub type Watcher<'a> = &'a mut (dyn FnMut(&Item) + Send);

/// How waiting ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The objects as they are now; those that are gone are not among them.
    pub items: Vec<Item>,
    /// Whether what was waited for has come.
    pub reached: bool,
    /// Whether the time ran out.
    pub timed_out: bool,
}

impl App {
    /// Reconciles manifests until each is Ready or Stalled: here, or by the daemon of a home that has a
    /// place for them.
    pub async fn apply(
        &self,
        paths: &[PathBuf],
        timeout: Duration,
        watcher: Watcher<'_>,
    ) -> Result<Result<Ended, Manifests>> {
        let manifests = self.read(paths)?;
        if !manifests.problems.is_empty() {
            return Ok(Err(manifests));
        }
        let home = self.home().await?;
        let keys: Vec<_> = manifests.objects.iter().map(super::manifests::Manifest::key).collect();
        let settled = |item: Option<&Item>, passed: bool| match item.map(Item::settled) {
            Some(Settled::Ready) if passed => Some(true),
            Some(Settled::Stalled) if passed => Some(false),
            _ => None,
        };
        if let Taken::By(_) = wire::give(&home, paths, &manifests, false).await? {
            let unseen = Passes::Unseen;
            return self.wait(&home, &keys, timeout, unseen, &settled, watcher).await.map(Ok);
        }
        if home.is_held().await? {
            return Err(Error::held(&home));
        }
        let changes = wire::merge_manifests(&home, paths).await?;
        self.foreground(&home, changes, &keys, timeout, &settled, watcher).await.map(Ok)
    }

    /// Waits until an object is as aimed at; it need not be there yet.
    pub async fn wait_for(
        &self,
        home: &Home,
        key: &ObjectKey,
        aim: Aim,
        timeout: Duration,
    ) -> Result<Ended> {
        let done = move |item: Option<&Item>, _: bool| match (aim, item) {
            (Aim::Gone, None) => Some(true),
            (Aim::Condition(kind, truth), Some(item)) => {
                (item.truth(kind) == truth).then_some(true)
            }
            _ => None,
        };
        let keys = std::slice::from_ref(key);
        self.wait(home, keys, timeout, Passes::Unseen, &done, &mut |_| {}).await
    }

    /// Runs the loop on `changes` until `done` has an answer for each of `keys`.
    pub(super) async fn foreground(
        &self,
        home: &Home,
        changes: Vec<Change>,
        keys: &[ObjectKey],
        timeout: Duration,
        done: &Done,
        watcher: Watcher<'_>,
    ) -> Result<Ended> {
        let tenure = tenure::take_free(home).await?;
        tenure.during(self.loop_once(home, changes, keys, timeout, done, watcher)).await
    }

    async fn loop_once(
        &self,
        home: &Home,
        changes: Vec<Change>,
        keys: &[ObjectKey],
        timeout: Duration,
        done: &Done,
        watcher: Watcher<'_>,
    ) -> Result<Ended> {
        let operator = wire::Operator::new(self, home).await?;
        home.seat.pin_cloud(self.cloud_of(home).await?.as_str()).await?;
        let changes = stream::iter(changes).chain(stream::once(async { Change::Listed }));
        let (sender, ends) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let forever = changes.chain(stream::pending()).boxed();
        let mut running = std::pin::pin!(operator.run(forever, Some(sender), stop.clone()));
        let ended = tokio::select! {
            ended = self.wait(home, keys, timeout, Passes::Seen(ends), done, watcher) => ended?,
            () = &mut running => {
                return Err(Error::Ended);
            }
        };
        stop.cancel();
        running.await;
        Ok(ended)
    }

    /// Looks at the ledger until `done` has an answer for each of `keys`.
    pub(super) async fn wait(
        &self,
        home: &Home,
        keys: &[ObjectKey],
        timeout: Duration,
        mut ends: Passes,
        done: &Done,
        watcher: Watcher<'_>,
    ) -> Result<Ended> {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut passed = BTreeSet::new();
        loop {
            let seen = ends.take(&mut passed);
            let mut items = Vec::new();
            let mut answers = Vec::new();
            for key in keys {
                let item = match self.item(home, key).await {
                    Err(Error::NotFound(_)) => None,
                    other => Some(other?),
                };
                item.iter().for_each(&mut *watcher);
                answers.push(done(item.as_ref(), !seen || passed.contains(key)));
                items.extend(item);
            }
            let all: Option<Vec<_>> = answers.into_iter().collect();
            if all.is_some() || tokio::time::Instant::now() >= deadline {
                let timed_out = all.is_none();
                let reached = all.is_some_and(|all| all.into_iter().all(|reached| reached));
                return Ok(Ended { items, reached, timed_out });
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// The answer for one object, from how it is (`None` where it is gone) and whether a pass over it has
/// ended: reached, never to be reached, or nothing yet.
pub(super) type Done = dyn Fn(Option<&Item>, bool) -> Option<bool> + Send + Sync;

/// Whether the ends of passes are seen from here.
pub(super) enum Passes {
    /// The loop runs in this process.
    Seen(UnboundedReceiver<ObjectKey>),
    /// It runs in another.
    Unseen,
}

impl Passes {
    /// Adds the passes that ended to `passed`; whether they are seen at all.
    fn take(&mut self, passed: &mut BTreeSet<ObjectKey>) -> bool {
        let Self::Seen(ends) = self else { return false };
        while let Ok(key) = ends.try_recv() {
            passed.insert(key);
        }
        true
    }
}
