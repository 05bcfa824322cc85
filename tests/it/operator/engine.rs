//! Containers in memory: what runs, since when, and which pair each sidecar serves.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use aci_operator::core::Secret;
use aci_operator::core::certificate::Pair;
use aci_operator::core::install::TRIAL_COMMAND;
use aci_operator::core::sidecar;
use aci_operator::emulator::engine::{
    ContainerRun, ContainerState, GroupRun, RestartPolicy, VolumeRun,
};
use aci_operator::emulator::model::{Problem, Work};

/// All groups that run.
pub(crate) struct Engine {
    runs: BTreeMap<String, Run>,
    /// Whether handshakes from the operator's place succeed.
    pub(crate) reachable: bool,
    /// How sidecars answer over exec.
    pub(crate) exec: Exec,
    /// Starts fail: no image can be pulled.
    pub(crate) no_images: bool,
}

/// How a sidecar answers over exec.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exec {
    Works,
    /// The image lacks a tool.
    Missing(&'static str),
    /// An nginx that loses requests when it reloads.
    Lossy,
    /// nginx accepts no pair.
    Refuses,
}

/// One group that runs.
pub(crate) struct Run {
    pub(crate) states: BTreeMap<String, ContainerState>,
    pub(crate) ip: Option<IpAddr>,
    /// The pair on the secret volume.
    volume: Option<Pair>,
    /// The pair that nginx serves, on the emptyDir.
    pub(crate) live: Option<Pair>,
    /// The origins that the containers were told, on the other emptyDir.
    pub(crate) origins: Option<String>,
    restart: RestartPolicy,
}

type Report = Result<BTreeMap<String, ContainerState>, Problem>;

impl Default for Engine {
    fn default() -> Self {
        let exec = Exec::Works;
        Self { runs: BTreeMap::new(), reachable: true, exec, no_images: false }
    }
}

impl Engine {
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    pub(crate) fn run(&self, key: &str) -> Option<&Run> {
        self.runs.get(key)
    }

    pub(crate) fn run_mut(&mut self, key: &str) -> Option<&mut Run> {
        self.runs.get_mut(key)
    }

    /// Does one piece of work; what is to be reported, of which operation of which group.
    pub(crate) fn perform(
        &mut self,
        work: Work,
        now: DateTime<Utc>,
    ) -> Option<(String, String, Report)> {
        match work {
            Work::Start { group, operation, .. } if self.no_images => {
                self.runs.remove(&group);
                let (code, message) = ("InaccessibleImage".to_owned(), "no such image".to_owned());
                Some((group, operation, Err(Problem { code, message })))
            }
            Work::Start { group, operation, run } => {
                let run = Run::start(&run, now);
                let states = run.states.clone();
                self.runs.insert(group.clone(), run);
                Some((group, operation, Ok(states)))
            }
            Work::Remove { group, operation } => {
                self.runs.remove(&group);
                Some((group, operation, Ok(BTreeMap::new())))
            }
            Work::Publish { group, ip } => {
                self.run_mut(&group)?.ip = Some(IpAddr::V4(ip));
                None
            }
            Work::Kill { group, container } => {
                self.run_mut(&group)?.end(&container, 137, now);
                None
            }
        }
    }
}

impl Run {
    /// The containers anew: an emptyDir is empty, the secret volume's pair is served.
    fn start(run: &GroupRun, now: DateTime<Utc>) -> Self {
        let volume = run.volumes.get(sidecar::VOLUME).and_then(pair);
        let state = ContainerState {
            running: true,
            started_at: Some(now),
            finished_at: None,
            exit_code: None,
            restart_count: 0,
            ready: true,
        };
        let started = |container: &ContainerRun| {
            let mut state = state.clone();
            if container.command == TRIAL_COMMAND {
                (state.running, state.finished_at, state.exit_code) = (false, Some(now), Some(0));
            }
            (container.name.clone(), state)
        };
        Self {
            states: run.containers.iter().map(started).collect(),
            ip: run.ip,
            live: volume.clone(),
            origins: None,
            volume,
            restart: run.restart,
        }
    }

    /// A container's main process ends; the restart policy decides what follows. The sidecar then
    /// serves the newer one of the pairs on its volumes, as its start script does.
    pub(crate) fn end(&mut self, container: &str, code: i32, now: DateTime<Utc>) {
        let Some(state) = self.states.get_mut(container) else { return };
        (state.finished_at, state.exit_code) = (Some(now), Some(code));
        state.running = match self.restart {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => code != 0,
            RestartPolicy::Never => false,
        };
        if state.running {
            state.started_at = Some(now);
            state.restart_count += 1;
        }
        if container == sidecar::CONTAINER {
            let newest = |pair: &Pair| pair.generation;
            self.live = self.volume.clone().into_iter().chain(self.live.take()).max_by_key(newest);
        }
    }

    /// Start of the sidecar's present run.
    pub(crate) fn sidecar_start(&self) -> Option<DateTime<Utc>> {
        self.states.get(sidecar::CONTAINER).filter(|state| state.running)?.started_at
    }

    /// The chain that a handshake sees.
    pub(crate) fn served(&self) -> Option<Vec<Vec<u8>>> {
        let pair = self.live.as_ref().filter(|_| self.sidecar_start().is_some())?;
        let chain = CertificateDer::pem_slice_iter(pair.chain_pem.as_bytes());
        Some(chain.map(|der| der.unwrap().to_vec()).collect())
    }
}

fn pair(volume: &VolumeRun) -> Option<Pair> {
    let VolumeRun::Secret(files) = volume else { return None };
    let text = |name: &str| String::from_utf8(files.get(name)?.clone()).ok();
    Some(Pair {
        chain_pem: text("tls.crt")?,
        key_pem: Secret::new(text("tls.key")?),
        generation: text("generation")?.parse().ok()?,
    })
}
