//! What a plan, or a failure to make one, says to the outside: conditions and events.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Assertion, Condition, ConditionType, Fault, Health, Reason, Truth};

/// Something that happened to an object.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Whether somebody should look.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// Why.
    pub reason: Reason,
    /// The same for people.
    pub message: String,
}

/// Kubernetes' two types of events.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum EventType {
    /// As it should be.
    Normal,
    /// Somebody should look.
    Warning,
}

/// The summary of a pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Summary {
    /// How it stands.
    pub health: Health,
    /// Why.
    pub reason: Reason,
    /// The same for people.
    pub message: String,
    /// The other conditions.
    pub conditions: Vec<Assertion>,
}

/// The conditions that follow from the previous ones and this pass, and the event if it is news.
///
/// `Ready`, `Reconciling` and `Stalled` are made here and nowhere else. A condition that the pass
/// does not speak of keeps its last word.
pub fn conclude(
    previous: &[Condition],
    summary: &Summary,
    generation: i64,
    now: DateTime<Utc>,
) -> (Vec<Condition>, Option<Event>) {
    let said = summarise(summary).into_iter().chain(summary.conditions.iter().cloned());
    let mut conditions: Vec<Condition> = previous.to_vec();
    for assertion in said {
        merge(&mut conditions, assertion, generation, now);
    }
    let ready = |list: &[Condition]| {
        list.iter().find(|c| c.kind == ConditionType::Ready).map(|c| (c.reason, c.message.clone()))
    };
    let event = (ready(previous) != ready(&conditions)).then(|| Event {
        kind: match summary.health {
            Health::Stalled => EventType::Warning,
            Health::Ready | Health::Reconciling | Health::Gone => EventType::Normal,
        },
        reason: summary.reason,
        message: summary.message.clone(),
    });
    (conditions, event)
}

fn summarise(summary: &Summary) -> [Assertion; 3] {
    let Summary { health, reason, message, .. } = summary;
    let say = |kind, holds: bool| Assertion::new(kind, holds, *reason, message.as_str());
    [
        say(ConditionType::Ready, *health == Health::Ready),
        say(ConditionType::Reconciling, *health == Health::Reconciling),
        say(ConditionType::Stalled, *health == Health::Stalled),
    ]
}

fn merge(
    conditions: &mut Vec<Condition>,
    assertion: Assertion,
    observed_generation: i64,
    now: DateTime<Utc>,
) {
    let Assertion { kind, status, reason, message } = assertion;
    let found = conditions.iter_mut().find(|c| c.kind == kind);
    let since = found.as_ref().filter(|c| c.status == status).map(|c| c.last_transition_time);
    let condition = Condition {
        kind,
        status,
        reason,
        message,
        last_transition_time: since.unwrap_or(now),
        observed_generation,
    };
    match found {
        Some(slot) => *slot = condition,
        None => conditions.push(condition),
    }
}

/// Longest pause after a failure.
const LONGEST: Duration = Duration::from_mins(10);

/// What a failure means: how it stands, and when to try again. `attempts` counts failures in a row
/// before this one.
pub fn after(fault: &Fault, attempts: u32) -> (Health, Reason, Duration) {
    let backoff = |base: u64| Duration::from_secs(base << attempts.min(9)).min(LONGEST);
    match fault {
        // Many may wait for one budget: who was refused again and again asks less often.
        Fault::Throttled { retry_after, .. } => {
            let wait = retry_after.map_or_else(|| backoff(15), |asked| asked.max(backoff(1)));
            (Health::Reconciling, Reason::Throttled, wait)
        }
        // Azure's troubleshooting page asks for at least 10 s between two operations on a group.
        Fault::Busy { retry_after, .. } => (
            Health::Reconciling,
            Reason::Busy,
            retry_after.unwrap_or_default().max(Duration::from_secs(10)),
        ),
        Fault::Failing { retry_after, .. } => {
            let wait = retry_after.unwrap_or_default().max(backoff(2));
            (Health::Reconciling, Reason::Unreachable, wait)
        }
        Fault::Unreachable { .. } => (Health::Reconciling, Reason::Unreachable, backoff(2)),
        Fault::Store { .. } => (Health::Reconciling, Reason::Unreachable, backoff(1)),
        Fault::Forbidden { .. } => (Health::Stalled, Reason::Forbidden, backoff(30)),
        Fault::NotGranted { .. } => (Health::Stalled, Reason::GraphNotGranted, backoff(30)),
        Fault::Refused { .. } => (Health::Stalled, Reason::Refused, backoff(30)),
    }
}

/// The truth of a condition; `Unknown` where nothing was said of it.
pub fn truth(conditions: &[Condition], kind: ConditionType) -> Truth {
    conditions.iter().find(|c| c.kind == kind).map_or(Truth::Unknown, |c| c.status)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn summary(health: Health, reason: Reason) -> Summary {
        Summary { health, reason, message: String::new(), conditions: Vec::new() }
    }

    #[test]
    fn a_transition_is_dated_and_told_once() {
        let (t0, t1) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::minutes(1));
        let creating = summary(Health::Reconciling, Reason::Creating);
        let (first, event) = conclude(&[], &creating, 1, t0);
        assert_eq!(event.unwrap().reason, Reason::Creating);
        let (second, event) = conclude(&first, &creating, 1, t1);
        assert_eq!((second.clone(), event), (first, None));
        let (third, event) = conclude(&second, &summary(Health::Ready, Reason::InSync), 1, t1);
        assert_eq!(event.unwrap().kind, EventType::Normal);
        assert_eq!(truth(&third, ConditionType::Ready), Truth::True);
        let since = third.iter().map(|c| (c.kind, c.last_transition_time)).collect::<Vec<_>>();
        let stalled = (ConditionType::Stalled, t0);
        assert!(since.contains(&(ConditionType::Ready, t1)) && since.contains(&stalled));
    }

    #[test]
    fn azure_is_waited_for_as_it_asks() {
        let asks = |seconds| Some(Duration::from_secs(seconds));
        let throttled = Fault::Throttled { service: "ARM", retry_after: asks(77) };
        assert_eq!(after(&throttled, 0).2.as_secs(), 77);
        let busy = Fault::Busy { service: "ARM", message: String::new(), retry_after: asks(1) };
        assert_eq!(after(&busy, 0).2.as_secs(), 10);
        let down = Fault::Unreachable { service: "ARM", problem: String::new() };
        assert_eq!(after(&down, 0).2.as_secs(), 2);
        assert_eq!(after(&down, 30).2, LONGEST);
    }
}
