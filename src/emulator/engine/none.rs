//! An engine that runs nothing and says that everything runs: `--engine none`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    ContainerState, Endpoints, Engine, EngineError, ExecStream, GroupRun, Inside, TerminalSize,
};

/// Remembers what should run, so that restarts are visible; nothing is served.
pub struct Nothing {
    clock: fn() -> DateTime<Utc>,
    groups: Mutex<BTreeMap<String, BTreeMap<String, ContainerState>>>,
}

impl Nothing {
    /// An engine without groups that reads the time from `clock`.
    pub fn new(clock: fn() -> DateTime<Utc>) -> Self {
        Self { clock, groups: Mutex::default() }
    }

    fn groups(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, ContainerState>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn started(&self) -> ContainerState {
        ContainerState {
            running: true,
            started_at: Some((self.clock)()),
            finished_at: None,
            exit_code: None,
            restart_count: 0,
            ready: true,
        }
    }
}

#[async_trait]
impl Engine for Nothing {
    async fn offer(&self, _: Inside) -> Result<(), EngineError> {
        Ok(())
    }

    async fn start(&self, group: &str, run: &GroupRun) -> Result<Endpoints, EngineError> {
        let states = run.containers.iter().map(|c| (c.name.clone(), self.started())).collect();
        self.groups().insert(group.to_owned(), states);
        Ok(Endpoints::new())
    }

    async fn remove(&self, group: &str) -> Result<(), EngineError> {
        self.groups().remove(group);
        Ok(())
    }

    async fn inspect(&self, group: &str) -> Result<BTreeMap<String, ContainerState>, EngineError> {
        Ok(self.groups().get(group).cloned().unwrap_or_default())
    }

    async fn endpoints(&self, group: &str) -> Result<Endpoints, EngineError> {
        let known = self.groups().contains_key(group);
        known.then(Endpoints::new).ok_or_else(|| EngineError::NotFound(group.to_owned()))
    }

    async fn logs(
        &self,
        _group: &str,
        _container: &str,
        _tail: Option<usize>,
        _timestamps: bool,
    ) -> Result<String, EngineError> {
        Ok(String::new())
    }

    async fn exec(
        &self,
        _group: &str,
        _container: &str,
        command: &str,
        _size: TerminalSize,
    ) -> Result<Box<dyn ExecStream>, EngineError> {
        Err(EngineError::Refused(format!("no container runs here, so `{command}` cannot")))
    }

    async fn kill(&self, group: &str, container: &str) -> Result<(), EngineError> {
        let mut groups = self.groups();
        let found = groups.get_mut(group).and_then(|states| states.get_mut(container));
        let state = found.ok_or_else(|| EngineError::NotFound(container.to_owned()))?;
        *state = ContainerState {
            finished_at: Some((self.clock)()),
            exit_code: Some(137),
            restart_count: state.restart_count + 1,
            ..self.started()
        };
        Ok(())
    }

    async fn reset(&self) -> Result<(), EngineError> {
        self.groups().clear();
        Ok(())
    }
}
