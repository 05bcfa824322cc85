//! Homes that move.

use clap::{Args, Subcommand};

use super::get::short;
use super::{Exit, Result, Session, print};
use crate::app::Location;

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(super) enum Command {
    /// Copies the home to another place, with keys, secrets and what it remembers
    #[command(after_help = "\
Examples:
  aci-operator home copy --to https://ACCOUNT.blob.core.windows.net/aci-operator
  aci-operator home copy --to kubernetes://aci-operator -n apps

Stop the daemon first. The copy has the old home's identity: what was made in Azure stays its own,
nothing restarts and no root is lost. The old home refuses to work from then on; its events stay
behind.")]
    Copy(CopyArgs),
    /// Lets a home that was copied away work again
    #[command(after_help = "\
Example:
  aci-operator home reopen

Only when nobody works on the copy: two homes of one identity undo each other's work.")]
    Reopen,
}

#[derive(Args, Debug)]
pub(super) struct CopyArgs {
    /// A directory, the URL of a blob container, or `kubernetes://NAMESPACE`; it knows no object yet
    #[arg(long, value_name = "HOME")]
    to: Location,
    /// Leave the old home as it is: for a copy that is never worked on
    #[arg(long)]
    keep: bool,
}

impl Session {
    pub(super) async fn home(&self, command: &Command) -> Result {
        match command {
            Command::Copy(CopyArgs { to, keep }) => {
                let copied = self.app.copy_home(to, *keep).await?;
                for key in &copied.objects {
                    print::line(&format!("{} copied", short(key)))?;
                }
                for name in &copied.secrets {
                    print::line(&format!("secret/{name} copied"))?;
                }
                self.screen.note(&format!(
                    "{} objects, {} key pairs, {} secrets; go on with --home {to}",
                    copied.objects.len(),
                    copied.pairs,
                    copied.secrets.len()
                ));
            }
            Command::Reopen => self.app.reopen_home().await?,
        }
        Ok(Exit::Done)
    }
}
