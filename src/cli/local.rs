//! Local Azure.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;

use super::fault::FaultCommand;
use super::print::{self, Failure, plain};
use super::{Exit, Output, Result, Session, progress, quote, run};
use crate::app::local::{Engine, Status};

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(super) enum Command {
    /// Starts it in the background, and returns when it is ready
    #[command(after_help = "\
Examples:
  aci-operator local up
  aci-operator local up --engine none

It listens on loopback only. A new home is pinned to it: --cloud local is then not needed.")]
    Up(EngineArgs),
    /// Stops it; its containers and its state stay
    #[command(after_help = "\
Examples:
  aci-operator local down")]
    Down,
    /// Shows where it listens and what it has
    #[command(after_help = "\
Examples:
  aci-operator local status
  aci-operator local status -o json")]
    Status,
    /// Prints variables for aci-operator, az, Azure's SDKs and curl
    #[command(after_help = "\
Examples:
  eval \"$(aci-operator local env)\" && az container list
  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n local-azure -i \"$ACI_OPERATOR_LOCAL_CA\"

The credential of the local tenant is among them. Chromium and Chrome trust what is in the NSS store.")]
    Env,
    /// Prints its log
    #[command(after_help = "\
Examples:
  aci-operator local logs
  aci-operator local logs -f")]
    Logs {
        /// Go on with what comes
        #[arg(short, long)]
        follow: bool,
    },
    /// Removes all groups, containers and faults that it made, and nothing else
    #[command(after_help = "\
Examples:
  aci-operator local reset")]
    Reset,
    /// Shows what each principal asked of Resource Manager and blobs, and what it was refused
    #[command(after_help = "\
Examples:
  aci-operator local access
  aci-operator local access -o json")]
    Access,
    /// Injects what goes wrong in a cloud
    #[command(subcommand)]
    Fault(FaultCommand),
    /// Is local Azure, in the foreground
    #[command(hide = true)]
    Serve(EngineArgs),
}

#[derive(Args, Debug)]
pub(super) struct EngineArgs {
    /// Where containers run
    #[arg(long, value_enum, default_value = "auto")]
    engine: Engine,
}

/// How often `local logs -f` looks.
const GLANCE: Duration = Duration::from_millis(300);

impl Session {
    pub(super) async fn local(&self, command: &Command) -> Result {
        match command {
            Command::Up(args) => return self.local_up(args.engine).await,
            Command::Down => {
                let stopped = self.app.local_down().await?;
                self.screen.note(if stopped {
                    "local Azure stopped"
                } else {
                    "local Azure did not run"
                });
            }
            Command::Status => self.print_status(&self.app.local_status().await?)?,
            Command::Env => {
                for (name, value) in self.app.local_environment()? {
                    print::line(&format!("export {name}={}", quote::shell(&value)))?;
                }
            }
            Command::Logs { follow } => self.local_logs(*follow).await?,
            Command::Reset => {
                self.app.local_reset().await?;
                self.screen.note("local Azure is empty");
            }
            Command::Access => self.print_access().await?,
            Command::Fault(command) => self.fault(command).await?,
            Command::Serve(args) => {
                let stop = CancellationToken::new();
                return run::stoppable(&stop, self.app.local_serve(args.engine, stop.clone()))
                    .await;
            }
        }
        Ok(Exit::Done)
    }

    async fn local_up(&self, engine: Engine) -> Result {
        let bar = self.screen.draws().then(|| progress::spinner("starting local Azure"));
        let status = self.app.local_up(engine, &mut || {}).await;
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let status = status?;
        if let Output::Json | Output::Yaml = self.output {
            self.print_status(&status)?;
            return Ok(Exit::Done);
        }
        let Status { resource_manager, engine, .. } = &status;
        self.screen.note(&format!("local Azure is ready: {resource_manager} (engine: {engine})"));
        Ok(Exit::Done)
    }

    fn print_status(&self, status: &Status) -> Result<()> {
        if let Output::Json | Output::Yaml = self.output {
            return self.print_document(&json!(status));
        }
        let requests: Vec<_> = status
            .requests
            .iter()
            .map(|(operation, count)| format!("{operation} {count}"))
            .collect();
        let lines = [
            ("Resource manager", status.resource_manager.clone()),
            ("Authority", status.authority.clone()),
            ("Graph", status.graph.clone()),
            ("Blobs", status.blob.clone()),
            ("CA", status.ca.display().to_string()),
            ("Engine", status.engine.clone()),
            ("Process", status.pid.to_string()),
            ("Groups", status.groups.join(", ")),
            ("Requests", requests.join(", ")),
            ("Faults", status.faults.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")),
        ];
        for (name, value) in lines {
            let value = if value.is_empty() { "(none)".to_owned() } else { plain(&value) };
            print::line(&format!("{:<18}{value}", format!("{name}:")))?;
        }
        Ok(())
    }

    async fn print_access(&self) -> Result<()> {
        let accesses = self.app.local_access().await?;
        if let Output::Json | Output::Yaml = self.output {
            return self.print_document(&json!(accesses));
        }
        for access in accesses {
            print::line(&format!("{} ({})", plain(&access.name), access.principal))?;
            for (word, actions) in [("allowed", &access.allowed), ("refused", &access.refused)] {
                for (action, count) in actions {
                    print::line(&format!("  {word} {count:>6}  {}", plain(action)))?;
                }
            }
        }
        Ok(())
    }

    async fn local_logs(&self, follow: bool) -> Result<()> {
        let path = self.app.local_log();
        let opened = tokio::fs::File::open(&path).await;
        let mut log = opened.map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
        loop {
            let mut piece = Vec::new();
            log.read_to_end(&mut piece).await?;
            print::raw(&piece)?;
            if !follow {
                return Ok(());
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}
