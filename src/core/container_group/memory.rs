//! What one pass leaves for the next.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Step;
use crate::core::Fault;

/// What one pass leaves for the next. It steers waits and attempts; it never decides ownership.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memory {
    /// Our last PUT.
    pub put: Option<PutRecord>,
    /// Our last PATCH, until a read has shown its effect.
    pub tagged: Option<TagRecord>,
    /// Our last deletion of the group, until it is made anew.
    pub deleted: Option<DeleteRecord>,
    /// Paths where ARM keeps another value than the one that we put.
    pub azures: BTreeMap<String, Kept>,
    /// PUTs of the present digest that ended in `Failed`, in a row.
    pub failed_puts: u32,
    /// The last trial of exec.
    pub trial: Option<Trial>,
    /// The pair that is live in the sidecar, as exec read it back.
    pub live: Option<Live>,
    /// Swaps that failed, in a row.
    pub swap_failures: u32,
    /// When a failed swap may be tried again.
    pub swap_after: Option<DateTime<Utc>>,
    /// The public origins of the group.
    pub origins: BTreeSet<String>,
    /// Counts changes of them.
    pub origins_revision: u64,
    /// What its containers were last told of them.
    pub told: Option<Told>,
    /// The approval that was used up.
    pub approval_used: Option<DateTime<Utc>>,
    /// The last in-place update for a changed address alone.
    pub address_restart: Option<DateTime<Utc>>,
    /// A handshake from here has succeeded: one that fails later is an outage.
    pub reached: bool,
    /// Start of the containers when the group was last as wanted.
    pub settled_start: Option<DateTime<Utc>>,
    /// [`Desired::frame`](super::Desired::frame) when the group was last as wanted; only of the operator's own.
    pub frame: Option<String>,
    /// The trial of a new image of the operator.
    pub rollout: Option<Rollout>,
}

/// A PUT of ours.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PutRecord {
    /// When.
    pub at: DateTime<Utc>,
    /// Digest that it wrote.
    pub digest: String,
    /// Digest that was there before; a read that still shows it is older than the write.
    pub previous: Option<String>,
    /// Start of the containers before it.
    pub start: Option<DateTime<Utc>>,
    /// A read has shown its effect, or it is too long ago to wait for one.
    pub seen: bool,
    /// Its result has been compared with what was wanted.
    pub settled: bool,
}

impl PutRecord {
    /// Whether ARM may not show the write yet.
    pub(super) fn is_under_way(&self, now: DateTime<Utc>) -> bool {
        !self.seen && now < self.at + STALE
    }
}

/// A PATCH of ours.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TagRecord {
    /// When.
    pub at: DateTime<Utc>,
    /// The tags that it was for; those of others were passed on.
    pub tags: BTreeMap<String, String>,
    /// ARM said yes.
    pub accepted: bool,
}

/// A deletion of ours.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DeleteRecord {
    /// When.
    pub at: DateTime<Utc>,
    /// Start of the containers that went; a read that still shows it is older than the write.
    pub start: Option<DateTime<Utc>>,
}

/// A value that ARM keeps against ours.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Kept {
    /// What we put.
    pub want: Value,
    /// What ARM shows.
    pub have: Value,
}

/// Trials of exec in one run of the sidecar.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Trial {
    /// Start of the sidecar that was tried.
    pub start: Option<DateTime<Utc>>,
    /// Why the last failed; `None` where it worked.
    pub failure: Option<String>,
    /// Failures, in a row.
    #[serde(default)]
    pub failures: u32,
    /// When it was last tried.
    pub at: DateTime<Utc>,
}

/// The live pair of a sidecar.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Live {
    /// Start of the sidecar.
    pub start: Option<DateTime<Utc>>,
    /// Generation of the pair.
    pub generation: i64,
}

/// What the containers were told of their origins in one run of the sidecar.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Told {
    /// Start of the sidecar.
    pub start: Option<DateTime<Utc>>,
    /// The origins.
    pub origins: BTreeSet<String>,
    /// Why it failed; `None` where it worked.
    pub failure: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// The trial of a new image for the group that the operator runs in.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Rollout {
    /// Digest of what is tried.
    pub digest: String,
    /// When the trial was made.
    pub at: DateTime<Utc>,
    /// How it ended.
    pub ended: Option<Ended>,
}

/// How a trial ended.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Ended {
    /// The image starts, may be who the operator is, and reads the home.
    Well,
    /// It does not, and why.
    Badly(String),
}

/// What carrying out a step showed.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// It was accepted.
    Accepted,
    /// Exec works, or why not.
    Tried(Result<(), String>),
    /// The generation that exec read back as live, or why the swap failed.
    Swapped(Result<i64, String>),
    /// The containers were told their origins, or why not.
    Told(Result<(), String>),
}

/// For how long a read that shows our last write undone is taken for an old read.
pub(super) const STALE: TimeDelta = TimeDelta::seconds(30);
/// Longest wait between two swaps that fail, in minutes.
const LONGEST_SWAP_WAIT: i64 = 10;

/// The memory after a step was carried out.
pub fn settle(
    mut memory: Memory,
    step: &Step,
    start: Option<DateTime<Utc>>,
    result: &Result<Effect, Fault>,
    now: DateTime<Utc>,
) -> Memory {
    match (step, result) {
        (Step::Put(_), Err(fault)) if fault.is_refusal() => memory.put = None,
        (Step::Tag(_), Err(fault)) if fault.is_refusal() => memory.tagged = None,
        (Step::Tag(_), Ok(_)) => {
            if let Some(tagged) = &mut memory.tagged {
                tagged.accepted = true;
            }
        }
        (Step::Delete, Err(fault)) if fault.is_refusal() => memory.deleted = None,
        (Step::PutTrial(_), Err(fault)) if fault.is_refusal() => memory.rollout = None,
        (Step::TryExec, Ok(Effect::Tried(outcome))) => {
            let before = memory.trial.as_ref().filter(|trial| trial.start == start);
            let failure = outcome.clone().err();
            let failures = before.map_or(0, |trial| trial.failures) + 1;
            let failures = if failure.is_some() { failures } else { 0 };
            memory.trial = Some(Trial { start, failure, failures, at: now });
        }
        (Step::SwapLeaf(_), Ok(Effect::Swapped(Ok(generation)))) => {
            memory.live = Some(Live { start, generation: *generation });
            (memory.swap_failures, memory.swap_after) = (0, None);
        }
        (Step::SwapLeaf(_), Ok(Effect::Swapped(Err(_)))) => {
            let wait = 1_i64 << memory.swap_failures.min(10);
            let wait = TimeDelta::seconds(5 * wait).min(TimeDelta::minutes(LONGEST_SWAP_WAIT));
            memory.swap_failures += 1;
            memory.swap_after = Some(now + wait);
        }
        (Step::TellOrigins(origins), Ok(Effect::Told(outcome))) => {
            let (origins, failure) = (origins.clone(), outcome.clone().err());
            memory.told = Some(Told { start, origins, failure, at: now });
        }
        _ => {}
    }
    memory
}
