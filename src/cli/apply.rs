//! Reconciling in the foreground.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::get::short;
use super::print::{self, plain};
use super::progress::Progress;
use super::{Exit, Result, Session};
use crate::app::view::{Item, Settled};
use crate::core::names;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator apply -f manifests/samples
  aci-operator apply -f app.yaml -f issuer.yaml --timeout 5m

It ends when each object is Ready (exit code 0), or one is Stalled or the time is over (1). While a
daemon holds the same home it says so and does nothing: put the manifest into the daemon's directory.")]
pub(super) struct ApplyArgs {
    /// A manifest, or a directory with all below it
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Wait until each object is Ready or Stalled, which is done in any case
    #[arg(long)]
    wait: bool,
    /// How long at most
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = names::duration)]
    timeout: Duration,
}

impl Session {
    pub(super) async fn apply(&self, args: &ApplyArgs) -> Result {
        // Nothing keeps an object on its way once the loop ends: there is no other way than to wait.
        let ApplyArgs { paths, wait: _, timeout } = args;
        let mut progress = Progress::new(self.screen);
        let applied = self.app.apply(paths, *timeout, &mut |item| progress.tell(item)).await?;
        drop(progress);
        let ended = match applied {
            Ok(ended) => ended,
            Err(manifests) => {
                self.complain(&manifests);
                self.screen.warn("nothing was applied");
                return Ok(Exit::NotReached);
            }
        };
        for item in &ended.items {
            print::line(&summary(item))?;
        }
        if ended.timed_out {
            self.screen.warn("the time is over; `aci-operator apply` again, or `run`, goes on");
        }
        Ok(if ended.reached { Exit::Done } else { Exit::NotReached })
    }
}

fn summary(item: &Item) -> String {
    let word = match item.settled() {
        Settled::Ready => "ready".to_owned(),
        Settled::Stalled => format!("stalled: {}: {}", item.reason(), plain(&item.message())),
        Settled::NotYet => format!("not ready: {}: {}", item.reason(), plain(&item.message())),
    };
    format!("{} {word}", short(&item.entry.key))
}
