//! The process: logging, the runtime, signals; and the daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::print::{Failure, Screen};
use super::{Cli, Command, Exit, Result, Session, log, meta};
use crate::{app, tls};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator run -f manifests/samples
  aci-operator run -f /etc/aci-operator --prune --listen 127.0.0.1:9090 --log-format json

It serves /readyz, /healthz and /metrics, and stops on SIGTERM or SIGINT, after the write that is
under way. A manifest that is removed deletes nothing, unless --prune is given.")]
pub(super) struct RunArgs {
    /// Directory of manifests, with all below it; a home in Azure or in a cluster has its own
    #[arg(short = 'f', long = "filename", value_name = "DIR")]
    manifests: Option<PathBuf>,
    /// Delete what was made for a manifest that is removed
    #[arg(long)]
    prune: bool,
    /// Where readiness and metrics are served
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
    /// In a cluster: look after this namespace alone; may be given more than once
    #[arg(long = "watch-namespace", value_name = "NAMESPACE")]
    namespaces: Vec<String>,
    /// In a cluster: so many replicas share the namespaces, any further ones stand by
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    shards: u32,
}

/// Runs a parsed command line.
pub(super) fn main(cli: &Cli) -> ExitCode {
    let screen = Screen::new(cli.global.quiet);
    match start(cli, screen) {
        Ok(exit) => exit.into(),
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            screen.failure(&failure);
            ExitCode::from(2)
        }
    }
}

fn start(cli: &Cli, screen: Screen) -> Result {
    log::start(&cli.global, cli.command.is_server())?;
    tls::install_provider();
    match &cli.command {
        Command::Completions(args) => return meta::completions(args),
        Command::Crds(_) => return meta::crds(cli.global.output),
        Command::Version(_) => return meta::version(cli.global.output),
        _ => {}
    }
    let app =
        app::App::new(cli.global.home.clone(), cli.global.cloud, cli.global.namespace.clone())?;
    let session = Session { app, screen, output: cli.global.output };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(session.dispatch(&cli.command));
    // A read of standard input cannot be cut short: it must not keep the process.
    runtime.shutdown_background();
    ended
}

impl Command {
    /// Whether it runs until it is stopped, and logs what it does.
    fn is_server(&self) -> bool {
        matches!(self, Self::Run(_) | Self::Local(super::local::Command::Serve(_)))
    }
}

impl Session {
    async fn dispatch(&self, command: &Command) -> Result {
        match command {
            Command::Local(command) => self.local(command).await,
            Command::Run(args) => self.run(args).await,
            Command::Apply(args) => self.apply(args).await,
            Command::Push(args) => self.push(args).await,
            Command::Get(args) => self.get(args).await,
            Command::Describe(args) => self.describe(args).await,
            Command::Events(args) => self.events(args).await,
            Command::Wait(args) => self.wait(args).await,
            Command::Diff(args) => self.diff(args).await,
            Command::Validate(args) => self.validate(args),
            Command::Render(args) => self.render(args).await,
            Command::Logs(args) => self.logs(args).await,
            Command::Exec(args) => self.exec(args).await,
            Command::Renew(args) => self.renew(args).await,
            Command::Suspend(args) => self.suspend(args).await,
            Command::Resume(args) => self.resume(args).await,
            Command::Reconcile(args) => self.reconcile(args).await,
            Command::Approve(args) => self.approve(args).await,
            Command::Delete(args) => self.delete(args).await,
            Command::Secret(command) => self.secret(command).await,
            Command::Token(args) => self.token(args).await,
            Command::Open(args) => self.open(args).await,
            Command::Ca(command) => self.ca(command).await,
            Command::Home(command) => self.home(command).await,
            Command::Install(command) => self.install(command).await,
            Command::Uninstall(command) => self.uninstall(command).await,
            Command::Upgrade(command) => self.upgrade(command).await,
            // Answered before there is a session.
            Command::Completions(_) | Command::Crds(_) | Command::Version(_) => Ok(Exit::Done),
        }
    }

    async fn run(&self, args: &RunArgs) -> Result {
        let daemon = app::daemon::Daemon {
            manifests: args.manifests.clone(),
            prune: args.prune,
            listen: args.listen.clone(),
            share: app::daemon::Share { namespaces: args.namespaces.clone(), shards: args.shards },
        };
        let stop = CancellationToken::new();
        stoppable(&stop, self.app.run(&daemon, stop.clone())).await
    }
}

/// Runs a server to its end, which SIGTERM or SIGINT asks for.
pub(super) async fn stoppable(
    stop: &CancellationToken,
    server: impl Future<Output = app::Result<()>>,
) -> Result {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut server = std::pin::pin!(server);
    tokio::select! {
        ended = &mut server => return Ok(ended.map(|()| Exit::Done)?),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.cancel();
    server.await.map_err(Failure::from)?;
    Ok(Exit::Done)
}
