//! What the program says of itself.

use std::io;

use clap::Args;
use clap_complete::Shell;
use serde_json::json;

use super::{Exit, Output, Result, print};
use crate::api::crd;

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
  aci-operator crds | kubectl apply --server-side -f -
  aci-operator crds -o json")]
pub(super) struct CrdsArgs {}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator version
  aci-operator version -o json")]
pub(super) struct VersionArgs {}

/// The version, with the commit where it is known: see `build.rs`.
pub(super) const VERSION: &str = env!("ACI_OPERATOR_VERSION");
/// Commit of the sources, where it is known.
const COMMIT: Option<&str> = option_env!("ACI_OPERATOR_COMMIT");

pub(super) fn completions(args: &CompletionsArgs) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "aci-operator", &mut script);
    print::raw(&script)?;
    Ok(Exit::Done)
}

/// Documents of one YAML stream, or one JSON list, which both `kubectl apply -f -` reads.
pub(super) fn crds(output: Output) -> Result {
    let definitions = crd::all().map_err(io::Error::from)?;
    if output == Output::Json {
        print::json(&json!({"apiVersion": "v1", "kind": "List", "items": definitions}))?;
        return Ok(Exit::Done);
    }
    for definition in &definitions {
        print::line("---")?;
        print::yaml(definition)?;
    }
    Ok(Exit::Done)
}

pub(super) fn version(output: Output) -> Result {
    let document = json!({"version": env!("CARGO_PKG_VERSION"), "commit": COMMIT});
    match output {
        Output::Json => print::json(&document)?,
        Output::Yaml => print::yaml(&document)?,
        Output::Table | Output::Wide | Output::Name => {
            print::line(&format!("aci-operator {VERSION}"))?;
        }
    }
    Ok(Exit::Done)
}
