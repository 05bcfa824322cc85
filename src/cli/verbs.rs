//! Verbs that change something.

use std::time::Duration;

use clap::Args;

use super::get::short;
use super::print::{self, plain};
use super::progress::Progress;
use super::{Exit, Result, Session, name};
use crate::app::verbs::{Outcome, Verb};
use crate::app::view::{Item, ObjectKey};
use crate::core::names;

/// The object that a verb is about.
#[derive(Args, Debug)]
struct Target {
    /// NAME, KIND NAME or KIND/NAME
    #[arg(value_name = "[KIND] NAME", num_args = 1..=2, required = true)]
    what: Vec<String>,
}

/// Whether and how long the effect is waited for.
#[derive(Args, Debug)]
struct Waiting {
    /// Only write the request down
    #[arg(long)]
    no_wait: bool,
    /// How long to wait at most
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = names::duration)]
    timeout: Duration,
}

impl Waiting {
    fn time(&self) -> Option<Duration> {
        (!self.no_wait).then_some(self.timeout)
    }
}

/// Each verb's arguments differ in their help alone.
macro_rules! verb {
    ($name:ident, $help:literal) => {
        #[derive(Args, Debug)]
        #[command(after_help = $help)]
        pub(super) struct $name {
            #[command(flatten)]
            target: Target,
            #[command(flatten)]
            waiting: Waiting,
        }
    };
}

verb!(
    RenewArgs,
    "\
Examples:
  aci-operator renew app-with-ssl
  aci-operator renew app-with-ssl --no-wait

It returns when the new certificate is seen served. Without a daemon the work is done here."
);
verb!(
    SuspendArgs,
    "\
Examples:
  aci-operator suspend app-with-ssl

It blocks every step, deletion and renewal too, until `aci-operator resume`."
);
verb!(
    ResumeArgs,
    "\
Examples:
  aci-operator resume app-with-ssl"
);
verb!(
    ReconcileArgs,
    "\
Examples:
  aci-operator reconcile app-with-ssl

A running daemon is asked to look, and is not waited for. Without one the work is done here."
);
verb!(
    ApproveArgs,
    "\
Examples:
  aci-operator describe app-with-ssl
  aci-operator approve app-with-ssl

The leave is for the change that waits now, and for once."
);
verb!(
    DeleteArgs,
    "\
Examples:
  rm manifests/app.yaml && aci-operator delete app-with-ssl

It refuses while the manifest is there. Only what the operator made is deleted; resource groups stay."
);

impl Session {
    pub(super) async fn renew(&self, args: &RenewArgs) -> Result {
        self.ask(&args.target, Verb::Renew, &args.waiting).await
    }

    pub(super) async fn suspend(&self, args: &SuspendArgs) -> Result {
        self.ask(&args.target, Verb::Suspend, &args.waiting).await
    }

    pub(super) async fn resume(&self, args: &ResumeArgs) -> Result {
        self.ask(&args.target, Verb::Resume, &args.waiting).await
    }

    pub(super) async fn reconcile(&self, args: &ReconcileArgs) -> Result {
        self.ask(&args.target, Verb::Reconcile, &args.waiting).await
    }

    pub(super) async fn approve(&self, args: &ApproveArgs) -> Result {
        self.ask(&args.target, Verb::Approve, &args.waiting).await
    }

    pub(super) async fn delete(&self, args: &DeleteArgs) -> Result {
        self.ask(&args.target, Verb::Delete, &args.waiting).await
    }

    async fn ask(&self, target: &Target, verb: Verb, waiting: &Waiting) -> Result {
        let key = name::object(&target.what)?;
        let mut progress = Progress::new(self.screen);
        let outcome =
            self.app.ask(&key, verb, waiting.time(), &mut |item| progress.tell(item)).await?;
        drop(progress);
        match outcome {
            Outcome::Recorded { held } => {
                let who = if held { "the daemon" } else { "the next `run` or `apply`" };
                self.screen.note(&format!("{}: asked; {who} sees to it", short(&key)));
                Ok(Exit::Done)
            }
            Outcome::Ended(ended) if ended.reached => {
                print::line(&done(verb, &key, &ended.items))?;
                Ok(Exit::Done)
            }
            Outcome::Ended(ended) => {
                let item = ended.items.first();
                let state = item.map_or_else(String::new, |item| {
                    format!(": {}: {}", item.reason(), plain(&item.message()))
                });
                let end = if ended.timed_out { "not done in time" } else { "stalled" };
                self.screen.warn(&format!("{}: {end}{state}", short(&key)));
                Ok(Exit::NotReached)
            }
        }
    }
}

fn done(verb: Verb, key: &ObjectKey, items: &[Item]) -> String {
    let facts = items.first().map(|item| &item.facts);
    let serial = facts.and_then(|facts| facts.serial.as_deref());
    let seen = facts.is_some_and(|facts| facts.served_serial == facts.serial);
    let word = match (verb, serial) {
        (Verb::Renew, Some(serial)) if seen => format!("serves the new certificate {serial}"),
        (Verb::Renew, Some(serial)) => {
            format!("has the new certificate {serial}; no handshake is possible from here")
        }
        (Verb::Renew, None) => "renewed".to_owned(),
        (Verb::Suspend, _) => "suspended".to_owned(),
        (Verb::Resume, _) => "resumed".to_owned(),
        (Verb::Reconcile, _) => "reconciled".to_owned(),
        (Verb::Approve, _) => "approved and done".to_owned(),
        (Verb::Delete, _) => "deleted".to_owned(),
    };
    format!("{} {word}", short(key))
}
