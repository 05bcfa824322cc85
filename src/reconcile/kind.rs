//! What a kind of manifest brings to the loop.

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Ctx, identity};
use crate::api::check::Checked;
use crate::core::{Fault, Goal, Invalid, Plan};
use crate::ports::{Azure, Entry, ObjectKey, Requests};

/// What the references of an object give.
#[derive(Clone)]
pub enum Resolved<D> {
    /// All that is needed.
    Ready(D),
    /// Something is not there yet; what, for people.
    Missing(String),
}

impl<D> Resolved<D> {
    /// What was resolved; else why it could not be, for people.
    ///
    /// # Errors
    /// Something is missing or wrong.
    pub fn told(resolved: Result<Self, Invalid>) -> Result<D, String> {
        match resolved {
            Ok(Self::Ready(found)) => Ok(found),
            Ok(Self::Missing(what)) => Err(what),
            Err(invalid) => Err(invalid.to_string()),
        }
    }
}

/// One kind of manifest: two reads, one decision, one write.
#[async_trait]
pub trait Kind:
    Checked
    + Resource<DynamicType = ()>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Its name.
    const KIND: &'static str;
    /// What is wanted, parsed and resolved.
    type Desired: Send + Sync;
    /// What was seen.
    type Observed: Send + Sync;
    /// One write.
    type Step: Send + Sync + Debug;
    /// What carrying out a step showed.
    type Effect: Send + Sync;
    /// What one pass leaves for the next.
    type Memory: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync;
    /// What the decision says beside the plan.
    type Facts: Send + Sync;

    /// Names the object.
    fn key(&self) -> ObjectKey {
        ObjectKey::of(Self::KIND, self.meta())
    }

    /// The objects that it names: their status wakes it.
    fn references(&self) -> Vec<ObjectKey>;

    /// Whose identity works for it; `None` where it has nothing in Azure.
    fn identity(&self) -> Option<identity::Source> {
        None
    }

    /// Parses the manifest and reads what it names.
    async fn resolve(
        &self,
        entry: &Entry,
        ctx: &Ctx,
    ) -> Result<Result<Resolved<Self::Desired>, Invalid>, Fault>;

    /// Values fixed at the first claim.
    async fn pins(&self, _: &Azure) -> Result<Vec<(&'static str, String)>, Fault> {
        Ok(Vec::new())
    }

    /// Looks at the world.
    async fn observe(
        &self,
        entry: &Entry,
        memory: Self::Memory,
        requests: Requests,
        azure: &Azure,
        ctx: &Ctx,
    ) -> Result<Result<Self::Observed, Invalid>, Fault>;

    /// Decides. Pure.
    fn plan(
        goal: Goal<&Self::Desired>,
        observed: &Self::Observed,
        now: DateTime<Utc>,
    ) -> (Plan<Self::Step, Self::Memory>, Self::Facts);

    /// What is remembered and said of what was seen where nothing can be decided: the manifest cannot be
    /// used, or what it names is missing. Pure.
    fn undecided(&self, _: &Self::Observed) -> Option<(Self::Memory, Self::Facts)> {
        None
    }

    /// Name of a step, for logs.
    fn step_name(step: &Self::Step) -> &'static str;

    /// Carries out one step.
    async fn perform(
        &self,
        entry: &Entry,
        step: &Self::Step,
        azure: &Azure,
        ctx: &Ctx,
    ) -> Result<Self::Effect, Fault>;

    /// The memory after a step. Pure.
    fn settle(
        memory: Self::Memory,
        step: &Self::Step,
        observed: &Self::Observed,
        result: &Result<Self::Effect, Fault>,
        now: DateTime<Utc>,
    ) -> Self::Memory;

    /// The status of its own, without conditions; `None` where nothing was seen. Pure.
    fn status(&self, entry: &Entry, observed: &Self::Observed, facts: &Self::Facts) -> Value;

    /// End of life and renewal of its certificate, for the metrics.
    fn certificate(status: &Value) -> Option<(DateTime<Utc>, Option<DateTime<Utc>>)>;
}
