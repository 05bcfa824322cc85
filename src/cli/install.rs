//! The operator's own installation in Azure.

use clap::{Args, Subcommand};

use super::{Exit, Output, Result, Session, print};
use crate::app::install::{Action, Request};

mod shown;

use shown::Work;

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(super) enum Command {
    /// Shows what an operator in Azure takes, and makes it with --yes
    #[command(after_help = "\
Examples:
  aci-operator install azure -g aci-operator -l westeurope --manage mon-groupe --image REGISTRY/aci-operator@sha256:…
  aci-operator install azure … --identity \"$(az identity show -g mon-groupe -n app --query id -o tsv)\" --yes

It makes a resource group, a managed identity, a role and its assignments, a storage account and a
container group, and marks them. A second run makes what is missing. Rights are given at the resource
groups and identities that are named, never at the subscription: see docs/azure.md.")]
    Azure {
        #[command(flatten)]
        args: InstallArgs,
        /// The operator may put another image into its own container group, where a manifest says so: who
        /// writes manifests may then run anything as the operator
        #[arg(long)]
        self_update: bool,
    },
    /// Prints the operator's own manifest, with which it updates itself
    #[command(after_help = "\
Example:
  aci-operator install manifest -g aci-operator > operator/aci-operator.yaml

The installation needs `--self-update`. Pushed into the home, an edit of the image, by digest, is rolled out
after a trial beside the operator; every other change of it is refused.")]
    Manifest(WhichArgs),
    /// Prints what an administrator has to do for app registrations
    #[command(after_help = "\
Example:
  aci-operator install graph-grant -g aci-operator")]
    GraphGrant(WhichArgs),
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(super) enum Uninstall {
    /// Shows what would be taken back, and takes it back with --yes
    #[command(after_help = "\
Examples:
  aci-operator uninstall azure -g aci-operator
  aci-operator uninstall azure -g aci-operator --keep-groups --yes

What the installation made and marked is deleted, with all keys that the operator holds. Container groups
that it keeps are never deleted: while there are some it refuses, unless --keep-groups is given.")]
    Azure(UninstallArgs),
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(super) enum Upgrade {
    /// Gives the operator in Azure another image, after a trial of it
    #[command(after_help = "\
Example:
  aci-operator upgrade azure -g aci-operator -l westeurope --manage mon-groupe --image REGISTRY/aci-operator@sha256:…

The image first runs beside the operator, as the same identity, and reads the home. Where it does not
run in the operator's place, the image of before comes back.")]
    Azure(InstallArgs),
}

/// Which installation.
#[derive(Args, Clone, Debug)]
pub(super) struct WhichArgs {
    /// Resource group of the installation
    #[arg(short = 'g', long, value_name = "NAME")]
    resource_group: String,
    /// Name of identity and container group
    #[arg(long, default_value = "aci-operator")]
    name: String,
    /// Subscription [default: as the environment says, else az's]
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
    /// Storage account [default: a name that follows from the rest]
    #[arg(long, value_name = "NAME")]
    storage_account: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct InstallArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// Region
    #[arg(short, long)]
    location: String,
    /// Resource group in which container groups may be made; may be given more than once
    #[arg(long, value_name = "RESOURCE_GROUP", required = true)]
    manage: Vec<String>,
    /// Managed identity that container groups may carry, by resource id; may be given more than once
    #[arg(long = "identity", value_name = "ID")]
    identities: Vec<String>,
    /// Who may read manifests and status, by object id; may be given more than once
    #[arg(long = "reader", value_name = "OBJECT_ID")]
    readers: Vec<String>,
    /// Who may write manifests, and so have the operator do all that it may, by object id; may be given
    /// more than once
    #[arg(long = "writer", value_name = "OBJECT_ID")]
    writers: Vec<String>,
    /// The operator's image, best by digest
    #[arg(long)]
    image: String,
    /// Do it
    #[arg(short, long)]
    yes: bool,
}

#[derive(Args, Debug)]
pub(super) struct UninstallArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// Managed resource group whose role assignments are looked at, where the role is gone
    #[arg(long, value_name = "RESOURCE_GROUP")]
    manage: Vec<String>,
    /// Managed identity whose role assignments are looked at, where the subscription's may not be
    #[arg(long = "identity", value_name = "ID")]
    identities: Vec<String>,
    /// Container groups that the operator keeps may stay, without anybody to renew their certificates
    #[arg(long)]
    keep_groups: bool,
    /// Do it
    #[arg(short, long)]
    yes: bool,
}

impl WhichArgs {
    fn request(&self) -> Request {
        Request {
            subscription: self.subscription.clone(),
            resource_group: self.resource_group.clone(),
            name: self.name.clone(),
            account: self.storage_account.clone(),
            ..Request::default()
        }
    }
}

impl InstallArgs {
    fn request(&self) -> Request {
        Request {
            location: self.location.clone(),
            manage: self.manage.clone(),
            identities: self.identities.clone(),
            readers: self.readers.clone(),
            writers: self.writers.clone(),
            image: self.image.clone(),
            ..self.which.request()
        }
    }
}

impl Session {
    pub(super) async fn install(&self, command: &Command) -> Result {
        match command {
            Command::Azure { args, self_update } => self.install_azure(args, *self_update).await,
            Command::Manifest(which) => {
                let manifest = self.app.installation(which.request()).await?.manifest().await?;
                if self.output == Output::Json {
                    print::json(&manifest)?;
                } else {
                    print::yaml(&manifest)?;
                }
                Ok(Exit::Done)
            }
            Command::GraphGrant(which) => {
                let installation = self.app.installation(which.request()).await?;
                if let Some(remedy) = installation.graph_grant().await? {
                    print::line(&remedy)?;
                    return Ok(Exit::NotReached);
                }
                print::line("granted: the operator may make app registrations")?;
                Ok(Exit::Done)
            }
        }
    }

    async fn install_azure(&self, args: &InstallArgs, self_update: bool) -> Result {
        let request = Request { self_update, ..args.request() };
        let installation = self.app.installation(request).await?;
        installation.check()?;
        let steps = installation.plan().await?;
        if !args.image.contains("@sha256:") {
            self.screen.warn("the image has no digest: what runs may change without a word");
        }
        if self.output == Output::Json || self.output == Output::Yaml {
            let home = installation.home().await?;
            self.print_document(&shown::plan_document(&steps, home.as_deref()))?;
        } else {
            shown::plan(self.screen, &steps)?;
        }
        if steps.iter().any(|step| step.action == Action::Refuse) {
            self.screen.warn("something of that name is somebody else's: nothing can be done");
            return Ok(Exit::NotReached);
        }
        if !args.yes {
            self.screen.note("nothing was changed; --yes does it");
            return Ok(Exit::Done);
        }
        let mut work = Work::new(self.screen);
        installation.make(&mut |news| work.tell(&news)).await?;
        drop(work);
        if let Some(home) = installation.home().await? {
            self.screen.note(&format!("the operator runs; its home is {home}"));
        }
        if let Some(remedy) = installation.graph_grant().await? {
            self.screen.note(&format!("for app registrations, {remedy}"));
        }
        Ok(Exit::Done)
    }

    pub(super) async fn uninstall(&self, Uninstall::Azure(args): &Uninstall) -> Result {
        let (manage, identities) = (args.manage.clone(), args.identities.clone());
        let request = Request { manage, identities, ..args.which.request() };
        let installation = self.app.installation(request).await?;
        let removal = installation.removal().await?;
        if self.output == Output::Json || self.output == Output::Yaml {
            self.print_document(&shown::removal_document(&removal))?;
        } else {
            shown::removal(self.screen, &removal)?;
        }
        if !args.yes {
            self.screen.note("nothing was changed; --yes does it");
            return Ok(Exit::Done);
        }
        removal.check(args.keep_groups)?;
        let mut work = Work::new(self.screen);
        installation.remove(&removal, &mut |news| work.tell(&news)).await?;
        Ok(Exit::Done)
    }

    pub(super) async fn upgrade(&self, Upgrade::Azure(args): &Upgrade) -> Result {
        let installation = self.app.installation(args.request()).await?;
        installation.check()?;
        if !args.yes {
            self.screen.note(&format!(
                "it would try {} beside the operator, then restart the operator with it; --yes does it",
                args.image
            ));
            return Ok(Exit::Done);
        }
        let mut work = Work::new(self.screen);
        let done = installation.upgrade(&mut |news| work.tell(&news)).await?;
        drop(work);
        self.screen.note(if done { "the operator runs" } else { "nothing was to be done" });
        Ok(Exit::Done)
    }
}
