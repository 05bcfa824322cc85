//! The log of requests to ARM: one line each, without secrets, so that writes can be counted.

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
    counts: BTreeMap<Operation, u64>,
}

impl Requests {
    /// Appends to the file `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        Ok(Self(Mutex::new(Log { file, counts: BTreeMap::new() })))
    }

    /// Notes one answered request that arrived `at`. `path` comes without its query.
    pub(super) fn note(
        &self,
        at: DateTime<Utc>,
        method: &str,
        path: &str,
        operation: Operation,
        status: Option<u16>,
    ) {
        let line = json!({
            "time": at.to_rfc3339_opts(SecondsFormat::Micros, true),
            "method": method,
            "path": path,
            "operation": operation,
            "status": status,
        });
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
