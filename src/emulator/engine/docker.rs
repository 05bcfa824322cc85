//! Container groups as real containers, through the Docker API of Docker or Podman.
//!
//! A group is a *holder* container that owns the network namespace, publishes the ports on
//! loopback and keeps the memory behind the volumes mounted, and its containers, which join that
//! namespace. Everything carries the state directory's id as a label.
//!
//! Limits, told rather than hidden: the engines' default bridge connects all groups of a machine,
//! as no network of ACI does; environment variables, secure ones too, can be read by whoever may
//! inspect containers; the pages of a memory-backed volume may be swapped out.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use async_trait::async_trait;
use bollard::models::{ContainerInspectResponse, ContainerSummary, VolumeCreateRequest};
use bollard::query_parameters::{
    KillContainerOptions, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
    ListVolumesOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveImageOptions, RemoveVolumeOptions, ResizeExecOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use futures::TryStreamExt as _;
use tokio::sync::Mutex;

use super::{
    ContainerRun, ContainerState, Door, Endpoints, Engine, EngineError, ExecStream, GroupRun,
    Inside, MountRun, ProbeAction, ProbeRun, RegistryCredential, RestartPolicy, TerminalSize,
    VolumeRun,
};
use answer::{fault, fault_of_container, gone, missing, settled};
use inside::Premises;
use name::{CONTAINER, GROUP, Names, SUPERVISION, carries, filter};
use supervisor::{Backoff, Member, Supervision, Supervisor};

mod answer;
mod connection;
mod container;
mod holder;
mod image;
mod inside;
mod loopback;
mod name;
mod probe;
mod supervisor;
mod tar;
mod terminal;

/// Runs of an init container that fails, before the group's start has failed.
const INIT_RUNS: u32 = 5;

/// An engine that speaks the Docker API on a Unix socket.
pub struct Docker {
    api: bollard::Docker,
    socket: PathBuf,
    names: Names,
    /// By group key.
    groups: Mutex<HashMap<String, Supervisor>>,
    premises: Premises,
}

impl Docker {
    /// Finds an engine and takes over the groups that run in it for the state directory `id`.
    ///
    /// With `socket` (a path, or `unix://` and a path) only there; else `DOCKER_HOST` if it is set,
    /// else Docker's socket, Podman's, and the user's own of Podman, whichever answers first. Other
    /// schemes than `unix://` are refused: the ports of a remote engine are not published here.
    ///
    /// # Errors
    /// `Unreachable` where no engine answers, naming what was tried; `Refused` for an `id` other
    /// than 1 to 64 of `A-Z a-z 0-9 - _ .`.
    pub async fn connect(id: &str, socket: Option<&str>) -> Result<Self, EngineError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !(1..=64).contains(&id.len()) || !id.chars().all(allowed) {
            return Err(EngineError::Refused(format!("{id:?} cannot be a label")));
        }
        let (api, socket) = connection::find(socket).await?;
        let (names, groups, premises) = (Names::new(id), Mutex::default(), Premises::default());
        let engine = Self { api, socket, names, groups, premises };
        engine.take_over().await?;
        Ok(engine)
    }

    /// Supervises what an earlier process of the same state directory started.
    async fn take_over(&self) -> Result<(), EngineError> {
        let mut groups = self.groups.lock().await;
        for found in self.containers(&self.names.labels()).await? {
            let labels = found.labels.unwrap_or_default();
            let label = |key| labels.get(key).map(String::as_str);
            if let (Some(group), Some(name), Some(supervision)) =
                (label(GROUP), label(CONTAINER), label(SUPERVISION))
                && let Some(supervision) = Supervision::from_label(supervision)
                && self.inspect_holder(group).await.is_ok()
            {
                let member = self.member(group, name, supervision);
                groups.entry(group.to_owned()).or_default().add(&self.api, member);
            }
        }
        Ok(())
    }

    fn member(&self, group: &str, name: &str, supervision: Supervision) -> Member {
        Member {
            name: name.to_owned(),
            container: self.names.container(group, name),
            holder: self.names.holder(group),
            supervision,
        }
    }

    /// All containers with these labels, running or not.
    async fn containers(
        &self,
        labels: &HashMap<String, String>,
    ) -> Result<Vec<ContainerSummary>, EngineError> {
        let options =
            ListContainersOptionsBuilder::default().all(true).filters(&filter(labels)).build();
        let mut found = settled(|| self.api.list_containers(Some(options.clone())))
            .await
            .map_err(|error| fault(error, "containers"))?;
        found.retain(|found| found.labels.as_ref().is_some_and(|found| carries(found, labels)));
        Ok(found)
    }

    /// The holder of a group that runs.
    async fn inspect_holder(&self, group: &str) -> Result<ContainerInspectResponse, EngineError> {
        let what = format!("running group `{group}`");
        let holder = container::inspect(&self.api, &self.names.holder(group))
            .await
            .map_err(|error| fault(error, &what))?;
        match holder.state.as_ref().and_then(|state| state.running) {
            Some(true) => Ok(holder),
            _ => Err(EngineError::NotFound(what)),
        }
    }

    /// Removes containers, then volumes, with these labels.
    async fn remove_labelled(&self, labels: &HashMap<String, String>) -> Result<(), EngineError> {
        // Whatever is in a holder's namespace goes before the holder.
        let (members, holders): (Vec<_>, Vec<_>) =
            self.containers(labels).await?.into_iter().partition(|found| {
                found.labels.as_ref().is_some_and(|l| l.contains_key(CONTAINER))
            });
        for id in members.into_iter().chain(holders).filter_map(|found| found.id) {
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            gone(self.api.remove_container(&id, Some(options)).await, &id)?;
        }
        let options = ListVolumesOptionsBuilder::default().filters(&filter(labels)).build();
        let listed = self.api.list_volumes(Some(options)).await;
        let volumes = listed.map_err(|error| fault(error, "volumes"))?.volumes;
        for volume in volumes.into_iter().flatten().filter(|found| carries(&found.labels, labels)) {
            let options = None::<RemoveVolumeOptions>;
            gone(self.api.remove_volume(&volume.name, options).await, &volume.name)?;
        }
        Ok(())
    }

    /// The holder, started, with the group's volumes filled.
    async fn start_holder(&self, group: &str, run: &GroupRun) -> Result<(), EngineError> {
        let image = holder::ensure_image(&self.api, &self.names).await?;
        for (name, kind) in &run.volumes {
            self.create_volume(group, name, kind).await?;
        }
        let holder = self.names.holder(group);
        let body = container::holder(&self.names, group, run, image);
        container::create(&self.api, &holder, body).await?;
        container::start(&self.api, &holder).await?;
        self.open_doors(group).await?;
        for (index, kind) in run.volumes.values().enumerate() {
            if let VolumeRun::Secret(files) = kind {
                let files = files.iter().map(|(name, bytes)| (name.as_str(), 0o644, &bytes[..]));
                let path = container::volume_path(index);
                let options = UploadToContainerOptionsBuilder::default().path(&path).build();
                let archive = bollard::body_full(tar::archive(files)?.into());
                self.api
                    .upload_to_container(&holder, Some(options), archive)
                    .await
                    .map_err(|error| fault(error, &holder))?;
            }
        }
        Ok(())
    }

    async fn open_doors(&self, group: &str) -> Result<(), EngineError> {
        let pid = self.inspect_holder(group).await?.state.and_then(|state| state.pid);
        if let Some(pid) = pid {
            self.premises.open(group, pid).await;
        }
        Ok(())
    }

    /// A volume in memory. It is mounted by the holder first, so it lives as long as that.
    async fn create_volume(
        &self,
        group: &str,
        name: &str,
        kind: &VolumeRun,
    ) -> Result<(), EngineError> {
        let mode = match kind {
            VolumeRun::EmptyDir => "mode=0777",
            VolumeRun::Secret(_) => "mode=0755",
        };
        let options = [("type", "tmpfs"), ("device", "tmpfs"), ("o", mode)];
        let request = VolumeCreateRequest {
            name: Some(self.names.volume(group, name)),
            driver: Some("local".to_owned()),
            driver_opts: Some(options.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
            labels: Some(self.names.group_labels(group)),
            ..VolumeCreateRequest::default()
        };
        self.api.create_volume(request).await.map_err(|error| fault(error, name))?;
        Ok(())
    }

    /// Makes one container of the group, not started yet, and returns its engine name.
    async fn create_member(
        &self,
        group: &str,
        run: &GroupRun,
        container: &ContainerRun,
        supervision: Option<&Supervision>,
    ) -> Result<String, EngineError> {
        let image = image::ensure(&self.api, &container.image, &run.registries).await?;
        let names = &self.names;
        let mut container = container.clone();
        self.premises.trust(&mut container, &image);
        let body =
            container::member(names, group, &run.volumes, &container, image.id, supervision)?;
        let name = names.container(group, &container.name);
        container::create(&self.api, &name, body).await?;
        Ok(name)
    }

    /// Runs an init container until it succeeds, or has failed as often as the policy allows.
    async fn run_init(
        &self,
        group: &str,
        run: &GroupRun,
        init: &ContainerRun,
    ) -> Result<(), EngineError> {
        let name = self.create_member(group, run, init, None).await?;
        let runs = if run.restart == RestartPolicy::Never { 1 } else { INIT_RUNS };
        let mut backoff = Backoff::default();
        let mut code = 0;
        for attempt in 1..=runs {
            container::start(&self.api, &name).await?;
            let ended = supervisor::ended(&self.api, &name).await;
            let state = ended.ok_or_else(|| missing(&init.name))?;
            code = container::exit_code(&state);
            if code == 0 {
                return Ok(());
            }
            if attempt < runs {
                tokio::time::sleep(backoff.next()).await;
            }
        }
        let name = &init.name;
        Err(EngineError::Refused(format!("init container `{name}` ended with exit code {code}")))
    }
}

#[async_trait]
impl Engine for Docker {
    async fn offer(&self, inside: Inside) -> Result<(), EngineError> {
        self.premises.offer(inside);
        for found in self.containers(&self.names.labels()).await? {
            let labels = found.labels.unwrap_or_default();
            if let (Some(group), None) = (labels.get(GROUP), labels.get(CONTAINER)) {
                match self.open_doors(group).await {
                    Ok(()) | Err(EngineError::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// What a failed or cancelled start has made stays, with its logs, until `remove` or the next
    /// `start`.
    async fn start(&self, group: &str, run: &GroupRun) -> Result<Endpoints, EngineError> {
        self.remove(group).await?;
        let run = &self.premises.furnish(run);
        self.start_holder(group, run).await?;
        for init in &run.init_containers {
            self.run_init(group, run, init).await?;
        }
        // All are made before the first starts, so that a missing image starts nothing.
        let mut made = Vec::new();
        for container in &run.containers {
            let supervision = Supervision {
                restart: run.restart,
                liveness: container.liveness.clone(),
                readiness: container.readiness.clone(),
            };
            self.create_member(group, run, container, Some(&supervision)).await?;
            made.push(self.member(group, &container.name, supervision));
        }
        for member in made {
            container::start(&self.api, &member.container).await?;
            let mut groups = self.groups.lock().await;
            groups.entry(group.to_owned()).or_default().add(&self.api, member);
        }
        tracing::info!(group, ip = ?run.ip, "container group started");
        self.endpoints(group).await
    }

    async fn remove(&self, group: &str) -> Result<(), EngineError> {
        self.premises.close(group);
        let supervisor = self.groups.lock().await.remove(group);
        if let Some(mut supervisor) = supervisor {
            supervisor.shutdown().await;
        }
        self.remove_labelled(&self.names.group_labels(group)).await
    }

    async fn inspect(&self, group: &str) -> Result<BTreeMap<String, ContainerState>, EngineError> {
        let mut states = BTreeMap::new();
        for found in self.containers(&self.names.group_labels(group)).await? {
            let Some(name) = found.labels.and_then(|mut l| l.remove(CONTAINER)) else { continue };
            let inspected = container::inspect(&self.api, &self.names.container(group, &name))
                .await
                .map_err(|error| fault_of_container(error, &name))?;
            let state = inspected.state.unwrap_or_default();
            let groups = self.groups.lock().await;
            let progress = groups.get(group).and_then(|supervisor| supervisor.progress(&name));
            states.insert(name, container::state(&state, progress));
        }
        Ok(states)
    }

    async fn endpoints(&self, group: &str) -> Result<Endpoints, EngineError> {
        let settings = self.inspect_holder(group).await?.network_settings;
        Ok(container::endpoints(settings.and_then(|s| s.ports).unwrap_or_default()))
    }

    async fn logs(
        &self,
        group: &str,
        container: &str,
        tail: Option<usize>,
        timestamps: bool,
    ) -> Result<String, EngineError> {
        let tail = tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .tail(&tail)
            .timestamps(timestamps)
            .build();
        let parts: Vec<_> = self
            .api
            .logs(&self.names.container(group, container), Some(options))
            .map_ok(bollard::container::LogOutput::into_bytes)
            .try_collect()
            .await
            .map_err(|error| fault_of_container(error, container))?;
        Ok(String::from_utf8_lossy(&parts.concat()).into_owned())
    }

    async fn exec(
        &self,
        group: &str,
        container: &str,
        command: &str,
        size: TerminalSize,
    ) -> Result<Box<dyn ExecStream>, EngineError> {
        let options = bollard::exec::CreateExecOptions {
            cmd: Some(vec![command]),
            tty: Some(true),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..bollard::exec::CreateExecOptions::default()
        };
        let name = self.names.container(group, container);
        let created = self.api.create_exec(&name, options).await;
        let id = created.map_err(|error| fault_of_container(error, container))?.id;
        let version = self.api.client_version().to_string();
        let stream = terminal::open(&self.socket, &version, &id).await?;
        let size =
            ResizeExecOptionsBuilder::default().h(size.rows.into()).w(size.cols.into()).build();
        if let Err(error) = self.api.resize_exec(&id, size).await {
            // It may have ended already; the session's output tells.
            tracing::debug!(command, %error, "cannot set the terminal's size");
        }
        Ok(Box::new(stream))
    }

    async fn kill(&self, group: &str, container: &str) -> Result<(), EngineError> {
        self.api
            .kill_container(&self.names.container(group, container), None::<KillContainerOptions>)
            .await
            .map_err(|error| fault_of_container(error, container))
    }

    async fn reset(&self) -> Result<(), EngineError> {
        self.premises.close_all();
        let supervisors: Vec<_> = self.groups.lock().await.drain().collect();
        for (_, mut supervisor) in supervisors {
            supervisor.shutdown().await;
        }
        let labels = self.names.labels();
        self.remove_labelled(&labels).await?;
        let options = ListImagesOptionsBuilder::default().filters(&filter(&labels)).build();
        let images = self.api.list_images(Some(options)).await;
        let images = images.map_err(|error| fault(error, "images"))?;
        for image in images.into_iter().filter(|found| carries(&found.labels, &labels)) {
            let removed = self.api.remove_image(&image.id, None::<RemoveImageOptions>, None).await;
            gone(removed.map(|_| ()), &image.id)?;
        }
        Ok(())
    }
}
