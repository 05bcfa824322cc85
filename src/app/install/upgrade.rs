//! Another image for the operator: tried beside the running one, then put in its place.

use serde_json::Value;

use super::patience::{Look, Patience};
use super::{Installation, News, Resource, Sort, container_state, failed, not_there};
use crate::app::Result;
use crate::core::install::{Action, action, group_body, resources, trial_of};

impl Installation {
    /// Puts the wanted image into the operator's container group, after a trial; where it does not run
    /// there, the image of before comes back. Says whether anything was to be done.
    ///
    /// # Errors
    /// There is no installation, the trial failed, or the image does not run.
    pub async fn upgrade(&self, tell: &mut (dyn FnMut(News) + Send)) -> Result<bool> {
        let patience = &mut Patience::new(tell);
        let facts = self.facts().await?;
        let all = resources(&self.wanted, &facts);
        let group = all.into_iter().find(|resource| resource.sort == Sort::Group);
        let Some(group) = group.filter(|group| !group.waiting) else { return Err(not_there()) };
        let seen = patience.with(async || self.see(&group).await).await?;
        let Some(seen) = seen else { return Err(not_there()) };
        match action(&self.wanted, &group, Some(&seen)) {
            Action::Keep => return Ok(false),
            Action::Refuse => return Err(super::somebody_elses(&group)),
            Action::Create | Action::Change(_) => {}
        }
        self.try_out(&trial_of(&self.wanted, &facts), patience).await?;
        patience.tell(News::Doing(group.purpose.clone()));
        let done = self.replace(&group, patience).await;
        if let Err(error) = done {
            let image = &seen["properties"]["containers"][0]["properties"]["image"];
            let before = image.as_str().unwrap_or_default().to_owned();
            patience.tell(News::Waiting(format!("{error}: back to {before}")));
            let wanted = super::Wanted { image: before, ..self.wanted.clone() };
            let old = Resource { body: group_body(&wanted, &facts), ..group };
            self.replace(&old, patience).await?;
            return Err(error);
        }
        patience.tell(News::Done(group.purpose));
        Ok(true)
    }

    async fn replace(&self, group: &Resource, patience: &mut Patience<'_>) -> Result<()> {
        self.put(group, patience).await?;
        self.settled(group, patience).await?;
        self.running(group, patience).await
    }

    /// A trial ends by itself: well, where the image starts, may be who the operator is, and can read
    /// the home.
    async fn try_out(&self, trial: &Resource, patience: &mut Patience<'_>) -> Result<()> {
        let Resource { id, api_version, .. } = trial;
        match patience.with(async || self.is_our_trial(trial).await).await? {
            Some(false) => return Err(super::somebody_elses(trial)),
            Some(true) => self.delete(id, api_version, "an earlier trial", patience).await?,
            None => {}
        }
        patience.tell(News::Doing(trial.purpose.clone()));
        self.put(trial, patience).await?;
        let ended = self.ended(trial, patience).await;
        patience.with(async || self.resources.delete(id, api_version).await).await?;
        ended?;
        patience.tell(News::Done(trial.purpose.clone()));
        Ok(())
    }

    async fn ended(&self, trial: &Resource, patience: &mut Patience<'_>) -> Result<()> {
        let look = |seen: Option<Value>| {
            let seen = seen.unwrap_or_default();
            let failed = failed(trial, &seen);
            let state = match (container_state(&seen), exit_code(&seen)) {
                ("Terminated", Some(0)) => return Look::Found(()),
                ("Terminated", _) => return Look::Never(failed),
                _ if seen["properties"]["provisioningState"] == "Failed" => {
                    return Look::Never(failed);
                }
                ("", _) => "starting",
                (state, _) => state,
            };
            Look::Waiting(format!("the trial is {state}"), Some(failed))
        };
        patience.until(async || self.see(trial).await, look).await
    }
}

fn exit_code(group: &Value) -> Option<i64> {
    let container = &group["properties"]["containers"][0]["properties"]["instanceView"];
    container["currentState"]["exitCode"].as_i64()
}
