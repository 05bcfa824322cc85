//! The root certificates of issuers.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::get::short;
use super::{Exit, Result, Session, print};

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(super) enum Command {
    /// Prints an issuer's certificate as PEM
    #[command(after_help = "\
Examples:
  aci-operator ca export > ca.pem
  curl --cacert ca.pem https://mon-fqdn.westeurope.azurecontainer.io/")]
    Export(IssuerArgs),
    /// Makes this machine and this user's browsers trust an issuer
    #[command(after_help = "\
Examples:
  sudo aci-operator ca trust local-ca --home ~/.local/state/aci-operator
  aci-operator ca trust

System store and NSS stores, as `mkcert -install` does it. The root signs nothing but the names that
its issuer permits.")]
    Trust(IssuerArgs),
    /// Undoes `ca trust`
    #[command(after_help = "\
Examples:
  aci-operator ca untrust local-ca")]
    Untrust(IssuerArgs),
    /// Writes an issuer's root with its key to a new file, readable by the owner alone
    #[command(after_help = "\
Example:
  aci-operator ca backup local-ca --to local-ca.pem

Who has the file can sign for every name that the issuer permits: keep it where nobody else reads.")]
    Backup {
        #[command(flatten)]
        issuer: IssuerArgs,
        /// The file, which must not be there yet
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Gives an issuer that has no root the one of a backup
    #[command(after_help = "\
Example:
  aci-operator ca restore local-ca --from local-ca.pem

No daemon may work on the home. An issuer that has another root keeps it.")]
    Restore {
        #[command(flatten)]
        issuer: IssuerArgs,
        /// The file
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
}

#[derive(Args, Debug)]
pub(super) struct IssuerArgs {
    /// Name of the issuer; the only one where there is one
    issuer: Option<String>,
}

impl Session {
    pub(super) async fn ca(&self, command: &Command) -> Result {
        let (args, wanted) = match command {
            Command::Export(args) => {
                let pem = self.app.root(args.issuer.as_deref()).await?;
                print::raw(pem.as_bytes())?;
                return Ok(Exit::Done);
            }
            Command::Trust(args) => (args, true),
            Command::Untrust(args) => (args, false),
            Command::Backup { issuer, to } => {
                let key = self.app.backup_root(issuer.issuer.as_deref(), to).await?;
                print::line(&format!("{} backed up", short(&key)))?;
                return Ok(Exit::Done);
            }
            Command::Restore { issuer, from } => {
                let key = self.app.restore_root(issuer.issuer.as_deref(), from).await?;
                print::line(&format!("{} restored", short(&key)))?;
                return Ok(Exit::Done);
            }
        };
        let report = self.app.trust(args.issuer.as_deref(), wanted).await?;
        for line in &report.done {
            print::line(line)?;
        }
        for problem in &report.problems {
            self.screen.warn(problem);
        }
        Ok(if report.problems.is_empty() { Exit::Done } else { Exit::NotReached })
    }
}
