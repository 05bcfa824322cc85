//! The place where a process dies: every call of a port goes through it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use aci_operator::core::Fault;

/// When, around a call, the process dies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Moment {
    /// Nothing happened yet.
    Before,
    /// It happened, and nobody heard the answer.
    After,
}

/// Counts the calls of all ports; at one of them the process may die.
#[derive(Default)]
pub(crate) struct Gate(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    calls: usize,
    fatal: Option<(usize, Moment)>,
    dead: bool,
}

impl Gate {
    /// One call: `effect` happens, unless the process is dead or dies before.
    pub(crate) fn around<T>(&self, effect: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        self.enter()?;
        let result = effect();
        self.leave()?;
        result
    }

    pub(crate) fn enter(&self) -> Result<(), Fault> {
        let mut inner = self.lock();
        if !inner.dead {
            inner.calls += 1;
        }
        inner.dead |= inner.fatal == Some((inner.calls, Moment::Before));
        alive(&inner)
    }

    pub(crate) fn leave(&self) -> Result<(), Fault> {
        let mut inner = self.lock();
        inner.dead |= inner.fatal == Some((inner.calls, Moment::After));
        alive(&inner)
    }

    /// The process will die at the `n`th call from now, counted from 1.
    pub(crate) fn kill_at(&self, n: usize, moment: Moment) {
        let mut inner = self.lock();
        inner.fatal = Some((inner.calls + n, moment));
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> usize {
        self.lock().calls
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.lock().dead
    }

    /// A new process.
    pub(crate) fn revive(&self) {
        let mut inner = self.lock();
        (inner.dead, inner.fatal) = (false, None);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn alive(inner: &Inner) -> Result<(), Fault> {
    if inner.dead {
        return Err(Fault::Store { what: "process".to_owned(), problem: "killed".to_owned() });
    }
    Ok(())
}
