//! Manifests for a daemon that is elsewhere.

use std::path::PathBuf;

use clap::Args;

use super::print;
use super::{Exit, Result, Session};
use crate::app::push::Pushed;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator push -f manifests --home https://ACCOUNT.blob.core.windows.net/aci-operator
  aci-operator push -f manifests --prune

Only what differs is sent. Manifests with mistakes are refused before any is sent. What a removed
manifest made is deleted by `aci-operator delete`, or by a daemon that runs with --prune.")]
pub(super) struct PushArgs {
    /// A manifest, or a directory with all below it
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Remove the manifests there that are not among these
    #[arg(long)]
    prune: bool,
}

impl Session {
    pub(super) async fn push(&self, args: &PushArgs) -> Result {
        let done = match self.app.push(&args.paths, args.prune).await? {
            Ok(done) => done,
            Err(manifests) => {
                self.complain(&manifests);
                self.screen.warn("nothing was pushed");
                return Ok(Exit::NotReached);
            }
        };
        for (name, pushed) in &done {
            let word = match pushed {
                Pushed::Uploaded => "pushed",
                Pushed::Unchanged => "unchanged",
                Pushed::Deleted => "removed",
            };
            print::line(&format!("{name} {word}"))?;
        }
        Ok(Exit::Done)
    }
}
