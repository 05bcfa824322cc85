//! Keeping a group's containers running: restarts and probes.
//!
//! The engine's own restart policy is not used. Docker takes a killed container for one that was
//! stopped on purpose, Podman counts and delays otherwise, and neither knows ACI's probes; one loop
//! here is the same everywhere. What it has to know is in a label of the container, so that a local
//! Azure that starts again takes over what runs. The count of restarts begins anew then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::models;
use bollard::query_parameters::WaitContainerOptions;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::container::{self, exit_code, timestamp};
use super::{EngineError, ProbeRun, RestartPolicy, fault, probe};

/// Pause before the first restart; doubled each time up to `LONGEST_PAUSE`.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause before a restart.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// After a run this long the pauses begin anew.
const LONG_RUN: chrono::TimeDelta = chrono::TimeDelta::seconds(10);
/// Pause where the engine does not answer.
const RETRY: Duration = Duration::from_millis(500);

/// How a container is kept running.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Supervision {
    pub(super) restart: RestartPolicy,
    pub(super) liveness: Option<ProbeRun>,
    pub(super) readiness: Option<ProbeRun>,
}

impl Supervision {
    /// As the text of a label.
    pub(super) fn to_label(&self) -> Result<String, EngineError> {
        serde_json::to_string(self).map_err(|error| EngineError::Refused(error.to_string()))
    }

    /// From the text of a label; `None` where another release wrote it.
    pub(super) fn from_label(label: &str) -> Option<Self> {
        serde_json::from_str(label).ok()
    }
}

/// What the engine itself does not tell of a container.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// Runs after the first.
    pub(super) restarts: u32,
    /// Exit code and end of the run before the present one.
    pub(super) last: Option<(i32, Option<DateTime<Utc>>)>,
    /// Passed its readiness probe, or has none.
    pub(super) ready: bool,
}

/// One group's supervised containers, by their names in the group. Dropping it stops supervision;
/// the containers run on.
#[derive(Default)]
pub(super) struct Supervisor {
    members: BTreeMap<String, Arc<watch::Sender<Progress>>>,
    tasks: JoinSet<()>,
}

impl Supervisor {
    /// Looks after a started container from now on.
    pub(super) fn add(&mut self, api: &bollard::Docker, member: Member) {
        let progress =
            Progress { restarts: 0, last: None, ready: member.supervision.readiness.is_none() };
        let sender = Arc::new(watch::Sender::new(progress));
        self.members.insert(member.name.clone(), Arc::clone(&sender));
        self.tasks.spawn(supervise(api.clone(), member, sender));
    }

    /// What is known of a container.
    pub(super) fn progress(&self, name: &str) -> Option<Progress> {
        self.members.get(name).map(|sender| sender.borrow().clone())
    }

    /// Stops supervision, a restart under way included.
    pub(super) async fn shutdown(&mut self) {
        self.tasks.shutdown().await;
    }
}

/// A container to look after.
pub(super) struct Member {
    /// Name in the group.
    pub(super) name: String,
    /// Name in the engine.
    pub(super) container: String,
    /// The group's holder, in the engine.
    pub(super) holder: String,
    pub(super) supervision: Supervision,
}

async fn supervise(api: bollard::Docker, member: Member, progress: Arc<watch::Sender<Progress>>) {
    let supervision = &member.supervision;
    let mut backoff = Backoff::default();
    loop {
        let state = tokio::select! {
            state = ended(&api, &member.container) => state,
            () = probe::watch(&api, &member, &progress) => return,
        };
        let Some(state) = state else { return };
        let code = exit_code(&state);
        let finished = timestamp(state.finished_at.as_ref());
        progress.send_modify(|progress| {
            progress.last = Some((code, finished));
            progress.ready = false;
        });
        tracing::info!(container = member.name, code, "container ended");
        if !supervision.restart.restarts(code) {
            return;
        }
        if let (Some(from), Some(to)) = (timestamp(state.started_at.as_ref()), finished)
            && to - from >= LONG_RUN
        {
            backoff = Backoff::default();
        }
        loop {
            tokio::time::sleep(backoff.next()).await;
            progress.send_modify(|progress| {
                progress.restarts += 1;
                progress.ready = supervision.readiness.is_none();
            });
            match container::start(&api, &member.container).await {
                Ok(()) => break,
                Err(EngineError::NotFound(_)) => return,
                Err(error) => tracing::warn!(container = member.name, %error, "cannot restart"),
            }
        }
    }
}

impl RestartPolicy {
    /// Whether a container that ended with this code is started again.
    fn restarts(self, code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => code != 0,
            Self::Never => false,
        }
    }
}

/// Growing pauses.
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Backoff {
    /// The next pause.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// Waits until a container does not run, and returns its state; `None` where it is gone.
pub(super) async fn ended(api: &bollard::Docker, name: &str) -> Option<models::ContainerState> {
    loop {
        // Only a hint that it is worth looking: the answer may be lost or come late.
        api.wait_container(name, None::<WaitContainerOptions>).count().await;
        match container::inspect(api, name).await.map_err(|error| fault(error, name)) {
            Ok(inspected) => {
                let state = inspected.state.unwrap_or_default();
                if state.running != Some(true) {
                    return Some(state);
                }
            }
            Err(EngineError::NotFound(_)) => return None,
            Err(error) => tracing::debug!(container = name, %error, "cannot inspect"),
        }
        tokio::time::sleep(RETRY).await;
    }
}
