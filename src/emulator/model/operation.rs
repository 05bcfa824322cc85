//! Long-running operations and what polling them answers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::event::timestamp;
use super::group::Problem;
use super::{Azure, Error, Now, Poll, Reply};

/// Ended operations that are remembered.
const KEPT: usize = 500;

/// An operation that was handed out for polling.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct StoredOperation {
    serial: u64,
    started: DateTime<Utc>,
    ended: Option<DateTime<Utc>>,
    problem: Option<Problem>,
}

impl Azure {
    /// Begins an operation; its id.
    pub(super) fn begin(&mut self, now: Now) -> String {
        let id = self.next_id();
        let operation =
            StoredOperation { serial: self.serial, started: now, ended: None, problem: None };
        self.operations.insert(id.clone(), operation);
        let oldest = self.operations.iter().filter(|(_, kept)| kept.ended.is_some());
        if self.operations.len() > KEPT
            && let Some((oldest, _)) = oldest.min_by_key(|(_, kept)| kept.serial)
        {
            let oldest = oldest.clone();
            self.operations.remove(&oldest);
        }
        id
    }

    pub(super) fn end(&mut self, id: &str, at: Now, problem: Option<Problem>) {
        if let Some(operation) = self.operations.get_mut(id) {
            operation.ended.get_or_insert(at);
            operation.problem = problem;
        }
    }

    /// The answer at an `Azure-AsyncOperation` URL.
    pub fn operation_status(&mut self, now: Now, id: &str) -> Result<Reply, Error> {
        self.advance(now);
        let operation = self.operation(id)?;
        let status = match (&operation.ended, &operation.problem) {
            (None, _) => "InProgress",
            (Some(_), None) => "Succeeded",
            (Some(_), Some(_)) => "Failed",
        };
        let mut body =
            json!({"name": id, "status": status, "startTime": timestamp(operation.started)});
        if let Some(ended) = operation.ended {
            body["endTime"] = json!(timestamp(ended));
        }
        if let Some(problem) = &operation.problem {
            body["error"] = json!({"code": problem.code, "message": problem.message});
        }
        Ok(Reply::new(200, body))
    }

    /// The answer at a `Location` URL: 202 while it goes on.
    pub fn operation_result(&mut self, now: Now, id: &str) -> Result<Reply, Error> {
        self.advance(now);
        let operation = self.operation(id)?;
        match (&operation.ended, &operation.problem) {
            (None, _) => Ok(Reply::empty(202).polled(Poll::Location(id.to_owned()))),
            (Some(_), None) => Ok(Reply::empty(204)),
            (Some(_), Some(problem)) => Err(Error::new(409, &problem.code, &problem.message)),
        }
    }

    fn operation(&self, id: &str) -> Result<&StoredOperation, Error> {
        self.operations.get(id).ok_or_else(|| Error::operation_not_found(id))
    }
}
