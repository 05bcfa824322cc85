//! What the program says of itself.

use clap::Args;
use clap_complete::Shell;
use serde_json::json;

use super::{Exit, Output, Result, print};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator completions bash > ~/.local/share/bash-completion/completions/aci-operator
  aci-operator completions zsh > ~/.zfunc/_aci-operator")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator version
  aci-operator version -o json")]
pub(super) struct VersionArgs {}

/// Commit of the sources, where the build was told.
const COMMIT: Option<&str> = option_env!("ACI_OPERATOR_COMMIT");

pub(super) fn completions(args: &CompletionsArgs) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "aci-operator", &mut script);
    print::raw(&script)?;
    Ok(Exit::Done)
}

pub(super) fn version(output: Output) -> Result {
    let version = env!("CARGO_PKG_VERSION");
    let document = json!({"version": version, "commit": COMMIT});
    match output {
        Output::Json => print::json(&document)?,
        Output::Yaml => print::yaml(&document)?,
        Output::Table | Output::Wide | Output::Name => {
            let commit = COMMIT.map_or_else(String::new, |commit| format!(" ({commit})"));
            print::line(&format!("aci-operator {version}{commit}"))?;
        }
    }
    Ok(Exit::Done)
}
