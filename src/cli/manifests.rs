//! Manifests before they act.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::get::short;
use super::print::{self, Colour, Failure, plain};
use super::{Exit, Output, Result, Session};
use crate::app::manifests::{Difference, Manifests, Rendered};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator diff -f manifests/samples

Exit code 0: no changes; 1: changes; 2: an error. Secret values are compared and never shown.")]
pub(super) struct DiffArgs {
    #[command(flatten)]
    files: Files,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator validate -f manifests/samples

Exit code 0: all are valid; 1: some are not. Nobody is asked: no home, no daemon, no Azure.")]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    files: Files,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator render -f app.yaml
  aci-operator render -f app.yaml --show-secrets > group.yaml
  az container create --resource-group mon-groupe --file group.yaml")]
pub(super) struct RenderArgs {
    #[command(flatten)]
    files: Files,
    /// Print secret values and the private key too; without them the YAML is for reading only
    #[arg(long)]
    show_secrets: bool,
}

#[derive(Args, Debug)]
struct Files {
    /// A manifest, or a directory with all below it
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

impl Session {
    /// Tells what is wrong with manifests.
    pub(super) fn complain(&self, manifests: &Manifests) {
        for warning in &manifests.warnings {
            self.screen.warn(warning);
        }
        for problem in &manifests.problems {
            print::complain(problem);
        }
    }

    pub(super) fn validate(&self, args: &ValidateArgs) -> Result {
        let manifests = self.app.read(&args.files.paths)?;
        let good = manifests.problems.is_empty();
        if let Output::Json | Output::Yaml = self.output {
            let objects: Vec<_> = manifests
                .objects
                .iter()
                .map(|manifest| json!({"object": short(&manifest.key()), "place": manifest.place}))
                .collect();
            self.print_document(&json!({
                "valid": good,
                "objects": objects,
                "problems": manifests.problems,
                "warnings": manifests.warnings,
            }))?;
        } else {
            self.complain(&manifests);
            for manifest in &manifests.objects {
                print::line(&format!("{}: {} valid", manifest.place, short(&manifest.key())))?;
            }
        }
        Ok(if good { Exit::Done } else { Exit::NotReached })
    }

    pub(super) async fn diff(&self, args: &DiffArgs) -> Result {
        let manifests = self.good(&args.files)?;
        let differences = self.app.diff(&manifests).await?;
        let mut exit = Exit::Done;
        for (key, difference) in differences {
            let name = short(&key);
            let (colour, head, changes) = match difference {
                Difference::None => continue,
                Difference::New => (Colour::Green, format!("+ {name}: new"), Vec::new()),
                Difference::Spec => (Colour::Yellow, format!("~ {name}: spec"), Vec::new()),
                Difference::Changed { changes, hidden, cost } => {
                    let secret = if hidden { "; secret values differ" } else { "" };
                    (Colour::Yellow, format!("~ {name}: costs {cost}{secret}"), changes)
                }
            };
            print::line(&self.screen.paint(colour, &head))?;
            for change in changes {
                print::line(&format!("    {} ({})", plain(&change.to_string()), change.cost))?;
            }
            exit = Exit::NotReached;
        }
        Ok(exit)
    }

    pub(super) async fn render(&self, args: &RenderArgs) -> Result {
        let manifests = self.good(&args.files)?;
        let documents = self.app.render(&manifests, args.show_secrets).await?;
        for (index, Rendered { name, document, lacks_sidecar }) in documents.iter().enumerate() {
            if *lacks_sidecar {
                self.screen.warn(&format!(
                    "{name} has no certificate yet, so no sidecar is shown: `aci-operator apply` makes one"
                ));
            }
            if index > 0 {
                print::line("---")?;
            }
            if self.output == Output::Json {
                print::json(document)?;
            } else {
                print::quoted_yaml(document)?;
            }
        }
        Ok(Exit::Done)
    }

    /// Manifests that are all good.
    fn good(&self, files: &Files) -> Result<Manifests> {
        let manifests = self.app.read(&files.paths)?;
        self.complain(&manifests);
        if manifests.problems.is_empty() {
            return Ok(manifests);
        }
        Err(Failure::Usage("there are invalid manifests".to_owned()))
    }
}
