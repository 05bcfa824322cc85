//! The root certificates of issuers.

use clap::{Args, Subcommand};

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
