//! State that is in its file whenever nobody changes it.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::files;

/// A value kept as JSON in a private file.
pub(super) struct Kept<T> {
    state: Mutex<State<T>>,
    file: PathBuf,
}

struct State<T> {
    value: T,
    saved: Vec<u8>,
}

impl<T: Serialize> Kept<T> {
    /// `value`, to be kept in `file` from its first use on.
    pub(super) fn new(value: T, file: PathBuf) -> Self {
        Self { state: Mutex::new(State { value, saved: Vec::new() }), file }
    }

    /// Lets `act` look at the value. What it changes all the same is saved with the next change.
    pub(super) fn look<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut self.lock().value)
    }

    /// Lets `act` read or change the value. What changed is on disk when this returns.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state.value);
        if let Err(error) = self.save(&mut state) {
            tracing::error!(file = %self.file.display(), %error, "cannot save local Azure's state");
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self, state: &mut State<T>) -> io::Result<()> {
        let bytes = serde_json::to_vec(&state.value)?;
        if bytes != state.saved {
            files::write(&self.file, &bytes)?;
            state.saved = bytes;
        }
        Ok(())
    }
}
