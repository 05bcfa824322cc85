//! Hints that something changed below a directory.

use std::path::PathBuf;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{Instant, sleep_until};

/// How long a finished change waits for others that belong to it.
const DEBOUNCE: Duration = Duration::from_millis(3);
/// How long a file that is being written is waited for.
const WRITING: Duration = Duration::from_millis(100);

/// Waits for changes of files and directories. It gives hints only: a change may be missed (network
/// file systems tell nothing), so the owner looks from time to time without one.
#[derive(Debug)]
pub struct Watch {
    hints: Receiver<Hint>,
    /// Absent where the system gives no watch.
    watcher: Option<RecommendedWatcher>,
    paths: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
enum Hint {
    /// A file is whole: closed after writing, renamed, removed.
    Done,
    /// A file is being written.
    Begun,
}

impl Watch {
    /// Watches `paths` with all below them; one that does not exist is tried again by
    /// [`Watch::renew`].
    pub fn new(paths: &[PathBuf]) -> Self {
        let (sender, hints) = mpsc::channel(64);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Some(hint) = event.map_or(Some(Hint::Done), |event| hint(event.kind)) {
                // A full channel holds a hint already.
                let _ = sender.try_send(hint);
            }
        });
        let mut watch = Self { hints, watcher: watcher.ok(), paths: Vec::new() };
        watch.renew(paths);
        watch
    }

    /// Watches `paths` anew where they were made anew, or were missing.
    pub fn renew(&mut self, paths: &[PathBuf]) {
        let Some(watcher) = &mut self.watcher else { return };
        for path in std::mem::take(&mut self.paths) {
            // It may have gone with its directory.
            let _ = watcher.unwatch(&path);
        }
        for path in paths {
            if watcher.watch(path, RecursiveMode::Recursive).is_ok() {
                self.paths.push(path.clone());
            }
        }
    }

    /// Returns when something changed and has come to rest. Cancel safe but for the debounce.
    pub async fn changed(&mut self) {
        let Some(first) = self.hints.recv().await else { return std::future::pending().await };
        let mut due = Instant::now() + rest(first);
        loop {
            tokio::select! {
                () = sleep_until(due) => return,
                Some(hint) = self.hints.recv() => due = due.min(Instant::now() + rest(hint)),
            }
        }
    }
}

fn rest(hint: Hint) -> Duration {
    match hint {
        Hint::Done => DEBOUNCE,
        Hint::Begun => WRITING,
    }
}

fn hint(kind: EventKind) -> Option<Hint> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Remove(_)
        | EventKind::Create(CreateKind::Folder)
        | EventKind::Modify(ModifyKind::Name(_) | ModifyKind::Metadata(_)) => Some(Hint::Done),
        EventKind::Access(_) => None,
        _ => Some(Hint::Begun),
    }
}
