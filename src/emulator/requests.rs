//! The log of requests: one line each, without secrets, so that writes can be counted, and seen to follow one
//! another.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::faults::Operation;

/// An append-only file of JSON lines, and counts of this run.
pub(super) struct Requests(Mutex<Log>);

struct Log {
    file: File,
    clock: fn() -> DateTime<Utc>,
    counts: BTreeMap<Operation, u64>,
}

impl Requests {
    /// Appends to the file `path`.
    pub(super) fn open(path: &Path, clock: fn() -> DateTime<Utc>) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        Ok(Self(Mutex::new(Log { file, clock, counts: BTreeMap::new() })))
    }

    /// Notes one request that arrived `at` and is answered now. `path` comes without its query.
    pub(super) fn note(
        &self,
        at: DateTime<Utc>,
        method: &str,
        path: &str,
        operation: Operation,
        status: Option<u16>,
    ) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
        let line = json!({
            "time": text(at),
            "answered": text((log.clock)()),
            "method": method,
            "path": path,
            "operation": operation,
            "status": status,
        });
        *log.counts.entry(operation).or_default() += 1;
        if let Err(error) = log.file.write_all(format!("{line}\n").as_bytes()) {
            tracing::warn!(%error, "cannot write the request log");
        }
    }

    /// Requests since the start, by operation.
    pub(super) fn counts(&self) -> BTreeMap<Operation, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).counts.clone()
    }
}
