//! ARM's token buckets, as its headers report them. They are shown and never enforced: throttling is
//! a fault to inject.
//!
//! Source: learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling.

use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderName, Method};
use chrono::{DateTime, Utc};

/// Size and refill a second of each bucket: reads, writes, deletes.
const SIZES: [(f64, f64); 3] = [(250.0, 25.0), (200.0, 10.0), (200.0, 10.0)];
const HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-ms-ratelimit-remaining-subscription-reads"),
    HeaderName::from_static("x-ms-ratelimit-remaining-subscription-writes"),
    HeaderName::from_static("x-ms-ratelimit-remaining-subscription-deletes"),
];

/// The buckets of one subscription and principal.
#[derive(Default)]
pub(super) struct Limits(Mutex<[Option<Level>; 3]>);

/// Tokens left, and when that was so.
type Level = (f64, DateTime<Utc>);

/// What is left in the bucket that a request drew from.
pub(super) struct Remaining {
    pub(super) header: HeaderName,
    pub(super) count: u32,
}

impl Limits {
    /// Draws one token for a request.
    pub(super) fn take(&self, method: &Method, now: DateTime<Utc>) -> Remaining {
        let index = match *method {
            Method::GET | Method::HEAD => 0,
            Method::DELETE => 2,
            _ => 1,
        };
        let (size, refill) = SIZES[index];
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (level, since) = buckets[index].unwrap_or((size, now));
        let gained = (now - since).as_seconds_f64().max(0.0) * refill;
        let level = ((level + gained).min(size) - 1.0).max(0.0);
        buckets[index] = Some((level, now));
        Remaining { header: HEADERS[index].clone(), count: whole(level) }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 250")]
fn whole(level: f64) -> u32 {
    level as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills() {
        let limits = Limits::default();
        let at = |seconds: i64| DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
        let left = (0..300).map(|_| limits.take(&Method::GET, at(0)).count).last();
        assert_eq!(left, Some(0));
        assert_eq!(limits.take(&Method::PUT, at(0)).count, 199);
        assert_eq!(limits.take(&Method::GET, at(2)).count, 49);
        assert_eq!(limits.take(&Method::GET, at(60)).count, 249);
    }
}
