//! Waiting for a condition.

use std::time::Duration;

use clap::Args;

use super::print::{self, Failure};
use super::{Exit, Result, Session, name};
use crate::app::apply::Aim;
use crate::core::{ConditionType, Truth, names};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  aci-operator wait app-with-ssl --for condition=Ready --timeout 5m
  aci-operator wait app-with-ssl --for condition=Drifted=False
  aci-operator wait app-with-ssl --for delete

A condition counts when it speaks of the present manifest. Exit code 1: not reached in time.")]
pub(super) struct WaitArgs {
    /// NAME, KIND NAME or KIND/NAME
    #[arg(value_name = "[KIND] NAME", num_args = 1..=2, required = true)]
    what: Vec<String>,
    /// condition=NAME, condition=NAME=True|False|Unknown, or delete
    #[arg(long = "for", value_name = "WHAT", value_parser = aim)]
    aim: Aim,
    /// How long at most, such as 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = names::duration)]
    timeout: Duration,
}

fn aim(raw: &str) -> Result<Aim, String> {
    if raw == "delete" {
        return Ok(Aim::Gone);
    }
    let Some(condition) = raw.strip_prefix("condition=") else {
        return Err("write it as `condition=Ready` or `delete`".to_owned());
    };
    let (kind, truth) = condition.split_once('=').unwrap_or((condition, "True"));
    let read = |word: &str| serde_json::Value::String(word.to_owned());
    let kind: ConditionType = serde_json::from_value(read(kind))
        .map_err(|_| format!("there is no condition `{kind}`; `describe` lists them"))?;
    let truth: Truth = serde_json::from_value(read(truth))
        .map_err(|_| format!("`{truth}` is none of True, False, Unknown"))?;
    Ok(Aim::Condition(kind, truth))
}

impl Session {
    pub(super) async fn wait(&self, args: &WaitArgs) -> Result {
        let key = name::object(&args.what)?;
        let home = self.app.home().await?;
        if !home.is_held().await.map_err(Failure::App)? {
            self.screen.note("no daemon is running: nothing changes by itself");
        }
        let ended = self.app.wait_for(&home, &key, args.aim, args.timeout).await?;
        if ended.reached {
            print::line(&format!("{} {}", super::get::short(&key), args.aim))?;
            return Ok(Exit::Done);
        }
        let message = ended.items.first().map_or_else(
            || "it is not there".to_owned(),
            |item| format!("{}: {}", item.reason(), item.message()),
        );
        self.screen.warn(&format!("{key}: not reached in time ({message})"));
        Ok(Exit::NotReached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aims_are_read() {
        assert_eq!(aim("delete"), Ok(Aim::Gone));
        assert_eq!(aim("condition=Ready"), Ok(Aim::Condition(ConditionType::Ready, Truth::True)));
        let drifted = Aim::Condition(ConditionType::Drifted, Truth::False);
        assert_eq!(aim("condition=Drifted=False"), Ok(drifted));
        for wrong in ["Ready", "condition=Nice", "condition=Ready=yes", "condition="] {
            assert!(aim(wrong).is_err(), "{wrong}");
        }
    }
}
