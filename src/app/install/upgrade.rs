//! Another image for the operator: tried beside the running one, then put in its place.

use serde_json::Value;

use super::patience::{Clock, Patience};
use super::{Installation, News, Resource, Sort, container_state, failed, not_there};
use crate::app::Result;
use crate::core::install::{Action, group_body};
use crate::core::install::{action, resources, trial_of};

impl Installation {
    /// Puts the wanted image into the operator's container group, after a trial; where it does not run
    /// there, the image of before comes back. Says whether anything was to be done.
    ///
    /// # Errors
    /// There is no installation, the trial failed, or the image does not run.
    pub async fn upgrade(&self, tell: &mut (dyn FnMut(News) + Send)) -> Result<bool> {
        let mut patience = Patience::default();
        let facts = self.facts().await?;
        let all = resources(&self.wanted, &facts);
        let group = all.into_iter().find(|resource| resource.sort == Sort::Group);
        let Some(group) = group.filter(|group| !group.waiting) else { return Err(not_there()) };
        let seen = patience.with(tell, async || self.see(&group).await).await?;
        let Some(seen) = seen else { return Err(not_there()) };
        match action(&self.wanted, &group, Some(&seen)) {
            Action::Keep => return Ok(false),
            Action::Refuse => return Err(super::somebody_elses(&group)),
            Action::Create | Action::Change(_) => {}
        }
        self.try_out(&trial_of(&self.wanted, &facts), &mut patience, tell).await?;
        tell(News::Doing(group.purpose.clone()));
        let done = self.replace(&group, &mut patience, tell).await;
        if let Err(error) = done {
            let image = &seen["properties"]["containers"][0]["properties"]["image"];
            let before = image.as_str().unwrap_or_default().to_owned();
            tell(News::Waiting(format!("{error}: back to {before}")));
            let wanted = super::Wanted { image: before, ..self.wanted.clone() };
            let old = Resource { body: group_body(&wanted, &facts), ..group };
            self.replace(&old, &mut patience, tell).await?;
            return Err(error);
        }
        tell(News::Done(group.purpose));
        Ok(true)
    }

    async fn replace(
        &self,
        group: &Resource,
        patience: &mut Patience,
        tell: &mut (dyn FnMut(News) + Send),
    ) -> Result<()> {
        let (id, api, body) = (&group.id, group.api_version, &group.body);
        patience.with(tell, async || self.resources.put(id, api, body).await).await?;
        self.settled(group, patience, tell).await?;
        self.running(group, patience, tell).await
    }

    /// A trial ends by itself: well, where the image starts, may be who the operator is, and can read
    /// the home.
    async fn try_out(
        &self,
        trial: &Resource,
        patience: &mut Patience,
        tell: &mut (dyn FnMut(News) + Send),
    ) -> Result<()> {
        tell(News::Doing(trial.purpose.clone()));
        let (id, api, body) = (&trial.id, trial.api_version, &trial.body);
        patience.with(tell, async || self.resources.put(id, api, body).await).await?;
        let ended = self.ended(trial, patience, tell).await;
        patience.with(tell, async || self.resources.delete(id, api).await).await?;
        ended?;
        tell(News::Done(trial.purpose.clone()));
        Ok(())
    }

    async fn ended(
        &self,
        trial: &Resource,
        patience: &mut Patience,
        tell: &mut (dyn FnMut(News) + Send),
    ) -> Result<()> {
        let mut clock = Clock::start();
        loop {
            let seen = patience.with(tell, async || self.see(trial).await).await?;
            let seen = seen.unwrap_or_default();
            let state = container_state(&seen);
            match (state, exit_code(&seen)) {
                ("Terminated", Some(0)) => return Ok(()),
                ("Terminated", _) => return Err(failed(trial, &seen)),
                _ if seen["properties"]["provisioningState"] == "Failed" => {
                    return Err(failed(trial, &seen));
                }
                _ => {}
            }
            let what =
                format!("the trial is {}", if state.is_empty() { "starting" } else { state });
            clock.wait(&what, tell).await.map_err(|_| failed(trial, &seen))?;
        }
    }
}

fn exit_code(group: &Value) -> Option<i64> {
    let container = &group["properties"]["containers"][0]["properties"]["instanceView"];
    container["currentState"]["exitCode"].as_i64()
}
