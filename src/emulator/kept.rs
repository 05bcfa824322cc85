//! State that is in its file whenever nobody changes it.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::files;

/// A state of so many bytes takes longer to write than a request may wait.
const LARGE: usize = 1 << 20;
/// A large state rests after a save for so many times what the save took.
const REST: u32 = 10;
/// How often what was changed during such a rest is looked after.
const TICK: Duration = Duration::from_millis(500);

/// A value kept as JSON in a private file.
pub(super) struct Kept<T> {
    state: Mutex<State<T>>,
    file: PathBuf,
}

struct State<T> {
    value: T,
    saved: Vec<u8>,
    /// It may differ from what was saved.
    changed: bool,
    /// No save before.
    rests_until: Instant,
}

impl<T: Serialize> Kept<T> {
    /// `value`, to be kept in `file` from its first use on.
    pub(super) fn new(value: T, file: PathBuf) -> Self {
        let (saved, rests_until) = (Vec::new(), Instant::now());
        Self { state: Mutex::new(State { value, saved, changed: false, rests_until }), file }
    }

    /// Lets `act` look at the value. What it changes all the same is saved with the next change.
    pub(super) fn look<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut self.lock().value)
    }

    /// Lets `act` read or change the value. What changed is on disk when this returns, or, where the value
    /// is larger than [`LARGE`], a moment later, by [`Self::keep_saving`].
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state.value);
        state.changed = true;
        if Instant::now() >= state.rests_until {
            self.save(&mut state);
        }
        result
    }

    /// Sees to it, for ever, that what changed gets on disk.
    pub(super) async fn keep_saving(&self) {
        loop {
            tokio::time::sleep(TICK).await;
            let mut state = self.lock();
            if state.changed && Instant::now() >= state.rests_until {
                self.save(&mut state);
            }
        }
    }

    /// Puts on disk what is not there yet.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        if state.changed {
            self.save(&mut state);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self, state: &mut State<T>) {
        let begun = Instant::now();
        if let Err(error) = self.write(state) {
            tracing::error!(file = %self.file.display(), %error, "cannot save local Azure's state");
        }
        let rest = if state.saved.len() > LARGE { begun.elapsed() * REST } else { Duration::ZERO };
        state.rests_until = Instant::now() + rest;
        state.changed = false;
    }

    fn write(&self, state: &mut State<T>) -> io::Result<()> {
        let bytes = serde_json::to_vec(&state.value)?;
        if bytes != state.saved {
            files::write(&self.file, &bytes)?;
            state.saved = bytes;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_disk(kept: &Kept<Vec<String>>) -> Vec<String> {
        serde_json::from_slice(&files::read(&kept.file).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn a_small_value_is_on_disk_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(Vec::new(), dir.path().join("value.json"));
        for n in 1..5 {
            kept.with(|value| value.push("x".to_owned()));
            assert_eq!(on_disk(&kept).len(), n);
        }
    }

    #[test]
    fn a_large_value_rests_and_is_whole_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(vec!["x".repeat(LARGE)], dir.path().join("value.json"));
        for _ in 0..3 {
            kept.with(|value| value.push("x".to_owned()));
        }
        assert!(on_disk(&kept).len() < 4, "three saves in a row");
        kept.flush();
        assert_eq!(on_disk(&kept).len(), 4);
    }

    #[tokio::test]
    async fn what_changed_during_a_rest_gets_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(vec!["x".repeat(LARGE)], dir.path().join("value.json"));
        kept.with(|value| value.push("x".to_owned()));
        kept.with(|value| value.push("x".to_owned()));
        let saved = async {
            while on_disk(&kept).len() < 3 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            () = kept.keep_saving() => {}
            () = saved => {}
        }
    }
}
