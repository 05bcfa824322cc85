//! The command line: the clap tree and everything that is printed.
//!
//! A contract for scripts: results go to standard output, all else to standard error; the exit code
//! is 0 for done, 1 for not reached (or, of `diff`, for changes), 2 for a wrong call or an error.

use std::process::ExitCode;

use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::app;

mod apply;
mod ca;
mod container;
mod describe;
mod fault;
mod get;
mod home;
mod human;
mod install;
mod local;
mod log;
mod manifests;
mod meta;
mod name;
mod print;
mod progress;
mod push;
mod quote;
mod run;
mod secret;
mod table;
mod terminal;
mod token;
mod verbs;
mod wait;

use print::{Failure, Screen};

/// Runs what the process's arguments say.
pub fn main() -> ExitCode {
    run::main(&Cli::parse())
}

/// The whole tree, for completions and documentation.
pub fn command() -> clap::Command {
    Cli::command()
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  not reached: not Ready in time, Stalled, an invalid manifest; for `diff`: there are changes
  2  wrong usage, or an error

Environment:
  ACI_OPERATOR_HOME   the home, as --home
  ACI_OPERATOR_CLOUD  the cloud, as --cloud
  NO_COLOR            no colour, whatever the terminal
  RUST_LOG            filter of the log, as of tracing's EnvFilter
  AZURE_…             credentials and subscription, as Azure's SDKs name them";

/// HTTPS on Azure Container Instances that keeps itself true.
///
/// One manifest gives a container group behind an nginx TLS sidecar. The operator makes the group,
/// signs its certificate, rotates it without dropping a request, follows the public IP, and says
/// what it does and why.
#[derive(Debug, Parser)]
#[command(
    name = "aci-operator",
    version = meta::VERSION,
    after_help = "Start here: scripts/quickstart, or aci-operator local up && aci-operator validate -f DIR",
    after_long_help = EXIT_CODES,
    disable_help_subcommand = true,
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Where state, keys and events are kept: a directory, the URL of a blob container, or a cluster
    /// (`kubernetes://NAMESPACE`) [default: $XDG_STATE_HOME/aci-operator]
    #[arg(
        long,
        global = true,
        value_name = "HOME",
        env = "ACI_OPERATOR_HOME",
        hide_env_values = true
    )]
    home: Option<app::Location>,
    /// In a cluster, the namespace of the objects [default: kubectl's; of lists, all]
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Which Azure; a home is pinned to the first one used [default: the home's, else public]
    #[arg(long, global = true, value_enum, env = "ACI_OPERATOR_CLOUD", hide_env_values = true)]
    cloud: Option<app::CloudName>,
    /// How results are printed
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", default_value = "table")]
    output: Output,
    /// How the log is printed
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// Log more; twice: everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Results and errors only
    #[arg(short, long, global = true)]
    quiet: bool,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Output {
    /// Columns for people
    Table,
    /// More columns
    Wide,
    /// The manifest with its status, as JSON
    Json,
    /// The same as YAML
    Yaml,
    /// KIND/NAME, one a line
    Name,
}

/// How the log is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Local Azure: ARM, Entra ID and real containers on this machine
    #[command(subcommand)]
    Local(local::Command),
    /// The daemon: keeps a directory of manifests true until it is stopped
    Run(run::RunArgs),
    /// Reconciles manifests in the foreground, until each is Ready or Stalled
    Apply(apply::ApplyArgs),
    /// Puts manifests where the daemon of a home in Azure or in a cluster reads them
    Push(push::PushArgs),
    /// Shows objects with their state
    Get(get::GetArgs),
    /// Shows all that is known of one object
    Describe(describe::DescribeArgs),
    /// Shows what happened
    Events(describe::EventsArgs),
    /// Waits for a condition of an object
    Wait(wait::WaitArgs),
    /// Shows what applying manifests would change, and what it would cost
    Diff(manifests::DiffArgs),
    /// Checks manifests without asking anybody
    Validate(manifests::ValidateArgs),
    /// Prints the YAML that `az container create --file` takes
    Render(manifests::RenderArgs),
    /// Prints the output of a container
    Logs(container::LogsArgs),
    /// Runs a command in a container
    Exec(container::ExecArgs),
    /// Prints an access token for a protected API
    Token(token::TokenArgs),
    /// Opens the Swagger page of a container group
    Open(token::OpenArgs),
    /// Rotates the certificate now
    Renew(verbs::RenewArgs),
    /// Stops all writes for an object
    Suspend(verbs::SuspendArgs),
    /// Lifts a suspension
    Resume(verbs::ResumeArgs),
    /// Looks at an object now
    Reconcile(verbs::ReconcileArgs),
    /// Lets one change through that `spec.updatePolicy` holds back
    Approve(verbs::ApproveArgs),
    /// Deletes what was made for an object whose manifest is gone
    Delete(verbs::DeleteArgs),
    /// Secret values that manifests name
    #[command(subcommand)]
    Secret(secret::Command),
    /// The root certificates of issuers
    #[command(subcommand)]
    Ca(ca::Command),
    /// An operator that runs in Azure
    #[command(subcommand)]
    Install(install::Command),
    /// Takes an operator in Azure back
    #[command(subcommand)]
    Uninstall(install::Uninstall),
    /// Another release of an operator in Azure
    #[command(subcommand)]
    Upgrade(install::Upgrade),
    /// Prints the kinds as Kubernetes' custom resource definitions
    Crds(meta::CrdsArgs),
    /// Moves a home
    #[command(subcommand)]
    Home(home::Command),
    /// Prints a completion script
    Completions(meta::CompletionsArgs),
    /// Prints the version
    Version(meta::VersionArgs),
}

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Exit {
    /// Done.
    Done,
    /// Not reached, or, of `diff`, changes.
    NotReached,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::NotReached => Self::from(1),
        }
    }
}

type Result<T = Exit, E = Failure> = std::result::Result<T, E>;

/// What a command works with.
struct Session {
    app: app::App,
    screen: Screen,
    output: Output,
}
